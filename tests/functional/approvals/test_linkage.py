"""Approvals proposed for lines without a usable NHS number: accepted, refused, never silent."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import MISTYPED, SUBMISSION_ROW, run_of, work_off
from tests.functional.approvals.test_challenges import LOCAL, as_csv

TYPED = SUBMISSION_ROW | MISTYPED
NOBODYS_BIRTHDAY = {"PERSON BIRTH DATE": "1955-09-30"}


@pytest.fixture(params=["in memory", "in files"], autouse=True)
def _size(application: FastAPI, request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything holds of a run that is not held in memory, too."""
    desk = application.state.desk
    if request.param == "in files":
        application.state.desk = replace(desk, matching=replace(desk.matching, most_lines=0))
    yield
    application.state.desk = desk


@pytest.fixture
def reference(people: Mapping[str, Api]) -> str:
    made = good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    return str(made["approval"]["reference"])


def proposals(api: Api, application: FastAPI, run: str) -> Any:
    queued = good(api.post(f"/v1/runs/{run}/linkage-proposals"), 202)
    work_off(application)
    assert good(api.get(f"/v1/jobs/{queued['job']}"))["state"] == "done"
    return good(api.get(f"/v1/runs/{run}/linkage-proposals"))


def lines_of(api: Api, run: str) -> Any:
    return good(api.get(f"/v1/runs/{run}/lines"))["lines"]


def test_a_mistyped_number_is_proposed_with_evidence_and_no_value_and_matches_nothing(
    people: Mapping[str, Api], application: FastAPI, reference: str
) -> None:
    payer = people["commissioner"]
    run = run_of(payer, application, as_csv(TYPED))
    before = lines_of(payer, run)
    assert before[0]["outcome"] in ("no approval", "cannot be read")
    found = proposals(payer, application, run)
    (made,) = found["proposals"]
    assert (made["row"], made["state"], made["ambiguous"]) == (1, "open", False)
    (candidate,) = made["candidates"]
    assert candidate["approval_reference"] == reference
    words = [each["words"] for each in candidate["fields"]]
    assert words[:2] == ["NHS number differs in one place", "birth date agrees"]
    assert "drug is the approval's" in words
    assert found["model"] == "linkage-1"
    assert found["lines"] == {"one approval proposed": 1}
    text = payer.get(f"/v1/runs/{run}/linkage-proposals").text
    for value in (invented_nhs_number(1), TYPED["NHS NUMBER"], "1970", "H000001"):
        assert value not in text
    assert lines_of(payer, run) == before


def test_an_accepted_proposal_is_a_decision_by_hand_that_counts_in_the_next_run(
    people: Mapping[str, Api], application: FastAPI, reference: str
) -> None:
    payer, validator = people["commissioner"], people["invoice validation"]
    run = run_of(payer, application, as_csv(TYPED))
    (made,) = proposals(payer, application, run)["proposals"]
    at, body = f"/v1/linkage-proposals/{made['id']}/accept", {"approval_reference": reference}
    assert people["pharmacist"].post(at, body | {"reason": "Ours."}).status_code == 403
    once, sent = str(uuid.UUID(int=7)), body | {"reason": "The trust confirmed it."}
    first = validator.post(at, sent, request_id=once)
    accepted = good(first)
    assert (accepted["state"], accepted["accepted"]) == ("accepted", reference)
    again = validator.post(at, sent, request_id=once)
    assert (again.status_code, again.text) == (first.status_code, first.text)
    other = validator.post(at, sent | {"reason": "Another."}, request_id=once)
    assert other.json()["code"] == "request-id-reused", other.text
    (decision,) = good(payer.get("/v1/line-decisions"))["decisions"]
    assert (decision["id"], decision["kind"]) == (accepted["line_decision"], "match")
    work_off(application)
    second = good(payer.get(f"/v1/jobs/{accepted['job']}"))["run"]
    (line,) = lines_of(payer, second)
    assert (line["outcome"], line["found_by"], line["reference"]) == (
        "matched",
        "manual decision",
        reference,
    )
    assert validator.post(at, body | {"reason": "Again."}).status_code == 409
    assert proposals(payer, application, second)["proposals"] == []


def test_a_refused_proposal_comes_again_only_when_a_side_changes(
    people: Mapping[str, Api], application: FastAPI, reference: str
) -> None:
    payer = people["commissioner"]
    run = run_of(payer, application, as_csv(TYPED))
    (made,) = proposals(payer, application, run)["proposals"]
    at = f"/v1/linkage-proposals/{made['id']}/refuse"
    refused = good(payer.post(at, {"reason": "Another patient, says the trust."}))
    assert refused["state"] == "refused"
    assert payer.post(at, {"reason": "Again."}).status_code == 409
    again = proposals(payer, application, run)
    assert again["proposals"] == []
    assert again["lines"] == {"all that was likely was refused before": 1}
    other = run_of(payer, application, as_csv(TYPED, TYPED | {"TOTAL COST": "310.00"}))
    found = proposals(payer, application, other)
    assert [each["row"] for each in found["proposals"]] == [2]


def test_two_patients_whom_the_line_does_not_tell_apart_are_both_shown_in_no_rank(
    people: Mapping[str, Api], application: FastAPI, reference: str
) -> None:
    payer = people["commissioner"]
    twin = good(people["clinician"].post("/v1/requests", initiation(2)), 201)
    bare = SUBMISSION_ROW | {"NHS NUMBER": "", LOCAL: ""}
    run = run_of(payer, application, as_csv(bare))
    (made,) = proposals(payer, application, run)["proposals"]
    assert made["ambiguous"] is True
    shown = [each["approval_reference"] for each in made["candidates"]]
    assert shown == sorted([reference, twin["approval"]["reference"]])
    assert all(each["probability"] <= 0.5 for each in made["candidates"])


def test_lines_that_are_not_to_be_linked_are_counted_and_left_alone(
    people: Mapping[str, Api], application: FastAPI, reference: str
) -> None:
    payer = people["commissioner"]
    held = {"WITHHELD IDENTITY REASON": "", **TYPED}
    run = run_of(
        payer,
        application,
        as_csv(
            held | {"NHS NUMBER": "", "WITHHELD IDENTITY REASON": "03"},
            held | {"NHS NUMBER": "", **NOBODYS_BIRTHDAY},
            held | {"NHS NUMBER": invented_nhs_number(1), "TOTAL COST": "1.00"},
        ),
    )
    found = proposals(payer, application, run)
    assert found["proposals"] == []
    assert found["lines"] == {"identity withheld": 1, "nothing likely enough": 1}


def test_a_proposal_whose_approval_changed_is_not_accepted(
    people: Mapping[str, Api], application: FastAPI, reference: str
) -> None:
    payer = people["commissioner"]
    run = run_of(payer, application, as_csv(TYPED))
    (made,) = proposals(payer, application, run)["proposals"]
    treatment = good(people["clinician"].get(f"/v1/approvals/{reference}"))["treatment_id"]
    stop = {
        "kind": "stop",
        "decision_to_treat": "2026-06-15",
        "details": {"from_day": "2026-06-15", "stop_reason": "other"},
    }
    good(people["clinician"].post(f"/v1/treatments/{treatment}/requests", stop), 201)
    body = {"approval_reference": reference, "reason": "Hers."}
    refused = good(payer.post(f"/v1/linkage-proposals/{made['id']}/accept", body), 409)
    assert "changed since" in refused["detail"]
    assert good(payer.get("/v1/line-decisions"))["decisions"] == []


def test_a_trust_is_proposed_its_own_approvals_and_an_older_proposal_counts_no_more(
    people: Mapping[str, Api], application: FastAPI, reference: str
) -> None:
    trust = people["pharmacist"]
    run = run_of(trust, application, as_csv(TYPED))
    (first,) = proposals(trust, application, run)["proposals"]
    (second,) = proposals(trust, application, run)["proposals"]
    assert first["id"] != second["id"]
    at = f"/v1/linkage-proposals/{first['id']}/refuse"
    assert "newest" in good(trust.post(at, {"reason": "No."}), 409)["detail"]
    other = people["commissioner"]
    assert other.get(f"/v1/runs/{run}/linkage-proposals").status_code == 404
    assert other.post(at, {"reason": "No."}).status_code == 404


def test_the_most_costly_come_first_and_a_list_goes_on_after_a_row_whatever_is_decided_meanwhile(
    people: Mapping[str, Api], application: FastAPI, reference: str
) -> None:
    assert reference
    payer = people["commissioner"]
    costs = ("20.00", "300.10", "9.00", "100.20", "100.20")
    rows = [TYPED | {"TOTAL COST": cost, "QUANTITY": str(n)} for n, cost in enumerate(costs, 1)]
    run = run_of(payer, application, as_csv(*rows))
    first = proposals(payer, application, run)
    assert [each["row"] for each in first["proposals"]] == [2, 4, 5, 1, 3]
    assert first["proposals"][0]["charged"] == "300.10"
    assert (first["count"], first["waiting"], first["waiting_charged"]) == (5, 5, "529.50")
    assert first["next"] is None
    at = f"/v1/runs/{run}/linkage-proposals"
    some = good(payer.get(at, limit=2))
    assert [each["row"] for each in some["proposals"]] == [2, 4]
    refused = f"/v1/linkage-proposals/{some['proposals'][1]['id']}/refuse"
    good(payer.post(refused, {"reason": "Another patient."}))
    more = good(payer.get(at, limit=2, after=some["next"], state="open"))
    assert [each["row"] for each in more["proposals"]] == [5, 1]
    last = good(payer.get(at, limit=2, after=more["next"], state="open"))
    assert ([each["row"] for each in last["proposals"]], last["next"]) == ([3], None)
    assert (last["count"], last["waiting"], last["waiting_charged"]) == (5, 4, "429.30")
    decided = good(payer.get(at, state="refused"))
    assert [each["row"] for each in decided["proposals"]] == [4]
    assert good(payer.get(at, after=99))["proposals"] == []
    assert people["other commissioner"].get(at).status_code == 404
