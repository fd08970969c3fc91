"""The page on which a form is looked through before it is sent. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.policy import AnswerFault, Criterion, Kind, PolicyDecision, Question, Result
from app.web.form import about, paper, urgent
from app.web.form.fields import answer_words
from app.web.form.instants import read_instant
from app.web.form.steps import Step, only_open, step_asking
from app.web.form.typed import day_parts
from app.web.words import day_words, instant_words, nhs_words


class _Draft(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def form(self) -> Mapping[str, Any]: ...
    @property
    def answers(self) -> Mapping[str, Any]: ...


class Checked(Protocol):
    """What is checked: a draft with its form's pages and what they lack."""

    @property
    def draft(self) -> _Draft: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def steps(self) -> tuple[Step, ...]: ...
    @property
    def faults(self) -> tuple[AnswerFault, ...]: ...
    @property
    def open(self) -> frozenset[str]: ...
    def missing(self) -> tuple[Question, ...]: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One answer, where to change it, and what is wrong with it."""

    label: str
    words: str
    href: str
    wrong: str | None = None
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """The answers of one page."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A question that is still to answer, and where."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Overridable:
    """A criterion that stands in the way and that the clinician may override, with the reasons.

    `reason` and `words` are what the draft holds for it already.
    """

    criterion: str
    text: str
    result: str
    reasons: tuple[tuple[str, str], ...]
    reason: str = ""
    words: str = ""


def overridables(
    criteria: Sequence[Criterion], decision: PolicyDecision | None, form: Mapping[str, Any]
) -> tuple[Overridable, ...]:
    """Each criterion that may be overridden and is not met or not answered, or is overridden."""
    results = {each.criterion: each.result for each in decision.findings} if decision else {}
    given = given_overrides(form)
    found = []
    for criterion in criteria:
        held = given.get(criterion.id)
        result = results.get(criterion.id)
        if criterion.override is None or (held is None and result in (None, Result.MET)):
            continue
        found.append(
            Overridable(
                criterion=criterion.id,
                text=criterion.text,
                result="" if result is None else result.value,
                reasons=tuple(criterion.override.reasons.items()),
                reason=str(held.get("reason", "")) if held else "",
                words=str(held.get("words", "")) if held else "",
            )
        )
    return tuple(found)


def given_overrides(form: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The overrides that a draft holds, by criterion."""
    typed = form.get("overrides")
    rows = typed if isinstance(typed, list) else []
    return {str(each.get("criterion")): each for each in rows if isinstance(each, Mapping)}


def with_override(
    form: Mapping[str, Any], criterion: str, reason: str, words: str
) -> dict[str, Any]:
    """The draft's form with an override of a criterion; without it where no reason is given."""
    held = {k: dict(v) for k, v in given_overrides(form).items() if k != criterion}
    if reason:
        held[criterion] = {"criterion": criterion, "reason": reason, "words": words}
    rest = {name: value for name, value in form.items() if name != "overrides"}
    return {**rest, "overrides": list(held.values())} if held else rest


def check_rows(
    found: Checked, entries: Mapping[str, Sequence[about.Entry]], wrong: Mapping[str, str]
) -> tuple[Group, ...]:
    """Every answer, page by page; an optional field that was left empty is left out."""
    titles = {
        about.PATIENT: "Patient",
        paper.PAPER: "Paper form",
        about.TREATMENT: "Treatment",
        urgent.URGENT: "Urgent start",
    }
    groups = [
        Group(titles[step], tuple(_about_rows(found, step, each, wrong)))
        for step, each in entries.items()
    ]
    faults = {each.question: f"{each.message}. {each.mend}." for each in found.faults}
    for step in found.steps:
        shown = only_open(step, found.open, found.draft.answers)
        rows = tuple(_question_row(found, step, each, faults) for each in shown.questions)
        if rows:
            groups.append(Group(step.title, rows))
    return tuple(groups)


def missing_links(found: Checked) -> tuple[Link, ...]:
    """The questions that would let the policy decide, each with its place."""
    links = []
    for question in found.missing():
        step = step_asking(found.steps, question.name)
        if step is not None:
            links.append(Link(question.label, _href(found, step.key, f"a.{question.name}")))
    return tuple(links)


def _about_rows(
    found: Checked, step: str, entries: Sequence[about.Entry], wrong: Mapping[str, str]
) -> Iterator[Row]:
    for entry in entries:
        value = about.stored(found.draft.form, entry)
        if value is None and entry.optional and entry.name not in wrong:
            continue
        place = f"{entry.name}-day" if entry.control == "day" else entry.name
        place = {**paper.PLACES, **urgent.PLACES}.get(entry.name, place)
        yield Row(
            entry.label,
            _about_words(entry, value),
            _href(found, step, place),
            wrong.get(entry.name),
            value is None,
        )


def _about_words(entry: about.Entry, value: Any) -> str:
    if value is None:
        return "Not filled in"
    if entry.path[-1] in ("signed_at", "at"):
        at = read_instant(value)
        return str(value) if at is None else instant_words(at)
    if entry.control == "day" and len(day_parts(value)) == 3 and "/" not in str(value):
        return day_words(str(value))
    if entry.path[-1] == "nhs_number":
        digits = str(value).replace(" ", "").replace("-", "")
        return (
            nhs_words(digits)
            if len(digits) == 10 and digits.isascii() and digits.isdigit()
            else str(value)
        )
    return dict(entry.options).get(str(value), str(value))


def _question_row(found: Checked, step: Step, question: Question, faults: Mapping[str, str]) -> Row:
    answer = found.draft.answers.get(question.name)
    wrong = next(
        (said for place, said in faults.items() if place.partition("[")[0] == question.name), None
    )
    return Row(
        question.label,
        answer_words(question, answer),
        _href(found, step.key, f"a.{question.name}"),
        None if wrong is None else f"{wrong[:1].upper()}{wrong[1:]}",
        answer is None,
    )


def _href(found: Checked, step: str, place: str) -> str:
    return f"/drafts/{found.draft.id}/{step}?from=check#{place}"
