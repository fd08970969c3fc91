"""Picks and choices against a slow, plainly written reference: every way of filling the form in."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.policy import Section
from tests.unit.policy.makers import make_policy

DAY = date(2026, 1, 1)
KNOWN = (2, 3)
FILLED = (1, 2, 3, 4)  # below, between and above what is known
QUESTIONS = {
    **{name: {"type": "boolean", "label": name} for name in "ab"},
    **{name: {"type": "integer", "label": name} for name in "nmo"},
    "rows": {
        "type": "list",
        "label": "rows",
        "of": {
            "at": {"type": "date", "label": "at"},
            "v": {"type": "integer", "label": "v"},
            "ok": {"type": "boolean", "label": "ok"},
        },
    },
}
PICKS = {
    "latest": {"latest": "rows", "by": "at", "value": "v", "where": "ok"},
    "earliest": {"earliest": "rows", "by": "at", "value": "v", "where": "ok"},
    "highest": {"highest": "rows", "value": "v", "where": "ok"},
    "lowest": {"lowest": "rows", "value": "v", "where": "ok"},
}
CHOICE = {"choose": [{"when": "a", "value": "n"}, {"when": "b", "value": "m"}], "else": "o"}

ROW = st.fixed_dictionaries(
    {
        "at": st.none() | st.sampled_from(KNOWN),
        "v": st.none() | st.sampled_from(KNOWN),
        "ok": st.none() | st.booleans(),
    }
)


@pytest.fixture(scope="module")
def section():
    """One test a value, so that the value can be read off by asking for each number."""
    version = make_policy(
        language=2,
        questions=QUESTIONS,
        derive={**PICKS, "chosen": CHOICE},
        start=[f"{name} = {number}" for name in (*PICKS, "chosen") for number in FILLED],
    )
    return version.compiled.sections[Section.START]


def value_of(section, name, values):
    """What the compiled policy says of a derived value: a number, or None."""
    results = section.run(values)
    at = [*PICKS, "chosen"].index(name) * len(FILLED)
    found = [number for number, r in zip(FILLED, results[at : at + len(FILLED)], strict=True) if r]
    return found[0] if found else None


def day(number):
    return None if number is None else DAY + timedelta(days=number)


def fillings(row):
    """Every complete row that a row with gaps could be."""
    choices = [
        FILLED if row["at"] is None else (row["at"],),
        FILLED if row["v"] is None else (row["v"],),
        (True, False) if row["ok"] is None else (row["ok"],),
    ]
    return list(product(*choices))


def pick_of_complete(rows, mode):
    """The pick of rows without gaps; None where no row counts or the rows of one date differ."""
    rows = [(at, v) for at, v, ok in rows if ok]
    if not rows:
        return None
    order = 0 if mode in ("latest", "earliest") else 1
    best = (max if mode in ("latest", "highest") else min)(row[order] for row in rows)
    values = {row[1] for row in rows if row[order] == best}
    return values.pop() if len(values) == 1 else None


@pytest.mark.parametrize("mode", PICKS)
@settings(max_examples=150, deadline=None)
@given(rows=st.lists(ROW, max_size=3))
def test_a_pick_is_known_exactly_where_every_filling_in_agrees(section, mode, rows):
    values = {"rows": [{**row, "at": day(row["at"])} for row in rows]}
    found = {pick_of_complete(each, mode) for each in product(*map(fillings, rows))}
    wanted = found.pop() if len(found) == 1 else None
    assert value_of(section, mode, values) == wanted


@settings(max_examples=300, deadline=None)
@given(
    tests=st.tuples(*[st.none() | st.booleans()] * 2),
    numbers=st.tuples(*[st.none() | st.sampled_from(KNOWN)] * 3),
)
def test_a_choice_that_is_known_holds_however_the_form_is_filled_in(section, tests, numbers):
    a, b = tests
    n, m, o = numbers
    found = value_of(section, "chosen", {"a": a, "b": b, "n": n, "m": m, "o": o})
    filled = {
        first if one else second if two else third
        for one in ((True, False) if a is None else (a,))
        for two in ((True, False) if b is None else (b,))
        for first in (FILLED if n is None else (n,))
        for second in (FILLED if m is None else (m,))
        for third in (FILLED if o is None else (o,))
    }
    if found is not None:
        assert filled == {found}
    if a is not None and (a or b is not None):  # every test that matters is answered
        assert found == (n if a else m if b else o)
