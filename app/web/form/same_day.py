"""A day given by one choice beside its boxes: that of the decision, or of weeks before. Pure.

Nobody's day is assumed: the choice is an answer like one that was typed.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from app.policy import Question, QuestionType
from app.web.form.fields import Field
from app.web.form.typed import PREFIX, day_parts, typed_day
from app.web.words import day_words

#: Questions for the day of a review, which mostly is the visit at which the form is filled in.
REVIEWS: Final = frozenset({"last_review_on", "reviewed_on"})
TICK: Final = ".decided"
#: A review of the last weeks before the decision is chosen from a list.
RECENT: Final = ".recent"
_WEEKS: Final = 4
_TICKED: Final = (
    "You ticked the day of the decision, {}, and gave another. Take the tick away, or the other "
    "day."
)
_TWO: Final = (
    "You chose {}, and gave another day beside it. Keep one: take the choice away, or empty the "
    "boxes."
)


def offered(fields: Sequence[Field], questions: Sequence[Question], day: dt.date) -> list[Field]:
    """The fields, those with a day that may be the decision's offering it."""
    days = frozenset(days_of(questions))
    reviews = frozenset(_reviews(questions))
    words = day_words(day)
    recent = tuple((each.isoformat(), f"{each:%A} {day_words(each)}") for each in days_before(day))
    return [
        replace(
            each,
            same_day=words if each.name in days else None,
            recent=recent if each.name in reviews else (),
            measured_same_day=words if f"{each.name}.on" in days else None,
        )
        for each in fields
    ]


def with_day(
    questions: Sequence[Question], posted: Mapping[str, str], day: dt.date
) -> tuple[dict[str, str], dict[str, str]]:
    """The posted form with each day that was chosen in its boxes, and what is wrong."""
    form, wrong = dict(posted), {}
    reviews = frozenset(_reviews(questions))
    for name in days_of(questions):
        chosen = {day} if form.get(f"{name}{TICK}") == "yes" else set()
        listed = form.get(f"{name}{RECENT}", "") if name in reviews else ""
        chosen |= {each for each in days_before(day) if each.isoformat() == listed}
        if not chosen:
            continue
        typed = typed_day(name, form)
        if len(chosen) > 1 or typed not in (None, *(each.isoformat() for each in chosen)):
            said = _TICKED if day in chosen else _TWO
            wrong[f"{name}-day"] = said.format(day_words(max(chosen)))
        elif typed is None:
            form |= {f"{name}-{p}": v for p, v in day_parts(chosen.pop().isoformat()).items()}
    return form, wrong


def days_before(day: dt.date) -> tuple[dt.date, ...]:
    """The days of the weeks before one, the latest first."""
    return tuple(day - dt.timedelta(days=n) for n in range(1, 7 * _WEEKS + 1))


def _reviews(questions: Sequence[Question]) -> Iterator[str]:
    for each in questions:
        if each.type is QuestionType.DATE and each.name in REVIEWS:
            yield f"{PREFIX}{each.name}"


def days_of(questions: Sequence[Question]) -> Iterator[str]:
    """The names of the boxes of each such day."""
    yield from _reviews(questions)
    for each in questions:
        if each.measured and not each.carried:
            yield f"{PREFIX}{each.name}.on"
