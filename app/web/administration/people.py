"""People: roles given by two, taken by one; sessions ended."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.administration_model import EndBody, GrantBody, RoleBody
from app.api.fields import IdPath
from app.approvals import administering
from app.approvals.permissions import Action, check_can
from app.auth.errors import CallerNotAccepted
from app.auth.model import Role
from app.auth.sessions import Session
from app.db.work import Work
from app.problems import BAD_REQUEST, DoorProblem
from app.web.acting import act_once, fresh_name
from app.web.administration.common import HOME, body_or_faults, errors_of, propose_once
from app.web.administration.view import ROLES, person_rows
from app.web.callers import caller_of
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

AT: Final = f"{HOME}/people"
router = APIRouter(prefix=AT, route_class=PageRoute, include_in_schema=False)
_TOLD: Final = {
    "subject": "Enter their id at the provider where people sign in, such as 555012345678.",
    "name": "Enter their name, in up to 120 characters.",
    "role": "Choose a role.",
}
_WHY: Final = "Say why the sessions end."


@router.get("")
def show(request: Request, session: SignedInBrowser) -> Response:
    """Who has a role granted here, who acts here now, and a form to give a role."""
    return _shown(request, session)


@router.post("")
def propose(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """Propose a role for somebody; a second administrator confirms it."""
    check_csrf(session, form)
    check_can(caller_of(request, session), Action.ADMINISTER)
    values = {name: form.get(name, "").strip() for name in _TOLD}
    body, faults = body_or_faults(GrantBody, {"act": "grant role", **values}, _TOLD)
    if body is None:
        return _shown(request, session, faults, values)
    try:
        return propose_once(request, session, form, body)
    except CallerNotAccepted as error:
        return _shown(request, session, {"subject": str(error)}, values)


@router.post("/{id}/withdraw-role")
def withdraw_role(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Take a role back at once; the person's sessions end."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.ADMINISTER)
    body, _ = body_or_faults(RoleBody, {"role": form.get("role", "")}, {})
    if body is None:
        raise DoorProblem(BAD_REQUEST, "The form names no role. Load the page again.")
    role = Role(body.role)

    def take(work: Work) -> str:
        administering.withdraw_role(work, caller, id, role)
        return AT

    return act_once(request, session, form, take)


@router.post("/{id}/end-sessions")
def end_sessions(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """End every session of a person, for a reason that is kept."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.ADMINISTER)
    body, _ = body_or_faults(EndBody, {"reason": form.get("reason", "").strip()}, {})
    if body is None:
        return _shown(request, session, {f"why-{id}": _WHY}, form)
    reason = body.reason

    def take(work: Work) -> str:
        administering.end_sessions(work, caller, id, reason)
        return AT

    return act_once(request, session, form, take)


def _shown(
    request: Request,
    session: Session,
    faults: Mapping[str, str] | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Response:
    caller, told = caller_of(request, session), dict(faults or {})

    def read(work: Work) -> tuple[Any, Any]:
        granted = administering.list_people(work, caller)
        return granted, administering.list_acting(work, caller)

    granted, acting = door_of(request).read(read)
    return page(
        request,
        "administration/people.html",
        status=422 if told else 200,
        session=session,
        people=person_rows(granted, acting, caller.id),
        roles=ROLES,
        once=fresh_name(request),
        typed=typed or {},
        faults=told,
        errors=errors_of(told, "grant"),
    )
