"""What a panel has spoken on is approved by people alone, whatever the answers say later (ADR 76).

Each way past it is tried: correcting once and again, answering the panel's question otherwise,
being sent back by the pharmacist, and beginning a new form.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from app.approvals import amending, checking, correcting, reviewing
from app.approvals.library import Library
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import (
    Basis,
    EmergencyStart,
    FollowUpCommand,
    RequestDetails,
    RequestView,
    StopReason,
)
from app.approvals.office import PHARMACIST_AUTHORISATION, Office
from app.approvals.replaying import check_replays
from app.policy import Kind, Outcome, load_policy
from tests.integration.approvals.test_seconding import Panel, escalated, panel, two
from tests.world import (
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    PHARMACIST,
    TRIAL_ANSWERS,
    TRIAL_TEXT,
    World,
    initiation,
    patient,
)

D, S = dt.date, RequestState
UNUSUAL = {**TRIAL_ANSWERS, "usual": False}
NONE: frozenset[str] = frozenset()
NIGHT = dt.datetime(2026, 6, 5, 2, 30, tzinfo=dt.UTC)
URGENT: dict[str, Any] = {
    "decision_to_treat": D(2026, 6, 5),
    "first_dose": D(2026, 6, 5),
    "retrospective_reason": "urgent",
    "details": RequestDetails(emergency=EmergencyStart("on call", "the panel's line", NIGHT)),
}
__all__ = ["panel", "two"]  # fixtures


def correct(world: World, view: RequestView, **answers: Any) -> RequestView:
    request = world.request(view.request.id).request
    return world.do(
        lambda w: correcting.correct(
            w, world.office, CLINICIAN, request.id, answers, NONE, "typing error", request.version
        )
    )


def amend(world: World, view: RequestView, **answers: Any) -> RequestView:
    request = world.request(view.request.id).request
    return world.do(
        lambda w: amending.amend(w, world.office, CLINICIAN, request.id, answers, request.version)
    )


def says(world: World, view: RequestView, how: str, *waived: str) -> RequestView:
    """The commissioner in a panel's place."""
    request = world.request(view.request.id).request
    id_, version, office = request.id, request.version, world.office
    ruling = reviewing.Ruling("no", paid=False)
    steps: dict[str, Callable[[Any], RequestView]] = {
        "approve": lambda w: reviewing.panel_approve(
            w, office, COMMISSIONER, id_, "yes", frozenset(waived), version
        ),
        "decline": lambda w: reviewing.panel_decline(w, office, COMMISSIONER, id_, "no", version),
        "overturn": lambda w: reviewing.overturn(w, office, COMMISSIONER, id_, ruling, version),
        "return": lambda w: reviewing.panel_return(w, COMMISSIONER, id_, "really?", version),
        "aside": lambda w: reviewing.declare_interest(w, COMMISSIONER, id_, "mine", version),
    }
    return world.do(steps[how])


def withdraw(world: World, view: RequestView) -> RequestView:
    request = world.request(view.request.id).request
    return world.do(lambda w: amending.withdraw(w, CLINICIAN, request.id, "x", request.version))


def error(world: World, view: RequestView) -> RequestView:
    request = world.request(view.request.id).request
    return world.do(
        lambda w: correcting.enter_in_error(w, CLINICIAN, request.id, "x", request.version)
    )


def replays(world: World, view: RequestView) -> int:
    return world.do(lambda w: check_replays(w, world.office.library, CLINICIAN, view.request.id))


# --- the same request ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "how", "did"),
    [
        ({}, "decline", "declined this request"),
        (URGENT, "overturn", "overturned this urgent start"),
    ],
)
def test_what_a_panel_declined_is_not_approved_by_correcting_it_twice(
    wide: World, changes: dict[str, Any], how: str, did: str
) -> None:
    view = wide.trial(answers=UNUSUAL, **changes)
    wide.on(D(2026, 6, 22))
    says(wide, view, how)
    for answers in ({"usual": True}, {"score": "7.0"}, {"score": "4.0"}, {"score": "6.5"}):
        done = correct(wide, view, **answers)
        if answers == {"score": "4.0"}:
            assert done.request.state is S.CRITERIA_NOT_MET
            continue
        assert (done.request.state, done.approval) == (S.REFERRED, None)
        assert done.decision.outcome == Outcome.REFERRED
        assert done.decision.reasons[-2:] == [
            f"A panel {did} on 22 June 2026. What a panel has spoken on, it decides again when "
            "answers change.",
            "Why it was corrected: typing error",
        ]
    assert replays(wide, view) == 5
    assert says(wide, view, "approve").approval.basis is Basis.PANEL


def test_taking_an_answer_back_and_giving_it_anew_does_not_go_past_the_panel(wide: World) -> None:
    view = wide.trial(answers=UNUSUAL)
    says(wide, view, "decline")
    correct(wide, view, usual=True)
    assert correct(wide, view, risk=None).request.state is S.MORE_INFORMATION_NEEDED
    assert amend(wide, view, risk=False).request.state is S.REFERRED


def test_the_panel_hears_the_answer_to_its_question_whatever_it_is(wide: World) -> None:
    view = wide.trial(answers=UNUSUAL)
    says(wide, view, "return")
    done = amend(wide, view, usual=True)
    assert (done.request.state, done.approval) == (S.REFERRED, None)
    assert done.decision.reasons == [
        "Every criterion is met.",
        "A panel returned this request with a question on 15 June 2026. What a panel has spoken "
        "on, it decides again when answers change.",
    ]
    says(wide, view, "return")
    assert amend(wide, view).request.state is S.REFERRED


def test_an_interest_declared_says_nothing_of_the_request(wide: World) -> None:
    view = wide.trial(answers=UNUSUAL)
    says(wide, view, "aside")
    assert correct(wide, view, usual=True).request.state is S.APPROVED


def test_before_the_panel_said_anything_a_slip_of_the_pen_is_the_policys(wide: World) -> None:
    view = wide.trial(answers=UNUSUAL)
    assert correct(wide, view, usual=True).approval.basis is Basis.POLICY


@pytest.mark.parametrize("sent_back", [False, True])
def test_what_a_panel_approved_and_waits_for_the_pharmacist_goes_to_it_again(
    wide: World, sent_back: bool
) -> None:
    wide.set("DEMO1", PHARMACIST_AUTHORISATION, True)
    view = wide.trial(answers=UNUSUAL)
    assert says(wide, view, "approve").request.state is S.AWAITING_AUTHORISATION
    version = wide.request(view.request.id).request.version
    if sent_back:
        wide.do(
            lambda w: reviewing.refuse_authorisation(w, PHARMACIST, view.request.id, "?", version)
        )
    done = (amend if sent_back else correct)(wide, view, usual=True)
    assert done.request.state is S.REFERRED
    assert "approved this request on other answers" in done.decision.reasons[1]


@pytest.mark.parametrize("how", ["approve", "decline"])
def test_a_members_vote_is_not_passed_by_a_correction(two: World, panel: Panel, how: str) -> None:
    view = two.trial(answers=UNUSUAL)
    panel.says(panel.ann, view, how)
    done = correct(two, view, usual=True)
    assert (done.request.state, done.approval) == (S.REFERRED, None)
    assert done.decision.reasons[1].startswith("A member of the panel has voted")


def test_votes_on_what_was_waived_do_not_stand_for_other_values(two: World, panel: Panel) -> None:
    view = escalated(two)
    panel.says(panel.ann, view, "approve", "T-1")
    assert correct(two, view, score="6.0").request.state is S.REFERRED


# --- an approval that people gave ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({"score": "4.9"}, ApprovalState.LIVE),  # the same
        ({"score": "1.0"}, ApprovalState.UNDER_QUERY),
        ({"score": "6.0"}, ApprovalState.UNDER_QUERY),
    ],
)
def test_a_waiver_is_of_the_value_that_the_panel_saw(
    wide: World, answers: dict[str, Any], state: ApprovalState
) -> None:
    view = wide.trial(answers={**TRIAL_ANSWERS, "score": "4.9"})
    request = view.request
    wide.do(lambda w: amending.escalate(w, CLINICIAN, request.id, "x", request.version))
    assert says(wide, view, "approve", "T-1").approval.state is ApprovalState.LIVE
    done = correct(wide, view, **answers)
    assert (done.request.state, done.approval.state) == (S.APPROVED, state)


# --- a new form ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "close", "did"),
    [
        ("decline", None, "declined it"),
        ("decline", error, "declined it"),
        ("return", withdraw, "returned it with a question"),
        ("return", error, "returned it with a question"),
    ],
)
@pytest.mark.parametrize("commissioner", ["DEMQ1", "DEMQ2"])
def test_a_new_form_does_not_go_past_the_panel_either(
    wide: World,
    how: str,
    close: Callable[[World, RequestView], RequestView] | None,
    did: str,
    commissioner: str,
) -> None:
    view = wide.trial(answers=UNUSUAL)
    says(wide, view, how)
    if close:
        close(wide, view)
    again = initiation(
        policy="trial-policy", answers=dict(TRIAL_ANSWERS), commissioner=commissioner
    )
    told = wide.do(lambda w: checking.check_initiation(w, wide.office, CLINICIAN, again))
    done = wide.trial(commissioner=commissioner)
    assert told.decision.outcome is Outcome.REFERRED
    assert list(told.decision.reasons) == done.decision.reasons
    assert (done.request.state, done.approval) == (S.REFERRED, None)
    assert done.decision.reasons[-1] == (
        f"An earlier form of this patient for this policy was before a panel, which {did} on "
        "15 June 2026. It decides on the new form too."
    )
    assert replays(wide, done) == 1
    assert wide.trial(patient=patient(2)).request.state is S.APPROVED


def test_a_new_form_that_is_corrected_does_not_go_past_the_panel_either(wide: World) -> None:
    says(wide, wide.trial(answers=UNUSUAL), "decline")
    again = wide.trial()
    assert again.request.state is S.REFERRED
    for _ in range(2):
        done = correct(wide, again, score="5.5")
        assert (done.request.state, done.approval) == (S.REFERRED, None)
        assert "decides on the new form too" in " ".join(done.decision.reasons)


def test_once_the_panel_approved_the_policy_decides_again(wide: World) -> None:
    view = wide.trial(answers=UNUSUAL)
    says(wide, view, "decline")
    correct(wide, view, usual=True)
    says(wide, view, "approve")
    wide.change(
        view.request.treatment_id, Kind.STOP, from_day=wide.moment.day, stop_reason=StopReason.OTHER
    )
    wide.on(D(2027, 1, 11))
    assert wide.trial(decision_to_treat=D(2027, 1, 11)).request.state is S.APPROVED


def test_a_form_that_was_never_before_a_panel_and_one_of_another_hospital_hold_nothing_up(
    wide: World,
) -> None:
    low = wide.trial(answers={**TRIAL_ANSWERS, "score": "4.0"})
    assert low.request.state is S.CRITERIA_NOT_MET
    declined = wide.trial(OTHER_CLINICIAN, answers=UNUSUAL)
    refused = wide.do(
        lambda w: reviewing.panel_decline(
            w, wide.office, COMMISSIONER, declined.request.id, "no", declined.request.version
        )
    )
    assert refused.request.state is S.DECLINED
    assert wide.trial().request.state is S.APPROVED


def test_a_continuation_that_the_panel_declined_comes_back_to_it(bare: World) -> None:
    refers = TRIAL_TEXT.replace(
        "met_when: score_now < score, source: made_up,",
        "met_when: score_now < score, source: made_up, on_failure: refer,",
    )
    bare.office = Office(Library([load_policy(refers, "refers.yaml")]), demonstration=True)
    treatment = bare.trial().request.treatment_id
    bare.first_dose(treatment, D(2026, 6, 15))
    bare.on(D(2027, 5, 20))
    asked = bare.carry_on(treatment, answers={"score_now": "7.0"})
    assert says(bare, asked, "decline").request.state is S.DECLINED
    command = FollowUpCommand(
        treatment_id=treatment,
        kind=Kind.CONTINUATION,
        decision_to_treat=bare.moment.day,
        answers={"score_now": "3.0"},
    )
    told = bare.do(lambda w: checking.check_follow_up(w, bare.office, CLINICIAN, command))
    done = bare.carry_on(treatment, answers={"score_now": "3.0"})
    assert done.request.state is S.REFERRED
    assert list(told.decision.reasons) == done.decision.reasons
    assert says(bare, done, "approve").approval.basis is Basis.PANEL
