"""The whole lifecycle as two tables, one for requests and one for approvals.

The policy's decision, the trust pharmacist's authorisation and the commissioner's review are
separate events, so that it always shows who said yes to what. `docs/lifecycle.md` is printed from
these tables and a test fails when it is stale.
"""

from enum import StrEnum

from app.approvals.errors import TransitionNotAllowed


class RequestState(StrEnum):
    NEW = "new"
    MORE_INFORMATION_NEEDED = "more information needed"
    CRITERIA_NOT_MET = "criteria not met"
    REFERRED = "referred"
    RETURNED = "returned"
    AWAITING_AUTHORISATION = "awaiting authorisation"
    AWAITING_CONSENT = "awaiting consent"
    APPROVED = "approved"
    DECLINED = "declined"
    RECORDED = "recorded"
    WITHDRAWN = "withdrawn"
    ENTERED_IN_ERROR = "entered in error"


class RequestEvent(StrEnum):
    SUBMIT = "submit"
    AMEND = "amend"
    WITHDRAW = "withdraw"
    ESCALATE = "escalate"
    AUTHORISE = "authorise"
    REFUSE_AUTHORISATION = "refuse authorisation"
    PANEL_APPROVE = "panel approves"
    PANEL_DECLINE = "panel declines"
    PANEL_OVERTURN = "panel overturns an urgent start"
    PANEL_RETURN = "panel returns"
    DECLARE_INTEREST = "panel member stands aside"
    PANEL_VOTE = "panel member votes"
    FUND = "commissioner funds"
    REFUSE_FUNDING = "commissioner refuses to fund"
    CONSENT = "consent"
    REFUSE_CONSENT = "refuse consent"
    CORRECT = "correct"
    ENTER_IN_ERROR = "mark entered in error"


class ApprovalState(StrEnum):
    LIVE = "live"
    UNDER_QUERY = "under query"
    ENDED = "ended"
    DOSES_GIVEN = "doses given only"  # pays for days of an urgent start that was overturned
    NEVER_STARTED = "never started"
    WITHDRAWN = "withdrawn"
    ENTERED_IN_ERROR = "entered in error"


class ApprovalEvent(StrEnum):
    QUERY = "query"
    UPHOLD = "uphold"
    WITHDRAW = "withdraw"
    END = "end"
    NOT_STARTED = "not started"
    REINSTATE = "reinstate"  # the stop that ended it was entered in error
    ENTER_IN_ERROR = "confirm entered in error"


_R = RequestState
_E = RequestEvent

#: After a policy has decided: which states the request may come to.
_DECIDED = frozenset(
    {
        _R.MORE_INFORMATION_NEEDED,
        _R.CRITERIA_NOT_MET,
        _R.REFERRED,
        _R.AWAITING_AUTHORISATION,
        _R.APPROVED,
    }
)
_ANSWERED = (_R.APPROVED, _R.CRITERIA_NOT_MET, _R.DECLINED, _R.AWAITING_AUTHORISATION, _R.REFERRED)

REQUEST_TRANSITIONS: dict[tuple[RequestState, RequestEvent], frozenset[RequestState]] = {
    (_R.NEW, _E.SUBMIT): _DECIDED | {_R.AWAITING_CONSENT, _R.RECORDED},
    (_R.MORE_INFORMATION_NEEDED, _E.AMEND): _DECIDED,
    (_R.RETURNED, _E.AMEND): _DECIDED,
    (_R.MORE_INFORMATION_NEEDED, _E.WITHDRAW): frozenset({_R.WITHDRAWN}),
    (_R.RETURNED, _E.WITHDRAW): frozenset({_R.WITHDRAWN}),
    (_R.REFERRED, _E.WITHDRAW): frozenset({_R.WITHDRAWN}),
    (_R.AWAITING_AUTHORISATION, _E.WITHDRAW): frozenset({_R.WITHDRAWN}),
    (_R.AWAITING_CONSENT, _E.WITHDRAW): frozenset({_R.WITHDRAWN}),
    (_R.CRITERIA_NOT_MET, _E.ESCALATE): frozenset({_R.REFERRED}),
    (_R.AWAITING_AUTHORISATION, _E.AUTHORISE): frozenset({_R.APPROVED}),
    (_R.AWAITING_AUTHORISATION, _E.REFUSE_AUTHORISATION): frozenset({_R.RETURNED}),
    (_R.REFERRED, _E.PANEL_APPROVE): frozenset({_R.APPROVED, _R.AWAITING_AUTHORISATION}),
    (_R.REFERRED, _E.PANEL_DECLINE): frozenset({_R.DECLINED}),
    # The refusal of an urgent start, stating what it means for doses given.
    (_R.REFERRED, _E.PANEL_OVERTURN): frozenset({_R.DECLINED}),
    (_R.REFERRED, _E.PANEL_RETURN): frozenset({_R.RETURNED}),
    # One member declared an interest and may not decide; the others still may.
    (_R.REFERRED, _E.DECLARE_INTEREST): frozenset({_R.REFERRED}),
    # Where the policy asks for two members, the first one's vote decides nothing.
    (_R.REFERRED, _E.PANEL_VOTE): frozenset({_R.REFERRED}),
    (_R.REFERRED, _E.FUND): frozenset({_R.APPROVED}),
    # Where the request was asked of the commissioner outside the policy.
    (_R.REFERRED, _E.REFUSE_FUNDING): frozenset({_R.DECLINED}),
    (_R.CRITERIA_NOT_MET, _E.FUND): frozenset({_R.APPROVED}),
    (_R.DECLINED, _E.FUND): frozenset({_R.APPROVED}),
    (_R.AWAITING_CONSENT, _E.CONSENT): frozenset({_R.APPROVED}),
    (_R.AWAITING_CONSENT, _E.REFUSE_CONSENT): frozenset({_R.DECLINED}),
    # A correction of an approved request leaves it approved; the approval goes under query when
    # the answer changes, and the commissioner resolves that.
    (_R.APPROVED, _E.CORRECT): frozenset({_R.APPROVED}),
    (_R.CRITERIA_NOT_MET, _E.CORRECT): _DECIDED,
    (_R.DECLINED, _E.CORRECT): frozenset({_R.DECLINED, _R.REFERRED}),
    (_R.AWAITING_AUTHORISATION, _E.CORRECT): _DECIDED,
    (_R.REFERRED, _E.CORRECT): _DECIDED,
    (_R.RECORDED, _E.ENTER_IN_ERROR): frozenset({_R.ENTERED_IN_ERROR}),
    **{(state, _E.ENTER_IN_ERROR): frozenset({_R.ENTERED_IN_ERROR}) for state in _ANSWERED},
    (_R.MORE_INFORMATION_NEEDED, _E.ENTER_IN_ERROR): frozenset({_R.ENTERED_IN_ERROR}),
    (_R.RETURNED, _E.ENTER_IN_ERROR): frozenset({_R.ENTERED_IN_ERROR}),
}

_A = ApprovalState
_V = ApprovalEvent

APPROVAL_TRANSITIONS: dict[tuple[ApprovalState, ApprovalEvent], ApprovalState] = {
    (_A.LIVE, _V.QUERY): _A.UNDER_QUERY,
    (_A.UNDER_QUERY, _V.QUERY): _A.UNDER_QUERY,
    (_A.ENDED, _V.QUERY): _A.UNDER_QUERY,
    (_A.UNDER_QUERY, _V.UPHOLD): _A.LIVE,
    (_A.UNDER_QUERY, _V.WITHDRAW): _A.WITHDRAWN,
    (_A.UNDER_QUERY, _V.ENTER_IN_ERROR): _A.ENTERED_IN_ERROR,
    (_A.LIVE, _V.END): _A.ENDED,
    (_A.UNDER_QUERY, _V.END): _A.UNDER_QUERY,
    (_A.ENDED, _V.REINSTATE): _A.LIVE,
    (_A.UNDER_QUERY, _V.REINSTATE): _A.UNDER_QUERY,
    (_A.LIVE, _V.NOT_STARTED): _A.NEVER_STARTED,
    # It was never live and never becomes so. The panel decides anew on the doses given, or the
    # request that it came of was an error.
    (_A.DOSES_GIVEN, _V.WITHDRAW): _A.WITHDRAWN,
    (_A.DOSES_GIVEN, _V.ENTER_IN_ERROR): _A.ENTERED_IN_ERROR,
}

#: What a commissioner may do with an approval under query.
RESOLUTIONS = frozenset({_V.UPHOLD, _V.WITHDRAW, _V.ENTER_IN_ERROR})

#: Requests that still wait for somebody.
OPEN_STATES = frozenset(
    {
        _R.MORE_INFORMATION_NEEDED,
        _R.REFERRED,
        _R.RETURNED,
        _R.AWAITING_AUTHORISATION,
        _R.AWAITING_CONSENT,
    }
)


def next_states(state: RequestState, event: RequestEvent) -> frozenset[RequestState]:
    """The states that an event may lead to, or TransitionNotAllowed with the events that may."""
    states = REQUEST_TRANSITIONS.get((state, event))
    if states is None:
        possible = sorted(e.value for s, e in REQUEST_TRANSITIONS if s is state)
        raise TransitionNotAllowed(
            f"A request that is '{state}' cannot take the step '{event}'. "
            + (f"Possible steps: {', '.join(possible)}." if possible else "It is closed.")
        )
    return states


def check_transition(state: RequestState, event: RequestEvent, to: RequestState) -> RequestState:
    """The new state, or TransitionNotAllowed when the table has no such step."""
    if to not in next_states(state, event):
        raise TransitionNotAllowed(f"The step '{event}' cannot take a request to '{to}'.")
    return to


def next_approval_state(state: ApprovalState, event: ApprovalEvent) -> ApprovalState:
    """The approval's new state, or TransitionNotAllowed."""
    try:
        return APPROVAL_TRANSITIONS[state, event]
    except KeyError:
        raise TransitionNotAllowed(
            f"An approval that is '{state}' cannot take the step '{event}'."
        ) from None


def diagram() -> str:
    """Both lifecycles as Mermaid state diagrams inside Markdown, for docs/lifecycle.md."""
    lines = ["# Lifecycle", "", "Printed from `app/approvals/lifecycle.py`; do not edit.", ""]
    lines += ["## Requests", "", "```mermaid", "stateDiagram-v2"]
    for (state, event), targets in sorted(REQUEST_TRANSITIONS.items()):
        lines += [f"    {_name(state)} --> {_name(to)}: {event}" for to in sorted(targets)]
    lines += ["```", "", "## Approvals", "", "```mermaid", "stateDiagram-v2"]
    for (current, step), target in sorted(APPROVAL_TRANSITIONS.items()):
        lines.append(f"    {_name(current)} --> {_name(target)}: {step}")
    return "\n".join([*lines, "```", ""])


def _name(state: str) -> str:
    return state.replace(" ", "_")
