"""The lifecycle of a challenge, step by step, and what a draft makes of random lines."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.reconciliation.challenge_drafting import plan, reversed_rows
from app.reconciliation.challenge_model import (
    TRANSITIONS,
    Challenge,
    ChallengeEvent,
    ChallengeState,
    check_can_raise,
    check_can_uphold,
    next_state,
)
from app.reconciliation.errors import StepNotPossible
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import LineOutcome
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import cells, coverage, run, snapshot

STEPS = {
    "drafted": {"raise": "raised", "withdraw": "withdrawn"},
    "raised": {"answer": "answered", "uphold": "upheld", "withdraw": "withdrawn"},
    "answered": {"uphold": "upheld", "withdraw": "withdrawn"},
    "upheld": {"credit": "credited", "withdraw": "withdrawn"},
    "withdrawn": {},
    "credited": {},
}


@pytest.mark.parametrize("state", ChallengeState)
@pytest.mark.parametrize("event", ChallengeEvent)
def test_a_step_leads_where_the_table_says_or_is_refused(
    state: ChallengeState, event: ChallengeEvent
) -> None:
    expected = STEPS[state].get(event)
    if expected is not None:
        assert next_state(state, event) == expected
        return
    with pytest.raises(StepNotPossible, match=f"'{state}' cannot take the step '{event}'"):
        next_state(state, event)


def test_every_state_but_the_first_is_reached() -> None:
    assert set(TRANSITIONS.values()) == set(ChallengeState) - {ChallengeState.DRAFTED}


DAY = dt.date(2026, 7, 31)
NOW = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
RAISED = Challenge(
    "1", "DEMQ1", "DEMO1", "2", LineOutcome.NO_APPROVAL, None, None, ChallengeState.RAISED,
    1, Decimal("10.50"), NOW, "3", respond_by=DAY,
)  # fmt: skip


@pytest.mark.parametrize(
    ("today", "amount", "possible"),
    [
        (DAY, "10.50", False),
        (DAY + dt.timedelta(1), "10.50", True),
        (DAY + dt.timedelta(1), "10.51", False),
        (DAY + dt.timedelta(1), "0", False),
        (DAY + dt.timedelta(1), "0.01", True),
    ],
)
def test_an_unanswered_challenge_is_upheld_after_its_day_and_up_to_its_amount(
    today: dt.date, amount: str, possible: bool
) -> None:
    if possible:
        check_can_uphold(RAISED, Decimal(amount), today)
        return
    with pytest.raises(StepNotPossible):
        check_can_uphold(RAISED, Decimal(amount), today)


def test_the_day_to_answer_by_is_not_in_the_past() -> None:
    check_can_raise(DAY, DAY)
    with pytest.raises(StepNotPossible, match="has passed"):
        check_can_raise(DAY, DAY + dt.timedelta(1))


ROW = st.fixed_dictionaries(
    {
        "total": st.sampled_from(["10.00", "-10.00", "0.01", "TBC", "1000.00", "0"]),
        "nhs": st.sampled_from(["", cells()["NHS NUMBER"]]),
        "provider": st.sampled_from(["DEMO1", "DEMO2", ""]),
        "date": st.sampled_from(["2025-06-10", "2024-06-10", ""]),
    }
)


@given(st.lists(ROW, min_size=1, max_size=12), st.randoms())
@settings(max_examples=60, deadline=None)
def test_every_queried_pound_is_challenged_or_left_out_and_never_twice(
    rows: list[dict[str, str]], random: object
) -> None:
    snap = snapshot(coverage())
    matched = run(snap, *(cells(**row) for row in rows))
    back = reversed_rows([m.line for m in matched], snap, load_drugs(), load_organisations())
    first = plan(matched, back, {}, {}, by_month=True)
    lines = [line for group in first.groups for line in group.lines]
    whole = sum((m.queried for m in matched), Decimal(0))
    parts = [*(g.queried for g in first.groups), *(each.queried for each in first.left_out)]
    assert sum(parts, Decimal(0)) == whole
    assert len({line.line_key for line in lines}) == len(lines)
    assert all(line.queried > 0 for line in lines)
    random.shuffle(rows)  # type: ignore[attr-defined]
    again = run(snap, *(cells(**row) for row in rows))
    assert set(keys_of([m.line for m in again])) == set(keys_of([m.line for m in matched]))
    held = dict.fromkeys(line.line_key for line in lines)
    later = plan(matched, back, held, {}, by_month=False)
    assert later.groups == ()
