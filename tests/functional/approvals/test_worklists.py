"""Worklists over HTTP: an organisation's own approvals and supplies, and no identity."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from app.reconciliation.worklists import Worklist
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, run_of
from tests.functional.approvals.test_challenges import as_csv

DAY = "CLINICAL INTERVENTION DATE (DRUG DISPENSED)"
PROVIDER = "ORGANISATION IDENTIFIER (CODE OF PROVIDER)"


def listed(api: Api, name: str) -> list[Any]:
    found = good(api.get(f"/v1/worklists/{name}"))
    assert found["count"] == len(found["entries"])
    entries: list[Any] = found["entries"]
    return entries


def test_each_list_tells_its_organisation_what_to_look_at(
    people: Mapping[str, Api], application: FastAPI, clock: Clock
) -> None:
    clinician, payer = people["clinician"], people["commissioner"]
    first = good(clinician.post("/v1/requests", initiation(1)), 201)
    idle = good(clinician.post("/v1/requests", initiation(2)), 201)
    rows = [
        SUBMISSION_ROW | {DAY: "2026-06-15"},
        SUBMISSION_ROW | {DAY: "2026-07-15", PROVIDER: "DEMO2"},
        SUBMISSION_ROW | {DAY: "2026-08-15"},
        SUBMISSION_ROW | {DAY: "2026-09-15"},
    ]
    clock.on("2026-10-01")
    run = run_of(payer, application, as_csv(*rows))
    (two,) = listed(payer, "supplied-by-two-trusts")
    assert (two["treatment"], two["providers"]) == (first["treatment_id"], ["DEMO1", "DEMO2"])
    assert {line["run"] for line in two["lines"]} == {run}
    assert idle["approval"]["start_by"] == "2026-09-13"
    (late,) = listed(payer, "not-started")
    assert (late["treatment"], late["day"]) == (idle["treatment_id"], "2026-09-13")
    stop = {
        "kind": "stop",
        "decision_to_treat": "2026-10-01",
        "details": {"from_day": "2026-09-01", "stop_reason": "other"},
    }
    good(clinician.post(f"/v1/treatments/{first['treatment_id']}/requests", stop), 201)
    clock.on("2026-10-02")
    again = run_of(payer, application, as_csv(*rows))
    (after,) = listed(payer, "supplied-after-stop")
    assert (after["day"], after["lines"]) == ("2026-09-15", [{"run": again, "row": 4}])
    for name in Worklist:
        text = payer.get(f"/v1/worklists/{name}").text
        assert SUBMISSION_ROW["NHS NUMBER"] not in text
        assert listed(people["other commissioner"], name) == []
        assert people["clinician"].get(f"/v1/worklists/{name}").status_code == 403
    assert payer.get("/v1/worklists/everything").status_code == 422


def test_a_place_that_is_no_day_is_named(people: Mapping[str, Api]) -> None:
    place = f"2026-17-32.{'0' * 36}.1"
    reply = people["commissioner"].get(f"/v1/worklists/not-started?after={place}")
    (error,) = reply.json()["errors"]
    assert reply.status_code == 422
    assert (error["where"], error["message"]) == ("query.after", "is not a day of the calendar")
