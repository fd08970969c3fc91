"""The home page, and drafts in their plainest form: begin one, and keep what is typed."""

from importlib import resources
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response

from app.approvals import drafting
from app.approvals.drafting import DraftRecord
from app.approvals.errors import DetailsNotAccepted
from app.approvals.permissions import Action, can
from app.audit import Reading, record_reading
from app.auth.errors import NotSignedIn
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.policy import Kind
from app.web.pages import PageRoute, check_csrf, correlation_of, door_of, go, in_role, page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(route_class=PageRoute, include_in_schema=False)

STYLES: Final = resources.files("app.web").joinpath("styles.css").read_text()
#: What the plain page lets be typed; the pages proper are still to come.
FIELDS: Final = {"commissioner": "Commissioner's code", "decision_to_treat": "Decision to treat"}
IdPath = Annotated[str, Path(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


@router.get("/assets/styles.css")
def styles() -> Response:
    """Our own style sheet."""
    return Response(STYLES, media_type="text/css")


@router.get("/")
def home(request: Request, session: SignedInBrowser) -> Response:
    """Who you are, for which organisation, in which role, and the drafts that wait."""
    if session.seat is None:
        return go("/role")
    caller = _caller(request, session)
    found: tuple[DraftRecord, ...] = ()
    if can(caller, Action.PREPARE):
        found = door_of(request).read(lambda work: drafting.open_drafts(work, caller))
    office = request.app.state.office
    return page(
        request,
        "home.html",
        session=session,
        may_prepare=can(caller, Action.PREPARE),
        drafts=found,
        policies=door_of(request).read(lambda work: office.library_at(work).policies()),
    )


@router.post("/drafts")
def begin(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """Begin the form of one policy."""
    check_csrf(session, form)
    caller, policy = _caller(request, session), form.get("policy", "")
    office = request.app.state.office

    def run(work: Work) -> DraftRecord:
        if policy not in office.library_at(work).policies():
            raise DetailsNotAccepted("policy", "Choose a policy of the list.")
        return drafting.prepare(
            work,
            caller,
            kind=Kind.INITIATION,
            policy=policy,
            treatment_id=None,
            form={},
            answers={},
        )

    made = in_role(request, session, run)
    return go(f"/drafts/{made.id}")


@router.get("/drafts/{id}")
def show(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """A draft, with the fields that can be typed here."""
    caller = _caller(request, session)
    door = door_of(request)
    found = door.read(lambda work: drafting.find_draft(work, caller, id))
    reading = Reading("draft read", found.treatment_id, names={"draft": id})
    door.transact(lambda work: record_reading(work, caller.actor(), reading))
    fields = [(name, label, found.form.get(name, "")) for name, label in FIELDS.items()]
    return page(request, "draft.html", session=session, draft=found, fields=fields)


@router.post("/drafts/{id}")
def save(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Keep what was typed, unless somebody changed the draft in between."""
    check_csrf(session, form)
    caller = _caller(request, session)
    version = form.get("version", "")
    typed = {name: form[name] for name in FIELDS if form.get(name)}

    def run(work: Work) -> DraftRecord:
        found = drafting.find_draft(work, caller, id)
        kept = {name: value for name, value in found.form.items() if name not in FIELDS}
        expected = int(version) if version.isascii() and version.isdigit() else 0
        return drafting.change(work, caller, id, kept | typed, found.answers, expected)

    in_role(request, session, run)
    return go(f"/drafts/{id}")


def _caller(request: Request, session: Session) -> Caller:
    if session.seat is None:
        raise NotSignedIn
    return session.caller(correlation_of(request))
