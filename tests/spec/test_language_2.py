"""The conformance cases of language version 2, run through the real loader and evaluator."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from app.policy import Answer, Context, Kind, decide
from tests.unit.policy.makers import make_policy

OPTIONS = {"x": "X", "y": "Y", "z": "Z"}
QUESTIONS = {
    **{name: {"type": "boolean", "label": name} for name in "ab"},
    **{name: {"type": "number", "label": name} for name in "nm"},
    "i": {"type": "integer", "label": "i"},
    **{name: {"type": "date", "label": name} for name in "de"},
    "k": {"type": "choice", "label": "k", "options": OPTIONS},
    "rows": {
        "type": "list",
        "label": "rows",
        "of": {
            "at": {"type": "date", "label": "at"},
            "v": {"type": "number", "label": "v"},
            "ok": {"type": "boolean", "label": "ok"},
            "kind": {"type": "choice", "label": "kind", "options": OPTIONS},
        },
    },
}
CONTEXT = Context(date(2026, 5, 31))
TABLES = yaml.safe_load(Path(__file__).with_name("language_2.yaml").read_text("utf-8"))
CASES = [
    pytest.param(table["about"], answers, value, id=f"{table['about']}: {answers}")
    for table in TABLES
    for answers, value in table["cases"]
]


@pytest.fixture(scope="module")
def policies():
    """A policy for each table."""
    return {
        table["about"]: make_policy(
            language=2, questions=QUESTIONS, derive=table["derive"], start=[table["test"]]
        )
        for table in TABLES
    }


def typed(value: object) -> object:
    """An answer as `parse_answers` would give it."""
    if isinstance(value, list):
        return tuple({name: typed(each) for name, each in row.items()} for row in value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(str(value)) if number else value


@pytest.mark.parametrize(("about", "answers", "value"), CASES)
def test_a_value_of_language_2_is_known_only_where_nothing_missing_could_change_it(
    policies, about, answers, value
):
    given = {name: Answer(typed(each)) for name, each in answers.items()}
    decision = decide(policies[about], Kind.INITIATION, given, CONTEXT)
    seen = _looked_at(decision.findings[0].part)
    wanted = Decimal(value) if isinstance(value, str) and value[0].isdigit() else typed(value)
    assert seen["it"] == wanted
    assert type(seen["it"]) is type(wanted) or isinstance(seen["it"], int | Decimal)


def _looked_at(part):
    found = dict(part.looked_at)
    for below in part.parts:
        found |= _looked_at(below)
    return found


def test_the_tables_cover_every_pick_choice_and_function():
    text = str(TABLES)
    words = ("latest", "earliest", "highest", "lowest", "choose", "ROUND(", "ROUND_DOWN(", "LEAST(")
    more = ("GREATEST(", "LN(", "SQRT(", "EXP(", "COMPLETE_MONTHS(")
    assert all(word in text for word in (*words, *more))
    assert len(CASES) > 120
