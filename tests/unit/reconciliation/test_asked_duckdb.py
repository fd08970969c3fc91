"""One DuckDB answers all small questions of a process, and nobody sees another's tables."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import duckdb
import pytest

from app.reconciliation.engines import asked_duckdb
from app.reconciliation.engines.asked_duckdb import AT_ONCE, asked
from app.reconciliation.errors import EngineRanOut
from tests.patience import PATIENCE_SECONDS


def _file(path: Path, first: int) -> Path:
    duckdb.sql(f"SELECT {first} + range AS n FROM range(1000)").write_parquet(str(path))
    return path


def test_those_who_ask_at_once_each_see_their_own_file_under_the_same_name(tmp_path: Path) -> None:
    files = [_file(tmp_path / str(n), n * 1000) for n in range(AT_ONCE)]
    together = Barrier(AT_ONCE)

    def ask(n: int) -> list[tuple[int, int]]:
        with asked() as cursor:
            cursor.execute(f"CREATE TEMP VIEW stored AS FROM read_parquet('{files[n]}')")
            cursor.execute("CREATE TEMP TABLE sought AS FROM stored")
            together.wait(PATIENCE_SECONDS)
            return cursor.sql("SELECT min(n), count(*) FROM sought").fetchall()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert list(pool.map(ask, range(AT_ONCE))) == [[(n * 1000, 1000)] for n in range(AT_ONCE)]


def test_it_is_one_and_holds_nothing_between_two_questions(tmp_path: Path) -> None:
    path = _file(tmp_path / "file", 0)
    query = f"SELECT min(n) FROM read_parquet('{path}')"
    with asked() as cursor:
        cursor.execute("CREATE TEMP TABLE left_over AS SELECT 1 AS n")
        assert cursor.sql(query).fetchall() == [(0,)]
    one = asked_duckdb._KEPT.connection
    path.write_bytes(_file(tmp_path / "other", 7).read_bytes())
    with asked() as cursor:
        assert cursor.sql(query).fetchall() == [(7,)]
        with pytest.raises(duckdb.CatalogException):
            cursor.sql("FROM left_over")
    path.unlink()
    with asked() as cursor, pytest.raises(duckdb.IOException):
        cursor.sql(query)
    assert asked_duckdb._KEPT.connection is one


def test_it_has_so_much_memory_and_writes_nothing_to_the_disk() -> None:
    with asked() as cursor:
        told = "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
        assert cursor.sql(told).fetchall() == [("488.2 MiB", "")]
        assert cursor.sql("SELECT current_setting('threads')").fetchall() == [(1,)]
    with pytest.raises(EngineRanOut), asked() as cursor:
        cursor.execute("CREATE TEMP TABLE much AS SELECT range, hash(range) FROM range(100000000)")
    with asked() as cursor:  # and the next one asks as ever
        assert cursor.sql("SELECT 1").fetchall() == [(1,)]


def test_a_process_that_is_forked_off_has_its_own_and_ends() -> None:
    with asked() as cursor:
        cursor.sql("SELECT 1").fetchall()
    mine = asked_duckdb._KEPT
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        with asked() as cursor:
            fine = cursor.sql("SELECT 2").fetchall() == [(2,)]
        os._exit(0 if fine and asked_duckdb._KEPT is not mine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asked_duckdb._KEPT is mine


def test_a_process_closes_it_at_its_end() -> None:
    with asked() as cursor:
        cursor.sql("SELECT 1").fetchall()
    kept = asked_duckdb._KEPT
    kept.close()
    assert kept.connection is None
    with asked() as cursor:
        assert cursor.sql("SELECT 1").fetchall() == [(1,)]
