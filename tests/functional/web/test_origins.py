"""Whom a form is about stands on its pages, and what was filled in says where it comes from."""

import re

import pytest

from app.reference_data.nhs_number import format_nhs_number, test_number
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, DAY, FORM, begun, fill, sent

_WHOM = re.compile(r'<section class="app-whom".*?</section>', re.S)
_PAYER = "your organisation&#39;s newest treatment under this form"
OTHER = "/start/adalimumab-crohns-severe"


def continued(person: Person, treatment: str) -> str:
    """The draft of a continuation of the treatment."""
    at = f"/treatments/{treatment}"
    reply = person.send(at, f"{at}/requests")
    return str(reply.headers["location"]).split("/")[2]


def whom(text: str) -> str:
    """The words of the part that says whom the form is about; empty without one."""
    found = _WHOM.search(text)
    return "" if found is None else " ".join(re.sub(r"<[^>]+>", " ", found.group()).split())


def value_of(text: str, name: str) -> str:
    """What stands in a field, or what is chosen of its options."""
    for box in re.findall(rf'<input[^>]*name="{re.escape(name)}"[^>]*>', text):
        found = re.search(r'value="([^"]*)"', box)
        if found and (not re.search('type="(radio|checkbox)"', box) or " checked" in box):
            return found.group(1)
    menu = re.search(rf'<select[^>]*name="{re.escape(name)}".*?</select>', text, re.S)
    chosen = re.search(r'<option value="([^"]*)" selected', menu.group()) if menu else None
    return "" if chosen is None else chosen.group(1)


def test_each_page_of_a_continuation_and_its_check_say_whose_it_is_and_whence(
    enter: Enter,
) -> None:
    doctor = enter("demo1-clinician")
    request, treatment = sent(doctor, ANSWERS)
    number = re.findall(r"NHS number (\d{3} \d{3} \d{4})", doctor.get(f"/requests/{request}").text)
    draft = continued(doctor, treatment)
    for step in ("part-1", "treatment", "check", "paper", "urgent"):
        shown = doctor.get(f"/drafts/{draft}/{step}")
        if shown.status_code == 404:
            continue  # the policy permits no urgent start
        said = whom(shown.text)
        assert f"NHS number {number[0]}" in said, step
        assert "hospital number H06" in said, step
        assert "born 1 February 1970" in said, step
        assert "from the record of this treatment" in said, step
        assert "(DEMO1)" in said, step
        assert "(DEMQ1)" in said, step


def test_a_first_request_says_for_whom_it_is_as_typed_and_by_whose_sign_in(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    draft = begun(doctor, "H000701", 60_701)
    number = format_nhs_number(test_number(60_701))
    for step in ("treatment", "part-1", "check"):
        said = whom(doctor.get(f"/drafts/{draft}/{step}").text)
        assert f"NHS number {number}, hospital number H000701, born 1 February 1970" in said, step
        assert "from your sign-in" in said, step
    assert whom(doctor.get(f"/drafts/{draft}/patient").text) == "", "there it is typed"


def test_the_payer_and_the_day_say_where_they_come_from_and_typing_stands(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    first = doctor.get(f"/drafts/{begun(doctor, 'H000702', 60_702)}/treatment").text
    assert _PAYER not in first, "nobody has paid for any yet"
    assert "Filled in from the day on which this form was begun" in first
    sent(doctor, ANSWERS)
    at = f"/drafts/{begun(doctor, 'H000703', 60_703)}/treatment"
    shown = doctor.get(at).text
    assert f"Filled in from {_PAYER}" in shown
    assert value_of(shown, "commissioner") == "DEMQ1"
    doctor.send(
        at,
        at,
        commissioner="DEMQ2",
        **{"decision_to_treat-day": "1", "decision_to_treat-month": "6"},
        **{"decision_to_treat-year": "2026"},
    )
    again = doctor.get(at).text
    assert value_of(again, "commissioner") == "DEMQ2", "what was typed is not overwritten"
    assert f"Filled in from {_PAYER}" not in again
    assert re.search(rf"On record: <strong>[^<]*\(DEMQ1\)</strong>, from {_PAYER}", again)
    assert "Filled in from the day" not in again


def test_another_request_for_a_known_patient_is_begun_without_typing_them_again(
    enter: Enter,
) -> None:
    doctor = enter("demo1-clinician")
    request, treatment = sent(doctor, ANSWERS)
    number = re.findall(r"NHS number (\d{3} \d{3} \d{4})", doctor.get(f"/requests/{request}").text)
    shown = doctor.get(f"/treatments/{treatment}").text
    assert f'href="/start?treatment={treatment}"' in shown
    found = doctor.get(f"/start?treatment={treatment}&q=crohn").text
    assert f'href="{OTHER}?treatment={treatment}"' in found
    at = f"{OTHER}?treatment={treatment}"
    asked = doctor.get(at).text
    wanted = {
        "patient.nhs_number": number[0],
        "patient.birth_date-day": "1",
        "patient.birth_date-month": "2",
        "patient.birth_date-year": "1970",
        "patient.sex": "female",
    }
    assert {name: value_of(asked, name) for name in wanted} == wanted
    assert value_of(asked, "patient.local_id").startswith("H06")
    assert asked.count("Filled in from your organisation&#39;s record of this patient") == 4
    made = doctor.send(at, OTHER, **wanted | {"patient.sex": "male"})
    draft = str(made.headers["location"]).split("/")[2]
    typed = doctor.get(f"/drafts/{draft}/patient").text
    assert value_of(typed, "patient.sex") == "male", "what was typed is not overwritten"
    assert value_of(typed, "patient.nhs_number") == number[0]
    assert typed.count("The same as in your organisation&#39;s record of this patient") == 2


@pytest.mark.parametrize("who", ["demo2-clinician", "demq1-commissioner"])
def test_nobody_elses_patient_is_filled_in(enter: Enter, who: str) -> None:
    _, treatment = sent(enter("demo1-clinician"), ANSWERS)
    reply = enter(who).get(f"{FORM}?treatment={treatment}")
    assert reply.status_code in (403, 404)
    assert "1970" not in reply.text
    assert f"/start?treatment={treatment}" not in enter(who).get(f"/treatments/{treatment}").text


def test_a_record_of_another_birth_date_is_not_told(enter: Enter) -> None:
    doctor = enter("demo1-clinician")
    draft = begun(doctor, "H000704", 60_704)
    fill(doctor, draft, ANSWERS)
    doctor.send(f"/drafts/{draft}/check", f"/drafts/{draft}/submit")
    fields = {
        "patient.nhs_number": format_nhs_number(test_number(60_704)),
        "patient.sex": "female",
        "patient.birth_date-day": "2",
        "patient.birth_date-month": "2",
        "patient.birth_date-year": "1970",
    }
    other = str(doctor.send(FORM, FORM, **fields).headers["location"]).split("/")[2]
    assert "The same as in" not in doctor.get(f"/drafts/{other}/patient").text


def test_an_answer_for_another_drug_stands_filled_in_with_the_form_that_it_comes_from(
    enter: Enter,
) -> None:
    """What was tried before is of the patient. A yes and a dose are of the treatment: left open."""
    doctor = enter("demo1-clinician")
    before = begun_for(doctor, "etanercept-ra-severe")
    tolerated = {f"csdmards.{row}.tolerated": "yes" for row in (0, 1)}
    fill(doctor, before, ANSWERS | tolerated)
    assert doctor.send(f"/drafts/{before}/check", f"/drafts/{before}/submit").status_code == 303
    draft = begun_for(doctor, "sarilumab-ra-severe")
    at = f"/drafts/{draft}/treatment"
    doctor.send(at, at, commissioner="DEMQ1", **dict(DAY.findall(doctor.get(at).text)))
    asked: dict[str, str] = {}
    for step in range(1, 5):
        text = doctor.get(f"/drafts/{draft}/part-{step}").text
        asked |= dict.fromkeys(re.findall(r'name="shown\.(\w+)"', text), text)
    tried = asked["csdmards"]
    assert value_of(tried, "a.csdmards.0.drug") == "methotrexate"
    assert value_of(tried, "a.csdmards.1.responded") == "no"
    words = " ".join(re.sub(r"<[^>]+>", " ", tried).split())
    source = words.partition("Filled in from the initiation request of ")[2].partition(".")[0]
    assert source.endswith("Etanercept for severe rheumatoid arthritis after conventional DMARDs")
    own = {"least_expensive", "with_methotrexate", "active_infection"} & set(asked)
    assert own, sorted(asked)
    for name in own:
        assert value_of(asked[name], f"a.{name}") == "", name


def begun_for(person: Person, policy: str) -> str:
    """Begin a form of a policy for one and the same patient; the draft's id."""
    patient = {"nhs_number": format_nhs_number(test_number(60_790)), "local_id": "H000790"}
    born = dict(zip(("day", "month", "year"), ("1", "2", "1970"), strict=True))
    reply = person.send(
        f"/start/{policy}",
        f"/start/{policy}",
        **{f"patient.{name}": value for name, value in (patient | {"sex": "female"}).items()},
        **{f"patient.birth_date-{part}": value for part, value in born.items()},
    )
    return str(reply.headers["location"]).split("/")[2]
