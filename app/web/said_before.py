"""What people said of a request before its newest decision, for whoever decides it next. Pure."""

from collections.abc import Sequence
from typing import Final

from app.api.decisions_model import DecisionDocument
from app.approvals.amending import ESCALATED, IN_ERROR, WITHDRAWN
from app.web.words import instant_words

_SAID: Final = {
    "approved": "approved it",
    "declined": "declined it",
    "overturned": "overturned the urgent start",
    "returned": "sent it back",
    "authorised": "authorised it",
    "stood aside": "stood aside",
    ESCALATED: "sent it to the panel",
    WITHDRAWN: "withdrew it",
    IN_ERROR: "marked it as entered in error",
}


def said_before(decisions: Sequence[DecisionDocument]) -> tuple[tuple[str, str], ...]:
    """Who did what when, and why, oldest first; the newest decision stands on the page itself."""
    return tuple(
        (
            f"The {each.made_by} {_SAID.get(each.outcome, each.outcome)}, "
            f"{instant_words(each.decided_at)}",
            each.reason or "No reason on record.",
        )
        for each in decisions[:-1]
        if each.made_by != "policy"
    )
