"""Which phase of a treatment a day lies in, and the largest dose then. Pure.

Phases are counted from the first dose; until it is known, from the first covered day.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.approvals.coverage import after
from app.policy import ApprovalTerms, MaxDose, Span


@dataclass(frozen=True, slots=True)
class DatedPhase:
    """A phase with its days, both ends included; `to_day` None has no end."""

    name: str
    from_day: dt.date
    to_day: dt.date | None
    max_dose: Mapping[str, str] | None


def dated_phases(terms: Mapping[str, Any], clock: dt.date) -> Iterator[DatedPhase]:
    """The phases of an approval's carried terms, counted from `clock`."""
    begins = clock
    for phase in terms.get("phases") or ():
        lasts = phase.get("lasts")
        if lasts is None:
            yield DatedPhase(phase["name"], begins, None, phase.get("max_dose"))
            return
        following = after(begins, Span(**lasts))
        last = following - dt.timedelta(days=1)
        yield DatedPhase(phase["name"], begins, last, phase.get("max_dose"))
        begins = following


def largest_dose(terms: ApprovalTerms, clock: dt.date | None, day: dt.date) -> MaxDose | None:
    """The largest dose on a day; before the clock runs, that of the first phase."""
    begins = clock
    for phase in terms.phases or ():
        limit = phase.max_dose or terms.max_dose
        if begins is None or phase.lasts is None:
            return limit
        begins = after(begins, phase.lasts)
        if day < begins:
            return limit
    return terms.max_dose
