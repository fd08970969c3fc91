"""A marked patient goes through the pages: forms, refusals, searches, lists, and every error.

Her marks may stand on the pages of those who care for her, in the fields of a form that is shown
again, and above its heading, which says whom it is about. They stand in no address that a page
leads to, no header, no other word of a page that refuses, and not in logs, metrics, traces, or the
audit log outside its erasable payload.
"""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.db.tables import audit_event
from app.db.transaction import Database
from app.main import create_app
from app.settings import Settings
from app.telemetry import OpenTelemetry
from tests.functional.approvals.test_no_leaks import (
    BIRTH,
    HOSPITAL,
    MARKS,
    NAME,
    NHS,
    Watch,
    logged,
    spans,
    watch,
)
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, FORM, fill
from tests.policies.library import packaged_library

__all__ = ["logged", "spans", "watch"]  # fixtures

#: As pages say and take a birth date too.
ALL_MARKS = (*MARKS, "17 February 1931", "17%2F02%2F1931", "999%20007")
BORN = {"birth_date-day": "17", "birth_date-month": "2", "birth_date-year": "1931"}
WORDS = f"{NAME}, born {BIRTH}, {NHS}"
#: Fields, and the line above a heading that says to the care team whom the page is about.
_FIELDS = re.compile(
    r"<textarea\b.*?</textarea>|<input\b[^>]*>|<option\b[^>]*>"
    r'|<span class="nhsuk-caption-l app-words">[^<]*</span>',
    re.S,
)
_ADDRESSES = re.compile(r'\b(?:href|action|src|formaction|content)="([^"]*)"')
ADDRESSES = (
    "/requests/{m}",
    "/treatments/{m}",
    "/treatments/{m}/patient",
    "/treatments/{m}/timeline",
    "/drafts/{m}",
    "/start/{m}",
    "/claims/{m}",
    "/break-glass/{m}",
    "/audit/requests/{m}",
    "/worklists/{m}",
    "/library/{m}",
    "/patients/{m}",
    "/{m}",
    "/worklists/drafts?after={m}",
    "/start/adalimumab-ra-severe?treatment={m}",
)


@pytest.fixture
def application(database: Database, tmp_path: Path, spans: InMemorySpanExporter) -> FastAPI:
    """The service of the pages, whose spans are looked at."""
    settings = Settings(
        demonstration=True,
        demonstration_sign_in=True,
        data_dir=tmp_path / "var",
        requests_per_minute=1_000_000,
        requests_per_minute_of_people=1_000_000,
    )
    tracer = OpenTelemetry(SimpleSpanProcessor(spans))
    return create_app(settings, database=database, library=packaged_library(), tracer=tracer)


class Onlooker:
    """Somebody at a browser, of whom all that a page tells is watched."""

    def __init__(self, person: Person, watch: Watch) -> None:
        self.person, self.watch = person, watch
        person.http.event_hooks["response"].append(self._hear)

    def _hear(self, reply: Response) -> None:
        """Every reply, those that `send` reads on its way too."""
        reply.read()
        what = f"{reply.request.method} of {self.at}: {reply.status_code}"
        self.watch.told.append((f"{what}: headers", str(dict(reply.headers))))
        if "html" not in reply.headers.get("content-type", ""):
            return
        text = html.unescape(reply.text)
        if reply.status_code >= 400:
            self.watch.told.append((f"{what}: words", _FIELDS.sub("", text)))
        if not self.marked_address:
            self.watch.told.append((f"{what}: addresses", str(_ADDRESSES.findall(text))))

    at = "the beginning"
    marked_address = False

    def get(self, path: str, status: int | None = None) -> Response:
        self.at, self.marked_address = path, any(mark in path for mark in ALL_MARKS)
        reply = self.person.get(path)
        assert status in (None, reply.status_code), (path, reply.status_code)
        return reply

    def send(self, page: str, action: str, status: int, **fields: str) -> Response:
        self.at, self.marked_address = action, False
        reply = self.person.send(page, action, **fields)
        assert reply.status_code == status, (action, reply.status_code, reply.text)
        return reply


def leaks(watch: Watch) -> list[str]:
    return sorted(
        {
            f"{where} holds {mark}"
            for where, text in watch.told
            for mark in ALL_MARKS
            if mark in text
        }
    )


def begin(one: Onlooker, number: str, **changes: str) -> Response:
    """Who the patient is, typed."""
    typed = {f"patient.{name}": value for name, value in BORN.items()}
    who = {"patient.nhs_number": number, "patient.local_id": HOSPITAL, "patient.sex": "female"}
    return one.person.send(FORM, FORM, **(typed | who | changes))


def test_no_mark_of_a_patient_leaves_the_pages(
    enter: Enter,
    application: FastAPI,
    watch: Watch,
    logged: Callable[[], None],
    spans: InMemorySpanExporter,
    database: Database,
) -> None:
    doctor = Onlooker(enter("demo1-clinician"), watch)
    other = Onlooker(enter("demo2-clinician"), watch)
    treatment = care(doctor)
    look_elsewhere(other, treatment)
    refuse(doctor, treatment)
    be_nobody(application, watch)
    everybody_looks(enter, watch, treatment)

    watch.told.append(("metrics", doctor.person.http.get("/metrics").text))
    columns = [c for c in audit_event.c if c.name not in ("id", "hmac")]
    events: list[Any] = application.state.door.read(
        lambda work: work.connection.execute(sa.select(*columns)).all()
    )
    watch.told.append(("audit", str(events)))
    logged()
    watch.traced(spans)
    assert "answered" in dict(watch.told)["stderr"]
    names = {span.name for span in spans.get_finished_spans()}
    assert {
        "POST /drafts/{id}/submit",
        "POST /patients",
        "GET /treatments/{id}",
        "POST /treatments/{id}/patient/death",
        "POST /claims/{policy}",
        "POST /break-glass",
    } <= names, sorted(names)
    statuses = {where.split(": ")[1] for where, _ in watch.told if " of /" in where}
    assert {"200", "303", "400", "401", "403", "404", "409", "422"} <= statuses, statuses
    found = leaks(watch)
    assert found == [], "\n".join(found)


def care(doctor: Onlooker) -> str:
    """A form with the marks from its first page to its approval, a search, her page: its path."""
    doctor.at = FORM
    draft = str(begin(doctor, NHS).headers["location"]).split("/")[2]
    doctor.at = "the pages of the draft"
    fill(doctor.person, draft, ANSWERS)
    at = f"/drafts/{draft}/check"
    request = str(doctor.send(at, f"/drafts/{draft}/submit", 303).headers["location"])
    shown = doctor.get(request, 200).text
    found = re.search(r'href="(/treatments/[0-9a-f-]{36})"', shown)
    assert found is not None, "approved, or nothing after this is tried"
    treatment = found.group(1)
    begun = str(begin(doctor, NHS).headers["location"])
    for path in (treatment, f"{treatment}/timeline", f"{treatment}/patient", begun, "/"):
        assert doctor.get(path, 200).text
    doctor.get(f"{request}/decision.pdf", 200)
    for number in (NHS, "999 007 7002", "999-007-7002", HOSPITAL):
        doctor.send("/patients", "/patients", 303, number=number)
    at = f"{treatment}/patient"
    doctor.send(at, f"{at}/objection", 303, reason=WORDS)
    doctor.send(at, f"{at}/objection/withdraw", 303, reason=WORDS)
    day = {"died_on-day": "1", "died_on-month": "6", "died_on-year": "2026"}
    doctor.send(at, f"{at}/death", 303, **day)
    doctor.send(at, f"{at}/death/take-back", 303, reason=WORDS)
    return treatment


def look_elsewhere(other: Onlooker, treatment: str) -> None:
    """Another hospital: it searches, claims, guesses, breaks the glass, and is refused."""
    other.send("/patients", "/patients", 200, number=NHS)
    claims = "/claims/adalimumab-ra-severe"
    typed = {"nhs_number": NHS, "care_reason": WORDS}
    other.send(claims, claims, 200, **typed, **BORN)
    other.send(claims, claims, 200, **typed, **(BORN | {"birth_date-day": "18"}))
    other.send(claims, claims, 422, **(typed | {"nhs_number": f"{NHS[:-1]}3"}), **BORN)
    other.send(claims, claims, 422, **(typed | {"care_reason": ""}), **BORN)
    glass = {"nhs_number": NHS, "reason": "emergency", "words": WORDS}
    where = other.send("/break-glass", "/break-glass", 303, **glass, **BORN).headers["location"]
    other.get(str(where), 200)
    other.send("/break-glass", "/break-glass", 422, **(glass | {"reason": NAME}), **BORN)
    for path in (treatment, f"{treatment}/timeline", f"{treatment}/patient"):
        other.get(path, 404)
    other.send("/", f"{treatment}/patient/objection", 404, reason=WORDS)


def refuse(doctor: Onlooker, treatment: str) -> None:
    """What is wrong in a form, said twice, of another session, too long; marks in addresses."""
    at = f"{treatment}/patient"
    day = {"died_on-day": "31", "died_on-month": "2", "died_on-year": NHS}
    doctor.send(at, f"{at}/death", 422, **day)
    early = {"died_on-day": "16", "died_on-month": "2", "died_on-year": "1931"}
    doctor.send(at, f"{at}/death", 422, **early)
    doctor.send(at, f"{at}/objection/withdraw", 409, reason=WORDS)
    doctor.send(at, f"{at}/objection", 403, reason=WORDS, csrf=NHS)
    doctor.send(at, f"{at}/objection", 400, reason=WORDS, once=NHS)
    doctor.send(at, f"{at}/objection", 422, **{NHS * 300: NAME})
    too_long = doctor.person.send(at, f"{at}/objection", reason=WORDS * 100)
    assert too_long.status_code in (400, 422), too_long.status_code
    doctor.send("/patients", "/patients", 422, number=" ")
    doctor.send("/patients", "/patients", 422, number=f"{NHS[:-1]}3")
    doctor.at = FORM
    begin(doctor, f"{NHS[:-1]}3")
    begin(doctor, NHS, **{"patient.birth_date-month": "13"})
    for mark in (NHS, HOSPITAL, NAME):
        for path in ADDRESSES:
            doctor.at = path
            doctor.get(path.format(m=mark))
        for query in (f"/start?q={mark}", f"/claims?q={mark}"):
            doctor.get(query, 200)
        doctor.send("/", f"/treatments/{mark}/changes", 400, kind=NAME)


def be_nobody(application: FastAPI, watch: Watch) -> None:
    """Who is not signed in, or tries to be somebody who is not there, with marks in the form."""
    stranger = Onlooker(Person(application, "demo1-clinician"), watch)
    stranger.send("/", "/sign-out", 303)
    for path, fields in (
        ("/patients", {"number": NHS}),
        ("/claims/adalimumab-ra-severe", {"nhs_number": NHS, "care_reason": WORDS}),
        ("/sign-in/demonstration", {"who": NHS}),
        ("/sign-in/back-channel-logout", {"logout_token": NHS}),
    ):
        stranger.at = path
        reply = stranger.person.http.post(path, data=fields)
        assert reply.status_code >= 400, path
    for path in (f"/sign-in?who={NHS}", f"/sign-in/callback?code={NHS}&state={NAME}"):
        stranger.get(path)
    stranger.person.http.close()


def everybody_looks(enter: Enter, watch: Watch, treatment: str) -> None:
    """Payer, auditor, panel: their pages lead nowhere by a mark, and the payer's shows none."""
    for who in ("demq1-commissioner", "demo1-auditor", "demo1-delegate", "demp1-panel-member"):
        one = Onlooker(enter(who), watch)
        for path in ("/", treatment, f"{treatment}/timeline", f"/audit{treatment}", "/audit"):
            shown = one.get(path)
            if who == "demq1-commissioner" and shown.status_code == 200:
                watch.told.append((f"what a payer sees at {path}", html.unescape(shown.text)))
        for report in ("overrides", "best-value", "changed-answers"):
            shown = one.get(f"/reports/{report}")
            if who == "demq1-commissioner":
                watch.told.append((f"a payer's report of {report}", html.unescape(shown.text)))
        one.get("/reports/break-glass")
        one.get("/reports/identifier-access")


@pytest.fixture(params=[ValueError(WORDS), RuntimeError(f"{HOSPITAL} {NHS}")], ids=["value", "run"])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Exception:
    """A use case that fails with the patient in its exception."""

    def fail(*_: Any, **__: Any) -> Any:
        raise request.param

    monkeypatch.setattr("app.approvals.deaths.record_death", fail)
    error: Exception = request.param
    return error


def test_a_page_that_breaks_tells_the_error_by_its_type_only(
    application: FastAPI,
    enter: Enter,
    watch: Watch,
    logged: Callable[[], None],
    spans: InMemorySpanExporter,
    broken: Exception,
) -> None:
    doctor = Onlooker(enter("demo1-clinician"), watch)
    doctor.at = FORM
    draft = str(begin(doctor, NHS).headers["location"]).split("/")[2]
    fill(doctor.person, draft, ANSWERS)
    shown = doctor.send(f"/drafts/{draft}/check", f"/drafts/{draft}/submit", 303)
    treatment = re.search(
        r'href="(/treatments/[0-9a-f-]{36})"', doctor.get(str(shown.headers["location"])).text
    )
    assert treatment is not None
    doctor.person.http._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    at = f"{treatment.group(1)}/patient"
    day = {"died_on-day": "1", "died_on-month": "6", "died_on-year": "2026"}
    doctor.send(at, f"{at}/death", 500, **day)
    logged()
    watch.traced(spans)
    assert type(broken).__name__ in dict(watch.told)["traces"]
    found = leaks(watch)
    assert found == [], "\n".join(found)
