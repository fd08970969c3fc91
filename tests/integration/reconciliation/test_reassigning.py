"""A commissioner hands a drug's treatments to another: each pays for its own days, nobody twice."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from app.approvals.correcting import enter_in_error
from app.approvals.errors import DetailsNotAccepted, NotFound
from app.approvals.funding import resolve_query
from app.approvals.handing import Asked, HandOver, hand_over_by_two
from app.approvals.lifecycle import ApprovalEvent, ApprovalState
from app.approvals.model import ApprovalRecord, StopReason
from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role
from app.db import tables
from app.policy import Kind
from app.reconciliation import service
from app.reconciliation.model import LineOutcome
from app.reconciliation.service import Desk
from tests.integration.reconciliation.matching import line, outcome
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import CLINICIAN, COMMISSIONER, OTHER_COMMISSIONER, PHARMACIST, World, person

LAST, FIRST = dt.date(2026, 8, 31), dt.date(2026, 9, 1)
WHY = "Invented delegation."


def hand_over(world: World, caller: Caller = COMMISSIONER, to: str = "DEMQ2") -> HandOver:
    """What was handed over, once its day has come."""
    world.on(max(world.moment.day, FIRST))
    asked = Asked(to, "natalizumab", FIRST, WHY)
    return world.do(lambda work: hand_over_by_two(work, caller, asked, "A. One", "B. Two"))


def counts(made: HandOver) -> tuple[int, int, int, int]:
    return made.treatments, made.approvals, made.segments, made.waiting


def test_each_commissioner_s_lines_are_covered_on_its_own_days_and_on_no_others(
    world: World,
) -> None:
    world.trial()
    assert counts(hand_over(world)) == (1, 1, 1, 0)

    for payer, day, covered in (
        (COMMISSIONER, LAST, True),
        (COMMISSIONER, FIRST, False),
        (OTHER_COMMISSIONER, LAST, False),
        (OTHER_COMMISSIONER, FIRST, True),
    ):
        found = outcome(world, day, caller=payer)
        assert (found.outcome is LineOutcome.MATCHED) is covered, (payer.organisation, day)
    assert outcome(world, FIRST, caller=PHARMACIST).outcome is LineOutcome.MATCHED
    assert outcome(world, LAST, caller=PHARMACIST).outcome is LineOutcome.MATCHED


def test_done_again_it_changes_nothing_and_both_are_on_record(world: World) -> None:
    world.trial()
    hand_over(world)
    segments = sa.select(sa.func.count()).select_from(tables.segment)
    before = world.do(lambda work: work.connection.execute(segments).scalar_one())
    assert counts(hand_over(world)) == (0, 0, 0, 0)
    assert world.do(lambda work: work.connection.execute(segments).scalar_one()) == before
    query = sa.select(sa.func.count()).where(
        tables.audit_event.c.action == "treatment handed to another commissioner"
    )
    assert world.do(lambda work: work.connection.execute(query).scalar_one()) == 1


def test_only_the_commissioner_that_pays_hands_over_and_only_what_it_pays_for(
    world: World,
) -> None:
    world.trial()
    with pytest.raises(NotAllowed):
        hand_over(world, PHARMACIST)
    with pytest.raises(DetailsNotAccepted):
        hand_over(world, COMMISSIONER, "DEMQ1")
    assert counts(hand_over(world, OTHER_COMMISSIONER, "DEMQ1")) == (0, 0, 0, 0)


MONTHS = tuple(dt.date(2026 + (n > 11), (n % 12) + 1, 20) for n in range(5, 18))
TO, BACK = dt.date(2026, 9, 1), dt.date(2027, 2, 1)


def give(world: World, giver: Caller, receiver: str, day: dt.date) -> HandOver:
    asked = Asked(receiver, "natalizumab", day, WHY)
    return world.do(lambda work: hand_over_by_two(work, giver, asked, "A. One", "B. Two"))


def reconciled(world: World, desk: Desk, payer: Caller) -> list[tuple[dt.date, Decimal, Decimal]]:
    """What a commissioner's run makes of a year's supplies that all name it as the payer."""
    rows = [line(day, payer=payer.organisation) for day in MONTHS]
    found = service.reconcile(
        world.do,
        desk,
        payer,
        csv_bytes(rows),
        "year.csv",
        read=lambda fn: world.database.read(fn, moment=world.moment),
    )
    assert [item.line.supply_date for item in found.matched] == list(MONTHS)
    return [(day, m.accepted, m.queried) for day, m in zip(MONTHS, found.matched, strict=True)]


def test_over_the_year_of_a_change_to_and_back_each_line_is_accepted_by_exactly_one(
    world: World, desk: Desk
) -> None:
    treatment = world.trial(first_dose=None).request.treatment_id
    world.on(TO)
    give(world, COMMISSIONER, "DEMQ2", TO)
    world.on(dt.date(2026, 10, 5))
    stopped = world.change(
        treatment, Kind.STOP, from_day=dt.date(2026, 10, 1), stop_reason=StopReason.OTHER
    )
    world.on(BACK)
    give(world, OTHER_COMMISSIONER, "DEMQ1", BACK)
    world.on(dt.date(2027, 2, 3))
    version = world.request(stopped.request.id).request.version  # the hand-over renamed its parts
    world.do(lambda w: enter_in_error(w, CLINICIAN, stopped.request.id, "Typed wrongly.", version))
    world.on(dt.date(2027, 6, 1))
    world.carry_on(treatment)

    by_old = reconciled(world, desk, COMMISSIONER)
    by_new = reconciled(world, desk, OTHER_COMMISSIONER)

    for (day, accepted, queried), (_, others, others_queried) in zip(by_old, by_new, strict=True):
        theirs = TO <= day < BACK
        assert (accepted > 0, others > 0) == (not theirs, theirs), day
        assert accepted + queried == others + others_queried == 1000
        assert accepted + others == 1000, day


def test_who_pays_now_resolves_a_query_on_what_another_approved(world: World) -> None:
    made = world.trial()
    treatment, approval = made.request.treatment_id, made.approval
    assert approval is not None
    hand_over(world)
    version = world.request(made.request.id).request.version
    world.do(lambda w: enter_in_error(w, CLINICIAN, made.request.id, "Another's.", version))

    def resolve(caller: Caller, found: int) -> ApprovalRecord:
        return world.do(
            lambda w: resolve_query(
                w, caller, approval.reference, ApprovalEvent.UPHOLD, "It was theirs.", found
            )
        )

    stranger = replace(COMMISSIONER, organisation="13Q")
    with pytest.raises(NotFound):
        resolve(stranger, approval.version + 1)
    upheld = resolve(OTHER_COMMISSIONER, approval.version + 1)
    assert (upheld.state, upheld.commissioner) == (ApprovalState.LIVE, "DEMQ1")
    assert outcome(world, FIRST, caller=OTHER_COMMISSIONER).outcome is LineOutcome.MATCHED
    assert world.treatment(treatment).treatment.commissioner == "DEMQ2"


@pytest.mark.parametrize("role", [Role.COMMISSIONER, Role.INVOICE_VALIDATION, Role.AUDITOR])
def test_everybody_of_a_commissioner_sees_its_days_of_a_treatment_and_no_others(
    world: World, role: Role
) -> None:
    treatment = world.trial().request.treatment_id
    hand_over(world)
    seen = {
        code: [
            (s.from_day, s.commissioner)
            for s in world.treatment(treatment, person(role, code)).segments
        ]
        for code in ("DEMQ1", "DEMQ2")
    }
    begun = dt.date(2026, 6, 15)
    assert seen == {"DEMQ1": [(begun, "DEMQ1")], "DEMQ2": [(FIRST, "DEMQ2")]}
