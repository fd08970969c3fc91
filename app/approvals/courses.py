"""Scores of a patient over time: what each form states as measured, as a course. Pure.

A score is a number that the policy's questions call `measured`, or a number of dated rows that the
policy counts, such as relapses. The packaged policies ask for the first value of a score in a
question named `…_at_start` and for a later one in `…_now`: the two are one course, and each value
keeps the wording of its own question.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.policy import PolicyVersion, Question, QuestionType

_NUMBERS: Final = frozenset({QuestionType.NUMBER, QuestionType.INTEGER})
_AT_START: Final = "_at_start"
_ENDINGS: Final = (_AT_START, "_now")
_CARRIED: Final = "carried forward"
COUNTED: Final = "number stated"


@dataclass(frozen=True, slots=True)
class Form:
    """A form that was sent: its newest answers, as stored, to the questions of its version.

    `day` is that of its decision to treat. Forms are given in the order in which they were sent.
    """

    request_id: str
    treatment_id: str
    day: dt.date
    version: PolicyVersion
    answers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Score:
    """One value that a form states. `is_dated`: the form says when it was measured; otherwise the
    day is that of its decision to treat. `is_at_start`: the value before the treatment."""

    request_id: str
    treatment_id: str
    label: str
    value: Decimal
    day: dt.date
    is_dated: bool
    is_at_start: bool


@dataclass(frozen=True, slots=True)
class Course:
    """The values of one score, the earliest first; `title` is what their questions' words share."""

    name: str
    title: str
    unit: str | None
    scores: tuple[Score, ...]


def courses_of(forms: Iterable[Form]) -> tuple[Course, ...]:
    """The courses that the forms state, the longest first. A value that is stated again is one."""
    found: dict[tuple[str, str | None], list[Score]] = {}
    for form in forms:
        for question, answer in _measured(form):
            course = found.setdefault((_base(question.name), question.unit), [])
            score = _score(form, question, answer)
            if score is not None and not _is_known(course, score, question, answer):
                course.append(score)
    made = [
        Course(name, title_of([s.label for s in scores]), unit, _in_time(scores))
        for (name, unit), scores in found.items()
        if scores
    ]
    return tuple(sorted(made, key=lambda each: (-len(each.scores), each.title, each.name)))


def _measured(form: Form) -> Iterator[tuple[Question, Mapping[str, Any]]]:
    counted = _counted_lists(form.version)
    for name, answer in form.answers.items():
        question = form.version.questions.get(name)
        if question is None or not isinstance(answer, Mapping):
            continue
        if (question.measured and question.type in _NUMBERS) or name in counted:
            yield question, answer


def _counted_lists(version: PolicyVersion) -> frozenset[str]:
    """The lists whose rows have a day that the policy counts them by."""
    return frozenset(
        each.count
        for each in version.derived.values()
        if each.count is not None and _counts_by_day(version, each.count, each.where)
    )


def _counts_by_day(version: PolicyVersion, name: str, where: str | None) -> bool:
    question = version.questions.get(name)
    days = () if question is None else question.fields.values()
    return any(each.type is QuestionType.DATE and each.name in (where or "") for each in days)


def _score(form: Form, question: Question, answer: Mapping[str, Any]) -> Score | None:
    value, label = answer.get("value"), question.label
    if question.type is QuestionType.LIST:
        value, label = len(value or ()), f"{label} ({COUNTED})"
    if value is None or isinstance(value, bool):
        return None
    measured = answer.get("measured_on")
    day = form.day if measured is None else dt.date.fromisoformat(measured)
    number = Decimal(str(value))
    return Score(
        request_id=form.request_id,
        treatment_id=form.treatment_id,
        label=label,
        value=number,
        day=day,
        is_dated=measured is not None,
        is_at_start=question.name.endswith(_AT_START),
    )


def _is_known(
    course: Sequence[Score], score: Score, question: Question, answer: Mapping[str, Any]
) -> bool:
    """Whether an earlier form states the very value: of the same day, or carried from there.

    The value before a treatment is one however often its forms state it: without a day of its own
    it would stand among today's.
    """
    is_carried = answer.get("origin") == _CARRIED
    is_before = question.name.endswith(_AT_START)
    return any(
        each.value == score.value
        and (
            (each.is_dated and score.is_dated and each.day == score.day)
            or (
                not score.is_dated
                and each.label == score.label
                and (is_carried or (is_before and each.treatment_id == score.treatment_id))
            )
        )
        for each in course
    )


def _in_time(scores: Sequence[Score]) -> tuple[Score, ...]:
    """By day; of one day the value before the treatment comes first."""
    return tuple(sorted(scores, key=lambda each: (each.day, not each.is_at_start)))


def _base(name: str) -> str:
    for ending in _ENDINGS:
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def title_of(labels: Sequence[str]) -> str:
    """The words with which all labels begin; the newest label where they share none."""
    words = [label.split(" ") for label in labels]
    shared = []
    for together in zip(*words, strict=False):
        if len({each.rstrip(",;:") for each in together}) > 1:
            break
        shared.append(together[0] if len(set(together)) == 1 else together[0].rstrip(",;:"))
    title = " ".join(shared).rstrip(" ,;:(")
    return title or labels[-1]
