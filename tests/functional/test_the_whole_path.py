"""The whole path over HTTP: a form, a question, an answer, a reference, an invoice, a matched line.

Given a clinician's form that lacks an answer; when it is amended, approved and invoiced; then the
invoice line is matched by its reference's approval, every other line is in its own bucket, and the
amounts add up to the file's total exactly.
"""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fastapi import FastAPI

from app.api.request_bodies import EXAMPLE_INITIATION
from tests.functional.test_submissions_api import (  # noqa: F401 - fixtures
    HEADER,
    app,
    call,
    library,
    upload,
    work_off,
    world,
)
from tests.world import World

NUMBER = EXAMPLE_INITIATION["patient"]["nhs_number"].replace(" ", "")
LINES = {
    "matched": f"{NUMBER},1970-01-01,2026-06-20,Adalimumab (Imraldi) 40mg pen,316.93",
    "duplicate line": f"{NUMBER},1970-01-01,2026-06-20,Adalimumab (Imraldi) 40mg pen,316.93",
    "outside approval period": f"{NUMBER},1970-01-01,2026-06-01,ADALIMUMAB 40MG,352.14",
    "no approval": "9990000026,1970-01-01,2026-06-20,ADALIMUMAB 40MG,352.14",
    "drug or indication differs": f"{NUMBER},1970-01-01,2026-06-20,TYSABRI 300MG,1130.00",
    "no policy held": f"{NUMBER},1970-01-01,2026-06-20,PEMBROLIZUMAB 100MG VIAL,419.62",
    "not a drug line": ",,2026-06-20,Homecare delivery charge,45.00",
    "not recoverable": f"{NUMBER},1970-01-01,2026-06-20,ADALIMUMAB 40MG (FOC),0.00",
    "cannot be read": f"{NUMBER},1970-01-01,31/31/2026,ADALIMUMAB 40MG,(12.50",
}


def submission() -> str:
    rows = [f"3,202627,DEMO1,DEMQ1,{line}" for line in LINES.values()]
    return "\n".join([HEADER, *rows]) + "\n"


def test_a_form_becomes_an_approval_and_an_invoice_line_is_matched_to_it(
    world: World,  # noqa: F811
    app: FastAPI,  # noqa: F811
    call: Callable[..., Any],  # noqa: F811
) -> None:
    answers = {k: v for k, v in EXAMPLE_INITIATION["answers"].items() if k != "das28_at_start"}
    form = {**EXAMPLE_INITIATION, "answers": answers}

    submitted = call("clinician", "POST", "/v1/requests", json=form)
    assert submitted.status_code == 201, submitted.text
    request = submitted.json()
    assert request["state"] == "more information needed"
    assert [missing["name"] for missing in request["missing"]] == ["das28_at_start"]
    assert request["approval"] is None

    amended = call(
        "clinician",
        "POST",
        f"/v1/requests/{request['id']}/amend",
        json={"answers": {"das28_at_start": {"value": "5.8", "measured_on": "2026-05-20"}}},
        headers={"If-Match": submitted.headers["ETag"]},
    )
    assert amended.status_code == 200, amended.text
    assert amended.json()["state"] == "approved"
    reference = amended.json()["approval"]["reference"]
    approval = call("clinician", "GET", f"/v1/approvals/{reference}").json()
    assert (approval["state"], approval["covers_from"]) == ("live", "2026-06-15")

    world.on(dt.date(2026, 7, 10))
    received = upload(call, "commissioner", submission())
    assert received.status_code == 202, received.text
    work_off(app)
    run_id = call("commissioner", "GET", f"/v1/jobs/{received.json()['job']}").json()["run"]
    lines = call("commissioner", "GET", f"/v1/runs/{run_id}/lines").json()["lines"]
    assert [line["outcome"] for line in lines] == list(LINES)
    assert lines[0]["reference"] == reference

    run = call("commissioner", "GET", f"/v1/runs/{run_id}").json()
    total = sum(Decimal(line["total"] or 0) for line in lines)
    assert Decimal(run["total"]) == total
    assert Decimal(run["accepted"]) + Decimal(run["queried"]) == total
    assert Decimal(run["accepted"]) == Decimal("316.93")
    by_outcome = {bucket["outcome"]: bucket for bucket in run["summary"]["by_outcome"]}
    assert sum(Decimal(bucket["total"]) for bucket in by_outcome.values()) == total
    assert set(by_outcome) == set(LINES)
