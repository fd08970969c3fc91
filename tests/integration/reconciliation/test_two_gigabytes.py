"""A file of 2 GB at the command line: a clear problem in little memory, and nothing half accepted.

The process is a real one, whose peak memory the system tells. Files of zeros have 2 GB always, as
they take no room on a disk; of lines, which must be read, ASSENT_TWO_GIGABYTES=1 asks for as many.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.db import tables
from app.db.engine import make_engine
from app.db.upgrade import upgrade
from app.settings import Settings
from tests.unit.reconciliation.builders import cells, csv_bytes

TWO_GIGABYTES = 2 << 30
LINES = TWO_GIGABYTES if os.environ.get("ASSENT_TWO_GIGABYTES") else 96 << 20
#: Far less than the file: what the program itself takes is most of it.
MOST_MEMORY = 700 << 20
KEPT = (
    *(tables.submission, tables.submission_rows, tables.slice_head, tables.slice_version),
    *(tables.job, tables.reconciliation_run),
)
#: The command line, which tells its own peak at its end. What `wait4` tells of a process begins
#: with the memory of the one that it was made from, which is the tests' own.
AT_THE_END = """
import atexit, pathlib, runpy, sys
told = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: told.write_text(pathlib.Path("/proc/self/status").read_text()))
runpy.run_module("app.cli", run_name="__main__", alter_sys=True)
"""
HEADER, LINE = csv_bytes([cells()]).splitlines(keepends=True)


def zeros(path: Path) -> None:
    """A header and a line, and then zeros that the disk need not hold."""
    path.write_bytes(HEADER + LINE)
    os.truncate(path, TWO_GIGABYTES)


def an_open_quotation_mark(path: Path) -> None:
    """Good lines, the first of which opens a quotation mark that nothing closes."""
    _fill(path, HEADER + b'"' + LINE, LINE)


def no_line_breaks(path: Path) -> None:
    """One line without an end."""
    _fill(path, HEADER, LINE.rstrip())


def cells_as_long_as_may_be(path: Path) -> None:
    """Good lines, too few to go from file to file, of cells that a spreadsheet just holds."""
    remark = b"x" * 32_000
    _fill(path, HEADER.rstrip() + b",REMARK\r\n", LINE.rstrip() + b"," + remark + b"\r\n")


def _fill(path: Path, head: bytes, again: bytes) -> None:
    block = again * max(1, (1 << 20) // len(again))
    with path.open("wb") as out:
        out.write(head)
        while out.tell() < LINES:
            out.write(block)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    engine = make_engine(Settings(data_dir=tmp_path, demonstration=True).database_url)
    upgrade(engine)
    engine.dispose()
    return tmp_path


def reconciled(folder: Path, path: Path, output: Path) -> tuple[int, str, int]:
    """The command's exit code, what it said, and the bytes of its peak memory."""
    told = {"ASSENT_DATA_DIR": str(folder), "ASSENT_DEMONSTRATION": "true"}
    kept = {name: text for name, text in os.environ.items() if not name.startswith("ASSENT_")}
    with output.open("wb") as out:
        peak = output.with_suffix(".peak")
        command = [sys.executable, "-c", AT_THE_END, str(peak), "reconcile", str(path)]
        done = subprocess.run(command, stdout=out, stderr=out, env=kept | told, check=False)
    found = re.search(r"VmHWM:\s+(\d+) kB", peak.read_text())
    peak.unlink()
    assert found is not None
    return done.returncode, output.read_text(), int(found.group(1)) * 1024


@pytest.mark.long
@pytest.mark.parametrize(
    ("fill", "says"),
    [
        (zeros, "NUL characters"),
        (an_open_quotation_mark, "a quotation mark is opened and not closed"),
        (no_line_breaks, "The header is incomplete"),
        pytest.param(
            cells_as_long_as_may_be,
            "too large",
            marks=pytest.mark.skipif(
                LINES < TWO_GIGABYTES, reason="a smaller one is taken: ASSENT_TWO_GIGABYTES=1"
            ),
        ),
    ],
)
def test_a_file_of_two_gigabytes_is_told_of_in_little_memory_and_leaves_nothing(
    folder: Path, tmp_path: Path, fill: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / "lines.csv"
    fill(path)
    try:
        code, said, memory = reconciled(folder, path, tmp_path / "said")
    finally:
        path.unlink()
    assert code in (3, 5), said
    assert says in said
    assert memory < MOST_MEMORY, f"{memory >> 20} MB"
    engine = make_engine(Settings(data_dir=folder, demonstration=True).database_url)
    with engine.connect() as connection:
        for table in KEPT:
            count = sa.select(sa.func.count()).select_from(table)
            assert connection.execute(count).scalar_one() == 0
    engine.dispose()
    left = {each.name for each in folder.rglob("*") if each.is_file()}
    # The database, what was said, and the empty file by whose lock a run holds its own folder.
    assert {name for name in left if not name.startswith("assent.db")} == {"said", "held"}
