"""Break-glass: another hospital reads, for a time, for a reason, and all concerned are told."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.approvals.break_glass import report
from app.auth.model import Caller, Role
from app.commands.reports import break_glass_lines
from app.db.tables import audit_event, audit_payload, break_glass
from app.db.transaction import Database
from app.db.work import Moment
from app.reference_data.nhs_number import format_nhs_number
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.conftest import token_of
from tests.functional.approvals.scene import BREAK_GLASS, HOSPITAL_NUMBER, Scene
from tests.patience import tries

PERIOD = {"from": "2026-06-01", "to": "2026-06-30"}
NOBODY = invented_nhs_number(777)
#: What finds nothing → the part of a declaration that is changed for it.
GUESSES: dict[str, dict[str, str]] = {
    "wrong birth date": {"birth_date": "1970-01-02"},
    "unknown number": {"nhs_number": NOBODY},
}


@pytest.fixture
def held(people: Mapping[str, Api]) -> dict[str, Any]:
    """A treatment of DEMO1."""
    body: dict[str, Any] = good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    return body


def opened(api: Api, **changes: str) -> dict[str, Any]:
    reply: dict[str, Any] = good(api.post("/v1/break-glass", BREAK_GLASS | changes))
    return reply


def record(api: Api, told: dict[str, Any]) -> Any:
    return api.get(f"/v1/break-glass/{told['grant']['id']}/record")


def test_whoever_opens_it_reads_treatments_approvals_and_decisions(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    other = people["other clinician"]
    told = opened(other)
    assert told["grant"]["state"] == "open"
    assert told["grant"]["expires_at"].startswith("2026-06-15T13:30:00")  # four hours, unless set
    found = good(record(other, told))
    assert [each["id"] for each in found["treatments"]] == [held["treatment_id"]]
    assert found["treatments"][0]["approvals"][0]["reference"] == held["approval"]["reference"]
    (request,) = found["requests"]
    assert request["id"] == held["id"]
    assert request["decisions"][0]["findings"]
    assert request["answers"]["das28_at_start"]["value"] == "6.0"
    assert found["patient"]["birth_date"] == "1970-01-01"


def test_it_opens_nothing_anywhere_else_and_nothing_to_be_written(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    other = people["other clinician"]
    record(other, opened(other))
    for path in ("requests/" + held["id"], "treatments/" + held["treatment_id"]):
        assert other.get(f"/v1/{path}").status_code == 404
    dose = {"first_dose": "2026-06-15"}
    at = f"/v1/treatments/{held['treatment_id']}/first-dose"
    assert other.post(at, dose, version=1).status_code == 404
    hits = good(other.post("/v1/searches", {"nhs_number": BREAK_GLASS["nhs_number"]}))["hits"]
    assert hits == []


@pytest.mark.parametrize("who", ["other pharmacist", "third pharmacist", "clinician"])
def test_it_opens_to_nobody_but_who_declared_it(
    people: Mapping[str, Api], held: dict[str, Any], who: str
) -> None:
    told = opened(people["other clinician"])
    assert record(people[who], told).status_code == 404
    end = f"/v1/break-glass/{told['grant']['id']}/end"
    assert people[who].post(end).status_code == 404


def test_its_time_is_over_after_the_minutes_and_is_worked_out(
    people: Mapping[str, Api], held: dict[str, Any], clock: Clock, application: FastAPI
) -> None:
    other = people["other clinician"]
    told = opened(other)
    clock.instant += dt.timedelta(minutes=239, seconds=59)
    good(record(other, told))
    clock.instant += dt.timedelta(seconds=1)
    reply = record(other, told)
    assert (reply.status_code, reply.json()["code"]) == (409, "break-glass-over")
    (line,) = good(people["other auditor"].get("/v1/reports/break-glass", **PERIOD))["rows"]
    assert line["state"] == "expired"


def test_it_is_ended_early(people: Mapping[str, Api], held: dict[str, Any]) -> None:
    other = people["other clinician"]
    told = opened(other)
    at = f"/v1/break-glass/{told['grant']['id']}/end"
    assert good(other.post(at))["state"] == "ended early"
    assert record(other, told).status_code == other.post(at).status_code == 409


def test_an_auditor_ends_what_another_of_the_same_organisation_opened(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    other = people["other clinician"]
    told = opened(other)
    at = f"/v1/break-glass/{told['grant']['id']}/end"
    assert people["auditor"].post(at).status_code == 404  # of the hospital that holds it
    assert good(people["other auditor"].post(at))["state"] == "ended early"
    assert record(other, told).status_code == 409
    assert record(people["other auditor"], told).status_code == 403  # to end is not to read


@pytest.mark.parametrize("guess", sorted(GUESSES))
def test_a_guess_tells_nothing_and_leaves_a_trace(
    people: Mapping[str, Api],
    held: dict[str, Any],
    guess: str,
    database: Database,
    moment: Moment,
) -> None:
    other = people["other clinician"]
    told = opened(other, **GUESSES[guess])
    plain = opened(other, nhs_number=NOBODY, birth_date="1999-01-01")
    assert told == plain
    assert (told["found"], told["grant"]) == (False, None)

    def look(work: Any) -> tuple[int, list[str]]:
        count = sa.select(sa.func.count()).select_from(break_glass)
        body = sa.select(audit_payload.c.body).join(
            audit_event, audit_event.c.payload_id == audit_payload.c.id
        )
        tried = body.where(audit_event.c.action == "break-glass opened nothing")
        found = work.connection.execute
        return found(count).scalar_one(), list(found(tried).scalars())

    rows, bodies = database.read(look, moment=moment)
    assert (rows, len(bodies)) == (0, 2)
    assert not any(BREAK_GLASS["nhs_number"] in body or NOBODY in body for body in bodies)


def test_ones_own_treatments_are_not_opened(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    assert opened(people["clinician"])["found"] is False


@pytest.mark.parametrize(
    "changes", [{"reason": "curious"}, {"words": " "}, {"words": None}, {"reason": None}]
)
def test_it_takes_a_reason_in_code_and_in_words(
    people: Mapping[str, Api], held: dict[str, Any], changes: dict[str, Any]
) -> None:
    body = {k: v for k, v in (BREAK_GLASS | changes).items() if v is not None}
    assert people["other clinician"].post("/v1/break-glass", body).status_code == 422


def test_too_many_declarations_are_refused_and_guesses_count(
    people: Mapping[str, Api], held: dict[str, Any], clock: Clock
) -> None:
    other = people["other clinician"]
    for _ in range(9):
        opened(other, **GUESSES["wrong birth date"])
    opened(other)
    reply = other.post("/v1/break-glass", BREAK_GLASS)
    assert reply.status_code == 429
    assert int(reply.headers["Retry-After"]) > 0
    opened(people["other pharmacist"])  # the limit is each caller's own
    clock.instant += dt.timedelta(hours=1, seconds=1)
    opened(other)


def test_the_holder_is_told_by_its_feed_who_opened_it_and_that_it_ended(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    other = people["other clinician"]
    told = opened(other)
    good(other.post(f"/v1/break-glass/{told['grant']['id']}/end"))
    found: list[Any] = []
    for _ in tries():  # on PostgreSQL the feed waits for older transactions, another test's too
        changes = good(people["clinician"].get("/v1/changes", limit=500))["changes"]
        found = [each for each in changes if each["action"].startswith("break-glass")]
        if len(found) == 2:
            break
    assert [(each["action"], each["organisation"], each["treatment_id"]) for each in found] == [
        ("break-glass opened", "DEMO2", held["treatment_id"]),
        ("break-glass ended", "DEMO2", held["treatment_id"]),
    ]
    assert good(other.get("/v1/changes"))["changes"] == []


def test_the_auditors_of_the_opener_and_of_the_holder_read_the_report_and_no_other(
    people: Mapping[str, Api], held: dict[str, Any], application: FastAPI
) -> None:
    number = BREAK_GLASS["nhs_number"]
    words = f"Bleeding, {number} ({format_nhs_number(number)}), born 01/01/1970, {HOSPITAL_NUMBER}."
    other = people["other clinician"]
    told = opened(other, words=words)
    good(record(other, told))
    at = "/v1/reports/break-glass"
    (ours,) = good(people["other auditor"].get(at, **PERIOD))["rows"]
    (theirs,) = good(people["auditor"].get(at, **PERIOD))["rows"]
    assert (ours["opened_by_us"], theirs["opened_by_us"]) == (True, False)
    assert theirs | {"opened_by_us": True} == ours
    assert (ours["times_read"], ours["organisation"], ours["reason"]) == (1, "DEMO2", "emergency")
    assert ours["words"] == "Bleeding, [hidden] ([hidden]), born 1970, [hidden]."
    outside = {"from": "2026-06-16", "to": "2026-06-30"}
    assert good(people["other auditor"].get(at, **outside))["rows"] == []


def test_a_reading_counts_for_the_declaration_that_it_was_made_by_and_no_other(
    people: Mapping[str, Api], held: dict[str, Any], clock: Clock
) -> None:
    other = people["other clinician"]
    first, second = opened(other), opened(other, reason="adverse effect")
    for told, times in ((first, 2), (second, 1)):
        for _ in range(times):
            clock.instant += dt.timedelta(minutes=1)
            good(record(other, told))
    rows = good(people["auditor"].get("/v1/reports/break-glass", **PERIOD))["rows"]
    read = {each["id"]: each["times_read"] for each in rows}
    assert read == {first["grant"]["id"]: 2, second["grant"]["id"]: 1}


def test_the_command_line_prints_the_report_without_the_words(
    people: Mapping[str, Api], held: dict[str, Any], database: Database, moment: Moment
) -> None:
    other = people["other clinician"]
    good(record(other, opened(other)))
    auditor = Caller("1", "Officer", "person", "DEMO1", Role.AUDITOR, "tests", "test")
    days = (dt.date(2026, 6, 15), dt.date(2026, 6, 15))
    found = database.read(lambda work: report(work, auditor, *days), moment=moment)
    (line,) = break_glass_lines(found)
    assert line.startswith("2026-06-15 09:30 UTC DEMO2 ")
    assert "(clinician), emergency: open, read 1 times; it opened what this provider" in line
    assert BREAK_GLASS["words"] not in line


def test_a_repeat_with_the_same_request_id_opens_it_once(
    people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    other, name = people["other clinician"], "3f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
    first = other.post("/v1/break-glass", BREAK_GLASS, request_id=name)
    again = other.post("/v1/break-glass", BREAK_GLASS, request_id=name)
    assert first.text == again.text


def test_on_postgresql_the_database_shows_a_declaration_to_its_parties_only(
    people: Mapping[str, Api], scene: Scene, database: Database, moment: Moment
) -> None:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no row-level security")

    def count(work: Any) -> int:
        query = sa.select(sa.func.count()).select_from(break_glass)
        return int(work.connection.execute(query).scalar_one())

    def spoil(work: Any) -> int:
        return int(work.connection.execute(sa.update(break_glass).values(minutes=9999)).rowcount)

    seen = {who: database.read(count, moment=moment, scope=who) for who in ("DEMO1", "DEMO2")}
    assert seen == {"DEMO1": 1, "DEMO2": 1}
    assert database.read(count, moment=moment, scope="DEMO3") == 0
    drawn = {"moment": moment, "new_id": lambda: "x", "random_bytes": bytes}
    assert database.transact(spoil, scope="DEMO1", **drawn) == 0  # a holder reads, and no more


def test_the_wall_is_whole_again_after_a_reading(
    application: FastAPI, people: Mapping[str, Api], held: dict[str, Any]
) -> None:
    """What a grant opens is read in one place; the same connection then shows nothing again."""
    other = people["other clinician"]
    told = opened(other)
    with TestClient(application) as client:
        again = Api(client, token_of("other clinician"))
        for _ in range(3):
            good(record(again, told))
            assert again.get(f"/v1/treatments/{held['treatment_id']}").status_code == 404
