"""From a form to an approval, in one transaction, on both databases."""

import datetime as dt

import pytest

from app.approvals import amending, submitting
from app.approvals.details import details_from_json
from app.approvals.errors import (
    AlreadyApproved,
    DetailsNotAccepted,
    NotFound,
    PatientContradiction,
)
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import EmergencyStart, FollowUpCommand, RequestDetails
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
        lambda w: amending.amend(
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


def test_an_urgent_start_is_on_record_and_covered_within_the_policys_days(wide: World) -> None:
    night = dt.datetime(2026, 6, 10, 2, 30, tzinfo=dt.UTC)
    urgent = EmergencyStart("registrar on call", "the panel's emergency line", night)
    details = RequestDetails(registry_id="IGD-77", emergency=urgent)
    first = dt.date(2026, 6, 10)
    with pytest.raises(DetailsNotAccepted, match="one of the policy's reasons"):
        wide.trial(details=details, first_dose=first)
    view = wide.trial(details=details, first_dose=first, retrospective_reason="urgent")
    assert view.approval.covers_from == first
    assert view.approval.late
    assert details_from_json(view.request.details).emergency == urgent
    assert view.request.details["registry_id"] == "IGD-77"


def test_an_urgent_start_that_comes_after_the_policys_days_is_not_covered_back(wide: World) -> None:
    night = dt.datetime(2026, 5, 31, 2, 30, tzinfo=dt.UTC)
    details = RequestDetails(emergency=EmergencyStart("registrar on call", "the office", night))
    first = dt.date(2026, 5, 31)  # 15 days before the form; the policy covers 14
    with pytest.raises(DetailsNotAccepted, match="at most 14"):
        wide.trial(
            details=details,
            first_dose=first,
            decision_to_treat=first,
            retrospective_reason="urgent",
        )


@pytest.mark.parametrize("registry_id", ["", " 1", "a" * 41, "1;2", "é"])
def test_a_registry_id_that_no_registry_shows_is_refused(wide: World, registry_id: str) -> None:
    with pytest.raises(DetailsNotAccepted, match="registry's own number"):
        wide.trial(details=RequestDetails(registry_id=registry_id))
