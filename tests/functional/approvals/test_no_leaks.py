"""A marked patient goes through everything that the service does, and through every error.

Her marks may stand in the answers to those who care for her, and nowhere else: not in logs,
metrics, traces, problems, headers, reasons of failed jobs or audit columns outside the erasable
payload.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.db.tables import audit_event, job
from app.db.transaction import Database
from app.db.work import Moment
from app.handlers import make_handlers
from app.housekeeping import forgetting
from app.logs import configure_logs
from app.reconciliation import service
from app.settings import Settings
from app.telemetry import OpenTelemetry
from app.tracing import Tracer
from app.work import run_for_ever, run_next
from tests.functional.approvals.api import Api, answering, good, initiation, without
from tests.functional.approvals.scene import IMPORT_ROW, SUBMISSION_ROW, table, upload

NHS = "9990077002"
HOSPITAL = "MARKED77"
BIRTH = "1931-02-17"
NAME = "Zephaniah"
MARKS = (NHS, "999 007 7002", "999-007-7002", HOSPITAL, BIRTH, "17/02/1931", NAME)
PATIENT = {"birth_date": BIRTH, "sex": "female", "nhs_number": NHS, "local_id": HOSPITAL}
REASON = {"reason": f"{NAME}, born {BIRTH}, {NHS}"}
PLACES: dict[str, dict[str, str]] = {
    "correlation id": {"X-Correlation-ID": NHS},
    "correlation id among others": {"X-Correlation-ID": f"ward/{NHS}=a"},
    "spaced correlation id": {"X-Correlation-ID": "999-007-7002"},
    "request id": {"X-Request-ID": NHS},
    "version": {"If-Match": f'W/"{NHS}"'},
    "token": {"Authorization": f"Bearer {NHS}"},
    "organisation": {"NHSD-End-User-Organisation-ODS": NHS},
    "media type": {"Content-Type": f"application/{NHS}"},
    "own header": {f"X-{NHS}": NAME},
    "browser": {"User-Agent": NAME, "Cookie": f"a={NHS}", "Origin": f"https://{NHS}"},
}
PATHS = (
    "/v1/requests/{m}",
    "/v1/approvals/{m}",
    "/v1/treatments/{m}",
    "/v1/policies/{m}",
    "/v1/policies/{m}/versions/{m}",
    "/v1/runs/{m}/lines",
    "/v1/changes?after={m}",
    "/v1/changes?{m}={m}",
    "/v1/approval-needs?drug={m}",
    "/v1/{m}",
    "/drafts/{m}",
    "/{m}",
)
FORMS: dict[str, bytes] = {
    "malformed": b'{"patient": {"nhs_number": "%s", ' % NHS.encode(),
    "same key twice": b'{"%s": 1, "%s": 2}' % (NHS.encode(), NHS.encode()),
    "too long a number": b'{"a": %s}' % (NHS.encode() * 9),
    "not utf-8": NHS.encode() + b"\xff",
    "not an object": json.dumps([PATIENT, NAME]).encode(),
    "wrong types": json.dumps(initiation() | {"patient": NHS, "policy": [NAME]}).encode(),
    "unknown key": json.dumps(initiation() | {NHS: NAME}).encode(),
    "unknown key inside": json.dumps(
        initiation() | {"patient": PATIENT | {HOSPITAL: NAME, NAME: BIRTH}}
    ).encode(),
    "unknown question": json.dumps(
        answering(initiation(), **{NHS: NAME, "das28_at_start": NHS, "ra_diagnosis": NAME})
    ).encode(),
    "wrong check digit": json.dumps(
        initiation() | {"patient": PATIENT | {"nhs_number": "9990077003"}}
    ).encode(),
    "unknown policy": json.dumps(initiation() | {"policy": NHS}).encode(),
    "unknown commissioner": json.dumps(initiation() | {"commissioner": NHS[:9]}).encode(),
    "unknown reason": json.dumps(initiation() | {"retrospective_reason": NAME}).encode(),
}


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> Tracer:
    return OpenTelemetry(SimpleSpanProcessor(spans))


class Watch:
    """What the service told outside, with the caller's own answers left out."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def reply(self, what: str, reply: Response) -> Response:
        self.told.append((f"{what}: headers", str(dict(reply.headers))))
        if reply.status_code >= 400:
            self.told.append((f"{what}: {reply.status_code}", reply.text))
        return reply

    def traced(self, spans: InMemorySpanExporter) -> None:
        """Everything that a collector would be sent: names, attributes, events, links, states."""
        told = [span.to_json() for span in spans.get_finished_spans()]
        self.told.append(("traces", "\n".join(told)))

    def leaks(self) -> list[str]:
        return [
            f"{where} holds {mark}" for where, text in self.told for mark in MARKS if mark in text
        ]


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture(autouse=True)
def logged(
    watch: Watch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Iterator[Callable[[], None]]:
    """Log as the service does, at its most talkative, and give all of it to the watch."""
    before = structlog.get_config()
    configure_logs("debug")
    structlog.configure(cache_logger_on_first_use=False)  # else other tests would keep it
    caplog.set_level(logging.DEBUG, logger="assent")

    def collect() -> None:
        out, err = capfd.readouterr()
        watch.told += [("stdout", out), ("stderr", err), ("logging", caplog.text)]

    yield collect
    structlog.configure(**before)


def test_no_mark_of_a_patient_leaves_where_it_should_not(
    people: Mapping[str, Api],
    application: FastAPI,
    watch: Watch,
    logged: Callable[[], None],
    database: Database,
    moment: Moment,
    spans: InMemorySpanExporter,
) -> None:
    client = people["clinician"].client
    walk_the_path(people, watch)
    send_what_is_wrong(people["clinician"], watch)
    put_marks_everywhere(people["clinician"], watch)
    work_off(people, application, watch)

    watch.told.append(("metrics", client.get("/metrics").text))
    columns = [c for c in audit_event.c if c.name not in ("id", "hmac")]
    for query, where in ((sa.select(*columns), "audit"), (sa.select(job.c.error), "job")):
        rows = database.read(lambda work, q=query: work.connection.execute(q).all(), moment=moment)
        watch.told.append((where, str(rows)))
    logged()
    watch.traced(spans)
    assert "answered" in dict(watch.told)["stderr"]
    names = {span.name for span in spans.get_finished_spans()}
    assert {
        "POST /v1/requests",
        "GET /v1/treatments/{id}",
        "POST (no route)",
        "other /v1/policies",
        "write api.requests.submit",
        f"job {service.JOB}",
        "chore forget what is past its time",
    } <= names
    assert watch.leaks() == [], "\n".join(watch.leaks())


def walk_the_path(people: Mapping[str, Api], watch: Watch) -> None:
    """Submit, refuse, amend, search, claim, withdraw, read: each with the marked patient."""
    clinician = people["clinician"]
    form = initiation(1, patient=PATIENT)

    def post(path: str, body: Any, who: str = "clinician", **more: Any) -> Response:
        return watch.reply(path, people[who].post(path, body, **more))

    good(post("/v1/checks", form))
    asked = good(post("/v1/requests", without(form, "das28_at_start")), 201)
    at = f"/v1/requests/{asked['id']}"
    amended = good(
        post(f"{at}/amend", {"answers": {"das28_at_start": "4.9"}}, version=asked["version"])
    )
    assert amended["state"] == "criteria not met"
    post(f"{at}/escalate", REASON, version=amended["version"])
    approved = good(post("/v1/requests", form), 201)
    assert approved["approval"]
    post("/v1/requests", form)  # already approved
    post("/v1/requests", form, "other clinician")
    for wrong in ({"birth_date": "1931-02-18"}, {"nhs_number": None, "local_id": HOSPITAL}):
        post("/v1/requests", initiation(1, patient=PATIENT | wrong))
    post("/v1/searches", {"nhs_number": NHS})
    post("/v1/searches", {"local_id": HOSPITAL})
    post("/v1/searches", {"nhs_number": "9990077003"})
    known = {"policy": form["policy"], "kind": "initiation", "decision_to_treat": "2026-06-10"}
    post("/v1/known-answers", known | {"birth_date": BIRTH, "nhs_number": NHS})
    existence = {"nhs_number": NHS, "birth_date": BIRTH, "drug": "adalimumab", "indication": "ra"}
    for who in ("clinician", "other clinician"):
        post("/v1/approval-existence", existence | {"care_reason": REASON["reason"]}, who)
    here = f"/v1/requests/{approved['id']}"
    post(f"{here}/withdraw", REASON, version=approved["version"])
    post(f"{here}/correct", {"answers": {NHS: NAME}, **REASON}, version=approved["version"])
    for path in (here, f"/v1/treatments/{approved['treatment_id']}"):
        watch.reply(path, clinician.get(path))
        watch.reply(path, people["third pharmacist"].get(path))


def send_what_is_wrong(clinician: Api, watch: Watch) -> None:
    """Every malformed form, to every door that takes one."""
    for name, body in FORMS.items():
        for path in ("/v1/requests", "/v1/checks", "/v1/searches", "/v1/drafts"):
            reply = watch.reply(f"{name} to {path}", clinician.post(path, body))
            assert 400 <= reply.status_code < 500 or name == "unknown question", (name, path)


def put_marks_everywhere(clinician: Api, watch: Watch) -> None:
    """The NHS number where nobody expects it: headers, addresses, methods."""
    for name, headers in PLACES.items():
        for path in ("/v1/policies", "/v1/nothing"):
            sent = {"Authorization": f"Bearer {clinician.token}"} | headers
            watch.reply(name, clinician.client.get(path, headers=sent))
        watch.reply(name, clinician.post("/v1/requests", initiation(2), **headers))
    for mark in (NHS, HOSPITAL, NAME):
        for path in PATHS:
            watch.reply(path, clinician.get(path.format(m=mark)))
            watch.reply(path, clinician.post(path.format(m=mark), REASON))
    watch.reply("method", clinician.client.request(NHS, "/v1/policies"))


def work_off(people: Mapping[str, Api], application: FastAPI, watch: Watch) -> None:
    """Imports and submissions with the patient in them: one that works, those that fail."""
    marked = {"NHS NUMBER": NHS, "PERSON BIRTH DATE": BIRTH}
    row = IMPORT_ROW | {"NHS No": NHS, "Hospital No": HOSPITAL, "DoB": "17/02/1931"}
    for cells in (row, row | {"Drug": NAME, "Date approved": NHS}, {NHS: NAME}):
        reply = watch.reply("import", upload(people["pharmacist"], "/v1/imports", table(cells)))
        if reply.status_code == 201:
            assert not [mark for mark in MARKS if mark in reply.text]
            where = f"/v1/imports/{reply.json()['id']}/accept"
            watch.reply("accept", people["pharmacist"].post(where))
    handlers = make_handlers(application.state.desk)
    for cost in ("300.00", "301.00"):
        cells = SUBMISSION_ROW | marked | {"TOTAL COST": cost, "DRUG NAME": f"Humira {NAME}"}
        sent = upload(people["commissioner"], "/v1/submissions", table(cells))
        watch.reply("submission", sent)
        if cost == "301.00":
            _remove_files(application)
        while run_next(application.state.door, handlers):
            pass
    watch.reply("garbage", upload(people["commissioner"], "/v1/submissions", NHS.encode()))
    _fail_within(people, application)
    chore = forgetting(Settings(demonstration=True))
    run_for_ever(application.state.door, {}, pause=lambda _: True, chores=[chore])


def _remove_files(application: FastAPI) -> None:
    root = Path(application.state.settings.data_dir)
    for path in root.rglob("*"):
        if path.is_file() and "submissions" in path.parts:
            path.unlink()


def _fail_within(people: Mapping[str, Api], application: FastAPI) -> None:
    """A worker whose handler fails with the patient in its exception."""

    def broken(_: Any) -> Any:
        try:
            raise KeyError(f"{NHS} {NAME}")
        except KeyError as error:
            raise RuntimeError(f"{HOSPITAL} born {BIRTH}") from error

    upload(people["commissioner"], "/v1/submissions", table(SUBMISSION_ROW))
    while run_next(application.state.door, {service.JOB: broken}):
        pass


@pytest.mark.parametrize(
    "error",
    [
        sa.exc.IntegrityError("INSERT INTO patient", {"nhs_number": NHS}, Exception(NHS)),
        sa.exc.OperationalError("SELECT", {"local_id": HOSPITAL}, Exception(f"row {HOSPITAL}")),
        sa.exc.DataError("UPDATE", {"birth_date": BIRTH}, Exception(f"bad {BIRTH}")),
        ValueError(f"{NAME} is no number"),
        RuntimeError(f"{NHS} {HOSPITAL} {BIRTH}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_quotes_the_patient_is_told_by_its_type_only(
    people: Mapping[str, Api],
    application: FastAPI,
    watch: Watch,
    logged: Callable[[], None],
    spans: InMemorySpanExporter,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("app.approvals.submitting.submit_initiation", fail)
    api = people["clinician"]
    with TestClient(application, raise_server_exceptions=False) as client:
        reply = Api(client, api.token).post("/v1/requests", initiation(1, patient=PATIENT))
    watch.reply("error", reply)
    watch.told.append(("metrics", api.client.get("/metrics").text))
    logged()
    watch.traced(spans)

    assert reply.status_code in (500, 503)
    assert f'"error.type": "{type(error).__name__}"' in dict(watch.told)["traces"]
    assert type(error).__name__ in dict(watch.told)["stderr"] or reply.status_code == 503
    assert watch.leaks() == [], "\n".join(watch.leaks())


def test_the_watch_sees_a_leak(watch: Watch) -> None:
    watch.told.append(("log", f"searched for {NHS}"))
    assert watch.leaks() == [f"log holds {NHS}"]
