"""Settings of the organisation: as they hold, and proposing another value from a day on."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.administration_model import SettingBody
from app.approvals import settling
from app.approvals.errors import DetailsNotAccepted
from app.approvals.permissions import Action, check_can
from app.auth.sessions import Session
from app.problems import BAD_REQUEST, DoorProblem
from app.web.acting import fresh_name
from app.web.administration.common import HOME, body_or_faults, errors_of, propose_once
from app.web.administration.view import SETTINGS, setting_words
from app.web.callers import caller_of
from app.web.form.typed import day_parts, typed_day
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix=f"{HOME}/settings", route_class=PageRoute, include_in_schema=False)
_YES_OR_NO: Final = frozenset({"pharmacist_authorisation", "back_entry_covers"})
_TOLD: Final = {
    "value": "This setting cannot hold that. See the example above the field.",
    "from_day": "Enter the first day, today or later, such as 15 7 2026.",
}


@router.get("")
def show(request: Request, session: SignedInBrowser) -> Response:
    """Each setting as it holds today."""
    return _shown(request, session)


@router.post("")
def propose(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """Propose another value from a day on; a second administrator confirms it."""
    check_csrf(session, form)
    check_can(caller_of(request, session), Action.ADMINISTER)
    name = form.get("setting", "")
    if name not in SETTINGS:
        raise DoorProblem(BAD_REQUEST, "The form names no setting. Load the page again.")
    values = {
        "act": "change setting",
        "setting": name,
        "value": _typed_value(name, form.get("value", "")),
        "from_day": typed_day(f"{name}-from", form) or "",
    }
    body, faults = body_or_faults(SettingBody, values, _TOLD)
    if body is not None:
        try:
            return propose_once(request, session, form, body)
        except DetailsNotAccepted as error:
            faults = {error.field: _TOLD.get(error.field, str(error))}
    wrong = {f"{name}-{_ANCHORS[field]}": text for field, text in faults.items()}
    return _shown(request, session, wrong, form)


_ANCHORS: Final = {"value": "value", "from_day": "from", "setting": "value"}


def _typed_value(name: str, text: str) -> Any:
    """What a field says: yes or no, one code, lines of policy and code, or lines of drugs."""
    if name in _YES_OR_NO:
        return {"yes": True, "no": False}.get(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if name == "approval_not_required":
        return [line.lower() for line in lines]
    if len(lines) == 1 and ":" not in lines[0]:
        return lines[0].upper()
    parts = [line.partition(":") for line in lines]
    return {key.strip(): code.strip().upper() for key, _, code in parts}


def _shown(
    request: Request,
    session: Session,
    faults: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    caller, told, given = caller_of(request, session), dict(faults or {}), dict(typed or {})
    check_can(caller, Action.ADMINISTER)
    held = door_of(request).read(
        lambda work: settling.settings_of(work, caller.organisation, work.moment.day)
    )
    chosen = given.get("setting")
    rows = [
        {
            "name": name,
            "title": title,
            "hint": hint,
            "now": setting_words(held.get(name)),
            "yes_or_no": name in _YES_OR_NO,
            "typed": given.get("value", "") if name == chosen else "",
            "day": day_parts(typed_day(f"{name}-from", given)),
        }
        for name, (title, hint) in SETTINGS.items()
    ]
    return page(
        request,
        "administration/settings.html",
        status=422 if told else 200,
        session=session,
        rows=rows,
        chosen=chosen,
        once=fresh_name(request),
        faults=told,
        errors=errors_of(told, "setting"),
    )
