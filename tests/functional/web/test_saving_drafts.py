"""A draft is saved while it is typed, found on another computer, and survives two tabs."""

import re

from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import begun

_HIDDEN = re.compile(r'name="(csrf|version)" value="([^"]*)"')
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
