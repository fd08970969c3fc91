"""The policy endpoints show what the library holds, and mark what has not been verified."""

import datetime as dt
import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.limits import Limits
from app.approvals.library import Library
from app.approvals.office import Office
from app.policy import Kind, load_policy, questions_for, readable

FILE = """
policy: examplumab-itch
title: Examplumab for itch
language: 1
drug: examplumab
indication: {key: itch, term: Itch, snomed: "418290006"}
commissioner: NHS England
mechanism: prior_approval
in_force: {from: DAY}
what_changed: First version.
sources:
  own: {title: "An invented example", url: https://example.org/itch, read_on: 2026-01-02}
questions:
  severe: {type: boolean, label: Is the itch severe?}
  weight_kg: {type: number, label: Body weight, unit: kg, minimum: 0.3, maximum: 400, decimals: 1}
  better: {type: boolean, label: Is the itch better?}
start:
  - id: ITCH-1
    text: The itch is severe and the patient weighs 40 kg or more
    met_when: severe AND weight_kg >= 40
    source: own
    evidence: EVIDENCE
continue:
  - id: ITCH-2
    text: The itch is better
    met_when: better
    source: own
    evidence: verified
stop: []
approval:
  pattern: rolling
  lasts: {months: 12}
  start_within: {days: 90}
  max_dose: {amount: "12.50", unit: mg, per: 28 days}
  interchangeable: true
  source: own
  evidence: verified
"""
OLD = load_policy(FILE.replace("DAY", "2020-01-01").replace("EVIDENCE", "unverified"), "old.yaml")
NEW = load_policy(FILE.replace("DAY", "2024-06-01").replace("EVIDENCE", "verified"), "new.yaml")
BASE = "/v1/policies/examplumab-itch"


@pytest.fixture(autouse=True)
def _library(application: FastAPI) -> None:
    application.state.office = Office(Library((NEW, OLD)), demonstration=True)


def test_the_list_shows_each_policy_as_its_newest_version_says(client: TestClient) -> None:
    (policy,) = client.get("/v1/policies").json()["policies"]

    assert policy["policy"] == "examplumab-itch"
    assert policy["indication"] == {"key": "itch", "term": "Itch", "snomed": "418290006"}
    assert (policy["newest_version"], policy["versions"]) == ("2024-06-01", 2)
    assert policy["draft"] is None


def test_a_policy_shows_its_versions_oldest_first_and_marks_drafts(client: TestClient) -> None:
    body = client.get(BASE).json()

    assert [v["version"] for v in body["versions"]] == ["2020-01-01", "2024-06-01"]
    assert [v["hash"] for v in body["versions"]] == [OLD.hash, NEW.hash]
    assert body["versions"][0]["in_force"]["from"] == "2020-01-01"
    assert body["versions"][0]["draft"].startswith("Draft: check before clinical use")
    assert body["versions"][1]["draft"] is None


def test_a_version_shows_criteria_with_their_sources_and_the_terms(client: TestClient) -> None:
    body = client.get(f"{BASE}/versions/2024-06-01").json()

    assert body["start"] == [
        {
            "id": "ITCH-1",
            "text": "The itch is severe and the patient weighs 40 kg or more",
            "met_when": NEW.start[0].met_when,
            "source": "own",
            "evidence": "verified",
            "on_failure": "not met",
            "waivable": False,
            "layer": "national",
            "override": None,
            "arms": [],
        }
    ]
    assert [criterion["id"] for criterion in body["continue"]] == ["ITCH-2"]
    assert body["stop"] == []
    assert body["sources"][0]["read_on"] == "2026-01-02"
    assert body["approval"]["lasts_months"] == 12
    assert body["approval"]["max_dose"] == {"amount": "12.50", "unit": "mg", "per": "28 days"}
    assert body["hash"] == NEW.hash
    assert dt.date.fromisoformat(body["in_force"]["from"]) == NEW.in_force.from_


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_of_request_gets_its_own_questions(client: TestClient, kind: Kind) -> None:
    body = client.get(f"{BASE}/versions/2024-06-01/questions", params={"kind": kind.value}).json()

    assert body["kind"] == kind.value
    assert [q["name"] for q in body["questions"]] == [q.name for q in questions_for(NEW, kind)]


def test_a_question_carries_what_a_form_needs_with_exact_limits(client: TestClient) -> None:
    url = f"{BASE}/versions/2024-06-01/questions?kind=initiation"

    severe, weight = client.get(url).json()["questions"]

    assert (severe["name"], severe["type"]) == ("severe", "boolean")
    assert (weight["unit"], weight["minimum"], weight["maximum"]) == ("kg", "0.3", "400")
    assert weight["decimals"] == 1


@pytest.mark.parametrize("kind", ["", "Initiation", "initiation ", "start"])
def test_an_unknown_kind_of_request_is_422_and_lists_the_kinds(
    client: TestClient, kind: str
) -> None:
    reply = client.get(f"{BASE}/versions/2024-06-01/questions", params={"kind": kind})

    assert reply.status_code == 422
    assert "'initiation'" in reply.json()["errors"][0]["mend"]


def test_the_text_is_the_policy_rooms_own(client: TestClient) -> None:
    reply = client.get(f"{BASE}/versions/2020-01-01/text")

    assert reply.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert reply.text == readable(OLD)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/policies/nothing", 404, "policy-not-found"),
        (f"{BASE}/versions/2024-06-02", 404, "policy-not-found"),
        (f"{BASE}/versions/2024-06-01.1", 404, "policy-not-found"),
        (f"{BASE}/versions/2024-06-02/questions?kind=stop", 404, "policy-not-found"),
        (f"{BASE}/versions/2024-06-02/text", 404, "policy-not-found"),
        ("/v1/policies/Examplumab", 422, "not-as-described"),
        ("/v1/policies/examplumab_itch", 422, "not-as-described"),
        ("/v1/policies/..%2F..%2Fetc", 404, "no-such-address"),
        (f"{BASE}/versions/latest", 422, "not-as-described"),
        (f"{BASE}/versions/2024-06-01/questions", 422, "not-as-described"),
    ],
)
def test_what_the_library_does_not_hold_is_refused(
    client: TestClient, path: str, status: int, code: str
) -> None:
    reply = client.get(path)

    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_the_packaged_policies_can_all_be_shown_in_full(client: TestClient) -> None:
    from tests.policies.library import packaged_library

    packaged = packaged_library()
    client.app.state.office = Office(packaged, demonstration=True)  # type: ignore[attr-defined]
    client.app.state.limits = Limits(100_000)  # type: ignore[attr-defined]

    # A packaged version is shown from memory: one in eight is enough on a second database.
    door = client.app.state.door  # type: ignore[attr-defined]
    on_sqlite = door.database.engine.dialect.name == "sqlite"
    for version in list(packaged.all_versions())[:: 1 if on_sqlite else 8]:
        at = f"/v1/policies/{version.policy}/versions/{version.version}"
        shown = client.get(at)
        assert shown.status_code == 200
        assert json.loads(shown.text)["hash"] == version.hash
        for kind in Kind:
            assert client.get(f"{at}/questions", params={"kind": kind.value}).status_code == 200
        assert client.get(f"{at}/text").status_code == 200


def test_the_patterns_of_approval_are_shown_with_the_clock(
    application: FastAPI, client: TestClient
) -> None:
    text = FILE.replace("language: 1", "language: 2\nsucceeds: [older-policy]")
    text = text.replace("{from: DAY}", "{from: 2024-06-01, afterwards: Ask the panel.}")
    text = text.replace("EVIDENCE", "verified").replace(
        "lasts: {months: 12}",
        "lasts: {weeks: 16}\n  then_lasts: {months: 12}\n  max_supply: {days: 31}\n"
        "  barred_with:\n"
        "    - {drugs: [otherumab], reason: No trial of both, source: own, evidence: verified}\n"
        "  phases:\n    - {name: loading, lasts: {weeks: 4}}\n    - {name: maintenance}",
    )
    library = Library([load_policy(text, "patterns.yaml")])
    application.state.office = Office(library, demonstration=True)
    body = client.get(f"{BASE}/versions/2024-06-01").json()
    terms = body["approval"]
    assert (terms["lasts_days"], terms["then_lasts"]) == (112, {"months": 12, "days": 0})
    assert "the first dose" in terms["clock"]
    assert [phase["name"] for phase in terms["phases"]] == ["loading", "maintenance"]
    assert terms["barred_with"][0]["drugs"] == ["otherumab"]
    assert terms["max_supply_days"] == 31
    assert (body["succeeds"], body["in_force"]["afterwards"]) == (
        ["older-policy"],
        "Ask the panel.",
    )
