"""The ternary-logic conformance cases, run through the real loader and compiler."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from app.policy import Section
from tests.unit.policy.makers import make_policy

DECISION_TO_TREAT = date(2026, 5, 31)
QUESTIONS = {
    **{name: {"type": "boolean", "label": name} for name in "abc"},
    **{name: {"type": "number", "label": name} for name in "nm"},
    "i": {"type": "integer", "label": "i"},
    **{name: {"type": "date", "label": name} for name in "de"},
    "k": {"type": "choice", "label": "k", "options": {"x": "X", "y": "Y", "z": "Z"}},
    "rows": {
        "type": "list",
        "label": "rows",
        "of": {
            "on": {"type": "date", "label": "on"},
            "bad": {"type": "boolean", "label": "bad"},
        },
    },
}
DERIVE = {
    "bad_rows": {"count": "rows", "where": "bad"},
    "recent_rows": {"count": "rows", "where": "on >= ADD_MONTHS(decision_to_treat, -12)"},
    "all_rows": {"count": "rows"},
    "ratio": {"value": "n / m"},
}
TABLES = yaml.safe_load(Path(__file__).with_name("ternary_logic.yaml").read_text("utf-8"))
CASES = [
    pytest.param(
        table["expression"],
        dict(zip(table["columns"], row, strict=True)),
        id=f"{table['expression']} {row[:-1]}",
    )
    for table in TABLES
    for row in table["rows"]
]


def _typed(name: str, value: object) -> object:
    return Decimal(str(value)) if name in "nm" and value is not None else value


@pytest.fixture(scope="module")
def compiled():
    """Every expression of the tables as one section of a policy."""
    expressions = [table["expression"] for table in TABLES]
    version = make_policy(questions=QUESTIONS, derive=DERIVE, start=expressions)
    return version.compiled.sections[Section.START], expressions


@pytest.mark.parametrize(("expression", "row"), CASES)
def test_a_missing_answer_is_neither_no_nor_yes(compiled, expression, row):
    section, expressions = compiled
    values = {name: _typed(name, value) for name, value in row.items() if name != "result"}
    raw = section.run({**values, "decision_to_treat": DECISION_TO_TREAT})
    assert raw[expressions.index(expression)] is row["result"]


def test_the_tables_cover_every_operator_with_known_and_unknown_answers():
    words = " ".join(table["expression"] for table in TABLES)
    operators = ("AND", "OR", "NOT", "BETWEEN", "IN", "AT_LEAST", "ADD_MONTHS", "DAYS_BETWEEN")
    assert all(word in words for word in (*operators, *"<>=+-*", "<=", ">=", "<>"))
    assert {row[-1] for table in TABLES for row in table["rows"]} == {True, False, None}
    assert len(CASES) > 250
