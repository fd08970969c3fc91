"""The overview's charts each with their table and limits, and its rates of what was decided."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI

from app.approvals.library import Library
from app.auth.model import Role
from app.insight.figures import Name
from tests.functional.approvals.api import Api, Clock, answering, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, UNKNOWN_PATIENT, run_of
from tests.functional.desk.conftest import Sit
from tests.functional.desk.test_desk import as_csv, bare
from tests.functional.desk.test_overview import amounts, sum_up
from tests.functional.web.report_scene import CROHNS, SEVERE
from tests.pattern_policies import waivable
from tests.policies.library import packaged_library

POLICY = "adalimumab-ra-severe"
OVERRIDE = {
    "criterion": "ADC-3b",
    "reason": "not_exclusively",
    "words": "A stoma distorts the score.",
}
_SECTION = re.compile(
    r'<section class="app-figure" aria-labelledby="(\w+)-head">(.*?)</section>', re.S
)
_ROW = re.compile(r"<tr.*?</tr>", re.S)


@pytest.fixture(scope="session")
def packaged() -> Library:
    """A panel may waive the screening, which no packaged version lets it."""
    return waivable(packaged_library(), "screened")


def approved_past(people: Mapping[str, Api], sequence: int, *waived: str) -> None:
    """A request without screening that the commissioner approves, in a panel's place."""
    form = answering(initiation(sequence), screened=False)
    made = good(people["clinician"].post("/v1/requests", form), 201)
    assert made["state"] == "referred"
    at, body = f"/v1/requests/{made['id']}/panel-approve", {"waived": [*waived]}
    reason = {"reason": "Screened elsewhere."}
    told = good(people["commissioner"].post(at, body | reason, version=made["version"]))
    assert told["state"] == "approved"


def of_crohns(api: Api, sequence: int, cdai: str) -> dict[str, Any]:
    """A request with an override; it is relied on where the score alone does not do."""
    answers = SEVERE | {"cdai": cdai}
    form = initiation(sequence, policy=CROHNS, answers=answers, overrides=[OVERRIDE])
    made: dict[str, Any] = good(api.post("/v1/requests", form), 201)
    return made


def test_rates_count_overrides_relied_on_and_criteria_waived(
    people: Mapping[str, Api], application: FastAPI, sit: Sit, packaged: Library
) -> None:
    clinician = people["clinician"]
    good(clinician.post("/v1/requests", initiation(1)), 201)
    (criterion,) = [c.id for c in packaged.versions(POLICY)[-1].start if c.waivable]
    approved_past(people, 2, criterion)
    approved_past(people, 6)  # by people, who waive nothing
    assert of_crohns(clinician, 3, "280")["state"] == "approved"
    of_crohns(clinician, 4, "320")  # severe by the score itself: the override changes nothing
    good(people["other clinician"].post("/v1/requests", initiation(5)), 201)
    sum_up(application)
    found = amounts(application)
    assert (found[Name.REQUESTS], found[Name.OVERRIDDEN], found[Name.WAIVED]) == (6, 1, 1)
    text = sit("DEMQ1", Role.COMMISSIONER).get("/overview").text
    table = text.partition("Overrides and waivers by provider")[2].partition("</table>")[0]
    head, *rows = (bare(each) for each in _ROW.findall(table))
    assert head == "Provider Requests By override Rate With a waiver Rate"
    first, second, every = rows
    assert "DEMO1" in first
    assert first.endswith(" 5 1 20.0% 1 20.0%")
    assert "DEMO2" in second
    assert second.endswith(" 1 0 0.0% 0 0.0%")
    assert every == "All providers 6 1 16.7% 1 16.7%"


def test_a_request_withdrawn_or_of_another_payer_is_in_no_rate(
    people: Mapping[str, Api], application: FastAPI
) -> None:
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    good(people["clinician"].post("/v1/requests", initiation(2, commissioner="DEMQ2")), 201)
    form = answering(initiation(3), screened=False)
    waits = good(people["clinician"].post("/v1/requests", form), 201)
    at, why = f"/v1/requests/{waits['id']}/withdraw", {"reason": "Moved away."}
    good(people["clinician"].post(at, why, version=waits["version"]))
    found = amounts(application)
    assert found[Name.REQUESTS] == Decimal(1)
    assert Name.WAIVED not in found


def test_each_chart_stands_with_its_table_and_its_limits_by_name(
    people: Mapping[str, Api], application: FastAPI, sit: Sit, clock: Clock
) -> None:
    today = f"{clock.instant:%Y-%m-%d}"
    for sequence, day in enumerate(("2026-04-10", "2026-05-10"), 11):
        clock.on(day)
        form = initiation(sequence, decision_to_treat=day)
        good(people["clinician"].post("/v1/requests", form), 201)
    clock.on(today)
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    rows = [
        SUBMISSION_ROW,
        SUBMISSION_ROW | UNKNOWN_PATIENT,
        SUBMISSION_ROW | {"FINANCIAL MONTH": "2", "TOTAL COST": "10.00"},
        SUBMISSION_ROW | UNKNOWN_PATIENT | {"FINANCIAL MONTH": "2", "TOTAL COST": "20.00"},
    ]
    run_of(people["commissioner"], application, as_csv(*rows))
    sum_up(application)

    text = sit("DEMQ1", Role.COMMISSIONER).get("/overview").text

    charts = dict(_SECTION.findall(text))
    assert list(charts) == ["accepted", "queried", "issued", "lines", "overdue"]
    for id_, chart in charts.items():
        drawing, _, beside = chart.partition("</svg>")
        assert "<svg" in drawing, id_
        assert "The table below holds every point." in drawing, id_
        table = beside.partition("<table")[2].partition("</table>")[0]
        points = len(re.findall(r"<circle|<path", drawing))
        heads, *held = _ROW.findall(table)
        assert len(held) == points >= 1, id_
        last = "Against the limits" if id_ in ("lines", "overdue") else "Signal"
        assert bare(heads).endswith(last), id_
    for id_ in ("accepted", "queried", "issued"):
        assert "the limits are" in charts[id_]
    for id_ in ("lines", "overdue"):
        assert "All are within them." in charts[id_]
    how = bare(text.partition("How to read the charts")[2])
    assert "the mean and 2.66 mean moving ranges on either side" in how
    assert "the dashed lines hold 95% and the dotted ones 99.8% of providers" in how
