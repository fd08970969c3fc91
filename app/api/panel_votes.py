"""The votes of a panel's members as documents, where a policy asks for two who agree."""

from typing import Final, Literal

from pydantic import AwareDatetime, Field

from app.api.documents import Document
from app.api.doses_given_model import DosesGivenDocument, doses_given_document
from app.approvals.library import Library
from app.approvals.model import RequestView
from app.approvals.seconding import votes_shown
from app.auth.holders import same_holder
from app.auth.model import Caller
from app.auth.people import names_of
from app.db.work import Work
from app.policy import PolicyVersion, members_to_agree

ONE: Final = (
    "One of two members has voted. It is decided once another member votes the same, with the same "
    "waivers, or the same ruling on doses given."
)
DIFFER: Final = (
    "Members have voted differently, so nothing is decided. Each may change their own vote; it is "
    "decided once two vote the same, with the same waivers, or the same ruling on doses given."
)


class PanelVoteDocument(Document):
    """What one member of a panel said of a request."""

    revision: int = Field(description="The set of answers that it was made on")
    outcome: Literal["approved", "declined", "overturned"]
    waived: list[str]
    doses_given: DosesGivenDocument | None = Field(
        description="What it says of doses given, where it would overturn an urgent start"
    )
    reason: str
    interest: Literal["none", "declared"] | None
    voted_at: AwareDatetime
    voted_by: str
    name: str | None = Field(description="The member's name, for readers of the same organisation")
    own: bool = Field(description="It is the reader's own, with whichever credential")
    waits: bool = Field(
        description="It counts, and waits for another member. False once it is decided, where the "
        "member voted otherwise later or declared an interest, where a safety notice began since, "
        "and for earlier answers"
    )
    decision: int | None = Field(description="The number of the decision that it made, if it did")


def panel_votes(
    work: Work, library: Library, caller: Caller, view: RequestView, version: PolicyVersion
) -> list[PanelVoteDocument]:
    """The votes on a request that the caller may read, oldest first."""
    if members_to_agree(version) == 1:
        return []
    every, waiting = votes_shown(work, library, caller, view.request)
    own = {each.voted_by for each in every if each.organisation == caller.organisation}
    names = names_of(work, own)
    numbers = {each.id: each.number for each in view.decisions}
    return [
        PanelVoteDocument(
            **{name: getattr(each, name) for name in _SAME},
            doses_given=doses_given_document(each.doses_given),
            name=names.get(each.voted_by),
            own=same_holder(work, each.voted_by, caller.id),
            waits=each in waiting,
            decision=numbers.get(each.decision_id or ""),
        )
        for each in every
    ]


_SAME: Final = ("revision", "outcome", "waived", "reason", "interest", "voted_at", "voted_by")


def with_votes(step: str, votes: list[PanelVoteDocument]) -> str:
    """What to do next about a request, with what the votes that wait say."""
    waiting = [each for each in votes if each.waits]
    if not waiting:
        return step
    return f"{step} {ONE if len(waiting) == 1 else DIFFER}"
