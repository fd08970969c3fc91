"""Who sees what of approvals in matching, exemptions by commissioner, and the snapshot's digest."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.approvals import reviewing
from app.approvals.model import RequestDetails
from app.approvals.office import APPROVAL_NOT_REQUIRED, change_setting
from app.auth.model import Caller, Role
from app.policy import Kind
from app.reconciliation import LineOutcome as O
from app.reconciliation import snapshot_rows
from app.reconciliation.engines import packed
from app.reconciliation.engines.index import in_order, pending_order
from app.reconciliation.scope import ALL_ORGANISATIONS
from app.reconciliation.snapshots import digest_of
from app.reconciliation.wording import RECORD_START
from tests.integration.reconciliation.matching import (
    LATER,
    START,
    days,
    line,
    match,
    outcome,
    take,
)
from tests.world import (
    COMMISSIONER,
    OTHER_CLINICIAN,
    OTHER_COMMISSIONER,
    PHARMACIST,
    World,
    patient,
    person,
)

D = dt.date
DAY = dt.timedelta(days=1)
OTHER_PHARMACIST = person(Role.PHARMACIST, "DEMO2")
OPERATOR = person(Role.COMMISSIONER, ALL_ORGANISATIONS)


def test_each_organisation_is_matched_against_its_own_approvals_only(world: World) -> None:
    world.trial(patient=patient(1))
    world.trial(OTHER_CLINICIAN, patient=patient(2), commissioner="DEMQ2")
    mine, other = patient(1).nhs_number, patient(2).nhs_number
    expected: list[tuple[Caller, set[str | None]]] = [
        (PHARMACIST, {mine}),
        (OTHER_PHARMACIST, {other}),
        (COMMISSIONER, {mine}),
        (OTHER_COMMISSIONER, {other}),
        (person(Role.PHARMACIST, "DEMO3"), set()),
        (person(Role.COMMISSIONER, "DEMQ3"), set()),
        (OPERATOR, {mine, other}),
    ]
    for caller, numbers in expected:
        assert {c.nhs_number for c in take(world, caller).coverages} == numbers, caller


def test_the_route_and_the_start_of_treatment_are_read_from_the_approval(world: World) -> None:
    made = world.trial(details=RequestDetails(route_of_administration="oral"))
    approval = made.approval
    assert approval is not None
    (seen,) = take(world).coverages
    assert (seen.route, seen.start_by, seen.first_dose) == ("oral", approval.start_by, None)
    assert approval.start_by is not None
    late = outcome(world, approval.start_by + DAY)
    assert (late.outcome, late.queried) == (O.MATCHED, 0)
    assert "no first dose is on record" in late.reason
    assert late.remedy == RECORD_START
    world.first_dose(made.request.treatment_id, approval.covers_from)
    (seen,) = take(world).coverages
    assert seen.first_dose == approval.covers_from
    begun = outcome(world, approval.start_by + DAY)
    assert (begun.outcome, begun.reason, begun.remedy) == (O.MATCHED, "Covered by an approval.", "")


def test_a_former_provider_is_matched_against_its_own_part_only(world: World) -> None:
    treatment = world.trial().request.treatment_id
    world.on(LATER)
    asked = world.change(treatment, Kind.TRANSFER, to_provider="DEMO2", from_day=LATER)
    assert {c.provider for c in take(world, OTHER_PHARMACIST).coverages} == {"DEMO1"}
    world.do(
        lambda w: reviewing.consent(
            w, world.office, OTHER_CLINICIAN, asked.request.id, asked.request.version
        )
    )
    world.on(D(2027, 6, 1))
    world.carry_on(treatment, OTHER_CLINICIAN, answers={})
    former = take(world, PHARMACIST)
    assert days(former) == [(START, LATER - DAY, "DEMO1", False)]
    assert former.pending == ()
    assert former.coverages[0].continuation_due is None
    found = outcome(world, LATER, PHARMACIST)
    assert found.outcome is O.OUTSIDE_APPROVAL_PERIOD
    assert "DEMO2" not in found.reason
    now = take(world, OTHER_PHARMACIST)
    assert {c.provider for c in now.coverages} == {"DEMO1", "DEMO2"}
    assert len(now.pending) == 1


def test_a_commissioner_pays_only_for_the_days_that_are_its_own(world: World) -> None:
    world.trial()
    world.do(
        lambda w: w.connection.execute(
            sa.text("UPDATE segment SET commissioner = 'DEMQ2' WHERE kind = 'coverage'")
        )
    )
    assert take(world, COMMISSIONER).coverages == ()
    assert len(take(world, OTHER_COMMISSIONER).coverages) == 1


def test_a_snapshot_takes_as_many_queries_for_many_treatments_as_for_one(world: World) -> None:
    world.trial(patient=patient(1))
    counted: list[str] = []

    def count(_c: object, _k: object, statement: str, *_: object) -> None:
        counted.append(statement)

    sa.event.listen(world.database.engine, "before_cursor_execute", count)
    take(world)
    first = len(counted)
    for sequence in range(2, 8):
        world.trial(patient=patient(sequence))
    counted.clear()
    assert len(take(world).coverages) == 7
    assert len(counted) == first
    sa.event.remove(world.database.engine, "before_cursor_execute", count)


# --- exemptions ---------------------------------------------------------------------------------


def exempt(
    world: World, commissioner: str, drugs: list[str], day: dt.date, to: dt.date | None = None
) -> None:
    world.do(lambda w: change_setting(w, commissioner, APPROVAL_NOT_REQUIRED, drugs, day, "tests"))
    if to is not None:
        world.do(
            lambda w: w.connection.execute(
                sa.text("UPDATE organisation_setting SET to_day = :to WHERE from_day = :day"),
                {"to": to.isoformat(), "day": day.isoformat()}
                if world.database.engine.dialect.name == "sqlite"
                else {"to": to, "day": day},
            )
        )


def test_an_exemption_cuts_the_policies_for_its_days(world: World) -> None:
    exempt(world, "DEMQ1", ["natalizumab"], START, LATER)
    expected = {
        START - DAY: O.NO_APPROVAL,
        START: O.APPROVAL_NOT_REQUIRED,
        LATER: O.APPROVAL_NOT_REQUIRED,
        LATER + DAY: O.NO_APPROVAL,
    }
    assert {day: outcome(world, day).outcome for day in expected} == expected
    assert outcome(world, START, drug="HUMIRA 40mg pen").outcome is O.NO_APPROVAL


def test_a_later_setting_outdates_an_exemption(world: World) -> None:
    exempt(world, "DEMQ1", ["natalizumab"], START)
    exempt(world, "DEMQ1", [], LATER)
    assert outcome(world, LATER - DAY).outcome is O.APPROVAL_NOT_REQUIRED
    assert outcome(world, LATER).outcome is O.NO_APPROVAL


@pytest.mark.parametrize("caller", [OPERATOR, PHARMACIST])
def test_elsewhere_the_exemptions_of_the_lines_own_commissioner_count(
    world: World, caller: Caller
) -> None:
    exempt(world, "DEMQ1", ["natalizumab"], START)
    payer = "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)"
    assert outcome(world, START, caller).outcome is O.APPROVAL_NOT_REQUIRED
    for code in ("DEMQ2", ""):
        (found,) = match(world, {**line(START), payer: code}, caller=caller)
        assert found.outcome is O.NO_APPROVAL
    assert outcome(world, START, OTHER_COMMISSIONER).outcome is O.NO_APPROVAL


# --- digest -------------------------------------------------------------------------------------


def test_read_a_few_treatments_at_a_time_the_snapshot_is_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of many: named by id, and packed."""
    first = world.trial().request.treatment_id
    others = [world.trial(patient=patient(n)) for n in (2, 3, 4)]
    world.trial(patient=patient(5), answers={})
    world.trial(OTHER_CLINICIAN, patient=patient(6), commissioner="DEMQ2")
    world.on(LATER)
    world.change(first, Kind.PAUSE, from_day=LATER)
    world.change(
        others[0].request.treatment_id, Kind.TRANSFER, to_provider="DEMO2", from_day=LATER + DAY
    )
    whole = {caller: take(world, caller) for caller in (COMMISSIONER, PHARMACIST, OPERATOR)}
    assert [len(seen.coverages) for seen in whole.values()] == [4, 4, 5]
    assert [len(seen.pending) for seen in whole.values()] == [2, 2, 2]
    monkeypatch.setattr(snapshot_rows, "PERSONS", 2)
    monkeypatch.setattr(packed, "AS_OBJECTS", 1)
    for caller, seen in whole.items():
        parts = take(world, caller)
        assert isinstance(parts.coverages, packed.Packed)
        assert list(parts.coverages) == list(in_order(seen.coverages))
        assert sorted(parts.pending, key=pending_order) == sorted(seen.pending, key=pending_order)
        assert digest_of(parts) == digest_of(seen)


def test_the_digest_is_blind_to_order_and_day_and_sees_every_change(world: World) -> None:
    treatment = world.trial().request.treatment_id
    world.trial(patient=patient(2))
    seen = take(world)
    turned = replace(
        seen,
        coverages=seen.coverages[::-1],
        policies=seen.policies[::-1],
        as_at=seen.as_at + DAY,
    )
    assert digest_of(turned) == digest_of(seen) == digest_of(take(world))
    digests = {digest_of(seen)}
    world.on(LATER)
    assert digest_of(take(world)) in digests
    changes = [
        lambda: world.change(treatment, Kind.PAUSE, from_day=LATER),
        lambda: world.change(treatment, Kind.RESUME, from_day=LATER + DAY),
        lambda: world.change(treatment, Kind.SWITCH, product="tysabri", from_day=LATER + DAY),
        lambda: world.change(treatment, Kind.TRANSFER, to_provider="DEMO2", from_day=LATER + DAY),
        lambda: exempt(world, "DEMQ1", ["natalizumab"], D(2027, 1, 1)),
        lambda: world.trial(patient=patient(3), answers={}),
    ]
    for number, change in enumerate(changes, 2):
        world.on(LATER + DAY)
        change()
        digests.add(digest_of(take(world)))
        assert len(digests) == number
    exempt(world, "DEMQ1", ["natalizumab"], D(2027, 2, 1))  # says the same again
    assert digest_of(take(world)) in digests


# --- one state ----------------------------------------------------------------------------------


def test_what_is_committed_while_a_snapshot_is_taken_is_wholly_absent_from_it(
    world: World,
) -> None:
    world.trial(patient=patient(1))
    before = digest_of(take(world))
    engine = world.database.engine
    statements: list[str] = []

    def intrude(_c: object, _k: object, statement: str, *_: object) -> None:
        statements.append(statement)
        if sum(s.startswith("SELECT") for s in statements) == 3 and len(intruded) == 0:
            intruded.append(statement)
            with ThreadPoolExecutor(1) as pool:  # another writer, in its own thread
                pool.submit(world.trial, patient=patient(2)).result()

    intruded: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", intrude)
    assert digest_of(take(world)) == before
    sa.event.remove(engine, "before_cursor_execute", intrude)
    assert intruded
    assert len(take(world).coverages) == 2
