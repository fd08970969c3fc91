"""A continuation confirms what is on record by one choice; it fills in no dose and no score."""

import re

import pytest

from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent
from tests.functional.web.test_origins import continued, value_of

_STILL = re.compile(r"The dose: <strong>40 mg every 14 days</strong>")
#: What a browser sends with each form of the page.
DOSE = {f"shown.{each}": "1" for each in ("with_methotrexate", "dose_mg", "dose_interval_days")}


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
    names = ("still", "a.dose_mg", "a.dose_interval_days")
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
    doctor.send(at, at, **DOSE, still="yes")
    assert doses(doctor, at) == ("yes", "40", "14")
    check = doctor.get(at.rsplit("/", 1)[0] + "/check").text
    assert re.search(r"<dd[^>]*>40 mg<", check)
    assert re.search(r"<dd[^>]*>14 days<", check)


def test_another_dose_is_typed_and_stands(page: tuple[Person, str, str]) -> None:
    doctor, at, _ = page
    typed = {"a.dose_mg": "20", "a.dose_interval_days": "7"}
    doctor.send(at, at, **DOSE, **typed, still="no")
    assert doses(doctor, at) == ("no", "20", "7")
    doctor.send(at, at, **DOSE, **{"a.dose_mg": "80", "a.dose_interval_days": "7"})
    assert doses(doctor, at) == ("no", "80", "7"), "also where no choice was made"


def test_a_dose_typed_beside_the_choice_is_asked_about_and_neither_is_taken(
    page: tuple[Person, str, str],
) -> None:
    doctor, at, _ = page
    reply = doctor.send(at, at, **DOSE, still="yes", **{"a.dose_mg": "80"})
    assert reply.status_code == 422
    assert '<a href="#still">What is on record: You chose that' in re.sub(r">\s+", ">", reply.text)
    assert value_of(reply.text, "a.dose_mg") == "80", "what was typed is not lost"
    assert doses(doctor, at) == ("", "", "")
    same = {"a.dose_mg": "40", "a.dose_interval_days": "14"}
    assert doctor.send(at, at, **DOSE, still="yes", **same).status_code == 303


def test_a_dose_that_was_changed_since_is_asked_for_anew(page: tuple[Person, str, str]) -> None:
    doctor, at, treatment = page
    fields = {"kind": "dose change", "dose_amount": "20", "dose_unit": "mg"}
    day = {"from_day-day": "1", "from_day-month": "1", "from_day-year": "2027"}
    shown = f"/treatments/{treatment}"
    reply = doctor.send(shown, f"{shown}/changes", **fields, **day, dose_every_days="14")
    changed = doctor.get(str(reply.headers["location"])).text
    assert ">Approved<" in changed or "Recorded" in changed, changed
    again = doctor.get(at).text
    assert "The dose:" not in again, "only the facts are on record still"
    assert "Adalimumab will be given with methotrexate: <strong>Yes</strong>" in again
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


#: What a continuation asks as of now, with the answers of one that is approved.
NOW = {"a.das28_now": "2.5", "a.active_infection": "no", "a.intolerable_effects": "no"}
#: The baseline stands in its field, and comes with the form.
SHOWN = {f"shown.{each[2:]}": "1" for each in NOW} | {
    "shown.das28_at_start": "1",
    "a.das28_at_start": "6.0",
}


def test_a_fact_is_confirmed_with_the_dose_and_what_is_now_is_not(
    page: tuple[Person, str, str],
) -> None:
    doctor, at, _ = page
    shown = doctor.get(at).text
    assert "Adalimumab will be given with methotrexate: <strong>Yes</strong>" in shown
    assert "From the initiation request of" in shown
    assert "Active infection, or untreated tuberculosis: <strong>" not in shown
    assert value_of(shown, "a.with_methotrexate") == "", "it is told, and not filled in"
    doctor.send(at, at, **DOSE, **SHOWN, still="yes")
    again = doctor.get(at).text
    assert value_of(again, "a.with_methotrexate") == "yes"
    assert value_of(again, "a.active_infection") == "", "it was not there to confirm"


def test_the_facts_are_filled_in_for_whoever_asks_and_nothing_of_now_is(
    page: tuple[Person, str, str],
) -> None:
    doctor, at, _ = page
    assert f'href="{at}?last=yes">Fill in the facts on record' in doctor.get(at).text
    shown = doctor.get(f"{at}?last=yes").text
    assert value_of(shown, "a.with_methotrexate") == "yes"
    assert re.search(r'id="changed" open', shown), "what stands there is in sight"
    for each in NOW:
        assert value_of(shown, each) == "", each


def continued_once(doctor: Person, treatment: str, **more: str) -> str:
    """A continuation that is sent from its one page; where that leads."""
    at = page_of(doctor, continued(doctor, treatment))
    reply = doctor.send(at, at, **DOSE, **SHOWN, **NOW, **more, still="yes", send="yes")
    return str(reply.headers["location"])


_DAY = {"a.das28_now.on-day": "1", "a.das28_now.on-month": "6", "a.das28_now.on-year": "2026"}


@pytest.mark.parametrize("day", [{}, _DAY], ids=["undated", "dated"])
def test_the_last_score_is_told_with_its_day_and_never_filled_in(
    page: tuple[Person, str, str], day: dict[str, str]
) -> None:
    doctor, _, treatment = page
    first = continued_once(doctor, treatment, **day)
    assert ">Approved<" in re.sub(r"\s*([<>])\s*", r"\1", doctor.get(first).text)
    at = page_of(doctor, continued(doctor, treatment))
    for address in (at, f"{at}?last=yes"):
        shown = doctor.get(address).text
        assert value_of(shown, "a.das28_now") == ""
        assert value_of(shown, "a.intolerable_effects") == ""
        said = "2.5, measured on 1 June 2026" if day else "2.5, without a day of measurement"
        assert f"Last time: <strong>{said}</strong>, from the continuation request of" in shown
    reply = doctor.send(at, at, **DOSE, **SHOWN, still="yes", send="yes")
    assert str(reply.headers["location"]).endswith("/check"), "it is not sent without a score"
    check = doctor.get(str(reply.headers["location"])).text
    assert "Still missing" in check
    lead = re.search(r'href="([^"#]+)#a\.das28_now"', check)
    assert lead is not None
    again = doctor.get(lead.group(1).replace("&amp;", "&")).text
    assert re.search(r'id="changed" open', again), "what it leads to may be folded away"


def test_a_continuation_is_sent_from_its_page_once_and_only_if_it_is_approved(
    page: tuple[Person, str, str],
) -> None:
    doctor, at, treatment = page
    worse = NOW | {"a.das28_now": "6.0"}
    reply = doctor.send(at, at, **DOSE, **SHOWN, **worse, still="yes", send="yes")
    check = str(reply.headers["location"])
    assert check.endswith("/check")
    assert "If you send it now: criteria not met" in doctor.get(check).text
    reply = doctor.send(at, at, **DOSE, **SHOWN, **NOW, still="yes", send="yes")
    sent_to = str(reply.headers["location"])
    assert sent_to.startswith("/requests/")
    draft = at.split("/")[2]
    assert doctor.get(f"/drafts/{draft}").headers["location"] == sent_to
    assert doctor.get(f"/treatments/{treatment}").text.count(f'href="{sent_to}"') >= 1


def test_a_delegate_may_not_send_from_the_page(page: tuple[Person, str, str], enter: Enter) -> None:
    _, at, _ = page
    delegate = enter("demo1-delegate")
    shown = delegate.get(at).text
    assert 'name="send"' not in shown
    token = DOSE | SHOWN | NOW | {"still": "yes", "send": "yes"}
    reply = delegate.send(at, at, **token)
    assert "/requests/" not in str(reply.headers.get("location", ""))
    assert doses(delegate, at) == ("yes", "40", "14"), "what was typed is kept all the same"


def test_the_day_of_the_decision_is_one_tick_and_another_day_beside_it_is_asked_about(
    page: tuple[Person, str, str],
) -> None:
    doctor, at, _ = page
    names = [f"a.das28_now.on-{part}" for part in ("day", "month", "year")]
    assert [value_of(doctor.get(at).text, each) for each in names] == ["", "", ""]
    score = {"shown.das28_now": "1", "a.das28_now": "2.5"}
    reply = doctor.send(at, at, **score, **_DAY, **{"a.das28_now.on.decided": "yes"})
    assert reply.status_code == 422
    assert "You ticked the day of the decision" in reply.text
    assert doctor.send(at, at, **score, **{"a.das28_now.on.decided": "yes"}).status_code == 303
    found = [value_of(doctor.get(at).text, each) for each in names]
    told = re.search(r"On (\d+) (\w+) (\d{4}), the day of the decision", doctor.get(at).text)
    assert told is not None
    assert (found[0], found[2]) == (told.group(1), told.group(3))
