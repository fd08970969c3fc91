"""The steps that other people take: the trust's pharmacist, a panel, a receiving provider."""

from collections.abc import Callable, Mapping

import pytest

from tests.functional.approvals.api import (
    Api,
    Clock,
    answering,
    continuation,
    follow,
    good,
    initiation,
)
from tests.urgent import urgent_form

Change = Callable[[str, str, object], None]
REASON = {"reason": "Because."}


def test_where_a_trust_wants_it_its_pharmacist_authorises(
    people: Mapping[str, Api], change: Change
) -> None:
    change("DEMO1", "pharmacist_authorisation", True)
    clinician, pharmacist = people["clinician"], people["pharmacist"]
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/requests/{body['id']}"
    assert (body["state"], body["approval"]) == ("awaiting authorisation", None)
    assert clinician.post(f"{at}/authorise", version=body["version"]).status_code == 403

    returned = good(pharmacist.post(f"{at}/refuse-authorisation", REASON, version=body["version"]))
    assert returned["state"] == "returned"
    again = good(clinician.post(f"{at}/amend", {"answers": {}}, version=returned["version"]))
    approved = good(pharmacist.post(f"{at}/authorise", version=again["version"]))

    assert approved["state"] == "approved"
    assert approved["approval"]["reference"]
    assert [d["made_by"] for d in approved["decisions"]] == [
        "policy",
        "pharmacist",
        "policy",
        "pharmacist",
    ]


@pytest.mark.parametrize(
    ("step", "sent", "state"),
    [
        ("panel-approve", {**REASON, "waived": []}, "approved"),
        ("panel-decline", REASON, "declined"),
        ("panel-return", {"question": "Why not screened?"}, "returned"),
        ("declare-interest", {"interest": "My own department."}, "referred"),
    ],
)
def test_the_panel_that_a_commissioner_names_decides(
    people: Mapping[str, Api], change: Change, step: str, sent: dict[str, object], state: str
) -> None:
    change("DEMQ1", "panel", "DEMP1")
    form = answering(initiation(), screened=False)
    body = good(people["clinician"].post("/v1/requests", form), 201)
    assert (body["state"], body["panel"]) == ("referred", "DEMP1")
    at, version = f"/v1/requests/{body['id']}", body["version"]
    assert people["other panel member"].get(at).status_code == 404
    assert people["commissioner"].post(f"{at}/{step}", sent, version=version).status_code == 403

    if step != "declare-interest":
        undeclared = people["panel member"].post(f"{at}/{step}", sent, version=version)
        assert (undeclared.status_code, undeclared.json()["code"]) == (
            422,
            "details-not-accepted",
        )
        sent = {**sent, "declares_no_interest": True}
    decided = good(people["panel member"].post(f"{at}/{step}", sent, version=version))

    assert decided["state"] == state
    assert decided["decisions"][-1]["made_by"] == "panel"
    declared = "declared" if step == "declare-interest" else "none"
    assert decided["decisions"][-1]["interest"] == declared
    own = good(people["clinician"].get(at))
    assert [each | {"findings": []} for each in own["decisions"]] == [
        each | {"findings": []} for each in decided["decisions"]
    ]
    # The panel is not told who the patient is, nor the birth date that a finding looked at; of
    # all else it sees what the clinician sees.
    hidden = {"details", "decisions"}
    assert {k: v for k, v in own.items() if k not in hidden} == {
        k: v for k, v in decided.items() if k not in hidden
    }
    assert decided["details"] == own["details"] | {"local_id": "[hidden]"}


def test_a_panel_waives_only_what_the_policy_lets_it(people: Mapping[str, Api]) -> None:
    form = answering(initiation(), screened=False)
    body = good(people["clinician"].post("/v1/requests", form), 201)

    reply = people["commissioner"].post(
        f"/v1/requests/{body['id']}/panel-approve",
        {**REASON, "waived": ["ADA-3"]},
        version=body["version"],
    )

    assert (reply.status_code, reply.json()["code"]) == (409, "not-waivable")


def test_a_failure_that_cannot_be_waived_is_not_escalated_but_can_be_funded(
    people: Mapping[str, Api],
) -> None:
    form = answering(initiation(), das28_at_start="5.1")
    body = good(people["clinician"].post("/v1/requests", form), 201)
    at, version = f"/v1/requests/{body['id']}", body["version"]

    assert "panel" not in body["next"], "it is not told to do what cannot be done"
    refused = people["clinician"].post(f"{at}/escalate", REASON, version=version)
    assert (refused.status_code, refused.json()["code"]) == (409, "step-not-possible")

    funding = {
        "basis": "individual funding",
        "case_reference": "IFR-1",
        "from_day": "2026-06-15",
        "terms": "Until review.",
        "reason": "Exceptional.",
    }
    funded = good(people["commissioner"].post(f"{at}/fund", funding, version=version))
    assert funded["approval"]["covers_to"] is None


@pytest.mark.parametrize(
    ("who", "step", "sent"), [("clinician", "escalate", REASON), ("pharmacist", "authorise", None)]
)
def test_a_request_without_a_decision_takes_no_step_that_looks_at_one(
    people: Mapping[str, Api], who: str, step: str, sent: object
) -> None:
    clinician = people["clinician"]
    body = good(clinician.post("/v1/requests", initiation()), 201)
    moving = transfer(clinician, f"/v1/treatments/{body['treatment_id']}")

    at = f"/v1/requests/{moving['id']}/{step}"
    refused = people[who].post(at, sent, version=moving["version"])

    assert (refused.status_code, refused.json()["code"]) == (409, "step-not-possible")


def test_a_refused_transfer_leaves_the_treatment_where_it_is(people: Mapping[str, Api]) -> None:
    clinician, other = people["clinician"], people["other clinician"]
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/treatments/{body['treatment_id']}"
    moving = transfer(clinician, at)

    refused = good(
        other.post(f"/v1/requests/{moving['id']}/refuse-consent", REASON, version=moving["version"])
    )

    assert refused["state"] == "declined"
    assert good(clinician.get(at))["provider"] == "DEMO1"
    assert other.get(at).status_code == 404


def test_a_hospital_that_handed_a_treatment_over_sees_its_own_part_only(
    people: Mapping[str, Api], clock: Clock
) -> None:
    clinician, other = people["clinician"], people["other clinician"]
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/treatments/{body['treatment_id']}"
    moving = transfer(clinician, at)
    good(other.post(f"/v1/requests/{moving['id']}/consent", version=moving["version"]))
    told, cursor = follow(clinician, None, moving["id"])
    assert told[-1]["request_id"] == moving["id"]
    clock.on("2026-12-01")

    second = good(other.post(f"{at}/requests", continuation("2026-12-01")), 201)

    assert second["approval"] is not None, second
    reference = second["approval"]["reference"]
    assert other.get(f"/v1/approvals/{reference}").status_code == 200
    assert clinician.get(f"/v1/approvals/{reference}").status_code == 404
    assert clinician.get(f"/v1/approvals/{body['approval']['reference']}").status_code == 200
    assert clinician.get(f"/v1/requests/{second['id']}").status_code == 404
    heard, _ = follow(other, cursor, second["id"])
    assert {change["request_id"] for change in heard} >= {second["id"]}
    overheard = good(clinician.get("/v1/changes", after=cursor))["changes"]
    assert second["id"] not in {change["request_id"] for change in overheard}
    assert reference not in clinician.get(at).text


def test_a_request_entered_in_error_is_confirmed_by_its_commissioner(
    people: Mapping[str, Api],
) -> None:
    clinician, commissioner = people["clinician"], people["commissioner"]
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/requests/{body['id']}"
    mistaken = good(clinician.post(f"{at}/enter-in-error", REASON, version=body["version"]))
    assert mistaken["state"] == "entered in error"
    seen = good(commissioner.get(at))["decisions"][-1]  # who resolves it reads why
    assert (seen["made_by"], seen["outcome"], seen["reason"]) == (
        "provider",
        "entered in error",
        REASON["reason"],
    )
    approval = mistaken["approval"]
    query = f"/v1/approvals/{approval['reference']}"
    assert clinician.post(f"{query}/uphold", REASON, version=approval["version"]).status_code == 403
    stale = commissioner.post(f"{query}/uphold", REASON, version=approval["version"] - 1)
    assert stale.status_code == 412
    assert commissioner.post(f"{query}/uphold", REASON).status_code == 428

    reply = commissioner.post(f"{query}/confirm-error", REASON, version=approval["version"])

    assert good(reply)["state"] == "entered in error"
    assert reply.headers["ETag"] == f'W/"{approval["version"] + 1}"'
    assert good(clinician.get(f"/v1/treatments/{body['treatment_id']}"))["segments"] == []


def test_an_approval_under_query_is_upheld_and_covers_as_before(
    people: Mapping[str, Api],
) -> None:
    body = good(people["clinician"].post("/v1/requests", initiation()), 201)
    correction = {"answers": {"das28_at_start": "4.9"}, **REASON}
    at = f"/v1/requests/{body['id']}/correct"
    corrected = good(people["clinician"].post(at, correction, version=body["version"]))
    approval = corrected["approval"]

    upheld = good(
        people["commissioner"].post(
            f"/v1/approvals/{approval['reference']}/uphold", REASON, version=approval["version"]
        )
    )

    assert (upheld["state"], upheld["covers_to"]) == ("live", approval["covers_to"])


def transfer(
    api: Api, treatment: str, to: str = "DEMO2", day: str = "2026-06-15"
) -> dict[str, object]:
    """Ask another hospital to take a treatment over."""
    form = {
        "kind": "transfer",
        "decision_to_treat": "2026-06-15",
        "details": {"to_provider": to, "from_day": day},
    }
    return dict(good(api.post(f"{treatment}/requests", form), 201))


def ask(people: Mapping[str, Api], policy: str, answers: dict[str, object]) -> dict[str, object]:
    form = initiation() | {"policy": policy, "answers": answers, "details": {}}
    return good(people["clinician"].post("/v1/requests", form), 201)


def test_a_request_that_waits_for_a_panel_says_by_when_it_answers(
    people: Mapping[str, Api],
) -> None:
    row = {"fixed_beforehand": True, "meaningful": True}
    measures = [{"measure": name, **row} for name in ("mrc_sum", "grip", "onls")]
    answers = {
        "outcome_measures": measures,
        "height_cm": {"value": 165, "unit": "cm"},
        "weight_kg": {"value": 60, "unit": "kg"},
        "dose_g": {"value": 120, "unit": "g"},
    }
    body = ask(people, "immunoglobulin-cidp-long", answers)
    assert (body["state"], body["panel_status"]) == ("referred", "panel")
    assert body["panel_answer_by"] == "2026-06-22"  # five working days after Monday the 15th
    assert "by 22 June 2026" in str(body["next"])


def test_an_external_authority_is_named(people: Mapping[str, Api]) -> None:
    answers = {
        "exposed": True,
        "days_since_exposure": {"value": 3, "unit": "days"},
        "with_vaccine": True,
        "chronic_liver_disease": True,
        "dose_mg": {"value": 1000, "unit": "mg"},
    }
    body = ask(people, "immunoglobulin-hepatitis-a", answers)
    assert (body["state"], body["panel_status"]) == ("referred", "external_authority")
    assert str(body["next"]).startswith("UK Health Security Agency decides")
    assert body["panel_answer_by"] is None


@pytest.mark.parametrize(
    ("policy", "status", "says"),
    [
        ("immunoglobulin-als", "ineffective", "should not normally be sought"),
        ("immunoglobulin-poems", "ifr_only", "ask the commissioner for an individual funding"),
    ],
)
def test_what_is_not_commissioned_says_whether_funding_may_be_sought(
    people: Mapping[str, Api], policy: str, status: str, says: str
) -> None:
    body = ask(people, policy, {"individual_funding_agreed": False})
    assert (body["state"], body["panel_status"]) == ("criteria not met", status)
    assert says in str(body["next"])


def test_a_commissioner_declines_to_fund_what_was_asked_outside_the_policy(
    people: Mapping[str, Api],
) -> None:
    asked = initiation(1, route="individual funding")
    made = good(people["clinician"].post("/v1/requests", asked), 201)
    at, why = f"/v1/requests/{made['id']}/refuse-funding", {"reason": "Others are not funded."}
    stale = people["commissioner"].post(at, why, version=made["version"] + 1)
    assert stale.status_code == 412, stale.text

    declined = good(people["commissioner"].post(at, why, version=made["version"]))

    assert declined["state"] == "declined"
    assert declined["approval"] is None
    again = people["commissioner"].post(at, why, version=declined["version"])
    assert again.status_code == 409
    policys = good(people["clinician"].post("/v1/requests", initiation(2)), 201)
    there = f"/v1/requests/{policys['id']}/refuse-funding"
    assert people["commissioner"].post(there, why, version=policys["version"]).status_code == 409


@pytest.mark.parametrize("doses", ["paid", "not paid"])
def test_refusing_to_fund_an_urgent_start_says_what_becomes_of_doses_given(
    people: Mapping[str, Api], clock: Clock, doses: str
) -> None:
    form = urgent_form(71_001, clock.instant.date()) | {"route": "individual funding"}
    made = good(people["clinician"].post("/v1/requests", form), 201)
    assert made["doses_given_since"] == form["first_dose"]
    at, why = f"/v1/requests/{made['id']}/refuse-funding", {"reason": "Others are not funded."}
    payer, version = people["commissioner"], made["version"]
    silent = payer.post(at, why, version=version)
    assert (silent.status_code, silent.json()["code"]) == (422, "details-not-accepted")
    assert "whether they are paid for" in silent.json()["detail"]
    said = why | {"doses_given": doses}
    other = people["other commissioner"].post(at, said, version=version)
    assert other.status_code == 404

    done = good(payer.post(at, said, version=version))

    assert (done["state"], done["approval"]) == ("declined", None)
    assert done["overturned"]["paid"] is (doses == "paid")
    assert bool(done["overturned"]["reference"]) is (doses == "paid")
    assert done["decisions"][-1]["made_by"] == "commissioner"
    assert "The commissioner overturned the urgent start" in done["next"]
