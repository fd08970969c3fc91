"""The demonstration's organisations and callers, with their public tokens.

The codes are those of the packaged organisation directory, where each is marked as invented. The
tokens are printed here and on the screen: whoever holds one can read invented data only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.audit import Actor
from app.auth.holders import tie
from app.auth.model import Caller, CallerKind, Role
from app.auth.people import known_person
from app.auth.store import register_caller
from app.db.work import Work

PROVIDERS: Final = ("DEMO1", "DEMO2", "DEMO3")
#: Where the demonstration's people sign in; each is known there by their public token.
ISSUER: Final = "demonstration"
ICB, SPECIALISED = "DEMQ1", "DEMQ2"
COMMISSIONERS: Final = (ICB, SPECIALISED)
PANEL: Final = "DEMP1"
PRACTICES: Final = tuple(f"DEMG0{n}" for n in range(1, 7))
#: The trust whose pharmacist authorises before an approval is issued.
WITH_PHARMACIST: Final = "DEMO2"
LOADER: Final = Actor(
    id="assent-demo",
    kind="system",
    organisation="SERVICE",
    role="administrator",
    client="assent demo",
    correlation_id="demonstration",
)


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody who may call: a role at an organisation. `second`: another person in that role."""

    organisation: str
    role: Role
    kind: CallerKind = "person"
    second: bool = False  # where it takes two of a role

    @property
    def token(self) -> str:
        """The public token, such as `demo-demo1-clinician`."""
        what = "system" if self.kind == "system" else self.role.value.replace(" ", "-")
        return f"demo-{self.organisation.lower()}-{what}{'-2' if self.second else ''}"

    @property
    def name(self) -> str:
        what = "System" if self.kind == "system" else self.role.value.capitalize()
        if self.second:
            what = f"Second {what.lower()}"
        return f"{what} of {self.organisation} (demonstration)"


def seats() -> tuple[Seat, ...]:
    """Every role at every organisation that has it."""
    at_provider = (Role.CLINICIAN, Role.DELEGATE, Role.PHARMACIST, Role.AUDITOR)
    at_commissioner = (
        Role.COMMISSIONER,
        Role.INVOICE_VALIDATION,
        Role.POLICY_AUTHOR,
        Role.AUDITOR,
    )
    found = [Seat(code, role) for code in PROVIDERS for role in at_provider]
    found += [Seat(code, Role.CLINICIAN, "system") for code in PROVIDERS]
    found += [Seat(code, role) for code in COMMISSIONERS for role in at_commissioner]
    found.append(Seat(PANEL, Role.PANEL_MEMBER))
    # What takes two people of one organisation can be tried at the integrated care board.
    found += [Seat(ICB, r, second=True) for r in (Role.COMMISSIONER, Role.POLICY_AUTHOR)]
    return tuple(found)


def administrators() -> tuple[Seat, ...]:
    """Two at each of some organisations. They sign in only: no public token may take power away."""
    return tuple(
        Seat(code, Role.ADMINISTRATOR, second=second)
        for code in ("DEMO1", "DEMO2", ICB)
        for second in (False, True)
    )


def only_in_the_browser() -> tuple[Seat, ...]:
    """Who signs in and has no public token: administrators, and a panel's second member."""
    return (*administrators(), Seat(PANEL, Role.PANEL_MEMBER, second=True))


@dataclass(frozen=True, slots=True)
class People:
    """The registered callers, by organisation and role; and the id of every seat's token."""

    callers: Mapping[tuple[str, Role], Caller]
    ids: Mapping[Seat, str]

    def clinician(self, provider: str) -> Caller:
        return self.callers[provider, Role.CLINICIAN]

    def pharmacist(self, provider: str) -> Caller:
        return self.callers[provider, Role.PHARMACIST]

    def commissioner(self, code: str) -> Caller:
        return self.callers[code, Role.COMMISSIONER]

    def panel(self, code: str) -> Caller:
        return self.callers[code, Role.PANEL_MEMBER]


def register(work: Work) -> People:
    """Register every seat with its public token."""
    callers: dict[tuple[str, Role], Caller] = {}
    ids: dict[Seat, str] = {}
    for seat in seats():
        ids[seat], _ = register_caller(
            work,
            LOADER,
            name=seat.name,
            kind=seat.kind,
            organisation=seat.organisation,
            role=seat.role,
            demonstration=True,
            token=seat.token,
        )
        if seat.kind == "person" and not seat.second:
            callers[seat.organisation, seat.role] = Caller(
                id=ids[seat],
                name=seat.name,
                kind=seat.kind,
                organisation=seat.organisation,
                role=seat.role,
                client=ids[seat],
                correlation_id="demonstration",
            )
    return People(callers, ids)


def name_persons(work: Work, people: People) -> None:
    """Tie each person's token to the person who signs in, so that the two count as one."""
    for seat in seats():
        if seat.kind != "person":
            continue
        known = known_person(work, LOADER, issuer=ISSUER, subject=seat.token, name=seat.name)
        if known is not None:
            tie(work, LOADER, people.ids[seat], known.id)
