"""A world for the fuzz run: three families of organisations, and every kind of object of the first.

It is built once over the API and by the worker, kept, and copied for each round, so that every
round begins alike. No organisation of one family has a part in anything of the other's: what
a caller of one is told of the other's patients is a leak.
"""

import datetime as dt
import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from sqlalchemy import Engine

from app.approvals.library import Library
from app.auth.model import Role
from app.db.transaction import Database
from app.main import create_app
from app.settings import Settings
from tests.functional.approvals.api import (
    Clock,
)
from tests.functional.approvals.conftest import PEOPLE
from tests.fuzz.grounds import Engines, Ground

KEY: Final = b"the key of the fuzz run, which is 32 characters or more"
PUBLIC_URL: Final = "https://assent.example"
BEGUN: Final = dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC)
#: What a round reads as now, in turns: while all is new, later that month, at the first review.
DAYS: Final = (BEGUN, BEGUN + dt.timedelta(days=9), BEGUN + dt.timedelta(days=170))
#: The directory has no third invented payer: the codes of the last are real, all else of it is not.
FAMILIES: Final[Mapping[str, str]] = {
    "DEMO1": "A", "DEMO2": "A", "DEMQ1": "A", "DEMP1": "A",
    "DEMO3": "B", "DEMQ2": "B", "DEMP2": "B",
    "RTG": "C", "QJ2": "C", "DEMP3": "C",
}  # fmt: skip
#: Who calls beside the people of the functional tests: a short name → organisation and role.
MORE: Final[Mapping[str, tuple[str, Role]]] = {
    "second panel member": ("DEMP1", Role.PANEL_MEMBER),
    "paying auditor": ("DEMQ1", Role.AUDITOR),
    "other delegate": ("DEMO2", Role.DELEGATE),
    "third delegate": ("DEMO3", Role.DELEGATE),
    "third auditor": ("DEMO3", Role.AUDITOR),
    "third administrator": ("DEMO3", Role.ADMINISTRATOR),
    "fourth administrator": ("DEMO3", Role.ADMINISTRATOR),
    "other policy author": ("DEMQ2", Role.POLICY_AUTHOR),
    "other paying auditor": ("DEMQ2", Role.AUDITOR),
    "fifth clinician": ("RTG", Role.CLINICIAN),
    "fifth delegate": ("RTG", Role.DELEGATE),
    "fifth pharmacist": ("RTG", Role.PHARMACIST),
    "fifth auditor": ("RTG", Role.AUDITOR),
    "fifth administrator": ("RTG", Role.ADMINISTRATOR),
    "sixth administrator": ("RTG", Role.ADMINISTRATOR),
    "third commissioner": ("QJ2", Role.COMMISSIONER),
    "third invoice validation": ("QJ2", Role.INVOICE_VALIDATION),
    "third policy author": ("QJ2", Role.POLICY_AUTHOR),
    "third paying auditor": ("QJ2", Role.AUDITOR),
    "third panel member": ("DEMP3", Role.PANEL_MEMBER),
}
#: Words that stand in what a family types of its patients.
WORD: Final = {"A": "Zephaniah", "B": "Melchizedek", "C": "Bartholomew"}
#: Where the invented NHS numbers of a family begin, above those of the functional scene.
FIRST_NUMBER: Final = {"A": 1000, "B": 5000, "C": 7000}
#: The provider and the payer of a family's own requests.
OWN: Final = {"A": ("DEMO1", "DEMQ1"), "B": ("DEMO3", "DEMQ2"), "C": ("RTG", "QJ2")}
KID: Final = "k-fuzz"
#: Registered for the fuzz run: none of its callers is taken away by it.
OLD: Final = "Old system"
#: Registered systems that ask for tokens.
SYSTEM: Final = "Asking system"


@dataclass(frozen=True)
class Seat:
    """Somebody who calls."""

    name: str
    organisation: str
    role: Role
    token: str

    @property
    def family(self) -> str:
        return FAMILIES[self.organisation]


SEATS: Final[tuple[Seat, ...]] = tuple(
    Seat(name, organisation, role, f"token-of-{name.replace(' ', '-')}")
    for name, (organisation, role) in {**PEOPLE, **MORE}.items()
)


@dataclass
class Stage:
    """The service on a world of its own."""

    app: FastAPI
    database: Database
    clock: Clock
    files: Path
    #: Sees every row, whoever's it is.
    sight: Engine


def seeded(seed: str) -> Callable[[int], bytes]:
    """Bytes that look random and repeat with the seed."""
    count = itertools.count(1)
    return lambda size: hashlib.shake_256(f"{seed}/{next(count)}".encode()).digest(size)


def counted(above: int) -> Callable[[], str]:
    """UUIDs that count up."""
    count = itertools.count(above)
    return lambda: f"00000000-0000-4000-8000-{next(count):012d}"


def raised(
    engines: Engines, folder: Path, library: Library, at: dt.datetime, seed: str, ids_above: int
) -> Stage:
    """The service on a database, with its files in a folder."""
    database, now = Database(engines.service, KEY), Clock(at)
    app = create_app(
        Settings(
            demonstration=True,
            data_dir=folder / "var",
            public_url=PUBLIC_URL,
            requests_per_minute=10_000_000,
            guesses_per_hour=1_000,
        ),
        database=database,
        library=library,
        now=lambda: now.instant,
        new_id=counted(ids_above),
        random_bytes=seeded(seed),
    )
    return Stage(app, database, now, folder / "var", engines.sight)


@contextmanager
def copied(
    ground: Ground, base: Path, into: Path, library: Library, turn: int, seed: str
) -> Iterator[Stage]:
    """A copy of the world, at the turn's day."""
    with ground.copied(base, into, turn) as engines:
        yield raised(engines, into, library, DAYS[turn % len(DAYS)], seed, 1_000_000)
    shutil.rmtree(into, ignore_errors=True)
