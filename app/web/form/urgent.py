"""An urgent start that an office authorised before the form: its own page of the draft. Pure.

What is typed stands in the draft's form as the API takes it: the first dose, the policy's reason
for a late form, and `details.emergency` with who authorised it and when. A policy that permits no
late form permits no urgent start.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.policy import Kind, PolicyVersion
from app.web.form import about
from app.web.form.about import Entry
from app.web.form.fields import Field
from app.web.form.instants import InstantWords, instant_fields, typed_instant

URGENT: Final = "urgent"
_AT: Final = ("details", "emergency")
_DAY, _TIME = "authorised", "authorised_time"
_ROLE = Entry(
    (*_AT, "role"),
    "text",
    "Role of whoever authorised it",
    "Such as consultant haematologist on call: a role, no name.",
)
_OFFICE = Entry(
    (*_AT, "office"),
    "text",
    "Office that authorised it",
    "Such as the panel's emergency line.",
)
_WHEN = Entry((*_AT, "at"), "text", "Authorised at")
#: Where a fault of the API's field leads on the page.
PLACES: Final = {"details.emergency.at": f"{_DAY}-day"}
_WORDS: Final = InstantWords(
    day_name=_DAY,
    time_name=_TIME,
    day="Day on which it was authorised",
    day_hint="Before the first dose, or on its day.",
    time="Time at which it was authorised",
    time_hint="24 hours, such as 03:20.",
    wrong_day="Enter the day on which it was authorised, such as 12 6 2026.",
    wrong_time="Enter the time at which it was authorised, such as 03:20.",
)
_LONGEST: Final = 200
#: Of the treatment's page, what this one asks once an urgent start is told.
ASKED_HERE: Final = ("first_dose", "retrospective_reason")


def may_begin_urgently(version: PolicyVersion, kind: Kind) -> bool:
    """Whether the policy permits a form that comes after the first dose, for a reason it names."""
    asked = kind in (Kind.INITIATION, Kind.CONTINUATION)
    return asked and bool(version.approval.retrospective_reasons)


def is_urgent(form: Mapping[str, Any]) -> bool:
    """Whether the draft tells of an urgent start."""
    details = form.get("details")
    return isinstance(details, Mapping) and isinstance(details.get("emergency"), Mapping)


def was_filled(form: Mapping[str, Any]) -> bool:
    """Whether the page was sent before: a page that nobody has seen shows no faults."""
    return is_urgent(form)


def not_urgent(form: Mapping[str, Any]) -> dict[str, Any]:
    """The draft's form without an urgent start; the day of the first dose and the reason stay."""
    details = form.get("details")
    if not isinstance(details, Mapping) or "emergency" not in details:
        return {**form}
    return {**form, "details": {k: v for k, v in details.items() if k != "emergency"}}


def entries(version: PolicyVersion, kind: Kind) -> tuple[Entry, ...]:
    """What is asked, as the page on which answers are checked lists it."""
    first = Entry(
        ("first_dose",),
        "day",
        "Day of the first dose",
        "Leave it empty if no dose has been given yet.",
        optional=True,
    )
    reason = Entry(
        ("retrospective_reason",),
        "one of",
        "Why treatment could not wait for the form",
        "The policy's own reasons.",
        tuple(version.approval.retrospective_reasons.items()),
    )
    dose = (first,) if kind is Kind.INITIATION else ()
    return (*dose, reason, _ROLE, _OFFICE, _WHEN)


def put(
    form: Mapping[str, Any], version: PolicyVersion, kind: Kind, posted: Mapping[str, str]
) -> dict[str, Any]:
    """The draft's form with the urgent start as it was typed."""
    asked = [each for each in entries(version, kind) if each is not _WHEN]
    made = about.put(form, asked, posted)
    details = dict(made.get("details") or {})
    emergency = {k: str(v)[:_LONGEST] for k, v in (details.get("emergency") or {}).items()}
    emergency.pop("at", None)
    at = typed_instant(_DAY, _TIME, posted)
    details["emergency"] = {**emergency, **({} if at is None else {"at": at})}
    return {**made, "details": details}


def fields(
    form: Mapping[str, Any], version: PolicyVersion, kind: Kind, wrong: Mapping[str, str]
) -> tuple[Field, ...]:
    """The page's fields, with what is wrong by the name of the API's field."""
    asked = [each for each in entries(version, kind) if each is not _WHEN]
    at = instant_fields(_WORDS, about.stored(form, _WHEN), wrong.get(_WHEN.name))
    return (*about.fields(asked, form, wrong), *at)
