"""The patterns of approval over HTTP, with the packaged policies that use them."""

from collections.abc import Callable, Mapping
from typing import Any

from app.approvals.office import PHARMACIST_AUTHORISATION
from tests.functional.approvals.api import Api, Clock, continuation, good, initiation

CLADRIBINE = {
    "ms_course": "rrms",
    "specialist_diagnosis": True,
    "clinical_activity": True,
    "imaging_activity": False,
    "high_efficacy_dmt_would_be_offered": True,
    "edss": "3.5",
    "mdt_neurologist": True,
    "mdt_nurse": True,
    "contraindicated": False,
    "pregnant": False,
    "course_dose_mg": {"value": "245", "unit": "mg"},
    "weight_kg": {"value": "70.0", "unit": "kg"},
}
CLADRIBINE_REVIEW = {
    "relapses": [],
    "edss": "4.0",
    "course_dose_mg": {"value": "245", "unit": "mg"},
    "weight_kg": {"value": "70.0", "unit": "kg"},
    "relapses_fewer": True,
    "relapses_milder": True,
    "intolerable_effects": False,
    "spms_confirmed": False,
}
CROHNS = {
    "crohns_disease": True,
    "relapse_after_stopping": False,
    "very_poor_health": True,
    "weight_loss": True,
    "fever": False,
    "severe_abdominal_pain": False,
    "loose_stools_per_day": 6,
    "severity_score": "cdai",
    "cdai": 320,
    "conventional_result": "no_response",
    "least_expensive": True,
    "experienced_clinician": True,
}
GOLIMUMAB = {
    "ra_diagnosis": True,
    "das28_at_start": {"value": "6.0"},
    "csdmards": [
        {"drug": name, "in_combination": True, "responded": False, "tolerated": True}
        for name in ("methotrexate", "other")
    ],
    "with_methotrexate": True,
    "least_expensive": True,
}
PSORIASIS = {
    "plaque_psoriasis": True,
    "pasi_at_start": "20",
    "ciclosporin_result": "not_tried",
    "methotrexate_result": "no_response",
    "phototherapy_result": "not_tried",
    "other_systemic_failed": False,
    "least_expensive": True,
}


def asked(api: Api, policy: str, answers: Mapping[str, Any], **changes: Any) -> Any:
    return good(
        api.post("/v1/requests", initiation(policy=policy, answers=dict(answers), **changes)), 201
    )


def follow_up(api: Api, treatment: str, body: Mapping[str, Any]) -> Any:
    return good(api.post(f"/v1/treatments/{treatment}/requests", body), 201)


def covered(api: Api, treatment: str, kind: str = "coverage") -> list[tuple[str, str]]:
    segments = good(api.get(f"/v1/treatments/{treatment}"))["segments"]
    return [(s["from_day"], s["to_day"]) for s in segments if s["kind"] == kind]


def test_a_second_course_of_cladribine_has_its_window_and_a_third_is_for_the_panel(
    clinician: Api, clock: Clock
) -> None:
    first = asked(clinician, "cladribine-rrms", CLADRIBINE)
    assert first["state"] == "approved", first["decisions"]
    treatment = first["treatment_id"]
    clock.on("2027-05-01")
    review = CLADRIBINE_REVIEW | {"last_review_on": "2027-04-20"}
    second = follow_up(clinician, treatment, continuation("2027-05-01", answers=review))
    assert second["state"] == "approved", second["decisions"]
    assert covered(clinician, treatment) == [
        ("2026-06-15", "2027-06-14"),
        ("2027-06-15", "2028-06-14"),
    ]
    clock.on("2028-05-01")
    review = CLADRIBINE_REVIEW | {"last_review_on": "2028-04-20"}
    third = follow_up(clinician, treatment, continuation("2028-05-01", answers=review))
    assert third["state"] == "referred"
    assert "funds 2 courses" in third["decisions"][-1]["reasons"][-1]
    assert third["approval"] is None


def test_a_higher_dose_needs_its_ground_and_the_approval_shows_its_phases(
    clinician: Api, clock: Clock
) -> None:
    first = asked(clinician, "adalimumab-crohns-severe", CROHNS)
    assert first["state"] == "approved", first["decisions"]
    shown = good(clinician.get(f"/v1/approvals/{first['approval']['reference']}"))
    assert [(p["from_day"], p["to_day"], p["max_dose"]["amount"]) for p in shown["phases"]] == [
        ("2026-06-15", "2026-07-12", "160"),
        ("2026-07-13", None, "40"),
    ]
    clock.on("2026-10-01")
    dose = {"amount": "80", "unit": "mg", "every_days": 14}
    higher = {"dose": dose, "from_day": "2026-10-01"}
    change = {"kind": "dose change", "decision_to_treat": "2026-10-01", "details": higher}
    refused = follow_up(clinician, first["treatment_id"], change)
    assert refused["state"] == "referred"
    at = f"/v1/requests/{refused['id']}/withdraw"
    good(clinician.post(at, {"reason": "No ground given."}, version=refused["version"]))
    change["details"] = higher | {"dose_ground": "lost_response"}
    assert follow_up(clinician, first["treatment_id"], change)["state"] == "approved"


def test_of_a_barred_drug_at_another_provider_no_more_is_told_than_that_it_exists(
    people: Mapping[str, Api],
) -> None:
    good(people["other clinician"].post("/v1/requests", initiation()), 201)
    view = asked(people["clinician"], "golimumab-ra-severe", GOLIMUMAB)
    assert view["state"] == "referred"
    told = " ".join(view["decisions"][-1]["reasons"])
    assert "exists at another provider" in told
    assert "adalimumab" not in str(view)
    assert "DEMO2" not in str(view)


def test_a_dry_run_says_which_approval_a_switch_would_end(clinician: Api) -> None:
    own = good(clinician.post("/v1/requests", initiation()), 201)
    form = initiation(policy="golimumab-ra-severe", answers=dict(GOLIMUMAB))
    without = good(clinician.post("/v1/checks", form))
    assert (without["outcome"], without["ends"]) == ("referred", [])
    form["details"] = {"switching_from": "adalimumab"}
    run = good(clinician.post("/v1/checks", form))
    assert run["outcome"] == "approved"
    assert run["ends"] == ["Your approval for Adalimumab would end with 14 June 2026."]
    assert good(clinician.post("/v1/requests", form), 201)["state"] == "approved"
    reference = own["approval"]["reference"]
    assert good(clinician.get(f"/v1/approvals/{reference}"))["state"] == "ended"


def test_a_bar_that_came_after_the_decision_is_seen_at_authorisation(
    people: Mapping[str, Api], change: Callable[[str, str, Any], None]
) -> None:
    change("DEMO1", PHARMACIST_AUTHORISATION, True)
    waiting = asked(people["clinician"], "golimumab-ra-severe", GOLIMUMAB)
    assert waiting["state"] == "awaiting authorisation"
    good(people["other clinician"].post("/v1/requests", initiation()), 201)
    at = f"/v1/requests/{waiting['id']}"
    reply = people["pharmacist"].post(f"{at}/authorise", version=waiting["version"])
    assert reply.status_code == 409, reply.text
    assert "exists at another provider" in reply.json()["detail"]
    assert "adalimumab" not in reply.text
    returned = good(
        people["pharmacist"].post(
            f"{at}/refuse-authorisation",
            {"reason": "Another approval exists."},
            version=waiting["version"],
        )
    )
    amended = people["clinician"].post(f"{at}/amend", {"answers": {}}, version=returned["version"])
    assert good(amended)["state"] == "referred"


def test_a_child_goes_on_under_the_policy_for_adults_at_18(clinician: Api, clock: Clock) -> None:
    form = initiation(policy="adalimumab-psoriasis-child", answers=dict(PSORIASIS))
    form["patient"]["birth_date"] = "2008-08-01"
    first = good(clinician.post("/v1/requests", form), 201)
    assert first["state"] == "approved", first["decisions"]
    review = {"pasi_now": "4", "intolerable_effects": False}
    treatment = first["treatment_id"]
    clock.on("2026-07-20")
    moving = {"policy": "adalimumab-psoriasis", "answers": review}
    early = follow_up(clinician, treatment, continuation("2026-07-20", **moving))
    assert early["state"] == "criteria not met"
    clock.on("2026-08-01")
    grown = follow_up(clinician, treatment, continuation("2026-08-01", **moving))
    assert grown["state"] == "approved", grown["decisions"]
    assert grown["answers"]["pasi_at_start"]["origin"] == "carried forward"
    assert good(clinician.get(f"/v1/treatments/{treatment}"))["policy"] == "adalimumab-psoriasis"
    assert covered(clinician, treatment) == [
        ("2026-06-15", "2026-07-31"),
        ("2026-08-01", "2027-07-31"),
    ]


def test_a_treatment_begun_free_of_charge_is_judged_on_the_findings_before_it(
    clinician: Api,
) -> None:
    begun = {"started_under": "free of charge", "started_on": "2026-01-05"}
    view = good(clinician.post("/v1/requests", initiation(details=begun)), 201)
    assert view["state"] == "approved", view["decisions"]
    treatment = view["treatment_id"]
    assert covered(clinician, treatment) == [("2026-06-15", "2026-12-14")]
    assert covered(clinician, treatment, "elsewhere") == [("2026-01-05", "2026-06-14")]


def test_products_taken_instead_of_the_best_value_ones_are_reported_with_their_reasons(
    clinician: Api, people: Mapping[str, Api]
) -> None:
    details = {"product": "enbrel", "product_reason": "device"}
    found = asked(clinician, "etanercept-ra-severe", GOLIMUMAB, details=details)

    query = "from=2026-01-01&to=2026-12-31"
    report = good(people["commissioner"].get(f"/v1/reports/best-value?{query}"))

    assert report["rows"] == [
        {
            "policy": "etanercept-ra-severe",
            "provider": "DEMO1",
            "product": "enbrel",
            "best_value": False,
            "first": ["benepali", "erelzi"],
            "reason": "device",
            "said": "The device of another product cannot be used by this patient",
            "requests": 1,
            "approved": int(found["state"] == "approved"),
        }
    ]
