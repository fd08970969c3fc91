"""A hospital that supplies the drug for another sees its part of the treatment, and no more."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import tables
from app.db.transaction import Database
from app.db.work import Moment
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.test_reviews import transfer
from tests.patience import tries


@pytest.fixture
def supplied(people: Mapping[str, Api]) -> dict[str, Any]:
    """A treatment that DEMO1 prescribes and DEMO2 supplies."""
    form = initiation(1, details={"supplying_providers": ["DEMO2"]})
    made: dict[str, Any] = good(people["clinician"].post("/v1/requests", form), 201)
    return made


def test_it_reads_approval_days_product_and_dose_and_no_request(
    people: Mapping[str, Api], supplied: dict[str, Any]
) -> None:
    other = people["other pharmacist"]
    at, reference = f"/v1/treatments/{supplied['treatment_id']}", supplied["approval"]["reference"]
    told = good(other.get(at))
    whole = good(people["clinician"].get(at))

    assert told["segments"] == [s | {"unit_price_cap": None} for s in whole["segments"]]
    assert [a["reference"] for a in told["approvals"]] == [reference]
    assert told["patient"]["nhs_number"] == whole["patient"]["nhs_number"]
    assert told["requests"] == []
    approval = good(other.get(f"/v1/approvals/{reference}"))
    assert approval["phases"] == whole["approvals"][0]["phases"]
    assert approval["policy"] == whole["approvals"][0]["policy"]
    assert other.get(f"/v1/requests/{supplied['id']}").status_code == 404
    assert "das28" not in str(told) + str(approval)
    hits = good(other.post("/v1/searches", {}))["hits"]
    assert [hit["treatment"]["id"] for hit in hits] == [supplied["treatment_id"]]


@pytest.mark.parametrize("who", ["third pharmacist", "other auditor", "other commissioner"])
def test_nobody_else_reads_it(
    people: Mapping[str, Api], supplied: dict[str, Any], who: str
) -> None:
    reply = people[who].get(f"/v1/treatments/{supplied['treatment_id']}")
    assert reply.status_code == 404


def test_it_records_the_first_dose_and_nothing_else(
    people: Mapping[str, Api], supplied: dict[str, Any]
) -> None:
    other = people["other clinician"]
    at = f"/v1/treatments/{supplied['treatment_id']}"
    version = good(other.get(at))["version"]
    refused = other.post(f"{at}/not-started", {"reason": "No."}, version=version)
    assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed")

    told = good(other.post(f"{at}/first-dose", {"first_dose": "2026-06-15"}, version=version))

    whole = good(people["clinician"].get(at))
    assert told["first_dose"] == whole["first_dose"] == "2026-06-15"
    assert told["segments"] == [s | {"unit_price_cap": None} for s in whole["segments"]]
    trail = good(people["pharmacist"].get(f"/v1/requests/{supplied['id']}/audit"))["entries"]
    (step,) = (each for each in trail if each["action"] == "first dose recorded")
    assert step["actor"]["organisation"] == "DEMO2"


def test_once_the_treatment_moves_on_it_sees_its_own_days_and_writes_nothing(
    people: Mapping[str, Api],
    supplied: dict[str, Any],
    clock: Clock,
) -> None:
    """DEMO1 hands it to DEMO3, which supplies it itself: DEMO2 is out of it from that day."""
    other, at = people["other clinician"], f"/v1/treatments/{supplied['treatment_id']}"
    moving = transfer(people["clinician"], at, to="DEMO3", day="2026-07-01")
    good(
        people["third pharmacist"].post(
            f"/v1/requests/{moving['id']}/consent", version=moving["version"]
        )
    )
    clock.on("2026-12-01")
    for who in ("other clinician", "clinician"):
        told = good(people[who].get(at))
        last = told["segments"][-1]["to_day"]
        assert last is not None
        assert {a["covers_to"] for a in told["approvals"]} == {last}
        assert {s["provider"] for s in told["segments"]} == {"DEMO1"}
    version = told["version"]
    reply = other.post(f"{at}/first-dose", {"first_dose": "2026-06-15"}, version=version)
    assert (reply.status_code, reply.json()["code"]) == (403, "not-allowed")


def test_the_feed_tells_a_supplier_of_nobodys_steps_but_its_own(
    people: Mapping[str, Api], supplied: dict[str, Any]
) -> None:
    other, at = people["other clinician"], f"/v1/treatments/{supplied['treatment_id']}"
    body = {
        "nhs_number": initiation(1)["patient"]["nhs_number"],
        "birth_date": "1970-01-01",
        "drug": "adalimumab",
        "indication": "ra",
        "care_reason": "Seen today.",
    }
    good(people["third pharmacist"].post("/v1/treatment-claims", body))
    version = good(other.get(at))["version"]
    good(other.post(f"{at}/first-dose", {"first_dose": "2026-06-15"}, version=version))
    for _ in tries():  # on PostgreSQL a change waits for the server's older transactions
        held = good(people["clinician"].get("/v1/changes"))["changes"]
        if {"DEMO2", "DEMO3"} <= {change["organisation"] for change in held}:
            break
    assert {"DEMO2", "DEMO3"} <= {change["organisation"] for change in held}
    heard = good(other.get("/v1/changes"))["changes"]
    assert {change["organisation"] for change in heard} <= {"DEMO2"}


def test_on_postgresql_the_database_shows_a_supplier_that_part_alone(
    people: Mapping[str, Api], supplied: dict[str, Any], database: Database, moment: Moment
) -> None:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no row-level security")

    def count(work: Any) -> dict[str, int]:
        names = ("treatment", "segment", "approval", "patient", "supply")
        closed = ("request", "request_revision", "decision", "live_treatment")
        return {
            name: work.connection.scalar(
                sa.select(sa.func.count()).select_from(tables.metadata.tables[name])
            )
            for name in (*names, *closed)
        }

    seen = database.read(count, moment=moment, scope="DEMO2")
    assert seen == {
        **dict.fromkeys(("treatment", "segment", "approval", "patient", "supply"), 1),
        **dict.fromkeys(("request", "request_revision", "decision", "live_treatment"), 0),
    }
    assert set(database.read(count, moment=moment, scope="DEMO3").values()) == {0}


def test_an_objection_hides_it_from_its_searches_and_a_death_from_what_is_due(
    people: Mapping[str, Api], supplied: dict[str, Any]
) -> None:
    other = people["other pharmacist"]
    patient = good(people["clinician"].get(f"/v1/treatments/{supplied['treatment_id']}"))["patient"]
    number = {"nhs_number": initiation(1)["patient"]["nhs_number"]}
    due = {"review_due_by": "2030-01-01"}

    def hits(**body: Any) -> int:
        return len(good(other.post("/v1/searches", body))["hits"])

    assert hits(**number) == hits(**due) == 1
    good(people["clinician"].post(f"/v1/patients/{patient['id']}/death", {"died_on": "2026-06-12"}))
    assert (hits(**number), hits(**due)) == (1, 0)
    reason = {"reason": "Other hospitals are not to see it."}
    good(people["clinician"].post(f"/v1/patients/{patient['id']}/objection", reason))
    assert hits(**number) == hits() == 0


def test_a_provider_that_supplies_itself_records_as_the_provider_that_it_is(
    people: Mapping[str, Api], clock: Clock
) -> None:
    form = initiation(1, details={"supplying_providers": ["DEMO1"]})
    made = good(people["clinician"].post("/v1/requests", form), 201)
    at = f"/v1/treatments/{made['treatment_id']}"
    clock.on("2026-06-20")
    switch = {
        "kind": "switch",
        "decision_to_treat": "2026-06-20",
        "details": {"product": "humira", "from_day": "2026-06-20"},
    }
    good(people["clinician"].post(f"{at}/requests", switch), 201)
    clock.on("2026-06-25")
    told = good(people["clinician"].get(at))
    good(
        people["clinician"].post(
            f"{at}/first-dose", {"first_dose": "2026-06-16"}, version=told["version"]
        )
    )


def stop(day: str = "2026-06-20") -> dict[str, Any]:
    return {
        "kind": "stop",
        "decision_to_treat": day,
        "details": {"from_day": day, "stop_reason": "remission"},
    }


def heard_by(api: Api, wanted: str) -> list[dict[str, Any]]:
    """Its whole feed, once it holds an action: on PostgreSQL it waits for older transactions."""
    for _ in tries():
        found: list[dict[str, Any]] = good(api.get("/v1/changes", limit=500))["changes"]
        if any(each["action"] == wanted for each in found):
            return found
    raise AssertionError(f"{wanted} was not told")


@pytest.mark.parametrize("day", ["2026-06-20", "2026-06-15"], ids=["later", "on the first day"])
def test_the_feed_tells_a_supplier_of_a_stop_that_cuts_its_days_and_of_its_undoing(
    people: Mapping[str, Api], supplied: dict[str, Any], clock: Clock, day: str
) -> None:
    """Also where none of its days is left. It never sees the request, so that is not named."""
    clock.on("2026-06-20")
    clinician, other = people["clinician"], people["other clinician"]
    at = f"/v1/treatments/{supplied['treatment_id']}"
    stopped = good(clinician.post(f"{at}/requests", stop(day)), 201)

    told = heard_by(other, "treatment stopped")
    assert [
        (each["action"], each["organisation"], each["treatment_id"], each["request_id"])
        for each in told
    ] == [("treatment stopped", "DEMO1", supplied["treatment_id"], None)]
    assert good(people["third pharmacist"].get("/v1/changes"))["changes"] == []

    reason = {"reason": "Wrong patient."}
    marked = f"/v1/requests/{stopped['id']}/enter-in-error"
    good(clinician.post(marked, reason, version=stopped["version"]))
    told = heard_by(other, "treatment no longer stopped")
    assert [each["action"] for each in told] == ["treatment stopped", "treatment no longer stopped"]
    own = [each for each in heard_by(clinician, "treatment stopped")]
    assert any(each["request_id"] == stopped["id"] for each in own)


def test_a_supplier_of_earlier_days_hears_of_no_later_stop(
    people: Mapping[str, Api], supplied: dict[str, Any], clock: Clock
) -> None:
    at = f"/v1/treatments/{supplied['treatment_id']}"
    moving = transfer(people["clinician"], at, to="DEMO3", day="2026-07-01")
    third = people["third pharmacist"]
    good(third.post(f"/v1/requests/{moving['id']}/consent", version=moving["version"]))
    heard_by(people["other clinician"], "treatment transferred")
    clock.on("2026-12-01")
    good(people["third clinician"].post(f"{at}/requests", stop("2026-12-01")), 201)
    heard_by(people["third clinician"], "treatment stopped")
    told = good(people["other clinician"].get("/v1/changes"))["changes"]
    assert [each["action"] for each in told] == ["treatment transferred"]
