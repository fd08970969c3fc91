"""A continuation that nothing but its panel keeps from approval goes to it from its one page."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi import FastAPI

from app.approvals.office import change_setting
from app.db.work import Work
from app.reference_data.nhs_number import format_nhs_number, test_number
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import fill
from tests.functional.web.test_minutes import main_of, take
from tests.functional.web.test_origins import continued
from tests.functional.web.test_still_course import still

FIRST = dict.fromkeys(("diagnosis_confirmed", "acute_episode_before", "panel_case_stated"), "yes")
NEXT = {"a.clinical_benefit": "yes", "a.serious_complication": "no"}
SHOWN = {each.replace("a.", "shown."): "1" for each in NEXT}
TOLD = "It goes to the panel at once if nothing is missing and every criterion is met."


BEGUN = dt.datetime(2026, 9, 15, 11, tzinfo=dt.UTC)
UVEITIS = {
    **dict.fromkeys(
        (
            "sight_threatened",
            "steroid_failed",
            "immunosuppressant_or_biologic_failed",
            "anti_tnf_tried",
            "outcomes_scored",
        ),
        "yes",
    ),
    "long_term_meant": "no",
    "height_cm": "180",
    "weight_kg": "80",
    "dose_g": "120",
}


@pytest.fixture
def now() -> Callable[[], dt.datetime]:
    return lambda: BEGUN


def approved(application: FastAPI, enter: Enter, policy: str, first: dict[str, str]) -> str:
    """A treatment whose first request the panel has approved."""

    def settle(work: Work) -> None:
        change_setting(work, "DEMQ1", "panel", "DEMP1", dt.date(2026, 1, 1), ADMINISTRATOR.id)

    application.state.door.transact(settle)
    doctor, member = enter("demo1-clinician"), enter("demp1-panel-member")
    form = f"/start/{policy}"
    who = {"nhs_number": format_nhs_number(test_number(60_950)), "local_id": "H060950"}
    who |= {"sex": "female", "birth_date-day": "5", "birth_date-month": "5"}
    typed = {f"patient.{name}": value for name, value in who.items()}
    reply = doctor.send(form, form, **typed, **{"patient.birth_date-year": "1970"})
    draft = str(reply.headers["location"]).split("/")[2]
    fill(doctor, draft, first)
    reply = doctor.send(f"/drafts/{draft}/check", f"/drafts/{draft}/submit")
    request = str(reply.headers["location"]).split("/")[2]
    take(member, request, "panel-approve", reason="As is usual.", no_interest="yes")
    shown = doctor.get(f"/requests/{request}").text
    found = re.search(r'href="/treatments/([0-9a-f-]{36})"', shown)
    assert found is not None, main_of(shown)
    return found.group(1)


@pytest.fixture
def page(application: FastAPI, enter: Enter) -> tuple[Person, str]:
    """Somebody on the page of a continuation of such a treatment."""
    treatment = approved(application, enter, "immunoglobulin-capillary-leak", FIRST)
    doctor = enter("demo1-clinician")
    return doctor, f"/drafts/{continued(doctor, treatment)}/part-1"


def test_it_is_sent_from_the_page_which_says_that_a_panel_decides(page: tuple[Person, str]) -> None:
    doctor, at = page
    said = main_of(doctor.get(at).text)
    assert f"A panel decides requests under this policy. {TOLD}" in said
    reply = doctor.send(at, at, **SHOWN, **NEXT, send="yes")
    sent_to = str(reply.headers["location"])
    assert sent_to.startswith("/requests/"), main_of(doctor.get(sent_to).text)
    assert "A panel decides requests under this policy." in main_of(doctor.get(sent_to).text)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"a.clinical_benefit": "no"}, "CLS-C1 is not met"),
        ({"a.serious_complication": "yes"}, "CLS-S1: the policy says to stop"),
        ({"a.clinical_benefit": ""}, "Still missing"),
    ],
    ids=["sent to people by a criterion", "ruled out", "missing"],
)
def test_what_else_stands_against_it_is_read_first_and_nothing_is_sent(
    page: tuple[Person, str], answer: dict[str, str], told: str
) -> None:
    doctor, at = page
    reply = doctor.send(at, at, **SHOWN, **(NEXT | answer), send="yes")
    check = str(reply.headers["location"])
    assert check.endswith("/check")
    assert told in main_of(doctor.get(check).text)
    draft = doctor.get(at.rsplit("/", 1)[0])
    assert "/requests/" not in draft.headers.get("location", ""), "it is a draft still"


def test_the_second_course_that_a_panel_decides_is_counted_from_the_first(
    application: FastAPI, enter: Enter
) -> None:
    treatment = approved(application, enter, "immunoglobulin-uveitis", UVEITIS)
    doctor, at = enter("demo1-clinician"), f"/treatments/{treatment}"
    day = {"first_dose-day": "15", "first_dose-month": "9", "first_dose-year": "2026"}
    assert doctor.send(at, f"{at}/first-dose", **day).status_code == 303
    later = BEGUN + dt.timedelta(days=42)
    application.state.door = replace(application.state.door, now=lambda: later)
    doctor = enter("demo1-clinician")
    at = f"/drafts/{continued(doctor, treatment)}/part-1"
    shown = doctor.get(at).text
    assert "Days from the last course to this one: 42 days" in main_of(shown)
    new = {"weight_kg": "80", "height_cm": "180", "long_term_meant": "no"}
    new |= {"clinical_benefit": "yes", "serious_complication": "no"}
    typed = {f"a.{name}": answer for name, answer in new.items()}
    reply = doctor.send(at, at, **still(shown), **typed, send="yes")
    sent_to = str(reply.headers["location"])
    assert sent_to.startswith("/requests/"), main_of(doctor.get(sent_to).text)
