"""An urgent start and its overturning in the words of pages. Pure but for the form's reading."""

import datetime as dt
from collections.abc import Mapping

from pydantic import ValidationError

from app.api.doses_given_model import DosesGivenDocument
from app.api.panel_bodies import OverturnBody
from app.api.requests_model import RequestDocument
from app.api.treatments_model import TreatmentDocument
from app.approvals.errors import DetailsNotAccepted
from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.overturning import Ruling
from app.web.form.typed import typed_day
from app.web.words import day_words, instant_words

Pairs = tuple[tuple[str, str], ...]
#: What the page says at its top of a request that was declined so.
HEADING = "Declined: urgent start overturned"


def is_overturned(document: RequestDocument) -> bool:
    """Whether the request's refusal is one of an urgent start."""
    return document.state is RequestState.DECLINED and document.overturned is not None


def paid_only(document: TreatmentDocument) -> bool:
    """Whether all that the treatment ever had is payment for doses given: nothing goes on."""
    states = {each.state for each in document.approvals}
    return states == {ApprovalState.DOSES_GIVEN}


def urgent_pair(document: RequestDocument) -> tuple[str, str]:
    """Who let the treatment begin before the form, and when; empty where nobody did."""
    emergency = document.details.get("emergency")
    if not emergency:
        return ("Urgent start", "")
    at = instant_words(dt.datetime.fromisoformat(emergency["at"]))
    first = f" First dose: {day_words(document.first_dose)}." if document.first_dose else ""
    return (
        "Urgent start",
        f"Authorised before the form, on {at}, by the {emergency['role']} "
        f"({emergency['office']}).{first}",
    )


def ruled_words(given: DosesGivenDocument) -> str:
    """What was ruled on doses given, in one sentence."""
    first, last = day_words(given.from_day), day_words(given.to_day)
    if given.paid:
        return f"Doses given from {first} up to and including {last}: paid."
    return f"Doses given from {first} on: not paid."


def ruling_pairs(document: RequestDocument) -> Pairs:
    """What the ruling that stands pays for; empty without one."""
    ruling = document.overturned
    if ruling is None:
        return ()
    first, last = day_words(ruling.from_day), day_words(ruling.to_day)
    on = ("Overturned", instant_words(ruling.decided_at))
    if not ruling.paid:
        return (("Doses given before", "Not paid"), ("From the first dose", first), on)
    return (
        ("Doses given before", "Paid"),
        ("Days that are paid for", f"{first} up to and including {last}"),
        ("Reference for these days", ruling.reference or ""),
        ("Later doses", "No approval"),
        on,
    )


def ruling_in(form: Mapping[str, str]) -> Ruling:
    """The ruling as a form states it. Raises DetailsNotAccepted, naming what to look at."""
    doses = form.get("doses_given", "")
    if doses not in ("paid", "not paid"):
        raise DetailsNotAccepted(
            "doses_given",
            "Say whether doses given are paid for: choose one of the two. Nothing was recorded.",
        )
    typed = {
        "reason": form["reason"],
        "doses_given": doses,
        "paid_to": typed_day("paid_to", form) if doses == "paid" else None,
    }
    try:
        return OverturnBody.model_validate({k: v for k, v in typed.items() if v}).to_ruling()
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors()}
        field = "paid_to" if "paid_to" in wrong else "reason"
        said = {
            "paid_to": "Enter the last day that is paid for, such as 5 6 2026, or leave it empty.",
            "reason": "The reason is too long: at most 2,000 characters.",
        }
        raise DetailsNotAccepted(field, said[field]) from None
