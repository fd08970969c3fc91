"""Frozen types of break-glass access, and what follows from them at a moment. Pure."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DEFAULT_MINUTES: Final = 240
DEFAULT_PER_HOUR: Final = 10


class BreakGlassReason(StrEnum):
    """Why a clinician opens what other providers hold. The words beside it say the rest."""

    EMERGENCY = "emergency"
    ADVERSE_EFFECT = "adverse effect"
    UNPLANNED_ADMISSION = "unplanned admission"
    CANNOT_SAY = "patient cannot say"
    OTHER = "other safety reason"


class GrantState(StrEnum):
    """Whether access is open: worked out each time, never stored."""

    OPEN = "open"
    ENDED = "ended early"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class BreakGlassLimits:
    """For how many minutes one declaration opens a record, and how often one caller may declare."""

    minutes: int = DEFAULT_MINUTES
    per_hour: int = DEFAULT_PER_HOUR


@dataclass(frozen=True, slots=True)
class Grant:
    """One declaration: whose record, by whom, why, from when and for how long."""

    id: str
    patient_id: str
    organisation: str
    opened_by: str
    role: str
    reason: BreakGlassReason
    words: str
    opened_at: dt.datetime
    minutes: int
    ended_at: dt.datetime | None
    ended_by: str | None

    @property
    def expires_at(self) -> dt.datetime:
        """The instant from which it opens nothing any more, unless it was ended before."""
        return self.opened_at + dt.timedelta(minutes=self.minutes)

    def state(self, at: dt.datetime) -> GrantState:
        """Open, ended early or expired, at an instant."""
        if self.ended_at is not None:
            return GrantState.ENDED
        return GrantState.OPEN if at < self.expires_at else GrantState.EXPIRED
