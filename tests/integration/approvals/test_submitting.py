"""From a form to an approval, in one transaction, on both databases."""

import datetime as dt

import pytest

from app.approvals import submitting
from app.approvals.errors import AlreadyApproved, NotFound, PatientContradiction
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import FollowUpCommand
from app.approvals.reference import is_reference
from app.approvals.replaying import check_replays
from app.approvals.views import request_view, treatment_view
from app.policy import Kind
from tests.world import (
    ADALIMUMAB,
    ADALIMUMAB_REVIEW,
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    World,
    initiation,
    patient,
)


def test_a_form_that_meets_every_criterion_is_approved_with_a_reference(world: World) -> None:
    view = world.do(
        lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, initiation())
    )
    assert view.request.state is RequestState.APPROVED
    assert view.approval is not None
    assert is_reference(view.approval.reference)
    assert view.approval.state is ApprovalState.LIVE
    assert view.approval.covers_from == world.moment.day
    assert view.approval.covers_to == dt.date(2026, 12, 14)
    assert {f["result"] for f in view.decision.findings} >= {"met"}
    assert (
        world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, view.request.id)) == 1
    )


def test_a_missing_answer_is_asked_for_and_the_amended_form_is_approved(world: World) -> None:
    answers = {k: v for k, v in ADALIMUMAB.items() if k != "das28_at_start"}
    view = world.do(
        lambda w: submitting.submit_initiation(
            w, world.office, CLINICIAN, initiation(answers=answers)
        )
    )
    assert view.request.state is RequestState.MORE_INFORMATION_NEEDED
    assert view.decision.missing == ["das28_at_start"]
    assert view.approval is None
    amended = world.do(
        lambda w: submitting.amend(
            w, world.office, CLINICIAN, view.request.id, {"das28_at_start": "5.2"}, 2
        )
    )
    assert amended.request.state is RequestState.APPROVED
    assert amended.approval is not None
    assert (
        world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, view.request.id)) == 2
    )


def test_a_failed_criterion_gives_no_approval(world: World) -> None:
    answers = {**ADALIMUMAB, "das28_at_start": "5.1"}
    view = world.do(
        lambda w: submitting.submit_initiation(
            w, world.office, CLINICIAN, initiation(answers=answers)
        )
    )
    assert view.request.state is RequestState.CRITERIA_NOT_MET
    assert view.approval is None


def test_a_second_approval_for_one_patient_and_drug_is_refused(world: World) -> None:
    world.do(lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, initiation()))
    for caller in (CLINICIAN, OTHER_CLINICIAN):
        command = initiation(patient=patient(local_id=None))
        with pytest.raises(AlreadyApproved):
            world.do(
                lambda w, c=caller, m=command: submitting.submit_initiation(w, world.office, c, m)
            )


def test_a_birth_date_that_contradicts_the_record_stops_the_submission(world: World) -> None:
    world.do(lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, initiation()))
    other = initiation(
        policy="natalizumab-rrms-res", patient=patient(birth_date=dt.date(1971, 1, 1)), answers={}
    )
    with pytest.raises(PatientContradiction, match="Which is right"):
        world.do(lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, other))


def test_a_continuation_carries_the_baseline_forward(world: World) -> None:
    first = world.do(
        lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, initiation())
    )
    world.on(dt.date(2026, 12, 1))
    command = FollowUpCommand(
        treatment_id=first.request.treatment_id,
        kind=Kind.CONTINUATION,
        decision_to_treat=dt.date(2026, 12, 1),
        answers=ADALIMUMAB_REVIEW,
    )
    view = world.do(lambda w: submitting.submit_continuation(w, world.office, CLINICIAN, command))
    assert view.revision.answers["das28_at_start"]["origin"] == "carried forward"
    assert view.request.state is RequestState.APPROVED, view.decision
    assert view.approval is not None
    assert view.approval.covers_from == dt.date(2026, 12, 15)
    treatment = world.do(lambda w: treatment_view(w, CLINICIAN, first.request.treatment_id))
    assert [s.from_day for s in treatment.segments] == [dt.date(2026, 6, 15), dt.date(2026, 12, 15)]


def test_another_organisation_finds_nothing(world: World) -> None:
    view = world.do(
        lambda w: submitting.submit_initiation(w, world.office, CLINICIAN, initiation())
    )
    with pytest.raises(NotFound):
        world.do(lambda w: request_view(w, OTHER_CLINICIAN, view.request.id))
    seen = world.do(lambda w: request_view(w, COMMISSIONER, view.request.id))
    assert seen.request.id == view.request.id
