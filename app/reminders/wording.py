"""A reminder's words. Pure. They count, and never say what to do with a treatment."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from app.reminders.model import Count, Reason

#: Reason → what one is called, and many.
_WORDS: Final[dict[Reason, tuple[str, str]]] = {
    Reason.AUTHORISE: ("request to authorise", "requests to authorise"),
    Reason.PANEL: ("request before your panel", "requests before your panel"),
    Reason.PAYER: (
        "request for your organisation to decide",
        "requests for your organisation to decide",
    ),
    Reason.ANSWER: (
        "request with a question for your organisation",
        "requests with a question for your organisation",
    ),
    Reason.CONSENT: (
        "transfer that needs your organisation's consent",
        "transfers that need your organisation's consent",
    ),
    Reason.DRAFTS: ("form that a colleague prepared", "forms that colleagues prepared"),
    Reason.ENDED: (
        "approval ended in the last 90 days and was not continued",
        "approvals ended in the last 90 days and were not continued",
    ),
    Reason.SOON: (
        "approval ends within 30 days and is due for its continuation",
        "approvals end within 30 days and are due for their continuations",
    ),
    Reason.LATER: ("approval ends in 31 to 90 days", "approvals end in 31 to 90 days"),
    Reason.LAPSES: (
        "approval lapses within 30 days, because no first dose is recorded",
        "approvals lapse within 30 days, because no first dose is recorded",
    ),
}
_BODY: Final = """\
For the {role} at {organisation}, on {day}:

{lines}

Your worklist: {home}

These are counts, without any patient. They leave out patients who have died and treatments that
have ended. Rely on the worklist, not on this message.

An approval is about who pays. That one ends is no reason to change a patient's treatment: the
patient and the people who treat them decide on that.

You asked for this message. It comes at most once a day, and only when something waits.
To have no more of them: {page}
"""


def subject_of(organisation: str, counts: Sequence[Count]) -> str:
    """The subject: how many wait, and where."""
    number = sum(each.number for each in counts)
    return f"Assent: {number} waiting at {organisation}"


def body_of(
    organisation: str,
    role: str,
    day: dt.date,
    counts: Sequence[Count],
    *,
    home: str,
    page: str,
) -> str:
    """The text. `home` and `page` are addresses of the worklist and of the reminders' page."""
    lines = (f"  {each.number:>4}  {_WORDS[each.reason][each.number != 1]}" for each in counts)
    return _BODY.format(
        organisation=organisation,
        role=role,
        day=f"{day.day} {day:%B %Y}",
        lines="\n".join(lines),
        home=home,
        page=page,
    )
