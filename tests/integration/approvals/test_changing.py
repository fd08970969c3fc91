"""Switch, dose change, transfer, pause, resumption and stop, and what each does to coverage."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from app.approvals import amending, correcting, reviewing
from app.approvals.errors import (
    AlreadyApproved,
    DetailsNotAccepted,
    NotFound,
    RequestAlreadyOpen,
    TransitionNotAllowed,
)
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import Dose, RequestDetails, RequestView, StopReason
from app.approvals.replaying import check_replays
from app.auth.errors import NotAllowed
from app.auth.model import Role
from app.db.work import Work
from app.policy import Kind
from tests.world import (
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    TRIAL_ANSWERS,
    World,
    person,
)

D = dt.date
START = D(2026, 6, 15)
LATER = D(2026, 8, 1)
STOPPED = {"stop_reason": StopReason.NO_RESPONSE}


def covered(world: World, treatment_id: str) -> list[tuple[dt.date, dt.date | None, str]]:
    view = world.treatment(treatment_id, COMMISSIONER)
    return [(s.from_day, s.to_day, s.provider) for s in view.segments if s.kind == "coverage"]


@pytest.fixture
def running(wide: World) -> tuple[World, str]:
    """An approved treatment, six weeks on."""
    view = wide.trial()
    assert view.request.state is RequestState.APPROVED
    wide.on(LATER)
    return wide, view.request.treatment_id


def agree(world: World, request: RequestView, caller: Any = OTHER_CLINICIAN) -> RequestView:
    return world.do(
        lambda w: reviewing.consent(
            w, world.office, caller, request.request.id, request.request.version
        )
    )


# --- switch and dose change -----------------------------------------------------------------


def test_a_switch_to_an_unlisted_product_waits_and_is_covered_from_the_panels_day(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    view = world.change(treatment, Kind.SWITCH, product="tyruko", from_day=LATER)
    assert view.request.state is RequestState.REFERRED
    assert covered(world, treatment) == [(START, D(2027, 6, 14), "DEMO1")]
    world.on(D(2026, 8, 20))
    world.do(
        lambda w: reviewing.panel_approve(
            w, world.office, COMMISSIONER, view.request.id, "agreed", frozenset(), 2
        )
    )
    segments = world.treatment(treatment).segments
    assert [(s.from_day, s.to_day, s.product) for s in segments] == [
        (START, D(2026, 8, 19), None),
        (D(2026, 8, 20), D(2027, 6, 14), "tyruko"),
    ]


def test_a_listed_product_is_switched_to_at_once_but_not_in_the_past(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    with pytest.raises(DetailsNotAccepted, match="before the form"):
        world.change(treatment, Kind.SWITCH, product="tysabri", from_day=D(2026, 7, 1))
    view = world.change(
        treatment, Kind.SWITCH, product="tysabri", from_day=D(2026, 7, 25), reason="urgent"
    )
    assert view.request.state is RequestState.APPROVED
    assert [s.from_day for s in world.treatment(treatment).segments] == [START, D(2026, 7, 25)]


@pytest.mark.parametrize(
    ("dose", "state"),
    [
        (Dose(Decimal("300"), "mg", 28), RequestState.APPROVED),
        (Dose(Decimal("300.01"), "mg", 28), RequestState.REFERRED),
        (Dose(Decimal("0.3"), "g", 28), RequestState.REFERRED),
        (Dose(Decimal("300"), "mg", None), RequestState.REFERRED),
    ],
)
def test_a_dose_is_changed_up_to_the_policys_limit(
    running: tuple[World, str], dose: Dose, state: RequestState
) -> None:
    world, treatment = running
    view = world.change(treatment, Kind.DOSE_CHANGE, dose=dose, from_day=LATER)
    assert view.request.state is state
    last = world.treatment(treatment).segments[-1]
    approved = state is RequestState.APPROVED
    assert last.dose_amount == (dose.amount if approved else None)
    assert last.dose_every_days == (28 if approved else None)


def test_a_dose_above_the_limit_cannot_be_had_by_naming_it_on_a_first_request(wide: World) -> None:
    details = RequestDetails(dose=Dose(Decimal("600"), "mg", 28))
    view = wide.trial(details=details)
    assert view.request.state is RequestState.REFERRED
    assert view.approval is None
    assert wide.do(lambda w: replays(w, wide, view.request.id)) == 1


def replays(work: Work, world: World, request_id: str) -> int:
    return check_replays(work, world.office.library, CLINICIAN, request_id)


@pytest.mark.parametrize(
    "dose",
    [
        Dose(Decimal("0"), "mg", 28),
        Dose(Decimal("-1"), "mg", 28),
        Dose(Decimal("NaN"), "mg", 28),
        Dose(Decimal("Infinity"), "mg", 28),
        Dose(Decimal("1E+20"), "mg", 28),
        Dose(Decimal("0.000000001"), "mg", 28),
        Dose(Decimal("1"), "", 28),
        Dose(Decimal("1"), "m" * 21, 28),
        Dose(Decimal("1"), "mg", 0),
        Dose(Decimal("1"), "mg", -14),
    ],
)
def test_a_dose_that_cannot_be_one_is_refused(running: tuple[World, str], dose: Dose) -> None:
    world, treatment = running
    with pytest.raises(DetailsNotAccepted):
        world.change(treatment, Kind.DOSE_CHANGE, dose=dose, from_day=LATER)


def test_a_returned_switch_has_no_answers_to_amend(running: tuple[World, str]) -> None:
    world, treatment = running
    view = world.change(treatment, Kind.SWITCH, product="tyruko", from_day=LATER)
    world.do(lambda w: reviewing.panel_return(w, COMMISSIONER, view.request.id, "Why this one?", 2))
    with pytest.raises(DetailsNotAccepted, match="no answers to amend"):
        world.do(lambda w: amending.amend(w, world.office, CLINICIAN, view.request.id, {}, 3))


def test_only_one_switch_waits_at_a_time(running: tuple[World, str]) -> None:
    world, treatment = running
    world.change(treatment, Kind.SWITCH, product="tyruko", from_day=LATER)
    with pytest.raises(RequestAlreadyOpen):
        world.change(treatment, Kind.SWITCH, product="tyruko", from_day=LATER)


@pytest.mark.parametrize("kind", [Kind.SWITCH, Kind.DOSE_CHANGE, Kind.TRANSFER])
def test_a_lapsed_approval_has_nothing_to_change(running: tuple[World, str], kind: Kind) -> None:
    world, treatment = running
    world.on(D(2027, 7, 1))
    with pytest.raises(TransitionNotAllowed, match="no running approval"):
        world.change(
            treatment,
            kind,
            product="tysabri" if kind is Kind.SWITCH else None,
            dose=Dose(Decimal(1), "mg", 28) if kind is Kind.DOSE_CHANGE else None,
            to_provider="DEMO2" if kind is Kind.TRANSFER else None,
            from_day=D(2027, 7, 1),
        )


# --- transfer -------------------------------------------------------------------------------


def test_a_transfer_moves_the_treatment_once_the_receiving_provider_consents(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    asked = world.change(treatment, Kind.TRANSFER, to_provider="DEMO2", from_day=D(2026, 8, 10))
    assert asked.request.state is RequestState.AWAITING_CONSENT
    assert covered(world, treatment) == [(START, D(2027, 6, 14), "DEMO1")]
    assert world.treatment(treatment, OTHER_CLINICIAN).treatment.provider == "DEMO1"
    agreed = agree(world, asked)
    assert agreed.request.state is RequestState.APPROVED
    assert covered(world, treatment) == [
        (START, D(2026, 8, 9), "DEMO1"),
        (D(2026, 8, 10), D(2027, 6, 14), "DEMO2"),
    ]


def test_after_a_transfer_each_hospital_sees_its_own_part(running: tuple[World, str]) -> None:
    world, treatment = running
    agree(world, world.change(treatment, Kind.TRANSFER, to_provider="DEMO2", from_day=LATER))
    world.on(D(2027, 6, 1))
    new = world.carry_on(treatment, OTHER_CLINICIAN)
    assert new.request.state is RequestState.APPROVED
    assert new.revision.answers["score"] == {
        "value": "6.0",
        "unit": None,
        "measured_on": None,
        "origin": "carried forward",
    }
    world.change(treatment, Kind.STOP, OTHER_CLINICIAN, from_day=D(2027, 6, 1), **STOPPED)
    old_view = world.treatment(treatment)
    assert {s.provider for s in old_view.segments} == {"DEMO1"}
    assert {a.provider for a in old_view.approvals} == {"DEMO1"}
    assert {r.provider for r in old_view.requests} == {"DEMO1"}
    assert old_view.treatment.stopped_on is None
    assert old_view.treatment.stop_reason is None
    new_view = world.treatment(treatment, OTHER_CLINICIAN)
    assert {s.provider for s in new_view.segments} == {"DEMO1", "DEMO2"}
    assert new_view.treatment.stop_reason == "no response"
    with pytest.raises(NotFound):
        world.request(new.request.id, CLINICIAN)
    for kind in (Kind.STOP, Kind.PAUSE):
        with pytest.raises(NotAllowed):
            world.change(treatment, kind, from_day=D(2027, 6, 1), **STOPPED)
    with pytest.raises(NotAllowed):
        world.carry_on(treatment)


def test_a_transfer_is_consented_to_only_by_the_provider_it_names(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    asked = world.change(treatment, Kind.TRANSFER, to_provider="DEMO2", from_day=LATER)
    for caller, refusal in (
        (person(Role.CLINICIAN, "DEMO3"), NotFound),
        (CLINICIAN, NotAllowed),
        (person(Role.DELEGATE, "DEMO2"), NotAllowed),
        (COMMISSIONER, NotAllowed),
    ):
        with pytest.raises(refusal):
            agree(world, asked, caller)


@pytest.mark.parametrize("how", ["refused", "withdrawn"])
def test_a_transfer_that_does_not_happen_hides_the_treatment_again(
    running: tuple[World, str], how: str
) -> None:
    world, treatment = running
    asked = world.change(treatment, Kind.TRANSFER, to_provider="DEMO2", from_day=LATER)
    request_id = asked.request.id
    if how == "refused":
        done = world.do(
            lambda w: reviewing.refuse_consent(w, OTHER_CLINICIAN, request_id, "No room", 2)
        )
        assert done.request.state is RequestState.DECLINED
    else:
        world.do(lambda w: amending.withdraw(w, CLINICIAN, request_id, "Stays here", 2))
    with pytest.raises(NotFound):
        world.treatment(treatment, OTHER_CLINICIAN)
    assert covered(world, treatment) == [(START, D(2027, 6, 14), "DEMO1")]
    with pytest.raises((TransitionNotAllowed, NotFound)):
        agree(world, world.request(request_id, OTHER_CLINICIAN))


def test_a_request_of_the_former_provider_can_no_longer_be_approved(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    switch = world.change(treatment, Kind.SWITCH, product="tyruko", from_day=LATER)
    agree(world, world.change(treatment, Kind.TRANSFER, to_provider="DEMO2", from_day=LATER))
    with pytest.raises(TransitionNotAllowed, match="another provider"):
        world.do(
            lambda w: reviewing.panel_approve(
                w, world.office, COMMISSIONER, switch.request.id, "ok", frozenset(), 2
            )
        )


@pytest.mark.parametrize("to_provider", ["DEMO1", "demo2", "X" * 40, "A B"])
def test_a_transfer_needs_another_provider(running: tuple[World, str], to_provider: str) -> None:
    world, treatment = running
    with pytest.raises(DetailsNotAccepted):
        world.change(treatment, Kind.TRANSFER, to_provider=to_provider, from_day=LATER)


# --- pause and resumption -------------------------------------------------------------------


def pauses(world: World, treatment: str) -> list[tuple[dt.date, dt.date | None]]:
    segments = world.treatment(treatment).segments
    return [(s.from_day, s.to_day) for s in segments if s.kind == "pause"]


def test_a_pause_runs_until_it_is_resumed_and_leaves_coverage_alone(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    paused = world.change(treatment, Kind.PAUSE, from_day=LATER, to_day=D(2026, 8, 31))
    assert paused.request.state is RequestState.RECORDED
    assert pauses(world, treatment) == [(LATER, D(2026, 8, 31))]
    with pytest.raises(TransitionNotAllowed, match="paused already"):
        world.change(treatment, Kind.PAUSE, from_day=LATER)
    with pytest.raises(TransitionNotAllowed, match="not paused before"):
        world.change(treatment, Kind.RESUME, from_day=LATER)
    world.on(D(2026, 9, 10))  # later than expected
    world.change(treatment, Kind.RESUME, from_day=D(2026, 9, 10))
    assert pauses(world, treatment) == [(LATER, D(2026, 9, 9))]
    with pytest.raises(TransitionNotAllowed):
        world.change(treatment, Kind.RESUME, from_day=D(2026, 9, 11))
    world.change(treatment, Kind.PAUSE, from_day=D(2026, 9, 10))
    assert pauses(world, treatment) == [(LATER, D(2026, 9, 9)), (D(2026, 9, 10), None)]
    assert covered(world, treatment) == [(START, D(2027, 6, 14), "DEMO1")]


def test_a_resumption_and_then_a_pause_entered_in_error_are_undone(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    paused = world.change(treatment, Kind.PAUSE, from_day=LATER, to_day=D(2026, 8, 31))
    world.on(D(2026, 8, 10))
    resumed = world.change(treatment, Kind.RESUME, from_day=D(2026, 8, 10))
    with pytest.raises(TransitionNotAllowed, match="Mark the resumption first"):
        in_error(world, paused)
    in_error(world, resumed)
    assert pauses(world, treatment) == [(LATER, D(2026, 8, 31))]
    in_error(world, paused)
    assert pauses(world, treatment) == []


def in_error(world: World, view: RequestView) -> RequestView:
    return world.do(
        lambda w: correcting.enter_in_error(
            w, CLINICIAN, view.request.id, "wrong patient", view.request.version
        )
    )


# --- stop -----------------------------------------------------------------------------------


def test_a_stop_ends_coverage_after_its_day_and_frees_the_patient(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    view = world.change(treatment, Kind.STOP, from_day=D(2026, 7, 20), **STOPPED)
    assert view.request.state is RequestState.RECORDED
    assert view.decision is not None
    assert view.decision.outcome == "approved"
    assert covered(world, treatment) == [(START, D(2026, 7, 20), "DEMO1")]
    stopped = world.treatment(treatment)
    assert stopped.treatment.stopped_on == D(2026, 7, 20)
    assert [a.state for a in stopped.approvals] == [ApprovalState.ENDED]
    again = world.trial(decision_to_treat=LATER)
    assert again.request.state is RequestState.APPROVED
    assert again.request.treatment_id != treatment
    with pytest.raises(DetailsNotAccepted, match="stopped"):
        world.carry_on(treatment)


def test_a_stop_is_recorded_whatever_it_answers_and_however_often(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    for day, kept in ((D(2026, 7, 20), D(2026, 7, 20)), (D(2026, 7, 25), D(2026, 7, 20))):
        view = world.change(
            treatment, Kind.STOP, from_day=day, answers={"score_now": "9.5"}, **STOPPED
        )
        assert view.request.state is RequestState.RECORDED
        assert world.treatment(treatment).treatment.stopped_on == kept
    world.change(treatment, Kind.STOP, from_day=D(2026, 7, 1), **STOPPED)
    assert world.treatment(treatment).treatment.stopped_on == D(2026, 7, 1)
    assert covered(world, treatment) == [(START, D(2026, 7, 1), "DEMO1")]


def test_a_stop_is_recorded_on_a_treatment_whose_approval_lapsed(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    world.on(D(2028, 1, 1))
    view = world.change(treatment, Kind.STOP, from_day=D(2027, 12, 1), **STOPPED)
    assert view.request.state is RequestState.RECORDED
    assert covered(world, treatment) == [(START, D(2027, 6, 14), "DEMO1")]


def test_a_stop_entered_in_error_brings_the_approval_back(running: tuple[World, str]) -> None:
    world, treatment = running
    world.change(treatment, Kind.SWITCH, product="tysabri", from_day=D(2026, 9, 1))
    before = covered(world, treatment)
    stopped = world.change(treatment, Kind.STOP, from_day=LATER, **STOPPED)
    assert covered(world, treatment) == [(START, LATER, "DEMO1")]
    done = in_error(world, stopped)
    assert done.request.state is RequestState.ENTERED_IN_ERROR
    assert covered(world, treatment) == before
    view = world.treatment(treatment)
    assert view.treatment.stopped_on is None
    assert [a.state for a in view.approvals] == [ApprovalState.LIVE]
    assert [s.product for s in view.segments] == [None, "tysabri"]
    with pytest.raises(AlreadyApproved):
        world.trial()


def test_a_stop_cannot_be_taken_back_over_another_live_approval(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    stopped = world.change(treatment, Kind.STOP, from_day=D(2026, 7, 20), **STOPPED)
    assert world.trial(OTHER_CLINICIAN).request.state is RequestState.APPROVED
    with pytest.raises(AlreadyApproved, match="another provider"):
        in_error(world, stopped)
    assert world.treatment(treatment).treatment.stopped_on == D(2026, 7, 20)


def test_of_two_stops_the_one_that_is_right_keeps_counting(running: tuple[World, str]) -> None:
    world, treatment = running
    first = world.change(treatment, Kind.STOP, from_day=D(2026, 7, 20), **STOPPED)
    second = world.change(treatment, Kind.STOP, from_day=D(2026, 7, 1), **STOPPED)
    with pytest.raises(TransitionNotAllowed, match="builds on this one"):
        in_error(world, first)
    in_error(world, second)
    assert covered(world, treatment) == [(START, D(2026, 7, 20), "DEMO1")]
    assert world.treatment(treatment).treatment.stopped_on == D(2026, 7, 20)
    third = world.change(treatment, Kind.STOP, from_day=D(2026, 7, 30), **STOPPED)
    in_error(world, world.request(first.request.id))
    assert world.treatment(treatment).treatment.stopped_on == D(2026, 7, 30)
    assert covered(world, treatment) == [(START, D(2026, 7, 30), "DEMO1")]
    in_error(world, world.request(third.request.id))
    assert covered(world, treatment) == [(START, D(2027, 6, 14), "DEMO1")]


def test_a_request_left_over_from_before_the_stop_cannot_bring_coverage(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    world.on(D(2027, 6, 1))
    waiting = world.carry_on(treatment, answers={})
    assert waiting.request.state is RequestState.MORE_INFORMATION_NEEDED
    world.change(treatment, Kind.STOP, from_day=D(2027, 6, 1), **STOPPED)
    with pytest.raises(TransitionNotAllowed, match="stopped"):
        world.do(
            lambda w: amending.amend(
                w, world.office, CLINICIAN, waiting.request.id, {"score_now": "3.0"}, 2
            )
        )
    assert covered(world, treatment) == [(START, D(2027, 6, 1), "DEMO1")]


def test_a_stop_ahead_is_asked_for_again_when_it_has_happened(running: tuple[World, str]) -> None:
    world, treatment = running
    with pytest.raises(DetailsNotAccepted, match="that day is ahead"):
        world.change(treatment, Kind.STOP, from_day=D(2026, 8, 2), **STOPPED)
    with pytest.raises(DetailsNotAccepted, match="needs 'stop_reason'"):
        world.change(treatment, Kind.STOP, from_day=LATER)


# --- continuation ---------------------------------------------------------------------------


def test_a_lapsed_treatment_cannot_continue_beside_another_providers_live_one(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    world.on(D(2027, 6, 20))  # lapsed, within the days of grace
    assert world.trial(OTHER_CLINICIAN).request.state is RequestState.APPROVED
    with pytest.raises(AlreadyApproved, match="another provider"):
        world.carry_on(treatment)


def test_a_continuation_waits_until_the_one_before_has_begun(running: tuple[World, str]) -> None:
    world, treatment = running
    world.on(D(2027, 6, 1))
    assert world.carry_on(treatment).request.state is RequestState.APPROVED
    with pytest.raises(RequestAlreadyOpen, match="has not begun"):
        world.carry_on(treatment)
    world.on(D(2027, 6, 15))
    assert world.carry_on(treatment).request.state is RequestState.APPROVED
    assert covered(world, treatment) == [
        (START, D(2027, 6, 14), "DEMO1"),
        (D(2027, 6, 15), D(2028, 6, 14), "DEMO1"),
        (D(2028, 6, 15), D(2029, 6, 14), "DEMO1"),
    ]


def test_a_corrected_baseline_is_carried_not_an_older_copy_of_it(
    running: tuple[World, str],
) -> None:
    world, treatment = running
    first = world.treatment(treatment).requests[0]
    world.on(D(2027, 6, 1))
    world.carry_on(treatment)
    world.do(
        lambda w: correcting.correct(
            w, world.office, CLINICIAN, first.id, {"score": "5.5"}, frozenset(), "typing", 2
        )
    )
    world.on(D(2028, 6, 1))
    again = world.carry_on(treatment)
    assert again.revision.answers["score"]["value"] == "5.5"
    assert again.revision.answers["score"]["origin"] == "carried forward"


def test_only_the_service_says_that_an_answer_was_carried_forward(wide: World) -> None:
    claimed = {"value": "6.0", "origin": "carried forward"}
    view = wide.trial(answers={**TRIAL_ANSWERS, "score": claimed})
    assert view.revision.answers["score"]["origin"] == "typed"
    wide.on(D(2027, 6, 1))
    shown = {"score_now": "3.0", "score": {**claimed, "value": "9.0"}}
    again = wide.carry_on(view.request.treatment_id, answers=shown)
    assert again.revision.answers["score"]["value"] == "9.0"
    assert again.revision.answers["score"]["origin"] == "typed"


def test_a_withdrawn_request_gives_no_baseline(wide: World) -> None:
    first = wide.trial()
    treatment = first.request.treatment_id
    wide.on(D(2027, 6, 1))
    wrong = wide.carry_on(treatment, answers={"score": "9.9"})
    wide.do(lambda w: amending.withdraw(w, CLINICIAN, wrong.request.id, "wrong patient", 2))
    again = wide.carry_on(treatment)
    assert again.revision.answers["score"]["value"] == "6.0"
