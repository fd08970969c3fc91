"""Corrections and entries in error: decided again under the original version, never erased."""

import datetime as dt
from typing import Any

import pytest

from app.approvals import amending, correcting, reviewing
from app.approvals.errors import (
    AlreadyApproved,
    AnswersNotAccepted,
    DetailsNotAccepted,
    TransitionNotAllowed,
    VersionMismatch,
)
from app.approvals.library import Library
from app.approvals.lifecycle import ApprovalEvent, ApprovalState, RequestState
from app.approvals.model import RequestView
from app.approvals.office import Office
from app.approvals.replaying import check_replays
from app.policy import Kind, load_policy
from tests.world import CLINICIAN, COMMISSIONER, TRIAL_ANSWERS, TRIAL_TEXT, World, patient

D = dt.date
A = ApprovalState
UNUSUAL = {**TRIAL_ANSWERS, "usual": False}


def correct(world: World, view: RequestView, *errors: str, **answers: Any) -> RequestView:
    request = world.request(view.request.id).request
    return world.do(
        lambda w: correcting.correct(
            w,
            world.office,
            CLINICIAN,
            request.id,
            answers,
            frozenset(errors),
            "typing error",
            request.version,
        )
    )


def resolve(world: World, view: RequestView, step: ApprovalEvent) -> Any:
    approval = world.request(view.request.id).approval
    return world.do(
        lambda w: reviewing.resolve_query(
            w, COMMISSIONER, approval.reference, step, "looked at", approval.version
        )
    )


def coverage(world: World, view: RequestView) -> int:
    return len(world.treatment(view.request.treatment_id).segments)


def test_a_correction_that_changes_the_answer_puts_the_approval_under_query(wide: World) -> None:
    view = wide.trial()
    done = correct(wide, view, score="4.0")
    assert done.request.state is RequestState.APPROVED
    assert done.approval.state is A.UNDER_QUERY
    assert [d.outcome for d in done.decisions] == ["approved", "criteria not met"]
    assert done.revision.why == "corrected"
    assert done.revision.note == "typing error"
    assert coverage(wide, view) == 1  # until the commissioner resolves it
    assert wide.do(lambda w: check_replays(w, wide.office.library, CLINICIAN, view.request.id)) == 2


@pytest.mark.parametrize(
    ("step", "state", "segments"),
    [
        (ApprovalEvent.UPHOLD, A.LIVE, 1),
        (ApprovalEvent.WITHDRAW, A.WITHDRAWN, 0),
        (ApprovalEvent.ENTER_IN_ERROR, A.ENTERED_IN_ERROR, 0),
    ],
)
def test_the_commissioner_resolves_a_query(
    wide: World, step: ApprovalEvent, state: ApprovalState, segments: int
) -> None:
    view = wide.trial()
    correct(wide, view, score="4.0")
    assert resolve(wide, view, step).state is state
    assert coverage(wide, view) == segments
    if segments:
        with pytest.raises(AlreadyApproved):
            wide.trial()
    else:
        assert wide.trial().request.state is RequestState.APPROVED
    with pytest.raises(TransitionNotAllowed):
        resolve(wide, view, step)


def test_a_harmless_correction_leaves_the_approval_alone(wide: World) -> None:
    view = wide.trial()
    assert correct(wide, view, score="5.5").approval.state is A.LIVE


def test_an_answer_entered_in_error_becomes_unanswered_never_no(wide: World) -> None:
    view = wide.trial()
    done = correct(wide, view, "risk")
    assert done.decision.outcome == "more information needed"
    assert done.decision.missing == ["risk"]
    assert done.approval.state is A.UNDER_QUERY
    with pytest.raises(AnswersNotAccepted):
        correct(wide, view, "no_such_question")


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({"score": "7.0"}, A.LIVE),
        ({"score": "4.0"}, A.UNDER_QUERY),
        ({"usual": True}, A.UNDER_QUERY),
    ],
)
def test_a_panels_approval_goes_under_query_only_if_the_findings_change(
    wide: World, answers: dict[str, Any], state: ApprovalState
) -> None:
    view = wide.trial(answers=UNUSUAL)
    wide.do(
        lambda w: reviewing.panel_approve(
            w, wide.office, COMMISSIONER, view.request.id, "ok", frozenset(), 2
        )
    )
    assert correct(wide, view, **answers).approval.state is state


def test_a_refused_form_that_was_mistyped_is_covered_from_its_correction(wide: World) -> None:
    view = wide.trial(answers={**TRIAL_ANSWERS, "score": "4.0"})
    wide.on(D(2026, 7, 20))
    done = correct(wide, view, score="6.0")
    assert done.request.state is RequestState.APPROVED
    assert done.approval.covers_from == D(2026, 7, 20)


def test_a_declined_request_goes_back_to_the_panel_never_straight_to_approved(wide: World) -> None:
    view = wide.trial(answers=UNUSUAL)
    wide.do(
        lambda w: reviewing.panel_decline(w, wide.office, COMMISSIONER, view.request.id, "no", 2)
    )
    assert correct(wide, view, score="4.0").request.state is RequestState.DECLINED
    done = correct(wide, view, score="6.0", usual=True)
    assert done.request.state is RequestState.REFERRED
    assert done.approval is None


def test_a_correction_is_decided_under_the_original_version(wide: World) -> None:
    view = wide.trial()
    easier = TRIAL_TEXT.replace("from: 2020-01-01", "from: 2026-06-20").replace(
        "score >= 5", "score >= 3"
    )
    newer = load_policy(easier, "newer.yaml")
    wide.office = Office(Library([*wide.office.library.all_versions(), newer]), demonstration=True)
    wide.on(D(2026, 7, 1))
    done = correct(wide, view, score="4.0")
    assert done.decision.outcome == "criteria not met"
    assert {d.policy_hash for d in done.decisions} == {view.request.policy_hash}
    other = wide.trial(
        patient=patient(2),
        decision_to_treat=D(2026, 7, 1),
        answers={**TRIAL_ANSWERS, "score": "4.0"},
    )
    assert other.request.state is RequestState.APPROVED


def test_a_request_entered_in_error_puts_its_approval_under_query(wide: World) -> None:
    view = wide.trial()
    done = wide.do(
        lambda w: correcting.enter_in_error(w, CLINICIAN, view.request.id, "wrong patient", 2)
    )
    assert done.request.state is RequestState.ENTERED_IN_ERROR
    assert done.approval.state is A.UNDER_QUERY
    assert done.decisions
    assert resolve(wide, view, ApprovalEvent.ENTER_IN_ERROR).state is A.ENTERED_IN_ERROR
    assert wide.trial().request.state is RequestState.APPROVED


def test_an_error_in_a_request_whose_approval_is_closed_is_still_recorded(wide: World) -> None:
    view = wide.trial()
    correct(wide, view, score="4.0")
    resolve(wide, view, ApprovalEvent.WITHDRAW)
    assert correct(wide, view, score="6.0").approval.state is A.WITHDRAWN
    done = wide.do(
        lambda w: correcting.enter_in_error(w, CLINICIAN, view.request.id, "wrong patient", 4)
    )
    assert done.approval.state is A.WITHDRAWN


def test_a_switch_entered_in_error_puts_what_it_changed_under_query(wide: World) -> None:
    view = wide.trial()
    switch = wide.change(
        view.request.treatment_id, Kind.SWITCH, product="tysabri", from_day=D(2026, 6, 15)
    )
    wide.do(lambda w: correcting.enter_in_error(w, CLINICIAN, switch.request.id, "wrong", 2))
    assert wide.request(view.request.id).approval.state is A.UNDER_QUERY


def test_a_withdrawn_approval_gives_nothing_to_continue(wide: World) -> None:
    view = wide.trial()
    correct(wide, view, score="4.0")
    resolve(wide, view, ApprovalEvent.WITHDRAW)
    with pytest.raises(DetailsNotAccepted, match="no standing approval"):
        wide.carry_on(view.request.treatment_id)


def test_a_stale_version_is_refused_and_nothing_is_stored(wide: World) -> None:
    view = wide.trial(answers={})
    for use_case in (
        lambda w: amending.amend(w, wide.office, CLINICIAN, view.request.id, {}, 1),
        lambda w: amending.withdraw(w, CLINICIAN, view.request.id, "x", 3),
        lambda w: correcting.enter_in_error(w, CLINICIAN, view.request.id, "x", 1),
    ):
        with pytest.raises(VersionMismatch):
            wide.do(use_case)
    after = wide.request(view.request.id)
    assert after.request == view.request
    assert len(after.decisions) == 1
