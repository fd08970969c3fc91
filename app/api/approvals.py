"""Approvals: read one by its reference, and resolve a query on it."""

from fastapi import APIRouter, Request, Response

from app.api.approvals_model import ApprovalDocument, approval_document
from app.api.callers import SignedIn
from app.api.fields import ReferencePath
from app.api.headers import IfMatch, etag, version_read
from app.api.reading import read_recorded
from app.api.request_bodies import ReasonBody
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import VERSIONED, ThisOffice, shown
from app.api.veil import Veil
from app.api.writing import NAMED, Answer, write
from app.approvals import reviewing, store
from app.approvals.errors import NotFound
from app.approvals.lifecycle import ApprovalEvent
from app.approvals.office import Office
from app.approvals.permissions import Action, check_can
from app.approvals.views import approvals_beside, treatment_view
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work

router = APIRouter(prefix="/v1/approvals", tags=["approvals"], route_class=StrictRoute)


@router.get(
    "/{reference}",
    summary="Show an approval by its reference",
    response_model=ApprovalDocument,
    responses=VERSIONED,
    openapi_extra=for_roles(Action.READ),
)
def show(
    request: Request, caller: SignedIn, office: ThisOffice, reference: ReferencePath
) -> Response:
    """What it covers, on what terms, under which policy version, and what to do next."""

    def read(work: Work) -> tuple[Response, Reading]:
        check_can(caller, Action.READ)
        found = store.find_approval(work, caller, reference)
        view = treatment_view(work, caller, found.treatment_id)
        # A hospital that handed the treatment over sees the approvals of its own time only.
        for approval in view.approvals:
            if approval.id == found.id:
                document = approval_document(
                    work, office, caller, approval, view.treatment, among=view.approvals
                )
                hidden = Veil.over_treatment(work, caller, found.treatment_id).over(document)
                reading = Reading("approval read", approval.treatment_id, approval.request_id)
                return shown(hidden, approval.version), reading
        raise NotFound("approval")

    return read_recorded(request, caller, read)


@router.post(
    "/{reference}/uphold",
    summary="Uphold an approval under query",
    response_model=ApprovalDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.RESOLVE_QUERY),
)
def uphold(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    reference: ReferencePath,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """The approval stands as it was. For its own commissioner."""
    return _resolve(request, office, caller, if_match, reference, ApprovalEvent.UPHOLD, body.reason)


@router.post(
    "/{reference}/withdraw",
    summary="Withdraw an approval under query",
    response_model=ApprovalDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.RESOLVE_QUERY),
)
def withdraw(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    reference: ReferencePath,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """The approval covers nothing any more; it stays on record. For its own commissioner."""
    return _resolve(
        request, office, caller, if_match, reference, ApprovalEvent.WITHDRAW, body.reason
    )


@router.post(
    "/{reference}/confirm-error",
    summary="Confirm that an approval came of an error",
    response_model=ApprovalDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.RESOLVE_QUERY),
)
def confirm_error(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    reference: ReferencePath,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """The approval under query was entered in error. For its own commissioner."""
    return _resolve(
        request, office, caller, if_match, reference, ApprovalEvent.ENTER_IN_ERROR, body.reason
    )


def _resolve(
    request: Request,
    office: Office,
    caller: Caller,
    if_match: str | None,
    reference: str,
    resolution: ApprovalEvent,
    reason: str,
) -> Response:
    expected = version_read(if_match)

    def run(work: Work) -> Answer:
        approval = reviewing.resolve_query(work, caller, reference, resolution, reason, expected)
        treatment = store.find_treatment(work, caller, approval.treatment_id)
        among = approvals_beside(work, caller, treatment)
        document = approval_document(work, office, caller, approval, treatment, among=among)
        document = Veil.over_treatment(work, caller, treatment.id).over(document)
        return Answer(200, document, {"ETag": etag(approval.version)})

    return write(request, caller, run)
