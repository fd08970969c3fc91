"""Approvals proposed for lines whose patient is not known: the evidence, and accepting or refusing.

Nobody is shown a value of a line or a patient here, as over the API (ADR 48): only how far each
field agrees.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from app.api.fields import IdPath
from app.api.linkage import (
    AcceptBody,
    ProposalDocument,
    RefuseBody,
    list_document,
    proposal_document,
)
from app.api.linkage import ProposalList as Proposals
from app.api.submissions import UuidPath, desk_of
from app.approvals.permissions import Action, can, check_can
from app.audit import Reading
from app.auth.sessions import Session
from app.db.work import Work
from app.reconciliation.errors import StepNotPossible
from app.reconciliation.linkage import proposing
from app.reconciliation.linkage.proposing import Accepting
from app.web.acting import act_once, body_of, fresh_name
from app.web.callers import caller_of, read_recorded
from app.web.desk.links_view import (
    WAITING,
    counted_lines,
    left_words,
    link_rows,
    listed_words,
    proposal_view,
)
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(route_class=PageRoute, include_in_schema=False)

#: Proposals on a page.
LISTED: Final = 100
_WHY: Final = "Say how you know, in up to 2,000 characters."
_WHICH: Final = "Choose which of the approvals is the line's."


@router.get("/submissions/runs/{run}/links")
def list_links(
    request: Request,
    session: SignedInBrowser,
    run: UuidPath,
    show: Annotated[str | None, Query(max_length=20)] = None,
    after: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> Response:
    """What is proposed for the run's lines, the most costly first, and how the others ended."""
    caller = caller_of(request, session)
    check_can(caller, Action.PROPOSE_LINKS)
    state = "open" if show == WAITING else None

    def read(work: Work) -> tuple[Proposals, Reading]:
        found = proposing.list_proposals(work, caller, run, LISTED, after, state)
        return list_document(run, found), Reading("linkage proposals read", names={"run": run})

    found = read_recorded(request, caller, read)
    return page(
        request,
        "desk/links.html",
        session=session,
        run=run,
        found=found,
        rows=link_rows(found),
        told=listed_words(found, only_waiting=state is not None, after=after),
        lines=counted_lines(found),
        left=left_words(found),
        once=fresh_name(request),
    )


@router.post("/submissions/runs/{run}/links")
def propose(
    request: Request, session: SignedInBrowser, run: UuidPath, form: FormFields
) -> Response:
    """Have approvals proposed, against those that stand now."""
    caller = caller_of(request, session)

    def queue(work: Work) -> str:
        return f"/submissions/jobs/{proposing.queue(work, caller, run)}"

    return act_once(request, session, form, queue)


@router.get("/linkage-proposals/{id}")
def show(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """One proposal with the evidence, field by field."""
    return _shown(request, session, id)


@router.post("/linkage-proposals/{id}/accept")
def accept(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """It becomes a match by hand, with all other tests; compared again first."""
    check_csrf(session, form)
    caller, desk, door = caller_of(request, session), desk_of(request), door_of(request)
    check_can(caller, Action.DECIDE_LINE)
    typed = {
        "approval_reference": form.get("approval_reference", ""),
        "reason": form.get("reason", "").strip(),
    }
    body, wrong = body_of(AcceptBody, typed)
    if body is None:
        told = {"approval_reference": _WHICH, "reason": _WHY}
        faults = {f"accept-{name}": told[name] for name in told if name in wrong}
        return _shown(request, session, id, faults, form)
    chosen, reason = body.approval_reference, body.reason

    def prepare(work: Work) -> Accepting | StepNotPossible:
        try:
            return proposing.prepare_to_accept(work, desk, caller, id, chosen)
        except StepNotPossible as error:
            return error  # a form sent twice is accepted already, and leads to the same page

    accepting = door.read(prepare)

    def keep(work: Work) -> str:
        if isinstance(accepting, StepNotPossible):
            raise accepting
        _, job = proposing.accept(work, caller, accepting, reason)
        return f"/submissions/jobs/{job}"

    try:
        return act_once(request, session, form, keep)
    except StepNotPossible as error:
        return _shown(request, session, id, {"accept-reason": str(error)}, form)


@router.post("/linkage-proposals/{id}/refuse")
def refuse(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """None of its approvals is the line's: not proposed again unless a side changes."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.PROPOSE_LINKS)
    body, _ = body_of(RefuseBody, {"reason": form.get("reason", "").strip()})
    if body is None:
        return _shown(request, session, id, {"refuse-reason": _WHY}, form)
    reason = body.reason

    def keep(work: Work) -> str:
        after = proposing.refuse(work, caller, id, reason)
        return f"/submissions/runs/{after.run_id}/links"

    try:
        return act_once(request, session, form, keep)
    except StepNotPossible as error:
        return _shown(request, session, id, {"refuse-reason": str(error)}, form)


def _shown(
    request: Request,
    session: Session,
    id: str,
    faults: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    caller = caller_of(request, session)

    def read(work: Work) -> tuple[tuple[ProposalDocument, bool], Reading]:
        found, newest = proposing.show(work, caller, id)
        reading = Reading("linkage proposals read", names={"run": found.run_id})
        return (proposal_document(found), newest), reading

    document, newest = read_recorded(request, caller, read)
    told = dict(faults or {})
    open_ = document.state == "open" and newest
    return page(
        request,
        "desk/link.html",
        status=422 if told else 200,
        session=session,
        view=proposal_view(document),
        newest=newest,
        may={"accept": open_ and can(caller, Action.DECIDE_LINE), "refuse": open_},
        once=fresh_name(request),
        typed=typed or {},
        faults=told,
        errors=[{"text": text, "href": f"#{at}"} for at, text in told.items()],
    )
