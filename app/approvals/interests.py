"""A panel member's declaration of interests: with every decision, and standing aside."""

from app.approvals import store
from app.approvals.deciding import add_opinion, move, open_request
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.lifecycle import RequestEvent, RequestState
from app.approvals.model import Interest, RequestRecord, RequestView, Route, TreatmentRecord
from app.approvals.permissions import Action, check_acts_for
from app.approvals.views import request_view
from app.auth.errors import NotAllowed
from app.auth.holders import same_holder
from app.auth.model import Caller, Role
from app.db.work import Work

STOOD_ASIDE = "stood aside"


def declare_interest(
    work: Work, caller: Caller, request_id: str, interest: str, expected_version: int | None
) -> RequestView:
    """A member declares an interest in a referred request, in words, and may not decide it.

    The request goes on waiting for the other members. Raises TransitionNotAllowed where it waits
    for no panel.
    """
    request, treatment = open_for_panel(work, caller, request_id, expected_version)
    add_opinion(work, caller, request, treatment, "panel", STOOD_ASIDE, interest, Interest.DECLARED)
    step, to = RequestEvent.DECLARE_INTEREST, RequestState.REFERRED
    move(work, caller, treatment, request, step, to, reason=interest)
    return request_view(work, caller, request_id)


def open_for_panel(
    work: Work, caller: Caller, request_id: str, expected_version: int | None
) -> tuple[RequestRecord, TreatmentRecord]:
    """A referred request that the caller read in this version and may decide, both held."""

    def whose(request: RequestRecord) -> str:
        check_decides(caller, request)
        return request.panel or request.commissioner

    return open_request(work, caller, Action.DECIDE_AS_PANEL, request_id, expected_version, whose)


def check_decides(caller: Caller, request: RequestRecord) -> None:
    """A panel member of the request's panel decides; without a panel, its commissioner."""
    if request.route is not Route.POLICY:
        raise TransitionNotAllowed(
            f"The request asks for {request.route}. The commissioner records its decision on that."
        )
    decider = request.panel or request.commissioner
    check_acts_for(caller, Action.DECIDE_AS_PANEL, decider)
    expected = Role.PANEL_MEMBER if request.panel else Role.COMMISSIONER
    if caller.role is not expected:
        raise NotAllowed(
            Action.DECIDE_AS_PANEL.value,
            f"this request waits for a {expected}",
            "Ask the panel or the commissioner that the request names.",
        )


def check_disinterested(
    work: Work, caller: Caller, request: RequestRecord, declares_no_interest: bool
) -> Interest | None:
    """What the caller declares with a decision as the panel.

    A member of a panel must declare that they have no interest; where the commissioner decides in
    a panel's place, it may. Raises NotAllowed for one who declared an interest in this request
    before, and DetailsNotAccepted without a declaration.
    """
    if any(
        decision.interest == Interest.DECLARED
        and decision.decided_by is not None
        and same_holder(work, decision.decided_by, caller.id)
        for decision in store.decisions_of(work, request.id)
    ):
        raise NotAllowed(
            Action.DECIDE_AS_PANEL.value,
            "you declared an interest in this request",
            "Another member decides it.",
        )
    if declares_no_interest:
        return Interest.NONE
    if caller.role is Role.PANEL_MEMBER:
        raise DetailsNotAccepted(
            "declares_no_interest",
            "A member of a panel declares with each decision that they have no interest in it. "
            "Send true, or declare the interest and leave the decision to another member.",
        )
    return None
