"""The end of retention: a record of long ago is emptied, whole; what is live stays."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals import drafting, objecting, patients, replaying
from app.approvals.attaching import attach
from app.approvals.erasing import ERASED
from app.approvals.errors import RecordEnded
from app.approvals.model import RECORD_ENDED, RequestDetails, StopReason
from app.approvals.retention import (
    NO_BIRTH_DATE,
    Due,
    due,
    end_person,
    is_over,
    years_before,
)
from app.audit import Actor, Keyring, verify_rows
from app.db import tables
from app.db.work import Work
from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.conftest import AUDIT_KEY
from tests.world import CLINICIAN, TRIAL_ANSWERS, World, patient

WORKER = Actor("worker", "system", "SERVICE", "worker", "retention", "tests")
YEARS = 8
STOPPED = dt.date(2026, 8, 1)
LONG_AFTER = dt.date(2036, 3, 1)
NUMBER = invented_nhs_number(77)
NIL, ONE = Decimal(0), Decimal(1)


@pytest.fixture
def world(wide: World) -> World:
    """With the invented policy."""
    return wide


def stopped(world: World, sequence: int = 1, **changes: Any) -> str:
    """A treatment that was approved on the world's day and stopped on STOPPED."""
    begun = world.moment.day
    made = world.trial(patient=patient(sequence, **changes))
    treatment: str = made.request.treatment_id
    world.on(STOPPED)
    world.change(treatment, Kind.STOP, from_day=STOPPED, stop_reason=StopReason.REMISSION)
    world.on(begun)
    return treatment


def found(world: World) -> tuple[Due, ...]:
    return world.do(lambda work: tuple(due(work, YEARS)))


def end(world: World) -> tuple[Due, ...]:
    def every(work: Work) -> tuple[Due, ...]:
        found = tuple(due(work, YEARS))
        for each in found:
            end_person(work, WORKER, each, YEARS)
        return found

    return world.do(every)


def rows(world: World, table: sa.Table) -> list[Any]:
    return world.do(lambda work: list(work.connection.execute(sa.select(table)).mappings()))


def voted(world: World, request: str) -> None:
    """A member's vote on a request, with words about a patient."""
    row = {
        "id": "00000000-0000-4000-8000-0000000000aa", "request_id": request, "number": 1,
        "revision": 1, "organisation": "DEMP1", "outcome": "declined", "waived": [],
        "reason": "Ann is not in need of it.", "voted_at": world.moment.instant,
        "voted_by": "00000000-0000-4000-8000-0000000000bb",
    }  # fmt: skip
    world.do(lambda w: w.connection.execute(sa.insert(tables.panel_vote).values(**row)))


def test_a_record_is_due_once_the_period_after_its_last_day_is_over(world: World) -> None:
    treatment = stopped(world)
    for day, count in ((dt.date(2034, 8, 1), 0), (dt.date(2034, 8, 2), 1), (LONG_AFTER, 1)):
        world.on(day)
        assert len(found(world)) == count, day
    (one,) = found(world)
    assert (one.treatments, one.requests) == ((treatment,), 2)


def test_answers_findings_and_words_go_and_the_evidence_of_payment_stays(world: World) -> None:
    treatment = stopped(world)
    asked = rows(world, tables.request)[0]["id"]
    scan = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\nstartxref\n9\n%%EOF\n"
    world.do(lambda w: attach(w, CLINICIAN, asked, "Scan of Ann", scan, shared=False))
    voted(world, asked)
    world.on(LONG_AFTER)
    kept = {t: rows(world, t) for t in (tables.approval, tables.segment, tables.treatment)}
    assert rows(world, tables.patient_identifier) != []

    assert [each.treatments for each in end(world)] == [(treatment,)]

    assert all(row["answers"] == {} for row in rows(world, tables.request_revision))
    decisions = rows(world, tables.decision)
    assert all(row["findings"] == row["reasons"] == [] for row in decisions)
    assert {row["outcome"] for row in decisions if row["made_by"] == "policy"} >= {"approved"}
    assert {row["reason"] for row in decisions} <= {None, ERASED}
    assert [row["reason"] for row in rows(world, tables.panel_vote)] == [ERASED]
    (attached,) = rows(world, tables.request_attachment)
    assert (attached["content"], attached["title"]) == (None, ERASED)
    payloads = rows(world, tables.audit_payload)
    assert not any(TRIAL_ANSWERS["score"] in (row["body"] or "") for row in payloads)
    assert {t: rows(world, t) for t in kept} == kept
    (nobody,) = rows(world, tables.patient)
    assert (nobody["nhs_number"], nobody["no_nhs_number_reason"]) == (None, RECORD_ENDED)
    assert (nobody["birth_date"], nobody["sex"]) == (NO_BIRTH_DATE, "not known")
    assert rows(world, tables.patient_identifier) == rows(world, tables.patient_death) == []
    contexts = [row["context"] for row in rows(world, tables.request_revision)]
    assert {(each["birth_date"], each["sex"]) for each in contexts} == {(None, "not known")}
    assert world.do(lambda work: is_over(work, treatment))
    keys = Keyring.of(AUDIT_KEY)
    assert world.do(lambda work: list(verify_rows(work, keys))) == []
    told = [row for row in rows(world, tables.audit_event) if row["action"] == "retention ended"]
    assert [row["treatment_id"] for row in told] == [treatment]
    # It is read as before, without the answers, and is not replayed; and goes once.
    request = rows(world, tables.request)[0]["id"]
    assert world.request(request).revision.answers == {}
    replayed = world.do(lambda work: replaying.replay_everything(work, world.office.library))
    assert replayed == (0, [])
    assert end(world) == found(world) == ()


def test_words_and_numbers_of_other_registers_go_from_what_was_asked(world: World) -> None:
    told = RequestDetails(note="Zebedee rang.", registry_id="REG-77")
    world.trial(details=told)
    world.do(
        lambda work: work.connection.execute(
            sa.update(tables.approval).values(
                terms={"case_reference": "IFR-7", "terms": "For Zebedee.", "quantity_cap": "3"}
            )
        )
    )
    world.on(LONG_AFTER)

    assert len(end(world)) == 1

    (asked,) = rows(world, tables.request)
    assert (asked["details"].get("registry_id"), asked["details"]["note"]) == (None, ERASED)
    (approval,) = rows(world, tables.approval)
    assert approval["terms"] == {"case_reference": None, "terms": ERASED, "quantity_cap": "3"}


def test_every_record_of_the_person_goes_and_a_release_befores_end_is_made_whole(
    world: World,
) -> None:
    """The release before erased the answers and kept who it was."""
    treatment = stopped(world)
    world.on(LONG_AFTER)
    before = dict(treatment_id=treatment, ended_at=world.moment.instant, kept_years=9, requests=2)
    world.do(lambda work: work.connection.execute(sa.insert(tables.retention_end).values(**before)))

    assert [each.treatments for each in end(world)] == [(treatment,)]

    assert rows(world, tables.patient)[0]["nhs_number"] is None
    assert [row["kept_years"] for row in rows(world, tables.retention_end)] == [9]


def test_nothing_more_is_recorded_of_a_person_whom_nobody_knows_and_a_new_treatment_begins_anew(
    world: World,
) -> None:
    treatment = stopped(world)
    asked = rows(world, tables.request)[0]["id"]
    world.on(LONG_AFTER)
    end(world)
    scan = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\nstartxref\n9\n%%EOF\n"
    (nobody,) = rows(world, tables.patient)
    for act in (
        lambda w: attach(w, CLINICIAN, asked, "Scan of Ann", scan, shared=False),
        lambda w: patients.record_nhs_number(w, CLINICIAN, nobody["id"], NUMBER, "Found."),
        lambda w: drafting.prepare(
            w, CLINICIAN, kind=Kind.CONTINUATION, policy=None, treatment_id=treatment,
            form={}, answers={},
        ),
    ):  # fmt: skip
        with pytest.raises(RecordEnded):
            world.do(act)
    with pytest.raises(RecordEnded):
        world.change(treatment, Kind.STOP, from_day=STOPPED, stop_reason=StopReason.REMISSION)

    anew = world.submit(decision_to_treat=world.moment.day)

    assert anew.request.treatment_id != treatment
    assert [row["id"] for row in rows(world, tables.patient) if row["nhs_number"]] != [nobody["id"]]


def running(world: World) -> None:
    """Another treatment of the same person still runs."""
    stopped(world)
    world.on(dt.date(2035, 1, 1))
    world.submit(decision_to_treat=world.moment.day)


def of_a_child(world: World) -> None:
    stopped(world, birth_date=dt.date(2015, 1, 1))


def not_stopped(world: World) -> None:
    """Without an end: its coverage was made open."""
    world.trial()
    world.do(lambda work: work.connection.execute(sa.update(tables.segment).values(to_day=None)))


def challenged(world: World) -> None:
    """A line that was matched with its approval is challenged, and nobody has decided that."""
    stopped(world)

    def add(work: Any) -> None:
        at = work.moment.instant
        reference = work.connection.scalar(sa.select(tables.approval.c.reference))
        run = dict.fromkeys(
            ("engine", "rules_version", "reference_version", "snapshot_digest"), "x"
        )
        values: dict[sa.Table, dict[str, Any]] = {
            tables.submission: {
                "id": "s", "organisation": "DEMQ1", "sha256": "x", "file_name": "x", "size": 1,
                "layout": "x", "lines": 1, "skipped": 0, "total": ONE, "received_at": at,
                "received_by": "x",
            },
            tables.reconciliation_run: run | {
                "id": "r", "submission_id": "s", "organisation": "DEMQ1", "as_at": STOPPED,
                "lines": 1, "total": ONE, "accepted": NIL, "queried": ONE, "summary": {},
                "outcomes_file": "x", "outcomes_sha256": "x", "created_at": at, "created_by": "x",
            },
            tables.challenge: {
                "id": "c", "commissioner": "DEMQ1", "provider": "DEMO1", "run_id": "r",
                "outcome": "over price", "state": "raised", "lines": 1, "queried": ONE,
                "drafted_at": at, "drafted_by": "x", "version": 1,
            },
            tables.challenge_line: {
                "challenge_id": "c", "row": 1, "commissioner": "DEMQ1", "line_key": "x",
                "queried": ONE, "reason": "x", "told": "x", "remedy": "x", "reference": reference,
            },
        }  # fmt: skip
        for table, row in values.items():
            work.connection.execute(sa.insert(table).values(**row))

    world.do(add)


def in_a_draft(world: World) -> None:
    """They are back: a form that names them is being filled."""
    stopped(world)
    world.on(dt.date(2036, 2, 1))
    form = {"patient": {"nhs_number": patient(1).nhs_number}}
    world.do(
        lambda work: drafting.prepare(
            work, CLINICIAN, kind=Kind.INITIATION, policy=None, treatment_id=None,
            form=form, answers={},
        )
    )  # fmt: skip


def objecting_lately(world: World) -> None:
    treatment = stopped(world)
    world.on(dt.date(2036, 2, 1))
    whose = world.treatment(treatment).patient.id
    world.do(lambda work: objecting.record_objection(work, CLINICIAN, whose, "Her words."))


@pytest.mark.parametrize(
    "case", [running, of_a_child, not_stopped, challenged, in_a_draft, objecting_lately]
)
def test_what_is_live_or_challenged_or_a_childs_is_never_touched(
    world: World, case: Callable[[World], None]
) -> None:
    case(world)
    world.on(LONG_AFTER)
    before = rows(world, tables.request_revision)
    assert end(world) == ()
    assert rows(world, tables.request_revision) == before != []


def paused(world: World) -> str:
    """A treatment that is covered for a time, paused without an end, and never resumed."""
    made = world.trial()
    treatment: str = made.request.treatment_id
    world.on(dt.date(2026, 7, 1))
    world.change(treatment, Kind.PAUSE, from_day=dt.date(2026, 7, 1))
    assert {
        (row["kind"], row["to_day"] is None)
        for row in rows(world, tables.segment)
        if row["superseded_at"] is None
    } == {("coverage", False), ("pause", True)}
    return treatment


@pytest.mark.parametrize("then_stopped", [False, True])
def test_a_pause_that_nobody_ended_covers_nothing_and_keeps_nothing(
    world: World, then_stopped: bool
) -> None:
    treatment = paused(world)
    if then_stopped:
        world.on(STOPPED)
        world.change(treatment, Kind.STOP, from_day=STOPPED, stop_reason=StopReason.REMISSION)
    (last,) = [
        row["to_day"]
        for row in rows(world, tables.segment)
        if row["kind"] == "coverage" and row["superseded_at"] is None
    ]
    for day, count in ((years_after(last, YEARS), 0), (LONG_AFTER, 1)):
        world.on(day)
        assert len(found(world)) == count, day
    assert [each.treatments for each in end(world)] == [(treatment,)]
    assert [row["nhs_number"] for row in rows(world, tables.patient)] == [None]


def test_a_pause_under_coverage_without_a_last_day_keeps_the_record(world: World) -> None:
    paused(world)
    covers = sa.update(tables.segment).where(tables.segment.c.kind == "coverage")
    world.do(lambda work: work.connection.execute(covers.values(to_day=None)))
    world.on(dt.date(2090, 1, 1))
    assert end(world) == ()


def years_after(day: dt.date, years: int) -> dt.date:
    return day.replace(year=day.year + years)


def test_a_challenge_that_was_decided_long_ago_holds_nothing(world: World) -> None:
    challenged(world)
    world.on(LONG_AFTER)
    assert found(world) == ()
    for day, count in ((dt.date(2030, 1, 1), 0), (dt.date(2027, 1, 1), 1)):
        at = dt.datetime.combine(day, dt.time(12), dt.UTC)
        decided = sa.update(tables.challenge).values(decided_at=at)
        world.do(lambda work, stated=decided: work.connection.execute(stated))
        assert len(found(world)) == count


def test_another_persons_record_is_left_alone(world: World) -> None:
    first = stopped(world)
    world.on(dt.date(2035, 1, 1))
    other = world.submit(patient=patient(2), decision_to_treat=world.moment.day)
    world.on(LONG_AFTER)
    assert [each.treatments for each in end(world)] == [(first,)]
    assert world.request(other.request.id).revision.answers != {}


def test_a_period_of_years_ends_on_a_day_that_there_is() -> None:
    assert years_before(dt.date(2036, 2, 29), 8) == dt.date(2028, 2, 29)
    assert years_before(dt.date(2036, 2, 29), 9) == dt.date(2027, 3, 1)
