"""A line decided by hand over HTTP counts from the next run on; undoing leaves the others."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from app.handlers import make_handlers
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.work import run_next
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, run_of
from tests.functional.approvals.test_challenges import LOCAL, as_csv

#: The first patient's supply under a number that is nobody's.
WRONG = SUBMISSION_ROW | {"NHS NUMBER": invented_nhs_number(802), LOCAL: ""}
ROWS = (WRONG, WRONG | {"TOTAL COST": "20.00"}, WRONG | {"TOTAL COST": "30.00"})


@pytest.fixture
def reference(people: Mapping[str, Api]) -> str:
    made = good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    return str(made["approval"]["reference"])


@pytest.fixture
def run(people: Mapping[str, Api], application: FastAPI, reference: str) -> str:
    return run_of(people["commissioner"], application, as_csv(*ROWS))


def again(payer: Api, application: FastAPI, job: str) -> tuple[str, list[Any]]:
    handlers = make_handlers(application.state.desk)
    while run_next(application.state.door, handlers):
        pass
    run = good(payer.get(f"/v1/jobs/{job}"))["run"]
    return run, good(payer.get(f"/v1/runs/{run}/lines"))["lines"]


def test_decisions_count_in_the_next_run_and_undoing_one_leaves_the_others(
    people: Mapping[str, Api], application: FastAPI, run: str, reference: str
) -> None:
    payer, validator = people["commissioner"], people["invoice validation"]
    body = {"approval_reference": reference, "reason": "Two digits changed round."}
    good(validator.post(f"/v1/runs/{run}/lines/1/match", body), 201)
    override = {"kind": "accept", "reason": "Agreed."}
    kept = good(payer.post(f"/v1/runs/{run}/lines/2/override", override), 201)
    second, lines = again(payer, application, kept["job"])
    assert second != run
    assert [(each["outcome"], each["found_by"], each["accepted"]) for each in lines] == [
        ("matched", "manual decision", "300.00"),
        ("no approval", "manual decision", "20.00"),
        ("no approval", "", "0"),
    ]
    (match,) = [d for d in good(payer.get("/v1/line-decisions"))["decisions"] if d["row"] == 1]
    undone = good(payer.post(f"/v1/line-decisions/{match['id']}/undo", {"reason": "No."}))
    third, lines = again(payer, application, undone["job"])
    assert [each["accepted"] for each in lines] == ["0", "20.00", "0"]
    refused = payer.post(f"/v1/line-decisions/{match['id']}/undo", {"reason": "No."})
    assert refused.status_code == 409
    # With both undone it is the first run again: a run is known by what went into it.
    last = good(payer.post(f"/v1/line-decisions/{kept['id']}/undo", {"reason": "No."}))
    assert again(payer, application, last["job"])[0] == run
    assert third not in (run, second)


def test_a_match_is_stale_once_the_approval_changed(
    people: Mapping[str, Api], application: FastAPI, run: str, reference: str
) -> None:
    payer = people["commissioner"]
    body = {"approval_reference": reference, "reason": "Hers."}
    good(payer.post(f"/v1/runs/{run}/lines/1/match", body), 201)
    treatment = good(people["clinician"].get(f"/v1/approvals/{reference}"))["treatment_id"]
    stop = {
        "kind": "stop",
        "decision_to_treat": "2026-06-15",
        "details": {"from_day": "2026-06-15", "stop_reason": "other"},
    }
    good(people["clinician"].post(f"/v1/treatments/{treatment}/requests", stop), 201)
    line = again_file(payer, application)[0]
    assert (line["outcome"], line["accepted"]) == ("no approval", "0")
    (told,) = [test for test in line["tests"] if test["name"] == "manual decision"]
    assert (told["result"], "stale" in told["detail"]) == ("failed", True)


def again_file(payer: Api, application: FastAPI) -> list[Any]:
    run = run_of(payer, application, as_csv(*ROWS))
    found: list[Any] = good(payer.get(f"/v1/runs/{run}/lines"))["lines"]
    return found


@pytest.mark.parametrize(
    ("who", "row", "step", "body", "status"),
    [
        ("commissioner", 9, "override", {"kind": "accept"}, 404),
        ("commissioner", 1, "match", {"approval_reference": "PA0000000000000"}, 409),
        ("invoice validation", 1, "override", {"kind": "accept"}, 403),
        ("pharmacist", 1, "override", {"kind": "accept"}, 403),
        ("other commissioner", 1, "override", {"kind": "accept"}, 404),
    ],
)
def test_what_may_not_be_decided_is_refused(
    people: Mapping[str, Api], run: str, who: str, row: int, step: str, body: Any, status: int
) -> None:
    at = f"/v1/runs/{run}/lines/{row}/{step}"
    good(people[who].post(at, body | {"reason": "Because."}), status)
    assert good(people["commissioner"].get("/v1/line-decisions"))["decisions"] == []


def test_a_line_is_decided_once_until_it_is_undone(people: Mapping[str, Api], run: str) -> None:
    at, body = f"/v1/runs/{run}/lines/1/override", {"kind": "accept", "reason": "Agreed."}
    good(people["commissioner"].post(at, body), 201)
    refused = good(people["commissioner"].post(at, body), 409)
    assert "Undo that decision first" in refused["detail"]
    (made,) = good(people["invoice validation"].get("/v1/line-decisions"))["decisions"]
    undo = f"/v1/line-decisions/{made['id']}/undo"
    good(people["invoice validation"].post(undo, {"reason": "Not mine to undo."}), 409)
    good(people["commissioner"].post(undo, {"reason": "The wrong row."}))
    good(people["commissioner"].post(at, body), 201)


def test_the_evidence_of_a_line_tells_each_pass_and_no_identity_to_the_payer(
    people: Mapping[str, Api], application: FastAPI, run: str, reference: str
) -> None:
    payer = people["commissioner"]
    reply = payer.get(f"/v1/runs/{run}/lines/1")
    found = good(reply)
    assert found["unchanged"] is True
    assert found["line"]["outcome"] == "no approval"
    passes = {each["name"]: each["result"] for each in found["passes"]}
    assert list(passes) == [
        "manual decision",
        "approval reference",
        "NHS number",
        "NHS number, supplying provider",
        "NHS number, elsewhere",
        "local patient identifier",
    ]
    assert passes["NHS number"] == "nothing found"
    assert WRONG["NHS NUMBER"] not in reply.text
    assert found["stated"]["nhs_pseudonym"]
    right = SUBMISSION_ROW | {LOCAL: ""}
    covered = run_of(payer, application, as_csv(right))
    found = good(payer.get(f"/v1/runs/{covered}/lines/1"))
    assert found["coverage"]["reference"] == reference
    assert [e["why"] for e in found["passes"] if e["result"] == "found"] != []
    assert payer.get(f"/v1/runs/{covered}/lines/2").status_code == 404
    good(people["clinician"].post("/v1/requests", initiation(3)), 201)
    assert good(payer.get(f"/v1/runs/{covered}/lines/1"))["unchanged"] is True
    decided = {"kind": "query", "reason": "Ask."}
    good(payer.post(f"/v1/runs/{covered}/lines/1/override", decided), 201)
    assert good(payer.get(f"/v1/runs/{covered}/lines/1"))["unchanged"] is False


def test_a_change_of_the_approval_that_a_line_came_to_is_told_beside_its_evidence(
    people: Mapping[str, Api], application: FastAPI
) -> None:
    payer, clinician = people["commissioner"], people["clinician"]
    made = good(clinician.post("/v1/requests", initiation(1)), 201)
    run = run_of(payer, application, as_csv(SUBMISSION_ROW))
    at = f"/v1/runs/{run}/lines/1"
    assert good(payer.get(at))["unchanged"] is True
    at_treatment = f"/v1/treatments/{made['treatment_id']}"
    version = good(clinician.get(at_treatment))["version"]
    body = {"first_dose": "2026-06-15"}
    good(clinician.post(f"{at_treatment}/first-dose", body, version=version))
    assert good(payer.get(at))["unchanged"] is False
