"""A score is worked out from its parts, its working seen, and put into the form's field."""

import re

import pytest

from app.web.form.scores import SCORES
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import begun
from tests.policies.library import packaged_library

PARTS = {"tender": "4", "swollen": "9", "crp": "9", "patient_global": "50"}


def a_page(person: Person, number: int) -> tuple[str, str]:
    """A draft and the page of its form that asks for the score."""
    draft = begun(person, f"H{number:06}", number)
    for part in range(1, 8):
        at = f"/drafts/{draft}/part-{part}"
        if 'value="das28_at_start"' in person.get(at).text:
            return f"/drafts/{draft}", at
    raise AssertionError("no page asks for it")


def test_every_score_is_asked_by_some_policy_and_has_its_formula() -> None:
    library = packaged_library()
    asked = {
        name
        for policy in library.policies()
        for version in library.versions(policy)
        for name in version.questions
    }
    assert set(SCORES) <= asked


def test_a_score_is_worked_out_seen_and_put_into_its_field(enter: Enter) -> None:
    person = enter("demo1-delegate")
    draft, at = a_page(person, 61_001)
    asked = re.findall(r'name="(shown\.\w+)"', person.get(at).text)
    name = "a.das28_at_start"
    day = {f"{name}.on-day": "1", f"{name}.on-month": "6", f"{name}.on-year": "2026"}
    typed = dict.fromkeys(asked, "1") | day | {name: "1", "work_out": "das28_at_start"}
    there = person.send(at, at, **typed).headers["location"]
    assert there == f"{draft}/work-out/das28_at_start"
    shown = person.get(there).text
    assert "DAS28 with the C-reactive protein" in shown
    assert "DAS28 with the erythrocyte sedimentation rate" in shown
    assert "not checked at its source" in shown
    seen = person.send(there, there, by="das28-crp", **PARTS)
    assert seen.status_code == 200
    for words in ("1.1200", "0.8400", "4.4489", "Put 4.45 into the form"):
        assert words in seen.text, words
    assert 'value="4.45"' not in person.get(at).text, "not before it is asked for"
    back = person.send(there, there, by="das28-crp", use="yes", **PARTS)
    assert back.headers["location"] == at
    field = person.get(at).text
    assert re.search(r'name="a\.das28_at_start"[^>]*value="4\.45"', field), field
    assert re.search(r'name="a\.das28_at_start\.on-year"[^>]*value="2026"', field), "the day stays"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({}, "Enter a whole number"),
        (PARTS | {"tender": "4.5"}, "Enter a whole number"),
        (PARTS | {"crp": "-1"}, "Enter a number of 0 or more"),
        (PARTS | {"crp": "1e9"}, "Enter a number of 0 or more"),
        (PARTS | {"crp": "NaN"}, "Enter a number of 0 or more"),
        (PARTS | {"crp": "<b>"}, "Enter a number of 0 or more"),
        (PARTS | {"patient_global": "999"}, "give no score that the form takes"),
    ],
)
def test_what_gives_no_score_is_told_and_fills_nothing(
    enter: Enter, typed: dict[str, str], said: str
) -> None:
    person = enter("demo1-clinician")
    draft, at = a_page(person, 61_002)
    there = f"{draft}/work-out/das28_at_start"
    reply = person.send(there, there, by="das28-crp", use="yes", **typed)
    assert reply.status_code == 422
    assert said in reply.text
    assert re.search(r'name="a\.das28_at_start"[^>]*value="\d', person.get(at).text) is None


def test_others_drafts_and_other_questions_are_not_found(enter: Enter) -> None:
    person = enter("demo1-clinician")
    draft, _ = a_page(person, 61_003)
    assert person.get(f"{draft}/work-out/screened").status_code == 404
    assert person.get(f"{draft}/work-out/basdai_now").status_code == 404
    assert person.get(f"{draft}/work-out/das28_at_start?by=basdai").status_code == 422
    there = f"{draft}/work-out/das28_at_start"
    for who, status in {"demo2-clinician": 404, "demq1-commissioner": 403}.items():
        other = enter(who)
        assert other.get(there).status_code == status
        assert other.send("/", there, use="yes", **PARTS).status_code == status
    stale = person.send(there, there, by="das28-crp", use="yes", **PARTS)
    assert stale.status_code == 303
    again = person.send(there, there, by="das28-crp", use="yes", version="1", **PARTS)
    assert again.status_code == 412
