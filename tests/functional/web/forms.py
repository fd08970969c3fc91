"""Filling in a form of the demonstration over HTTP."""

import itertools
import re

from app.reference_data.nhs_number import format_nhs_number, test_number
from tests.functional.web.conftest import Person

FORM = "/start/adalimumab-ra-severe"
_NUMBERS = itertools.count(60_100)
DAY = re.compile(r'<input[^>]*name="(decision_to_treat-\w+)"[^>]*value="(\d+)"')
#: Every criterion to start is met.
ANSWERS = {
    "ra_diagnosis": "yes",
    "das28_at_start": "6.0",
    "csdmards.0.drug": "methotrexate",
    "csdmards.0.in_combination": "yes",
    "csdmards.0.responded": "no",
    "csdmards.1.drug": "other",
    "csdmards.1.in_combination": "yes",
    "csdmards.1.responded": "no",
    "with_methotrexate": "yes",
    "least_expensive": "yes",
    "screened": "yes",
    "active_infection": "no",
    "dose_mg": "40",
    "dose_interval_days": "14",
}


def begun(person: Person, local_id: str, number: int) -> str:
    """Begin a form for a new patient; the draft's id."""
    reply = person.send(
        FORM,
        FORM,
        **{
            "patient.nhs_number": format_nhs_number(test_number(number)),
            "patient.local_id": local_id,
            "patient.sex": "female",
            "patient.birth_date-day": "1",
            "patient.birth_date-month": "2",
            "patient.birth_date-year": "1970",
        },
    )
    assert reply.status_code == 303, reply.text
    return str(reply.headers["location"]).split("/")[2]


def fill(person: Person, draft: str, answers: dict[str, str]) -> None:
    """The treatment and every page of questions."""
    at = f"/drafts/{draft}/treatment"
    today = dict(re.findall(DAY, person.get(at).text))
    reply = person.send(at, at, commissioner="DEMQ1", **today)
    for _ in range(12):
        at = str(reply.headers["location"])
        if at.endswith("/check"):
            return
        asked = re.findall(r'name="(shown\.\w+)"', person.get(at).text)
        names = {each.removeprefix("shown.") for each in asked}
        given = {f"a.{k}": v for k, v in answers.items() if k.split(".")[0] in names}
        reply = person.send(at, at.partition("?")[0], **dict.fromkeys(asked, "1"), **given)
        assert reply.status_code == 303, reply.text
    raise AssertionError("the form has no end")


def sent(person: Person, answers: dict[str, str]) -> tuple[str, str]:
    """A whole form for a new patient, sent: the ids of the request and the treatment."""
    number = next(_NUMBERS)
    draft = begun(person, f"H{number:06}", number)
    fill(person, draft, answers)
    at = f"/drafts/{draft}/check"
    reply = person.send(at, f"/drafts/{draft}/submit")
    assert reply.status_code == 303, reply.text
    request = str(reply.headers["location"]).split("/")[2]
    shown = person.get(f"/requests/{request}").text
    found = re.search(r'href="/treatments/([0-9a-f-]{36})"', shown)
    assert found is not None
    return request, found.group(1)
