"""Hand-overs of treatments in words. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.approvals.handing import Asked, Charged, HandOver
from app.approvals.reassigning import Effect
from app.db.jobs import Job
from app.reference_data.organisations import Organisation, load_organisations
from app.web.decision import Colour
from app.web.desk.common import drug_words, organisation_words
from app.web.desk.job_view import Progress
from app.web.words import counted, day_words, instant_words, number_words, pounds

_COLOURS: Final[Mapping[str, Colour]] = {
    "waiting": "yellow",
    "under way": "blue",
    "confirmed": "green",
    "declined": "grey",
}
#: What is said of a box that holds nothing that can be taken.
MISSING: Final[Mapping[str, str]] = {  # in the order of the form
    "drug": "Choose a drug.",
    "receiver": "Choose the commissioner that pays from then on.",
    "from_day": "Give the first day, with day, month and year.",
    "why": "Say why, in at most 500 characters.",
}
_WORDS: Final[Mapping[str, str]] = {
    "queued": "It was confirmed, and waits for its turn.",
    "running": "The treatments are being handed over.",
    "done": "It is done.",
}
_Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal of the reader's organisation."""

    id: str
    drug: str
    receiver: str
    from_day: str
    treatments: int
    state: str
    colour: Colour
    said: str


@dataclass(frozen=True, slots=True)
class HandedRow:
    """What was handed over, for either of the two commissioners."""

    id: str
    drug: str
    giver: str
    receiver: str
    from_day: str
    treatments: int
    confirmed: str


def proposal_rows(found: Sequence[HandOver]) -> tuple[ProposalRow, ...]:
    """The proposals, as `handing.proposals` orders them."""
    return tuple(
        ProposalRow(
            id=each.id,
            drug=drug_words(each.drug),
            receiver=organisation_words(each.receiver),
            from_day=day_words(each.from_day),
            treatments=each.treatments,
            state=each.state.capitalize(),
            colour=_COLOURS[each.state],
            said=_said(each),
        )
        for each in found
    )


def handed_rows(found: Sequence[HandOver]) -> tuple[HandedRow, ...]:
    """Confirmed hand-overs, the newest first."""
    return tuple(
        HandedRow(
            id=each.id,
            drug=drug_words(each.drug),
            giver=organisation_words(each.organisation),
            receiver=organisation_words(each.receiver),
            from_day=day_words(each.from_day),
            treatments=each.treatments,
            confirmed="" if each.decided_at is None else instant_words(each.decided_at),
        )
        for each in found
    )


def effect_pairs(asked: Asked, effect: Effect, charged: Charged | None) -> _Pairs:
    """What would be handed over, for whoever is about to propose it."""
    return (
        *_terms(asked.drug, asked.receiver, day_words(asked.from_day), asked.why),
        *_counts(effect.treatments, effect.approvals, effect.segments, effect.waiting),
        *_charged(charged),
    )


def proposal_pairs(found: HandOver) -> _Pairs:
    """A proposal in full."""
    charged = None
    if found.lines is not None and found.accepted is not None and found.queried is not None:
        charged = Charged(found.lines, found.accepted, found.queried)
    return (
        *_terms(found.drug, found.receiver, day_words(found.from_day), found.why),
        *_counts(found.treatments, found.approvals, found.segments, found.waiting),
        *_charged(charged),
        ("By", _said(found)),
    )


def progress_of(job: Job) -> Progress:
    """How far the worker is with a hand-over."""
    of = job.total or 0
    words = _WORDS.get(job.state, _WORDS["running"])
    if job.state == "running" and job.done:
        words = f"{number_words(min(job.done, of))} of {number_words(of)} treatments so far."
    return Progress(job.error or words, min(job.done, of), of, job.state == "failed")


def receivers(own: str, today: dt.date) -> tuple[tuple[str, str], ...]:
    """Every other commissioner that is open, by name: words and code."""
    return tuple(
        sorted(
            (organisation_words(each.code), each.code)
            for each in load_organisations().all()
            if each.kind == "commissioner" and each.code != own and is_open(each, today)
        )
    )


def is_open(found: Organisation, on: dt.date) -> bool:
    """Whether the organisation has opened by a day and not closed before it."""
    return (found.from_ is None or found.from_ <= on) and (found.to is None or on <= found.to)


def _terms(drug: str, receiver: str, from_day: str, why: str) -> _Pairs:
    return (
        ("Drug", drug_words(drug)),
        ("Handed to", organisation_words(receiver)),
        ("First day that it pays for", from_day),
        ("Why", why),
    )


def _counts(treatments: int, approvals: int, segments: int, waiting: int) -> _Pairs:
    stay = "which stays with you" if waiting == 1 else "which stay with you"
    return (
        ("Treatments", f"{treatments:,}"),
        ("Approvals", f"{approvals:,}, which stand as they are"),
        ("Segments of coverage", f"{segments:,}"),
        ("Waiting", f"{counted(waiting, 'request')}, {stay}" if waiting else "No request"),
    )


def _charged(charged: Charged | None) -> _Pairs:
    what = "Invoiced for these days"
    if charged is None:
        return ((what, "Not counted: your newest runs have too many lines to be read here"),)
    if not charged.lines:
        return ((what, "No line of your newest runs"),)
    told = f"{pounds(charged.accepted)} accepted and {pounds(charged.queried)} queried"
    return ((what, f"{counted(charged.lines, 'line')} of your newest runs: {told}"),)


def _said(found: HandOver) -> str:
    said = f"Proposed by {found.proposed_by_name} on {instant_words(found.proposed_at)}"
    if found.decided_at is not None:
        said += f"; {found.state} by {found.decided_by_name} on {instant_words(found.decided_at)}"
    return said
