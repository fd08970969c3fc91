"""An upgrade that is blocked, fails, is killed or meets another goes on from where it was."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.db import indexes
from app.db import upgrade as upgrading
from app.db.errors import MigrationsMissing, UpgradeBlocked
from app.db.tables import metadata, schema_release
from app.db.upgrade import current, head, not_ready, upgrade
from tests.conftest import _empty
from tests.integration.db.test_migrations import HISTORY
from tests.later import history_with
from tests.patience import PATIENCE_SECONDS

SECONDS = PATIENCE_SECONDS
ADDS = 'op.add_column("request", sa.Column("of_{0}", sa.String(length=20), nullable=True))'
#: Adds a column, and is then killed before its transaction ends.
HANGS = f"{ADDS}\n    import time\n    time.sleep({SECONDS})"
INDEX = 'from app.db.indexes import build_index\n    build_index("ix_late", "request", ["state"])'
UPGRADE = """
import sys
from pathlib import Path
from app.db import upgrade as upgrading
from app.db.engine import make_engine
upgrading.MIGRATIONS = Path(sys.argv[1])
print(*upgrading.upgrade(make_engine(sys.argv[2])))
"""


@pytest.fixture
def postgres(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    yield from _empty(request, "postgres", tmp_path)


def test_an_upgrade_killed_within_a_revision_goes_on_from_the_one_before(
    empty_engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(empty_engine)
    until_it_hangs = {"9001": ADDS.format("9001"), "9002": HANGS.format("9002")}
    folder = history_with(tmp_path / "hangs", until_it_hangs)
    url = empty_engine.url.render_as_string(hide_password=False)
    with subprocess.Popen([sys.executable, "-c", UPGRADE, str(folder), url]) as child:
        _wait_until(lambda: current(empty_engine) == "9001")
        # A service of this release goes on meanwhile; one of the next is not ready yet.
        assert not_ready(empty_engine) is None
        with monkeypatch.context() as newer:
            newer.setattr(upgrading, "MIGRATIONS", folder)
            assert "at revision 9001, the service at 9002" in (not_ready(empty_engine) or "")
        time.sleep(0.2)  # well into the revision that hangs
        child.send_signal(signal.SIGKILL)
    assert current(empty_engine) == "9001"
    columns = {c["name"] for c in sa.inspect(empty_engine).get_columns("request")}
    assert ("of_9001" in columns, "of_9002" in columns) == (True, False)

    whole = {"9001": ADDS.format("9001"), "9002": ADDS.format("9002")}
    folder = history_with(tmp_path / "whole", whole)
    monkeypatch.setattr(upgrading, "MIGRATIONS", folder)
    assert upgrade(empty_engine) == ["9002"]
    with empty_engine.connect() as connection:
        told = connection.execute(sa.select(schema_release.c.revision)).scalars().all()
    assert set(told) == {r for r in HISTORY if r >= upgrading.FIRST_TOLD} | {"9001", "9002"}


def test_two_processes_that_start_together_apply_each_revision_once(
    empty_engine: sa.Engine,
) -> None:
    url = empty_engine.url.render_as_string(hide_password=False)
    call = [sys.executable, "-c", UPGRADE, str(upgrading.MIGRATIONS), url]
    both = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [child.communicate(timeout=SECONDS)[0].split() for child in both]
    assert [child.returncode for child in both] == [0, 0]
    assert sorted([*told[0], *told[1]]) == HISTORY
    assert current(empty_engine) == head()


def test_a_failing_revision_leaves_nothing_of_itself_behind(
    empty_engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks = {"9001": f'{ADDS.format("9001")}\n    raise RuntimeError("stopped half way")'}
    monkeypatch.setattr(upgrading, "MIGRATIONS", history_with(tmp_path / "breaks", breaks))
    with pytest.raises(RuntimeError, match="stopped half way"):
        upgrade(empty_engine)
    assert current(empty_engine) == HISTORY[-1]
    assert "of_9001" not in {c["name"] for c in sa.inspect(empty_engine).get_columns("request")}
    whole = history_with(tmp_path / "whole", {"9001": ADDS.format("9001")})
    monkeypatch.setattr(upgrading, "MIGRATIONS", whole)
    assert upgrade(empty_engine) == ["9001"]


def test_a_copy_of_the_service_without_its_migrations_says_so(
    empty_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(upgrading, "MIGRATIONS", tmp_path)
    with pytest.raises(MigrationsMissing, match="complete copy"):
        upgrade(empty_engine)


@pytest.mark.postgres
def test_an_upgrade_that_a_long_transaction_blocks_gives_up_and_says_where(
    postgres: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(postgres, "0001")
    with monkeypatch.context() as impatient, postgres.begin() as reading:
        impatient.setattr(upgrading, "LOCK_SECONDS", 1)
        reading.exec_driver_sql("SELECT count(*) FROM decision")
        with pytest.raises(UpgradeBlocked, match="The database is at 0001"):
            upgrade(postgres)
    assert current(postgres) == "0001"
    assert upgrade(postgres) == HISTORY[1:]


@pytest.mark.postgres
def test_an_index_on_a_table_in_use_is_made_while_others_write(
    postgres: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(postgres)
    monkeypatch.setattr(upgrading, "MIGRATIONS", history_with(tmp_path / "later", {"9001": INDEX}))
    done: list[list[str]] = []
    making = threading.Thread(target=lambda: done.append(upgrade(postgres)))
    with postgres.connect() as old:
        old.exec_driver_sql("LOCK TABLE request IN ROW EXCLUSIVE MODE")  # as a write holds it
        making.start()
        _wait_until(lambda: _waits_to_build(postgres))
        with postgres.begin() as other:
            other.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
            other.execute(sa.delete(metadata.tables["request"]))  # a write: it does not queue
        assert current(postgres) == HISTORY[-1]
        old.rollback()
        making.join(SECONDS)
    assert done == [["9001"]]
    assert _is_whole(postgres) is True


@pytest.mark.postgres
def test_an_index_that_a_break_left_half_made_is_dropped_and_made_anew(
    postgres: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(postgres)
    monkeypatch.setattr(upgrading, "MIGRATIONS", history_with(tmp_path / "later", {"9001": INDEX}))
    with monkeypatch.context() as impatient, postgres.connect() as old:
        impatient.setattr(indexes, "INDEX_SECONDS", 1)
        old.exec_driver_sql("LOCK TABLE request IN ROW EXCLUSIVE MODE")
        with pytest.raises(UpgradeBlocked, match="made anew"):
            upgrade(postgres)
    assert (current(postgres), _is_whole(postgres)) == (HISTORY[-1], False)
    assert "at revision" in (not_ready(postgres) or "")  # of the release with 9001
    assert upgrade(postgres) == ["9001"]
    assert _is_whole(postgres) is True


@pytest.mark.postgres
def test_a_whole_index_whose_revision_was_not_noted_is_left_as_it_is(
    postgres: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(postgres)
    with postgres.begin() as connection:
        connection.exec_driver_sql("CREATE INDEX ix_late ON request (state)")
    before = _filenode(postgres)
    monkeypatch.setattr(upgrading, "MIGRATIONS", history_with(tmp_path / "later", {"9001": INDEX}))
    assert upgrade(postgres) == ["9001"]
    assert _filenode(postgres) == before


def _waits_to_build(engine: sa.Engine) -> bool:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND query LIKE 'CREATE INDEX CONCURRENTLY%%' AND wait_event_type = 'Lock'"
    )
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql(query).scalar())


def _is_whole(engine: sa.Engine) -> bool | None:
    query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_late')"
    with engine.connect() as connection:
        found: bool | None = connection.exec_driver_sql(query).scalar()
    return found


def _filenode(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT pg_relation_filenode('ix_late')").scalar_one()


def _wait_until(so: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not so():
        assert time.monotonic() < until
        time.sleep(0.02)
