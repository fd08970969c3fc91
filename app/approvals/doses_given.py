"""What a refusal of an urgent start says of the doses given before it. Pure.

An urgent start is one that an office authorised before the form (`app.approvals.emergency`). Its
doses were given in good faith before anybody decided on the request, so its refusal states whether
they are paid for. What is paid for is an approval of these days alone: never live, and nothing is
built on it.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.approvals.lifecycle import RequestState
from app.approvals.model import ApprovalRecord, DecisionRecord, RequestRecord
from app.clock import london_day
from app.policy import Kind

#: The outcome of a decision that overturns an urgent start.
OVERTURNED: Final = "overturned"
#: The pattern of an approval that pays for doses given and for nothing else, in its terms.
PATTERN: Final = "doses given only"


@dataclass(frozen=True, slots=True)
class DosesGiven:
    """What was decided of doses given on these days, both included."""

    from_day: dt.date
    to_day: dt.date
    paid: bool

    def to_json(self) -> dict[str, Any]:
        """As it is stored with the decision, and audited."""
        days = {"from_day": self.from_day.isoformat(), "to_day": self.to_day.isoformat()}
        return {**days, "paid": self.paid}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "DosesGiven":
        """From its stored JSON."""
        day = dt.date.fromisoformat
        return cls(day(stored["from_day"]), day(stored["to_day"]), stored["paid"])


def given_since(request: RequestRecord, today: dt.date) -> dt.date | None:
    """The first day of doses given under an urgent start, of the policy or outside it.

    For a first request the day of the first dose, for a continuation that of the authorisation.
    None where nothing began before the form, or the first dose is still ahead.
    """
    emergency = request.details.get("emergency")
    if not emergency:
        return None
    if request.kind is Kind.INITIATION:
        first = request.first_dose
    else:
        first = london_day(dt.datetime.fromisoformat(emergency["at"]))
    return first if first is not None and first <= today else None


def is_of_doses_only(approval: ApprovalRecord) -> bool:
    """Whether an approval pays, or paid, for doses given and for nothing else."""
    return approval.terms.get("pattern") == PATTERN


def ruling_of(
    state: RequestState, decisions: Iterable[DecisionRecord], pays: ApprovalRecord | None
) -> tuple[DecisionRecord, DosesGiven] | None:
    """The decision that overturned a request's urgent start and what it says, while it stands.

    `pays` is the approval of the doses given, if there is one. That they are paid for stands as
    long as it does; that they are not, until the request is decided otherwise.
    """
    last = next((d for d in reversed(tuple(decisions)) if d.outcome == OVERTURNED), None)
    if last is None or last.doses_given is None:
        return None
    given = DosesGiven.from_json(last.doses_given)
    stands = pays is not None if given.paid else state is RequestState.DECLINED
    return (last, given) if stands else None
