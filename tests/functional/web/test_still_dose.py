"""A continuation confirms the approved dose by one choice, and never has one filled in."""

import re

import pytest

from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.test_origins import continued, value_of

_STILL = re.compile(r"Still 40 mg every 14 days, as approved on the initiation request of \d")
DOSE = {"shown.dose_mg": "1", "shown.dose_interval_days": "1"}


def page_of(person: Person, draft: str) -> str:
    """The path of the page that asks for the dose."""
    for number in range(1, 6):
        at = f"/drafts/{draft}/part-{number}"
        if "shown.dose_mg" in person.get(at).text:
            return at
    raise AssertionError("no page asks for the dose")


def doses(person: Person, at: str) -> tuple[str, str, str]:
    """The choice that stands, and what is in the two fields."""
    shown = person.get(at).text
    names = ("still_dose", "a.dose_mg", "a.dose_interval_days")
    choice, amount, every = (value_of(shown, name) for name in names)
    return choice, amount, every


@pytest.fixture
def page(enter: Enter) -> tuple[Person, str, str]:
    """Somebody, the page of a continuation that asks for the dose, and the treatment."""
    doctor = enter("demo1-clinician")
    _, treatment = sent(doctor, ANSWERS)
    return doctor, page_of(doctor, continued(doctor, treatment)), treatment


def test_the_approved_dose_is_told_and_nothing_is_filled_in(page: tuple[Person, str, str]) -> None:
    doctor, at, _ = page
    assert _STILL.search(doctor.get(at).text)
    assert doses(doctor, at) == ("", "", "")
    doctor.send(at, at, **DOSE)
    assert doses(doctor, at) == ("", "", ""), "who chooses nothing has answered nothing"
    assert "every=" not in doctor.get(at).text
    assert doses(doctor, f"{at}?last=yes") == ("", "", ""), "nor with all that is on record"


def test_one_choice_confirms_it_and_the_check_page_shows_it(page: tuple[Person, str, str]) -> None:
    doctor, at, _ = page
    doctor.send(at, at, **DOSE, still_dose="yes")
    assert doses(doctor, at) == ("yes", "40", "14")
    check = doctor.get(at.rsplit("/", 1)[0] + "/check").text
    assert re.search(r"<dd[^>]*>40 mg<", check)
    assert re.search(r"<dd[^>]*>14 days<", check)


def test_another_dose_is_typed_and_stands(page: tuple[Person, str, str]) -> None:
    doctor, at, _ = page
    typed = {"a.dose_mg": "20", "a.dose_interval_days": "7"}
    doctor.send(at, at, **DOSE, **typed, still_dose="no")
    assert doses(doctor, at) == ("no", "20", "7")
    doctor.send(at, at, **DOSE, **{"a.dose_mg": "80", "a.dose_interval_days": "7"})
    assert doses(doctor, at) == ("no", "80", "7"), "also where no choice was made"


def test_a_dose_typed_beside_the_choice_is_asked_about_and_neither_is_taken(
    page: tuple[Person, str, str],
) -> None:
    doctor, at, _ = page
    reply = doctor.send(at, at, **DOSE, still_dose="yes", **{"a.dose_mg": "80"})
    assert reply.status_code == 422
    assert '<a href="#still_dose">The dose: You chose that' in re.sub(r">\s+", ">", reply.text)
    assert value_of(reply.text, "a.dose_mg") == "80", "what was typed is not lost"
    assert doses(doctor, at) == ("", "", "")
    same = {"a.dose_mg": "40", "a.dose_interval_days": "14"}
    assert doctor.send(at, at, **DOSE, still_dose="yes", **same).status_code == 303


def test_a_dose_that_was_changed_since_is_asked_for_anew(page: tuple[Person, str, str]) -> None:
    doctor, at, treatment = page
    fields = {"kind": "dose change", "dose_amount": "20", "dose_unit": "mg"}
    day = {"from_day-day": "1", "from_day-month": "1", "from_day-year": "2027"}
    shown = f"/treatments/{treatment}"
    reply = doctor.send(shown, f"{shown}/changes", **fields, **day, dose_every_days="14")
    changed = doctor.get(str(reply.headers["location"])).text
    assert ">Approved<" in changed or "Recorded" in changed, changed
    again = doctor.get(at).text
    assert "still_dose" not in again
    assert 'name="a.dose_mg"' in again


def test_a_request_that_was_not_approved_gives_no_dose(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    _, treatment = sent(doctor, ANSWERS)
    first = continued(doctor, treatment)
    at = page_of(doctor, first)
    doctor.send(at, at, **DOSE, **{"a.dose_mg": "20", "a.dose_interval_days": "7"})
    check = f"/drafts/{first}/check"
    doctor.send(check, f"/drafts/{first}/submit")
    second = page_of(doctor, continued(doctor, treatment))
    assert _STILL.search(doctor.get(second).text), "the approved one, not the newest asked for"
