"""Random and edge forms for any policy version: what replay and evaluator must agree on."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from app.policy import PolicyVersion, Question, QuestionType
from app.policy.calendar import add_months

EDGES = [
    date(2024, 2, 29),
    date(2025, 2, 28),
    date(2026, 1, 31),
    date(2026, 3, 31),
    date(2025, 12, 31),
    date(2026, 8, 31),
]


def forms(version: PolicyVersion, number: int, seed: int) -> list[dict[str, Any]]:
    """Forms typed as the evaluator takes them; one answer in eight is missing."""
    source = random.Random(seed)
    return [_form(version, source, index) for index in range(number)]


def _form(version: PolicyVersion, source: random.Random, index: int) -> dict[str, Any]:
    random_day = date(2023, 1, 1) + timedelta(days=source.randrange(1200))
    today = source.choice(EDGES) if source.random() < 0.4 else random_day
    form: dict[str, Any] = {"id": str(index), "decision_to_treat": today}
    form["first_dose"] = _missing(source) or _day(today, source)
    form["birth_date"] = _missing(source) or _day(add_months(today, -216) or today, source)
    form["sex"] = source.choice(["male", "female", None])
    for name, question in version.questions.items():
        form[name] = None if source.random() < 0.12 else _answer(question, today, source)
    return form


def _missing(source: random.Random) -> date | None:
    return None if source.random() < 0.9 else date(1980, 5, 5)


def _day(today: date, source: random.Random) -> date:
    """Mostly a day on, before or after the edge of a window of some months."""
    months = source.choice([0, -1, -2, -3, -6, -12, -18, -24, -36])
    edge = add_months(today, months) or today
    near = source.choice([-1, 0, 0, 1]) if source.random() < 0.6 else source.randrange(-200, 200)
    return edge + timedelta(days=near)


def _answer(question: Question, today: date, source: random.Random) -> Any:
    match question.type:
        case QuestionType.BOOLEAN:
            return source.random() < 0.5
        case QuestionType.DATE:
            return _day(today, source)
        case QuestionType.CHOICE:
            return source.choice(list(question.options))
        case QuestionType.TEXT:
            return "words"
        case QuestionType.LIST:
            return [_row(question, today, source) for _ in range(source.randrange(5))]
        case _:
            return _number(question, source)


def _row(question: Question, today: date, source: random.Random) -> dict[str, Any]:
    return {
        name: None if source.random() < 0.2 else _answer(field, today, source)
        for name, field in question.fields.items()
    }


def _number(question: Question, source: random.Random) -> Decimal | int:
    places = 0 if question.type is QuestionType.INTEGER else min(question.decimals or 2, 3)
    if question.decimals is not None:
        places = min(places, question.decimals)
    low = 0 if question.minimum is None else question.minimum
    high = low + 60 if question.maximum is None else min(question.maximum, low + 600)
    steps = source.randint(int(low * 10**places), int(high * 10**places))
    number = Decimal(steps).scaleb(-places)
    return int(number) if question.type is QuestionType.INTEGER else number
