"""A scene for the tests of who may do what: one object of each kind, all of DEMO1 and DEMQ1."""

import base64
import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from app.auth.clients import add_key, register_client
from app.auth.model import Role
from app.auth.people import Seat, add_person, grant
from app.auth.store import register_caller
from app.db.work import Work
from app.handlers import make_handlers
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.work import run_next
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.conftest import ADMINISTRATOR

IMPORT_ROW = {
    "Blueteq ID": "BLQ-1",
    "NHS No": invented_nhs_number(900),
    "Hospital No": "H000900",
    "DoB": "01/01/1970",
    "Trust code": "DEMO1",
    "Commissioner code": "DEMQ1",
    "Drug": "Adalimumab 40mg",
    "Form name": "Adalimumab for severe rheumatoid arthritis (TA375)",
    "Status": "Approved",
    "Date approved": "01/06/2026",
    "Approved until": "30/11/2026",
}
SUBMISSION_ROW = {
    "FINANCIAL MONTH": "3",
    "FINANCIAL YEAR": "202627",
    "ORGANISATION IDENTIFIER (CODE OF PROVIDER)": "DEMO1",
    "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)": "DEMQ1",
    "NHS NUMBER": invented_nhs_number(1),
    "PERSON BIRTH DATE": "1970-01-01",
    "CLINICAL INTERVENTION DATE (DRUG DISPENSED)": "2026-06-15",
    "DRUG NAME": "Humira 40mg",
    "TOTAL COST": "300.00",
}
#: Another hospital opens the first patient's record.
BREAK_GLASS = {
    "nhs_number": invented_nhs_number(1),
    "birth_date": "1970-01-01",
    "reason": "emergency",
    "words": "Unconscious in the emergency department.",
}
HOSPITAL_NUMBER = "H000001"
ATTACHED = {
    "title": "Letter about Zebedee",
    "shared": False,
    "content": base64.b64encode(b"%PDF-1.7\nstartxref\n0\n%%EOF\n").decode(),
}
ADOPTING = {
    "act": "adopt",
    "policy": "adalimumab-ra-severe",
    "version": "2016-01-26",
    "from_day": "2026-07-01",
}
ENDING = ADOPTING | {"act": "end"}
HANDING = {
    "receiver": "DEMQ2",
    "drug": "adalimumab",
    "from_day": "2026-06-15",
    "why": "Delegated (invented).",
}
ODD_NAME = {"name": "HUMIRRAA PENN", "drug": "adalimumab"}
#: The first patient, with a figure of the NHS number mistyped.
MISTYPED = {"NHS NUMBER": f"{invented_nhs_number(1)[:-2]}9{invented_nhs_number(1)[-1]}"}
UNKNOWN_PATIENT = {"NHS NUMBER": invented_nhs_number(800)}


@dataclass(frozen=True)
class Scene:
    """The ids of the scene's objects, and the versions to send as If-Match."""

    request: str
    treatment: str
    patient: str
    reference: str
    transfer: str
    moving: str
    imported: str
    draft: str
    submission: str
    job: str
    run: str
    break_glass: str
    #: Kind of what an administrator of DEMO1 looks after → its id.
    administered: Mapping[str, str]
    challenge: str
    line_decision: str
    proposal: str
    drug_name: str
    attachment: str
    adoption_proposal: str
    hand_over: str
    versions: Mapping[str, int]

    def path(self, template: str) -> str:
        """A route's template with the scene's own object in it."""
        names = {
            "/v1/requests/{id}/consent": self.transfer,
            "/v1/requests/{id}/refuse-consent": self.transfer,
        }
        kinds = {
            "requests": self.request,
            "treatments": self.treatment,
            "patients": self.patient,
            "imports": self.imported,
            "drafts": self.draft,
            "break-glass": self.break_glass,
            "challenges": self.challenge,
            "line-decisions": self.line_decision,
            "linkage-proposals": self.proposal,
            "drug-names": self.drug_name,
            "adoption-proposals": self.adoption_proposal,
            "hand-over-proposals": self.hand_over,
        }
        own = names.get(template) or kinds.get(template.split("/")[2], "")
        if template.startswith("/v1/administration/"):
            own = self.administered.get(template.split("/")[3], "")
        return template.format(
            id=own,
            reference=self.reference,
            submission=self.submission,
            job=self.job,
            run=self.run,
            attachment=self.attachment,
            row=1,
            name="not-started",
            policy="adalimumab-ra-severe",
            version="2016-01-26",
        )

    def version(self, template: str) -> int:
        """The version of the object that a route's template changes."""
        if template.endswith("consent"):
            return self.versions[self.transfer]
        kind = template.split("/")[2]
        return self.versions[
            {
                "requests": self.request,
                "approvals": self.reference,
                "drafts": self.draft,
                "challenges": self.challenge,
            }.get(kind, self.treatment)
        ]

    def secrets(self) -> tuple[str, ...]:
        """What no answer to another organisation may hold."""
        ids = (self.request, self.treatment, self.patient, self.transfer, self.moving)
        return (
            *ids,
            self.imported,
            self.draft,
            self.submission,
            self.job,
            self.run,
            self.break_glass,
            self.challenge,
            self.line_decision,
            self.proposal,
            self.drug_name,
            self.attachment,
            self.adoption_proposal,
            self.hand_over,
            ATTACHED["title"],
            self.reference,
            HOSPITAL_NUMBER,
            *self.administered.values(),
        )


def table(row: Mapping[str, str]) -> bytes:
    """A CSV file of one row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(row))
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue().encode()


def upload(api: Api, path: str, content: bytes) -> Any:
    """POST a file as the body."""
    return api.post(f"{path}?file_name=file.csv", content, **{"Content-Type": "text/csv"})


def set_scene(people: Mapping[str, Api], application: FastAPI) -> Scene:
    """Set the scene over the API and by the worker."""
    clinician, pharmacist = people["clinician"], people["pharmacist"]
    first = good(clinician.post("/v1/requests", initiation(1)), 201)
    treatment = good(clinician.get(f"/v1/treatments/{first['treatment_id']}"))
    second = good(clinician.post("/v1/requests", initiation(2)), 201)
    moving = {
        "kind": "transfer",
        "decision_to_treat": "2026-06-15",
        "details": {"to_provider": "DEMO2", "from_day": "2026-07-01"},
    }
    at = f"/v1/treatments/{second['treatment_id']}/requests"
    transfer = good(clinician.post(at, moving), 201)
    imported = good(upload(pharmacist, "/v1/imports", table(IMPORT_ROW)), 201)
    typed = {"kind": "initiation", "form": {"patient": {"local_id": HOSPITAL_NUMBER}}}
    draft = good(people["delegate"].post("/v1/drafts", typed), 201)
    opened = good(people["other pharmacist"].post("/v1/break-glass", BREAK_GLASS))
    received = good(upload(people["commissioner"], "/v1/submissions", table(SUBMISSION_ROW)), 202)
    handlers = make_handlers(application.state.desk)
    while run_next(application.state.door, handlers):
        pass
    challenge, challenged = raised_challenge(people["commissioner"], application)
    at = f"/v1/runs/{challenged}/lines/1/override"
    by_hand = {"kind": "query", "reason": "Ask the trust."}
    decision = good(people["commissioner"].post(at, by_hand), 201)
    submission = received["submission"]["id"]
    detail = good(people["commissioner"].get(f"/v1/submissions/{submission}"))
    return Scene(
        request=first["id"],
        treatment=treatment["id"],
        patient=treatment["patient"]["id"],
        reference=first["approval"]["reference"],
        transfer=transfer["id"],
        moving=transfer["treatment_id"],
        imported=imported["id"],
        draft=draft["id"],
        submission=submission,
        job=received["job"],
        run=detail["runs"][0]["id"],
        break_glass=opened["grant"]["id"],
        administered=set_administered(people, application),
        challenge=challenge["id"],
        line_decision=decision["id"],
        proposal=proposed(people["commissioner"], application)["id"],
        drug_name=good(people["commissioner"].post("/v1/drug-names", ODD_NAME), 201)["id"],
        attachment=attached(clinician, first["id"]),
        adoption_proposal=good(
            people["second commissioner"].post("/v1/adoption-proposals", ADOPTING), 201
        )["id"],
        hand_over=good(people["second commissioner"].post("/v1/hand-over-proposals", HANDING), 201)[
            "id"
        ],
        versions={
            challenge["id"]: challenge["version"],
            first["id"]: first["version"],
            treatment["id"]: treatment["version"],
            first["approval"]["reference"]: first["approval"]["version"],
            transfer["id"]: transfer["version"],
            draft["id"]: draft["version"],
        },
    )


def attached(api: Api, request: str) -> str:
    """A letter that everybody who sees the request may read."""
    shared = ATTACHED | {"shared": True}
    return str(good(api.post(f"/v1/requests/{request}/attachments", shared), 201)["id"])


def proposed(api: Api, application: FastAPI) -> Any:
    """What is proposed for a line whose patient is the scene's first, mistyped."""
    run = run_of(api, application, table(SUBMISSION_ROW | MISTYPED))
    good(api.post(f"/v1/runs/{run}/linkage-proposals", None), 202)
    work_off(application)
    return good(api.get(f"/v1/runs/{run}/linkage-proposals"))["proposals"][0]


def work_off(application: FastAPI) -> None:
    """Do every job that waits."""
    while run_next(application.state.door, make_handlers(application.state.desk)):
        pass


#: The id of the key of the scene's system.
KID = "k-1"
#: Where people sign in, in these tests; nothing is asked there.
ISSUER = "https://issuer.example"
PANEL_SETTING = {
    "act": "change setting",
    "setting": "pharmacist_authorisation",
    "value": False,
    "from_day": "2026-12-01",
}


def set_administered(people: Mapping[str, Api], application: FastAPI) -> dict[str, str]:
    """A person with a role, a system with a key, a long-lived token and a proposal, of DEMO1."""

    def make(work: Work) -> dict[str, str]:
        known = add_person(
            work, ADMINISTRATOR, issuer=ISSUER, subject="000000000077", name="Invented Auditor"
        )
        grant(work, ADMINISTRATOR, known.id, Seat("DEMO1", Role.AUDITOR))
        client = register_client(
            work,
            ADMINISTRATOR,
            name="Pharmacy system",
            role=Role.CLINICIAN,
            organisations=["DEMO1"],
            scopes=["read"],
        )
        add_key(work, ADMINISTRATOR, client, KID, {"kty": "RSA", "n": "AQAB", "e": "AQAB"})
        caller, _ = register_caller(
            work,
            ADMINISTRATOR,
            name="Old system",
            kind="system",
            organisation="DEMO1",
            role=Role.AUDITOR,
        )
        return {"people": known.id, "clients": client, "callers": caller}

    made = application.state.door.transact(make)
    proposed = people["second administrator"].post("/v1/administration/proposals", PANEL_SETTING)
    return made | {"proposals": good(proposed, 201)["id"]}


def run_of(api: Api, application: FastAPI, content: bytes) -> str:
    """Upload a submission, let the worker reconcile it, and name its newest run."""
    received = good(upload(api, "/v1/submissions", content), 202)
    handlers = make_handlers(application.state.desk)
    while run_next(application.state.door, handlers):
        pass
    return str(good(api.get(f"/v1/jobs/{received['job']}"))["run"])


def raised_challenge(payer: Api, application: FastAPI) -> tuple[Any, str]:
    """A supply to somebody without an approval, challenged and raised with DEMO1; and its run."""
    run = run_of(payer, application, table(SUBMISSION_ROW | UNKNOWN_PATIENT))
    (drafted,) = good(payer.post("/v1/challenges", {"run": run}), 201)["challenges"]
    at = f"/v1/challenges/{drafted['id']}/raise"
    body = {"respond_by": "2026-07-31"}
    return good(payer.post(at, body, version=drafted["version"])), run
