"""Turns raw answers into typed ones, or says everything that is wrong with them.

Messages never repeat an answer: it may be patient data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, get_args

from app.policy.errors import AnswerFault, AnswerFaults
from app.policy.forms import questions_for
from app.policy.model import Answer, Kind, Origin, PolicyVersion, Question, QuestionType
from app.policy.suggestions import did_you_mean, named

MAX_TEXT = 4000
MAX_ROWS = 200
EARLIEST = date(1900, 1, 1)

_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,8})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_WRAPPER_KEYS = {"value", "unit", "measured_on", "origin"}
_ORIGINS: tuple[Origin, ...] = get_args(Origin)
_LARGEST = Decimal(10) ** 12


class _Bad(Exception):
    """One thing wrong with one answer."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend


@dataclass(frozen=True, slots=True)
class _Days:
    """The days that an answer's dates are held against."""

    decision_to_treat: date
    today: date


def parse_answers(
    version: PolicyVersion,
    kind: Kind,
    raw: Mapping[str, Any],
    *,
    decision_to_treat: date,
    today: date,
) -> dict[str, Answer]:
    """Type every answer to the questions of this kind of request.

    A raw answer is a bare value or `{"value", "unit", "measured_on", "origin"}`; null is "not
    answered" and is left out. Numbers come as int, Decimal or text, never float. Dates may not be
    after `today`, nor a measurement after the later of `today` and the decision to treat.
    Raises AnswerFaults with every fault of every answer.
    """
    questions = {question.name: question for question in questions_for(version, kind)}
    days = _Days(decision_to_treat, today)
    faults: list[AnswerFault] = []
    found: dict[str, Answer] = {}
    for name, value in raw.items():
        question = questions.get(name)
        if question is None:
            faults.append(_unknown(version, kind, name, questions))
            continue
        try:
            answer = _answer(question, value, days, faults)
        except _Bad as bad:
            faults.append(AnswerFault(name, bad.message, bad.mend))
            continue
        if answer is not None:
            found[name] = answer
    if faults:
        raise AnswerFaults(tuple(faults))
    return found


def _unknown(
    version: PolicyVersion, kind: Kind, name: object, questions: Mapping[str, Question]
) -> AnswerFault:
    shown = named(name, version.questions)
    if name in version.questions:
        return AnswerFault(shown, f"this question is not asked at {kind}", "Leave it out")
    return AnswerFault(shown, "there is no such question", did_you_mean(shown, questions))


def _answer(question: Question, raw: Any, days: _Days, faults: list[AnswerFault]) -> Answer | None:
    wrapped = raw if isinstance(raw, Mapping) else {"value": raw}
    if "value" not in wrapped or not wrapped.keys() <= _WRAPPER_KEYS:
        raise _Bad(
            "the answer has an unknown shape",
            "Give `value`, and beside it only `unit`, `measured_on` and `origin`",
        )
    origin = _origin(wrapped.get("origin"))
    if wrapped["value"] is None:
        return None
    measured_on = wrapped.get("measured_on")
    measured = None if measured_on is None else _measured_on(question, measured_on, days)
    unit = _unit(question, wrapped.get("unit"), was_wrapped=isinstance(raw, Mapping))
    if question.type is QuestionType.LIST:
        value: object = _rows(question, wrapped["value"], days, faults)
    else:
        value = _value(question, wrapped["value"], days)
    return Answer(value, unit, measured, origin)


def _origin(raw: Any) -> Origin:
    for known in _ORIGINS:
        if raw == known:
            return known
    if raw is not None:
        raise _Bad("its origin is not known", f"Use one of: {', '.join(_ORIGINS)}")
    return "typed"


def _measured_on(question: Question, raw: Any, days: _Days) -> date:
    if not question.measured:
        raise _Bad("this question takes no date of measurement", "Leave `measured_on` out")
    return _date(raw, days)


def _unit(question: Question, raw: Any, *, was_wrapped: bool) -> str | None:
    if question.unit is None:
        if raw is not None:
            raise _Bad("this question has no unit", "Leave `unit` out")
        return None
    if raw is None:
        how = "beside `value`" if was_wrapped else 'as {"value": …, "unit": …}'
        raise _Bad("the unit is missing", f"Give the unit “{question.unit}” {how}")
    if raw != question.unit:
        raise _Bad("the unit is not the one asked for", f"Give the value in “{question.unit}”")
    return question.unit


def _rows(
    question: Question, raw: Any, days: _Days, faults: list[AnswerFault]
) -> tuple[dict[str, object], ...]:
    if not isinstance(raw, list | tuple):
        raise _Bad("this is not a list", "Give a list of rows; an empty list means none")
    if len(raw) > MAX_ROWS:
        raise _Bad(f"the list has over {MAX_ROWS} rows", "Give the rows that matter")
    return tuple(
        _row(question, number, row, days, faults) for number, row in enumerate(raw, start=1)
    )


def _row(
    question: Question, number: int, raw: Any, days: _Days, faults: list[AnswerFault]
) -> dict[str, object]:
    place = f"{question.name}[{number}]"
    if not isinstance(raw, Mapping):
        faults.append(
            AnswerFault(place, "a row is not a mapping of fields", "Give each field by its name")
        )
        return {}
    row: dict[str, object] = {}
    for name, value in raw.items():
        field = question.fields.get(name) if isinstance(name, str) else None
        if field is None:
            shown = named(name, question.fields)
            mend = did_you_mean(shown, question.fields)
            faults.append(AnswerFault(f"{place}.{shown}", "there is no such field", mend))
            continue
        try:
            answer = _answer(field, value, days, faults)
        except _Bad as bad:
            faults.append(AnswerFault(f"{place}.{name}", bad.message, bad.mend))
            continue
        row[name] = None if answer is None else answer.value
    return row


def _value(question: Question, raw: Any, days: _Days) -> object:
    match question.type:
        case QuestionType.BOOLEAN:
            if not isinstance(raw, bool):
                raise _Bad("this is not true or false", "Answer true or false, not in words")
            return raw
        case QuestionType.DATE:
            return _date(raw, days)
        case QuestionType.CHOICE:
            if not isinstance(raw, str) or raw not in question.options:
                raise _Bad(
                    "this is not one of the options", f"Choose from: {_listed(question.options)}"
                )
            return raw
        case QuestionType.TEXT:
            return _text(raw)
        case _:
            return _number(question, raw)


def _listed(options: Mapping[str, str]) -> str:
    return ", ".join(list(options)[:20]) + (", …" if len(options) > 20 else "")


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise _Bad("this is not text", "Answer in words")
    if len(raw) > MAX_TEXT:
        raise _Bad(f"the text is over {MAX_TEXT} characters", "Shorten it")
    if any(_unstorable(each) for each in raw):
        raise _Bad("the text holds characters that cannot be stored", "Type it again")
    return raw


def _unstorable(character: str) -> bool:
    """Control characters and lone surrogates, which databases and XML refuse."""
    code = ord(character)
    return (code < 32 and character not in "\t\r\n") or 0xD800 <= code < 0xE000


def _date(raw: Any, days: _Days) -> date:
    """A day that has come: not after today, nor before 1900."""
    if isinstance(raw, str) and _DATE.fullmatch(raw):
        try:
            found = date.fromisoformat(raw)
        except ValueError:
            raise _Bad("this is not a day of the calendar", "Check the day and month") from None
    elif type(raw) is date:
        found = raw
    else:
        raise _Bad("this is not a date", "Write it as YYYY-MM-DD")
    if found > days.today:
        raise _Bad("the date is in the future", "Give a date that is not after today")
    if found < EARLIEST:
        raise _Bad("the date is before 1900", "Check the year")
    return found


def _number(question: Question, raw: Any) -> Decimal | int:
    number = _exact(raw)
    whole = question.type is QuestionType.INTEGER
    places = 0 if whole else question.decimals
    if places is not None and number != round(number, places):
        if places == 0:
            raise _Bad("this is not a whole number", "Give a whole number")
        raise _Bad(f"this has over {places} decimal places", f"Give at most {places}")
    if question.minimum is not None and number < question.minimum:
        raise _Bad("this is below the least possible", f"Give {question.minimum:f} or more")
    if question.maximum is not None and number > question.maximum:
        raise _Bad("this is above the most possible", f"Give {question.maximum:f} or less")
    return int(number) if whole else number


def _exact(raw: Any) -> Decimal:
    """An exact number of at most 12 digits before the point and 8 after."""
    if isinstance(raw, bool) or not isinstance(raw, int | str | Decimal):
        raise _Bad("this is not a number", 'Give a number in plain digits, or as text: "6.4"')
    if isinstance(raw, str) and _NUMBER.fullmatch(raw) is None:
        raise _Bad("this is not a number in plain digits", "Write it like 6.4, with digits 0 to 9")
    if isinstance(raw, int) and abs(raw) > _LARGEST:
        raise _Bad("the number is too large", "Check the digits")
    number = Decimal(raw)
    if not number.is_finite():
        raise _Bad("this is not a number", "Write it like 6.4")
    exponent = number.as_tuple().exponent
    if (number and number.adjusted() >= 12) or not isinstance(exponent, int) or exponent < -8:
        raise _Bad("the number has too many digits", "Give at most 12 before the point, 8 after")
    return Decimal(format(number, "f")) if exponent <= 0 else number.quantize(Decimal(1))
