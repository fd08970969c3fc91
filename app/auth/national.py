"""What the provider says of a person's roles → our roles, by dated settings.

The claims are those of NHS Care Identity (CIS2): `nhsid_useruid`, and `nhsid_nrbac_roles`, a list
whose entries name an organisation (`org_code`) and a national role (`role_code`); where the person
chose one there, `selected_roleid` names its `person_roleid`. Which code means which role is not
built in: each service states it, with the days from and to which it holds.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.auth.model import Role
from app.auth.people import Seat
from app.auth.store import ORGANISATION_CODE
from app.settings import RoleMeaning

USER = "nhsid_useruid"
ROLES = "nhsid_nrbac_roles"
SELECTED = "selected_roleid"


@dataclass(frozen=True, slots=True)
class NationalRole:
    """A national role code, the role that it means here, and the days on which it does."""

    code: str
    role: Role
    from_day: dt.date
    to_day: dt.date | None = None

    def holds(self, code: object, on: dt.date) -> bool:
        """Whether this is the code's meaning on a day.

        A meaning given for a job role alone, such as R8000, holds whatever staff group the claim
        names before it, as in S8000:G8000:R8000.
        """
        if not isinstance(code, str) or self.code not in (code, code.rpartition(":")[2]):
            return False
        return self.from_day <= on and (self.to_day is None or on <= self.to_day)


def meanings(settings: Iterable[RoleMeaning]) -> tuple[NationalRole, ...]:
    """The settings' meanings with our own roles. Raises ValueError for a role that is not ours."""
    found = []
    for each in settings:
        if each.role not in {role.value for role in Role}:
            known = ", ".join(Role)
            raise ValueError(f"ASSENT_NATIONAL_ROLES names an unknown role. Use one of: {known}.")
        found.append(NationalRole(each.code, Role(each.role), each.from_day, each.to_day))
    return tuple(found)


def subject_of(claims: Mapping[str, Any]) -> str | None:
    """The person's id at the provider: Care Identity's own, or the subject of any other."""
    found = claims.get(USER) or claims.get("sub")
    return found if isinstance(found, str) and found else None


def name_of(claims: Mapping[str, Any]) -> str:
    """The name to show; the provider need not give one."""
    found = claims.get("name")
    return found.strip()[:120] if isinstance(found, str) and found.strip() else "Name not given"


def seats_from(
    claims: Mapping[str, Any], meanings: Iterable[NationalRole], on: dt.date
) -> tuple[Seat, ...]:
    """The seats that the claims give on a day. What cannot be read gives none.

    Where the person chose a role at the provider, only that one counts.
    """
    listed = claims.get(ROLES)
    entries: Sequence[Any] = listed if isinstance(listed, list) else []
    chosen = claims.get(SELECTED)
    found: set[Seat] = set()
    known = tuple(meanings)
    for entry in entries:
        if not isinstance(entry, Mapping):
            continue
        if chosen is not None and entry.get("person_roleid") != chosen:
            continue
        code = entry.get("org_code")
        if not isinstance(code, str) or ORGANISATION_CODE.fullmatch(code) is None:
            continue
        roles = (m.role for m in known if m.holds(entry.get("role_code"), on))
        found.update(Seat(code, role) for role in roles)
    return tuple(sorted(found))
