"""A service in use comes through the upgrade: nothing lost, nothing guessed, no wall down.

On PostgreSQL the tables' owner is a plain role, as `docs/operations.md` has it: row-level security
holds for the upgrade too. Broken migrations of data, each broken in one place, are found.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from app.audit.erasing import note_erased_before
from app.audit.keys import Keyring
from app.audit.verify import verify_log
from app.db import upgrade as upgrading
from app.db.engine import make_engine
from app.db.roles import grant
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import EVERYBODY, Moment, Work, enter_scope
from tests.conftest import APPLICATION_ROLE, AUDIT_KEY, DIALECTS, make_application_role
from tests.integration.audit.rows import PHARMACIST
from tests.integration.backup.conftest import Places, make_owner
from tests.integration.db import in_use
from tests.integration.db.any_rows import all_rows
from tests.integration.db.test_migrations import HISTORY
from tests.later import history_with

#: The oldest, and those just before a revision that works on what is there.
RELEASED: Final = ("0001", "0018", "0029", "0042", "0054")
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=DIALECTS)
def owned(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database whose owner is a plain role."""
    admin = None
    if request.param == "postgres":
        admin = request.getfixturevalue("_postgres_admin")
        make_owner(admin)
    places = Places(request.param, tmp_path, admin)
    engine = make_engine(places.new().url)
    yield engine
    engine.dispose()
    places.close()


@pytest.mark.parametrize("released", RELEASED)
def test_a_service_in_use_comes_through_the_upgrade(
    owned: sa.Engine, released: str, moment: Moment, request: pytest.FixtureRequest
) -> None:
    before = fill(owned, released)
    assert upgrade(owned) == HISTORY[HISTORY.index(released) + 1 :]
    check(owned, released, before)
    check_log(owned, moment)
    if owned.dialect.name == "postgresql":
        make_application_role(request.getfixturevalue("_postgres_admin"))
        grant(owned, APPLICATION_ROLE)
        service = make_engine(owned.url.set(username=APPLICATION_ROLE, password=None))
        check_walls(service)
        service.dispose()


#: A revision that is broken in one place → what stands there, and what stands there instead.
BROKEN: Final = {
    "0016_publications": ("ORDER BY recorded_at, hash", "ORDER BY hash"),
    "0019_supplies": ("SELECT DISTINCT s.id", "SELECT s.id"),
    "0030_order_of_submissions": ("other.id <= submission.id", "other.id < submission.id"),
    "0035_suppliers_hear_of_stops": (
        "superseded_at = (SELECT s.superseded",
        "superseded_at = (SELECT s.recorded",
    ),
    "0043_failed_rematches": ("WHERE job_id IS NOT NULL", ""),
    "0055_answer_by": (".order_by(_DECISION.c.decided_at)", ""),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_migration_of_data_is_found(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'broken.db'}")
    released = max(each for each in RELEASED if each < broken)
    before = fill(engine, released)
    folder = history_with(tmp_path / "history", {})
    file = folder / "versions" / f"{broken}.py"
    was, now = BROKEN[broken]
    assert was in file.read_text()
    file.write_text(file.read_text().replace(was, now))
    monkeypatch.setattr(upgrading, "MIGRATIONS", folder)

    def upgrade_and_check() -> None:
        upgrade(engine)
        check(engine, released, before)

    with pytest.raises((AssertionError, sa.exc.IntegrityError)):
        upgrade_and_check()
    engine.dispose()


def fill(engine: sa.Engine, released: str) -> Rows:
    upgrade(engine, released)
    with engine.begin() as connection:
        _for_everybody(connection)
        return in_use.fill(connection, released)


def check(engine: sa.Engine, released: str, before: Rows) -> None:
    """Every row is there as it was, beside what the upgrade adds, which is as it should be."""
    with engine.begin() as connection:
        _for_everybody(connection)
        after = all_rows(connection)
    for table, rows in before.items():
        if not rows:
            continue
        kept = [_only(row, rows[0]) for row in after[table]]
        there = [row | _reset(table, row, released) for row in rows]
        assert not Counter(map(repr, there)) - Counter(map(repr, kept)), table
    more = {table: len(after[table]) - len(rows) for table, rows in before.items()}
    touched = {row["version_id"] for row in before.get("slice_touch", ())}
    added = {"slice_touch": len(touched)} if released < "0043" else {}
    if released >= upgrading.FIRST_TOLD:
        added["schema_release"] = len([each for each in HISTORY if each > released])
    assert {table: n for table, n in more.items() if n} == {t: n for t, n in added.items() if n}
    _check_made(after, released, touched)


def _check_made(after: Rows, released: str, touched: set[str]) -> None:
    """What migrations of data work out of what is there."""
    first = 1 if released < "0016" else 2  # the plain row of a release that has publications
    order = {row["hash"]: row["number"] for row in after["publication"] if row["hash"] != "x"}
    assert order == {hash_: first + n for n, hash_ in enumerate(in_use.published())}
    columns = ("segment_id", "provider", "treatment_id", "recorded_at", "superseded_at")
    supplies = {
        tuple(_aware(row[name]) for name in columns)
        for row in after["supply"]
        if row["segment_id"] != "x"
    }
    assert supplies == in_use.supplies()
    assert len(after["supply"]) == len(supplies) + (released >= "0019")
    numbers = {row["id"]: row["number"] for row in after["submission"] if row["id"] != "x"}
    assert numbers == {id_: number for id_, (_, _, number) in in_use.SUBMISSIONS.items()}
    if touched:
        tries = {row["id"]: row["tries"] for row in after["slice_mark"] if row["id"] != "x"}
        assert tries == {"m-idle": 0, "m-taken": 1}
        found = [row["version_id"] for row in after["slice_touch"] if row["key"] == "*policy"]
        assert sorted(found) == (sorted(touched) if released < "0043" else [])
    days = {row["id"]: row["answer_by"] for row in after["request"] if row["id"] != "x"}
    assert days == {f"r-{n}": in_use.REQUESTS[n % 6][3] for n in range(in_use.TREATMENTS)}


def check_log(engine: sa.Engine, moment: Moment) -> None:
    """The log verifies: nothing is wrong, and one erasure is older than the lists of erasures."""
    database = Database(engine, AUDIT_KEY)

    def note(work: Work) -> int | None:
        return note_erased_before(work, PHARMACIST)

    noted = database.transact(
        note, moment=moment, new_id=lambda: "new", random_bytes=lambda size: b"s" * size
    )
    assert noted == 1
    found = database.read(lambda work: verify_log(work, Keyring.of(AUDIT_KEY)), moment=moment)
    assert (found.faults, found.not_attributable) == ([], 1)
    for statement in ("UPDATE audit_event SET action = 'other'", "DELETE FROM audit_event"):
        assert _rows_changed(engine, statement) == 0


GUARDED: Final = (
    *("treatment", "request", "decision", "request_revision", "approval", "segment", "supply"),
    *("patient", "patient_identifier", "live_treatment", "submission", "reconciliation_run"),
    *("audit_event", "audit_payload", "slice_version", "slice_mark"),
)


def check_walls(service: sa.Engine) -> None:
    """As the service's own role: each organisation reaches its own, and nobody another's."""
    for organisation, treatments in in_use.reached().items():
        with service.begin() as connection:
            enter_scope(connection, organisation)
            seen = connection.exec_driver_sql("SELECT id FROM treatment").scalars().all()
            assert sorted(seen) == sorted(treatments), organisation
            held = connection.exec_driver_sql("SELECT treatment_id FROM request").scalars().all()
            assert set(held) <= treatments, organisation
            others = connection.exec_driver_sql(
                "UPDATE treatment SET version = version + 1 WHERE id <> ALL (%s)",
                (sorted(treatments),),
            )
            assert others.rowcount == 0, organisation
    for nobody in ("DEMX9", ""):
        with service.begin() as connection:
            enter_scope(connection, nobody)
            for table in GUARDED:
                count = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
                assert count == 0, (table, nobody)


def _rows_changed(engine: sa.Engine, statement: str) -> int:
    """How many rows a statement reaches: none where a trigger, or row-level security, refuses."""
    try:
        with engine.begin() as connection:
            _for_everybody(connection)
            return connection.exec_driver_sql(statement).rowcount
    except sa.exc.DBAPIError:
        return 0


def _for_everybody(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        enter_scope(connection, EVERYBODY)


def _only(row: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in like}


def _reset(table: str, row: dict[str, Any], released: str) -> dict[str, Any]:
    """Revision 0051 has the worker make the rows of supplies anew."""
    anew = table == "start_awaited_mark" and "runs" in row and released < "0051"
    return {"runs": None} if anew else {}


def _aware(value: Any) -> Any:
    """An instant with its zone, as SQLite does not keep it."""
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        return value.replace(tzinfo=dt.UTC)
    return value
