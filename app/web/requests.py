"""A request's page: what was decided and why, what to do next, and the steps of its own team."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from app.api.requests_model import RequestDocument, request_document
from app.api.treatments_model import TreatmentDocument, treatment_document
from app.approvals import amending, correcting, store
from app.approvals.attaching import CLOSED, attachments_of
from app.approvals.begun_answers import find_begun
from app.approvals.lifecycle import REQUEST_TRANSITIONS, RequestEvent, RequestState
from app.approvals.permissions import Action, can, check_can
from app.approvals.replaying import version_of_request
from app.approvals.views import request_view, treatment_view
from app.audit import Reading
from app.auth.model import Caller
from app.auth.sessions import Session
from app.authoring.show import as_pdf, sets_pdfs
from app.db.work import Work
from app.policy import PolicyVersion, label_of
from app.problems import NOT_READY, DoorProblem
from app.web.acting import act_once, fresh_name
from app.web.answering import ANSWERABLE
from app.web.begun import begun_at, begun_words
from app.web.callers import caller_of, read_recorded, this_office, version_in
from app.web.correction import event_for
from app.web.decision import cover_pairs, outcome_of, policy_link, request_pairs
from app.web.decision_paper import as_typst
from app.web.doses_given import ruling_pairs
from app.web.form.fields import answer_words
from app.web.individual_funding import may_ask
from app.web.library.view import sections
from app.web.pages import PageRoute, check_csrf, door_of, go
from app.web.panel_votes import vote_pairs, vote_rows
from app.web.rendering import page
from app.web.said_before import said_before
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath
from app.web.steps import decides_it, next_for, steps_for
from app.web.words import instant_words

router = APIRouter(prefix="/requests", route_class=PageRoute, include_in_schema=False)

_OPEN: Final = frozenset(
    {
        RequestState.MORE_INFORMATION_NEEDED,
        RequestState.RETURNED,
        RequestState.REFERRED,
        RequestState.CRITERIA_NOT_MET,
        RequestState.AWAITING_AUTHORISATION,
        RequestState.AWAITING_CONSENT,
    }
)
_DEMONSTRATION: Final = "Demonstration: everything here is invented."
NO_REASON: Final = "Say why: nothing was done without it"
MissingQuery = Annotated[str, Query(max_length=30, pattern="^[a-z-]+$")]


@router.get("/{id}")
def show(
    request: Request, session: SignedInBrowser, id: IdPath, missing: MissingQuery = ""
) -> Response:
    """The request as it stands; `missing` names a step that was sent without its reason."""
    return request_page(request, session, id, missing)


@dataclass(frozen=True, slots=True)
class Refused:
    """A step that was not taken: why, where in its form, and what was typed."""

    said: str
    at: str
    typed: Mapping[str, str]


def request_page(
    request: Request,
    session: Session,
    id: str,
    missing: str = "",
    refused: Refused | None = None,
    status: int = 200,
) -> Response:
    """The page of a request; where a step was refused, with what was typed for it."""
    caller = caller_of(request, session)
    errors = [{"text": NO_REASON, "href": f"#{missing}-reason"}] if missing else []
    if refused is not None:
        errors = [{"text": refused.said, "href": f"#{refused.at}"}]
    document, treatment, version = _seen(request, session, id, "request read")
    own = document.provider == caller.organisation
    may = _steps(caller, document) if own else {}
    return page(
        request,
        "request.html",
        status=status,
        session=session,
        document=document,
        treatment=treatment,
        policy=version,
        outcome=outcome_of(document, version),
        before=said_before(document.decisions),
        what_next=next_for(caller, document),
        next=_approval_next(document, treatment),
        covers=cover_pairs(document),
        ruling=ruling_pairs(document),
        about=request_pairs(document, treatment.patient, version.title),
        decided_by=policy_link(document),
        asks=may_ask(caller, document),
        once=fresh_name(request),
        files=door_of(request).read(lambda work: attachments_of(work, caller, id)),
        pdf=sets_pdfs(),
        answers=_answer_rows(document, version),
        may=may,
        begun=_begun(request, caller, document)
        if may.get("answer") or may.get("correct")
        else None,
        steps=steps_for(caller, document),
        sections=sections(version) if decides_it(caller, document) else (),
        votes=vote_rows(document),
        missing=missing,
        lacking=tuple(label_of(version, each.name) for each in document.missing),
        errors=errors,
        refused=refused,
    )


@router.get("/{id}/decision.pdf")
def decision_paper(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """The same as a PDF to print, or to put into the patient's record."""
    document, treatment, version = _seen(request, session, id, "decision taken as a PDF")
    if not sets_pdfs():
        raise DoorProblem(NOT_READY, "PDFs are not set up here. Print the request's page instead.")
    marks = [_DEMONSTRATION] if request.app.state.settings.demonstration else []
    if document.policy.draft:
        marks.append(document.policy.draft)
    now = door_of(request).moment().instant
    text = as_typst(
        version.title,
        outcome_of(document, version),
        marks,
        document.approval.reference if document.approval else None,
        [document.next, *filter(None, [_approval_next(document, treatment)])],
        cover_pairs(document),
        ruling_pairs(document),
        request_pairs(document, treatment.patient, version.title),
        vote_pairs(document),
        tuple(row[:2] for row in _answer_rows(document, version)),
        f"Assent, request {id}, as it stood on {instant_words(now)}",
    )
    return Response(
        as_pdf(text),
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="decision-{id}.pdf"'},
    )


def _begun(request: Request, caller: Caller, document: RequestDocument) -> tuple[str, str] | None:
    """That new answers were typed and not sent, and the page on which they go on."""
    found = door_of(request).read(
        lambda work: find_begun(work, store.find_request(work, caller, document.id))
    )
    if found is None:
        return None
    answerable = document.state in ANSWERABLE
    return begun_words(found, caller), begun_at(found, document, answerable=answerable)


def _approval_next(document: RequestDocument, of: TreatmentDocument) -> str:
    """What to do next with the request's approval, as its treatment tells; empty without one."""
    own = document.approval
    if own is None:
        return ""
    return next((each.next for each in of.approvals if each.reference == own.reference), own.next)


def _seen(
    request: Request, session: Session, id: str, what: str
) -> tuple[RequestDocument, TreatmentDocument, PolicyVersion]:
    """A request with its treatment and version; that it was read is on record as `what`."""
    caller, office = caller_of(request, session), this_office(request)

    def read(
        work: Work,
    ) -> tuple[tuple[RequestDocument, TreatmentDocument, PolicyVersion], Reading]:
        view = request_view(work, caller, id)
        document = request_document(work, office, caller, view)
        treatment = treatment_document(
            work, office, caller, treatment_view(work, caller, document.treatment_id)
        )
        version = version_of_request(work, office.library_at(work), view.request)
        return (document, treatment, version), Reading(what, document.treatment_id, id)

    return read_recorded(request, caller, read)


@router.post("/{id}/withdraw")
def withdraw(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Take back a request that waits."""
    return _step(request, session, id, form, Action.WITHDRAW, amending.withdraw)


@router.post("/{id}/escalate")
def escalate(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Send a request whose criteria are not met to the panel."""
    return _step(request, session, id, form, Action.ESCALATE, amending.escalate)


@router.post("/{id}/enter-in-error")
def enter_in_error(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Take a whole request back, on record."""
    return _step(request, session, id, form, Action.CORRECT, correcting.enter_in_error)


def _step(
    request: Request,
    session: Session,
    id: str,
    form: dict[str, str],
    action: Action,
    take: Callable[[Work, Caller, str, str, int | None], Any],
) -> Response:
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, action)
    reason, version = form.get("reason", "").strip(), version_in(form)
    if not reason:
        name = request.scope["route"].path.rsplit("/", 1)[-1]
        return go(f"/requests/{id}?missing={name}#reason")

    def run(work: Work) -> str:
        take(work, caller, id, reason, version)
        return f"/requests/{id}"

    return act_once(request, session, form, run)


def _steps(caller: Caller, document: RequestDocument) -> dict[str, bool]:
    """The steps that the reader may take on their own organisation's request now."""
    state = document.state
    failed = [f for d in document.decisions[-1:] for f in d.findings if f.result == "not met"]
    return {
        "answer": state in ANSWERABLE and can(caller, Action.AMEND),
        "withdraw": state in _OPEN and can(caller, Action.WITHDRAW),
        "escalate": state is RequestState.CRITERIA_NOT_MET
        and can(caller, Action.ESCALATE)
        and bool(failed)
        and all(f.waivable for f in failed),
        "correct": event_for(document) is not None and can(caller, Action.CORRECT),
        "enter-in-error": (state, RequestEvent.ENTER_IN_ERROR) in REQUEST_TRANSITIONS
        and can(caller, Action.CORRECT),
        "attach": can(caller, Action.ATTACH) and state not in CLOSED,
        "continue": document.approval is not None and can(caller, Action.PREPARE),
    }


def _answer_rows(
    document: RequestDocument, version: PolicyVersion
) -> list[tuple[str, str, str, str]]:
    """Label, answer, origin and name of each answer, in the policy's order."""
    rows = []
    for name, question in version.questions.items():
        given = document.answers.get(name)
        if given is not None:
            said = answer_words(question, given.model_dump(mode="json"))
            rows.append((question.label, said, given.origin, name))
    return rows
