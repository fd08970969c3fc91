"""Deltas of closed months by API, page and export: whose they are, and that they tie."""

import csv
import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI

from app.auth.model import Role
from app.housekeeping import rematching_changes
from tests.conftest import _settle
from tests.functional.approvals.api import Api, good
from tests.functional.approvals.scene import Scene
from tests.functional.desk.conftest import Sit
from tests.functional.desk.test_desk import bare, work_off

YEAR, MONTH = "202627", 3
CLOSED = {
    "months": [
        {
            "financial_year": YEAR,
            "financial_month": MONTH,
            "freeze": "2026-06-01",
            "source": "Invented for the tests",
        }
    ]
}
PATHS = ("/v1/slice-deltas", "/v1/slice-deltas/export")


@pytest.fixture
def changed(scene: Scene, people: Mapping[str, Api], application: FastAPI) -> dict[str, Any]:
    """A closed month in which a line is accepted by hand; what the API says of it."""
    assert scene.submission
    payer = people["commissioner"]
    work_off(application)
    good(payer.post("/v1/calendar", CLOSED))
    (now,) = good(payer.get("/v1/slices"))["slices"]
    run = good(payer.get(f"/v1/submissions/{now['submission']}"))["runs"][0]["id"]
    accept = {"kind": "accept", "reason": "Agreed by letter."}
    good(payer.post(f"/v1/runs/{run}/lines/1/override", accept), 201)
    _settle(application.state.door.database)
    rematching_changes().do(application.state.door)
    work_off(application)
    found: dict[str, Any] = good(people["commissioner"].get(PATHS[0]))
    return found


def test_a_delta_says_before_after_difference_and_what_changed(changed: dict[str, Any]) -> None:
    (delta,) = changed["deltas"]
    assert (delta["financial_year"], delta["financial_month"], delta["row"]) == (YEAR, MONTH, 1)
    before, after = (Decimal(delta[name]) for name in ("accepted_before", "accepted"))
    assert Decimal(delta["accepted_more"]) == after - before != 0
    assert Decimal(delta["queried_more"]) == -Decimal(delta["accepted_more"])
    assert Decimal(delta["not_testable_before"]) == 0  # nothing of it was accepted
    assert Decimal(delta["not_testable"]) == Decimal(delta["not_testable_more"]) == after
    assert delta["changed"] == "line decided by hand"
    assert delta["run"] != delta["frozen_run"]
    assert changed["left_out"] == 0


def test_frozen_and_deltas_are_what_the_month_stands_at(
    changed: dict[str, Any], people: Mapping[str, Api]
) -> None:
    (month,) = changed["slices"]
    assert Decimal(month["accepted_now"]) == Decimal(month["accepted"]) + Decimal(
        month["accepted_more"]
    )
    frozen = good(people["commissioner"].get(f"/v1/runs/{changed['deltas'][0]['frozen_run']}"))
    assert Decimal(month["not_testable"]) == Decimal(frozen["not_testable"])
    more = Decimal(changed["deltas"][0]["not_testable_more"])
    assert Decimal(month["not_testable_more"]) == more
    assert Decimal(month["not_testable_now"]) == Decimal(month["not_testable"]) + more
    listed = good(people["commissioner"].get("/v1/slices"))
    (stands,) = [s for s in listed["slices"] if s["deltas"]]
    assert (stands["accepted"], stands["accepted_more"]) == (
        month["accepted"],
        month["accepted_more"],
    )
    assert (stands["not_testable"], stands["not_testable_more"]) == (
        month["not_testable"],
        month["not_testable_more"],
    )
    (summed,) = [m for m in listed["months"] if m["deltas"]]
    assert Decimal(summed["accepted_more"]) == Decimal(month["accepted_more"])
    assert Decimal(summed["not_testable"]) == Decimal(month["not_testable_now"])
    (paid,) = listed["commissioners"]
    assert Decimal(paid["not_testable"]) == Decimal(month["not_testable_now"])
    run = good(people["commissioner"].get(f"/v1/runs/{changed['deltas'][0]['run']}"))
    assert Decimal(run["summary"]["total"]["accepted"]) == Decimal(month["accepted_now"])
    assert Decimal(run["not_testable"]) == Decimal(month["not_testable_now"])


def test_deltas_are_narrowed_and_exported(
    changed: dict[str, Any], people: Mapping[str, Api]
) -> None:
    payer = people["commissioner"]
    for query, many in (
        ({"financial_month": "3"}, 1),
        ({"financial_month": "4"}, 0),
        ({"provider": "DEMO2"}, 0),
        ({"financial_year": YEAR, "commissioner": "DEMQ1"}, 1),
    ):
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        assert len(good(payer.get(f"{PATHS[0]}?{asked}"))["deltas"]) == many, query
    reply = payer.get(PATHS[1])
    assert reply.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig")))
    assert Decimal(row["ACCEPTED DIFFERENCE"]) == Decimal(changed["deltas"][0]["accepted_more"])
    assert row["WHAT CHANGED"] == "line decided by hand"
    for column, name in (
        ("NOT TESTABLE BEFORE", "not_testable_before"),
        ("NOT TESTABLE", "not_testable"),
        ("NOT TESTABLE DIFFERENCE", "not_testable_more"),
    ):
        assert Decimal(row[column]) == Decimal(changed["deltas"][0][name])


def test_another_organisation_reads_none_and_another_role_none(
    changed: dict[str, Any], people: Mapping[str, Api], sit: Sit
) -> None:
    assert changed["deltas"]
    assert good(people["pharmacist"].get(PATHS[0]))["deltas"] == []
    assert people["pharmacist"].get(PATHS[1]).text.count("\n") == 1
    for path in PATHS:
        assert people["clinician"].get(path).status_code == 403
    shown = sit("DEMQ2", Role.COMMISSIONER).get("/slices/deltas").text
    assert "No line of a closed month has changed" in shown


def test_the_page_shows_what_was_what_is_and_why(changed: dict[str, Any], sit: Sit) -> None:
    browser = sit("DEMQ1", Role.COMMISSIONER)
    (delta,) = changed["deltas"]
    told = bare(browser.get("/slices/deltas").text)
    assert "June 2026, row 1" in told
    assert "Line decided by hand" in told
    (month,) = changed["slices"]
    more = f"+£{Decimal(delta['not_testable_more']):,.2f}"
    now = f"£{Decimal(month['not_testable_now']):,.2f}"
    for amount in (month["not_testable"], delta["not_testable_before"], delta["not_testable"]):
        assert f"Not tested: £{Decimal(amount):,.2f}" in told
    assert told.count(f"Not tested: {more}") == 2  # in the row of the month and of the line
    assert f"Not tested: {now}" in told
    assert f"+£{Decimal(delta['accepted_more']):,.2f}" in told
    months = browser.get("/slices").text
    assert bare(months).count(f"Not tested: {now}") == 2  # of the commissioner and of the month
    at = f"/slices/deltas?financial_year={YEAR}&amp;financial_month={MONTH}&amp;provider=DEMO1"
    assert at in months
    narrowed = browser.get(at.replace("&amp;", "&")).text
    assert "June 2026, row 1" in bare(narrowed)
    assert "No line of this month" in browser.get("/slices/deltas?financial_month=5").text
    assert browser.get("/slices/deltas?financial_month=13").status_code in (400, 422)
