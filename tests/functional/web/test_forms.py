"""A form over HTTP: nothing that was typed is lost, nothing is sent twice, nothing is obeyed."""

import html
import re

import pytest

from tests.functional.web.conftest import Enter
from tests.functional.web.forms import ANSWERS, FORM, begun, fill, sent

SCRIPT = "<script>alert('assent')</script>"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=HYPERLINK(1)",
    "\u202e\u200fright to left",
    "{{ 7 * 7 }}{% raw %}",
    "' OR 1=1 --",
]


def tight(text: str) -> str:
    """A page's text without the blanks between a tag and its words."""
    return re.sub(r">\s+", ">", text)


def test_an_approved_form_shows_its_reference_and_each_criterion(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, ANSWERS)
    shown = person.get(f"/requests/{request}").text
    assert re.search(r'class="app-reference">PA[0-9A-Z]{13}<', shown)
    assert shown.count("nhsuk-tag--green") >= 9
    assert "NICE TA375" in shown
    for words in (
        "Looked at: Rheumatoid arthritis is diagnosed: yes.",
        "Looked at: DAS28 before adalimumab: 6.0.",
        "Looked at: Planned dose: 40 mg; Planned days from one dose to the next: 14 days.",
        "Looked at: Date of birth: 1 February 1970; Decision to treat: ",
    ):
        assert words in shown, words
    for key in ("ra diagnosis", "ra_diagnosis", "das28 at start"):
        assert key not in re.sub(r"<[^>]+>", "", shown)


def test_what_is_missing_is_named_and_answered_later(enter: Enter) -> None:
    person = enter("demo1-clinician")
    without = {k: v for k, v in ANSWERS.items() if k not in ("screened", "das28_at_start")}
    request, _ = sent(person, without)
    shown = person.get(f"/requests/{request}").text
    assert "More information needed" in shown
    assert "DAS28 before adalimumab" in shown
    at = f"/requests/{request}/answers"
    asked = re.findall(r'name="(shown\.\w+)"', person.get(at).text)
    assert sorted(asked) == ["shown.das28_at_start", "shown.screened"]
    wrong = person.send(at, at, **dict.fromkeys(asked, "1"), **{"a.das28_at_start": "66"})
    assert wrong.status_code == 422
    assert 'value="66"' in wrong.text, "what was typed comes back"
    done = person.send(
        at, at, **dict.fromkeys(asked, "1"), **{"a.das28_at_start": "6.1", "a.screened": "yes"}
    )
    assert done.headers["location"] == f"/requests/{request}"
    assert ">Approved<" in person.get(f"/requests/{request}").text


def test_a_criterion_that_fails_is_said_first_and_nothing_tells_to_stop(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, ANSWERS | {"das28_at_start": "5.0"})
    shown = person.get(f"/requests/{request}").text
    assert "Criteria not met" in shown
    first = shown.index("nhsuk-tag--orange")
    assert first < shown.index("nhsuk-tag--green")
    assert not re.search(r"stop (the )?treat|end (the )?treatment|discontinue", shown, re.I)


def test_a_form_is_sent_once_however_often_the_button_is_pressed(enter: Enter) -> None:
    person = enter("demo1-clinician")
    draft = begun(person, "H000888", 60_002)
    fill(person, draft, ANSWERS)
    at, action = f"/drafts/{draft}/check", f"/drafts/{draft}/submit"
    shown = person.get(at).text
    fields = {
        "csrf": re.findall(r'name="csrf" value="([^"]+)"', shown)[-1],
        "version": re.findall(r'name="version" value="(\d+)"', shown)[-1],
    }
    first = person.http.post(action, data=fields)
    second = person.http.post(action, data=fields)
    assert first.headers["location"] == second.headers["location"]
    assert person.get(at).headers["location"] == f"/drafts/{draft}"
    assert person.get(f"/drafts/{draft}").headers["location"] == first.headers["location"]


@pytest.mark.parametrize("typed", HOSTILE)
def test_hostile_text_is_kept_shown_as_text_and_refused_with_words(
    enter: Enter, typed: str
) -> None:
    person = enter("demo1-clinician")
    draft = begun(person, "H000999", 60_003)
    at = f"/drafts/{draft}/treatment"
    person.send(at, at, **{"commissioner": "DEMQ1", "details.registry_id": typed})
    again = person.get(at).text
    assert typed not in again or "<" not in typed
    assert "49" not in re.findall(r'registry_id" type="text" value="([^"]*)"', again)
    assert "There is a problem" in again
    part = f"/drafts/{draft}/part-1"
    person.send(part, part, **{"shown.das28_at_start": "1", "a.das28_at_start": typed})
    shown = person.get(part).text
    assert "There is a problem" in shown
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown
    check = person.get(f"/drafts/{draft}/check").text
    assert "<script>alert" not in check
    assert "<img src=x" not in check


@pytest.mark.parametrize(
    ("typed", "said", "comes_back"),
    [
        ("x" * 100_000, "It has 100,000 characters. Shorten it to 2,000 at most.", "x" * 100_000),
        ("y" * 2_001, "It has 2,001 characters. Shorten it to 2,000 at most.", "y" * 2_001),
        ("be\u0000low", "It held characters that cannot be kept", "below"),
    ],
    ids=["100,000 characters", "one too many", "a NUL"],
)
def test_what_cannot_be_taken_comes_back_at_its_field_with_every_word_of_the_page(
    enter: Enter, typed: str, said: str, comes_back: str
) -> None:
    person = enter("demo1-clinician")
    draft = begun(person, "H001000", 60_004)
    at = f"/drafts/{draft}/treatment"
    before = person.get(at).text
    fields = {
        "details.registry_id": typed,
        "first_dose-day": "7",
        "first_dose-month": "5",
        "first_dose-year": "2026",
    }
    reply = person.send(at, at, **fields)
    assert reply.status_code == 422
    label = "The patient&#39;s number in the disease registry or database"
    assert f'<a href="#details.registry_id">{label}: {said}' in tight(reply.text)
    assert f'value="{comes_back}"' in reply.text
    for name, value in [each for each in fields.items() if each[0] != "details.registry_id"]:
        box = re.search(rf'<input[^>]*name="{name}"[^>]*>', reply.text)
        assert box is not None, name
        assert f'value="{value}"' in box.group(), name
    silent = person.send(at, at, **fields, autosave="yes")
    assert silent.status_code == 400
    told = silent.json()["said"]
    assert told.startswith("Not saved. “The patient's number in the disease registry")
    assert said in told
    versions = [
        re.findall(r'name="version" value="(\d+)"', each)
        for each in (before, reply.text, person.get(at).text)
    ]
    assert versions[0] == versions[1] == versions[2], "nothing was kept"


def test_too_long_a_text_comes_back_on_the_first_page_and_where_answers_are_added_or_corrected(
    enter: Enter,
) -> None:
    person = enter("demo1-clinician")
    long = "z" * 2_500
    first = person.send(FORM, FORM, **{"patient.local_id": long, "patient.birth_date-day": "3"})
    assert first.status_code == 422
    assert "Hospital number: It has 2,500 characters" in first.text
    assert f'value="{long}"' in first.text
    waiting, _ = sent(person, {k: v for k, v in ANSWERS.items() if k != "screened"})
    at = f"/requests/{waiting}/answers"
    answered = person.send(at, at, **{"shown.screened": "1", "a.screened": long})
    assert answered.status_code == 422
    assert "It has 2,500 characters" in answered.text
    at = f"/requests/{waiting}/correct"
    page = f"{at}?question=das28_at_start"
    fields = {"shown.das28_at_start": "1", "a.das28_at_start": long}
    corrected = person.send(page, at, **fields)
    assert corrected.status_code == 422
    assert "It has 2,500 characters" in corrected.text
    assert f'value="{long}"' in corrected.text


def test_a_form_of_any_other_page_comes_back_to_copy_with_its_field_and_the_limit(
    enter: Enter,
) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, ANSWERS | {"das28_at_start": "5.0"})
    long = "w" * 2_200
    reply = person.send(f"/requests/{request}", f"/requests/{request}/withdraw", reason=long)
    assert reply.status_code == 400
    assert "<strong" in reply.text
    assert "Reason</strong>: It has 2,200 characters. Shorten it to 2,000 at most." in reply.text
    assert long in reply.text


@pytest.mark.parametrize(
    "typed",
    [
        "<script>alert('assent')</script>",
        "\u202eDEVORPPA\u202c",
        "{{ 7*7 }}",
        "'; DROP TABLE request; --",
    ],
    ids=["a script", "right-to-left marks", "a template", "another statement"],
)
def test_hostile_text_that_can_be_kept_is_stored_as_it_is_and_shown_as_text(
    enter: Enter, typed: str
) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, ANSWERS | {"das28_at_start": "5.0"})
    at = f"/requests/{request}"
    person.send(at, f"{at}/individual-funding", case=typed)
    draft = re.findall(r'href="/drafts/([0-9a-f-]{36})', person.get("/").text)[0]
    shown = person.get(f"/drafts/{draft}/treatment").text
    box = re.search(r'<textarea[^>]*name="details.note"[^>]*>(.*?)</textarea>', shown, re.S)
    assert box is not None
    assert html.unescape(box.group(1)) == typed, "it is stored, every character"
    assert "<script>alert" not in shown
    again = person.get(f"/drafts/{draft}/check").text
    assert typed in html.unescape(again)
    assert "<script>alert" not in again


def test_days_that_are_none_come_back_as_typed(enter: Enter) -> None:
    person = enter("demo1-clinician")
    fields = {
        "patient.nhs_number": "999 000 0012",
        "patient.birth_date-day": "31",
        "patient.birth_date-month": "2",
        "patient.birth_date-year": "1970",
    }
    begun_at = str(person.send(FORM, FORM, **fields).headers["location"])
    led = str(person.get(begun_at).headers["location"])
    assert led.endswith("/patient")
    shown = person.get(led).text
    assert "There is a problem" in shown
    assert 'value="31"' in shown
    assert 'value="999 000 0012"' in shown


def test_the_home_page_lists_what_waits(enter: Enter) -> None:
    person = enter("demo1-clinician")
    request, _ = sent(person, {k: v for k, v in ANSWERS.items() if k != "screened"})
    home = person.get("/").text
    assert "Waiting for your organisation's answer (1)" in home.replace("&#39;", "'")
    assert f'href="/requests/{request}"' in home
    assert f'href="/requests/{request}"' not in enter("demo2-clinician").get("/").text


def test_a_patient_is_found_by_number_and_no_number_stands_in_an_address(enter: Enter) -> None:
    person = enter("demo1-clinician")
    _, treatment = sent(person, ANSWERS)
    shown = person.get(f"/treatments/{treatment}").text
    found = re.search(r"hospital number (H\d+)", shown)
    assert found is not None
    reply = person.send("/patients", "/patients", number=found.group(1))
    assert reply.headers["location"] == f"/treatments/{treatment}"
    nothing = enter("demo2-clinician").send("/patients", "/patients", number=found.group(1))
    assert "0 treatments found" in nothing.text
