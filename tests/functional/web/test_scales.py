"""The EDSS has its steps beside the question, and a dose is held against the weight in the open."""

import re

from app.reference_data.nhs_number import format_nhs_number, test_number
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import DAY

MS, IG = "natalizumab-rrms-res", "immunoglobulin-gbs"


def a_draft(person: Person, policy: str, number: int) -> str:
    """A form begun for an adult, with the treatment's page filled in."""
    form = f"/start/{policy}"
    born = {"patient.birth_date-day": "1", "patient.birth_date-month": "2"}
    reply = person.send(
        form,
        form,
        **{
            "patient.nhs_number": format_nhs_number(test_number(number)),
            "patient.sex": "male",
            "patient.birth_date-year": "1980",
            **born,
        },
    )
    draft = str(reply.headers["location"]).removesuffix("/begun")
    at = f"{draft}/treatment"
    today = dict(re.findall(DAY, person.get(at).text))
    person.send(at, at, commissioner="DEMQ1", **today)
    return draft


def page_asking(person: Person, draft: str, question: str) -> str:
    for part in range(1, 12):
        at = f"{draft}/part-{part}"
        if f'name="a.{question}"' in person.get(at).text:
            return at
    raise AssertionError(f"no page asks for {question}")


def typed(person: Person, at: str, **answers: str) -> dict[str, str]:
    """The page as the browser sends it, with these answers."""
    shown = dict.fromkeys(re.findall(r'name="(shown\.\w+)"', person.get(at).text), "1")
    return shown | {f"a.{name}": value for name, value in answers.items()}


def test_the_steps_of_the_edss_stand_beside_its_question(enter: Enter) -> None:
    person = enter("demo1-clinician")
    at = page_asking(person, a_draft(person, MS, 62_001), "edss")
    page = person.get(at).text
    for words in ("The steps of the EDSS", "There is no 0.5", "Neurology 1983", "(not verified)"):
        assert words in page, words
    assert 'name="work_out" value="edss"' not in page, "nothing works it out"


def test_what_is_no_step_is_told_and_is_not_sent(enter: Enter) -> None:
    person = enter("demo1-clinician")
    draft = a_draft(person, MS, 62_002)
    at = page_asking(person, draft, "edss")
    reply = person.send(at, at, **typed(person, at, edss="2.3"))
    assert reply.headers["location"] == at, "the page comes again"
    assert "t is no step of the EDSS" in person.get(at).text
    check = f"{draft}/check"
    assert "Enter 0, or a whole or half step" in person.get(check).text
    refused = person.send(check, f"{draft}/submit")
    assert refused.status_code == 409
    assert "no step of the EDSS" in refused.text
    reply = person.send(at, at, **typed(person, at, edss="2.5"))
    assert reply.headers["location"] != at
    assert person.send(check, f"{draft}/submit").headers["location"].startswith("/requests/")


def test_a_dose_is_held_against_the_weight_and_nothing_is_filled_in(enter: Enter) -> None:
    person = enter("demo1-clinician")
    draft = a_draft(person, IG, 62_003)
    given = {"dose_g": "160", "weight_kg": "70", "height_cm": "170"}
    places = {page_asking(person, draft, name) for name in given}
    check = f"{draft}/check"
    assert "The dose for the weight" not in person.get(check).text, "not before there is one"
    for at in places:
        person.send(at, at, **typed(person, at, **given))
    seen = person.get(check).text
    for words in ("The dose for the weight", "2.2857 g/kg", "65.5 kg", "Does not keep to it"):
        assert words in seen, words
    at = page_asking(person, draft, "dose_g")
    assert "Does not keep to it" in person.get(at).text
    assert re.search(r'name="a\.dose_g"[^>]*value="160"', person.get(at).text), "as it was typed"
    person.send(at, at, **typed(person, at, **given | {"dose_g": "140"}))
    seen = person.get(check).text
    assert "Keeps to it" in seen
    assert "Does not keep to it" not in seen
