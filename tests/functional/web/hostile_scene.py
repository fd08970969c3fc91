"""Something of each kind that has a form, made by people at browsers, for hostile text to meet."""

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from app.auth.clients import add_key, register_client
from app.auth.model import Role
from app.auth.people import Seat, add_person, grant
from app.auth.store import register_caller
from app.clock import now
from app.db.work import Work
from app.handlers import make_handlers
from app.work import run_next
from tests.functional.approvals.scene import SUBMISSION_ROW, UNKNOWN_PATIENT
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, DAY, sent

_ONCE = re.compile(r'name="once" value="([^"]+)"')
ROOT = Path(__file__).parents[3]
POLICY = ROOT / "policies" / "rheumatology" / "adalimumab-ra-severe" / "2016-01-26.1.yaml"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\nstartxref\n9\n%%EOF\n"


def lines(*rows: Mapping[str, str]) -> bytes:
    """A file of contract monitoring lines."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def work_off(application: FastAPI) -> None:
    """Do what waits for the worker."""
    while run_next(application.state.door, make_handlers(application.state.desk)):
        pass


def upload(person: Person, page: str, action: str, data: bytes, **fields: str) -> str:
    """Send a file by a page's form: where it leads."""
    shown = person.get(page).text
    hidden = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', shown)[-1]}
    if names := _ONCE.findall(shown[shown.find("multipart") :]):
        hidden["once"] = names[0]
    reply = person.http.post(action, data=hidden | fields, files={"file": ("june.csv", data)})
    assert reply.status_code == 303, reply.text
    return str(reply.headers["location"])


def act(person: Person, page: str, action: str, **fields: str) -> str:
    """Send a form with the name that stands in it: where it leads."""
    shown = person.get(page).text
    at = shown.find(f'action="{action}"')
    assert at >= 0, (page, action)
    once = _ONCE.findall(shown[at:])
    version = re.findall(r'name="version" value="(\d+)"', shown[at:])
    hidden = {"once": once[0]} if once else {}
    if version:
        hidden["version"] = version[0]
    reply = person.send(page, action, **(hidden | fields))
    assert reply.status_code == 303, (reply.status_code, reply.text)
    return str(reply.headers["location"])


def set_desk(enter: Enter, application: FastAPI, number: str) -> list[str]:
    """A run with challenges in each state, a line by hand, drug names and proposals: addresses."""
    payer, trust = enter("demq1-commissioner"), enter("demo1-pharmacist")
    mistyped = number[:-2] + ("0" if number[-2] == "9" else "9") + number[-1]
    rows = (
        SUBMISSION_ROW | UNKNOWN_PATIENT,
        SUBMISSION_ROW | UNKNOWN_PATIENT | {"DRUG NAME": "Tysabri 300mg", "TOTAL COST": "20.00"},
        SUBMISSION_ROW | UNKNOWN_PATIENT | {"DRUG NAME": "Ocaliva 5mg", "TOTAL COST": "30.00"},
        SUBMISSION_ROW | {"NHS NUMBER": mistyped, "PERSON BIRTH DATE": "1970-02-01"},
        SUBMISSION_ROW | {"DRUG NAME": "HUMIRRAA PENN", "TOTAL COST": "900.00"},
        SUBMISSION_ROW | {"DRUG NAME": "=1+1|' /C calc'!A0", "TOTAL COST": "800.00"},
    )
    waits = upload(payer, "/submissions", "/submissions", lines(*rows))
    job = act(payer, waits, f"{waits}/accept")
    work_off(application)
    run = str(payer.get(job).headers["location"])
    act(payer, run, f"{run}/challenges")
    found = re.findall(r"/challenges/[0-9a-f-]{36}", payer.get(f"/challenges?{_run(run)}").text)
    challenges = sorted(set(found))
    assert len(challenges) >= 3, challenges
    until = in_days("respond_by", 30)
    for at in challenges[1:]:
        act(payer, at, f"{at}/raise", **until)
    act(trust, challenges[2], f"{challenges[2]}/answer", evidence="It was asked for elsewhere.")
    if len(challenges) > 3:
        act(trust, challenges[3], f"{challenges[3]}/answer", evidence="It is not.")
        act(payer, challenges[3], f"{challenges[3]}/uphold", reason="So it is.")
    act(
        payer,
        f"{run}/lines/1",
        f"{run}/lines/1/override",
        kind="accept",
        reason="Seen on paper.",
    )
    act(payer, f"{run}/links", f"{run}/links")
    act(payer, "/drug-names", "/drug-names", name="HUMIRRAA PENN", drug="adalimumab")
    work_off(application)
    preview = upload(payer, "/submissions", "/submissions", lines(SUBMISSION_ROW))
    own = upload(trust, "/supply-check", "/supply-check/files", lines(rows[0]))
    return [run, *challenges, f"{run}/lines/2", f"{run}/links", "/line-decisions", preview, own]


def _run(path: str) -> str:
    return f"run={path.rsplit('/', 1)[-1]}"


def set_person(doctor: Person) -> list[str]:
    """A patient who objects and whose death is on record, with both still to be taken back."""
    at = f"/treatments/{sent(doctor, ANSWERS)[1]}/patient"
    act(doctor, at, f"{at}/objection", reason="No other hospital is to see it.")
    day = {"died_on-day": "1", "died_on-month": "6", "died_on-year": "2026"}
    act(doctor, at, f"{at}/death", **day)
    return [at]


def in_days(name: str, days: int) -> dict[str, str]:
    """The boxes of a day so many days from now, on whatever day the tests are run."""
    day = now().date() + dt.timedelta(days=days)
    return {f"{name}-{part}": str(getattr(day, part)) for part in ("day", "month", "year")}


def set_policies(enter: Enter) -> list[str]:
    """A written draft, one whose publication was asked for, a proposed adoption and hand-over."""
    author, payer = enter("demq1-policy-author"), enter("demq1-commissioner")
    text = POLICY.read_text(encoding="utf-8")
    drafts = []
    for number in ("2", "3"):
        changed = text.replace("correction: 1", f"correction: {number}")
        drafts.append(act(author, "/policy-drafts", "/policy-drafts", text=changed))
    act(author, drafts[1], f"{drafts[1]}/ask")
    at = "/library/adalimumab-ra-severe/2016-01-26.1"
    act(payer, at, f"{at}/adopt", **in_days("from", 30))
    asked = {"drug": "natalizumab", "receiver": "DEMQ2", "why": "Moved."}
    proposed = payer.send("/hand-overs/new", "/hand-overs", **in_days("from", -200), **asked)
    handing = str(proposed.headers["location"])
    pages = ["/adoptions", at, f"{at}/replay", "/hand-overs/new", handing]
    return [*drafts, f"{drafts[0]}/replay", *pages]


def set_care(enter: Enter, attach: Callable[..., Any]) -> list[str]:
    """An attached file, an individual funding request, and an open break-glass access."""
    doctor, other = enter("demo1-clinician"), enter("demo2-clinician")
    request, _ = sent(doctor, ANSWERS | {"das28_at_start": "3.0"})
    at = f"/requests/{request}"
    draft = act(doctor, at, f"{at}/individual-funding", case="Ultrasound shows disease.")
    check = f"/drafts/{draft.split('/')[2]}/check"
    asked = act(doctor, check, check.replace("/check", "/submit"))
    attach(doctor, asked.split("/")[2], PDF)
    open_, _ = sent(doctor, ANSWERS)
    shown = doctor.get(f"/requests/{open_}").text
    number = re.findall(r"NHS number (\d{3} \d{3} \d{4})", shown)[0]
    born = {"birth_date-day": "1", "birth_date-month": "2", "birth_date-year": "1970"}
    words = {"reason": "emergency", "words": "Unconscious."}
    glass = act(other, "/break-glass", "/break-glass", nhs_number=number, **born, **words)
    asked_back, _ = sent(doctor, {k: v for k, v in ANSWERS.items() if k != "screened"})
    _, moving = sent(doctor, ANSWERS)
    at_treatment = f"/treatments/{moving}"
    transfer = act(
        doctor,
        at_treatment,
        f"{at_treatment}/changes",
        kind="transfer",
        to_provider="DEMO2",
        **dict(zip(("from_day-day", "from_day-month", "from_day-year"), _tomorrow(), strict=True)),
    )
    return [
        asked,
        f"{asked}/attachments",
        "/break-glass",
        glass,
        f"{at}/correct?question=das28_at_start",
        f"/requests/{asked_back}/answers",
        transfer,
        overridable(doctor),
    ]


def _tomorrow() -> tuple[str, str, str]:
    day = now().date() + dt.timedelta(1)
    return str(day.day), str(day.month), str(day.year)


def overridable(person: Person) -> str:
    """The check of a draft with a criterion that a clinician may override."""
    at = "/start/adalimumab-crohns-severe"
    patient = {
        "patient.no_nhs_number_reason": "overseas",
        "patient.local_id": "H003009",
        "patient.sex": "male",
        "patient.birth_date-day": "1",
        "patient.birth_date-month": "2",
        "patient.birth_date-year": "1970",
    }
    draft = str(person.send(at, at, **patient).headers["location"]).split("/")[2]
    about = f"/drafts/{draft}/treatment"
    today = dict(DAY.findall(person.get(about).text))
    person.send(about, about, commissioner="DEMQ1", **today)
    return f"/drafts/{draft}/check"


def set_administered(enter: Enter, application: FastAPI) -> None:
    """A person with a role, a system with a key, a long-lived token, and a proposal, of DEMO1."""

    def make(work: Work) -> None:
        known = add_person(
            work, ADMINISTRATOR, issuer="demonstration", subject="000000000077", name="Invented"
        )
        grant(work, ADMINISTRATOR, known.id, Seat("DEMO1", Role.AUDITOR))
        client = register_client(
            work,
            ADMINISTRATOR,
            name="A system",
            role=Role.CLINICIAN,
            organisations=["DEMO1"],
            scopes=["read"],
        )
        add_key(work, ADMINISTRATOR, client, "k-1", {"kty": "RSA", "n": "AQAB", "e": "AQAB"})
        register_caller(
            work,
            ADMINISTRATOR,
            name="Old system",
            kind="system",
            organisation="DEMO1",
            role=Role.AUDITOR,
        )

    application.state.door.transact(make)
    at = "/administration/people"
    role = {"subject": "555012345678", "name": "Dr Ada Invented", "role": "pharmacist"}
    act(enter("demo1-administrator"), at, at, **role)
