"""A patient's objection restricts display and never payment; a death ends what is due."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from tests.functional.approvals.api import Api, continuation, good, initiation
from tests.functional.approvals.scene import BREAK_GLASS, SUBMISSION_ROW, Scene, table
from tests.functional.approvals.test_outsiders import EXISTENCE
from tests.functional.approvals.test_privacy import reconciled
from tests.patience import tries

NUMBER = initiation(1)["patient"]["nhs_number"]
CLAIM = EXISTENCE | {"nhs_number": NUMBER}
WORDS = {"reason": "She does not want other hospitals to see it."}
STOP = {
    "kind": "stop",
    "decision_to_treat": "2026-06-15",
    "details": {"from_day": "2026-06-14", "stop_reason": "died"},
}
SWITCH = {
    "kind": "switch",
    "decision_to_treat": "2026-06-15",
    "details": {"product": "adalimumab-humira", "from_day": "2026-06-15"},
}


@pytest.fixture
def held(people: Mapping[str, Api]) -> dict[str, Any]:
    """A treatment of DEMO1, in full."""
    made = good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    found: dict[str, Any] = good(people["clinician"].get(f"/v1/treatments/{made['treatment_id']}"))
    return found


def object_(people: Mapping[str, Api], held: Mapping[str, Any], who: str = "clinician") -> Any:
    return good(people[who].post(f"/v1/patients/{held['patient']['id']}/objection", WORDS))


def withdraw(people: Mapping[str, Api], held: Mapping[str, Any]) -> Any:
    at = f"/v1/patients/{held['patient']['id']}/objection/withdraw"
    return good(people["delegate"].post(at, WORDS))


def died(people: Mapping[str, Api], held: Mapping[str, Any], day: str = "2026-06-12") -> Any:
    at = f"/v1/patients/{held['patient']['id']}/death"
    return good(people["delegate"].post(at, {"died_on": day}))


# --- objection -----------------------------------------------------------------------------------


def test_an_objection_keeps_a_claim_from_being_answered_until_it_is_withdrawn(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    other, reference = people["third pharmacist"], held["approvals"][0]["reference"]
    assert object_(people, held)["objects_to_display"] is True
    reply = other.post("/v1/treatment-claims", CLAIM)
    told = good(reply)
    assert (told["found"], told["reference"], told["baseline"]) == (False, None, {})
    assert told["advice"].startswith("The patient objects")
    assert reference not in reply.text
    assert withdraw(people, held)["objects_to_display"] is False
    assert good(other.post("/v1/treatment-claims", CLAIM))["reference"] == reference


def test_who_does_not_hold_the_treatment_does_not_find_it_and_who_holds_it_does(
    people: Mapping[str, Api], scene: Scene
) -> None:
    """DEMO2 is asked to take the second patient's treatment over, and so may see it."""
    number = initiation(2)["patient"]["nhs_number"]

    def hits(who: str, **body: Any) -> int:
        return len(good(people[who].post("/v1/searches", body))["hits"])

    assert hits("other clinician", nhs_number=number) == hits("other clinician") == 1
    moving = good(people["clinician"].get(f"/v1/treatments/{scene.moving}"))
    object_(people, moving)
    assert hits("other clinician", nhs_number=number) == hits("other clinician") == 0
    assert hits("clinician", nhs_number=number) == 1
    # It is asked to consent, so it still reads what it is asked about.
    assert people["other clinician"].get(f"/v1/requests/{scene.transfer}").status_code == 200


def test_a_payer_is_not_told_who_objects(people: Mapping[str, Api], held: dict[str, Any]) -> None:
    payer = people["invoice validation"]
    at, body = f"/v1/treatments/{held['id']}/identifiers", {"reason": "Two lines."}
    search = {"nhs_number": NUMBER, "reason": "Two lines."}
    assert good(payer.post(at, body))["birth_date"] == "1970-01-01"
    assert len(good(payer.post("/v1/searches", search))["hits"]) == 1
    object_(people, held)
    reply = payer.post(at, body)
    assert (reply.status_code, reply.json()["code"]) == (409, "patient-objects")
    assert NUMBER not in reply.text
    assert good(payer.post("/v1/searches", search))["hits"] == []
    seen = good(payer.get(f"/v1/treatments/{held['id']}"))
    assert seen["patient"]["pseudonym"]
    assert seen["patient"]["objects_to_display"] is True


def test_payment_evidence_stays_and_the_identified_file_hides_the_patient(
    people: Mapping[str, Api], held: dict[str, Any], application: FastAPI
) -> None:
    good(people["clinician"].post("/v1/requests", initiation(2)), 201)
    object_(people, held)
    second = SUBMISSION_ROW | {"NHS NUMBER": initiation(2)["patient"]["nhs_number"]}
    content = table(SUBMISSION_ROW) + table(second).split(b"\r\n", 1)[1]
    payer = people["invoice validation"]
    run = reconciled(payer, application, content)
    lines = good(people["commissioner"].get(f"/v1/runs/{run}/lines"))["lines"]
    assert [line["outcome"] for line in lines] == ["matched", "matched"]
    file = payer.post(f"/v1/runs/{run}/identified-file", {"reason": "Two lines."}).text
    assert NUMBER not in file
    assert second["NHS NUMBER"] in file
    assert held["approvals"][0]["reference"] in file


def test_break_glass_stays_and_says_that_the_patient_objects(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    object_(people, held)
    other = people["other clinician"]
    opened = good(other.post("/v1/break-glass", BREAK_GLASS))
    found = good(other.get(f"/v1/break-glass/{opened['grant']['id']}/record"))
    assert found["patient"]["objects_to_display"] is True
    assert found["treatments"][0]["id"] == held["id"]


def test_one_objection_stands_at_a_time(people: Mapping[str, Api], held: dict[str, Any]) -> None:
    at = f"/v1/patients/{held['patient']['id']}/objection"
    assert people["clinician"].post(f"{at}/withdraw", WORDS).status_code == 409
    object_(people, held)
    assert people["clinician"].post(at, WORDS).status_code == 409


def test_the_feed_tells_of_an_objection_without_its_words(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    object_(people, held)
    found: list[Any] = []
    for _ in tries():  # on PostgreSQL the feed waits for older transactions, another test's too
        reply = people["commissioner"].get("/v1/changes", limit=500)
        found = [c for c in good(reply)["changes"] if c["action"].startswith("objection")]
        if found:
            break
    assert [each["treatment_id"] for each in found] == [held["id"]]
    assert "does not want" not in reply.text


# --- death ---------------------------------------------------------------------------------------


def test_a_death_takes_the_patient_off_the_list_of_reviews_until_it_is_taken_back(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    clinician = people["clinician"]

    def due() -> int:
        return len(good(clinician.post("/v1/searches", {"review_due_by": "2027-12-31"}))["hits"])

    assert due() == 1
    assert died(people, held)["died_on"] == "2026-06-12"
    assert due() == 0
    assert len(good(clinician.post("/v1/searches", {}))["hits"]) == 1
    at = f"/v1/patients/{held['patient']['id']}/death/take-back"
    taken = good(people["pharmacist"].post(at, {"reason": "Another patient of that name."}))
    assert taken["died_on"] is None
    assert due() == 1


@pytest.mark.parametrize("body", [continuation("2026-06-15"), SWITCH])
def test_what_is_decided_on_after_the_death_is_refused_and_says_what_to_do(
    people: Mapping[str, Api], held: dict[str, Any], body: dict[str, Any]
) -> None:
    died(people, held)
    reply = people["clinician"].post(f"/v1/treatments/{held['id']}/requests", body)
    assert (reply.status_code, reply.json()["code"]) == (409, "patient-died")
    assert "take the record of death back" in reply.json()["detail"]
    assert "2026-06-12" not in reply.text


def test_a_first_request_after_the_death_is_refused_at_any_hospital_and_in_a_check(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    died(people, held)
    late = initiation(1, decision_to_treat="2026-06-14")
    late["patient"] = {k: v for k, v in late["patient"].items() if k != "local_id"}
    for path in ("/v1/requests", "/v1/checks"):
        reply = people["other clinician"].post(path, late)
        assert (reply.status_code, reply.json()["code"]) == (409, "patient-died"), path


def test_what_was_decided_on_before_the_death_goes_to_people(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    died(people, held)
    at = f"/v1/treatments/{held['id']}/requests"
    late = good(people["clinician"].post(at, continuation("2026-06-11")), 201)
    assert late["state"] == "referred"
    assert any("has died" in reason for reason in late["decisions"][0]["reasons"])


def test_a_stop_is_taken_after_the_death(people: Mapping[str, Api], held: dict[str, Any]) -> None:
    died(people, held)
    at = f"/v1/treatments/{held['id']}/requests"
    assert good(people["clinician"].post(at, STOP), 201)["state"] == "recorded"


@pytest.mark.parametrize("day", ["2026-06-16", "1969-12-31"])
def test_a_day_of_death_lies_between_birth_and_today(
    people: Mapping[str, Api], held: dict[str, Any], day: str
) -> None:
    at = f"/v1/patients/{held['patient']['id']}/death"
    assert people["clinician"].post(at, {"died_on": day}).status_code == 422


def test_a_death_is_recorded_once_and_taken_back_once(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    at = f"/v1/patients/{held['patient']['id']}/death"
    reason = {"reason": "Another patient."}
    assert people["clinician"].post(f"{at}/take-back", reason).status_code == 409
    died(people, held)
    assert people["clinician"].post(at, {"died_on": "2026-06-11"}).status_code == 409
    good(people["clinician"].post(f"{at}/take-back", reason))
    assert people["clinician"].post(f"{at}/take-back", reason).status_code == 409


def test_the_day_of_death_is_shown_to_the_care_team_only(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    died(people, held)
    at = f"/v1/treatments/{held['id']}"
    assert good(people["clinician"].get(at))["patient"]["died_on"] == "2026-06-12"
    assert good(people["commissioner"].get(at))["patient"]["died_on"] is None
