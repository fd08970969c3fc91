"""A panel's minutes in words. Pure."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.api.decisions_model import DecisionDocument
from app.api.panel_votes import PanelVoteDocument
from app.api.requests_model import RequestDocument
from app.api.treatments_model import PatientDocument
from app.approvals.doses_given import OVERTURNED
from app.approvals.interests import STOOD_ASIDE
from app.approvals.minutes import Sitting
from app.approvals.model import RECORD_ENDED
from app.web.decision import NO_LONGER_KEPT, Colour, state_words
from app.web.desk.common import organisation_words
from app.web.doses_given import ruled_words
from app.web.words import day_words, first_upper, instant_words

_OUTCOMES: Final[dict[str, tuple[str, Colour]]] = {
    "approved": ("Approved", "green"),
    "declined": ("Declined", "orange"),
    OVERTURNED: ("Urgent start overturned", "orange"),
    "returned": ("Returned with a question", "yellow"),
    STOOD_ASIDE: ("Stood aside", "grey"),
    "voted to approve": ("Voted to approve", "grey"),
    "voted to decline": ("Voted to decline", "grey"),
    "voted to overturn": ("Voted to overturn the urgent start", "grey"),
}
_VOTES: Final = {
    "approved": "voted to approve",
    "declined": "voted to decline",
    OVERTURNED: "voted to overturn",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A request as the reader may see it, with its treatment in words."""

    document: RequestDocument
    patient: PatientDocument
    treatment: str


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One thing that one member decided or declared."""

    outcome: str
    colour: Colour
    at: str
    by: str
    reason: str
    doses_given: str  # what overturning an urgent start says of them; else empty
    waived: tuple[str, ...]
    interest: str
    two_people: str
    same_person: bool
    #: The vote that it agrees with, and who gave it, where the policy asks for two.
    agrees: str | None = None
    agreed_with: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A request on the minutes."""

    number: int
    title: str
    href: str
    facts: tuple[tuple[str, str], ...]
    draft: str | None  # what is said of the policy, where it is a draft
    decisions: tuple[DecisionRow, ...]


@dataclass(frozen=True, slots=True)
class Minutes:
    """The whole page."""

    members: tuple[str, ...]
    conflicts: tuple[str, ...]
    counts: str
    items: tuple[Item, ...]
    more: bool


def minutes_of(found: Iterable[Found], sitting: Sitting) -> Minutes:
    """The minutes of a period, in the order of the first decision on each request."""
    items = tuple(_item(n, each, sitting) for n, each in enumerate(found, start=1))
    rows = [row for item in items for row in item.decisions]
    conflicts = [
        f"{row.by}, on request {item.number}: {row.reason}"
        for item in items
        for row in item.decisions
        if row.outcome == _OUTCOMES[STOOD_ASIDE][0]
    ]
    return Minutes(
        members=tuple(sorted({name for r in rows for name in (r.by, r.agreed_with) if name})),
        conflicts=tuple(conflicts),
        counts=_counts([row.outcome for row in rows]),
        items=items,
        more=sitting.more,
    )


def _counts(outcomes: list[str]) -> str:
    names = [name for name, _ in _OUTCOMES.values()]
    return ", ".join(
        f"{outcomes.count(name)} {name[:1].lower()}{name[1:]}" for name in names if name in outcomes
    )


def _item(number: int, found: Found, sitting: Sitting) -> Item:
    document, patient = found.document, found.patient
    pseudonym = patient.pseudonym or "none: no pseudonym key is set"
    ended = patient.no_nhs_number_reason == RECORD_ENDED
    who = NO_LONGER_KEPT if ended else f"Pseudonym {pseudonym}, born {patient.birth_year}"
    facts = (
        ("Patient", who),
        ("Provider", organisation_words(document.provider)),
        ("Who pays", organisation_words(document.commissioner)),
        ("Panel", _panel(document)),
        ("Kind", first_upper(document.kind)),
        ("Policy", f"{document.policy.title}, version {document.policy.version}"),
        (
            "Asked for",
            f"{instant_words(document.submitted_at)}, by "
            f"{_name(document.submitted_by, sitting.names)}",
        ),
        ("State now", state_words(document.state)),
    )
    return Item(
        number=number,
        title=found.treatment,
        href=f"/requests/{document.id}",
        facts=facts,
        draft=document.policy.draft,
        decisions=tuple(_rows(document, sitting)),
    )


def _panel(document: RequestDocument) -> str:
    if document.panel is None:
        return "none: the commissioner decided in a panel's place"
    return organisation_words(document.panel)


def _rows(document: RequestDocument, sitting: Sitting) -> Iterator[DecisionRow]:
    """What was decided and voted in the period, in its order.

    A vote that decided is told with its decision, where that is of the period.
    """
    texts = {f.criterion: f.text for each in document.decisions for f in each.findings}
    said: list[tuple[dt.datetime, DecisionRow]] = []
    told: set[int | None] = set()
    for each in document.decisions:
        if each.made_by == "panel" and sitting.first <= each.decided_at < sitting.end:
            said.append((each.decided_at, _row(each, document, texts, sitting)))
            told.add(each.number)
    for vote in document.panel_votes:
        if vote.decision not in told and sitting.first <= vote.voted_at < sitting.end:
            said.append((vote.voted_at, _voted(vote, document, texts, sitting)))
    yield from (row for _, row in sorted(said, key=lambda pair: pair[0]))


def _row(
    each: DecisionDocument,
    document: RequestDocument,
    texts: Mapping[str, str],
    sitting: Sitting,
) -> DecisionRow:
    outcome, colour = _OUTCOMES.get(each.outcome, (first_upper(each.outcome), "grey"))
    deciders = [by for by in (each.decided_by, each.agreed_with) if by is not None]
    same = any(sitting.same_person(by, document.submitted_by) for by in deciders)
    first = _first_vote(each, document)
    return DecisionRow(
        outcome=outcome,
        colour=colour,
        at=instant_words(each.decided_at),
        by=_name(each.decided_by, sitting.names),
        reason=each.reason or "none given",
        doses_given=ruled_words(each.doses_given) if each.doses_given else "",
        waived=_waived(each.waived, texts),
        interest=_interests(each.interest, first),
        two_people=_two_people(len(deciders), same=same),
        same_person=same,
        agrees=_agrees(first, sitting) if first else None,
        agreed_with=_name(first.voted_by, sitting.names) if first else None,
    )


def _two_people(deciders: int, *, same: bool) -> str:
    if same:
        return "the same person asked and decided"
    if deciders > 1:
        return "one person asked, two others decided together"
    return "one person asked, another decided"


def _first_vote(each: DecisionDocument, document: RequestDocument) -> PanelVoteDocument | None:
    """The earlier of the two votes that made a decision; None where one member decided."""
    if each.agreed_with is None:
        return None
    return next((v for v in document.panel_votes if v.decision == each.number), None)


def _agrees(first: PanelVoteDocument, sitting: Sitting) -> str:
    name, at = _name(first.voted_by, sitting.names), instant_words(first.voted_at)
    return f"{name} had voted the same on {at}: {first.reason}"


def _voted(
    vote: PanelVoteDocument,
    document: RequestDocument,
    texts: Mapping[str, str],
    sitting: Sitting,
) -> DecisionRow:
    outcome, colour = _OUTCOMES[_VOTES[vote.outcome]]
    same = sitting.same_person(vote.voted_by, document.submitted_by)
    return DecisionRow(
        outcome=outcome,
        colour=colour,
        at=instant_words(vote.voted_at),
        by=_name(vote.voted_by, sitting.names),
        reason=vote.reason,
        doses_given=ruled_words(vote.doses_given) if vote.doses_given else "",
        waived=_waived(vote.waived, texts),
        interest=_interest(vote.interest),
        two_people=_vote_state(vote),
        same_person=same,
    )


def _vote_state(vote: PanelVoteDocument) -> str:
    if vote.decision is not None:
        return "it was decided later, together with another member"
    return "a second member is still to vote the same" if vote.waits else "it decided nothing"


def _waived(ids: Iterable[str], texts: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{id_}: {texts.get(id_, 'text not on record')}" for id_ in ids)


def _interests(interest: str | None, first: PanelVoteDocument | None) -> str:
    """What was declared with a decision, by both where two made it."""
    said = _interest(interest)
    if first is None:
        return said
    before = _interest(first.interest)
    return f"{said}, both" if before == said else f"{said}; who voted first, {before}"


def _interest(interest: str | None) -> str:
    if interest == "declared":
        return "declared an interest, and did not decide"
    return "declared none" if interest == "none" else "not asked of a commissioner"


def _name(id_: str | None, names: Mapping[str, str]) -> str:
    return "nobody" if id_ is None else names.get(id_, f"somebody with the id {id_}")


def period_words(first: str, last: str) -> str:
    """The period as a heading says it."""
    return day_words(first) if first == last else f"{day_words(first)} to {day_words(last)}"
