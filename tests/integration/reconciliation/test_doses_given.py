"""Money of an urgent start that a panel overturned: what is paid, what is not, and why in words."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.approvals import reviewing
from app.approvals.model import RequestDetails, RequestView, StopReason
from app.auth.model import Caller, Role
from app.policy import Kind
from app.reconciliation import LineOutcome as O
from app.reconciliation import evidence
from app.reconciliation.engines.choice import Choice, Engine
from app.reconciliation.service import Desk
from tests.integration.approvals.test_overturning import (
    FIRST,
    NOT_PAID,
    PAID,
    RULED,
    URGENT,
    correct,
    error,
    fund,
    overturn,
    urgent,
)
from tests.integration.reconciliation.matching import line, match, outcome, take
from tests.integration.reconciliation.test_runs import run
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, PHARMACIST, World, person

D = dt.date
DAY = dt.timedelta(days=1)
ACCEPTED = (O.MATCHED, O.APPROVED_LATE)
PAID_TO = replace(PAID, paid_to=D(2026, 7, 10))
SAID = (
    "The approval is not given: on 20/07/2026 the commissioner overturned the urgent start, and "
    "does not pay for doses given from 05/06/2026 on."
)


@pytest.mark.parametrize("caller", [COMMISSIONER, PHARMACIST])
@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (FIRST - DAY, O.OUTSIDE_APPROVAL_PERIOD),
        (FIRST, O.APPROVED_LATE),  # before the form, as of any urgent start; and accepted
        (D(2026, 6, 20), O.MATCHED),
        (D(2026, 7, 10), O.MATCHED),
        (D(2026, 7, 11), O.OUTSIDE_APPROVAL_PERIOD),  # no grace
        (RULED, O.OUTSIDE_APPROVAL_PERIOD),
        (D(2027, 1, 1), O.OUTSIDE_APPROVAL_PERIOD),  # and no continuation is asked for
    ],
)
def test_a_line_is_accepted_on_a_day_that_is_paid_for_and_on_no_other(
    world: World, caller: Caller, day: D, expected: O
) -> None:
    overturn(world, urgent(world), PAID_TO)
    world.on(D(2027, 1, 2))
    found = outcome(world, day, caller)
    assert found.outcome is expected
    price = found.line.total_cost
    assert found.accepted == (price if expected in ACCEPTED else Decimal(0))


@pytest.mark.parametrize("day", [FIRST, D(2026, 6, 20), RULED, RULED + DAY])
def test_where_nothing_is_paid_for_no_line_is_accepted_and_its_reason_says_who_decided_so(
    world: World, day: D
) -> None:
    overturn(world, urgent(world), NOT_PAID)
    found = outcome(world, day)
    assert (found.outcome, found.reason, found.accepted) == (O.NO_APPROVAL, SAID, Decimal(0))
    assert found.reference is None


def test_the_panel_is_named_where_one_decided(world: World) -> None:
    world.set("DEMQ1", "panel", "DEMP1")
    view = urgent(world)
    overturn(world, view, NOT_PAID, by=person(Role.PANEL_MEMBER, "DEMP1"))
    assert "the panel overturned the urgent start" in outcome(world, FIRST).reason


def test_quoting_the_reference_opens_no_other_day(world: World) -> None:
    done = overturn(world, urgent(world), PAID_TO)
    quoted = {"reference": done.doses_given.reference}
    inside, outside = match(world, line(D(2026, 7, 10), **quoted), line(D(2026, 7, 11), **quoted))
    assert (inside.outcome, outside.outcome) == (O.MATCHED, O.OUTSIDE_APPROVAL_PERIOD)


def test_a_delivery_after_a_recorded_stop_gets_no_days_beyond_the_panels(world: World) -> None:
    done = overturn(world, urgent(world), PAID_TO)
    stop = {"from_day": D(2026, 7, 10), "stop_reason": StopReason.OTHER}
    world.change(done.request.treatment_id, Kind.STOP, **stop)
    (coverage, *others) = take(world).coverages
    assert [c.stopped for c in (coverage, *others)] == [False] * (1 + len(others))
    assert {c.grace_to for c in (coverage, *others)} == {None}


def test_after_funding_or_an_error_lines_follow_what_stands(world: World) -> None:
    done = overturn(world, urgent(world), PAID_TO)
    funded = fund(world, done, D(2026, 7, 11), D(2027, 7, 10))
    known = {d: outcome(world, d) for d in (FIRST, D(2026, 7, 10), D(2026, 7, 11))}
    assert [o.outcome for o in known.values()] == [O.APPROVED_LATE, O.MATCHED, O.MATCHED]
    assert known[FIRST].reference != known[D(2026, 7, 11)].reference
    error(world, funded)
    gone = outcome(world, FIRST)
    assert (gone.outcome, gone.accepted) == (O.NO_APPROVAL, Decimal(0))


def test_a_refusal_that_was_decided_anew_is_not_told_of_any_more(world: World) -> None:
    done = overturn(world, urgent(world), NOT_PAID)
    back = correct(world, done, score="8.0")
    assert outcome(world, FIRST).outcome is O.AWAITING_DECISION
    overturn(world, back, PAID)
    assert outcome(world, FIRST).outcome is O.APPROVED_LATE


def test_another_organisations_refusal_explains_nobody_elses_line(world: World) -> None:
    overturn(world, urgent(world), NOT_PAID)
    for stranger in (person(Role.COMMISSIONER, "DEMQ2"), person(Role.PHARMACIST, "DEMO2")):
        assert take(world, stranger).coverages == ()
        assert "overturned" not in outcome(world, FIRST, stranger).reason


@pytest.mark.parametrize("ruling", [PAID_TO, NOT_PAID])
@pytest.mark.parametrize("engine", [Engine.PLAIN, Engine.DUCKDB])
def test_a_run_of_either_engine_and_its_evidence_say_the_same(
    world: World, desk: Desk, ruling: Any, engine: Engine
) -> None:
    overturn(world, urgent(world), ruling)
    each = [line(d) for d in (FIRST, D(2026, 7, 11))]
    found = run(world, replace(desk, matching=Choice(engine)), COMMISSIONER, csv_bytes(each))
    expected = (
        [O.APPROVED_LATE, O.OUTSIDE_APPROVAL_PERIOD]
        if ruling.paid
        else [O.NO_APPROVAL, O.NO_APPROVAL]
    )
    assert [item.outcome for item in found.matched] == expected
    for item in found.matched:
        told = world.database.read(
            lambda work, row=item.line.row: evidence.evidence_of(
                work, desk, COMMISSIONER, found.run.id, row
            ),
            moment=world.moment,
            scope=COMMISSIONER.organisation,
        )
        assert told.unchanged
        assert told.item.reason == item.reason
        if not ruling.paid:
            assert told.item.reason == SAID
            assert told.coverage is not None


def test_an_urgent_start_that_waits_is_awaiting(world: World) -> None:
    urgent(world)
    assert outcome(world, FIRST).outcome is O.AWAITING_DECISION


def test_a_plain_refusal_reads_as_before(world: World) -> None:
    view: RequestView = world.trial(**{**URGENT, "details": RequestDetails()})
    world.do(
        lambda w: reviewing.panel_decline(w, world.office, COMMISSIONER, view.request.id, "no", 2)
    )
    assert take(world).coverages == ()
    assert "No approval of this drug is held" in outcome(world, FIRST).reason
