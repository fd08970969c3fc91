"""`assent audit …` as an operator uses it, on a real database file, and the worker's sealing."""

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.audit import Keyring, checkpoints, merkle
from app.audit.verify_seals import unsealed
from app.cli import app
from app.db.engine import make_engine
from app.db.transaction import Database
from app.door import Door
from app.sealer import Sealer, sealing
from app.settings import DEMONSTRATION_AUDIT_KEY, Settings
from app.work import run_for_ever
from tests.integration.audit.rows import drop_triggers, note

KEY = DEMONSTRATION_AUDIT_KEY.encode()


@pytest.fixture
def door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lay_database: Callable[[Path], None]
) -> Iterator[Door]:
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ASSENT_CHECKPOINTS_DIR", str(tmp_path / "elsewhere"))
    lay_database(tmp_path)
    engine = make_engine(f"sqlite:///{tmp_path / 'assent.db'}")
    door = Door(Database(engine, KEY))
    door.transact(lambda work: [note(work), note(work), note(work, "r-2", patient_id="p-2")])
    yield door
    engine.dispose()


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["audit", *words])
    return done.exit_code, done.stdout, done.stderr


def test_sealing_says_what_it_sealed_and_keeps_a_checkpoint(door: Door, tmp_path: Path) -> None:
    code, out, _ = run("seal")
    assert (code, out.startswith("seal 1: 3 rows, root ")) == (0, True)
    assert run("seal")[1] == "nothing waits to be sealed\n"
    kept = list(checkpoints.read(tmp_path / "elsewhere" / checkpoints.FILE, Keyring.of(KEY)))
    assert [(each.number, each.events) for each in kept] == [(1, 3)]


def test_verifying_says_that_all_is_well(door: Door) -> None:
    run("seal")
    code, out, _ = run("verify")
    assert code == 0
    assert out.splitlines() == [
        "1 checkpoints held against the log; 0 rows not sealed yet",
        "the audit log is as it was written",
    ]


def test_verifying_names_the_first_row_that_was_changed(door: Door) -> None:
    run("seal")
    drop_triggers(door.database.engine)
    with door.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE audit_event SET action = 'approve' WHERE id = 2")
    code, _, told = run("verify")
    assert code == 3
    assert told.splitlines()[0] == (
        "2 faults; the first: row 2 (request r-1, its event 2): the row is not as it was signed"
    )


def test_verifying_finds_a_cut_off_end_by_the_checkpoints(door: Door, tmp_path: Path) -> None:
    run("seal")
    drop_triggers(door.database.engine)
    with door.database.engine.begin() as connection:
        for table in ("audit_event", "audit_payload", "audit_seal"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    code, _, told = run("verify")
    assert (code, "the log is cut off" in told) == (3, True)
    (tmp_path / "elsewhere" / checkpoints.FILE).unlink()
    assert run("verify")[0] == 0  # without them nothing in the database tells


def test_a_file_of_checkpoints_that_was_changed_is_not_relied_on(
    door: Door, tmp_path: Path
) -> None:
    run("seal")
    path = tmp_path / "elsewhere" / checkpoints.FILE
    path.write_text(path.read_text().replace('"events":3', '"events":2'))
    code, _, told = run("verify", "--checkpoints", str(path))
    assert code == 2
    assert "line 1 is not as it was signed" in told


def test_a_restore_opens_an_epoch_with_its_reason(door: Door) -> None:
    run("seal")
    assert run("open-epoch", "--reason", " ")[0] == 3
    assert run("open-epoch", "--reason", "Monday's backup restored.")[1] == "epoch 2 is open\n"
    door.transact(note)
    assert run("seal")[0] == 0
    assert run("verify")[0] == 0


def test_an_export_tells_the_story_and_each_events_proof_holds(door: Door) -> None:
    run("seal")
    code, out, _ = run("export", "--request", "r-1", "--reason", "Asked for.", "--json")
    assert code == 0
    events = json.loads(out)
    assert [event["number"] for event in events] == [1, 2]
    for event in events:
        proof = event["proof"]
        place = (proof["leaf"], proof["index"], proof["of"], proof["path"])
        assert merkle.leads_to(*place, proof["root"])
    assert "state: draft → submitted" in run("export", "--request", "r-1", "--reason", "x")[1]


def test_an_export_is_audited_itself_and_needs_its_reason(door: Door) -> None:
    assert run("export", "--request", "r-1", "--reason", " ")[0] == 2
    assert run("export", "--reason", "x")[0] == 2
    assert run("export", "--request", "none", "--reason", "x")[0] == 1
    run("export", "--patient", "p-2", "--reason", "A subject access request.")
    out = run("export", "--patient", "p-2", "--reason", "x")[1]
    assert "audit trail exported" in out
    assert "A subject access request." in out


def test_erasing_a_patient_leaves_the_log_sound(door: Door) -> None:
    run("seal")
    assert run("erase", "--patient", "p-1", "--reason", "Asked.")[1].startswith(
        "2 payloads erased\n"
    )
    run("seal")
    assert run("verify")[0] == 0
    out = run("export", "--request", "r-1", "--reason", "x")[1]
    assert "what it said was erased" in out
    assert "submitted" not in out


def test_the_public_key_is_printed(door: Door) -> None:
    assert run("checkpoint-key")[1].strip() == checkpoints.public_key(KEY)


def test_the_worker_seals_when_it_is_time(door: Door, tmp_path: Path) -> None:
    clock = [dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC)]
    ticking = Door(door.database, now=lambda: clock[0])
    chore = sealing(Settings())
    waits: list[int] = []

    def pause(_: float) -> bool:
        waits.append(door.read(unsealed))
        door.transact(note)
        clock[0] += dt.timedelta(seconds=31)
        return len(waits) == 3

    run_for_ever(ticking, {}, pause=pause, chores=[chore])
    assert waits == [0, 1, 0]  # sealed at once, not after 31 seconds, again after 62
    assert (tmp_path / "elsewhere" / checkpoints.FILE).read_text().count("\n") == 2


def test_a_worker_whose_log_is_at_fault_goes_on_and_does_not_seal(door: Door) -> None:
    drop_triggers(door.database.engine)
    with sqlite3.connect(str(door.database.engine.url.database)) as connection:
        connection.execute("UPDATE audit_event SET actor = 'x' WHERE id = 3")
    rounds: list[float] = []

    def pause(seconds: float) -> bool:
        rounds.append(seconds)
        return len(rounds) == 2

    run_for_ever(door, {}, pause=pause, chores=[sealing(Settings())])
    assert len(rounds) == 2
    assert door.read(unsealed) == 3


def test_a_checkpoint_that_was_not_written_is_written_at_the_next_turn(
    door: Door, tmp_path: Path
) -> None:
    blocked = tmp_path / "a file, not a folder"
    blocked.touch()
    made = Sealer(Keyring.of(KEY), blocked)
    with pytest.raises(OSError, match="exists"):
        made.seal_all(door)
    assert door.read(unsealed) == 0
    later = Sealer(Keyring.of(KEY), tmp_path / "later")
    assert later.seal_all(door) == 0
    assert checkpoints.last_kept(tmp_path / "later") == 1
