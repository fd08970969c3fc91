"""Approvals of an old system come in: previewed, accepted once, unproved, and built upon."""

import csv
import datetime as dt
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals import amending, importing, submitting
from app.approvals.errors import AlreadyApproved, NotFound, TransitionNotAllowed
from app.approvals.import_errors import (
    ImportColumnsAmbiguous,
    ImportColumnsNotKnown,
    ImportNotReadable,
    ImportTooLarge,
)
from app.approvals.import_model import ImportPreview, ImportResult, ImportState, Verdict
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import Basis, FollowUpCommand
from app.approvals.reference import is_reference
from app.approvals.views import treatment_view
from app.auth.errors import NotAllowed
from app.auth.model import Caller, Role
from app.db import tables
from app.policy import Kind
from app.reference_data.drugs import load_drugs
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.reference_data.organisations import load_organisations
from tests.world import (
    ADALIMUMAB_REVIEW,
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    OTHER_COMMISSIONER,
    PHARMACIST,
    World,
    initiation,
    patient,
    person,
)

ROOT = Path(__file__).parents[3]
UNTIDY = (ROOT / "tests/data/blueteq_export.csv").read_bytes()
EXAMPLE = (ROOT / "examples/blueteq_export.csv").read_bytes()
OTHER_PHARMACIST = person(Role.PHARMACIST, "DEMO2")
FORM = "Adalimumab for severe rheumatoid arthritis (TA375)"
ROW = {
    "Blueteq ID": "BLQ-1",
    "NHS No": invented_nhs_number(1),
    "Hospital No": "H000001",
    "DoB": "01/01/1970",
    "Trust code": "DEMO1",
    "Commissioner code": "DEMQ1",
    "Drug": "Adalimumab 40mg",
    "Form name": FORM,
    "Status": "Approved",
    "Date approved": "02/03/2026",
    "Review date": "01/09/2026",
}


def row(sequence: int = 1, **changes: str) -> dict[str, str]:
    own = {
        "Blueteq ID": f"BLQ-{sequence}",
        "NHS No": invented_nhs_number(sequence),
        "Hospital No": f"H{sequence:06d}",
    }
    return {**ROW, **own, **{name.replace("_", " "): value for name, value in changes.items()}}


def export(*rows: dict[str, str], encoding: str = "utf-8") -> bytes:
    names = list(dict.fromkeys(name for one in rows for name in one))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def preview(world: World, data: bytes, caller: Caller = PHARMACIST) -> ImportPreview:
    return world.do(
        lambda w: importing.preview_import(
            w, world.office, load_drugs(), load_organisations(), caller, data, "C:\\x\\export.csv"
        )
    )


def accept(world: World, import_id: str, caller: Caller = PHARMACIST) -> ImportResult:
    return world.do(lambda w: importing.accept_import(w, world.office, caller, import_id))


def bring_in(world: World, data: bytes, caller: Caller = PHARMACIST) -> ImportResult:
    return accept(world, preview(world, data, caller).id, caller)


def only(world: World, data: bytes, caller: Caller = PHARMACIST) -> Any:
    """The verdict on a file's single row, after it was accepted."""
    (verdict,) = bring_in(world, data, caller).rows
    return verdict


def count(world: World, table: sa.Table) -> int:
    return int(
        world.do(
            lambda w: w.connection.execute(sa.select(sa.func.count()).select_from(table))
        ).scalar_one()
    )


def counts(world: World) -> dict[str, int]:
    names = ("patient", "patient_identifier", "treatment", "approval", "segment", "live_treatment")
    return {name: count(world, tables.metadata.tables[name]) for name in names}


# --- the untidy file ------------------------------------------------------------------------------

V = Verdict
UNTIDY_VERDICTS = {
    5: (V.ACCEPTED, ""),
    6: (V.ACCEPTED, ""),
    7: (V.ACCEPTED, ""),
    8: (V.ACCEPTED, ""),
    9: (V.ACCEPTED, ""),
    10: (V.ALREADY, ""),
    11: (V.REJECTED, "Status: this status gives no coverage"),
    12: (V.REJECTED, "Status: this status gives no coverage"),
    13: (V.REJECTED, "Drug: the drug is not known"),
    14: (V.REJECTED, "NHS No: The check digit"),
    15: (V.REJECTED, "Trust code: the row belongs to another organisation"),
    16: (V.REJECTED, "Trust code: it is not the code of a provider"),
    17: (V.REJECTED, "DoB: it is empty"),
    18: (V.REJECTED, "DoB: the year has two figures"),
    19: (V.REJECTED, "Form name: the row does not tell which policy"),
    20: (V.REJECTED, "other rows of the file have the same reference and differ"),
    21: (V.REJECTED, "other rows of the file have the same reference and differ"),
    23: (V.REJECTED, "the patient already has a live approval"),
    24: (V.REJECTED, "Blueteq ID: it holds other characters"),
    25: (V.REJECTED, "Expiry date: neither expiry nor review date"),
    26: (V.REJECTED, "Status: what this status means"),
    27: (V.ACCEPTED, ""),
    28: (V.REJECTED, "the row is no approval"),
    29: (V.REJECTED, "the row is no approval"),
}


def test_every_row_of_an_untidy_export_gets_its_verdict_and_reason(world: World) -> None:
    result = bring_in(world, UNTIDY)
    assert {v.row: v.verdict for v in result.rows} == {
        number: verdict for number, (verdict, _) in UNTIDY_VERDICTS.items()
    }
    for verdict in result.rows:
        assert verdict.reason.startswith(UNTIDY_VERDICTS[verdict.row][1]), verdict
        assert bool(verdict.reason) is (verdict.verdict is Verdict.REJECTED)
    assert result.accepted + result.already + result.rejected == len(result.rows) == 24
    assert counts(world) == {
        "patient": 6,
        "patient_identifier": 6,
        "treatment": 6,
        "approval": 6,
        "segment": 6,
        "live_treatment": 4,
    }


def test_every_fault_of_a_row_is_told_at_once(world: World) -> None:
    verdict = {v.row: v for v in preview(world, UNTIDY).rows}[18]
    assert [fault.column for fault in verdict.faults] == ["DoB", "Date approved"]
    assert "there is no such day" in verdict.reason


def test_a_preview_says_what_accepting_does_and_changes_nothing(world: World) -> None:
    before = counts(world)
    seen = preview(world, UNTIDY)
    assert counts(world) == before
    assert (seen.new, seen.already, seen.rejected) == (6, 1, 17)
    assert all(v.reference is None and v.treatment_id is None for v in seen.rows)
    done = accept(world, seen.id)
    was_new = [v.row for v in seen.rows if v.verdict is Verdict.NEW]
    assert [v.row for v in done.rows if v.verdict is Verdict.ACCEPTED] == was_new


def test_coverage_runs_from_the_approval_to_its_expiry_or_earlier_end(world: World) -> None:
    bring_in(world, UNTIDY)
    segment, approval = tables.segment.c, tables.approval.c
    rows = world.do(
        lambda w: w.connection.execute(
            sa.select(approval.legacy_reference, segment.from_day, segment.to_day, segment.product)
            .join_from(tables.segment, tables.approval)
            .order_by(approval.legacy_reference)
        ).all()
    )
    day = dt.date
    assert [tuple(one) for one in rows] == [
        ("BLQ-100001", day(2026, 3, 2), day(2026, 9, 1), None),
        ("BLQ-100002", day(2026, 1, 14), day(2027, 1, 13), "tysabri"),
        ("BLQ-100003", day(2025, 12, 1), day(2026, 11, 30), "ocaliva"),
        ("BLQ-100004", day(2025, 1, 10), day(2025, 4, 30), "humira"),
        ("BLQ-100005", day(2026, 5, 5), day(2026, 6, 1), "privigen"),
        ("BLQ-100020", day(2026, 2, 1), day(2026, 7, 31), "imraldi"),
    ]


def test_the_example_file_imports(world: World) -> None:
    result = bring_in(world, EXAMPLE)
    assert (result.accepted, result.already, result.rejected) == (5, 0, 3)


# --- what an imported approval is -----------------------------------------------------------------


def test_an_imported_approval_is_unproved_and_invents_nothing(world: World) -> None:
    verdict = only(world, export(row()))
    view = world.do(lambda w: treatment_view(w, CLINICIAN, verdict.treatment_id))
    (approval,) = view.approvals
    assert approval.basis is Basis.IMPORTED
    assert approval.proved is False
    assert approval.state is ApprovalState.LIVE
    assert approval.reference == verdict.reference
    assert is_reference(approval.reference)
    assert approval.legacy_reference == "BLQ-1"
    nothing = (approval.request_id, approval.decision_id, approval.policy_hash, approval.start_by)
    assert nothing == (None, None, None, None)
    assert view.requests == ()
    assert view.treatment.first_dose is None
    assert view.patient.sex == "not known"
    assert count(world, tables.decision) == count(world, tables.request) == 0


def test_an_ended_course_covers_its_days_and_leaves_the_way_free(world: World) -> None:
    ended = row(**{"Status": "Treatment Stopped", "End date": "30/04/2026"})
    verdict = only(world, export(ended))
    view = world.do(lambda w: treatment_view(w, CLINICIAN, verdict.treatment_id))
    assert view.approvals[0].state is ApprovalState.ENDED
    assert view.treatment.stopped_on == dt.date(2026, 4, 30)
    assert view.treatment.stop_reason is None
    started = world.do(
        lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, initiation())
    )
    assert started.request.state is RequestState.APPROVED


def test_earlier_and_running_forms_of_a_patient_make_one_treatment(world: World) -> None:
    earlier = row(**{"Date approved": "01/06/2025", "Review date": "30/11/2025"})
    running = row(**{"Blueteq ID": "BLQ-2"})
    result = bring_in(world, export(running, earlier))
    assert result.accepted == 2
    assert len({v.treatment_id for v in result.rows}) == 1
    assert count(world, tables.live_treatment) == 1
    assert count(world, tables.patient) == 1


def test_the_day_treatment_began_is_kept_and_a_day_asked_for_is_not(world: World) -> None:
    began = row(1, **{"Treatment start date": "09/03/2026"})
    asked = row(2, **{"Start date": "09/03/2026"})
    bring_in(world, export(began, asked))
    first_doses = world.do(
        lambda w: set(w.connection.execute(sa.select(tables.treatment.c.first_dose)).scalars())
    )
    assert first_doses == {dt.date(2026, 3, 9), None}


def test_a_new_approval_of_an_imported_patient_is_refused(world: World) -> None:
    bring_in(world, export(row()))
    with pytest.raises(AlreadyApproved):
        world.do(lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, initiation()))


# --- the first continuation -----------------------------------------------------------------------


def continuation(treatment_id: str, day: dt.date) -> FollowUpCommand:
    return FollowUpCommand(
        treatment_id=treatment_id,
        kind=Kind.CONTINUATION,
        decision_to_treat=day,
        answers=ADALIMUMAB_REVIEW,
    )


def test_the_baseline_is_asked_for_once_at_the_first_continuation(world: World) -> None:
    began = row(**{"Treatment start date": "09/03/2026"})
    treatment_id = only(world, export(began)).treatment_id
    world.on(dt.date(2026, 8, 20))
    first = world.do(
        lambda w: submitting.submit_continuation(
            w, world.office, CLINICIAN, continuation(treatment_id, dt.date(2026, 8, 20))
        )
    )
    assert first.request.state is RequestState.MORE_INFORMATION_NEEDED
    assert first.decision is not None
    assert first.decision.missing == ["das28_at_start"]
    answered = world.do(
        lambda w: amending.amend(
            w,
            world.office,
            CLINICIAN,
            first.request.id,
            {"das28_at_start": "6.0"},
            first.request.version,
        )
    )
    assert answered.request.state is RequestState.APPROVED
    assert answered.approval is not None
    assert answered.approval.covers_from == dt.date(2026, 9, 2)
    assert answered.approval.proved is True

    world.on(dt.date(2027, 2, 10))
    second = world.do(
        lambda w: submitting.submit_continuation(
            w, world.office, CLINICIAN, continuation(treatment_id, dt.date(2027, 2, 10))
        )
    )
    assert second.revision.answers["das28_at_start"]["origin"] == "carried forward"
    assert second.request.state is RequestState.APPROVED


def test_a_first_dose_that_the_export_does_not_give_is_asked_for_too(world: World) -> None:
    treatment_id = only(world, export(row(**{"Start date": "09/03/2026"}))).treatment_id
    view = world.do(
        lambda w: submitting.submit_continuation(
            w, world.office, CLINICIAN, continuation(treatment_id, world.moment.day)
        )
    )
    assert view.decision is not None
    assert set(view.decision.missing) == {"das28_at_start", "first_dose"}


# --- repeating ------------------------------------------------------------------------------------


def test_the_same_file_again_is_the_same_import_and_doubles_nothing(world: World) -> None:
    first = preview(world, UNTIDY)
    assert preview(world, UNTIDY).id == first.id
    done = accept(world, first.id)
    after = counts(world)
    assert accept(world, first.id) == done
    shown = preview(world, UNTIDY)
    assert (shown.id, shown.state) == (first.id, ImportState.ACCEPTED)
    assert shown.rows == done.rows
    assert counts(world) == after
    assert count(world, tables.approval_import) == 1


def test_a_later_export_brings_only_what_is_new(world: World) -> None:
    first = only(world, export(row(1)))
    stopped = row(1, **{"Status": "Treatment Stopped", "End date": "01/06/2026"})
    result = bring_in(world, export(stopped, row(2)))
    assert [v.verdict for v in result.rows] == [Verdict.ALREADY, Verdict.ACCEPTED]
    assert result.rows[0].reference == first.reference
    assert "not taken over" in result.rows[0].notes[0]


def test_a_reference_is_unique_to_its_provider_only(world: World) -> None:
    theirs = row(2, **{"Blueteq ID": "BLQ-1", "Trust code": "DEMO2", "Hospital No": "E1"})
    assert only(world, export(row(1))).verdict is Verdict.ACCEPTED
    assert only(world, export(theirs), OTHER_PHARMACIST).verdict is Verdict.ACCEPTED


def test_what_happens_between_preview_and_acceptance_counts(world: World) -> None:
    seen = preview(world, export(row(1), row(2)))
    assert seen.new == 2
    world.do(lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, initiation()))
    result = accept(world, seen.id)
    assert [v.verdict for v in result.rows] == [Verdict.REJECTED, Verdict.ACCEPTED]
    assert "live approval" in result.rows[0].reason


# --- who may --------------------------------------------------------------------------------------


def test_a_commissioner_imports_the_rows_that_it_pays_for_of_any_provider(world: World) -> None:
    rows = (row(1), row(2, **{"Trust code": "DEMO2"}), row(3, **{"Commissioner code": "DEMQ2"}))
    result = bring_in(world, export(*rows), COMMISSIONER)
    assert [v.verdict for v in result.rows] == [V.ACCEPTED, V.ACCEPTED, V.REJECTED]
    assert result.rows[2].reason.startswith("Commissioner code: the row belongs to another")
    seen = world.do(lambda w: treatment_view(w, OTHER_CLINICIAN, result.rows[1].treatment_id))
    assert seen.patient.registered_by == "DEMO2"
    with pytest.raises(NotFound):
        world.do(lambda w: treatment_view(w, OTHER_CLINICIAN, result.rows[0].treatment_id))
    recorded = world.do(
        lambda w: set(
            w.connection.execute(sa.select(tables.audit_event.c.organisation).distinct()).scalars()
        )
    )
    assert recorded == {"DEMQ1"}


@pytest.mark.parametrize("caller", [OTHER_PHARMACIST, OTHER_COMMISSIONER])
def test_an_import_of_another_organisation_is_not_found(world: World, caller: Caller) -> None:
    seen = preview(world, export(row()))
    for step in (
        lambda w: importing.find_import(w, caller, seen.id),
        lambda w: importing.accept_import(w, world.office, caller, seen.id),
        lambda w: importing.discard_import(w, caller, seen.id),
    ):
        with pytest.raises(NotFound):
            world.do(step)


def test_a_clinician_may_not_import(world: World) -> None:
    with pytest.raises(NotAllowed):
        preview(world, export(row()), CLINICIAN)


# --- what is kept ---------------------------------------------------------------------------------


def kept(world: World) -> str:
    rows = world.do(
        lambda w: w.connection.execute(sa.select(tables.approval_import.c.rows)).scalars().all()
    )
    return str(rows)


def test_patient_data_is_kept_for_new_rows_until_they_are_accepted_and_no_longer(
    world: World,
) -> None:
    rejected = row(2, Status="Pending")
    seen = preview(world, export(row(1), rejected))
    assert invented_nhs_number(1) in kept(world)
    assert invented_nhs_number(2) not in kept(world)
    accept(world, seen.id)
    for secret in (invented_nhs_number(1), "H000001", "1970"):
        assert secret not in kept(world)


def test_a_discarded_preview_forgets_its_patients_and_can_be_made_again(world: World) -> None:
    data = export(row())
    seen = preview(world, data)
    gone = world.do(lambda w: importing.discard_import(w, PHARMACIST, seen.id))
    assert gone.state is ImportState.DISCARDED
    assert invented_nhs_number(1) not in kept(world)
    with pytest.raises(TransitionNotAllowed):
        accept(world, seen.id)
    assert only(world, data).verdict is Verdict.ACCEPTED
    with pytest.raises(TransitionNotAllowed):
        world.do(lambda w: importing.discard_import(w, PHARMACIST, seen.id))


def test_no_verdict_repeats_a_cell_that_may_be_a_patients(world: World) -> None:
    told = str([(v.reason, v.notes) for v in preview(world, UNTIDY).rows])
    cells = {
        cell
        for cells in csv.reader(io.StringIO(UNTIDY.decode("cp1252")))
        for cell in cells[1:5]
        if len(cell) > 5
    }
    header = {"NHS No ", "Hospital No", "Initials"}
    assert not [cell for cell in cells - header if cell in told]


def test_the_file_name_is_kept_without_its_folder(world: World) -> None:
    assert preview(world, export(row())).file_name == "export.csv"


# --- rows that contradict -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"DoB": "02/01/1970"}, "contradicts the patient's record"),
        ({"NHS No": invented_nhs_number(9)}, "contradicts the patient's record"),
    ],
)
def test_a_row_that_contradicts_the_patients_record_is_rejected(
    world: World, changes: dict[str, str], reason: str
) -> None:
    world.do(lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, initiation()))
    verdict = only(world, export(row(1, **changes)))
    assert verdict.verdict is Verdict.REJECTED
    assert reason in verdict.reason


def test_a_live_approval_at_another_provider_stops_the_row(world: World) -> None:
    theirs = initiation(patient=patient(local_id="E77"))
    world.do(lambda w: submitting.submit_initiation(w, world.office, OTHER_CLINICIAN, theirs))
    verdict = only(world, export(row()))
    assert verdict.verdict is Verdict.REJECTED
    assert "live approval" in verdict.reason
    assert "DEMO2" not in verdict.reason


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_every_usual_encoding_is_read(world: World, encoding: str) -> None:
    data = export(row(**{"Drug": "Adalimumab – 40mg"}), encoding=encoding)
    assert preview(world, data).new == 1


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"PK\x03\x04rest", ImportNotReadable, "spreadsheet"),
        (b"", ImportNotReadable, "empty"),
        (b" \r\n ", ImportNotReadable, "empty"),
        (b"a,b\r\n1,2\r\n", ImportColumnsNotKnown, "Blueteq ID"),
        (export({k: v for k, v in ROW.items() if k != "DoB"}), ImportColumnsNotKnown, "DoB"),
        (export({**ROW, "Form ID": "F1"}), ImportColumnsAmbiguous, "Blueteq ID"),
        (export(ROW) + b'"open\r\n' + export(ROW), ImportNotReadable, "does not end"),
    ],
)
def test_a_file_that_is_no_such_export_is_refused_with_the_reason(
    world: World, data: bytes, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as refused:
        preview(world, data)
    assert invented_nhs_number(1) not in str(refused.value)
    assert count(world, tables.approval_import) == 0


def test_a_file_of_too_many_rows_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MAX_ROWS", 1)
    with pytest.raises(ImportTooLarge, match="in parts"):
        preview(world, export(row(1), row(2)))


# --- at the same time -----------------------------------------------------------------------------


def test_two_files_with_the_same_approvals_accepted_at_once_bring_each_once(world: World) -> None:
    rows = [row(n) for n in range(1, 9)]
    first = preview(world, export(*rows))
    second = preview(world, export(*reversed(rows)), COMMISSIONER)
    with ThreadPoolExecutor(2) as pool:
        results = [
            pool.submit(accept, world, seen.id, caller)
            for seen, caller in ((first, PHARMACIST), (second, COMMISSIONER))
        ]
    done = [result.result() for result in results]
    assert sum(result.accepted for result in done) == 8
    assert sum(result.already for result in done) == 8
    assert count(world, tables.approval) == count(world, tables.patient) == 8
