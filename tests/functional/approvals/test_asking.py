"""Asking before and after: checks, needs, existence, searches, the trail, the feed, patients."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.functional.approvals.api import (
    Api,
    Clock,
    answering,
    continuation,
    follow,
    good,
    initiation,
    without,
)
from tests.functional.approvals.scene import IMPORT_ROW, table, upload

Rows = Callable[[], dict[str, int]]
OWN = {"treatment", "request", "decision", "approval", "patient", "segment", "live_treatment"}


# --- dry runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "outcome", "missing"),
    [
        (initiation(), "approved", []),
        (answering(initiation(), das28_at_start="5.1"), "criteria not met", []),
        (answering(initiation(), screened=False), "referred", []),
        (without(initiation(), "screened"), "more information needed", ["screened"]),
    ],
)
def test_a_check_gives_the_decision_and_stores_no_form(
    clinician: Api, rows: Rows, form: dict[str, Any], outcome: str, missing: list[str]
) -> None:
    before = rows()

    body = good(clinician.post("/v1/checks", form))

    assert body["outcome"] == outcome
    assert [question["name"] for question in body["missing"]] == missing
    assert {f["criterion"] for f in body["findings"]} >= {"ADA-1", "ADA-9"}
    after = rows()
    assert after["audit_event"] == before["audit_event"] + 1
    assert {name: after[name] for name in OWN} == {name: before[name] for name in OWN}
    assert good(clinician.post("/v1/requests", form), 201)["decisions"][0]["outcome"] == outcome


def test_a_check_tells_of_a_live_approval_and_nothing_more(people: Mapping[str, Api]) -> None:
    held = good(people["clinician"].post("/v1/requests", initiation()), 201)
    form = initiation()
    form["patient"].pop("local_id")

    reply = people["other clinician"].post("/v1/checks", form)

    assert "another provider" in good(reply)["already_approved"]
    for secret in (held["id"], held["treatment_id"], held["approval"]["reference"], "DEMO1"):
        assert secret not in reply.text


def test_a_continuation_is_checked_on_what_is_on_record(clinician: Api, clock: Clock) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)
    at = f"/v1/treatments/{body['treatment_id']}"
    clock.on("2026-12-01")

    checked = good(clinician.post(f"{at}/checks", continuation("2026-12-01")))

    assert (checked["outcome"], checked["kind"]) == ("approved", "continuation")
    assert len(good(clinician.get(at))["requests"]) == 1


def test_a_check_against_another_birth_date_is_a_conflict(clinician: Api) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)
    form = continuation("2026-06-15", birth_date="1971-01-01")

    reply = clinician.post(f"/v1/treatments/{body['treatment_id']}/checks", form)

    assert (reply.status_code, reply.json()["code"]) == (409, "patient-contradiction")


def test_a_check_of_a_change_without_criteria_is_refused(clinician: Api) -> None:
    body = good(clinician.post("/v1/requests", initiation()), 201)
    form = {"kind": "pause", "decision_to_treat": "2026-06-15"}

    reply = clinician.post(f"/v1/treatments/{body['treatment_id']}/checks", form)

    assert (reply.status_code, reply.json()["errors"][0]["where"]) == (422, "kind")


# --- is approval needed, is there one -----------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "required", "policies"),
    [
        ({"drug": "adalimumab"}, "yes", ["adalimumab-ra-severe"]),
        ({"drug": "adalimumab", "on": "2000-01-01"}, "not known", []),
        ({"drug": "paracetamol"}, "not known", []),
        ({"drug": "adalimumab", "commissioner": "DEMQ1"}, "yes", ["adalimumab-ra-severe"]),
        ({"drug": "adalimumab", "commissioner": "DEMQ2"}, "no", ["adalimumab-ra-severe"]),
        ({"drug": "paracetamol", "commissioner": "DEMQ2"}, "no", []),
    ],
)
def test_whether_approval_is_needed_is_yes_no_or_not_known(
    clinician: Api,
    change: Callable[[str, str, Any], None],
    query: dict[str, str],
    required: str,
    policies: list[str],
) -> None:
    change("DEMQ2", "approval_not_required", ["adalimumab", "paracetamol"])

    body = good(clinician.get("/v1/approval-needs", **query))

    assert body["required"] == required
    listed = [policy["policy"] for policy in body["policies"]]
    assert all(policy in listed for policy in policies)
    assert all(policy.startswith(query["drug"]) for policy in listed)
    assert bool(listed) == bool(policies)
    assert body["reason"]


def existence(**changes: str) -> dict[str, Any]:
    form = initiation()["patient"]
    return {
        "nhs_number": form["nhs_number"],
        "birth_date": form["birth_date"],
        "drug": "adalimumab",
        "indication": "ra",
        "care_reason": "Seen in our clinic.",
        **changes,
    }


@pytest.mark.parametrize(
    ("who", "changes", "exists", "own"),
    [
        ("clinician", {}, True, True),
        ("other clinician", {}, True, False),
        ("other clinician", {"birth_date": "1970-01-02"}, False, False),
        ("other clinician", {"drug": "natalizumab"}, False, False),
    ],
)
def test_that_an_approval_exists_is_told_to_who_declares_care(
    people: Mapping[str, Api],
    rows: Rows,
    who: str,
    changes: dict[str, str],
    exists: bool,
    own: bool,
) -> None:
    good(people["clinician"].post("/v1/requests", initiation()), 201)
    before = rows()

    body = good(people[who].post("/v1/approval-existence", existence(**changes)))

    assert (body["exists"], body["own"]) == (exists, own)
    assert set(body) == {"exists", "own", "advice"}
    declared = rows()["care_declaration"] - before["care_declaration"]
    assert declared == (0 if "birth_date" in changes else 1)
    assert rows()["audit_event"] > before["audit_event"]


# --- searches -----------------------------------------------------------------------------------


def test_a_search_finds_by_each_part_and_pages_without_a_gap(clinician: Api) -> None:
    made = [good(clinician.post("/v1/requests", initiation(n)), 201) for n in (1, 2, 3)]
    number = initiation(2)["patient"]["nhs_number"]

    def found(**query: Any) -> list[str]:
        body = good(clinician.post("/v1/searches", query))
        return [hit["treatment"]["id"] for hit in body["hits"]]

    second = [made[1]["treatment_id"]]
    assert found(nhs_number=number) == second
    assert found(nhs_number=f"{number[:3]} {number[3:6]} {number[6:]}") == second
    assert found(local_id="H000002") == second
    everything = sorted(one["treatment_id"] for one in made)
    assert found(drug="adalimumab", provider="DEMO1") == everything
    assert found(approval_state="live", review_due_by="2026-12-14") == everything
    assert found(review_due_by="2026-12-13") == []
    assert found(request_state="referred") == []
    paged: list[str] = []
    after = None
    for _ in range(3):
        page = good(clinician.post("/v1/searches", {"limit": 1, "after": after}))
        paged += [hit["treatment"]["id"] for hit in page["hits"]]
        after = page["next"]
    assert (paged, after) == (everything, None)


def test_each_search_is_audited_and_looks_again(clinician: Api, rows: Rows) -> None:
    request_id = str(uuid.uuid4())
    before = rows()
    assert good(clinician.post("/v1/searches", {}, request_id=request_id))["hits"] == []
    good(clinician.post("/v1/requests", initiation()), 201)

    again = good(clinician.post("/v1/searches", {}, request_id=request_id))

    assert len(again["hits"]) == 1
    assert again["hits"][0]["covered_to"] == "2026-12-14"
    assert len(again["hits"][0]["references"]) == 1
    assert rows()["idempotent_answer"] == before["idempotent_answer"] + 1, "the form's only"


def test_an_nhs_number_that_cannot_exist_is_not_searched_for(clinician: Api) -> None:
    reply = clinician.post("/v1/searches", {"nhs_number": "9990000011"})

    assert (reply.status_code, reply.json()["errors"][0]["where"]) == (422, "nhs_number")


# --- the trail and the feed ---------------------------------------------------------------------


def test_the_trail_of_a_request_shows_each_step_with_its_actor(people: Mapping[str, Api]) -> None:
    body = good(people["clinician"].post("/v1/requests", initiation()), 201)

    trail = good(people["auditor"].get(f"/v1/requests/{body['id']}/audit"))["entries"]

    assert [entry["action"] for entry in trail] == [
        "initiation submitted",
        "decision: approved",
        "request: submit",
        "approval issued",
    ]
    assert {entry["actor"]["organisation"] for entry in trail} == {"DEMO1"}
    assert trail[-1]["after"]["reference"] == body["approval"]["reference"]
    assert all(entry["policy_hash"] for entry in trail)


def test_the_feed_tells_each_change_once_and_no_searches(people: Mapping[str, Api]) -> None:
    clinician, commissioner = people["clinician"], people["commissioner"]
    first = good(clinician.post("/v1/requests", initiation(1)), 201)
    good(clinician.post("/v1/searches", {}))
    good(clinician.post("/v1/checks", initiation(2)))
    second = good(clinician.post("/v1/requests", initiation(2)), 201)

    seen, cursor = follow(commissioner, None, first["id"], second["id"], limit=3)

    keys = [(c["object_type"], c["object_id"], c["object_number"]) for c in seen]
    assert len(keys) == len(set(keys))
    assert {c["action"] for c in seen} == {
        "treatment opened",
        "initiation submitted",
        "decision: approved",
        "request: submit",
        "approval issued",
    }
    assert {c["request_id"] for c in seen} - {None} == {first["id"], second["id"]}
    assert good(commissioner.get("/v1/changes", after=cursor))["changes"] == []
    third = good(clinician.post("/v1/requests", initiation(3)), 201)
    later, _ = follow(commissioner, cursor, third["id"])
    assert {c["treatment_id"] for c in later} == {third["treatment_id"]}


# --- patients -----------------------------------------------------------------------------------


def test_identifiers_are_shown_to_the_care_team_only(people: Mapping[str, Api]) -> None:
    body = good(people["clinician"].post("/v1/requests", initiation()), 201)
    at = f"/v1/treatments/{body['treatment_id']}"

    team = good(people["pharmacist"].get(at))["patient"]
    payer = good(people["commissioner"].get(at))["patient"]

    assert team["nhs_number"].replace(" ", "") == initiation()["patient"]["nhs_number"]
    assert (team["local_id"], team["birth_date"]) == ("H000001", "1970-01-01")
    assert (payer["nhs_number"], payer["local_id"], payer["birth_date"]) == (None, None, None)
    assert (payer["id"], team["pseudonym"]) == (None, None)
    assert payer["pseudonym"] is not None


def test_two_records_of_one_person_are_linked_and_unlinked(clinician: Api) -> None:
    known = good(clinician.post("/v1/requests", initiation(1)), 201)
    nameless = initiation(2)
    nameless["patient"] |= {"nhs_number": None, "no_nhs_number_reason": "unregistered"}
    nameless = answering(nameless, das28_at_start="2.0")
    unknown = good(clinician.post("/v1/requests", nameless), 201)

    def patient_of(body: dict[str, Any]) -> str:
        return str(good(clinician.get(f"/v1/treatments/{body['treatment_id']}"))["patient"]["id"])

    first, second = patient_of(unknown), patient_of(known)
    link = {"to": second, "reason": "The NHS number was traced."}
    linked = good(clinician.post(f"/v1/patients/{first}/links", link))
    assert linked["linked_to"] == second
    again = clinician.post(f"/v1/patients/{first}/links", link)
    assert (again.status_code, again.json()["code"]) == (409, "link-not-possible")
    hits = good(
        clinician.post("/v1/searches", {"nhs_number": initiation(1)["patient"]["nhs_number"]})
    )
    assert len(hits["hits"]) == 2
    unlinked = good(clinician.post(f"/v1/patients/{first}/unlink", {"reason": "Twins."}))
    assert unlinked["linked_to"] is None


# --- imports ------------------------------------------------------------------------------------


def test_an_import_is_previewed_accepted_once_and_continued(
    people: Mapping[str, Api], rows: Rows
) -> None:
    pharmacist = people["pharmacist"]
    before = rows()

    reply = upload(pharmacist, "/v1/imports", table(IMPORT_ROW))

    preview = good(reply, 201)
    at = reply.headers["Location"]
    assert at == f"/v1/imports/{preview['id']}"
    assert (preview["state"], preview["new"], preview["rejected"]) == ("previewed", 1, 0), preview
    assert IMPORT_ROW["NHS No"] not in reply.text
    assert rows()["approval"] == before["approval"]
    assert good(pharmacist.get(at)) == preview

    accepted = good(pharmacist.post(f"{at}/accept"))
    assert (accepted["state"], accepted["accepted"]) == ("accepted", 1)
    (row,) = accepted["rows"]
    assert row["legacy_reference"] == "BLQ-1"
    assert good(pharmacist.post(f"{at}/accept")) == accepted
    assert rows()["approval"] == before["approval"] + 1

    approval = good(people["clinician"].get(f"/v1/approvals/{row['reference']}"))
    assert (approval["basis"], approval["proved"]) == ("imported", False)
    assert approval["legacy_reference"] == "BLQ-1"
    treatment = good(people["clinician"].get(f"/v1/treatments/{row['treatment_id']}"))
    assert treatment["approvals"][0] == approval
    refused = pharmacist.post(f"{at}/discard")
    assert (refused.status_code, refused.json()["code"]) == (409, "step-not-possible")


def test_a_preview_can_be_discarded(people: Mapping[str, Api], rows: Rows) -> None:
    pharmacist = people["pharmacist"]
    preview = good(upload(pharmacist, "/v1/imports", table(IMPORT_ROW)), 201)

    gone = good(pharmacist.post(f"/v1/imports/{preview['id']}/discard"))

    assert gone["state"] == "discarded"
    assert pharmacist.post(f"/v1/imports/{preview['id']}/accept").status_code == 409
    assert rows()["approval"] == 0


FILES = {
    "an empty body": (b"", "text/csv", 400, "bad-request"),
    "JSON": (b"{}", "application/json", 415, "wrong-media-type"),
    "no header row": (b"a,b\n1,2\n", "text/csv", 422, "import-not-accepted"),
    "a spreadsheet": (b"PK\x03\x04 and the rest", "text/csv", 422, "import-not-accepted"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_export_is_refused(
    people: Mapping[str, Api], rows: Rows, case: str
) -> None:
    content, media_type, status, code = FILES[case]
    before = rows()

    reply = people["pharmacist"].post(
        "/v1/imports?file_name=file.csv", content, **{"Content-Type": media_type}
    )

    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert rows() == before


def test_a_row_that_cannot_be_read_is_rejected_with_its_column(people: Mapping[str, Api]) -> None:
    broken = table({**IMPORT_ROW, "NHS No": "9990000011"})

    body = good(upload(people["pharmacist"], "/v1/imports", broken), 201)

    (row,) = body["rows"]
    assert (row["verdict"], body["rejected"]) == ("rejected", 1)
    assert row["faults"][0]["column"]
    assert "9990000011" not in str(body)
