"""An organisation's own settings: which there are, what each may hold, and changing one."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any, Final

from app.approvals.downtime import BACK_ENTRY_COVERS
from app.approvals.errors import DetailsNotAccepted
from app.approvals.office import (
    APPROVAL_NOT_REQUIRED,
    PANEL,
    PHARMACIST_AUTHORISATION,
    change_setting,
    setting,
)
from app.audit import Actor, Event, record
from app.auth.store import ORGANISATION_CODE
from app.db.work import Work

_KEY: Final = re.compile("[a-z0-9]+([-_][a-z0-9]+)*")


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and ORGANISATION_CODE.fullmatch(value) is not None


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 80 and _KEY.fullmatch(value) is not None


def _is_panels(value: Any) -> bool:
    if _is_code(value):
        return True
    return (
        isinstance(value, dict)
        and 0 < len(value) <= 500
        and all((key == "*" or _is_key(key)) and _is_code(code) for key, code in value.items())
    )


def _is_keys(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 500 and all(_is_key(each) for each in value)


#: Setting → whether it may hold a value, and what to send, in words.
SETTINGS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    PHARMACIST_AUTHORISATION: (
        lambda value: isinstance(value, bool),
        "true where the trust's pharmacist authorises before an approval is issued, else false",
    ),
    PANEL: (
        _is_panels,
        "the code of the panel that decides referred requests, or an object of policy (or *) to "
        "panel",
    ),
    APPROVAL_NOT_REQUIRED: (_is_keys, "a list of drugs that need no approval"),
    BACK_ENTRY_COVERS: (
        lambda value: isinstance(value, bool),
        "true where the commissioner lets a form signed on paper while the service could not be "
        "reached cover from its signature, false where it covers from its entry",
    ),
}


def check_setting(name: str, value: Any, from_day: dt.date, today: dt.date) -> None:
    """Raise DetailsNotAccepted unless the setting may hold the value from that day on.

    A setting never changes for days that are past: decisions were made under the one before.
    """
    if name not in SETTINGS:
        raise DetailsNotAccepted("setting", f"Name one of: {', '.join(SETTINGS)}.")
    fits, words = SETTINGS[name]
    if not fits(value):
        raise DetailsNotAccepted("value", f"For {name}, send {words}.")
    if from_day < today:
        raise DetailsNotAccepted("from_day", "That day is past. Send today or a day ahead.")


def settle(
    work: Work, actor: Actor, organisation: str, name: str, value: Any, from_day: dt.date
) -> None:
    """Change an organisation's setting from a day on, with before and after in the audit log.

    Raises DetailsNotAccepted.
    """
    check_setting(name, value, from_day, work.moment.day)
    before = {"value": setting(work, organisation, name, from_day)}
    change_setting(work, organisation, name, value, from_day, actor.id)
    after = {"setting": name, "value": value, "from_day": from_day.isoformat()}
    event = Event("change setting", "organisation", organisation, before=before, after=after)
    record(work, actor, event)


def settings_of(work: Work, organisation: str, on: dt.date) -> dict[str, Any]:
    """Every setting of an organisation as it holds on a day; None where it was never set."""
    return {name: setting(work, organisation, name, on) for name in SETTINGS}
