"""One day for a visit, also where a request waits for answers and where answers are corrected."""

import re

import pytest

from app.reference_data.nhs_number import format_nhs_number, test_number
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import fill
from tests.functional.web.test_correcting import HIDDEN
from tests.functional.web.test_origins import value_of
from tests.functional.web.test_still_course import FIRST, FORM, plain

BODY = ("height_cm", "weight_kg")
VALUES = {"a.height_cm": "180", "a.weight_kg": "80"}
NAMED = {f"{part}.{name}": "1" for name in BODY for part in ("shown", "dated")}
WHY = "Both were measured on that day."


def asked(doctor: Person, answers: dict[str, str]) -> str:
    """A request for a first course; its path."""
    who = {"patient.local_id": "H060910", "patient.sex": "female", "patient.birth_date-day": "5"}
    who |= {"patient.birth_date-month": "5", "patient.birth_date-year": "1970"}
    who |= {"patient.nhs_number": format_nhs_number(test_number(60_910))}
    draft = str(doctor.send(FORM, FORM, **who).headers["location"]).split("/")[2]
    fill(doctor, draft, answers)
    reply = doctor.send(f"/drafts/{draft}/check", f"/drafts/{draft}/submit")
    return str(reply.headers["location"])


def days(text: str) -> list[str]:
    """What stands in the boxes of the two days."""
    parts = ("day", "month", "year")
    return ["/".join(value_of(text, f"a.{name}.on-{each}") for each in parts) for name in BODY]


@pytest.fixture
def waiting(enter: Enter) -> tuple[Person, str]:
    """A request that waits for height and weight."""
    doctor = enter("demo1-clinician")
    at = asked(doctor, {k: v for k, v in FIRST.items() if k not in BODY})
    shown = doctor.get(f"{at}/answers").text
    assert [f'name="dated.{name}"' in shown for name in BODY] == [True, True], plain(shown)
    assert "Day on which all of these were measured or reviewed" in shown
    return doctor, at


def fields(person: Person, page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(csrf|version|kept)" value="([^"]*)"', person.get(page).text))


def test_answers_that_were_waited_for_have_the_day_of_the_visit(
    waiting: tuple[Person, str],
) -> None:
    doctor, at = waiting
    page = f"{at}/answers"
    given = fields(doctor, page) | NAMED | VALUES | {"shared_day": "4/3/2026"}
    # Saved while typing it stands beside each value already.
    saved = doctor.http.post(page, data=given | {"autosave": "yes"})
    assert saved.status_code == 200
    shown = doctor.get(page).text
    assert days(shown) == ["4/3/2026", "4/3/2026"]
    assert value_of(shown, "shared_day") == ""
    done = doctor.http.post(page, data=given | fields(doctor, page))
    assert done.headers["location"] == at
    assert plain(doctor.get(at).text).count("measured on 4 March 2026") == 2


def test_a_day_that_cannot_be_read_comes_again_and_nothing_is_sent(
    waiting: tuple[Person, str],
) -> None:
    doctor, at = waiting
    page = f"{at}/answers"
    given = fields(doctor, page) | NAMED | VALUES | {"shared_day": "the 4th"}
    half = doctor.http.post(page, data=given | {"autosave": "yes"})
    assert half.status_code == 200, "somebody is still typing"
    reply = doctor.http.post(page, data=given | fields(doctor, page))
    assert reply.status_code == 422
    assert 'href="#shared_day"' in reply.text
    assert value_of(reply.text, "shared_day") == "the 4th"
    assert value_of(reply.text, "a.weight_kg") == "80"
    assert "Answer now" in doctor.get(at).text


def test_corrected_answers_have_the_day_of_the_visit(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    at = asked(doctor, FIRST)
    page = f"{at}/correct?question=height_cm&question=weight_kg"
    assert "dated.height_cm" in doctor.get(page).text
    given = NAMED | VALUES | {"reason": WHY}
    wrong = doctor.send(page, f"{at}/correct", **given, shared_day="31/2/2026")
    assert wrong.status_code == 422
    assert 'href="#shared_day"' in wrong.text
    # The weight was of another day, which was typed beside it.
    own = {"a.weight_kg.on-day": "2", "a.weight_kg.on-month": "3", "a.weight_kg.on-year": "2026"}
    told = doctor.send(page, f"{at}/correct", **given, **own, shared_day="4 March 2026").text
    assert "180 cm, measured on 4 March 2026" in plain(told)
    assert "80 kg, measured on 2 March 2026" in plain(told)
    confirmed = dict(HIDDEN.findall(told[told.index("data-once") :]))
    done = doctor.http.post(f"{at}/correct/confirm", data=confirmed)
    assert done.headers["location"] == at, done.text
    after = plain(doctor.get(at).text)
    assert "180 cm, measured on 4 March 2026" in after
    assert "80 kg, measured on 2 March 2026" in after


def test_where_one_answer_has_a_day_there_is_no_box_for_several(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    at = asked(doctor, FIRST)
    shown = doctor.get(f"{at}/correct?question=height_cm&question=dose_g").text
    assert 'name="a.height_cm.on-day"' in shown
    assert "shared_day" not in shown
