"""A day that mostly is the day of the decision: one tick beside its boxes. Pure.

Nobody's day is assumed: the tick is an answer like one that was typed.
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


def offered(fields: Sequence[Field], questions: Sequence[Question], day: dt.date) -> list[Field]:
    """The fields, those with a day that may be the decision's offering it."""
    days = frozenset(_days(questions))
    words = day_words(day)
    return [
        replace(
            each,
            same_day=words if each.name in days else None,
            measured_same_day=words if f"{each.name}.on" in days else None,
        )
        for each in fields
    ]


def with_day(
    questions: Sequence[Question], posted: Mapping[str, str], day: dt.date
) -> tuple[dict[str, str], dict[str, str]]:
    """The posted form with the day of the decision where it was ticked, and what is wrong."""
    form, wrong = dict(posted), {}
    for name in _days(questions):
        if form.get(f"{name}{TICK}") != "yes":
            continue
        typed = typed_day(name, form)
        if typed is None:
            form |= {f"{name}-{p}": v for p, v in day_parts(day.isoformat()).items()}
        elif typed != day.isoformat():
            wrong[f"{name}-day"] = (
                f"You ticked the day of the decision, {day_words(day)}, and typed another. Take "
                "the tick away, or empty the boxes."
            )
    return form, wrong


def _days(questions: Sequence[Question]) -> Iterator[str]:
    """The names of the boxes of each such day."""
    for each in questions:
        if each.type is QuestionType.DATE and each.name in REVIEWS:
            yield f"{PREFIX}{each.name}"
        elif each.measured and not each.carried:
            yield f"{PREFIX}{each.name}.on"
