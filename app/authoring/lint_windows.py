"""Lint of windows in time: a test in days is not what a wording in months says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.authoring.reading import Chosen, Counted, Picked, Reading, Worked
from app.policy import Criterion, nodes

if TYPE_CHECKING:
    from app.authoring.lint import Lint, Linter

_YEAR = re.compile(
    r"\b(12|twelve)\s+months?\b|\b(a|one|1|previous|past|last|each|every|per)\s+year\b", re.I
)
_MONTHS = re.compile(r"\b(\w+)[\s-]+months?\b", re.I)
_YEAR_IN_DAYS = (364, 365, 366)
_MONTH_IN_DAYS = {
    28: 1, 30: 1, 31: 1, 60: 2, 61: 2, 90: 3, 91: 3, 92: 3,
    120: 4, 122: 4, 180: 6, 182: 6, 183: 6, 270: 9, 273: 9, 274: 9, 545: 18, 547: 18, 548: 18,
    730: 24, 731: 24, 1095: 36, 1096: 36,
}  # fmt: skip
_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "nine": 9, "twelve": 12,
    "eighteen": 18,
}  # fmt: skip


def windows(linter: Linter) -> Iterator[Lint]:
    """Tests that count days where the wording says months."""
    for criterion in linter.criteria:
        tree = linter.reading.tests[criterion.id]
        if tree is None:
            continue
        for days in sorted(set(_days(linter.reading, tree))):
            months = _MONTH_IN_DAYS.get(days)
            if days in _YEAR_IN_DAYS and _YEAR.search(criterion.text):
                yield _window(linter, criterion, days, 12)
            elif months is not None and months in _said_months(criterion.text):
                yield _window(linter, criterion, days, months)


def _window(linter: Linter, criterion: Criterion, days: int, months: int) -> Lint:
    said = "12 months or a year" if months == 12 else f"{months} months"
    if months == 1:
        said = "a month"
    return linter.say(
        "fault",
        "days-for-months",
        f"the text says {said}, but the test counts {days} days, which is not the same",
        f"Write ADD_MONTHS(decision_to_treat, -{months}), which the calendar decides",
        criterion,
    )


def _said_months(text: str) -> set[int]:
    found = set()
    for word in _MONTHS.findall(text):
        if word.isdigit():
            found.add(int(word))
        elif word.lower() in _WORDS:
            found.add(_WORDS[word.lower()])
    return found


def _days(reading: Reading, node: nodes.Node) -> Iterator[int]:
    """The literals that a number of days is compared with, in a test and its workings."""
    if isinstance(node, nodes.Compare | nodes.Between) and any(
        isinstance(each, nodes.DaysBetween) for each in _everything(reading, node)
    ):
        for each in _everything(reading, node):
            if isinstance(each, nodes.Number) and each.value == each.value.to_integral_value():
                yield abs(int(each.value))
    for child in nodes.children(node):
        yield from _days(reading, child)
    if isinstance(node, nodes.Name):
        match reading.derived.get(node.name):
            case Worked(inner):
                yield from _days(reading, inner)
            case Counted(_, where) if where is not None:
                yield from _days(reading, where)
            case Chosen() as chosen:
                for part in parts_of(chosen):
                    yield from _days(reading, part)
            case Picked() as picked if picked.where is not None:
                yield from _days(reading, picked.where)


def parts_of(chosen: Chosen) -> Iterator[nodes.Node]:
    """The conditions and the values of a choice."""
    for test, value in chosen.branches:
        yield from (test, value)
    if chosen.otherwise is not None:
        yield chosen.otherwise


def _everything(reading: Reading, node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    if isinstance(node, nodes.Name):
        match reading.derived.get(node.name):
            case Worked(inner):
                yield from _everything(reading, inner)
            case Chosen() as chosen:
                for part in parts_of(chosen):
                    yield from _everything(reading, part)
    for child in nodes.children(node):
        yield from _everything(reading, child)
