"""A form that was signed on paper during downtime: its own page of the draft. Pure.

What is typed stands in the draft's form as the API takes it (`details.paper`): the day and the time
of the signature as one instant with its offset from UTC, or as typed where they are none.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from app.clock import london_day
from app.web.form.about import Entry
from app.web.form.fields import Field
from app.web.form.instants import InstantWords, instant_fields, read_instant, typed_instant

PAPER: Final = "paper"
_AT: Final = ("details", "paper")
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
_WORDS: Final = InstantWords(
    day_name=_SIGNED,
    time_name=_TIME_FIELD,
    day="Day of the clinician's signature",
    day_hint="As it stands on the paper.",
    time="Time of the signature",
    time_hint="24 hours, such as 14:20.",
    wrong_day="Enter the day that stands beside the signature, such as 12 6 2026.",
    wrong_time="Enter the time that stands beside the signature, such as 14:20.",
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
    if not isinstance(details, Mapping) or "paper" not in details:
        return {**form}
    return {**form, "details": {k: v for k, v in details.items() if k != "paper"}}


def put(form: Mapping[str, Any], posted: Mapping[str, str]) -> dict[str, Any]:
    """The draft's form with the signature as it was typed.

    A decision to treat that is missing, or after the signature, becomes the day of the signature:
    it is on the next page, to be held against the paper.
    """
    typed = {
        "signed_by": posted.get("signed_by", "").strip()[:_LONGEST] or None,
        "signed_at": typed_instant(_SIGNED, _TIME_FIELD, posted),
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
    return None if instant is None else london_day(instant)


def signed_at(form: Mapping[str, Any]) -> dt.datetime | None:
    """The instant of the signature; None where it cannot be read."""
    return read_instant(_stored(form).get("signed_at"))


def decided_as_signed(form: Mapping[str, Any]) -> bool:
    """Whether the day of the decision to treat is that of the signature, as it is filled in."""
    signed = signed_day(form)
    return is_paper(form) and signed is not None and signed == _day(form.get("decision_to_treat"))


def was_filled(form: Mapping[str, Any]) -> bool:
    """Whether the page was sent before: a page that nobody has seen shows no faults."""
    return bool(set(_stored(form)) - {"reason"})


def fields(form: Mapping[str, Any], wrong: Mapping[str, str]) -> tuple[Field, ...]:
    """The page's fields, with what is wrong by the name of the API's field."""
    stored = _stored(form)
    at = instant_fields(_WORDS, stored.get("signed_at"), wrong.get("details.paper.signed_at"))
    return (
        *at,
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
