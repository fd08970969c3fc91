"""Overturning an urgent start over HTTP: who may, what it states, and who takes it for what."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from app.approvals.office import change_setting
from app.db.transaction import Database
from tests.functional.approvals.api import Api, Clock, good
from tests.urgent import first_dose, urgent_form

Change = Callable[[str, str, object], None]
TODAY = dt.date(2026, 6, 15)
FIRST = first_dose(TODAY).isoformat()
PAID = {"reason": "Not of a kind that is funded.", "doses_given": "paid"}
NOT_PAID = {"reason": "Not of a kind that is funded.", "doses_given": "not paid"}
CLEAR = {"declares_no_interest": True}


@pytest.fixture
def waiting(people: Mapping[str, Api], change: Change) -> dict[str, Any]:
    """An urgent start that waits for the panel DEMP1."""
    change("DEMQ1", "panel", "DEMP1")
    body: dict[str, Any] = good(
        people["clinician"].post("/v1/requests", urgent_form(1, TODAY)), 201
    )
    assert (body["state"], body["panel"]) == ("referred", "DEMP1")
    return body


def overturn(api: Api, body: Mapping[str, Any], sent: Mapping[str, Any]) -> Any:
    return api.post(f"/v1/requests/{body['id']}/panel-overturn", sent, version=body["version"])


def test_the_document_says_since_when_doses_were_given_and_a_decline_what_to_do(
    people: Mapping[str, Api], waiting: dict[str, Any]
) -> None:
    assert waiting["doses_given_since"] == FIRST
    assert waiting["overturned"] is None
    assert "doses have been given since 10 June 2026" in waiting["next"]
    declined = people["panel member"].post(
        f"/v1/requests/{waiting['id']}/panel-decline",
        {"reason": "No."} | CLEAR,
        version=waiting["version"],
    )
    assert (declined.status_code, declined.json()["code"]) == (409, "step-not-possible")
    assert "Overturn the urgent start instead" in declined.json()["detail"]
    assert "whether they are paid for" in declined.json()["detail"]


def test_paid_it_is_declined_with_a_reference_for_these_days_and_no_approval(
    people: Mapping[str, Api], waiting: dict[str, Any], clock: Clock
) -> None:
    clock.on("2026-06-25")
    undeclared = overturn(people["panel member"], waiting, PAID)
    assert undeclared.status_code == 422
    done = good(overturn(people["panel member"], waiting, PAID | CLEAR))
    assert (done["state"], done["approval"]) == ("declined", None)
    ruling = done["overturned"]
    assert {k: ruling[k] for k in ("from_day", "to_day", "paid")} == {
        "from_day": FIRST,
        "to_day": "2026-06-25",
        "paid": True,
    }
    assert done["decisions"][-1]["doses_given"] == {
        "from_day": FIRST,
        "to_day": "2026-06-25",
        "paid": True,
    }
    assert done["decisions"][0]["doses_given"] is None
    assert "up to and including 25 June 2026 are paid for" in done["next"]
    assert ruling["reference"] in done["next"]
    assert "individual funding" in done["next"]
    assert "decision of the clinician and the patient" in done["next"]
    approval = good(people["clinician"].get(f"/v1/approvals/{ruling['reference']}"))
    assert (approval["state"], approval["basis"]) == ("doses given only", "panel")
    assert (approval["covers_from"], approval["covers_to"]) == (FIRST, "2026-06-25")
    assert "no approval to go on" in approval["next"]
    assert good(people["clinician"].get(f"/v1/requests/{done['id']}"))["overturned"] == ruling


def test_not_paid_it_says_so_and_there_is_nothing_to_quote(
    people: Mapping[str, Api], waiting: dict[str, Any]
) -> None:
    done = good(overturn(people["panel member"], waiting, NOT_PAID | CLEAR))
    assert (done["overturned"]["paid"], done["overturned"]["reference"]) == (False, None)
    assert "are not paid for under this request" in done["next"]
    treatment = good(people["clinician"].get(f"/v1/treatments/{done['treatment_id']}"))
    assert treatment["approvals"] == []


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"paid_to": "2026-06-16"}, "paid_to"),
        ({"paid_to": "2026-06-09"}, "paid_to"),
        ({"doses_given": "not paid", "paid_to": FIRST}, "paid_to"),
        ({"doses_given": "perhaps"}, "doses_given"),
        ({"doses_given": None}, "doses_given"),
        ({"reason": " "}, "reason"),
        ({"paid": True}, "paid"),
    ],
)
def test_what_cannot_be_ruled_is_refused_by_the_field_that_was_sent(
    people: Mapping[str, Api], waiting: dict[str, Any], sent: dict[str, Any], field: str
) -> None:
    reply = overturn(people["panel member"], waiting, PAID | CLEAR | sent)
    assert reply.status_code == 422
    assert field in reply.text
    assert good(people["clinician"].get(f"/v1/requests/{waiting['id']}"))["state"] == "referred"


def test_nobody_but_the_panel_that_it_waits_for_overturns_it(
    people: Mapping[str, Api], waiting: dict[str, Any]
) -> None:
    expected = {"clinician": 403, "pharmacist": 403, "commissioner": 403, "other panel member": 404}
    found = {who: overturn(people[who], waiting, PAID | CLEAR).status_code for who in expected}
    assert found == expected


def test_no_other_trust_and_no_list_takes_it_for_an_approval(
    people: Mapping[str, Api], waiting: dict[str, Any]
) -> None:
    done = good(overturn(people["panel member"], waiting, PAID | CLEAR))
    reference = done["overturned"]["reference"]
    patient = urgent_form(1, TODAY)["patient"]
    asked = {
        "nhs_number": patient["nhs_number"],
        "birth_date": patient["birth_date"],
        "drug": "immunoglobulin",
        "indication": "itp",
        "care_reason": "Referred to us.",
    }
    for who in ("other clinician", "clinician"):
        told = good(people[who].post("/v1/approval-existence", asked))
        assert (told["exists"], told["own"]) == (False, False)
        assert reference not in str(told)
    claimed = people["other clinician"].post("/v1/claims", asked)
    assert reference not in claimed.text
    for search in ({"approval_state": "live"}, {"review_due_by": "2030-01-01"}):
        assert reference not in people["clinician"].post("/v1/searches", search).text
    only = people["clinician"].post("/v1/searches", {"approval_state": "doses given only"})
    assert reference in only.text
    assert people["other clinician"].get(f"/v1/approvals/{reference}").status_code == 404
    more = people["clinician"].post(
        f"/v1/treatments/{done['treatment_id']}/requests",
        {"kind": "continuation", "decision_to_treat": TODAY.isoformat(), "answers": {}},
    )
    assert more.status_code == 422
    assert "no standing approval" in more.text


def test_the_feed_and_the_trail_tell_of_it_and_never_of_an_approval_issued(
    people: Mapping[str, Api],
    waiting: dict[str, Any],
    database: Database,
    settle: Callable[[Database], None],
) -> None:
    done = good(overturn(people["panel member"], waiting, PAID | CLEAR))
    settle(database)
    said = [
        each["action"]
        for each in good(people["clinician"].get("/v1/changes"))["changes"]
        if each["request_id"] == done["id"]
    ]
    assert "request: panel overturns an urgent start" in said
    assert "doses given are paid for" in said
    assert "approval issued" not in said
    entries = good(people["auditor"].get(f"/v1/requests/{done['id']}/audit"))["entries"]
    told = {each["action"]: each for each in entries}
    moved = told["request: panel overturns an urgent start"]
    assert (moved["before"]["state"], moved["after"]["state"]) == ("referred", "declined")
    assert told["decision: overturned"]["after"]["doses_given"]["paid"] is True
    assert told["decision: overturned"]["actor"]["organisation"] == "DEMP1"


def test_a_second_form_and_funding_cover_no_day_twice_also_where_the_panel_sees_neither(
    people: Mapping[str, Api], waiting: dict[str, Any], clock: Clock
) -> None:
    done = good(overturn(people["panel member"], waiting, PAID | CLEAR))
    funding = {
        "basis": "individual funding",
        "case_reference": "IFR-1",
        "from_day": TODAY.isoformat(),
        "to_day": "2026-12-31",
        "terms": "None.",
        "reason": "Exceptional.",
    }
    at = f"/v1/requests/{done['id']}/fund"
    twice = people["commissioner"].post(at, funding, version=done["version"])
    assert (twice.status_code, "covered" in twice.text) == (422, True)
    funded = good(
        people["commissioner"].post(
            at, funding | {"from_day": "2026-06-16"}, version=done["version"]
        )
    )
    assert (funded["state"], funded["approval"]["state"]) == ("approved", "live")
    assert funded["overturned"]["to_day"] == TODAY.isoformat()
    clock.on("2026-06-20")
    treatment = good(people["clinician"].get(f"/v1/treatments/{done['treatment_id']}"))
    days = [(s["from_day"], s["to_day"]) for s in treatment["segments"]]
    assert days == [(FIRST, TODAY.isoformat()), ("2026-06-16", "2026-12-31")]


def test_a_panel_that_sees_no_other_treatment_pays_for_no_day_twice(
    people: Mapping[str, Api], waiting: dict[str, Any], application: FastAPI, clock: Clock
) -> None:
    """Another panel decides the second form; of the first it may know nothing."""
    done = good(overturn(people["panel member"], waiting, PAID | CLEAR))
    clock.on("2026-06-17")
    day = dt.date(2026, 6, 17)
    application.state.door.transact(
        lambda work: change_setting(work, "DEMQ1", "panel", "DEMP2", day, "tests")
    )
    again = urgent_form(1, dt.date(2026, 6, 17))  # its first dose is on a day that is paid for
    sent = good(people["clinician"].post("/v1/requests", again), 201)
    assert sent["treatment_id"] != done["treatment_id"]
    member = people["other panel member"]
    assert member.get(f"/v1/treatments/{done['treatment_id']}").status_code == 404
    second = good(overturn(member, sent, PAID | CLEAR))
    reference = second["overturned"]["reference"]
    approval = good(people["clinician"].get(f"/v1/approvals/{reference}"))
    assert (approval["covers_from"], approval["covers_to"]) == ("2026-06-16", "2026-06-17")


def test_entered_in_error_nothing_is_paid(
    people: Mapping[str, Api], waiting: dict[str, Any]
) -> None:
    done = good(overturn(people["panel member"], waiting, PAID | CLEAR))
    at = f"/v1/requests/{done['id']}"
    gone = good(
        people["clinician"].post(
            f"{at}/enter-in-error", {"reason": "Wrong patient."}, version=done["version"]
        )
    )
    assert (gone["state"], gone["overturned"], gone["approval"]) == ("entered in error", None, None)
    approval = good(people["clinician"].get(f"/v1/approvals/{done['overturned']['reference']}"))
    assert approval["state"] == "entered in error"
    assert "pays for nothing any more" in approval["next"]
