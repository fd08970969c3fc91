"""Every edge of both lifecycles: what is in the table is allowed, everything else is refused."""

import itertools

import pytest

from app.approvals.errors import TransitionNotAllowed
from app.approvals.lifecycle import (
    APPROVAL_TRANSITIONS,
    OPEN_STATES,
    REQUEST_TRANSITIONS,
    ApprovalEvent,
    ApprovalState,
    RequestEvent,
    RequestState,
    check_transition,
    next_approval_state,
)

R, E = RequestState, RequestEvent
DECIDED = {
    R.MORE_INFORMATION_NEEDED,
    R.CRITERIA_NOT_MET,
    R.REFERRED,
    R.AWAITING_AUTHORISATION,
    R.APPROVED,
}
#: Written out by hand, so that an edge that creeps into the table fails here.
EXPECTED: dict[tuple[RequestState, RequestEvent], set[RequestState]] = {
    (R.NEW, E.SUBMIT): DECIDED | {R.AWAITING_CONSENT, R.RECORDED},
    (R.MORE_INFORMATION_NEEDED, E.AMEND): DECIDED,
    (R.MORE_INFORMATION_NEEDED, E.WITHDRAW): {R.WITHDRAWN},
    (R.MORE_INFORMATION_NEEDED, E.ENTER_IN_ERROR): {R.ENTERED_IN_ERROR},
    (R.RETURNED, E.AMEND): DECIDED,
    (R.RETURNED, E.WITHDRAW): {R.WITHDRAWN},
    (R.RETURNED, E.ENTER_IN_ERROR): {R.ENTERED_IN_ERROR},
    (R.REFERRED, E.WITHDRAW): {R.WITHDRAWN},
    (R.REFERRED, E.PANEL_APPROVE): {R.APPROVED, R.AWAITING_AUTHORISATION},
    (R.REFERRED, E.PANEL_DECLINE): {R.DECLINED},
    (R.REFERRED, E.PANEL_OVERTURN): {R.DECLINED},
    (R.REFERRED, E.PANEL_RETURN): {R.RETURNED},
    (R.REFERRED, E.DECLARE_INTEREST): {R.REFERRED},
    (R.REFERRED, E.PANEL_VOTE): {R.REFERRED},
    (R.REFERRED, E.FUND): {R.APPROVED},
    (R.REFERRED, E.CORRECT): DECIDED,
    (R.REFERRED, E.ENTER_IN_ERROR): {R.ENTERED_IN_ERROR},
    (R.AWAITING_AUTHORISATION, E.WITHDRAW): {R.WITHDRAWN},
    (R.AWAITING_AUTHORISATION, E.AUTHORISE): {R.APPROVED},
    (R.AWAITING_AUTHORISATION, E.REFUSE_AUTHORISATION): {R.RETURNED},
    (R.AWAITING_AUTHORISATION, E.CORRECT): DECIDED,
    (R.AWAITING_AUTHORISATION, E.ENTER_IN_ERROR): {R.ENTERED_IN_ERROR},
    (R.AWAITING_CONSENT, E.WITHDRAW): {R.WITHDRAWN},
    (R.AWAITING_CONSENT, E.CONSENT): {R.APPROVED},
    (R.AWAITING_CONSENT, E.REFUSE_CONSENT): {R.DECLINED},
    (R.CRITERIA_NOT_MET, E.ESCALATE): {R.REFERRED},
    (R.CRITERIA_NOT_MET, E.FUND): {R.APPROVED},
    (R.CRITERIA_NOT_MET, E.CORRECT): DECIDED,
    (R.CRITERIA_NOT_MET, E.ENTER_IN_ERROR): {R.ENTERED_IN_ERROR},
    (R.DECLINED, E.FUND): {R.APPROVED},
    (R.DECLINED, E.CORRECT): {R.DECLINED, R.REFERRED},
    (R.DECLINED, E.ENTER_IN_ERROR): {R.ENTERED_IN_ERROR},
    (R.REFERRED, E.REFUSE_FUNDING): {R.DECLINED},
    (R.APPROVED, E.CORRECT): {R.APPROVED},
    (R.APPROVED, E.ENTER_IN_ERROR): {R.ENTERED_IN_ERROR},
    (R.RECORDED, E.ENTER_IN_ERROR): {R.ENTERED_IN_ERROR},
}
A, V = ApprovalState, ApprovalEvent
EXPECTED_APPROVALS = {
    (A.LIVE, V.QUERY): A.UNDER_QUERY,
    (A.LIVE, V.END): A.ENDED,
    (A.LIVE, V.NOT_STARTED): A.NEVER_STARTED,
    (A.UNDER_QUERY, V.QUERY): A.UNDER_QUERY,
    (A.UNDER_QUERY, V.UPHOLD): A.LIVE,
    (A.UNDER_QUERY, V.WITHDRAW): A.WITHDRAWN,
    (A.UNDER_QUERY, V.ENTER_IN_ERROR): A.ENTERED_IN_ERROR,
    (A.UNDER_QUERY, V.END): A.UNDER_QUERY,
    (A.UNDER_QUERY, V.REINSTATE): A.UNDER_QUERY,
    (A.ENDED, V.QUERY): A.UNDER_QUERY,
    (A.ENDED, V.REINSTATE): A.LIVE,
    (A.DOSES_GIVEN, V.WITHDRAW): A.WITHDRAWN,
    (A.DOSES_GIVEN, V.ENTER_IN_ERROR): A.ENTERED_IN_ERROR,
}


@pytest.mark.parametrize(
    ("state", "event", "to"), list(itertools.product(RequestState, RequestEvent, RequestState))
)
def test_a_request_takes_the_steps_of_the_table_and_no_other(
    state: RequestState, event: RequestEvent, to: RequestState
) -> None:
    if to in EXPECTED.get((state, event), set()):
        assert check_transition(state, event, to) is to
    else:
        with pytest.raises(TransitionNotAllowed):
            check_transition(state, event, to)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(ApprovalState, ApprovalEvent)))
def test_an_approval_takes_the_steps_of_the_table_and_no_other(
    state: ApprovalState, event: ApprovalEvent
) -> None:
    expected = EXPECTED_APPROVALS.get((state, event))
    if expected is not None:
        assert next_approval_state(state, event) is expected
    else:
        with pytest.raises(TransitionNotAllowed):
            next_approval_state(state, event)


def test_a_refusal_names_the_steps_that_are_possible() -> None:
    with pytest.raises(TransitionNotAllowed, match="amend, mark entered in error, withdraw"):
        check_transition(R.RETURNED, E.AUTHORISE, R.APPROVED)
    with pytest.raises(TransitionNotAllowed, match="It is closed"):
        check_transition(R.WITHDRAWN, E.AMEND, R.APPROVED)


def test_every_open_state_can_be_withdrawn_and_every_state_is_reachable() -> None:
    for state in OPEN_STATES:
        assert (state, E.WITHDRAW) in REQUEST_TRANSITIONS
    reached = {to for targets in REQUEST_TRANSITIONS.values() for to in targets}
    assert reached | {R.NEW} == set(RequestState)
    begun = {A.LIVE, A.DOSES_GIVEN}
    assert set(APPROVAL_TRANSITIONS.values()) | begun == set(ApprovalState)


def test_what_pays_for_doses_given_never_becomes_live_by_any_steps() -> None:
    reached, ask = {A.DOSES_GIVEN}, [A.DOSES_GIVEN]
    while ask:
        state = ask.pop()
        for to in {t for (s, _), t in APPROVAL_TRANSITIONS.items() if s is state} - reached:
            reached.add(to)
            ask.append(to)
    assert reached == {A.DOSES_GIVEN, A.WITHDRAWN, A.ENTERED_IN_ERROR}


def test_only_people_or_a_decision_lead_to_approved() -> None:
    """No step skips the policy, the pharmacist, the panel, the commissioner or the consent."""
    ways = {event for (_, event), targets in REQUEST_TRANSITIONS.items() if R.APPROVED in targets}
    assert ways == {
        E.SUBMIT,
        E.AMEND,
        E.CORRECT,
        E.AUTHORISE,
        E.PANEL_APPROVE,
        E.FUND,
        E.CONSENT,
    }
