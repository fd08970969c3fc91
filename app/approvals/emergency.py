"""An urgent start that an office authorised before the form: what it must say.

The form is then retrospective: it names one of the policy's reasons, and the policy's days limit
how long after the first dose it may come (`coverage.check_retrospective`).
"""

import datetime as dt

from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import RequestDetails
from app.clock import london_day
from app.policy import Kind

LONGEST_NAME = 80


def check_emergency(
    details: RequestDetails,
    kind: Kind,
    retrospective_reason: str | None,
    first_dose: dt.date | None,
    now: dt.datetime,
) -> None:
    """Raise DetailsNotAccepted unless an urgent start, if there is one, fits the form.

    `now` is an aware instant. The authorisation comes no later than it, and no later than the day
    of the first dose.
    """
    emergency = details.emergency
    if emergency is None:
        return
    if kind not in (Kind.INITIATION, Kind.CONTINUATION):
        raise _refused("", f"A {kind} is not an urgent start. Leave it out.")
    for name in ("role", "office"):
        if not 1 <= len(getattr(emergency, name).strip()) <= LONGEST_NAME:
            raise _refused(f".{name}", f"Give 1 to {LONGEST_NAME} characters.")
    if emergency.at.tzinfo is None:
        raise _refused(".at", "Give the time with its offset from UTC, e.g. 2026-06-12T03:20:00Z.")
    if emergency.at > now:
        raise _refused(".at", "That time is still ahead. Give when it was authorised.")
    if retrospective_reason is None:
        raise DetailsNotAccepted(
            "retrospective_reason",
            "An urgent start was authorised before this form, so the form is late. Give one of "
            "the policy's reasons for that; without one it is covered from the form on only.",
        )
    if first_dose is not None and london_day(emergency.at) > first_dose:
        raise _refused(".at", "It was authorised after the first dose. Check both days.")


def _refused(part: str, why: str) -> DetailsNotAccepted:
    return DetailsNotAccepted(f"details.emergency{part}", why)
