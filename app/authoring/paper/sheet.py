"""A policy version as sheets of paper: what is asked, what is judged, and who signs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from app.policy import (
    Criterion,
    Kind,
    PolicyVersion,
    Question,
    QuestionType,
    Section,
    questions_for,
)

#: What is asked on paper. Stops and changes are entered once the service is back.
KINDS = (
    (Kind.INITIATION, Section.START, "Request to start"),
    (Kind.CONTINUATION, Section.CONTINUE, "Request to continue"),
)
ROWS = 5  # blank rows of a list
#: At the foot of each page: a loose one must find its way back.
FOOT = "Patient's NHS number or hospital number:  ____________________"
DAY, TIME = "DD / MM / YYYY", "HH : MM"


@dataclass(frozen=True, slots=True)
class Field:
    """Something to fill in: words, what helps to, and the box.

    `choices` are ticked; without any, `before` stands in the box as a pattern and `after` behind
    it (the unit). `columns` make a table of blank rows; `boxes` are groups of one box a figure.
    """

    label: str
    help: str | None = None
    choices: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    columns: tuple[str, ...] = ()
    boxes: tuple[int, ...] = ()
    size: Literal["short", "long"] = "short"


@dataclass(frozen=True, slots=True)
class Judged:
    """A criterion as it is printed beside the answers: its number, words and citation."""

    id: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Part:
    """A headed part of a sheet."""

    title: str
    note: str | None = None
    fields: tuple[Field, ...] = ()
    judged: tuple[Judged, ...] = ()

    @property
    def together(self) -> bool:
        """Whether it stands on one page: signatures do."""
        return bool(self.fields) and all(each.size == "long" for each in self.fields)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form of one kind of request: it begins on a new page."""

    kind: str
    policy: str
    title: str
    about: tuple[str, ...]
    parts: tuple[Part, ...]


def sheets_of(version: PolicyVersion) -> tuple[Sheet, ...]:
    """A sheet for each kind of request that the policy asks something for."""
    return tuple(
        _sheet(version, kind, section, title)
        for kind, section, title in KINDS
        if questions_for(version, kind)
    )


def _sheet(version: PolicyVersion, kind: Kind, section: Section, title: str) -> Sheet:
    criteria = tuple(_judged(each) for each in version.criteria(section))
    stops = tuple(_judged(each) for each in version.stop) if kind is Kind.CONTINUATION else ()
    parts = (
        _patient(),
        _treatment(kind),
        *_urgent(version),
        Part("Questions", "Leave unknown answers blank. A blank is neither yes nor no.",
             tuple(_asked(version, kind))),
        Part("What the policy asks", "All of these, as the service will judge them.", (), criteria),
        *((Part("When the policy stops", "None of these.", (), stops),) if stops else ()),
        _signatures(),
        _entry(),
    )  # fmt: skip
    return Sheet(title, f"{version.policy}, version {version.version}", version.title,
                 tuple(_about(version)), parts)  # fmt: skip


def _about(version: PolicyVersion) -> Iterator[str]:
    by = version.commissioner
    if version.overlay is not None:
        by = f"{by}, with the additions of {version.overlay.layer}"
    yield f"Commissioned by {by}. In force from {version.in_force.from_:%-d %B %Y}."
    if version.unverified:
        yield "Draft: parts were not checked at their source. Check before clinical use."


def _asked(version: PolicyVersion, kind: Kind) -> Iterator[Field]:
    for question in questions_for(version, kind):
        if kind is Kind.CONTINUATION and question.carried:
            continue  # the request to start has answered it
        yield _field(question)


def _field(question: Question) -> Field:
    label, help_ = question.label, " ".join((question.help or "").split()) or None
    match question.type:
        case QuestionType.BOOLEAN:
            return Field(label, help_, choices=("Yes", "No"))
        case QuestionType.CHOICE:
            return Field(label, help_, choices=tuple(question.options.values()))
        case QuestionType.LIST:
            columns = tuple(_column(each) for each in question.fields.values())
            return Field(label, help_ or "One row for each.", columns=columns)
        case QuestionType.DATE:
            return Field(label, help_, before=DAY)
        case QuestionType.TEXT:
            return Field(label, help_, size="long")
        case _:
            measured = f"\nmeasured on  {DAY}" if question.measured else ""
            return Field(label, help_, after=f"{_unit(question)}{measured}")


def _unit(question: Question) -> str:
    low, high = question.minimum, question.maximum
    between = f" ({low:f} to {high:f})" if low is not None and high is not None else ""
    return f"{question.unit or ''}{between}"


def _column(question: Question) -> str:
    hints = {
        QuestionType.BOOLEAN: "Yes / No",
        QuestionType.DATE: DAY,
        QuestionType.CHOICE: " / ".join(question.options.values()),
    }
    hint = hints.get(question.type, question.unit or "")
    return f"{question.label}\n{hint}" if hint else question.label


def _judged(criterion: Criterion) -> Judged:
    source = criterion.source.title
    if criterion.evidence == "unverified":
        source = f"{source} (not checked at the source)"
    return Judged(criterion.id, " ".join(criterion.text.split()), source)


# --- what is the same on every sheet ------------------------------------------------------------


def _patient() -> Part:
    return Part(
        "Patient",
        "A patient label may be stuck over this part if it shows all of it.",
        (
            Field("Name, for this paper only: it is not entered"),
            Field("NHS number", boxes=(3, 3, 4)),
            Field("Birth date", before=DAY),
            Field("Sex", choices=("Female", "Male", "Indeterminate", "Not known")),
            Field("Hospital number"),
            Field("If there is no NHS number, why"),
        ),
    )


def _treatment(kind: Kind) -> Part:
    first = (
        () if kind is Kind.CONTINUATION else (Field("First dose, given or planned", before=DAY),)
    )
    reference = (Field("Approval reference, if known"),) if kind is Kind.CONTINUATION else ()
    return Part(
        "Treatment",
        None,
        (
            Field("Trust (organisation code) and ward or clinic"),
            Field("Commissioner (organisation code)"),
            *reference,
            Field("Decision to treat", before=DAY),
            *first,
            Field("Product (brand)"),
            Field("Dose, unit and how often"),
        ),
    )


def _urgent(version: PolicyVersion) -> Iterator[Part]:
    """Who let the treatment begin before the form, where the policy permits that."""
    reasons = tuple(version.approval.retrospective_reasons.values())
    if not reasons:
        return
    yield Part(
        "Urgent start",
        "Only if an office let the treatment begin before this form.",
        (
            Field("Why it could not wait", choices=reasons),
            Field("Role of whoever authorised it, no name"),
            Field("Office that authorised it"),
            Field("Authorised at", before=f"{DAY}   {TIME}"),
        ),
    )


def _signatures() -> Part:
    return Part(
        "Signatures",
        "The day and time of the clinician's signature are entered with the form.",
        tuple(
            Field(f"{who}: name, role, signature", before=f"{DAY}   {TIME}", size="long")
            for who in ("Clinician responsible", "Filled in by, if another", "Pharmacist")
        ),
    )


def _entry() -> Part:
    return Part(
        "When the service is back",
        "This form approves nothing by itself. Enter it as back-entry, with the times above: on "
        "the home page, “Enter a form that was signed on paper”.",
        (
            Field("Entered by (name, role)", before=f"{DAY}   {TIME}", size="long"),
            Field("Request number and outcome", size="long"),
        ),
    )


def foot(sheets: Sequence[Sheet]) -> str:
    """The foot of each page: whose it is, and of which form."""
    return f"{FOOT}    {sheets[0].policy}" if sheets else FOOT


def names(sheets: Sequence[Sheet]) -> str:
    """What the document is called."""
    return sheets[0].title if sheets else "Blank form"
