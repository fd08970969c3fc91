"""Systems: registered by two, their keys added by two and removed by one; long-lived tokens."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.administration_model import ClientBody, KeyBody, KidBody
from app.api.fields import IdPath
from app.approvals import administering
from app.approvals.errors import DetailsNotAccepted
from app.approvals.permissions import Action, check_can
from app.auth.errors import CallerNotAccepted
from app.auth.model import Caller
from app.auth.scopes import SCOPES
from app.auth.sessions import Session
from app.db.work import Work
from app.problems import BAD_REQUEST, DoorProblem
from app.web.acting import act_once, fresh_name
from app.web.administration.common import HOME, body_or_faults, errors_of, propose_once
from app.web.administration.view import ROLES, SCOPE_WORDS, system_rows
from app.web.callers import caller_of
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

AT: Final = f"{HOME}/systems"
router = APIRouter(prefix=HOME, route_class=PageRoute, include_in_schema=False)
_TOLD: Final = {
    "name": "Enter the system's name, in up to 120 characters.",
    "role": "Choose the role that it acts in.",
    "scopes": "Choose at least one thing that it may do.",
}
_KEY_TOLD: Final = {
    "kid": "Enter the key's id: up to 100 letters, digits and . _ : @ / + = ~ - signs.",
    "pem": "Paste the public key, in PEM: it begins with -----BEGIN PUBLIC KEY-----.",
    "client_id": "Load the page again: the system is not known.",
}


@router.get("/systems")
def show(request: Request, session: SignedInBrowser) -> Response:
    """Systems with their keys, callers with a long-lived token, and a form for a new system."""
    return _shown(request, session)


@router.post("/systems")
def propose(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """Propose a system; a second administrator confirms it."""
    check_csrf(session, form)
    check_can(caller_of(request, session), Action.ADMINISTER)
    scopes = [name for name in SCOPES if form.get(f"scope.{name}") == "yes"]
    values = {"name": form.get("name", "").strip(), "role": form.get("role", ""), "scopes": scopes}
    body, faults = body_or_faults(ClientBody, {"act": "register client", **values}, _TOLD)
    if body is None:
        return _shown(request, session, faults, values)
    return propose_once(request, session, form, body)


@router.post("/systems/{id}/keys")
def propose_key(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Propose a key for a system, beside those that it has."""
    check_csrf(session, form)
    check_can(caller_of(request, session), Action.ADMINISTER)
    values = {name: form.get(name, "").strip() for name in ("kid", "pem")}
    body, faults = body_or_faults(
        KeyBody, {"act": "add client key", "client_id": id, **values}, _KEY_TOLD
    )
    if body is not None:
        try:
            return propose_once(request, session, form, body)
        except DetailsNotAccepted as error:
            faults = {"pem": str(error)}
        except CallerNotAccepted as error:
            faults = {"kid": str(error)}
    wrong = {f"{name}-{id}": text for name, text in faults.items()}
    return _shown(request, session, wrong, {f"{k}-{id}": v for k, v in values.items()})


@router.post("/systems/{id}/remove-key")
def remove_key(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Take a key out of use at once."""
    check_csrf(session, form)
    check_can(caller_of(request, session), Action.ADMINISTER)
    body, _ = body_or_faults(KidBody, {"kid": form.get("kid", "")}, {})
    if body is None:
        raise DoorProblem(BAD_REQUEST, "The form names no key. Load the page again.")
    kid = body.kid
    return _once(
        request, session, form, lambda work, caller: administering.remove_key(work, caller, id, kid)
    )


@router.post("/systems/{id}/revoke")
def revoke(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Refuse a system and its tokens at once."""
    return _once(
        request, session, form, lambda work, caller: administering.revoke_client(work, caller, id)
    )


@router.post("/tokens/{id}/revoke")
def revoke_token(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Refuse a long-lived token at once."""
    return _once(
        request, session, form, lambda work, caller: administering.revoke_token(work, caller, id)
    )


def _once(
    request: Request,
    session: Session,
    form: dict[str, str],
    act: Callable[[Work, Caller], None],
) -> Response:
    caller = caller_of(request, session)

    def take(work: Work) -> str:
        act(work, caller)
        return AT

    return act_once(request, session, form, take)


def _shown(
    request: Request,
    session: Session,
    faults: Mapping[str, str] | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Response:
    caller, told = caller_of(request, session), dict(faults or {})

    def read(work: Work) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        clients = administering.list_clients(work, caller)
        return clients, administering.list_callers(work, caller)

    clients, callers = door_of(request).read(read)
    return page(
        request,
        "administration/systems.html",
        status=422 if told else 200,
        session=session,
        systems=system_rows(clients, caller.organisation),
        callers=callers,
        roles=ROLES,
        scopes=SCOPE_WORDS,
        once=fresh_name(request),
        typed=typed or {},
        faults=told,
        errors=errors_of(told, "system"),
    )
