"""Obstacles in one list: "none of these" says no to each, and nothing is answered by silence."""

import re

import pytest

from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.test_origins import continued, value_of
from tests.functional.web.test_still import DOSE, NOW, SHOWN, page_of

NAMES = ("active_infection", "intolerable_effects")
#: What a browser sends with the list, whatever is ticked.
BOXES = {f"{part}.{each}": "1" for each in NAMES for part in ("shown", "box")}
#: The page's other answers, of one that is approved.
REST = {name: value for name, value in SHOWN.items() if name not in BOXES} | {
    "a.das28_now": NOW["a.das28_now"],
    "shown.das28_now": "1",
    "still": "yes",
}
_BOTH = "You ticked one of these and “none of these”"
_OTHER = "The list is not the one that was sent"


@pytest.fixture
def page(enter: Enter) -> tuple[Person, str]:
    """Somebody, and the page of a continuation that asks for two obstacles."""
    doctor = enter("demo1-clinician")
    _, treatment = sent(doctor, ANSWERS)
    return doctor, page_of(doctor, continued(doctor, treatment))


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def group(html: str) -> str:
    found = re.search(r'<div class="app-none-of">.*?</fieldset>', html, re.S)
    return "" if found is None else found.group()


def stands(doctor: Person, at: str) -> tuple[str, ...]:
    """What stands in the list: each question's answer, and the choice."""
    html = doctor.get(at).text
    return tuple(value_of(html, name) for name in (*(f"a.{each}" for each in NAMES), "none"))


def rows(doctor: Person, at: str) -> dict[str, str]:
    """The answers as the check page tells them, by label."""
    html = doctor.get(f"{at.rsplit('/', 1)[0]}/check").text
    found = re.findall(r"<dt[^>]*>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", html, re.S)
    return {words(label): words(said) for label, said in found}


def test_each_box_has_its_words_and_its_citation_and_nothing_is_ticked(
    page: tuple[Person, str],
) -> None:
    doctor, at = page
    html = doctor.get(at).text
    said = words(group(html))
    assert "Does any of these apply?" in said
    assert "Active infection, or untreated tuberculosis" in said
    assert "Adverse effects are intolerable" in said
    assert re.search(r"or None of these 2 applies", said)
    ids = re.findall(r"\((ADA-[CS]\d+)\)", said)
    assert len(ids) == len(set(ids)) == 2, "each criterion by its name"
    assert said.count("The policy says: ") == 2
    assert stands(doctor, at) == ("", "", "")
    assert 'type="radio"' not in group(html)
    assert 'data-behaviour="exclusive"' in group(html)


def test_none_of_these_answers_no_to_each_and_each_is_told_and_stored_by_itself(
    page: tuple[Person, str],
) -> None:
    doctor, at = page
    assert doctor.send(at, at, **BOXES, none="yes").status_code == 303
    assert stands(doctor, at) == ("", "", "yes"), "the group comes again as it was"
    told = rows(doctor, at)
    assert told["Active infection, or untreated tuberculosis"].startswith("No")
    assert told["Adverse effects are intolerable"].startswith("No")
    reply = doctor.send(at, at, **DOSE, **REST, **BOXES, none="yes", send="yes")
    request = str(reply.headers["location"])
    assert request.startswith("/requests/")
    shown = words(doctor.get(request).text)
    assert "Approved" in shown
    assert re.search(r"Active infection, or untreated tuberculosis:? No", shown), shown
    assert re.search(r"Adverse effects are intolerable:? No", shown), shown


def test_who_ticks_nothing_has_answered_nothing_and_is_told_what_is_missing(
    page: tuple[Person, str],
) -> None:
    doctor, at = page
    reply = doctor.send(at, at, **DOSE, **REST, **BOXES, send="yes")
    check = str(reply.headers["location"])
    assert check.endswith("/check"), "it is not sent"
    missing = words(doctor.get(check).text).partition("Still missing")[2]
    assert "Active infection, or untreated tuberculosis" in missing
    assert "Adverse effects are intolerable" in missing
    assert f'href="{at}?from=check#a.active_infection"' in doctor.get(check).text
    assert 'id="a.active_infection"' in group(doctor.get(f"{at}?from=check").text)


def test_a_tick_answers_its_question_alone_and_the_other_is_asked_by_itself(
    page: tuple[Person, str],
) -> None:
    doctor, at = page
    doctor.send(at, at, **BOXES, **{"a.intolerable_effects": "yes"})
    html = doctor.get(at).text
    assert group(html) == ""
    assert value_of(html, "a.intolerable_effects") == "yes"
    assert value_of(html, "a.active_infection") == "", "nobody has said no to it"
    check = rows(doctor, at)
    assert check["Adverse effects are intolerable"].startswith("Yes")
    assert check["Active infection, or untreated tuberculosis"].startswith("Not answered")


def test_answers_that_came_one_by_one_stand_as_they_are(page: tuple[Person, str]) -> None:
    doctor, at = page
    shown = {name: value for name, value in BOXES.items() if name.startswith("shown.")}
    doctor.send(at, at, **shown, **{"a.active_infection": "no"})
    html = doctor.get(at).text
    assert group(html) == "", "a list could not show that one is still open"
    assert value_of(html, "a.active_infection") == "no"
    assert value_of(html, "a.intolerable_effects") == ""
    both = {f"a.{each}": "no" for each in NAMES}
    doctor.send(at, at, **shown, **both)
    assert stands(doctor, at) == ("", "", "yes"), "no to each is none of these"


def test_who_takes_the_choice_back_has_answered_nothing(page: tuple[Person, str]) -> None:
    doctor, at = page
    doctor.send(at, at, **BOXES, none="yes")
    doctor.send(at, at, **BOXES)
    assert stands(doctor, at) == ("", "", "")
    told = rows(doctor, at)
    assert told["Adverse effects are intolerable"].startswith("Not answered")


def test_none_beside_a_tick_is_asked_about_at_the_list_and_nothing_is_lost(
    page: tuple[Person, str],
) -> None:
    doctor, at = page
    typed = DOSE | REST | {"a.intolerable_effects": "yes"}
    reply = doctor.send(at, at, **BOXES, **typed, none="yes")
    assert reply.status_code == 422
    assert _BOTH in words(group(reply.text)), "at the field"
    summary = re.sub(r">\s+", ">", reply.text)
    assert f'<a href="#a.active_infection">None of these: {_BOTH}' in summary
    assert value_of(reply.text, "a.das28_now") == "2.5", "what was typed is not lost"
    assert value_of(reply.text, "still") == "yes", "nor what was confirmed"
    assert [value_of(reply.text, f"a.{each}") for each in NAMES] == ["", "yes"]
    assert value_of(reply.text, "none") == "yes"
    assert stands(doctor, at) == ("", "", ""), "and neither is taken"
    saved = doctor.send(at, at, **BOXES, **typed, none="yes", autosave="yes")
    assert saved.status_code == 400
    assert saved.json()["said"].startswith("Not saved. “None of these”: You ticked one")


@pytest.mark.parametrize(
    "posted",
    [
        BOXES | {"none": "perhaps"},
        BOXES | {"none": ""},
        {"none": "yes"},
        {"none": "yes", "box.active_infection": "1"},
        BOXES | {"none": "yes", "box.das28_now": "1"},
        BOXES | {"none": "yes", "box.with_methotrexate": "1"},
        BOXES | {"none": "yes", "box.no_such_question": "1"},
    ],
    ids=["another word", "no word", "no box", "one box", "a score", "a wish", "no question"],
)
def test_a_list_that_the_page_does_not_have_is_refused_and_answers_nothing(
    page: tuple[Person, str], posted: dict[str, str]
) -> None:
    doctor, at = page
    typed = {"shown.das28_now": "1", "a.das28_now": "2.5"}
    reply = doctor.send(at, at, **typed, **posted)
    assert reply.status_code == 422
    assert _OTHER in words(group(reply.text))
    assert value_of(reply.text, "a.das28_now") == "2.5", "what was typed is not lost"
    assert stands(doctor, at) == ("", "", "")


def test_the_choice_sent_twice_is_no_form_of_ours_and_the_draft_stays(
    page: tuple[Person, str],
) -> None:
    doctor, at = page
    doctor.send(at, at, **BOXES, none="yes")
    token = re.search(r'name="csrf" value="([^"]+)"', doctor.get(at).text)
    version = re.search(r'name="version" value="(\d+)"', doctor.get(at).text)
    assert token is not None
    assert version is not None
    body = f"csrf={token.group(1)}&version={version.group(1)}&none=yes&none=yes"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = doctor.http.post(at, content=body, headers=form)
    assert reply.status_code == 400
    assert stands(doctor, at) == ("", "", "yes")


def test_a_word_that_is_no_answer_is_shown_at_its_own_question(page: tuple[Person, str]) -> None:
    doctor, at = page
    reply = doctor.send(at, at, **BOXES, **{"a.active_infection": "perhaps"})
    html = doctor.get(str(reply.headers["location"])).text
    assert "Active infection, or untreated tuberculosis:" in words(html)
    assert re.search(r'href="#a\.active_infection"', html)
    assert group(html) == ""


def test_a_correction_asks_each_by_itself_and_tells_what_stands(page: tuple[Person, str]) -> None:
    doctor, at = page
    reply = doctor.send(at, at, **DOSE, **REST, **BOXES, none="yes", send="yes")
    request = str(reply.headers["location"])
    asked = f"{request}/correct?question=active_infection&question=intolerable_effects"
    html = doctor.get(asked).text
    assert group(html) == ""
    assert [value_of(html, f"a.{each}") for each in NAMES] == ["no", "no"]
