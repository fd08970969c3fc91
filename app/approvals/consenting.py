"""What the receiving provider answers to a transfer."""

from app.approvals.deciding import add_opinion, move, open_request
from app.approvals.effects import take_effect
from app.approvals.lifecycle import RequestEvent, RequestState
from app.approvals.model import Basis, RequestView
from app.approvals.office import Office
from app.approvals.permissions import Action
from app.approvals.replaying import version_of_request
from app.approvals.views import request_view
from app.auth.model import Caller
from app.db.work import Work

MADE_BY = "receiving provider"


def consent(
    work: Work, office: Office, caller: Caller, request_id: str, expected_version: int | None
) -> RequestView:
    """The receiving provider consents to a transfer, and the treatment becomes its own."""
    request, treatment = open_request(
        work, caller, Action.CONSENT, request_id, expected_version, lambda r: r.counterparty
    )
    stored = add_opinion(work, caller, request, treatment, MADE_BY, "approved", None)
    moved = move(work, caller, treatment, request, RequestEvent.CONSENT, RequestState.APPROVED)
    version = version_of_request(work, office.library_at(work), request)
    take_effect(work, caller, treatment, moved, version, stored.id, Basis.POLICY)
    return request_view(work, caller, request_id)


def refuse_consent(
    work: Work, caller: Caller, request_id: str, reason: str, expected_version: int | None
) -> RequestView:
    """The receiving provider refuses a transfer; the treatment stays where it is."""
    request, treatment = open_request(
        work, caller, Action.CONSENT, request_id, expected_version, lambda r: r.counterparty
    )
    add_opinion(work, caller, request, treatment, MADE_BY, "declined", reason)
    move(
        work,
        caller,
        treatment,
        request,
        RequestEvent.REFUSE_CONSENT,
        RequestState.DECLINED,
        reason=reason,
    )
    return request_view(work, caller, request_id)
