"""A draft is saved while it is typed, found on another computer, and survives two tabs."""

import re

from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import FORM, begun

_HIDDEN = re.compile(r'name="(csrf|version)" value="([^"]*)"')
_DRAFTS = re.compile(r'href="/drafts/([0-9a-f-]{36})')
_SCORE = re.compile(r'id="a\.das28_at_start"[^>]*value="([^"]*)"')


def part_of(person: Person, draft: str) -> str:
    """The first page of questions, which asks for the score."""
    at = f"/drafts/{draft}/part-1"
    assert "a.das28_at_start" in person.get(at).text
    return at


def tab(person: Person, at: str, score: str) -> dict[str, str]:
    """The fields of a page as one tab holds it, with a score typed in."""
    asked = dict(_HIDDEN.findall(person.get(at).text))
    return asked | {"shown.das28_at_start": "1", "a.das28_at_start": score}


def score_in(text: str) -> str:
    found = _SCORE.search(text)
    return "" if found is None else found.group(1)


def test_what_is_typed_is_saved_without_a_click_and_found_on_another_computer(
    enter: Enter,
) -> None:
    doctor = enter("demo1-clinician")
    at = part_of(doctor, begun(doctor, "H000801", 60_801))
    fields = tab(doctor, at, "6.1")
    saved = doctor.http.post(at, data=fields | {"autosave": "yes"})
    assert saved.status_code == 200, saved.text
    assert saved.json()["version"] == int(fields["version"]) + 1
    # The page that is open goes on from there, and saves again.
    again = fields | {"version": str(saved.json()["version"]), "a.das28_at_start": "6.2"}
    assert doctor.http.post(at, data=again | {"autosave": "yes"}).status_code == 200
    for who in ("demo1-clinician", "demo1-delegate"):  # elsewhere, and a colleague
        assert score_in(enter(who).get(at).text) == "6.2", who
    assert enter("demo2-clinician").get(at).status_code == 404


def test_of_two_tabs_on_one_draft_neither_loses_what_the_other_saved(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    at = part_of(doctor, begun(doctor, "H000802", 60_802))
    first, second = tab(doctor, at, "6.1"), tab(doctor, at, "7.3")
    assert doctor.http.post(at, data=first).status_code == 303

    silent = doctor.http.post(at, data=second | {"autosave": "yes"})
    assert silent.status_code == 409, "saving while typing writes over nothing"
    assert score_in(doctor.get(at).text) == "6.1"

    shown = doctor.http.post(at, data=second)
    assert "changed" in shown.text
    assert score_in(shown.text) == "7.3", "what was typed is not lost"
    assert score_in(doctor.get(at).text) == "6.1", "nor is what was saved"

    looked_through = dict(_HIDDEN.findall(shown.text))
    assert doctor.http.post(at, data=second | looked_through).status_code == 303
    assert score_in(doctor.get(at).text) == "7.3"


WHO = {
    "patient.nhs_number": "999 608 0307",
    "patient.sex": "female",
    "patient.birth_date-day": "1",
    "patient.birth_date-month": "2",
    "patient.birth_date-year": "1970",
}


def test_the_first_page_makes_its_draft_once_and_goes_on_with_it(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    before = len(set(_DRAFTS.findall(doctor.get("/").text)))
    asked = dict(_HIDDEN.findall(doctor.get(FORM).text))
    half = {"patient.nhs_number": "999 60"}
    saved = doctor.http.post(FORM, data=asked | half | {"autosave": "yes"})
    assert saved.status_code == 200, saved.text
    at, version = saved.json()["action"], str(saved.json()["version"])
    assert at.endswith("/patient")
    assert "999" not in at
    again = doctor.http.post(at, data=asked | WHO | {"version": version, "autosave": "yes"})
    assert again.status_code == 200, again.text
    version = str(again.json()["version"])
    led = doctor.http.post(at, data=asked | WHO | {"version": version})
    assert led.headers["location"] == at.replace("/patient", "/begun")
    assert 'value="999 608 0307"' in doctor.get(at).text
    after = len(set(_DRAFTS.findall(doctor.get("/").text)))
    assert after == before + 1, "one draft, however often it was saved"


def test_half_a_year_that_is_saved_while_it_is_typed_moves_no_day(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    draft = begun(doctor, "H000804", 60_804)
    at, treatment = f"/drafts/{draft}/paper", f"/drafts/{draft}/treatment"
    day = re.compile(r'name="decision_to_treat-year"[^>]*value="(\d+)"')
    year = day.findall(doctor.get(treatment).text)
    asked = dict(_HIDDEN.findall(doctor.get(at).text))
    half = {"signed-day": "1", "signed-month": "6", "signed-year": "20", "signed_time": "14:20"}
    saved = doctor.http.post(at, data=asked | half | {"autosave": "yes"})
    assert saved.status_code == 200
    assert day.findall(doctor.get(treatment).text) == year
    version = {"version": str(saved.json()["version"])}
    doctor.http.post(at, data=asked | version | half | {"not_paper": "yes"})
    assert "The form on paper" not in doctor.get(f"/drafts/{draft}/check").text
    assert "Paper form" not in doctor.get(f"/drafts/{draft}/check").text


def test_each_page_that_is_filled_in_saves_while_it_is_typed(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    draft = begun(doctor, "H000805", 60_805)
    pages = [FORM, *(f"/drafts/{draft}/{step}" for step in ("patient", "treatment", "paper"))]
    for at in [*pages, f"/drafts/{draft}/part-1"]:
        shown = doctor.get(at).text
        assert len(re.findall(r"<form[^>]* data-autosave>", shown)) == 1, at
        assert shown.count('id="saved" role="status"') == 1, at
