"""Who the patient is: identities, contradictions, links; and the first dose."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from app.approvals import patients, starting
from app.approvals.errors import (
    AlreadyApproved,
    AlreadyLinked,
    DetailsNotAccepted,
    NotFound,
    PatientContradiction,
    RequestAlreadyOpen,
    TransitionNotAllowed,
)
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import NoNumberReason, PatientDetails, StopReason, TreatmentView
from app.audit import trail
from app.auth.errors import NotAllowed
from app.db.tables import treatment
from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.world import CLINICIAN, DELEGATE, OTHER_CLINICIAN, TRIAL_ANSWERS, World, patient

D = dt.date


def unnumbered(reason: NoNumberReason = NoNumberReason.NEWBORN, **changes: Any) -> PatientDetails:
    return patient(nhs_number=None, no_nhs_number_reason=reason, **changes)


def patient_of(world: World, treatment_id: str, caller: Any = CLINICIAN) -> str:
    return world.treatment(treatment_id, caller).treatment.patient_id


# --- who it is ------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", NoNumberReason)
def test_a_patient_without_a_number_is_known_by_the_hospitals_own(
    wide: World, reason: NoNumberReason
) -> None:
    details = unnumbered(reason)
    view = wide.trial(patient=details)
    assert view.request.state is RequestState.APPROVED
    person = wide.treatment(view.request.treatment_id).patient
    assert (person.nhs_number, person.no_nhs_number_reason) == (None, reason)
    with pytest.raises(AlreadyApproved):
        wide.trial(patient=details)
    # the same hospital number elsewhere is another patient
    assert wide.trial(OTHER_CLINICIAN, patient=details).request.state is RequestState.APPROVED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"nhs_number": None}, "patient.nhs_number"),
        ({"nhs_number": "9990000000"}, "patient.nhs_number"),
        ({"no_nhs_number_reason": NoNumberReason.WITHHELD}, "patient.no_nhs_number_reason"),
        (
            {
                "nhs_number": None,
                "no_nhs_number_reason": NoNumberReason.NEWBORN,
                "local_id": None,
            },
            "patient.local_id",
        ),
        ({"birth_date": D(2026, 6, 16)}, "patient.birth_date"),
        ({"birth_date": D(1899, 12, 31)}, "patient.birth_date"),
        ({"sex": "other"}, "patient.sex"),
        ({"local_id": "H" * 21}, "patient.local_id"),
        ({"local_id": ""}, "patient.local_id"),
        ({"gp_practice": "A8100"}, "patient.gp_practice"),
        ({"gp_practice": "A81001X"}, "patient.gp_practice"),
    ],
)
def test_details_that_cannot_be_are_refused_without_repeating_them(
    wide: World, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(DetailsNotAccepted) as refusal:
        wide.trial(patient=patient(**changes))
    assert refusal.value.field == field
    for value in changes.values():
        assert not value or str(value) not in str(refusal.value) or value in NoNumberReason


def test_the_practice_and_hospital_number_of_the_form_stay_with_it(wide: World) -> None:
    view = wide.trial(patient=patient(local_id=None, gp_practice="DEMG01"))
    assert view.request.details["gp_practice"] == "DEMG01"
    assert "local_id" not in view.request.details


@pytest.mark.parametrize("nhs_number", [True, False])
def test_a_birth_date_that_contradicts_the_record_stops_with_a_question(
    wide: World, nhs_number: bool
) -> None:
    known = patient() if nhs_number else unnumbered()
    wide.trial(patient=known)
    wrong = replace(known, birth_date=D(1970, 1, 2))
    with pytest.raises(PatientContradiction, match="Which is right") as refusal:
        wide.submit(patient=wrong)
    assert "1970" not in str(refusal.value)
    with pytest.raises(PatientContradiction):
        wide.carry_on(
            _only_treatment(wide),
            birth_date=D(1970, 1, 2),
        )


def _only_treatment(world: World) -> str:
    return world.do(lambda w: w.connection.execute(select(treatment.c.id)).scalar_one())


def test_a_hospital_number_of_somebody_else_stops_with_a_question(wide: World) -> None:
    wide.trial(patient=patient(1))
    with pytest.raises(PatientContradiction, match="hospital number"):
        wide.trial(patient=patient(2, local_id="H000001"))


def test_the_sex_of_the_form_is_decided_on_where_the_record_has_none(wide: World) -> None:
    wide.trial(patient=patient(sex="not known"))
    view = wide.submit(patient=patient(sex="female"))
    assert view.revision.context["sex"] == "female"


# --- linking --------------------------------------------------------------------------------


def two_records(world: World) -> tuple[str, str]:
    """One patient, first known by hospital number only, then by NHS number."""
    first = world.submit(patient=unnumbered(local_id="OLD1"))
    second = world.trial(patient=patient(local_id="NEW1"))
    return (
        patient_of(world, first.request.treatment_id),
        patient_of(world, second.request.treatment_id),
    )


def test_two_records_are_linked_and_unlinked_on_record(wide: World) -> None:
    one, two = two_records(wide)
    linked = wide.do(lambda w: patients.link(w, CLINICIAN, one, two, "same person"))
    assert linked.linked_to == two
    # both treatments now count for the one person
    with pytest.raises(AlreadyApproved):
        wide.submit(patient=patient(local_id="NEW1"))
    with pytest.raises(AlreadyApproved):
        wide.trial(patient=unnumbered(local_id="OLD1"))
    unlinked = wide.do(lambda w: patients.unlink(w, CLINICIAN, one, "two people after all"))
    assert unlinked.linked_to is None
    assert wide.submit(patient=patient(local_id="NEW1")).request.state is RequestState.APPROVED
    with pytest.raises(AlreadyApproved):
        wide.submit(patient=unnumbered(local_id="OLD1"))
    actions = [e.action for e in wide.do(lambda w: trail(w, "patient", one))]
    assert actions == ["patient added", "patient linked", "patient unlinked"]
    with pytest.raises(AlreadyLinked):
        wide.do(lambda w: patients.unlink(w, CLINICIAN, one, "again"))


def test_records_that_both_have_a_live_approval_are_not_linked(wide: World) -> None:
    first = wide.trial(patient=unnumbered(local_id="OLD1"))
    second = wide.trial(patient=patient(local_id="NEW1"))
    one = patient_of(wide, first.request.treatment_id)
    two = patient_of(wide, second.request.treatment_id)
    with pytest.raises(AlreadyLinked, match="Both records have a live approval"):
        wide.do(lambda w: patients.link(w, CLINICIAN, one, two, "same"))
    wide.change(
        first.request.treatment_id,
        Kind.STOP,
        from_day=D(2026, 6, 15),
        stop_reason=StopReason.OTHER,
    )
    wide.do(lambda w: patients.link(w, CLINICIAN, one, two, "same"))
    wide.on(D(2026, 7, 1))
    with pytest.raises(AlreadyApproved):
        wide.trial(patient=unnumbered(local_id="OLD1"))


def test_a_lapsed_approval_does_not_stand_in_the_way_of_a_link(wide: World) -> None:
    first = wide.trial(patient=unnumbered(local_id="OLD1"))
    wide.on(D(2028, 1, 1))
    second = wide.trial(patient=patient(local_id="NEW1"))
    one = patient_of(wide, first.request.treatment_id)
    two = patient_of(wide, second.request.treatment_id)
    wide.do(lambda w: patients.link(w, CLINICIAN, one, two, "same"))
    with pytest.raises(AlreadyApproved):
        wide.carry_on(first.request.treatment_id)


@pytest.mark.parametrize("fault", ["itself", "numbered first", "chain", "birth date"])
def test_what_cannot_be_one_person_is_not_linked(wide: World, fault: str) -> None:
    one, two = two_records(wide)
    a, b = one, two
    if fault == "itself":
        b = one
    elif fault == "numbered first":
        a, b = two, one
    elif fault == "chain":
        wide.do(lambda w: patients.link(w, CLINICIAN, one, two, "same"))
    else:
        other = wide.trial(patient=unnumbered(local_id="OLD2", birth_date=D(1980, 1, 1)))
        a = patient_of(wide, other.request.treatment_id)
    with pytest.raises(AlreadyLinked):
        wide.do(lambda w: patients.link(w, CLINICIAN, a, b, "same"))


def test_another_hospital_or_a_delegate_cannot_link(wide: World) -> None:
    one, two = two_records(wide)
    with pytest.raises(NotFound):
        wide.do(lambda w: patients.link(w, OTHER_CLINICIAN, one, two, "same"))
    with pytest.raises(NotAllowed):
        wide.do(lambda w: patients.link(w, DELEGATE, one, two, "same"))


def test_a_newborn_who_gets_a_number_stays_one_patient(wide: World) -> None:
    view = wide.trial(patient=unnumbered(local_id="OLD1"))
    numbered = patient(local_id="OLD1")
    with pytest.raises(PatientContradiction, match="record it on the patient's record first"):
        wide.trial(patient=numbered)
    one = patient_of(wide, view.request.treatment_id)
    linked = wide.do(
        lambda w: patients.record_nhs_number(
            w, CLINICIAN, one, invented_nhs_number(1), "registered"
        )
    )
    assert linked.linked_to is not None
    with pytest.raises(AlreadyApproved):
        wide.trial(patient=numbered)
    wide.on(D(2027, 6, 1))
    again = wide.carry_on(view.request.treatment_id)
    assert again.request.state is RequestState.APPROVED
    with pytest.raises(DetailsNotAccepted):
        wide.do(lambda w: patients.record_nhs_number(w, CLINICIAN, one, "123", "slip"))


# --- first dose -----------------------------------------------------------------------------


def not_started(world: World, treatment_id: str) -> TreatmentView:
    version = world.treatment(treatment_id).treatment.version
    return world.do(
        lambda w: starting.record_not_started(w, DELEGATE, treatment_id, "changed mind", version)
    )


def test_the_first_dose_moves_the_clock(wide: World) -> None:
    view = wide.trial()
    wide.on(D(2026, 8, 1))
    started = wide.first_dose(view.request.treatment_id, D(2026, 7, 20))
    assert started.treatment.first_dose == D(2026, 7, 20)
    assert [(s.from_day, s.to_day) for s in started.segments] == [(D(2026, 6, 15), D(2027, 7, 19))]
    assert started.approvals[0].covers_to == D(2027, 7, 19)
    # put right again, with a switch in between
    wide.change(view.request.treatment_id, Kind.SWITCH, product="tysabri", from_day=D(2027, 7, 1))
    right = wide.first_dose(view.request.treatment_id, D(2026, 6, 16))
    assert [(s.from_day, s.to_day) for s in right.segments] == [(D(2026, 6, 15), D(2027, 6, 15))]


@pytest.mark.parametrize("day", [D(2026, 6, 14), D(2026, 9, 14), D(2026, 10, 2)])
def test_a_first_dose_outside_the_approval_is_refused(wide: World, day: dt.date) -> None:
    view = wide.trial()
    wide.on(D(2026, 10, 1))
    with pytest.raises(DetailsNotAccepted):
        wide.first_dose(view.request.treatment_id, day)


def test_a_start_by_that_has_passed_leads_to_a_new_form(wide: World) -> None:
    view = wide.trial()
    wide.on(D(2026, 10, 1))
    with pytest.raises(DetailsNotAccepted, match="not started and send a new initiation"):
        wide.first_dose(view.request.treatment_id, D(2026, 9, 30))
    with pytest.raises(AlreadyApproved, match="record that it was not started"):
        wide.trial()
    done = not_started(wide, view.request.treatment_id)
    assert done.approvals[0].state is ApprovalState.NEVER_STARTED
    assert done.segments == ()
    again = wide.trial()
    assert again.request.treatment_id != view.request.treatment_id
    with pytest.raises(TransitionNotAllowed):
        not_started(wide, view.request.treatment_id)


def test_what_began_or_went_on_did_start(wide: World) -> None:
    began = wide.trial(first_dose=D(2026, 6, 15))
    assert wide.treatment(began.request.treatment_id).treatment.first_dose == D(2026, 6, 15)
    with pytest.raises(TransitionNotAllowed, match="did start"):
        not_started(wide, began.request.treatment_id)
    went_on = wide.trial(patient=patient(2))
    wide.on(D(2027, 6, 1))
    wide.carry_on(went_on.request.treatment_id)
    with pytest.raises(TransitionNotAllowed, match="did start"):
        not_started(wide, went_on.request.treatment_id)


@pytest.mark.parametrize(
    ("first_dose", "reason", "covered_from", "late"),
    [
        (D(2026, 6, 1), "urgent", D(2026, 6, 1), True),  # the last permitted day
        (D(2026, 6, 14), "urgent", D(2026, 6, 14), True),
        (D(2026, 6, 1), None, D(2026, 6, 15), False),
        (D(2026, 5, 31), None, D(2026, 6, 15), False),
        (D(2026, 5, 31), "urgent", None, False),  # one day too many
        (D(2026, 6, 1), "forgotten", None, False),
    ],
)
def test_an_urgent_treatment_is_covered_from_its_first_dose(
    wide: World,
    first_dose: dt.date,
    reason: str | None,
    covered_from: dt.date | None,
    late: bool,
) -> None:
    asked = {
        "decision_to_treat": D(2026, 5, 20),
        "first_dose": first_dose,
        "retrospective_reason": reason,
    }
    if covered_from is None:
        for answers in (TRIAL_ANSWERS, {}):  # refused at once, not when somebody approves
            with pytest.raises(DetailsNotAccepted):
                wide.trial(answers=answers, **asked)
        return
    view = wide.trial(**asked)
    assert (view.approval.covers_from, view.approval.late) == (covered_from, late)
    assert view.approval.retrospective_reason == (reason if late else None)


def test_a_late_form_covers_no_day_that_the_course_before_covered(wide: World) -> None:
    first = wide.trial()
    stopped = {"from_day": D(2026, 7, 20), "stop_reason": StopReason.PREGNANCY}
    wide.on(D(2026, 7, 20))
    wide.change(first.request.treatment_id, Kind.STOP, **stopped)
    wide.on(D(2026, 7, 25))
    view = wide.trial(
        decision_to_treat=D(2026, 7, 15),
        first_dose=D(2026, 7, 18),
        retrospective_reason="urgent",
    )
    assert view.approval.covers_from == D(2026, 7, 21)
    assert view.approval.late


def test_a_waiting_first_request_is_amended_not_sent_again(wide: World) -> None:
    waiting = wide.trial(answers={})
    with pytest.raises(RequestAlreadyOpen):
        wide.trial()
    assert wide.trial(OTHER_CLINICIAN).request.state is RequestState.APPROVED
    assert waiting.approval is None
