"""The checks can fail: what is deleted behind the service's back is told of, by its name."""

import sqlite3
from pathlib import Path

import pytest

from app.approvals.office import Office
from app.db.transaction import Database
from app.db.work import Moment
from tests.conftest import AUDIT_KEY
from tests.faults.checks import Findings, check
from tests.faults.ledger import Call, Ledger, Reply
from tests.integration.approvals.test_machine import trial_library
from tests.world import World


@pytest.fixture
def world(sqlite_database: Database, moment: Moment, ids, random_bytes) -> World:  # type: ignore[no-untyped-def]
    office = Office(trial_library(), demonstration=True)
    made = World(sqlite_database, office, moment, ids, random_bytes)
    made.trial()
    return made


def checked(world: World, told: Ledger, files: Path) -> Findings:
    return world.database.read(
        lambda work: check(work, told, set(), files, AUDIT_KEY), moment=world.moment
    )


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("segment", "an approval without a segment"),
        ("live_treatment", "a live approval whose treatment is not marked live"),
        ("decision", "an initiation without a decision"),
        ("approval", "an approved initiation without its approval"),
        ("request_revision", "a request without its answers"),
        ("request", "a treatment without a request"),
    ],
)
def test_what_is_half_there_is_found(world: World, tmp_path: Path, table: str, what: str) -> None:
    assert checked(world, Ledger(), tmp_path).half == []

    with sqlite3.connect(str(world.database.engine.url.database)) as behind:
        behind.execute(f"DELETE FROM {table}")

    assert what in {found.split(": ")[0] for found in checked(world, Ledger(), tmp_path).half}


def test_an_acknowledgement_without_its_rows_is_a_loss(world: World, tmp_path: Path) -> None:
    told = Ledger()
    call = Call("initiation", "/v1/requests", b"{}", "token", "an-id-of-a-call")
    told.keep(call, Reply(201, b'{"id": "not-there", "decisions": [], "approval": null}'))

    assert checked(world, told, tmp_path).lost == [
        "initiation an-id-of-a-call: its answer is not kept",
        "initiation an-id-of-a-call: the request is not there",
    ]


def test_a_request_that_no_answer_tells_of_is_one_too_many(world: World, tmp_path: Path) -> None:
    assert len(checked(world, Ledger(), tmp_path).twice) == 1
