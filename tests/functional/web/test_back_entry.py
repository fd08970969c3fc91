"""A form signed on paper is entered from the browser, with both times, and its day is told."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI

from app.approvals.downtime import BACK_ENTRY_COVERS
from app.approvals.office import change_setting
from app.db.work import Work
from app.reference_data.nhs_number import format_nhs_number, test_number
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, fill

LONDON = ZoneInfo("Europe/London")
FORM = "/start/adalimumab-ra-severe"
NOW = dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC)


@pytest.fixture
def now() -> Callable[[], dt.datetime]:
    """Half past ten in London: what was signed two hours ago was signed today."""
    return lambda: NOW


def signed(hours_ago: int = 30, **changes: str) -> dict[str, str]:
    at = (NOW - dt.timedelta(hours=hours_ago)).astimezone(LONDON)
    return {
        "signed-day": str(at.day),
        "signed-month": str(at.month),
        "signed-year": str(at.year),
        "signed_time": f"{at:%H:%M}",
        "signed_by": "consultant rheumatologist",
        "reference": "W12-0043",
    } | changes


def begun_on_paper(person: Person, number: int) -> str:
    """A first request marked as signed on paper, its patient filled in; the draft's address."""
    at = f"{FORM}?on_paper=yes"
    hidden = re.search(r'name="on_paper" value="(\w+)"', person.get(at).text)
    assert hidden is not None
    reply = person.send(
        at,
        FORM,
        **{
            "on_paper": hidden.group(1),
            "patient.nhs_number": format_nhs_number(test_number(number)),
            "patient.sex": "female",
            "patient.birth_date-day": "1",
            "patient.birth_date-month": "2",
            "patient.birth_date-year": "1970",
        },
    )
    draft = str(reply.headers["location"]).removesuffix("/begun")
    assert person.get(f"{draft}/begun").headers["location"] == f"{draft}/paper"
    return draft


def filled(person: Person, number: int) -> str:
    draft = begun_on_paper(person, number)
    at = f"{draft}/paper"
    assert person.send(at, at, **signed()).headers["location"] == f"{draft}/treatment"
    held = "If the paper names an earlier one, enter that"
    assert held in person.get(f"{draft}/treatment").text
    assert held not in person.get(f"{draft}/patient").text
    fill(person, draft.removeprefix("/drafts/"), ANSWERS)
    return draft


def let_cover(application: FastAPI, commissioner: str = "DEMQ1") -> None:
    def run(work: Work) -> Any:
        return change_setting(
            work, commissioner, BACK_ENTRY_COVERS, True, dt.date(2020, 1, 1), ADMINISTRATOR.id
        )

    application.state.door.transact(run)


def send(person: Person, draft: str) -> str:
    reply = person.send(f"{draft}/check", f"{draft}/submit")
    assert reply.status_code == 303, reply.text
    return person.get(str(reply.headers["location"])).text


def test_the_home_page_leads_to_it(enter: Enter) -> None:
    person = enter("demo1-delegate")
    assert 'href="/back-entry"' in person.get("/").text
    page = person.get("/back-entry").text
    assert "within 7 days" in page
    assert "which a clinician of your organisation looks through and sends" in page
    assert "You may send it yourself" in enter("demo1-clinician").get("/back-entry").text
    found = person.get("/start?q=adali&on_paper=yes").text
    assert f'href="{FORM}?on_paper=yes"' in found


def test_a_commissioner_has_no_part_in_it(enter: Enter) -> None:
    payer = enter("demq1-commissioner")
    assert payer.get("/back-entry").status_code == 403
    assert 'href="/back-entry"' not in payer.get("/").text


def test_a_delegate_enters_it_and_a_clinician_sends_it(enter: Enter) -> None:
    delegate = enter("demo1-delegate")
    draft = filled(delegate, 63_001)
    check = delegate.get(f"{draft}/check").text
    for words in ("consultant rheumatologist", "W12-0043", "covers from the day of its entry"):
        assert words in check, words
    assert "Send the request" not in check
    assert "Initiation, from paper" in enter("demo1-clinician").get("/").text
    page = send(enter("demo1-clinician"), draft)
    assert "Approved" in page
    for words in (
        "Signed by the consultant rheumatologist on",
        "entered later. Number on the paper: W12-0043.",
        "not from the day of the signature",
    ):
        assert words in page, words


def test_where_the_commissioner_lets_it_it_covers_from_the_signature(
    application: FastAPI, enter: Enter
) -> None:
    let_cover(application)
    person = enter("demo1-clinician")
    draft = filled(person, 63_002)
    assert "lets a paper form cover from its signature" in person.get(f"{draft}/check").text
    assert "The approval covers from the day of the signature." in send(person, draft)


def test_another_commissioners_leave_counts_for_nothing(application: FastAPI, enter: Enter) -> None:
    let_cover(application, "DEMQ2")
    person = enter("demo1-clinician")
    assert "not from the day of the signature" in send(person, filled(person, 63_003))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"signed_time": "25:00"}, 'href="#signed_time"'),
        ({"signed_time": ""}, 'href="#signed_time"'),
        ({"signed_time": "14:75"}, 'href="#signed_time"'),
        ({"signed-month": "13"}, "Enter the day that stands beside the signature"),
        ({"signed-day": "", "signed_time": "noon"}, "Enter the day that stands beside the sig"),
        ({"signed-year": "2099"}, "That time is still ahead"),
        ({"signed-year": "2020"}, "within 7 days of its signature"),
        ({"signed_by": ""}, "Fill this in"),
        ({"signed_by": "x" * 81}, "80"),
        ({"reference": "x" * 81}, "80"),
    ],
)
def test_what_cannot_be_so_is_told_at_its_field(
    enter: Enter, typed: dict[str, str], said: str
) -> None:
    person = enter("demo1-clinician")
    draft = filled(person, 63_004)
    at = f"{draft}/paper"
    assert person.send(at, at, **signed(**typed)).headers["location"] == at
    page = person.get(at).text
    assert said in page, page
    assert "nhsuk-error-summary" in page
    if time := typed.get("signed_time"):
        assert f'value="{time}"' in page, "what was typed is kept"
        assert "Enter the time" in page
    only_time = "signed_time" in typed and len(typed) == 1
    assert ("Enter the day" in page) is (said.startswith("Enter the day"))
    assert only_time is ("Enter the time" in page and "Enter the day" not in page)


def test_a_decision_after_the_signature_is_refused(enter: Enter) -> None:
    person = enter("demo1-clinician")
    draft = filled(person, 63_005)
    at, today = f"{draft}/treatment", NOW.astimezone(LONDON).date()
    day = {
        "decision_to_treat-day": str(today.day),
        "decision_to_treat-month": str(today.month),
        "decision_to_treat-year": str(today.year),
    }
    person.send(at, at, commissioner="DEMQ1", **day)
    assert "after the day on which the paper form was signed" in person.get(at).text
    refused = person.send(f"{draft}/check", f"{draft}/submit")
    assert refused.status_code == 409


def test_it_can_be_said_later_and_taken_back(enter: Enter) -> None:
    person = enter("demo1-clinician")
    reply = person.send(
        FORM,
        FORM,
        **{
            "patient.nhs_number": format_nhs_number(test_number(63_006)),
            "patient.sex": "female",
            "patient.birth_date-day": "1",
            "patient.birth_date-month": "2",
            "patient.birth_date-year": "1970",
        },
    )
    draft = str(reply.headers["location"]).removesuffix("/begun")
    assert f'href="{draft}/paper?from=check"' in person.get(f"{draft}/check").text
    at = f"{draft}/paper"
    shown = f"{at}?from=check"
    assert person.send(shown, at, **signed(), **{"from": "check"}).headers["location"] == (
        f"{draft}/treatment"
    ), "the day of the decision is looked at again"
    assert "Signed on paper by" in person.get(f"{draft}/check").text
    person.send(at, at, not_paper="yes")
    assert "Signed on paper by" not in person.get(f"{draft}/check").text


def test_a_continuation_is_entered_from_its_draft(enter: Enter) -> None:
    person = enter("demo1-clinician")
    draft = filled(person, 63_007)
    treatment = re.search(r'href="/treatments/([0-9a-f-]{36})"', send(person, draft))
    assert treatment is not None
    at = f"/treatments/{treatment.group(1)}"
    later = str(person.send(at, f"{at}/requests").headers["location"])
    page = f"{later}/paper"
    assert person.send(page, page, **signed(2)).headers["location"] == f"{later}/treatment"
    check = person.get(f"{later}/check").text
    assert "Signed on paper by" in check
    assert "covers from the day of its entry" in check


def test_another_organisation_opens_no_page_of_it(enter: Enter) -> None:
    draft = begun_on_paper(enter("demo1-clinician"), 63_008)
    other = enter("demo2-clinician")
    assert other.get(f"{draft}/paper").status_code == 404
    assert other.send("/", f"{draft}/paper", **signed(), version="1").status_code == 404
