"""A person's reminders by e-mail: the address they go to, and wanting no more of them."""

from fastapi import APIRouter, Request, Response

from app.approvals.permissions import Action, check_can
from app.auth.sessions import Session
from app.db.work import Work
from app.problems import NOT_ALLOWED, DoorProblem
from app.reminders import asking
from app.reminders.errors import AddressNotAccepted
from app.settings import Settings
from app.web.acting import act_once, fresh_name
from app.web.callers import caller_of
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix="/reminders", route_class=PageRoute, include_in_schema=False)


@router.get("")
def show(request: Request, session: SignedInBrowser) -> Response:
    """Where reminders go now, and a form to change that."""
    return _shown(request, session)


@router.post("")
def ask(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """Be reminded at an address from now on."""
    check_csrf(session, form)
    caller, settings = caller_of(request, session), _settings(request)
    check_can(caller, Action.REMIND)
    if not settings.smtp_host:
        raise DoorProblem(
            NOT_ALLOWED,
            "This service sends no e-mail. Ask the people who run it to set a mail server.",
        )
    address = form.get("address", "").strip()

    def take(work: Work) -> str:
        asking.ask(work, caller, address, settings.mail_domains)
        return "/reminders"

    try:
        return act_once(request, session, form, take)
    except AddressNotAccepted as error:
        return _shown(request, session, str(error), address)


@router.post("/end")
def end(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """Have no more reminders."""
    caller = caller_of(request, session)

    def take(work: Work) -> str:
        asking.end(work, caller)
        return "/reminders"

    return act_once(request, session, form, take)


def _shown(request: Request, session: Session, wrong: str = "", typed: str = "") -> Response:
    caller, settings = caller_of(request, session), _settings(request)
    asked = door_of(request).read(lambda work: asking.asked_for(work, caller))
    return page(
        request,
        "reminders.html",
        status=422 if wrong else 200,
        session=session,
        asked=asked,
        other_role=asked is not None and asked.role is not caller.role,
        sends=bool(settings.smtp_host),
        domains=[f"@{each}" for each in settings.mail_domains],
        typed=typed,
        wrong=wrong,
        once=fresh_name(request),
        errors=[{"text": wrong, "href": "#address"}] if wrong else [],
    )


def _settings(request: Request) -> Settings:
    found = request.app.state.settings
    assert isinstance(found, Settings)
    return found
