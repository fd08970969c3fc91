"""A timeline in words: days with what happened on them, courses of scores, supplies. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from typing import Final

from app.api.timeline_model import (
    CourseDocument,
    EntryDocument,
    ScoreDocument,
    SupplyDocument,
    TimelineDocument,
)
from app.api.treatments_model import TreatmentSummary
from app.approvals.amending import ESCALATED, IN_ERROR, PROVIDER, WITHDRAWN
from app.approvals.happenings import Happened
from app.clock import london_day
from app.reference_data.drugs import load_drugs
from app.web.decision import Colour, state_colour, state_words
from app.web.desk.common import organisation_words, outcome_colour
from app.web.overview.drawing import Drawing
from app.web.timeline.drawing import draw_course
from app.web.words import amount_words, counted, day_words, first_upper, pounds, unit_words

#: A state of an approval that is told beside its days; that one is live needs no word.
_USUAL: Final = frozenset({"live", "ended"})
_OUTCOMES: Final = {
    "approved": "approved",
    "criteria not met": "criteria not met",
    "more information needed": "more information asked for",
    "referred": "referred to people who decide",
    "authorised": "authorised",
    "returned": "returned with a question",
    "declined": "declined",
    "overturned": "urgent start overturned",
    ESCALATED: "sent to the panel",
    WITHDRAWN: "withdrawn",
    IN_ERROR: "entered in error",
    "recorded": "recorded",
}
_MAKERS: Final = {
    "policy": "by the policy",
    "panel": "by the panel",
    "pharmacist": "by the trust's pharmacist",
    "commissioner": "by the commissioner",
    PROVIDER: "by the provider",
}


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A value of a course; its day is that of its form where it is not dated itself."""

    day: str
    is_dated: bool
    value: str
    label: str
    drug: str
    href: str


@dataclass(frozen=True, slots=True)
class CourseView:
    """A score over time: in one sentence, as a line where there are two values, as a table."""

    id: str
    title: str
    said: str
    drawing: Drawing | None
    rows: tuple[ScoreRow, ...]
    all_dated: bool


@dataclass(frozen=True, slots=True)
class SupplyRow:
    """A supply; `href` is its line's page, for those who may read it."""

    day: str
    product: str
    quantity: str
    outcome: str
    colour: Colour
    amount: str
    href: str


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened; `link` is the part of the words that leads somewhere."""

    words: str
    drug: str
    link: str = ""
    href: str = ""
    tag: str = ""
    colour: Colour = "grey"
    supplies: tuple[SupplyRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """A day, or the days of some supplies, with what happened."""

    id: str
    when: str
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class TreatmentRow:
    """A treatment of the patient; `draft`: its newest request is under a draft of a policy."""

    href: str
    words: str
    draft: bool


@dataclass(frozen=True, slots=True)
class TimelineView:
    """The page."""

    treatments: tuple[TreatmentRow, ...]
    courses: tuple[CourseView, ...]
    days: tuple[Day, ...]
    notes: tuple[str, ...]
    amounts: bool

    @property
    def draft(self) -> bool:
        """Whether a draft of a policy is among what is shown."""
        return any(each.draft for each in self.treatments)


def timeline_view(document: TimelineDocument, reconciles: bool) -> TimelineView:
    """The page of a timeline; `reconciles`: the reader is told amounts."""
    return TimelineView(
        treatments=tuple(_treatment(document, each) for each in document.treatments),
        courses=tuple(_course(each, i) for i, each in enumerate(document.courses, 1)),
        days=tuple(_days(document)),
        notes=tuple(_notes(document)),
        amounts=reconciles,
    )


def _treatment(document: TimelineDocument, treatment: TreatmentSummary) -> TreatmentRow:
    """A treatment by the title of its newest request's policy; by drug where none is shown."""
    href = f"/treatments/{treatment.id}"
    own = (each for each in document.entries if each.treatment_id == treatment.id)
    told = [(each.policy_title, each.policy_unverified) for each in own if each.policy_title]
    if not told:
        return TreatmentRow(href, f"{_drug(treatment.drug)}, {treatment.indication}", False)
    title, unverified = told[-1]
    return TreatmentRow(href, title, bool(unverified))


def _notes(document: TimelineDocument) -> Iterator[str]:
    if document.patient.objects_to_display:
        yield "The patient objects to being shown beyond those who treat them."
    if document.values_erased:
        yield (
            "What was kept of the patient was erased, so earlier scores and supplies are not shown."
        )
    if document.treatments_left_out:
        yield f"The patient has more treatments than the {len(document.treatments)} shown here."
    if document.entries_left_out:
        yield "Earlier steps are left out: each treatment's own page has them."
    if document.supplies_left_out:
        yield f"Of the supplies, the newest {len(document.supplies)} are shown."
    if document.supplies_state == "not all listed yet":
        yield (
            "Supplies may be missing. A newer run is still to be gone through, which takes about a "
            "minute, of a very large one a few."
        )


# --- scores ---------------------------------------------------------------------------------------


def _course(course: CourseDocument, number: int) -> CourseView:
    scores = course.scores
    unit = unit_words(course.unit)
    values = [format(each.value, "f") for each in scores]
    several = len(scores) > 1
    said = amount_words(", then ".join(values), course.unit)
    return CourseView(
        id=f"score-{number}",
        title=first_upper(course.title) + (f", {unit}" if unit else ""),
        said=said if several else f"{said}, on {day_words(scores[0].day)}",
        drawing=draw_course([(each.day, each.value) for each in scores]) if several else None,
        rows=tuple(_score(each, value) for each, value in zip(scores, values, strict=True)),
        all_dated=all(each.is_dated for each in scores),
    )


def _score(score: ScoreDocument, value: str) -> ScoreRow:
    return ScoreRow(
        day=day_words(score.day),
        is_dated=score.is_dated,
        value=value,
        label=score.label,
        drug=_drug(score.drug),
        href=f"/requests/{score.request_id}",
    )


# --- what happened --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Group:
    """Supplies of one treatment with nothing else between them."""

    supplies: list[SupplyDocument] = field(default_factory=list)


def _days(document: TimelineDocument) -> Iterator[Day]:
    """Days with what happened, the newest first; supplies that follow each other stand together."""
    seen = {each.request_id for each in document.entries if each.what is Happened.SENT}
    days: list[tuple[str, list[Told]]] = []
    sent: dict[str | None, int] = {}  # request → where the day says that it was sent
    for item in _together(document):
        if isinstance(item, _Group):
            days.append((_span(item.supplies), [_supplied(item.supplies)]))
            sent = {}
            continue
        when = day_words(item.day)
        if not days or days[-1][0] != when or days[-1][1][-1].supplies:
            days.append((when, []))
            sent = {}
        told = days[-1][1]
        if item.what is Happened.DECIDED and item.request_id in sent:
            at = sent.pop(item.request_id)
            told[at] = replace(told[at], words=f"{told[at].words}: {_outcome(item)}")
            continue
        if item.what is Happened.SENT:
            sent[item.request_id] = len(told)
        told.append(_WORDS[item.what](item, seen))
    for number, (when, told) in enumerate(reversed(days), 1):
        yield Day(f"day-{number}", when, tuple(told))


def _together(document: TimelineDocument) -> list[EntryDocument | _Group]:
    """Entries and supplies by day, supplies last on it, those in a row of one treatment as one."""
    both: list[EntryDocument | SupplyDocument] = [*document.entries, *document.supplies]
    both.sort(key=lambda each: (each.day, isinstance(each, SupplyDocument)))
    found: list[EntryDocument | _Group] = []
    for (is_supply, _), some in groupby(both, key=_kind):
        if is_supply:
            group = _Group([each for each in some if isinstance(each, SupplyDocument)])
            found.append(group)
        else:
            found += [each for each in some if isinstance(each, EntryDocument)]
    return found


def _kind(item: EntryDocument | SupplyDocument) -> tuple[bool, str]:
    is_supply = isinstance(item, SupplyDocument)
    return is_supply, (item.treatment_id or "") if is_supply else ""


def _span(supplies: Sequence[SupplyDocument]) -> str:
    first, last = supplies[0].day, supplies[-1].day
    return day_words(first) if first == last else f"{day_words(first)} to {day_words(last)}"


def _supplied(supplies: Sequence[SupplyDocument]) -> Told:
    outcomes = Counter(each.outcome.value for each in supplies)
    parts = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.most_common())
    told = parts if len(outcomes) > 1 else next(iter(outcomes))
    provider = organisation_words(supplies[0].provider)
    several = len({each.provider for each in supplies}) > 1
    by = "by several providers" if several else f"by {provider}"
    return Told(
        f"{counted(len(supplies), 'supply', 'supplies')} {by}: {told}",
        _drug(supplies[0].drug),
        supplies=tuple(_supply(each) for each in supplies),
    )


def _supply(supply: SupplyDocument) -> SupplyRow:
    quantity = "not stated" if supply.quantity is None else format(supply.quantity, "f")
    unit = f" {supply.unit}" if supply.quantity is not None and supply.unit else ""
    line = f"/submissions/runs/{supply.run}/lines/{supply.row}" if supply.run else ""
    return SupplyRow(
        day=day_words(supply.day),
        product=_product(supply.product or supply.drug),
        quantity=f"{quantity}{unit}",
        outcome=first_upper(supply.outcome),
        colour=outcome_colour(supply.outcome),
        amount=pounds(supply.amount) if supply.amount is not None else "not stated",
        href=line,
    )


def _request_href(entry: EntryDocument, seen: set[str | None]) -> str:
    """Where the request is; of one that the reader may not see, nowhere."""
    return f"/requests/{entry.request_id}" if entry.request_id in seen else ""


def _sent(entry: EntryDocument, seen: set[str | None]) -> Told:
    assert entry.request_kind is not None
    assert entry.request_state is not None
    return Told(
        f" sent by {organisation_words(entry.provider)}, policy version {entry.policy_version}"
        f"{', a draft' if entry.policy_unverified else ''}",
        _drug(entry.drug),
        link=first_upper(entry.request_kind.value),
        href=_request_href(entry, seen),
        tag=state_words(entry.request_state),
        colour=state_colour(entry.request_state),
    )


def _decided(entry: EntryDocument, seen: set[str | None]) -> Told:
    assert entry.request_kind is not None
    return Told(
        f": {_outcome(entry)}",
        _drug(entry.drug),
        link=first_upper(entry.request_kind.value),
        href=_request_href(entry, seen),
    )


def _outcome(entry: EntryDocument) -> str:
    outcome = _OUTCOMES.get(entry.outcome or "", entry.outcome or "")
    return f"{outcome} {_MAKERS.get(entry.by or '', f'by {entry.by}')}"


def _approval(entry: EntryDocument, seen: set[str | None]) -> Told:
    ends = day_words(entry.to_day) if entry.to_day else "no end"
    state = "" if entry.state is None or entry.state.value in _USUAL else f" ({entry.state.value})"
    return Told(
        f" covers {day_words(entry.day)} to {ends}{state}{_basis(entry.basis)}",
        _drug(entry.drug),
        link=f"Approval {entry.reference}",
        href=_request_href(entry, seen),
    )


def _basis(basis: str | None) -> str:
    """What it rests on, where that is not the policy."""
    words = {"panel": "a panel's decision", "imported": "an older system"}
    return "" if basis == "policy" else f"; it rests on {words.get(basis or '', basis)}"


def _begun(entry: EntryDocument, _seen: set[str | None]) -> Told:
    if entry.stated_by is None or entry.at is None:
        return Told("First dose, as it came with an import", _drug(entry.drug))
    return Told(
        f"First dose, as stated by {organisation_words(entry.stated_by)} ({entry.by}) on "
        f"{day_words(london_day(entry.at))}",
        _drug(entry.drug),
    )


def _lasting(entry: EntryDocument, _seen: set[str | None]) -> Told:
    what = "Paused" if entry.what is Happened.PAUSED else "Paid for by others than the NHS"
    until = f" until {day_words(entry.to_day)}" if entry.to_day else ""
    return Told(f"{what}{until}", _drug(entry.drug))


def _turned(entry: EntryDocument, _seen: set[str | None]) -> Told:
    before = organisation_words(entry.before)
    if entry.what is Happened.TRANSFERRED:
        words = f"Transferred from {before} to {organisation_words(entry.provider)}"
    else:
        words = f"Payment handed over from {before} to {organisation_words(entry.commissioner)}"
    return Told(words, _drug(entry.drug))


def _stopped(entry: EntryDocument, _seen: set[str | None]) -> Told:
    why = f": {entry.reason}" if entry.reason else ""
    return Told(f"Treatment was stopped{why}", _drug(entry.drug))


def _not_started(entry: EntryDocument, _seen: set[str | None]) -> Told:
    return Told("Recorded as never started", _drug(entry.drug))


def _died(_entry: EntryDocument, _seen: set[str | None]) -> Told:
    return Told("The patient died", "")


_WORDS: Final = {
    Happened.SENT: _sent,
    Happened.DECIDED: _decided,
    Happened.APPROVED: _approval,
    Happened.BEGUN: _begun,
    Happened.NOT_STARTED: _not_started,
    Happened.PAUSED: _lasting,
    Happened.ELSEWHERE: _lasting,
    Happened.TRANSFERRED: _turned,
    Happened.PAYER_CHANGED: _turned,
    Happened.STOPPED: _stopped,
    Happened.DIED: _died,
}


def _drug(key: str | None) -> str:
    drug = load_drugs().drugs.get(key or "")
    return first_upper(drug.name if drug else key or "")


def _product(key: str) -> str:
    """A product's name for its key; or the drug's."""
    return _product_names().get(key) or _drug(key)


@cache
def _product_names() -> Mapping[str, str]:
    return {each.key: each.name for drug in load_drugs().drugs.values() for each in drug.products}
