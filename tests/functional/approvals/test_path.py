"""The whole path of a treatment over HTTP: form, question, answer, approval, review, end."""

from collections.abc import Mapping

from tests.functional.approvals.api import (
    Api,
    Clock,
    answering,
    continuation,
    good,
    initiation,
    without,
)


def test_from_a_form_with_a_gap_to_the_end_of_the_treatment(clinician: Api, clock: Clock) -> None:
    reply = clinician.post("/v1/requests", without(initiation(), "das28_at_start"))
    asked = good(reply, 201)
    assert asked["state"] == "more information needed"
    assert asked["missing"] == [
        {"name": "das28_at_start", "label": "DAS28 before adalimumab", "unit": None}
    ]
    assert asked["approval"] is None
    at = reply.headers["Location"]
    assert at == f"/v1/requests/{asked['id']}"
    assert reply.headers["ETag"] == f'W/"{asked["version"]}"'

    answers = {"answers": {"das28_at_start": "5.8"}}
    reply = clinician.post(f"{at}/amend", answers, version=asked["version"])
    approved = good(reply)
    assert approved["state"] == "approved"
    assert approved["missing"] == []
    assert [d["outcome"] for d in approved["decisions"]] == ["more information needed", "approved"]
    assert reply.headers["ETag"] == f'W/"{approved["version"]}"' != f'W/"{asked["version"]}"'
    assert good(clinician.get(at)) == approved

    reference = approved["approval"]["reference"]
    reply = clinician.get(f"/v1/approvals/{reference}")
    approval = good(reply)
    assert approval == approved["approval"]
    assert (approval["covers_from"], approval["covers_to"]) == ("2026-06-15", "2026-12-14")
    assert approval["policy"]["version"] == "2016-01-26.1"
    assert reply.headers["ETag"] == f'W/"{approval["version"]}"'

    treatment = f"/v1/treatments/{approved['treatment_id']}"
    clock.on("2026-12-01")
    reply = clinician.post(f"{treatment}/requests", continuation("2026-12-01"))
    second = good(reply, 201)
    assert second["state"] == "approved", second
    assert second["answers"]["das28_at_start"]["value"] == "5.8"
    assert second["answers"]["das28_at_start"]["origin"] == "carried forward"
    assert second["approval"]["covers_from"] == "2026-12-15"
    assert second["approval"]["reference"] != reference

    for first in (clinician.get(at), clinician.get(f"/v1/approvals/{reference}")):
        told = good(first)
        goes_on = told.get("approval", told)["next"]
        assert f"{second['approval']['reference']} covers from 15 December 2026." in goes_on
        assert "continuation" not in goes_on

    clock.on("2027-02-01")
    stop = {
        "kind": "stop",
        "decision_to_treat": "2027-02-01",
        "details": {"from_day": "2027-01-20", "stop_reason": "remission"},
    }
    stopped = good(clinician.post(f"{treatment}/requests", stop), 201)
    assert stopped["state"] == "recorded"
    seen = good(clinician.get(treatment))
    assert (seen["stopped_on"], seen["stop_reason"]) == ("2027-01-20", "remission")
    assert [r["kind"] for r in seen["requests"]] == ["initiation", "continuation", "stop"]
    assert [s["to_day"] for s in seen["segments"]] == ["2026-12-14", "2027-01-20"]
    assert {a["state"] for a in seen["approvals"]} == {"ended"}


def test_criteria_that_are_not_met_are_an_answer_and_no_error(clinician: Api) -> None:
    body = good(clinician.post("/v1/requests", answering(initiation(), das28_at_start="5.1")), 201)

    assert body["state"] == "criteria not met"
    assert body["approval"] is None
    (failed,) = [f for f in body["decisions"][-1]["findings"] if f["result"] == "not met"]
    assert failed["criterion"] == "ADA-3"
    assert failed["source"]["id"] == "ta375"
    assert failed["evidence"] == "verified"
    assert failed["part"]["looked_at"] == [
        {"name": "das28_at_start", "type": "number", "value": "5.1"}
    ]
    assert body["decisions"][-1]["reasons"]
    assert "decision of the clinician" in body["next"]


def test_a_draft_policy_is_marked_wherever_it_decides(clinician: Api) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)

    assert body["policy"]["draft"].startswith("Draft: check before clinical use")
    assert body["approval"]["policy"]["draft"] == body["policy"]["draft"]
    assert len(body["policy"]["hash"]) == 64


def test_a_first_dose_moves_the_clock(clinician: Api, clock: Clock) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/treatments/{body['treatment_id']}"
    version = good(clinician.get(at))["version"]
    clock.on("2026-07-01")

    reply = clinician.post(f"{at}/first-dose", {"first_dose": "2026-06-20"}, version=version)

    seen = good(reply)
    assert seen["first_dose"] == "2026-06-20"
    assert seen["approvals"][0]["covers_to"] == "2026-12-19"
    assert reply.headers["ETag"] == f'W/"{seen["version"]}"'
    assert "Record the first dose" in body["approval"]["next"]
    assert "Record the first dose" not in seen["approvals"][0]["next"]


def test_a_treatment_that_never_began_covers_nothing(clinician: Api) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/treatments/{body['treatment_id']}"
    version = good(clinician.get(at))["version"]

    seen = good(clinician.post(f"{at}/not-started", {"reason": "Moved away."}, version=version))

    assert seen["approvals"][0]["state"] == "never started"
    assert seen["segments"] == []


def test_a_wrong_answer_is_corrected_and_the_commissioner_resolves_the_query(
    people: Mapping[str, Api],
) -> None:
    clinician, commissioner = people["clinician"], people["commissioner"]
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/requests/{body['id']}"
    correction = {"answers": {"das28_at_start": "4.9"}, "reason": "Copied from another visit."}

    corrected = good(clinician.post(f"{at}/correct", correction, version=body["version"]))

    assert corrected["state"] == "approved"
    assert corrected["approval"]["state"] == "under query"
    assert "covers supplies as before" in corrected["approval"]["next"]
    reference = corrected["approval"]["reference"]
    version = corrected["approval"]["version"]
    reason = {"reason": "The score was too low."}
    query = f"/v1/approvals/{reference}"
    resolved = good(commissioner.post(f"{query}/withdraw", reason, version=version))
    assert resolved["state"] == "withdrawn"
    assert good(clinician.get(query)) == resolved
    seen = good(clinician.get(f"/v1/treatments/{body['treatment_id']}"))
    assert seen["segments"] == []


def test_a_referred_request_goes_to_the_commissioner_where_no_panel_is_named(
    people: Mapping[str, Api],
) -> None:
    body = good(
        people["clinician"].post("/v1/requests", answering(initiation(), screened=False)), 201
    )
    assert body["state"] == "referred"
    at = f"/v1/requests/{body['id']}"

    question = {"question": "When will the patient be screened?"}
    returned = good(
        people["commissioner"].post(f"{at}/panel-return", question, version=body["version"])
    )
    assert returned["state"] == "returned"
    assert returned["decisions"][-1]["reason"] == question["question"]
    amended = good(
        people["clinician"].post(
            f"{at}/amend", {"answers": {"screened": True}}, version=returned["version"]
        )
    )
    assert amended["state"] == "referred", "whoever asked hears the answer"
    approved = good(
        people["commissioner"].post(
            f"{at}/panel-approve", {"reason": "Agreed."}, version=amended["version"]
        )
    )
    assert approved["state"] == "approved"


def test_a_panel_approval_names_its_basis(people: Mapping[str, Api]) -> None:
    form = answering(initiation(), screened=False)
    body = good(people["clinician"].post("/v1/requests", form), 201)

    approved = good(
        people["commissioner"].post(
            f"/v1/requests/{body['id']}/panel-approve",
            {"reason": "Agreed."},
            version=body["version"],
        )
    )

    assert approved["approval"]["basis"] == "panel"


def test_individual_funding_is_recorded_with_its_terms(people: Mapping[str, Api]) -> None:
    form = initiation(route="individual funding")
    body = good(people["clinician"].post("/v1/requests", form), 201)
    assert body["state"] == "referred"
    funding = {
        "basis": "individual funding",
        "case_reference": "IFR-1",
        "from_day": "2026-06-15",
        "to_day": "2027-06-14",
        "terms": "A year.",
        "reason": "Exceptional.",
        "unit_price_cap": "316.93",
        "price_unit": "pen",
    }

    approved = good(
        people["commissioner"].post(
            f"/v1/requests/{body['id']}/fund", funding, version=body["version"]
        )
    )

    assert approved["approval"]["basis"] == "individual funding"
    assert approved["approval"]["covers_to"] == "2027-06-14"
    assert approved["approval"]["terms"]["unit_price_cap"] == "316.93"


def test_a_transfer_needs_the_consent_of_the_receiving_provider(
    people: Mapping[str, Api],
) -> None:
    clinician, other = people["clinician"], people["other clinician"]
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/treatments/{body['treatment_id']}"
    form = {
        "kind": "transfer",
        "decision_to_treat": "2026-06-15",
        "details": {"to_provider": "DEMO201", "from_day": "2026-07-01"},
    }
    moving = good(clinician.post(f"{at}/requests", form), 201)
    assert moving["state"] == "awaiting consent"
    assert moving["counterparty"] == "DEMO2", "a site stands for its trust"
    assert other.get(at).status_code == 200

    moved = good(other.post(f"/v1/requests/{moving['id']}/consent", version=moving["version"]))

    assert moved["state"] == "approved"
    assert good(other.get(at))["provider"] == "DEMO2"


def test_a_pause_and_a_resumption_are_recorded(clinician: Api, clock: Clock) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/treatments/{body['treatment_id']}"
    for kind, day in (("pause", "2026-07-01"), ("resume", "2026-07-20")):
        clock.on(day)
        form = {"kind": kind, "decision_to_treat": day, "details": {"from_day": day}}
        assert good(clinician.post(f"{at}/requests", form), 201)["state"] == "recorded"

    (pause,) = [s for s in good(clinician.get(at))["segments"] if s["kind"] == "pause"]

    assert (pause["from_day"], pause["to_day"]) == ("2026-07-01", "2026-07-19")


def test_a_switch_within_the_policy_is_approved_under_the_same_reference(
    clinician: Api,
) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/treatments/{body['treatment_id']}"
    form = {
        "kind": "switch",
        "decision_to_treat": "2026-06-15",
        "details": {"product": "imraldi", "from_day": "2026-06-20"},
    }

    switched = good(clinician.post(f"{at}/requests", form), 201)

    assert switched["state"] == "approved"
    assert "reference stays the same" in switched["next"]
    seen = good(clinician.get(at))
    assert [s["product"] for s in seen["segments"]] == [None, "imraldi"]
    assert len(seen["approvals"]) == 1
