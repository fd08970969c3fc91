"""The votes of a panel's members in words, where a policy asks for two who agree. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.api.doses_given_model import DosesGivenDocument
from app.api.panel_votes import PanelVoteDocument
from app.api.requests_model import RequestDocument
from app.approvals.seconding import PanelVote
from app.web.decision import Colour, Pairs
from app.web.doses_given import ruled_words
from app.web.words import instant_words

_SAYS: Final = {
    "approved": "to approve",
    "declined": "to decline",
    "overturned": "to overturn the urgent start",
}
_TAGS: Final[dict[str, tuple[str, Colour]]] = {
    "approved": ("Voted to approve", "green"),
    "declined": ("Voted to decline", "orange"),
    "overturned": ("Voted to overturn the urgent start", "orange"),
}


@dataclass(frozen=True, slots=True)
class Labels:
    """What the reader's buttons say; None where they have voted so."""

    approve: str | None
    decline: str | None
    overturn: str


@dataclass(frozen=True, slots=True)
class VoteRow:
    """One member's vote as a page shows it."""

    says: str
    colour: Colour
    by: str
    at: str
    reason: str
    waived: tuple[str, ...]
    ruled: str
    state: str


def vote_rows(document: RequestDocument) -> tuple[VoteRow, ...]:
    """The votes that the reader may see, oldest first."""
    return tuple(_row(each, document) for each in document.panel_votes)


def vote_pairs(document: RequestDocument) -> Pairs:
    """The votes that became a decision, for paper: who and when, and why."""
    return tuple(
        (f"{row.says}, {row.by}, {row.at}", _with_waived(row))
        for row, each in zip(vote_rows(document), document.panel_votes, strict=True)
        if each.decision is not None
    )


def waiting_words(votes: Sequence[PanelVote], names: dict[str, str], own: Iterable[str]) -> str:
    """What a list says of a request with these votes; `own` are the reader's credentials."""
    mine = set(own)
    said = [
        f"{'you' if each.voted_by in mine else names.get(each.voted_by, 'a member')} voted "
        f"{_SAYS[each.outcome]}"
        for each in votes
    ]
    if len(votes) > 1:
        return f"Members differ: {', '.join(said)}"
    return f"Waiting for a second member: {said[0]}"


def vote_labels(document: RequestDocument) -> Labels:
    """What the reader's buttons to approve, decline and overturn say.

    Who voted to overturn may still rule otherwise on doses given, so that button stays.
    """
    waiting = [each for each in document.panel_votes if each.waits]
    own = {each.outcome for each in waiting if each.own}
    others = {each.outcome for each in waiting if not each.own}

    def label(outcome: str, plain: str, noun: str) -> str | None:
        if outcome in own:
            return None
        if own:
            return f"Change your vote: {plain.lower()}"
        return f"Confirm the {noun}" if outcome in others else plain

    overturn = "Overturn the urgent start"
    return Labels(
        label("approved", "Approve", "approval"),
        label("declined", "Decline", "refusal"),
        label("overturned", overturn, "overturning") or "Change your ruling on doses given",
    )


def ruled_before(document: RequestDocument) -> DosesGivenDocument | None:
    """The ruling of a vote to overturn that waits: another member's, or else the reader's own."""
    waiting = [v for v in document.panel_votes if v.waits and v.outcome == "overturned"]
    ordered = sorted(waiting, key=lambda each: each.own)
    return ordered[0].doses_given if ordered else None


def waived_before(document: RequestDocument) -> frozenset[str]:
    """What a vote to approve that waits waives: another member's, or else the reader's own."""
    waiting = [v for v in document.panel_votes if v.waits and v.outcome == "approved"]
    ordered = sorted(waiting, key=lambda each: each.own)
    return frozenset(ordered[0].waived) if ordered else frozenset()


def _row(vote: PanelVoteDocument, document: RequestDocument) -> VoteRow:
    says, colour = _TAGS[vote.outcome]
    texts = {f.criterion: f.text for each in document.decisions for f in each.findings}
    return VoteRow(
        says=says,
        colour=colour if vote.waits or vote.decision is not None else "grey",
        by=member_words(vote),
        at=instant_words(vote.voted_at),
        reason=vote.reason,
        waived=tuple(f"{id_}: {texts.get(id_, 'text not on record')}" for id_ in vote.waived),
        ruled=ruled_words(vote.doses_given) if vote.doses_given else "",
        state=_state(vote, document),
    )


def member_words(vote: PanelVoteDocument) -> str:
    """Who voted, as far as the reader is told."""
    if vote.name is None:
        return "a member of the panel"
    return f"{vote.name} (you)" if vote.own else vote.name


def _state(vote: PanelVoteDocument, document: RequestDocument) -> str:
    if vote.decision is not None:
        return "Decided, together with another member."
    if not vote.waits:
        if vote.revision < document.revision:
            return "It was on earlier answers, and counts no more."
        return (
            "It does not count: decided otherwise, replaced, or an interest was declared or a "
            "safety notice began since."
        )
    if vote.own:
        return "It counts. Another member is needed: you cannot vote twice."
    if vote.doses_given is not None:
        return "It counts. It is decided if you rule the same on doses given."
    return "It counts. It is decided if you vote the same, with the same waivers."


def _with_waived(row: VoteRow) -> str:
    said = f"{row.reason} Waived: {'; '.join(row.waived)}." if row.waived else row.reason
    return f"{said} {row.ruled}" if row.ruled else said
