"""What is handed over, and what became of it. Pure."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from app.approvals.reassigning import Giving


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be handed over: a drug's treatments, to whom, from which day, and why."""

    receiver: str
    drug: str
    from_day: dt.date
    why: str


@dataclass(frozen=True, slots=True)
class Charged:
    """The lines of the newest runs that state days which would go over, and pounds of them."""

    lines: int
    accepted: Decimal
    queried: Decimal


@dataclass(frozen=True, slots=True)
class HandOver:
    """A hand-over that waits for a second person, or what became of it.

    The counts are those that were shown when it was proposed; `lines`, `accepted` and `queried`
    (pounds) are None where the newest runs are too large to be read line by line.
    """

    id: str
    organisation: str
    receiver: str
    drug: str
    from_day: dt.date
    why: str
    state: str  # waiting | under way | confirmed | declined
    treatments: int
    approvals: int
    segments: int
    waiting: int
    lines: int | None
    accepted: Decimal | None
    queried: Decimal | None
    touched: str
    proposed_by: str
    proposed_by_name: str
    proposed_at: dt.datetime
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: dt.datetime | None = None
    number: int | None = None

    @property
    def giving(self) -> Giving:
        """What it does."""
        return Giving(self.id, self.organisation, self.receiver, self.drug, self.from_day)
