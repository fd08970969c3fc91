"""An agreed price shows to the commissioner that pays it and the provider that was given it."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from tests.functional.approvals.api import Api, answering, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, table
from tests.functional.approvals.test_privacy import reconciled

PRICE = "271.83000000"
FIGURE = "271.83"
FUNDING = {
    "basis": "individual funding",
    "case_reference": "IFR-1",
    "from_day": "2026-06-15",
    "terms": "Until review.",
    "reason": "Exceptional.",
    "unit_price_cap": FIGURE,
    "price_unit": "syringe",
}
TRANSFER = {
    "kind": "transfer",
    "decision_to_treat": "2026-06-15",
    "details": {"to_provider": "DEMO2", "from_day": "2026-07-01"},
}


@pytest.fixture
def funded(people: Mapping[str, Api]) -> dict[str, Any]:
    """A request that the commissioner funds at a price, asked to move to another hospital."""
    clinician = people["clinician"]
    form = answering(initiation(1), das28_at_start="2.0")
    sent = good(clinician.post("/v1/requests", form | {"route": "individual funding"}), 201)
    path = f"/v1/requests/{sent['id']}/fund"
    paid = good(people["commissioner"].post(path, FUNDING, version=sent["version"]))
    good(clinician.post(f"/v1/treatments/{sent['treatment_id']}/requests", TRANSFER), 201)
    return dict(paid)


def documents(api: Api, funded: Mapping[str, Any]) -> str:
    """Everything that the reader is shown of the treatment, its request and its approval."""
    paths = (
        f"/v1/treatments/{funded['treatment_id']}",
        f"/v1/requests/{funded['id']}",
        f"/v1/requests/{funded['id']}/audit",
        f"/v1/approvals/{funded['approval']['reference']}",
    )
    return "\n".join(api.get(path).text for path in paths)


@pytest.mark.parametrize("who", ["commissioner", "pharmacist", "clinician"])
def test_those_who_agreed_a_price_see_it(
    people: Mapping[str, Api], funded: Mapping[str, Any], who: str
) -> None:
    assert FIGURE in documents(people[who], funded)


@pytest.mark.parametrize("who", ["other pharmacist", "other clinician"])
def test_a_hospital_that_is_asked_to_take_over_sees_the_treatment_and_not_the_price(
    people: Mapping[str, Api], funded: Mapping[str, Any], who: str
) -> None:
    treatment = good(people[who].get(f"/v1/treatments/{funded['treatment_id']}"))
    assert [segment["unit_price_cap"] for segment in treatment["segments"]] == [None]
    assert FIGURE not in documents(people[who], funded)


def test_no_line_and_no_returned_file_names_the_price(
    people: Mapping[str, Api], funded: Mapping[str, Any], application: FastAPI
) -> None:
    row = SUBMISSION_ROW | {
        "UNIT PRICE (COMMISSIONER)": "300.00",
        "UNIT OF MEASUREMENT (SNOMED CT DM+D)": "syringe",
        "DRUG QUANTITY OR WEIGHT PROPORTION": "1",
    }
    payer = people["commissioner"]
    run = reconciled(payer, application, table(row))
    lines = good(payer.get(f"/v1/runs/{run}/lines"))["lines"]
    assert [line["outcome"] for line in lines] == ["over price"]
    assert "over the approval's cap" in lines[0]["reason"] + str(lines[0]["tests"])
    told = payer.get(f"/v1/runs/{run}/lines").text
    for part in ("file", "summary.csv", "summary.txt"):
        told += payer.get(f"/v1/runs/{run}/{part}").text
    # The accepted amount is the price of one syringe, also as what was accepted untested; nothing
    # else may say it.
    told = told.replace("£271.83 was accepted of lines with a test that could not be made", "")
    assert "£271.83" not in told
