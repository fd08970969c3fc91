"""An objection and a death on pages: recorded once, told what follows, and taken back."""

import datetime as dt

import pytest
from fastapi import FastAPI

from app.auth.model import Role
from app.clock import now
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.test_break_glass_pages import number_of
from tests.functional.web.test_claim_pages import claim
from tests.functional.web.test_report_pages import system_of

WORDS = "No other hospital is to see it."
OBJECTS = "The patient objects to being shown beyond those who treat them"


def day(of: dt.date) -> dict[str, str]:
    return {f"died_on-{part}": str(getattr(of, part)) for part in ("day", "month", "year")}


def post(person: Person, treatment: str, act: str, **fields: str) -> tuple[int, str]:
    at = f"/treatments/{treatment}/patient"
    reply = person.send(at, f"{at}/{act}", **fields)
    if reply.status_code == 303:
        assert reply.headers["location"] == at
    return reply.status_code, reply.text


@pytest.fixture
def treatment(enter: Enter) -> str:
    return sent(enter("demo1-clinician"), ANSWERS)[1]


@pytest.mark.parametrize("who", ["demo1-clinician", "demo1-delegate", "demo1-pharmacist"])
def test_an_objection_is_recorded_shown_and_lifted(enter: Enter, treatment: str, who: str) -> None:
    person, at = enter(who), f"/treatments/{treatment}"
    assert f'href="{at}/patient"' in person.get(at).text
    assert OBJECTS not in person.get(at).text
    assert post(person, treatment, "objection", reason=WORDS)[0] == 303
    assert OBJECTS in person.get(at).text
    assert OBJECTS in person.get(f"{at}/patient").text
    assert post(person, treatment, "objection", reason=WORDS)[0] == 409
    assert post(person, treatment, "objection/withdraw", reason="Said so today.")[0] == 303
    assert OBJECTS not in person.get(at).text
    assert post(person, treatment, "objection/withdraw", reason="Again.")[0] == 409


def test_an_objection_keeps_a_claim_from_being_answered(enter: Enter) -> None:
    owner, other = enter("demo1-clinician"), enter("demo2-clinician")
    request, treatment = sent(owner, ANSWERS)
    number = number_of(owner, request)
    assert post(owner, treatment, "objection", reason=WORDS)[0] == 303
    reply = claim(other, number)
    assert "The patient objects to being shown" in reply.text
    assert "Reference" not in reply.text
    assert WORDS not in reply.text
    assert post(owner, treatment, "objection/withdraw", reason="Said so today.")[0] == 303
    assert "Another hospital holds a live approval" in claim(other, number).text


def test_a_death_ends_what_is_due_and_is_taken_back(
    enter: Enter, application: FastAPI, treatment: str
) -> None:
    person, at = enter("demo1-delegate"), f"/treatments/{treatment}"
    system = system_of(application, "DEMO1", Role.DELEGATE)

    def is_due() -> bool:
        """As the lists of the home page find it, some months from now."""
        by = (now().date() + dt.timedelta(500)).isoformat()
        reply = person.http.post("/v1/searches", json={"review_due_by": by}, headers=system)
        assert reply.status_code == 200, reply.text
        return treatment in reply.text

    assert is_due()
    today = now().date()
    assert post(person, treatment, "death", **day(today))[0] == 303
    shown = person.get(f"{at}/patient").text
    assert "Died on" in shown
    assert "until the treatment is recorded as stopped" in shown
    assert ">Died</dt>" in person.get(at).text
    assert not is_due()
    assert post(person, treatment, "death", **day(today))[0] == 409
    assert post(person, treatment, "death/take-back", reason="Another patient's.")[0] == 303
    assert ">Died</dt>" not in person.get(at).text
    assert is_due()


TOMORROW = now().date() + dt.timedelta(2)


@pytest.mark.parametrize(
    ("act", "fields", "said"),
    [
        ("death", {}, "Enter the day of death"),
        ("death", {"died_on-day": "31", "died_on-month": "2", "died_on-year": "2026"}, "Enter the"),
        ("death", {"died_on-day": "<b>"}, "Enter the day of death"),
        ("death", day(TOMORROW), "lies in the future"),
        ("death", day(dt.date(1950, 1, 1)), "before the patient&#39;s birth"),
        ("death/take-back", {"reason": "  "}, "Say why the record of the death is wrong"),
        ("objection", {"reason": ""}, "Say what the patient objects to"),
        ("objection/withdraw", {"reason": ""}, "Say how the patient took it back"),
    ],
)
def test_what_is_missing_is_told_and_records_nothing(
    enter: Enter, treatment: str, act: str, fields: dict[str, str], said: str
) -> None:
    person = enter("demo1-clinician")
    status, text = post(person, treatment, act, **fields)
    assert status == 422
    assert said in text
    at = f"/treatments/{treatment}"
    assert ">Died</dt>" not in person.get(at).text
    assert OBJECTS not in person.get(at).text


def test_a_day_that_was_refused_stands_in_the_boxes(enter: Enter, treatment: str) -> None:
    text = post(enter("demo1-clinician"), treatment, "death", **day(dt.date(1950, 1, 1)))[1]
    assert 'value="1950"' in text


def test_a_second_click_and_going_back_record_nothing_twice(enter: Enter, treatment: str) -> None:
    person, at = enter("demo1-clinician"), f"/treatments/{treatment}/patient"
    once = "5e0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
    for _ in range(2):
        assert post(person, treatment, "objection", reason=WORDS, once=once)[0] == 303
    assert post(person, treatment, "objection/withdraw", reason="Said so today.")[0] == 303
    assert post(person, treatment, "objection", reason=WORDS, once=once)[0] == 303
    assert "None is on record. An objection" in person.get(at).text


@pytest.mark.parametrize("who", ["demo2-clinician", "demo2-delegate"])
def test_another_hospital_records_nothing(enter: Enter, treatment: str, who: str) -> None:
    stranger = enter(who)
    at = f"/treatments/{treatment}/patient"
    assert stranger.get(at).status_code == 404
    for act in ("objection", "objection/withdraw", "death", "death/take-back"):
        fields = {"reason": WORDS} | day(now().date())
        assert stranger.send("/", f"{at}/{act}", **fields).status_code == 404, act
    shown = enter("demo1-clinician").get(at).text
    assert shown.count("None is on record.") == 2


@pytest.mark.parametrize("who", ["demq1-commissioner", "demo1-auditor", "demq1-invoice-validation"])
def test_who_gives_no_care_is_offered_none(enter: Enter, treatment: str, who: str) -> None:
    person, at = enter(who), f"/treatments/{treatment}"
    shown = person.get(at)
    assert shown.status_code == 200
    assert f"{at}/patient" not in shown.text
    assert person.get(f"{at}/patient").status_code == 403


def test_a_payer_is_not_told_the_day_of_death(enter: Enter, treatment: str) -> None:
    assert post(enter("demo1-clinician"), treatment, "death", **day(now().date()))[0] == 303
    assert ">Died</dt>" not in enter("demq1-commissioner").get(f"/treatments/{treatment}").text
