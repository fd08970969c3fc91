"""Forms for the criteria benchmark: random ones, and named edge dates."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.policy import PolicyVersion, Question, QuestionType, load_policy
from app.policy.calendar import add_months

Form = dict[str, Any]

MISSING = 0.05
EDGE_DAYS = {
    "the end of January": date(2026, 1, 31),
    "a leap day": date(2024, 2, 29),
    "the end of February": date(2025, 2, 28),
    "the end of March": date(2026, 3, 31),
    "new year's eve": date(2025, 12, 31),
    "new year's day": date(2026, 1, 1),
    "the end of August": date(2026, 8, 31),
}
_TENTHS = {
    "edss": (0, 100),
    "weight_kg": (300, 1200),
    "dose_mg": (100, 9000),
    "das28_first": (30, 80),
    "das28_second": (30, 80),
    "alt": (1, 50),
    "lymphocytes": (1, 30),
}
_WHOLE = {"age": (10, 90), "joints": (0, 12), "failed_drugs": (0, 4)}


def benchmark_policy() -> PolicyVersion:
    """The benchmark's policy version."""
    path = Path(__file__).with_name("criteria_policy.yaml")
    return load_policy(path.read_text(encoding="utf-8"), path.name)


def random_forms(version: PolicyVersion, number: int, seed: int) -> list[Form]:
    """Random forms, each answer missing in one of twenty; the same for the same seed."""
    source = random.Random(seed)
    return [_random_form(version, source) for _ in range(number)]


def _random_form(version: PolicyVersion, source: random.Random) -> Form:
    today = date(2023, 1, 1) + timedelta(days=source.randrange(1500))
    form: Form = {"decision_to_treat": today}
    for name, question in version.questions.items():
        missing = source.random() < MISSING
        form[name] = None if missing else _random_answer(question, today, source)
    return form


def _random_answer(question: Question, today: date, source: random.Random) -> object:
    if question.type is QuestionType.BOOLEAN:
        return source.random() < 0.5
    if question.type is QuestionType.DATE:
        return today - timedelta(days=source.randrange(-20, 900))
    if question.type is QuestionType.CHOICE:
        return source.choice(list(question.options))
    if question.type is QuestionType.INTEGER:
        return source.randint(*_WHOLE[question.name])
    return Decimal(source.randint(*_TENTHS[question.name])) / 10


def edge_forms(version: PolicyVersion) -> Iterator[Form]:
    """Forms on, one day before and one day after every window's edge, for each named day."""
    dates = [name for name, each in version.questions.items() if each.type is QuestionType.DATE]
    base = _random_form(version, random.Random(1))
    for today in EDGE_DAYS.values():
        edges = [edge for months in (0, -6, -12, -24) if (edge := add_months(today, months))]
        edges += [today - timedelta(days=days) for days in (28, 56)]
        for edge in edges:
            for shift in (-1, 0, 1):
                near = edge + timedelta(days=shift)
                yield {**base, **dict.fromkeys(dates, near), "decision_to_treat": today}
