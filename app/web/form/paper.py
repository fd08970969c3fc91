"""A form that was signed on paper during downtime: its own page of the draft. Pure.

What is typed stands in the draft's form as the API takes it (`details.paper`): the day and the time
of the signature as one instant with its offset from UTC, or as typed where they are none.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.web.form.about import Entry
from app.web.form.fields import Field
from app.web.form.typed import day_parts, typed_day

PAPER: Final = "paper"
_AT: Final = ("details", "paper")
_LONDON: Final = ZoneInfo("Europe/London")
_TIME: Final = re.compile(r"([0-9]{1,2})[:.]([0-9]{2})")
_SIGNED, _TIME_FIELD = "signed", "signed_time"
#: As the page on which answers are checked lists them.
ENTRIES: Final = (
    Entry((*_AT, "signed_by"), "text", "Signed on paper by"),
    Entry((*_AT, "signed_at"), "text", "Signed on paper at"),
    Entry((*_AT, "reference"), "text", "Number on the paper form", optional=True),
)
#: Where a fault of the API's field leads on the page.
PLACES: Final = {
    "details.paper.signed_by": "signed_by",
    "details.paper.signed_at": f"{_SIGNED}-day",
    "details.paper.reference": "reference",
}
_WRONG_TIME: Final = (
    "Enter the day and the time that stand beside the signature, such as 12 6 2026 and 14:20."
)
_LONGEST: Final = 200


def is_paper(form: Mapping[str, Any]) -> bool:
    """Whether the draft enters a form that was signed on paper."""
    details = form.get("details")
    return isinstance(details, Mapping) and isinstance(details.get("paper"), Mapping)


def begun(form: Mapping[str, Any]) -> dict[str, Any]:
    """The draft's form, marked as one that was signed on paper."""
    return _with(form, {"reason": "downtime"})


def not_paper(form: Mapping[str, Any]) -> dict[str, Any]:
    """The draft's form, no longer so marked."""
    details = form.get("details")
    given = details if isinstance(details, Mapping) else {}
    return {**form, "details": {k: v for k, v in given.items() if k != "paper"}}


def put(form: Mapping[str, Any], posted: Mapping[str, str]) -> dict[str, Any]:
    """The draft's form with the signature as it was typed.

    A decision to treat that is missing, or after the signature, becomes the day of the signature:
    it is on the next page, to be held against the paper.
    """
    typed = {
        "signed_by": posted.get("signed_by", "").strip()[:_LONGEST] or None,
        "signed_at": _instant(posted),
        "reference": posted.get("reference", "").strip()[:_LONGEST] or None,
    }
    paper = {"reason": "downtime"} | {k: v for k, v in typed.items() if v is not None}
    made = _with(form, paper)
    signed, decided = signed_day(made), _day(form.get("decision_to_treat"))
    if signed is not None and (decided is None or decided > signed):
        made["decision_to_treat"] = signed.isoformat()
    return made


def signed_day(form: Mapping[str, Any]) -> dt.date | None:
    """The Europe/London day of the signature; None where it cannot be read."""
    instant = signed_at(form)
    return None if instant is None else instant.astimezone(_LONDON).date()


def signed_at(form: Mapping[str, Any]) -> dt.datetime | None:
    """The instant of the signature; None where it cannot be read."""
    try:
        found = dt.datetime.fromisoformat(_stored(form).get("signed_at") or "")
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def with_signature(stored: Any) -> dict[str, Any]:
    """A draft's form that holds only that instant, to be read as any other."""
    return _with({}, {"signed_at": stored})


def was_filled(form: Mapping[str, Any]) -> bool:
    """Whether the page was sent before: a page that nobody has seen shows no faults."""
    return bool(set(_stored(form)) - {"reason"})


def fields(form: Mapping[str, Any], wrong: Mapping[str, str]) -> tuple[Field, ...]:
    """The page's fields, with what is wrong by the name of the API's field."""
    stored = _stored(form)
    day, time = _parts(stored.get("signed_at"))
    at = wrong.get("details.paper.signed_at")
    if at is not None and signed_at(form) is None:
        at = _WRONG_TIME
    return (
        Field(
            name=_SIGNED,
            id=f"{_SIGNED}-day",
            control="day",
            label="Day of the clinician's signature",
            hint="As it stands on the paper.",
            parts=day,
            error=at,
        ),
        Field(
            name=_TIME_FIELD,
            id=_TIME_FIELD,
            control="text",
            label="Time of the signature",
            hint="24 hours, such as 14:20.",
            value=time,
        ),
        Field(
            name="signed_by",
            id="signed_by",
            control="text",
            label="Role of whoever signed it",
            hint="Such as consultant rheumatologist: a role, no name.",
            value=str(stored.get("signed_by", "")),
            error=wrong.get("details.paper.signed_by"),
        ),
        Field(
            name="reference",
            id="reference",
            control="text",
            label="Number on the paper form",
            hint="By which the paper is found again, such as the ward's own number. Put nothing in "
            "it that tells who the patient is.",
            value=str(stored.get("reference", "")),
            error=wrong.get("details.paper.reference"),
            optional=True,
        ),
    )


def _instant(posted: Mapping[str, str]) -> str | None:
    """The signature's instant as ISO with its offset; as typed where it is none."""
    day, time = typed_day(_SIGNED, posted), posted.get(_TIME_FIELD, "").strip()[:10]
    if day is None and not time:
        return None
    read, parsed = _TIME.fullmatch(time), _day(day)
    if read is not None and parsed is not None:
        hour, minute = int(read.group(1)), int(read.group(2))
        if hour < 24 and minute < 60:
            local = dt.datetime(parsed.year, parsed.month, parsed.day, hour, minute, tzinfo=_LONDON)
            if local.astimezone(dt.UTC).astimezone(_LONDON).hour == hour:  # clocks showed it
                return local.isoformat()
    return f"{day or ''} {time}"


def _parts(stored: Any) -> tuple[dict[str, str], str]:
    """The three boxes of the day, and the time, of what is stored."""
    text = stored if isinstance(stored, str) else ""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is not None and found.tzinfo is not None:
        local = found.astimezone(_LONDON)
        return day_parts(local.date().isoformat()), f"{local:%H:%M}"
    day, _, time = text.partition(" ")
    return day_parts(day), time


def _day(typed: Any) -> dt.date | None:
    try:
        return dt.date.fromisoformat(typed) if isinstance(typed, str) else None
    except ValueError:
        return None


def _stored(form: Mapping[str, Any]) -> Mapping[str, Any]:
    details = form.get("details")
    paper = details.get("paper") if isinstance(details, Mapping) else None
    return paper if isinstance(paper, Mapping) else {}


def _with(form: Mapping[str, Any], paper: Mapping[str, Any]) -> dict[str, Any]:
    details = form.get("details")
    kept = dict(details) if isinstance(details, Mapping) else {}
    return {**form, "details": {**kept, "paper": dict(paper)}}
