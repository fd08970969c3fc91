"""Who a patient is reaches the care team, and invoice validation with a reason; nobody else."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from app.handlers import make_handlers
from app.reference_data.nhs_number import format_nhs_number
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.reference_data.pseudonyms import Pseudonyms
from app.settings import DEMONSTRATION_PSEUDONYM_KEY
from app.work import run_next
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import (
    HOSPITAL_NUMBER,
    SUBMISSION_ROW,
    Scene,
    table,
    upload,
)
from tests.functional.approvals.test_outsiders import REASON, TABLE, call

NUMBER = invented_nhs_number(1)
MARKS = (NUMBER, format_nhs_number(NUMBER), HOSPITAL_NUMBER, "1970-01-01", "01/01/1970")
TOLD = f"{HOSPITAL_NUMBER}, {format_nhs_number(NUMBER)} ({NUMBER}), born 01/01/1970: entered twice."
#: Whose replies are searched for the marks, and what they may do that tells them.
PEOPLE = ("commissioner", "panel member", "auditor", "invoice validation")
REVEALING = ("POST /v1/treatments/{id}/identifiers", "POST /v1/runs/{run}/identified-file")
MARKED_ROW = SUBMISSION_ROW | {
    "LOCAL PATIENT IDENTIFIER (EXTENDED)": HOSPITAL_NUMBER,
    "PATIENT NAME": f"Somebody {NUMBER}",
    "STRENGTH": f"40mg for {format_nhs_number(NUMBER)}",
    "TOTAL COST": "301.00",
}
KEY = Pseudonyms(DEMONSTRATION_PSEUDONYM_KEY.encode())


def of(organisation: str) -> str:
    """The patient's pseudonym for an organisation."""
    key = KEY.key_of(organisation)
    assert key is not None
    return key.of_nhs_number(NUMBER)


def reconciled(api: Api, application: FastAPI, content: bytes) -> str:
    """Upload and reconcile a file; the run's id."""
    received = good(upload(api, "/v1/submissions", content), 202)
    while run_next(application.state.door, make_handlers(application.state.desk)):
        pass
    submission = received["submission"]["id"]
    return str(good(api.get(f"/v1/submissions/{submission}"))["runs"][0]["id"])


def told(reply: Any) -> list[str]:
    return [mark for mark in MARKS if mark in reply.text]


@pytest.mark.parametrize("who", PEOPLE)
def test_no_reply_outside_the_care_team_tells_who_the_patient_is(
    people: Mapping[str, Api], scene: Scene, who: str
) -> None:
    path = f"/v1/requests/{scene.request}/enter-in-error"
    good(people["clinician"].post(path, {"reason": TOLD}, version=scene.version(path)))
    leaks: dict[str, list[str]] = {}
    for operation, row in TABLE.items():
        if operation in REVEALING:
            continue
        version = scene.version(operation.split(" ")[1])
        reply = call(people[who], operation, row, scene, version)
        if told(reply):
            leaks[operation] = told(reply)
    assert leaks == {}


def test_the_marks_are_there_to_be_found(people: Mapping[str, Api], scene: Scene) -> None:
    """Else the test above could not fail: the care team reads them all."""
    clinician, path = people["clinician"], f"/v1/requests/{scene.request}/enter-in-error"
    good(clinician.post(path, {"reason": TOLD}, version=scene.version(path)))
    treatment = clinician.get(f"/v1/treatments/{scene.treatment}")
    trail = people["pharmacist"].get(f"/v1/requests/{scene.request}/audit")
    assert set(told(treatment)) | set(told(trail)) == set(MARKS)
    hidden = people["commissioner"].get(f"/v1/requests/{scene.request}/audit")
    assert "[hidden], [hidden] ([hidden]), born 1970: entered twice." in hidden.text


def test_an_organisation_sees_one_pseudonym_for_a_patient_and_another_sees_another(
    people: Mapping[str, Api], scene: Scene
) -> None:
    again = initiation(1, policy="adalimumab-psa", answers={})
    other = people["clinician"].post("/v1/requests", again)
    commissioner, panel = people["commissioner"], people["panel member"]
    seen = good(commissioner.get(f"/v1/treatments/{scene.treatment}"))["patient"]
    assert seen == {
        "id": None,
        "linked_to": None,
        "pseudonym": of("DEMQ1"),
        "nhs_number": None,
        "no_nhs_number_reason": None,
        "local_id": None,
        "birth_date": None,
        "birth_year": 1970,
        "sex": "female",
        "died_on": None,
        "objects_to_display": False,
    }
    if other.status_code == 201:
        twice = good(commissioner.get(f"/v1/treatments/{other.json()['treatment_id']}"))
        assert twice["patient"]["pseudonym"] == seen["pseudonym"]
    validation = good(people["invoice validation"].get(f"/v1/treatments/{scene.treatment}"))
    assert validation["patient"] == seen
    auditor = good(people["auditor"].get(f"/v1/treatments/{scene.treatment}"))["patient"]
    assert auditor["pseudonym"] == of("DEMO1") != seen["pseudonym"]
    assert panel.get(f"/v1/treatments/{scene.treatment}").status_code == 404


@pytest.mark.parametrize("who", ["commissioner", "panel member", "auditor"])
def test_nobody_outside_the_care_team_searches_by_a_number(
    people: Mapping[str, Api], scene: Scene, who: str
) -> None:
    for body in ({"nhs_number": NUMBER}, {"local_id": HOSPITAL_NUMBER}):
        reply = people[who].post("/v1/searches", body | REASON)
        assert (reply.status_code, told(reply)) == (403, [])


def test_a_commissioner_gets_its_file_back_with_pseudonyms(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    payer = people["commissioner"]
    run = reconciled(payer, application, table(MARKED_ROW))
    hidden = payer.get(f"/v1/runs/{run}/file")
    assert (hidden.status_code, told(hidden)) == (200, [])
    assert of("DEMQ1") in hidden.text
    assert "Somebody" not in hidden.text
    assert "Humira 40mg" in hidden.text
    lines = payer.get(f"/v1/runs/{run}/lines")
    assert (lines.status_code, told(lines)) == (200, [])


def test_a_trust_gets_its_own_file_back_as_it_came(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    run = reconciled(people["pharmacist"], application, table(MARKED_ROW))
    assert NUMBER in people["pharmacist"].get(f"/v1/runs/{run}/file").text


def test_invoice_validation_sees_who_it_is_for_a_reason_and_each_time_is_reported(
    people: Mapping[str, Api], scene: Scene
) -> None:
    validation = people["invoice validation"]
    at = f"/v1/treatments/{scene.treatment}/identifiers"
    assert validation.post(at, {}).status_code == 422
    assert good(validation.post(at, REASON))["nhs_number"] == format_nhs_number(NUMBER)
    assert good(validation.post(at, REASON))["local_id"] == HOSPITAL_NUMBER
    by_run = validation.post(f"/v1/runs/{scene.run}/identified-file", REASON)
    assert (by_run.status_code, told(by_run)) == (200, [NUMBER, "1970-01-01"])
    unexplained = validation.post("/v1/searches", {"nhs_number": NUMBER})
    assert unexplained.status_code == 422
    assert len(good(validation.post("/v1/searches", {"nhs_number": NUMBER} | REASON))["hits"]) == 1
    period = {"from": "2026-01-01", "to": "2026-12-31"}
    report = good(people["commissioner"].get("/v1/reports/identifier-access", **period))
    assert {row["way"]: row["times"] for row in report["rows"]} == {
        "identifiers shown: treatment": 2,
        "identifiers shown: run": 1,
        "identifiers used: search": 1,
    }
    assert {row["role"] for row in report["rows"]} == {"invoice validation"}
    before = {"from": "2026-01-01", "to": "2026-01-02"}
    assert good(people["commissioner"].get("/v1/reports/identifier-access", **before))["rows"] == []


def test_the_feed_of_changes_leaves_look_ups_out(people: Mapping[str, Api], scene: Scene) -> None:
    good(people["invoice validation"].post(f"/v1/treatments/{scene.treatment}/identifiers", REASON))
    changes = good(people["clinician"].get("/v1/changes", limit=500))["changes"]
    assert not [each for each in changes if each["action"].startswith("identifiers")]
