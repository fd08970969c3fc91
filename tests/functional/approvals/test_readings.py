"""Whoever reads a patient's record leaves an audit event: who, for whom, what, in which call."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.audit import READING
from app.db.tables import audit_event, audit_payload
from app.db.transaction import Database
from app.db.work import Moment
from app.story import story_of
from tests.functional.approvals.api import Api, follow, good, initiation
from tests.functional.approvals.conftest import PEOPLE
from tests.functional.approvals.scene import Scene
from tests.functional.approvals.test_outsiders import KNOWN, PLANNED, STOP, TABLE

#: A call that tells of a patient → who makes it, its body, and the event that it must leave.
READINGS: dict[str, tuple[str, Any, str]] = {
    "GET /v1/requests/{id}": ("clinician", None, "request read"),
    "GET /v1/requests/{id}/audit": ("auditor", None, "audit trail read"),
    "GET /v1/requests/{id}/attachments": ("clinician", None, "attachments listed"),
    "GET /v1/requests/{id}/attachments/{attachment}": ("clinician", None, "attachment read"),
    "GET /v1/treatments/{id}": ("commissioner", None, "treatment read"),
    "GET /v1/treatments/{id}/timeline": ("commissioner", None, "timeline read"),
    "GET /v1/break-glass/{id}/record": ("other pharmacist", None, "read by break-glass"),
    "GET /v1/approvals/{reference}": ("pharmacist", None, "approval read"),
    "GET /v1/drafts/{id}": ("delegate", None, "draft read"),
    "GET /v1/imports/{id}": ("pharmacist", None, "import read"),
    "GET /v1/runs/{run}/lines": ("commissioner", None, "run lines read"),
    "GET /v1/runs/{run}/file": ("commissioner", None, "run file read"),
    "GET /v1/worklists/{name}": ("commissioner", None, "worklist read"),
    "GET /v1/runs/{run}/export": ("commissioner", None, "run exported"),
    "GET /v1/runs/{run}/lines/{row}": ("commissioner", None, "run line read"),
    "GET /v1/runs/{run}/linkage-proposals": ("commissioner", None, "linkage proposals read"),
    "GET /v1/slice-deltas": ("commissioner", None, "deltas read"),
    "GET /v1/slice-deltas/export": ("commissioner", None, "deltas exported"),
    "GET /v1/challenges/{id}": ("commissioner", None, "challenge read"),
    "POST /v1/searches": ("delegate", {}, "searched"),
    "POST /v1/known-answers": ("clinician", KNOWN, "known answers read"),
    "POST /v1/supply-checks": ("clinician", PLANNED, "supplies checked before invoicing"),
    "POST /v1/checks": ("delegate", initiation(1), "checked without submitting"),
    "POST /v1/treatments/{id}/checks": ("clinician", STOP, "checked without submitting"),
}
#: Reads that tell of no patient: the library, the feed's and drafts' ids, counts and totals.
NOTHING_OF_PATIENTS = {
    "GET /v1/challenges",
    "GET /v1/line-decisions",
    "GET /v1/unknown-drug-names",
    "GET /v1/drug-names",
    "GET /v1/contract-terms",
    "GET /v1/agreed-prices",
    "GET /v1/supply-terms",
    "GET /v1/responsible-commissioners",
    "GET /v1/drafts",
    "GET /v1/reports/identifier-access",
    "GET /v1/reports/break-glass",
    "GET /v1/policies",
    "GET /v1/policies/{policy}",
    "GET /v1/policies/{policy}/versions/{version}",
    "GET /v1/policies/{policy}/versions/{version}/questions",
    "GET /v1/policies/{policy}/versions/{version}/text",
    "GET /v1/policies/{policy}/adoptions",
    "GET /v1/adoption-proposals",
    "GET /v1/adoption-proposals/{id}",
    "GET /v1/hand-overs",
    "GET /v1/hand-over-proposals",
    "GET /v1/hand-over-proposals/{id}",
    "GET /v1/approval-needs",
    "GET /v1/changes",
    "GET /v1/reports/overrides",
    "GET /v1/reports/best-value",
    "GET /v1/submissions",
    "GET /v1/slices",
    "GET /v1/calendar",
    "GET /v1/stated-totals",
    "GET /v1/submissions/{submission}",
    "GET /v1/jobs/{job}",
    "GET /v1/runs/{run}",
    "GET /v1/runs/{run}/summary.txt",
    "GET /v1/runs/{run}/summary.csv",
    "GET /v1/administration/people",
    "GET /v1/administration/clients",
    "GET /v1/administration/callers",
    "GET /v1/administration/settings",
    "GET /v1/administration/proposals",
}


def readings(database: Database, moment: Moment) -> list[Any]:
    query = (
        sa.select(audit_event, audit_payload.c.body, audit_payload.c.patient_id)
        .outerjoin_from(audit_event, audit_payload, audit_event.c.payload_id == audit_payload.c.id)
        .where(audit_event.c.object_type == READING)
        .order_by(audit_event.c.id)
    )
    return database.read(lambda work: list(work.connection.execute(query)), moment=moment)


def call(api: Api, scene: Scene, operation: str, body: Any) -> Any:
    method, template = operation.split(" ")
    path = scene.path(template)
    return api.get(path) if method == "GET" else api.post(path, body)


def test_every_read_is_either_audited_or_tells_of_no_patient() -> None:
    reads = {operation for operation in TABLE if operation.startswith("GET ")}
    assert reads == {name for name in READINGS if name.startswith("GET ")} | NOTHING_OF_PATIENTS


def test_each_read_leaves_one_event_with_who_for_whom_and_in_which_call(
    people: Mapping[str, Api], scene: Scene, database: Database, moment: Moment
) -> None:
    for operation, (who, body, action) in READINGS.items():
        before = len(readings(database, moment))
        reply = call(people[who], scene, operation, body)
        assert reply.status_code == 200, f"{operation}: {reply.text}"
        found = readings(database, moment)[before:]
        assert [row.action for row in found] == [action], operation
        (row,) = found
        organisation, role = PEOPLE[who]
        assert (row.organisation, row.role, row.object_number) == (organisation, role, 1)
        assert row.correlation_id == reply.headers["X-Correlation-ID"]
        assert row.actor
        assert row.client


def test_a_reading_names_what_was_read(
    people: Mapping[str, Api], scene: Scene, database: Database, moment: Moment
) -> None:
    for operation, (who, body, _) in READINGS.items():
        call(people[who], scene, operation, body)
    named = {row.action: row for row in readings(database, moment)}

    assert named["request read"].request_id == scene.request
    assert named["request read"].treatment_id == scene.treatment
    assert named["approval read"].request_id == scene.request
    assert named["treatment read"].treatment_id == scene.treatment
    assert named["read by break-glass"].treatment_id == scene.treatment
    assert scene.break_glass in named["read by break-glass"].body
    assert scene.run in named["run file read"].body
    assert scene.run in named["run lines read"].body
    assert scene.imported in named["import read"].body
    assert scene.treatment in named["searched"].body
    assert named["known answers read"].patient_id == scene.patient


def test_a_dry_run_says_what_it_would_have_given_and_never_the_answers(
    people: Mapping[str, Api], scene: Scene, database: Database, moment: Moment
) -> None:
    people["clinician"].post("/v1/checks", initiation(1))

    (row,) = [r for r in readings(database, moment) if r.action == "checked without submitting"]
    assert '"outcome":"approved"' in row.body
    assert "das28" not in row.body


def test_a_record_that_is_not_shown_leaves_no_reading(
    people: Mapping[str, Api], scene: Scene, database: Database, moment: Moment
) -> None:
    before = len(readings(database, moment))
    for operation, (_, _, action) in READINGS.items():
        if "{" in operation and action != "checked without submitting":
            reply = call(people["other clinician"], scene, operation, None)
            assert reply.status_code in (403, 404), operation
    assert len(readings(database, moment)) == before


def test_the_reads_of_a_request_stand_in_its_trail_and_in_the_patients_story(
    people: Mapping[str, Api],
    scene: Scene,
    application: FastAPI,
    database: Database,
    moment: Moment,
) -> None:
    good(people["commissioner"].get(f"/v1/requests/{scene.request}"))
    trail = good(people["auditor"].get(f"/v1/requests/{scene.request}/audit"))["entries"]
    files = application.state.desk.files
    told = database.read(lambda work: story_of(work, files, scene.patient), moment=moment).told

    read = [entry for entry in trail if entry["action"] == "request read"]
    assert [entry["actor"]["organisation"] for entry in read] == ["DEMQ1"]
    assert "request read" in {each.entry.action for each in told}


def test_the_change_feed_tells_of_no_reading(
    people: Mapping[str, Api], scene: Scene, database: Database, moment: Moment
) -> None:
    body = good(people["clinician"].post("/v1/requests", initiation(9)), 201)
    for operation, (who, sent, _) in READINGS.items():
        call(people[who], scene, operation, sent)
    good(people["clinician"].get(f"/v1/requests/{body['id']}"))
    last = good(people["clinician"].post("/v1/requests", initiation(10)), 201)

    seen, _ = follow(people["clinician"], None, last["id"])

    assert READING not in {change["object_type"] for change in seen}


@pytest.mark.parametrize("at", ["/v1/requests/{request}", "/v1/treatments/{treatment}"])
def test_no_answer_goes_out_when_its_event_cannot_be_kept(
    people: Mapping[str, Api],
    scene: Scene,
    application: FastAPI,
    at: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise sa.exc.OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr("app.api.reading.record_reading", broken)
    reply = people["clinician"].get(at.format(request=scene.request, treatment=scene.treatment))

    assert reply.status_code == 503
    assert scene.treatment not in reply.text


def test_readers_do_not_wait_for_whoever_holds_the_record(
    people: Mapping[str, Api], scene: Scene, database: Database
) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer: there a reading waits for its turn to be noted")
    with database.engine.connect() as held, held.begin():
        held.execute(sa.text("SET LOCAL app.organisation = '*'"))
        held.execute(sa.text("SELECT id FROM request FOR UPDATE"))
        held.execute(sa.text("SELECT id FROM treatment FOR UPDATE"))
        reply = people["clinician"].get(f"/v1/requests/{scene.request}")
    assert reply.status_code == 200
