"""What a browser sends of a form's questions, as answers, and back. Pure.

Whatever was typed is kept, also where it can't be read: a draft loses nothing, and the page says
what is wrong with it. A day that is none stands as it was typed, with slashes.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from app.policy import Question, QuestionType
from app.policy.answers import MAX_ROWS

PREFIX: Final = "a."
#: As many rows as an answer may have: a draft that came over the API loses none here.
MOST_ROWS: Final = MAX_ROWS
_PARTS: Final = ("day", "month", "year")
_TRUTH: Final = {"yes": True, "no": False}


def typed_answers(questions: tuple[Question, ...], posted: Mapping[str, str]) -> dict[str, Any]:
    """The answers of a page, by question; None where a question was left open."""
    return {each.name: _answer(each, f"{PREFIX}{each.name}", posted) for each in questions}


def typed_day(name: str, posted: Mapping[str, str]) -> str | None:
    """A day of three boxes as ISO, or as it was typed where it is none; None if all are empty."""
    parts = [posted.get(f"{name}-{part}", "").strip() for part in _PARTS]
    if not any(parts):
        return None
    day, month, year = parts
    if all(each.isascii() and each.isdigit() and len(each) <= 4 for each in parts):
        try:
            return dt.date(int(year), int(month), int(day)).isoformat()
        except ValueError:
            pass
    return "/".join(each[:20] for each in parts)


def day_parts(stored: Any) -> dict[str, str]:
    """The three boxes of a stored day, or of what was typed for one."""
    if not isinstance(stored, str) or not stored:
        return {}
    try:
        day = dt.date.fromisoformat(stored)
    except ValueError:
        parts = [*stored.split("/"), "", "", ""][:3]
        return dict(zip(_PARTS, parts, strict=True))
    return {"day": str(day.day), "month": str(day.month), "year": f"{day.year:04d}"}


def bare(answer: Any) -> Any:
    """The value of an answer, whether it stands alone or with its unit or day."""
    return answer.get("value") if isinstance(answer, Mapping) else answer


def measured_on(answer: Any) -> Any:
    """The day on which an answer was measured, as stored."""
    return answer.get("measured_on") if isinstance(answer, Mapping) else None


def _answer(question: Question, name: str, posted: Mapping[str, str]) -> Any:
    value = _value(question, name, posted)
    if value is None:
        return None
    wrapped: dict[str, Any] = {"value": value}
    if question.unit is not None:
        wrapped["unit"] = question.unit
    if question.measured:
        day = typed_day(f"{name}.on", posted)
        if day is not None:
            wrapped["measured_on"] = day
    return wrapped if len(wrapped) > 1 else value


def _value(question: Question, name: str, posted: Mapping[str, str]) -> Any:
    match question.type:
        case QuestionType.LIST:
            # "None to record" is an answer; a list that was left open is not.
            none: list[Any] | None = [] if posted.get(f"{name}.none") == "yes" else None
            return _rows(question, name, posted) or none
        case QuestionType.DATE:
            return typed_day(name, posted)
    text = posted.get(name, "").strip()
    if not text:
        return None
    match question.type:
        case QuestionType.BOOLEAN:
            return _TRUTH.get(text, text)
        case QuestionType.INTEGER if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        case QuestionType.NUMBER:
            return text.replace(",", "") if _has_thousands(text) else text
    return text


def _has_thousands(text: str) -> bool:
    """Whether the commas are those of thousands, "1,250": a decimal comma is left to be refused."""
    whole, _, _ = text.partition(".")
    head, *rest = whole.split(",")
    return bool(rest) and 0 < len(head) <= 3 and all(len(each) == 3 for each in rest)


def _rows(question: Question, name: str, posted: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of a list, without those in which nothing was typed."""
    rows = []
    for number in range(MOST_ROWS):
        row = {
            field.name: _answer(field, f"{name}.{number}.{field.name}", posted)
            for field in question.fields.values()
        }
        filled = {field: value for field, value in row.items() if value is not None}
        if filled:
            rows.append(filled)
    return rows
