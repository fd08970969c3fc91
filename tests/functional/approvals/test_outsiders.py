"""Another organisation tries every call under /v1 on objects that are not its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.api.openapi import METHODS
from app.api.request_bodies import EXAMPLE_PATIENT
from app.commands.openapi import current_application
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, initiation
from tests.functional.approvals.scene import (
    ADOPTING,
    ATTACHED,
    BREAK_GLASS,
    HANDING,
    KID,
    SUBMISSION_ROW,
    Scene,
    table,
    upload,
)

REASON = {"reason": "Because."}
STOP = {
    "kind": "stop",
    "decision_to_treat": "2026-06-15",
    "details": {"from_day": "2026-06-15", "stop_reason": "other"},
}
FUNDING = {
    "basis": "individual funding",
    "case_reference": "IFR-1",
    "from_day": "2026-06-15",
    "terms": "None.",
    "reason": "Because.",
}
SLICE = {
    "provider": "DEMO1",
    "commissioner": "DEMQ1",
    "financial_year": "202627",
    "financial_month": 3,
}
LINK = {"to": "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1", "reason": "Because."}
EXISTENCE = {
    "nhs_number": EXAMPLE_PATIENT["nhs_number"],
    "birth_date": "1970-01-01",
    "drug": "adalimumab",
    "indication": "ra",
    "care_reason": "Seen today.",
}
KNOWN = {
    "policy": "adalimumab-ra-severe",
    "kind": "initiation",
    "decision_to_treat": "2026-06-10",
    "birth_date": "1970-01-01",
    "nhs_number": invented_nhs_number(1),
}
NOBODYS_KEY = {
    "act": "add client key",
    "client_id": LINK["to"],
    "kid": "k-9",
    "jwk": {"kty": "RSA", "n": "_" * 512, "e": "AQAB"},
}
PLANNED = {
    "drug": "Humira 40mg",
    "supply_date": "2026-06-15",
    "nhs_number": invented_nhs_number(1),
    "birth_date": "1970-01-01",
}
NOBODYS_FILE = table({**SUBMISSION_ROW, "NHS NUMBER": "", "TOTAL COST": "1.00"})


@dataclass(frozen=True)
class Try:
    """Who tries, and who could; what is sent, and the status that the outsider must get.

    A call that names no object may answer the outsider otherwise, but reveals nothing.
    """

    outsider: str
    insider: str = "clinician"
    body: Any = None
    query: Mapping[str, Any] = field(default_factory=dict)
    expected: int = 404
    file: bytes | None = None


CLINICIAN = "other clinician"
PHARMACIST = "other pharmacist"
COMMISSIONER = "other commissioner"
PANEL = "other panel member"
VALIDATION = "other invoice validation"
PAYER = "commissioner"
ADMIN = "other administrator"
INSIDE = "administrator"
#: DEMO2 is asked to consent to a transfer; this one has no part in the scene at all.
THIRD = "third pharmacist"

#: Every operation under /v1. A new one does not pass without its row here.
TABLE: dict[str, Try] = {
    # The library is the same for everybody and holds nobody's data.
    "GET /v1/policies": Try(CLINICIAN, expected=200),
    "GET /v1/policies/{policy}": Try(CLINICIAN, expected=200),
    "GET /v1/policies/{policy}/versions/{version}": Try(CLINICIAN, expected=200),
    "GET /v1/policies/{policy}/versions/{version}/questions": Try(
        CLINICIAN, query={"kind": "initiation"}, expected=200
    ),
    "GET /v1/policies/{policy}/versions/{version}/text": Try(CLINICIAN, expected=200),
    "GET /v1/policies/{policy}/adoptions": Try(CLINICIAN, expected=200),
    # A commissioner adopts for itself, and sees its own proposals only.
    "GET /v1/adoption-proposals": Try(COMMISSIONER, PAYER, expected=200),
    "POST /v1/adoption-proposals": Try(
        COMMISSIONER, PAYER, ADOPTING | {"act": "end"}, expected=409
    ),
    "GET /v1/adoption-proposals/{id}": Try(COMMISSIONER, PAYER),
    "POST /v1/adoption-proposals/{id}/confirm": Try(COMMISSIONER, PAYER),
    "POST /v1/adoption-proposals/{id}/decline": Try(COMMISSIONER, PAYER),
    # Only who pays gives, and sees its own proposals only; who receives sees what was confirmed.
    "GET /v1/hand-overs": Try(COMMISSIONER, PAYER, expected=200),
    "GET /v1/hand-over-proposals": Try(COMMISSIONER, PAYER, expected=200),
    "POST /v1/hand-over-proposals": Try(
        COMMISSIONER, PAYER, HANDING | {"receiver": "DEMQ2"}, expected=422
    ),
    "GET /v1/hand-over-proposals/{id}": Try(COMMISSIONER, PAYER),
    "POST /v1/hand-over-proposals/{id}/confirm": Try(COMMISSIONER, PAYER),
    "POST /v1/hand-over-proposals/{id}/decline": Try(COMMISSIONER, PAYER),
    "GET /v1/approval-needs": Try(CLINICIAN, query={"drug": "adalimumab"}, expected=200),
    # That an approval exists is told, to a caller who sends a form or declares care; no more.
    "POST /v1/checks": Try(CLINICIAN, body=initiation(1), expected=200),
    "POST /v1/approval-existence": Try(CLINICIAN, body=EXISTENCE, expected=200),
    # A claim is told to whoever knows number and birth date and declares care; to nobody else.
    "POST /v1/treatment-claims": Try(
        CLINICIAN, body=EXISTENCE | {"birth_date": "1970-01-02"}, expected=200
    ),
    # Break-glass opens to whoever knows number and birth date and says why; a guess tells nothing.
    "POST /v1/break-glass": Try(
        CLINICIAN, body=BREAK_GLASS | {"birth_date": "1970-01-02"}, expected=200
    ),
    "GET /v1/break-glass/{id}/record": Try(THIRD, PHARMACIST),
    "POST /v1/break-glass/{id}/end": Try(THIRD, PHARMACIST),
    "GET /v1/reports/break-glass": Try(
        COMMISSIONER, "auditor", query={"from": "2026-01-01", "to": "2026-12-31"}, expected=403
    ),
    "POST /v1/requests": Try(
        CLINICIAN, body=initiation(1) | {"patient": EXAMPLE_PATIENT}, expected=409
    ),
    # Lists, searches and answers on record are empty.
    "POST /v1/known-answers": Try(CLINICIAN, body=KNOWN, expected=200),
    "GET /v1/drafts": Try(CLINICIAN, expected=200),
    "POST /v1/searches": Try(THIRD, body={}, expected=200),
    "GET /v1/changes": Try(THIRD, expected=200),
    "GET /v1/reports/overrides": Try(
        THIRD, query={"from": "2026-01-01", "to": "2026-12-31"}, expected=200
    ),
    "GET /v1/reports/best-value": Try(
        THIRD, query={"from": "2026-01-01", "to": "2026-12-31"}, expected=200
    ),
    "GET /v1/reports/identifier-access": Try(
        COMMISSIONER, PAYER, query={"from": "2026-01-01", "to": "2026-12-31"}, expected=200
    ),
    "GET /v1/submissions": Try(COMMISSIONER, PAYER, expected=200),
    "GET /v1/slices": Try(COMMISSIONER, PAYER, expected=200),
    "GET /v1/slice-deltas": Try(COMMISSIONER, PAYER, expected=200),
    "GET /v1/slice-deltas/export": Try(COMMISSIONER, PAYER, expected=200),
    "GET /v1/calendar": Try(COMMISSIONER, PAYER, expected=200),
    "POST /v1/calendar": Try(COMMISSIONER, PAYER, {"months": []}, expected=200),
    "GET /v1/stated-totals": Try(COMMISSIONER, PAYER, expected=200),
    "POST /v1/stated-totals": Try(COMMISSIONER, PAYER, {"totals": []}, expected=200),
    "POST /v1/empty-month-previews": Try(COMMISSIONER, PAYER, SLICE),
    "POST /v1/empty-months": Try(
        COMMISSIONER, PAYER, {**SLICE, "lines": 1, "total": "1.00", **REASON}
    ),
    # A draft of one's own, on another's treatment.
    "POST /v1/drafts": Try(CLINICIAN, body={"kind": "stop", "treatment_id": LINK["to"]}),
    # Everything else names an object, and is not found.
    "GET /v1/drafts/{id}": Try(CLINICIAN),
    "POST /v1/drafts/{id}/change": Try(CLINICIAN, body={"form": {}, "answers": {}}),
    "POST /v1/drafts/{id}/discard": Try(CLINICIAN),
    "POST /v1/drafts/{id}/submit": Try(CLINICIAN),
    "POST /v1/treatments/{id}/checks": Try(CLINICIAN, body=STOP),
    "GET /v1/requests/{id}": Try(CLINICIAN),
    "POST /v1/requests/{id}/amend": Try(CLINICIAN, body={"answers": {}}),
    "POST /v1/requests/{id}/withdraw": Try(CLINICIAN, body=REASON),
    "POST /v1/requests/{id}/escalate": Try(CLINICIAN, body=REASON),
    "POST /v1/requests/{id}/authorise": Try(PHARMACIST, "pharmacist"),
    "POST /v1/requests/{id}/refuse-authorisation": Try(PHARMACIST, "pharmacist", REASON),
    "POST /v1/requests/{id}/panel-approve": Try(PANEL, PAYER, REASON),
    "POST /v1/requests/{id}/panel-decline": Try(PANEL, PAYER, REASON),
    "POST /v1/requests/{id}/panel-overturn": Try(PANEL, PAYER, {**REASON, "doses_given": "paid"}),
    "POST /v1/requests/{id}/panel-return": Try(PANEL, PAYER, {"question": "Why?"}),
    "POST /v1/requests/{id}/declare-interest": Try(PANEL, PAYER, {"interest": "Mine."}),
    "POST /v1/requests/{id}/fund": Try(COMMISSIONER, PAYER, FUNDING),
    "POST /v1/requests/{id}/refuse-funding": Try(COMMISSIONER, PAYER, REASON),
    "GET /v1/requests/{id}/attachments": Try(CLINICIAN),
    "POST /v1/requests/{id}/attachments": Try(CLINICIAN, body=ATTACHED),
    "GET /v1/requests/{id}/attachments/{attachment}": Try(CLINICIAN),
    "POST /v1/requests/{id}/attachments/{attachment}/remove": Try(CLINICIAN, body=REASON),
    "POST /v1/requests/{id}/consent": Try(THIRD, PHARMACIST),
    "POST /v1/requests/{id}/refuse-consent": Try(THIRD, PHARMACIST, REASON),
    "POST /v1/requests/{id}/correct": Try(CLINICIAN, body={"answers": {}, **REASON}),
    "POST /v1/requests/{id}/enter-in-error": Try(CLINICIAN, body=REASON),
    "GET /v1/requests/{id}/audit": Try("other auditor", "auditor"),
    "GET /v1/treatments/{id}": Try(CLINICIAN),
    "GET /v1/treatments/{id}/timeline": Try(CLINICIAN),
    "POST /v1/treatments/{id}/identifiers": Try(VALIDATION, "invoice validation", REASON),
    "POST /v1/treatments/{id}/requests": Try(CLINICIAN, body=STOP),
    "POST /v1/treatments/{id}/first-dose": Try(CLINICIAN, body={"first_dose": "2026-06-15"}),
    "POST /v1/treatments/{id}/not-started": Try(CLINICIAN, body=REASON),
    "GET /v1/approvals/{reference}": Try(CLINICIAN),
    "POST /v1/approvals/{reference}/uphold": Try(COMMISSIONER, PAYER, REASON),
    "POST /v1/approvals/{reference}/withdraw": Try(COMMISSIONER, PAYER, REASON),
    "POST /v1/approvals/{reference}/confirm-error": Try(COMMISSIONER, PAYER, REASON),
    "POST /v1/patients/{id}/links": Try(CLINICIAN, body=LINK),
    "POST /v1/patients/{id}/unlink": Try(CLINICIAN, body=REASON),
    "POST /v1/patients/{id}/objection": Try(CLINICIAN, body=REASON),
    "POST /v1/patients/{id}/objection/withdraw": Try(CLINICIAN, body=REASON),
    "POST /v1/patients/{id}/death": Try(CLINICIAN, body={"died_on": "2026-06-12"}),
    "POST /v1/patients/{id}/death/take-back": Try(CLINICIAN, body=REASON),
    "GET /v1/imports/{id}": Try(PHARMACIST, "pharmacist"),
    "POST /v1/imports/{id}/accept": Try(PHARMACIST, "pharmacist"),
    "POST /v1/imports/{id}/discard": Try(PHARMACIST, "pharmacist"),
    "GET /v1/submissions/{submission}": Try(COMMISSIONER, PAYER),
    "GET /v1/jobs/{job}": Try(COMMISSIONER, PAYER),
    "GET /v1/runs/{run}": Try(COMMISSIONER, PAYER),
    "GET /v1/runs/{run}/lines": Try(COMMISSIONER, PAYER),
    "GET /v1/runs/{run}/summary.txt": Try(COMMISSIONER, PAYER),
    "GET /v1/runs/{run}/summary.csv": Try(COMMISSIONER, PAYER),
    "GET /v1/runs/{run}/file": Try(COMMISSIONER, PAYER),
    "POST /v1/runs/{run}/identified-file": Try(VALIDATION, "invoice validation", REASON),
    # Names and terms are the commissioner's own.
    "GET /v1/unknown-drug-names": Try(COMMISSIONER, PAYER, expected=200),
    "GET /v1/drug-names": Try(COMMISSIONER, PAYER, expected=200),
    "POST /v1/drug-names": Try(
        COMMISSIONER, PAYER, {"name": "HUMIRA", "drug": "adalimumab"}, expected=409
    ),
    "POST /v1/drug-names/{id}/accept": Try(COMMISSIONER, PAYER),
    "POST /v1/drug-names/{id}/withdraw": Try(COMMISSIONER, PAYER, REASON),
    "GET /v1/contract-terms": Try(COMMISSIONER, PAYER, expected=200),
    "POST /v1/contract-terms": Try(COMMISSIONER, PAYER, {"terms": []}, expected=200),
    "GET /v1/agreed-prices": Try(COMMISSIONER, PAYER, expected=200),
    "POST /v1/agreed-prices": Try(COMMISSIONER, PAYER, {"prices": []}, expected=200),
    "GET /v1/supply-terms": Try(COMMISSIONER, PAYER, expected=200),
    "POST /v1/supply-terms": Try(COMMISSIONER, PAYER, {"terms": []}, expected=200),
    "GET /v1/responsible-commissioners": Try(COMMISSIONER, PAYER, expected=200),
    "POST /v1/responsible-commissioners": Try(COMMISSIONER, PAYER, {"rows": []}, expected=200),
    # An organisation's administrator sees and changes nothing of another's.
    "GET /v1/administration/people": Try(ADMIN, INSIDE, expected=200),
    "GET /v1/administration/clients": Try(ADMIN, INSIDE, expected=200),
    "GET /v1/administration/callers": Try(ADMIN, INSIDE, expected=200),
    "GET /v1/administration/settings": Try(ADMIN, INSIDE, expected=200),
    "GET /v1/administration/proposals": Try(ADMIN, INSIDE, expected=200),
    "POST /v1/administration/people/{id}/end-sessions": Try(ADMIN, INSIDE, REASON),
    "POST /v1/administration/people/{id}/withdraw-role": Try(ADMIN, INSIDE, {"role": "auditor"}),
    "POST /v1/administration/clients/{id}/remove-key": Try(ADMIN, INSIDE, {"kid": KID}),
    "POST /v1/administration/clients/{id}/revoke": Try(ADMIN, INSIDE),
    "POST /v1/administration/callers/{id}/revoke": Try(ADMIN, INSIDE),
    "POST /v1/administration/proposals": Try(ADMIN, INSIDE, NOBODYS_KEY),
    "POST /v1/administration/proposals/{id}/confirm": Try(ADMIN, INSIDE),
    "POST /v1/administration/proposals/{id}/decline": Try(ADMIN, INSIDE),
    "GET /v1/worklists/{name}": Try(COMMISSIONER, PAYER, expected=200),
    # Of an approval elsewhere one is told that it exists, for a number and the date that fits it.
    "POST /v1/supply-checks": Try(CLINICIAN, body=PLANNED, expected=200),
    "POST /v1/submission-checks": Try(
        PHARMACIST, "pharmacist", file=table(SUBMISSION_ROW), expected=409
    ),
    "GET /v1/runs/{run}/export": Try(COMMISSIONER, PAYER, query={"format": "json"}),
    "POST /v1/runs/{run}/exports": Try(COMMISSIONER, PAYER, {"format": "csv"}),
    "GET /v1/runs/{run}/lines/{row}": Try(COMMISSIONER, PAYER),
    "POST /v1/runs/{run}/lines/{row}/match": Try(
        VALIDATION, "invoice validation", REASON | {"approval_reference": "PA0000000000000"}
    ),
    "POST /v1/runs/{run}/lines/{row}/override": Try(
        COMMISSIONER, PAYER, REASON | {"kind": "accept"}
    ),
    "GET /v1/line-decisions": Try(COMMISSIONER, PAYER, expected=200),
    "POST /v1/line-decisions/{id}/undo": Try(COMMISSIONER, PAYER, REASON),
    "POST /v1/runs/{run}/linkage-proposals": Try(COMMISSIONER, PAYER),
    "GET /v1/runs/{run}/linkage-proposals": Try(COMMISSIONER, PAYER),
    "POST /v1/linkage-proposals/{id}/accept": Try(
        COMMISSIONER, PAYER, REASON | {"approval_reference": "PA0000000000000"}
    ),
    "POST /v1/linkage-proposals/{id}/refuse": Try(COMMISSIONER, PAYER, REASON),
    "POST /v1/challenges": Try(COMMISSIONER, PAYER, {"run": LINK["to"]}),
    "GET /v1/challenges": Try(COMMISSIONER, PAYER, expected=200),
    "GET /v1/challenges/{id}": Try(PHARMACIST, "pharmacist"),
    "POST /v1/challenges/{id}/raise": Try(COMMISSIONER, PAYER, {"respond_by": "2026-07-31"}),
    "POST /v1/challenges/{id}/answer": Try(PHARMACIST, "pharmacist", {"evidence": "Here."}),
    "POST /v1/challenges/{id}/uphold": Try(COMMISSIONER, PAYER, REASON),
    "POST /v1/challenges/{id}/withdraw": Try(COMMISSIONER, PAYER, REASON),
    "POST /v1/challenges/{id}/credit": Try(COMMISSIONER, PAYER, {"credit_reference": "CN-1"}),
    # A file is the uploader's own. Another's lines in it are refused (tested with submissions).
    "POST /v1/imports": Try(PHARMACIST, "pharmacist", file=NOBODYS_FILE, expected=422),
    "POST /v1/submission-previews": Try(
        PHARMACIST, "pharmacist", file=table(SUBMISSION_ROW), expected=409
    ),
    "POST /v1/submissions": Try(PHARMACIST, "pharmacist", file=table(SUBMISSION_ROW), expected=409),
}
#: An insider's write is sent with a version that is not the object's: it is seen, and not taken.
STALE = 99


def served() -> set[str]:
    """Every operation under /v1 that the application serves."""
    paths: dict[str, Any] = current_application().openapi()["paths"]
    return {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/v1/") and method in METHODS
    }


def call(api: Api, operation: str, row: Try, scene: Scene, version: int) -> Any:
    method, template = operation.split(" ")
    path = scene.path(template)
    if method == "GET":
        return api.get(path, **row.query)
    if row.file is not None:
        return upload(api, path, row.file)
    return api.post(path, row.body, version=version)


def test_every_route_has_its_row_in_the_table() -> None:
    assert served() == set(TABLE)


def test_another_organisation_reaches_nothing(
    people: Mapping[str, Api], scene: Scene, rows: Callable[[], dict[str, int]]
) -> None:
    wrong: dict[str, str] = {}
    for operation, row in TABLE.items():
        before = rows()
        version = scene.version(operation.split(" ")[1])
        reply = call(people[row.outsider], operation, row, scene, version)
        told = [secret for secret in scene.secrets() if secret in reply.text]
        if reply.status_code != row.expected or told:
            wrong[operation] = f"{reply.status_code} {told} {reply.text[:300]}"
        if row.expected >= 400 and rows() != before:
            wrong[operation] = "it changed something"
    assert wrong == {}


def test_the_table_tries_what_an_insider_may_do(people: Mapping[str, Api], scene: Scene) -> None:
    """Else a 404 could come of a wrong id in the table."""
    wrong: dict[str, int] = {}
    for operation, row in TABLE.items():
        if row.file is not None or "{" not in operation:
            continue
        reply = call(people[row.insider], operation, row, scene, STALE)
        not_found = reply.status_code in (403, 404) and "/links" not in operation
        if not_found or reply.status_code >= 500:
            wrong[operation] = reply.status_code
    assert wrong == {}


@pytest.mark.parametrize("who", ["other clinician", "other commissioner", "other panel member"])
def test_lists_of_another_organisation_are_empty(
    people: Mapping[str, Api], scene: Scene, who: str
) -> None:
    found = people[who].post("/v1/searches", {}).json()
    changes = people[who].get("/v1/changes").json()

    transfer = {scene.transfer} if who == "other clinician" else set()
    assert {c["request_id"] for c in changes["changes"]} - {None} <= transfer
    assert len(found["hits"]) == len(transfer)


def test_answers_on_record_are_told_to_the_hospital_that_gave_them_and_to_no_other(
    people: Mapping[str, Api], scene: Scene
) -> None:
    def known(who: str) -> list[str]:
        reply = people[who].post("/v1/known-answers", KNOWN)
        assert reply.status_code == 200, reply.text
        return [each["name"] for each in reply.json()["questions"]]

    assert {"das28_at_start", "csdmards"} <= set(known("clinician"))
    assert known("other clinician") == known("other pharmacist") == []
