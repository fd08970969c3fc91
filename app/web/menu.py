"""What stands in the menu of a page, for each role."""

from dataclasses import dataclass
from typing import Final

from app.auth.model import Role
from app.auth.sessions import Session

_CARE: Final = (("Start a request", "/start"), ("Find a patient", "/patients"))
_CHECK: Final = (("Check a supply", "/supply-check"),)
_MONEY: Final = (
    ("Submissions", "/submissions"),
    ("Challenges", "/challenges"),
    ("Months", "/slices"),
    ("Supplies to check", "/supply-lists"),
)
_MINUTES: Final = ("Minutes", "/minutes")
_REPORTS: Final = ("Reports", "/reports")
_MENUS: Final[dict[Role, tuple[tuple[str, str], ...]]] = {
    Role.CLINICIAN: (*_CARE, *_CHECK, _REPORTS),
    Role.DELEGATE: (*_CARE, *_CHECK),
    Role.PHARMACIST: (*_CARE, *_CHECK, *_MONEY, _REPORTS),
    Role.INVOICE_VALIDATION: (*_MONEY, ("Decided by hand", "/line-decisions")),
    Role.POLICY_AUTHOR: (("Drafts", "/policy-drafts"), ("Replays", "/replays")),
    Role.PANEL_MEMBER: (_MINUTES,),
    Role.ADMINISTRATOR: (
        ("Proposals", "/administration"),
        ("People", "/administration/people"),
        ("Systems", "/administration/systems"),
        ("Settings", "/administration/settings"),
    ),
    Role.AUDITOR: (
        ("Audit", "/audit"),
        ("Break-glass", "/reports/break-glass"),
        ("Identities shown", "/reports/identifier-access"),
        _REPORTS,
        ("Overview", "/overview"),
        _MINUTES,
    ),
    Role.COMMISSIONER: (
        ("Overview", "/overview"),
        _MINUTES,
        *_MONEY,
        ("Drug names", "/drug-names"),
        ("Decided by hand", "/line-decisions"),
        ("Adoptions", "/adoptions"),
        ("Hand-overs", "/hand-overs"),
        ("Identities shown", "/reports/identifier-access"),
        _REPORTS,
    ),
}


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One place to go to, and whether the page is there."""

    text: str
    href: str
    current: bool


def menu_of(session: Session | None, path: str) -> tuple[MenuItem, ...]:
    """The menu of whoever is signed in and acts in a role; empty for anybody else."""
    if session is None or session.seat is None:
        return ()
    places = (("Home", "/"), *_MENUS.get(session.seat.role, ()), ("Policies", "/library"))
    here = max((href for _, href in places if _is_at(path, href)), key=len, default="")
    return tuple(MenuItem(text, href, href == here) for text, href in places)


def _is_at(path: str, href: str) -> bool:
    return path == href or (href != "/" and path.startswith(f"{href}/"))
