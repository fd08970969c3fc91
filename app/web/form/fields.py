"""A question as it is shown: its control, what stands in it, and what is wrong with it. Pure.

A field's `id` is where an error leads: the first control of the question.
"""

import datetime as dt
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from app.policy import AnswerFault, Criterion, Question, QuestionType
from app.web.form.steps import Block
from app.web.form.typed import MOST_ROWS, PREFIX, bare, day_parts, measured_on
from app.web.words import amount_words, day_words, unit_words

Control = Literal["yes or no", "one of", "number", "text", "day", "list"]
#: With more options than this a drop-down is shorter to read than radio buttons.
MOST_RADIOS: Final = 12
#: More optional fields than this are folded, told of in so many characters.
MOST_UNFOLDED: Final = 2
LONGEST_TOLD: Final = 90
YES, NO = "yes", "no"


@dataclass(frozen=True, slots=True)
class Known:
    """An answer on record: in words, and where it comes from. `put_in`: it stands in the field.

    `same`: it stands there, whether it was filled in or typed. `now`: the form asks how it is now,
    so what is told is of another time.
    """

    words: str
    source: str
    put_in: bool
    same: bool = False
    now: bool = False
    part: str = ""  # which part of an answer was put in, where it is not all of it


@dataclass(frozen=True, slots=True)
class Field:
    """One question on a page. `value` is the control's; `parts` are the boxes of a day."""

    name: str
    id: str
    control: Control
    label: str
    hint: str | None = None
    unit: str | None = None
    value: str = ""
    options: tuple[tuple[str, str], ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    measured: bool = False
    measured_parts: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[tuple["Field", ...], ...] = ()
    none_given: bool = False
    error: str | None = None
    known: Known | None = None
    optional: bool = False
    workable: bool = False  # a score that can be worked out from its parts
    scale: Any = None  # the steps of its scale, shown as help
    same_day: str | None = None  # the day of the decision, which one tick gives
    recent: tuple[tuple[str, str], ...] = ()  # days before it, of which one choice gives one
    measured_same_day: str | None = None  # the same for the day of a measurement

    @property
    def is_filled(self) -> bool:
        """Whether anything stands in it."""
        return bool(self.value or self.parts or self.rows)

    @property
    def many_options(self) -> bool:
        return len(self.options) > MOST_RADIOS

    @property
    def is_long(self) -> bool:
        """Whether its text takes several lines: an answer, or a note."""
        return self.name.startswith("a.") or self.name == "details.note"


@dataclass(frozen=True, slots=True)
class AboutFields:
    """The fields of a page about a patient or a supply; those that need no answer stand apart."""

    asked: tuple[Field, ...]
    optional: tuple[Field, ...]

    @property
    def opened(self) -> bool:
        """Whether the optional ones are shown at once: something stands in them, or is wrong."""
        return any(each.is_filled or each.error for each in self.optional)

    @property
    def folded(self) -> str:
        """What the optional ones are, in short, where there are so many that they are folded."""
        if len(self.optional) <= MOST_UNFOLDED:
            return ""
        told = "; ".join(each.label for each in self.optional).lower()
        return textwrap.shorten(told, LONGEST_TOLD, placeholder="…")


def apart(fields: Iterable[Field]) -> AboutFields:
    """The fields, with the optional ones apart."""
    every = tuple(fields)
    return AboutFields(
        tuple(each for each in every if not each.optional),
        tuple(each for each in every if each.optional),
    )


def question_fields(
    questions: Sequence[Question],
    answers: Mapping[str, Any],
    faults: Sequence[AnswerFault] = (),
    known: Mapping[str, Known] | None = None,
    more_rows: str = "",
) -> tuple[Field, ...]:
    """The fields of a page. `more_rows` names a list that was asked for one more blank row."""
    wrong = {
        each.question: f"{each.message[:1].upper()}{each.message[1:]}. {each.mend}."
        for each in faults
    }
    return tuple(
        _field(
            each,
            f"{PREFIX}{each.name}",
            each.name,
            answers.get(each.name),
            wrong,
            (known or {}).get(each.name),
            more=each.name == more_rows,
        )
        for each in questions
    )


def marked(
    fields: Sequence[Field], wrong: Mapping[str, str], posted: Mapping[str, str]
) -> tuple[Field, ...]:
    """The fields with what cannot be taken of a form, and what was typed there, by its name."""
    return tuple(_marked(each, wrong, posted) for each in fields)


def _marked(one: Field, wrong: Mapping[str, str], posted: Mapping[str, str]) -> Field:
    rows = tuple(marked(row, wrong, posted) for row in one.rows)
    boxes = [f"{one.name}{on}-{part}" for on in ("", ".on") for part in ("day", "month", "year")]
    said = next((wrong[name] for name in (one.name, *boxes) if name in wrong), None)
    if said is None:
        return replace(one, rows=rows)
    if one.name not in wrong:
        return replace(one, rows=rows, error=said)
    return replace(one, rows=rows, error=said, value=posted[one.name])


def beside(
    blocks: Sequence[Block], fields: Sequence[Field]
) -> list[tuple[Criterion | None, list[Field]]]:
    """The fields of a page, each beside the criterion of its block."""
    by_name = {each.name: each for each in fields}
    return [
        (block.criterion, [by_name[f"{PREFIX}{each.name}"] for each in block.questions])
        for block in blocks
    ]


def errors_of(fields: Sequence[Field]) -> list[dict[str, str]]:
    """The error summary of a page: each fault, leading to its field."""
    found = []
    for each in fields:
        if each.error:
            found.append({"text": f"{each.label}: {each.error}", "href": f"#{each.id}"})
        for number, row in enumerate(each.rows, start=1):
            for cell in row:
                if cell.error:
                    said = f"{each.label}, row {number}, {cell.label}: {cell.error}"
                    found.append({"text": said, "href": f"#{cell.id}"})
    return found


def errors_with(fields: Sequence[Field], wrong: Mapping[str, str]) -> list[dict[str, str]]:
    """The error summary, also where what cannot be taken belongs to no field of the page."""
    return errors_of(fields) or [{"text": said, "href": "#maincontent"} for said in wrong.values()]


def _field(
    question: Question,
    name: str,
    place: str,
    answer: Any,
    wrong: Mapping[str, str],
    known: Known | None = None,
    *,
    more: bool = False,
) -> Field:
    value = bare(answer)
    base: dict[str, Any] = {
        "name": name,
        "label": question.label,
        "hint": _hint(question),
        "unit": unit_words(question.unit) or None,
        "error": wrong.get(place),
        "known": known,
        "measured": question.measured,
        "measured_parts": day_parts(measured_on(answer)),
    }
    match question.type:
        case QuestionType.BOOLEAN:
            said = {True: YES, False: NO}.get(value, "") if isinstance(value, bool) else ""
            truth = ((YES, "Yes"), (NO, "No"))
            return Field(**base, id=name, control="yes or no", value=said, options=truth)
        case QuestionType.CHOICE:
            options = tuple(question.options.items())
            return Field(**base, id=name, control="one of", value=_text(value), options=options)
        case QuestionType.DATE:
            return Field(**base, id=f"{name}-day", control="day", parts=day_parts(value))
        case QuestionType.TEXT:
            return Field(**base, id=name, control="text", value=_text(value))
        case QuestionType.LIST:
            rows = value if isinstance(value, list) else []
            blank = min(max(1 if not rows else 0, int(more)), MOST_ROWS - len(rows))
            return Field(
                **base,
                id=f"{name}.0.{next(iter(question.fields))}",
                control="list",
                none_given=value == [],
                rows=tuple(
                    _row(question, name, place, number, row, wrong)
                    for number, row in enumerate([*rows, *([{}] * blank)])
                ),
            )
    return Field(**base, id=name, control="number", value=_text(value))


def _row(
    question: Question,
    name: str,
    place: str,
    number: int,
    row: Any,
    wrong: Mapping[str, str],
) -> tuple[Field, ...]:
    cells = row if isinstance(row, Mapping) else {}
    return tuple(
        _field(
            each,
            f"{name}.{number}.{each.name}",
            f"{place}[{number + 1}].{each.name}",
            cells.get(each.name),
            wrong,
        )
        for each in question.fields.values()
    )


def _hint(question: Question) -> str | None:
    """The policy's help, and between which bounds a number lies."""
    said = [question.help] if question.help else []
    low, high = question.minimum, question.maximum
    if low is not None and high is not None:
        said.append(f"Between {low:f} and {high:f}.")
    elif low is not None:
        said.append(f"{low:f} or more.")
    elif high is not None:
        said.append(f"At most {high:f}.")
    return " ".join(said) or None


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def answer_words(question: Question, answer: Any) -> str:
    """An answer in words, as a check page or a record shows it."""
    value = bare(answer)
    if value is None:
        return "Not answered"
    said = _value_words(question, value)
    said = amount_words(said, question.unit)
    day = measured_on(answer)
    return f"{said}, measured on {_day_words(day)}" if day else said


def _value_words(question: Question, value: Any) -> str:
    if question.type is QuestionType.LIST and isinstance(value, (list, tuple)):
        return "; ".join(_row_words(question, each) for each in value) or "None to record"
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if question.type is QuestionType.CHOICE:
        return question.options.get(str(value), str(value))
    if question.type is QuestionType.DATE:
        return _day_words(value)
    return str(value)


def _row_words(question: Question, row: Any) -> str:
    if not isinstance(row, Mapping):
        return str(row)
    return ", ".join(
        f"{each.label}: {answer_words(each, row[each.name])}"
        for each in question.fields.values()
        if row.get(each.name) is not None
    )


def _day_words(value: Any) -> str:
    try:
        return day_words(dt.date.fromisoformat(value))
    except (TypeError, ValueError):
        return str(value)
