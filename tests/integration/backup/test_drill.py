"""The drill: back up a service in use, lose it, restore it, and hold it against what it was."""

import datetime as dt
import hashlib
import json
import shutil
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.audit import checkpoints
from app.audit.checkpoints import FILE as CHECKPOINTS
from app.audit.checkpoints import Checkpoint
from app.backup import manifest
from app.db import tables
from app.db.transaction import Database
from app.door import Door
from tests.integration.audit.rows import drop_triggers, note
from tests.integration.backup.conftest import KEY, Place, Places, backed_up
from tests.integration.db.test_migrations import LISTING, SUMMING, TRIGGERS
from tests.integration.demonstration.conftest import rows_of

CHECKS = (
    "rows",
    "approval references",
    "decisions replayed",
    "rows of the audit log",
    "seals",
    "checkpoints",
    "attachments",
    "submissions, their rows and outcomes",
)


def everything(database: Database) -> dict[str, list[str]]:
    """Every row, read as the service itself."""
    if database.engine.dialect.name == "postgresql":
        sa.event.listen(
            database.engine,
            "begin",
            lambda c: c.exec_driver_sql("SET LOCAL app.organisation = '*'"),
        )
    return rows_of(database)


def guards(place: Place) -> tuple[dict[str, set[str]], set[tuple[str, bool, bool]], set[str]]:
    """Triggers by table, row-level security by table, and the names of its policies."""
    engine = place.database().engine
    triggers: dict[str, set[str]] = {}
    with engine.connect() as connection:
        for table, trigger in connection.exec_driver_sql(LISTING[engine.dialect.name]):
            triggers.setdefault(table, set()).add(trigger)
        if engine.dialect.name == "sqlite":
            return triggers, set(), set()
        security = connection.exec_driver_sql(
            "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        walls = {tuple(row) for row in security}
        policies = connection.exec_driver_sql(
            "SELECT tablename || ' ' || policyname || ' ' || cmd || ' ' || coalesce(qual, '') "
            "|| ' ' || coalesce(with_check, '') FROM pg_policies"
        )
        return triggers, walls, set(policies.scalars())


def test_a_restored_service_holds_every_row_guard_and_file_and_opens_an_epoch(
    original: Place, places: Places, saved: Path
) -> None:
    restored = places.new()
    done = restored.run("restore", str(saved), "--verify")
    assert done.exit_code == 0, done.output

    found = {
        line.split(" ", 1)[1].split(":")[0] for line in done.stdout.splitlines() if ": no" in line
    }
    assert set(CHECKS) <= found
    assert "epoch 2 of the audit log is open; the service may start" in done.stdout

    before, after = everything(original.database()), everything(restored.database())
    # The epoch, what was recorded of it, and the seal of it come on top of what there was.
    added = {name for name, rows in after.items() if rows != before[name]}
    assert added - {"audit_seal"} == {"audit_epoch", "audit_event", "audit_payload"}
    for name, rows in before.items():
        assert set(rows) <= set(after[name])

    triggers, walls, policies = guards(restored)
    dialect = restored.database().engine.dialect.name
    assert triggers == TRIGGERS[dialect] | {"request": SUMMING[dialect]}
    kept = guards(original)
    assert sorted(policies ^ kept[2]) == []
    assert (triggers, walls) == kept[:2]
    assert restored.run("audit", "verify").exit_code == 0


def test_every_decision_of_the_original_is_replayed(
    original: Place, places: Places, saved: Path
) -> None:
    done = places.new().run("restore", str(saved))
    (line,) = [each for each in done.stdout.splitlines() if "decisions replayed" in each]
    by_policy = sa.select(sa.func.count()).where(tables.decision.c.made_by == "policy")
    decided = Door(original.database()).read(lambda work: work.connection.scalar(by_policy))
    assert decided
    assert int(line.split(" ")[0]) >= decided


def test_a_backup_taken_while_the_service_writes_is_whole(
    spare: Place, places: Places, tmp_path: Path
) -> None:
    door, stop, written = Door(spare.database()), threading.Event(), [0]

    def write() -> None:
        while not stop.is_set():
            door.transact(lambda work: note(work, f"busy-{written[0]}", None))
            written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        folder = backed_up(spare, tmp_path / "backup")
    finally:
        stop.set()
        writer.join()
    assert written[0] > 0
    done = places.new().run("restore", str(folder))
    assert done.exit_code == 0, done.output


def test_only_their_owner_may_read_a_backup_and_what_is_restored_from_it(
    places: Places, saved: Path
) -> None:
    restored = places.new()
    restored.run("restore", str(saved))
    for place in (saved, restored.folder / "data" / "files", restored.folder / "database"):
        for path in (place, *place.rglob("*")) if place.exists() else ():
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_restore_overwrites_nothing(original: Place, places: Places, saved: Path) -> None:
    done = original.run("restore", str(saved))
    assert (done.exit_code, "holds tables" in done.stderr) == (2, True)
    restored = places.new()
    (restored.folder / "data" / "files").mkdir(parents=True)
    (restored.folder / "data" / "files" / "one").write_text("a file of somebody's")
    done = restored.run("restore", str(saved))
    assert (done.exit_code, "holds files" in done.stderr) == (2, True)
    assert original.run("backup", str(saved)).exit_code == 2


@pytest.mark.parametrize("spoil", ["database", "manifest", "no manifest", "files"])
def test_a_backup_that_is_not_as_it_was_saved_is_refused(
    places: Places, saved: Path, tmp_path: Path, spoil: str
) -> None:
    folder = tmp_path / "backup"
    shutil.copytree(saved, folder)
    if spoil == "no manifest":
        (folder / manifest.NAME).unlink()
    elif spoil == "manifest":
        told = json.loads((folder / manifest.NAME).read_text())
        told["rows"]["patient"] -= 1
        (folder / manifest.NAME).write_text(json.dumps(told))
    else:
        names = (p for p in sorted(folder.rglob("*")) if p.is_file())
        path = next(p for p in names if str(p.relative_to(folder)).startswith(spoil))
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    restored = places.new()
    done = restored.run("restore", str(folder))
    assert done.exit_code == 2, done.output
    assert not (restored.folder / "database").exists()
    assert not (restored.folder / "data" / "files").exists()
    # Nothing is in the way of the next try.
    assert restored.run("restore", str(saved), "--no-verify").exit_code == 0


def test_what_was_changed_before_the_backup_is_found(
    spare: Place, places: Places, tmp_path: Path
) -> None:
    engine = spare.database().engine
    drop_triggers(engine)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL app.organisation = '*'")
        for statement in (
            "UPDATE audit_event SET action = 'x' WHERE id = 2",
            "UPDATE approval SET reference = 'PA000000000000Z' "
            "WHERE id = (SELECT min(id) FROM approval)",
            "UPDATE decision SET outcome = 'criteria not met' WHERE id = (SELECT min(id) "
            "FROM decision WHERE made_by = 'policy' AND outcome = 'approved')",
        ):
            assert connection.exec_driver_sql(statement).rowcount == 1
        request = connection.execute(sa.select(sa.func.min(tables.request.c.id))).scalar_one()
        for number, content in enumerate((b"as it was", b"another"), 1):
            values = {
                "id": f"attachment-{number}",
                "request_id": request,
                "number": number,
                "organisation": "DEMO1",
                "title": "Letter",
                "media_type": "application/pdf",
                "size": len(content),
                "sha256": hashlib.sha256(b"as it was").hexdigest(),
                "shared": False,
                "content": content,
                "added_at": dt.datetime(2026, 6, 15, tzinfo=dt.UTC),
                "added_by": "somebody",
            }
            connection.execute(sa.insert(tables.request_attachment).values(**values))
    next(p for p in (spare.folder / "data" / "files").rglob("*") if p.is_file()).unlink()
    done = places.new().run("restore", str(backed_up(spare, tmp_path / "backup")))
    assert done.exit_code == 3
    assert "may start" not in done.stdout
    for fault in (
        "the row is not as it was signed",
        "fails its check character",
        "does not replay",
        "A stored file is gone",
        "attachment attachment-2: its content is not what was attached",
    ):
        assert fault in done.stderr
    assert "attachment-1" not in done.stderr


def test_checkpoints_kept_here_tell_what_is_lost_and_are_set_aside(
    places: Places, saved: Path
) -> None:
    restored = places.new()
    kept = restored.folder / "checkpoints"
    later = checkpoints.line(Checkpoint(99, 1, "f" * 64, 999, "2026-11-02T12:00:00+00:00"), KEY)
    checkpoints.keep(kept, later)
    done = restored.run("restore", str(saved))
    assert done.exit_code == 0, done.output
    assert "what was recorded after it is lost" in done.stdout
    assert (kept / f"before-restore-1-{CHECKPOINTS}").read_text() == f"{later}\n"


def test_without_pg_dump_the_command_says_what_to_install(
    original: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if original.url.startswith("sqlite"):
        pytest.skip("SQLite needs no tool")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = original.run("backup", str(tmp_path / "backup"))
    assert (done.exit_code, "pg_dump is not on the PATH" in done.stderr) == (4, True)
