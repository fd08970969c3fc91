"""A second course of immunoglobulin: how many there were and how long ago is one choice to confirm.

The service's clock is the test's: the first course was asked for and given a month before.
"""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi import FastAPI

from app.clock import london_day
from app.reference_data.nhs_number import format_nhs_number, test_number
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import fill
from tests.functional.web.test_origins import continued, value_of

FORM = "/start/immunoglobulin-cidp-short"
MEASURES = ("mrc_sum", "incat_sensory", "onls")
NOON = dt.datetime(2026, 6, 15, 11, tzinfo=dt.UTC)
MEASURED = {"height_cm.on-day": "1", "height_cm.on-month": "6", "height_cm.on-year": "2026"}
FIRST = {
    "neurologist_diagnosis": "yes",
    "efns_pns": "probable",
    "functional_impairment": "yes",
    "plasma_exchange_considered": "yes",
    "steroids_considered": "yes",
    "urgent_treatment": "no",
    "mainly_motor": "no",
    "height_cm": "180",
    "weight_kg": "80",
    "dose_g": "160",
    **{f"outcome_measures.{n}.measure": each for n, each in enumerate(MEASURES)},
    **{f"outcome_measures.{n}.fixed_beforehand": "yes" for n in range(3)},
    **{f"outcome_measures.{n}.score_before": "10" for n in range(3)},
}
ASKED = ("courses_so_far", "days_to_next_course", "dose_g")


def on(application: FastAPI, days: int) -> str:
    """Turn the service's clock so many days on; that day in words."""
    instant = NOON + dt.timedelta(days=days)
    application.state.door = replace(application.state.door, now=lambda: instant)
    day = london_day(instant)
    return f"{day.day} {day:%B %Y}"


@pytest.fixture
def again(application: FastAPI, enter: Enter) -> Callable[..., tuple[Person, str]]:
    """Somebody on the page of a continuation, `days` after the first dose of the first course."""

    def make(born: int = 1970, days: int = 34, dose: str = "160") -> tuple[Person, str]:
        on(application, 0)
        doctor = enter("demo1-clinician")
        who = {"nhs_number": format_nhs_number(test_number(60_900)), "local_id": "H060900"}
        who |= {"sex": "female", "birth_date-day": "5", "birth_date-month": "5"}
        typed = {f"patient.{name}": value for name, value in who.items()}
        reply = doctor.send(FORM, FORM, **typed, **{"patient.birth_date-year": str(born)})
        draft = str(reply.headers["location"]).split("/")[2]
        fill(doctor, draft, {**FIRST, **MEASURED, "dose_g": dose})
        reply = doctor.send(f"/drafts/{draft}/check", f"/drafts/{draft}/submit")
        shown = doctor.get(str(reply.headers["location"])).text
        found = re.search(r'href="/treatments/([0-9a-f-]{36})"', shown)
        assert found is not None, shown
        at = f"/treatments/{found.group(1)}"
        day = {"first_dose-day": "15", "first_dose-month": "6", "first_dose-year": "2026"}
        assert doctor.send(at, f"{at}/first-dose", **day).status_code == 303
        on(application, days)
        doctor = enter("demo1-clinician")
        return doctor, f"/drafts/{continued(doctor, found.group(1))}/part-1"

    return make


Again = Callable[..., tuple[Person, str]]


def still(shown: str) -> dict[str, str]:
    """What a browser sends with the choice that all on record is still so."""
    named = re.findall(r'name="(shown\.\w+)"', shown)
    counted = re.findall(r'name="(counted\.\w+)" value="(\d+)"', shown)
    assert len(counted) == 2, shown
    return dict.fromkeys(named, "1") | dict(counted) | {"still": "yes"}


def plain(shown: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", shown).split())


def test_it_is_told_with_the_day_it_is_counted_from_and_nothing_is_filled_in(
    again: Again, application: FastAPI
) -> None:
    doctor, at = again()
    shown = doctor.get(at).text
    words = plain(shown)
    today = on(application, 34)
    assert (
        "Courses of immunoglobulin already given for this illness: "
        "1 (its first dose, on 15 June 2026, is on record)"
    ) in words
    assert (
        "Days from the last course to this one: 34 days (from its first dose on 15 June 2026 to "
        f"the day of the decision, {today})"
    ) in words
    assert "and the record of the first dose on 15 June 2026." in words
    assert "A course given elsewhere, or before this treatment was asked for here, is not" in words
    assert [value_of(shown, f"a.{each}") for each in ASKED] == ["", "", ""]
    doctor.send(at, at, **(still(shown) | {"still": ""}))
    assert [value_of(doctor.get(at).text, f"a.{each}") for each in ASKED] == ["", "", ""]


def test_one_choice_confirms_it_and_the_form_is_sent_with_what_is_new(again: Again) -> None:
    doctor, at = again()
    shown = doctor.get(at).text
    assert value_of(shown, "a.height_cm") == "180"
    assert [value_of(shown, f"a.height_cm.on-{each}") for each in ("day", "month")] == ["1", "6"]
    assert "Filled in from the initiation request of 15 June 2026" in shown
    assert value_of(shown, "a.weight_kg") == "", "it is asked anew"
    now = {
        f"a.outcome_measures.{n}.{k}": v
        for n in range(3)
        for k, v in (
            ("measure", MEASURES[n]),
            ("fixed_beforehand", "yes"),
            ("score_before", "10"),
            ("score_after", "14"),
        )
    }
    day = {f"a.{name}": value for name, value in MEASURED.items()}
    now |= {"a.height_cm": "180", **day, "a.weight_kg": "80", "a.serious_complication": "no"}
    reply = doctor.send(at, at, **still(shown), **now, send="yes")
    sent_to = str(reply.headers["location"])
    assert sent_to.startswith("/requests/"), plain(doctor.get(sent_to).text)
    answered = plain(doctor.get(sent_to).text)
    assert "Approved" in answered
    assert "34 days" in answered


def test_a_childs_height_is_asked_anew(again: Again) -> None:
    doctor, at = again(born=2009, dose="120")
    shown = doctor.get(at).text
    assert value_of(shown, "a.height_cm") == ""
    assert "Last time: <strong>180 cm, measured on 1 June 2026</strong>" in shown


def test_what_is_counted_otherwise_by_now_is_asked_about(again: Again) -> None:
    doctor, at = again()
    given = still(doctor.get(at).text)
    about = at.replace("part-1", "treatment")
    day = {"decision_to_treat-day": "18", "decision_to_treat-month": "7"}
    doctor.send(about, about, **day, **{"decision_to_treat-year": "2026"})
    reply = doctor.send(at, at, **given)
    assert reply.status_code == 422
    assert "What is counted here has changed since you opened the page" in reply.text
    shown = doctor.get(at).text
    assert [value_of(shown, f"a.{each}") for each in ASKED] == ["", "", ""]
    assert "33 days (from its first dose on 15 June 2026 to the day of" in plain(shown)


def test_what_was_confirmed_is_in_sight_once_the_day_of_the_decision_moved(again: Again) -> None:
    doctor, at = again()
    doctor.send(at, at, **still(doctor.get(at).text))
    assert value_of(doctor.get(at).text, "still") == "yes"
    about = at.replace("part-1", "treatment")
    day = {"decision_to_treat-day": "18", "decision_to_treat-month": "7"}
    doctor.send(about, about, **day, **{"decision_to_treat-year": "2026"})
    shown = doctor.get(at).text
    assert value_of(shown, "still") == "no"
    assert value_of(shown, "a.days_to_next_course") == "34"
    assert re.search(r'id="changed" open', shown)


def test_without_what_the_page_told_nothing_is_counted(again: Again) -> None:
    doctor, at = again()
    given = {k: v for k, v in still(doctor.get(at).text).items() if not k.startswith("counted.")}
    doctor.send(at, at, **given)
    shown = doctor.get(at).text
    assert value_of(shown, "a.dose_g") == "160"
    assert [value_of(shown, f"a.{each}") for each in ASKED[:2]] == ["", ""]


def test_another_number_beside_the_choice_is_asked_about_and_neither_is_taken(
    again: Again,
) -> None:
    doctor, at = again()
    reply = doctor.send(at, at, **still(doctor.get(at).text), **{"a.courses_so_far": "2"})
    assert reply.status_code == 422
    assert value_of(reply.text, "a.courses_so_far") == "2"
    shown = doctor.get(at).text
    assert [value_of(shown, f"a.{each}") for each in ASKED] == ["", "", ""]


def test_in_the_days_of_the_course_itself_the_form_asks(again: Again) -> None:
    doctor, at = again(days=5)
    shown = doctor.get(at).text
    assert "counted." not in shown
    assert 'name="a.courses_so_far"' in shown
