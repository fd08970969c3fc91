"""What the approvals of a run cost: memory and processor time, whatever lines are matched.

`python -m benchmarks.approvals [APPROVALS ...]` takes a file of a thousand invented lines to its
outcomes against so many approvals, as a large run does (`match_rows`, and the digest by which the
run is known), each number in a process of its own, and the same against a thousand. The difference
is what approvals cost: in memory as they are held while the lines are worded, at the peak, and in
processor seconds. Making them from the invented ones is left out of the seconds: it is timed by
itself. Memory is what a process reads of its own status (VmRSS, VmHWM).

`--treatments N` measures reading them instead (`take_snapshot`, for the commissioner of three
treatments in five) from a PostgreSQL database of so many treatments, which is made first
(`benchmarks.two_million`) and dropped in the end.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq
from sqlalchemy import create_engine, make_url

from app.reconciliation.engines import out_of_core
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.engines.packed import pack
from app.reconciliation.model import Coverage
from app.reconciliation.read_columns import read_columns
from app.reconciliation.snapshots import digest_of
from app.reconciliation.source import on_disk
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from benchmarks._reconcile_cost import Stages, peak, stages_told
from benchmarks._reconcile_data import generate, write_submission
from benchmarks._reconcile_plain import APPROVALS, coverage_of, others_of

LINES: Final = 1_000
FEWEST: Final = 1_000
SIZE: Final = 150_000
MEMORY: Final = "1GB"
_READ: Final = "assent_approvals_read"
_MADE: Final = "approvals.parquet"
_STATUS: Final = Path("/proc/self/status")
_WATCHED: Final = (
    ("index_snapshot", "index"),
    ("lay", "tables"),
    ("decide", "steps"),
    ("write_tables", "words"),
)


def now() -> float:
    """The memory that this process holds, in GB."""
    gc.collect()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", _STATUS.read_text("ascii"), re.MULTILINE)
    assert found is not None
    return int(found.group(1)) * 1024 / 1e9


def invent(folder: Path, approvals: int) -> None:
    """Lines and approvals, one row an approval, so that reading them holds few."""
    generate(folder, LINES, approvals, 1)
    write_submission(folder, LINES)
    with (folder / "rows.parquet").open("wb") as out:
        read_columns(on_disk(folder / "lines.csv"), "lines.csv", out, scratch=folder)
    with duckdb.connect(config={"memory_limit": "2GB", "temp_directory": str(folder)}) as opened:
        opened.execute(
            f"COPY ({APPROVALS.format(folder=folder)}) TO '{folder}/{_MADE}' (ROW_GROUP_SIZE 8192)"
        )


def _made(folder: Path) -> Iterator[Coverage]:
    with pq.ParquetFile(folder / _MADE) as file:
        for batch in file.iter_batches(8_192):
            for row in batch.to_pylist():
                local = (row["org"], row["local_id"]) if row["local_id"] else None
                pause = (row["pause_from"], row["pause_to"]) if row["pause_from"] else None
                yield coverage_of(row, local, pause)


def match(folder: Path) -> None:
    """Match the lines against the approvals; tell what was held, the peak and the seconds."""
    machine = Machine(MEMORY, spill_to=folder / "spill")
    known = load_drugs(), load_organisations()
    others = others_of(folder)
    before = time.process_time()
    for _ in _made(folder):
        pass
    making = time.process_time() - before
    stages, held = Stages(), [0.0]
    for function, name in _WATCHED:
        stages.watch(out_of_core, function, name)
    words_of: Any = out_of_core.words_of

    def looked(*given: Any) -> Any:
        held.append(now())
        return words_of(*given)

    out_of_core.words_of = looked
    began = time.process_time()
    with stages.stage("held"):
        snapshot = replace(others, coverages=_held(_made(folder)), layout="drplcm-v3")
    highest = peak()
    beside = folder / "run"
    beside.mkdir()
    rows, outcomes = folder / "rows.parquet", beside / "outcomes.parquet"
    out_of_core.match_rows(rows, outcomes, snapshot, *known, machine)
    highest = max(highest, peak())
    with stages.stage("digest"):
        digest = digest_of(snapshot)
    stages.tell()
    took = time.process_time() - began - making
    print(f"{digest} {held[-1]} {max(highest, stages.highest())} {took}", flush=True)


def _held(coverages: Iterator[Coverage]) -> Sequence[Coverage]:
    return pack(coverages)


def read(url: str) -> None:
    """Read what one commissioner's lines are matched against."""
    from app.approvals.library_files import load_library
    from app.approvals.office import Office
    from app.auth.model import Role
    from app.db.work import Moment
    from app.reconciliation.scope import scope_of
    from app.reconciliation.snapshots import take_snapshot
    from benchmarks.two_million import LARGEST_COMMISSIONER, application
    from benchmarks.two_million_states import DAY
    from tests.world import POLICIES, person

    office = Office(load_library(POLICIES), demonstration=True)
    scope = scope_of(person(Role.COMMISSIONER, LARGEST_COMMISSIONER))
    database = application(make_url(url))
    stages, before = Stages(), now()
    with stages.stage("read"):
        snapshot = database.read(
            lambda work: take_snapshot(work, office, scope, DAY),
            moment=Moment(dt.datetime.combine(DAY, dt.time(12), dt.UTC), DAY),
            scope=LARGEST_COMMISSIONER,
        )
    took, count = stages.costs["read"], len(snapshot.coverages)
    rest, highest = now() - before, took.peak - before
    print(
        f"{count:,} approvals read: {rest:.2f} GB held, {highest:.2f} GB more at the peak, {took}; "
        f"{rest / count * 1e6:.2f} kB, {highest / count * 1e6:.2f} kB and "
        f"{took.cpu / count * 1e6:.0f} µs each; digest {digest_of(snapshot)[:16]}"
    )


def measure_reading(treatments: int) -> None:
    """Make the database, read it in a process of its own, and drop it."""
    from benchmarks import two_million
    from tests.conftest import ADMIN_URL

    admin = create_engine(ADMIN_URL, isolation_level="AUTOCOMMIT")
    try:
        url = two_million.make(admin, _READ, treatments)
        shown = url.render_as_string(hide_password=False)
        print("\n".join(_run("read", "", 0, "--database", shown)))
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {_READ} WITH (FORCE)")


def measure(sizes: Sequence[int]) -> None:
    """Each size beside the smallest."""
    least = _cost(FEWEST)
    for size in sizes:
        told = _cost(size)
        rest, highest, cpu = (a - b for a, b in zip(told, least, strict=True))
        print(
            f"{size:,} approvals: {rest:.2f} GB held, {highest:.2f} GB more at the peak, "
            f"{cpu:.1f} CPU s; {rest / size * 1e6:.2f} kB, {highest / size * 1e6:.2f} kB and "
            f"{cpu / size * 1e6:.0f} µs each ({told[1]:.2f} GB at the peak in all)",
            flush=True,
        )


def _cost(approvals: int) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        _run("invent", folder, approvals)
        said = _run("match", folder, approvals)
    stages, others = stages_told(said)
    for name, took in stages.items():
        print(f"    {name:10} {took}")
    digest, *figures = others[-1].split()
    print(f"    {approvals:,} approvals have the digest {digest[:16]}", flush=True)
    rest, highest, cpu = map(float, figures)
    return rest, highest, cpu


def _run(part: str, folder: str, approvals: int, *more: str) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.approvals", str(approvals)]
    command += ["--part", part, "--folder", folder, *more]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.approvals", description=__doc__)
    parser.add_argument("approvals", type=int, nargs="*", default=[SIZE])
    parser.add_argument("--part", choices=("invent", "match", "read"), help=argparse.SUPPRESS)
    parser.add_argument("--treatments", type=int, help="read them from a database of so many")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part == "invent":
        invent(chosen.folder, chosen.approvals[0])
    elif chosen.part == "match":
        match(chosen.folder)
    elif chosen.part == "read":
        read(chosen.database)
    elif chosen.treatments:
        measure_reading(chosen.treatments)
    else:
        measure(chosen.approvals)


if __name__ == "__main__":
    main()
