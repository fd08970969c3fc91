"""The overview: counted by the worker, tied to the API's numbers, and seen by its own people."""

import re
from collections.abc import Mapping
from decimal import Decimal

from fastapi import FastAPI

from app.approvals.permissions import ROLES, Action
from app.auth.model import Role
from app.housekeeping import summing_up
from app.insight import counting
from app.insight.figures import Name
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, UNKNOWN_PATIENT, run_of
from tests.functional.desk.conftest import Sit
from tests.functional.desk.test_desk import AT, as_csv, bare

PAYER = Role.COMMISSIONER


def sum_up(application: FastAPI) -> None:
    summing_up(application.state.desk).do(application.state.door)


def amounts(application: FastAPI, code: str = "DEMQ1") -> dict[Name, Decimal]:
    """What is counted of a commissioner, all providers and months together."""
    desk, door = application.state.desk, application.state.door
    found: dict[Name, Decimal] = {}
    for each in door.read(lambda work: counting.count(work, desk, code)):
        found[each.name] = found.get(each.name, Decimal(0)) + each.amount
    return found


def test_the_overviews_pounds_are_those_of_the_slices(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    rows = (
        SUBMISSION_ROW,
        SUBMISSION_ROW | UNKNOWN_PATIENT | {"TOTAL COST": "1234.56"},
        SUBMISSION_ROW | UNKNOWN_PATIENT | {"TOTAL COST": "0.015", "FINANCIAL MONTH": "2"},
        SUBMISSION_ROW | {"NHS NUMBER": invented_nhs_number(2), "FINANCIAL MONTH": "1"},
    )
    browser = sit("DEMQ1", PAYER)
    assert "Nothing has been counted yet" in browser.get("/overview").text
    run_of(people["commissioner"], application, as_csv(*rows))
    run_of(people["commissioner"], application, as_csv(*rows[:2]))  # states June again
    sum_up(application)
    (told,) = good(people["commissioner"].get("/v1/slices"))["commissioners"]
    found = amounts(application)
    assert found[Name.ACCEPTED] == Decimal(told["accepted"]) == Decimal("300.00")
    assert found[Name.QUERIED] == Decimal(told["queried"])
    assert (found[Name.LINES], found[Name.LINES_QUERIED]) == (4, 3)
    assert found[Name.APPROVALS_ISSUED] == found[Name.UNDER_APPROVAL] == 1
    text = browser.get("/overview").text
    assert f"Not matched £{Decimal(told['queried']):,.2f}" in bare(text)
    assert "Matched £300.00" in bare(text)
    for drawing in re.findall(r"<svg.*?</svg>", text, re.S):
        assert "<title" in drawing
        assert "<desc" in drawing
        assert "style" not in drawing
    assert text.count("<svg") >= 3


def test_counting_again_replaces_what_was_counted(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    run_of(people["commissioner"], application, as_csv(SUBMISSION_ROW))
    for _ in range(2):
        sum_up(application)
    assert "Not matched £300.00" in bare(sit("DEMQ1", PAYER).get("/overview").text)
    run_of(people["commissioner"], application, as_csv(SUBMISSION_ROW | {"TOTAL COST": "1.00"}))
    sum_up(application)
    assert "Not matched £1.00" in bare(sit("DEMQ1", PAYER).get("/overview").text)


def test_a_continuation_is_overdue_once_its_last_covered_day_has_passed(
    people: Mapping[str, Api], application: FastAPI, clock: Clock
) -> None:
    made = good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    treatment = good(people["clinician"].get(f"/v1/treatments/{made['treatment_id']}"))
    last = treatment["approvals"][0]["covers_to"]
    clock.on(last)
    assert amounts(application)[Name.OVERDUE] == 0
    year, month, day = last.split("-")
    clock.on(f"{year}-{month}-{int(day) + 1:02d}")
    assert amounts(application)[Name.OVERDUE] == 1


def test_only_a_commissioner_and_its_auditor_read_their_own(
    people: Mapping[str, Api], application: FastAPI, sit: Sit
) -> None:
    run_of(people["commissioner"], application, as_csv(SUBMISSION_ROW))
    sum_up(application)
    for role in Role:
        status = sit(AT.get(role, "DEMO1"), role).get("/overview").status_code
        assert status == (200 if role in ROLES[Action.READ_OVERVIEW] else 403), role
    for organisation, role in (("DEMQ2", PAYER), ("DEMO1", Role.AUDITOR)):
        assert "£300.00" not in sit(organisation, role).get("/overview").text
    assert "£300.00" in sit("DEMQ1", Role.AUDITOR).get("/overview").text
