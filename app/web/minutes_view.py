"""A panel's minutes in words. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.api.decisions_model import DecisionDocument
from app.api.requests_model import RequestDocument
from app.api.treatments_model import PatientDocument
from app.approvals.interests import STOOD_ASIDE
from app.approvals.minutes import Sitting
from app.web.decision import Colour, state_words
from app.web.desk.common import organisation_words
from app.web.words import day_words, first_upper, instant_words

_OUTCOMES: Final[dict[str, tuple[str, Colour]]] = {
    "approved": ("Approved", "green"),
    "declined": ("Declined", "orange"),
    "returned": ("Returned with a question", "yellow"),
    STOOD_ASIDE: ("Stood aside", "grey"),
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
    waived: tuple[str, ...]
    interest: str
    two_people: str
    same_person: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A request on the minutes."""

    number: int
    title: str
    href: str
    facts: tuple[tuple[str, str], ...]
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
        members=tuple(sorted({row.by for row in rows})),
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
    facts = (
        ("Patient", f"Pseudonym {pseudonym}, born {patient.birth_year}"),
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
        decisions=tuple(_rows(document, sitting)),
    )


def _panel(document: RequestDocument) -> str:
    if document.panel is None:
        return "none: the commissioner decided in a panel's place"
    return organisation_words(document.panel)


def _rows(document: RequestDocument, sitting: Sitting) -> Iterator[DecisionRow]:
    texts = {f.criterion: f.text for each in document.decisions for f in each.findings}
    for each in document.decisions:
        if each.made_by == "panel" and sitting.first <= each.decided_at < sitting.end:
            yield _row(each, document, texts, sitting)


def _row(
    each: DecisionDocument,
    document: RequestDocument,
    texts: Mapping[str, str],
    sitting: Sitting,
) -> DecisionRow:
    outcome, colour = _OUTCOMES.get(each.outcome, (first_upper(each.outcome), "grey"))
    same = sitting.same_person(each.decided_by, document.submitted_by)
    return DecisionRow(
        outcome=outcome,
        colour=colour,
        at=instant_words(each.decided_at),
        by=_name(each.decided_by, sitting.names),
        reason=each.reason or "none given",
        waived=tuple(f"{id_}: {texts.get(id_, 'text not on record')}" for id_ in each.waived),
        interest=_interest(each),
        two_people="the same person asked and decided"
        if same
        else "one person asked, another decided",
        same_person=same,
    )


def _interest(each: DecisionDocument) -> str:
    if each.interest == "declared":
        return "declared an interest, and did not decide"
    return "declared none" if each.interest == "none" else "not asked of a commissioner"


def _name(id_: str | None, names: Mapping[str, str]) -> str:
    return "nobody" if id_ is None else names.get(id_, f"somebody with the id {id_}")


def period_words(first: str, last: str) -> str:
    """The period as a heading says it."""
    return day_words(first) if first == last else f"{day_words(first)} to {day_words(last)}"
