"""Whom the rows of the home page concern: told to the care team alone, and on record."""

import datetime as dt
import json
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals.naming import Named
from app.db.tables import audit_event, audit_payload
from app.db.transaction import Database
from app.db.work import Moment
from app.reference_data.nhs_number import format_nhs_number, test_number
from app.web.home_patients import patient_cell, typed_cell
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, begun, sent
from tests.functional.web.test_changes import forms, started

INCOMPLETE = {k: v for k, v in ANSWERS.items() if k != "screened"}
NUMBER = "NHS number"


def number_of(person: Person, request: str) -> str:
    shown = person.get(f"/requests/{request}").text
    return shown[shown.index(NUMBER) + len(NUMBER) + 1 :][:12]


def home_readings(database: Database, moment: Moment) -> list[Any]:
    """What each showing of a home page left on record."""
    of = audit_payload.c.id == audit_event.c.payload_id
    query = sa.select(audit_payload.c.body).where(of, audit_event.c.action == "worklist read")
    found = database.read(
        lambda work: work.connection.execute(query).scalars().all(), moment=moment
    )
    return [json.loads(body)["after"] for body in found]


@pytest.mark.parametrize("who", ["demo1-clinician", "demo1-delegate", "demo1-pharmacist"])
def test_the_care_team_reads_whom_each_row_concerns(enter: Enter, who: str) -> None:
    clinician = enter("demo1-clinician")
    request, _ = sent(clinician, INCOMPLETE)
    draft = begun(clinician, "H009001", 60_900)
    shown = enter(who).get("/").text
    waits = f"{number_of(clinician, request)}, born 1 February 1970"
    assert waits in shown
    typed = format_nhs_number(test_number(60_900))
    assert f'href="/drafts/{draft}"' in shown
    assert typed in shown


def test_nobody_else_reads_a_number_on_the_home_page(enter: Enter) -> None:
    clinician = enter("demo1-clinician")
    request, _ = sent(clinician, INCOMPLETE)
    number = number_of(clinician, request)
    assert number in clinician.get("/").text
    for who in (
        "demo2-clinician",
        "demo1-auditor",
        "demq1-commissioner",
        "demq1-invoice-validation",
        "demp1-panel-member",
    ):
        shown = enter(who).get("/").text
        assert number not in shown, who
        assert "born" not in shown, who


def test_a_transfer_names_its_patient_to_the_one_that_gives_the_treatment(enter: Enter) -> None:
    person = enter("demo1-clinician")
    treatment_id, day = started(person)
    at = f"/treatments/{treatment_id}"
    fields = {"once": forms(person, treatment_id)["transfer"], "kind": "transfer", **day}
    person.send(at, f"{at}/changes", **fields, to_provider="DEMO2")
    shown = enter("demo2-clinician").get("/").text
    assert "Transfers to you that wait for your consent (1)" in shown
    assert "born" not in shown
    out = "Transfers from you that wait for another hospital&#39;s consent"
    given = person.get("/").text
    assert f"{out} (1)" in given
    assert "Transfers to you that wait for your consent (0)" in given
    assert "DEMO2" in given.partition(out)[2].partition("</table>")[0], "to whom"
    assert "born" in person.get("/worklists/transfers-out").text
    assert f"{out} (0)" in shown


def test_what_the_home_page_told_is_on_record(
    enter: Enter, database: Database, moment: Moment
) -> None:
    clinician = enter("demo1-clinician")
    clinician.get("/")
    assert home_readings(database, moment) == [], "it named nobody"
    _, treatment_id = sent(clinician, INCOMPLETE)
    clinician.get("/")
    enter("demq1-commissioner").get("/")
    (told,) = home_readings(database, moment)
    assert told == {"worklist": "home", "treatments": [treatment_id], "drafts": []}


def test_a_patient_is_named_by_what_there_is() -> None:
    born = dt.date(1970, 2, 1)
    by_number = patient_cell(Named("9990000018", "H1", born, ended=False))
    assert by_number == "999 000 0018, born 1 February 1970"
    assert patient_cell(Named(None, "H1", born, ended=False)) == "H1, born 1 February 1970"
    assert patient_cell(Named(None, None, born, ended=False)).startswith("No number, born")
    assert "No longer kept" in patient_cell(Named(None, None, born, ended=True))


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"patient": None},
        {"patient": []},
        {"patient": {"nhs_number": 9990000018}},
        {"patient": {"nhs_number": "<script>"}},
        {"patient": {"nhs_number": "999 000 0012"}},
        {"patient": {"nhs_number": "9" * 100_000}},
    ],
    ids=range(7),
)
def test_what_is_no_number_is_not_shown(form: dict[str, Any]) -> None:
    assert typed_cell(form) == ""
