"""Frozen types of reminders."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why something waits, in the order of a message."""

    AUTHORISE = "to authorise"
    PANEL = "with the panel"
    PAYER = "with the commissioner"
    ANSWER = "to answer"
    CONSENT = "to consent to"
    DRAFTS = "prepared by others"
    ENDED = "ended, not continued"
    SOON = "ends soon"
    LATER = "ends later"
    LAPSES = "lapses"


@dataclass(frozen=True, slots=True)
class Count:
    """How many wait for one reason."""

    reason: Reason
    number: int


@dataclass(frozen=True, slots=True)
class Message:
    """A digest that is to go out. A repeat of it has the same id, so that mail systems know it."""

    id: str
    organisation: str
    person_id: str
    day: dt.date
    address: str
    subject: str
    body: str
    attempts: int  # this one included
