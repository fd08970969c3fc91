"""Recovery: how long a backup and a restore take, of what parts, for each 1,000 requests.

`python -m benchmarks.recovery [REQUESTS] [sqlite|postgres]`: of the demonstration, and of so many
first requests, three in four approved, made by the service's own use case. Beside each, in the same
run, its yardstick: a bare copy by the database's own tool (SQLite's online backup, pg_dump and
pg_restore). Processor seconds are of this process and the tools, not of PostgreSQL's own processes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import sqlalchemy as sa

from app.approvals.library_files import load_library
from app.approvals.office import Office
from app.approvals.submitting import submit_initiation
from app.audit import Keyring, checkpoints
from app.backup.check import check_everything
from app.backup.put_back import put_back
from app.backup.replays import Replays
from app.backup.take import back_up
from app.commands.backup import library_reader
from app.commands.reconcile import operator
from app.db import tables
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Moment, Work
from app.demonstration.clinic import EARLIEST_DAY
from app.demonstration.load import load
from app.desk import make_desk
from app.door import Door
from app.reconciliation.files import FileStore
from app.sealer import Sealer
from app.settings import DEMONSTRATION_AUDIT_KEY, Settings
from benchmarks.load import ADMIN
from benchmarks.stopping import clean_up_when_stopped
from benchmarks.two_million_states import DAY, NOT_MET
from tests.world import CLINICIAN, POLICIES, initiation, patient

T = TypeVar("T")
KEY: Final = DEMONSTRATION_AUDIT_KEY.encode()
#: What a first request leaves in the audit log, or one fewer; a run is sized by the log's events.
EVENTS_A_REQUEST: Final = 5
EVENTS: Final = 50_000
TOGETHER: Final = 250
#: What is backed up and where it is put back, twice.
PLACES: Final = 4
REFUSED_ONE_IN: Final = 4
#: Of the demonstration's patients, a run on little loads one in this many.
QUICK_ONE_IN: Final = 10


@dataclass
class Taken:
    """Seconds of each part: by the clock, and of this process's processor and its tools'."""

    parts: dict[str, tuple[float, float]] = field(default_factory=dict)

    def time(self, part: str, do: Callable[[], T]) -> T:
        """Do it, and keep how long it took."""
        started, used = time.perf_counter(), _processor()
        try:
            return do()
        finally:
            self.parts[part] = (time.perf_counter() - started, _processor() - used)

    def tell(self, requests: int) -> None:
        """Print every part, and for each 1,000 requests."""
        print(f"    {'part':<44}{'s':>9}{'CPU s':>9}{'CPU s / 1,000':>15}")
        for part, (by_clock, used) in self.parts.items():
            print(f"    {part:<44}{by_clock:>9.2f}{used:>9.2f}{used / requests * 1000:>15.3f}")

    def seconds(self, *begins: str) -> float:
        """Seconds by the clock of the parts whose names begin so."""
        return sum(taken for part, (taken, _) in self.parts.items() if part.startswith(begins))

    def ratios(self) -> str:
        """What a backup and a restore take beside the bare copies, and what most of it is."""
        out, there = self.seconds("bare copy out"), self.seconds("bare copy")
        whole = self.seconds("restore")
        replay = self.seconds("restore: decisions") / whole
        log = self.seconds("restore: rows of", "restore: seals") / whole
        return (
            f"by the clock: backup {self.seconds('backup') / out:.1f} × the bare copy out, restore "
            f"{whole / there:.1f} × the bare copy out and in; of it the replay of decisions is "
            f"{replay:.0%}, the audit log {log:.0%}"
        )


@dataclass
class Place:
    """An empty database and folder."""

    url: str
    folder: Path

    def engine(self) -> sa.Engine:
        """A new engine on it."""
        return make_engine(self.url)

    @property
    def files(self) -> Path:
        """Where its stored files are."""
        return self.folder / "data" / "files"


def run(events: int = EVENTS, only: str = "") -> int:
    """Measure both databases. Non-zero when a restored database is not as it was."""
    size = events // EVENTS_A_REQUEST
    faults = 0
    for dialect in ("sqlite", "postgres"):
        if only not in ("", dialect):
            continue
        try:
            with _places(dialect) as places:
                faults += _measure(dialect, places, size)
        except sa.exc.OperationalError:
            print("  PostgreSQL left out: there is none (set ASSENT_TEST_POSTGRES)")
    return 1 if faults else 0


def _measure(dialect: str, places: Iterator[Place], size: int) -> int:
    one_in = 1 if size * EVENTS_A_REQUEST >= EVENTS else QUICK_ONE_IN

    def demonstrate(place: Place, database: Database) -> None:
        settings = Settings(data_dir=place.folder / "data", demonstration=True)
        load(database, make_desk(settings), operator(None), EARLIEST_DAY, one_in=one_in)

    faults = 0
    for name, fill in (
        ("the demonstration", demonstrate),
        (f"{size:,} first requests", lambda _, database: _fill(Door(database), size)),
    ):
        source = next(places)
        engine = source.engine()
        upgrade(engine)
        fill(source, Database(engine, KEY))
        engine.dispose()
        faults += _recover(f"{dialect}, {name}", source, next(places))
    return faults


def _fill(door: Door, size: int) -> None:
    """Submit so many first requests, many in a transaction; one in four meets no criteria."""
    office = Office(load_library(POLICIES), demonstration=True)

    def some(first: int) -> None:
        def submit(work: Work) -> None:
            for number in range(first, min(first + TOGETHER, size)):
                answers = {} if number % REFUSED_ONE_IN else {"answers": NOT_MET}
                fields = {"patient": patient(number + 1), "decision_to_treat": DAY, **answers}
                submit_initiation(work, office, CLINICIAN, initiation(**fields))

        door.transact(submit)

    for first in range(0, size, TOGETHER):
        some(first)


def _recover(name: str, source: Place, target: Place) -> int:
    """Back up, restore and check; print what took how long. Returns the faults found."""
    taken = Taken()
    engine, restored = source.engine(), target.engine()
    database, keys = Database(engine, KEY), Keyring.of(KEY)
    kept = source.folder / "checkpoints"
    Sealer(keys, kept).seal_all(Door(database))
    backup = target.folder / "backup"
    moment = Door(database).moment()
    taken.time("bare copy out", lambda: _bare_out(engine, target.folder))
    taken.time(
        "backup",
        lambda: back_up(
            database, KEY, files=source.files, checkpoints=kept, to=backup, moment=moment
        ),
    )
    taken.time("bare copy in", lambda: _bare_in(engine, target))
    done = taken.time(
        "restore: put back",
        lambda: put_back(
            restored,
            keys,
            backup=backup,
            files=target.files,
            checkpoints=target.folder / "checkpoints",
        ),
    )
    faults = len(done.faults)
    requests, found = Door(Database(restored, KEY)).read(lambda work: _check(work, target, taken))
    found += sum(
        _decide_again(target.url, restored, moment, taken, jobs)
        for jobs in (1, len(os.sched_getaffinity(0)))
    )
    size = sum(path.stat().st_size for path in backup.rglob("*") if path.is_file()) / 1e6
    print(f"  {name}: {requests:,} requests, a backup of {size:.0f} MB")
    taken.tell(requests)
    print(f"    {taken.ratios()}")
    engine.dispose()
    restored.dispose()
    return faults + found


def _decide_again(url: str, restored: sa.Engine, moment: Moment, taken: Taken, jobs: int) -> int:
    """Replay every decision in so many processes, as `assent restore` does; the faults found."""
    reader = partial(library_reader, Settings(demonstration=True))
    spread = Replays(url, KEY, reader, moment, jobs=jobs, few=0)
    here = reader()

    def replay(work: Work) -> int:
        library = here(work)
        part = f"decisions again, --jobs {jobs}"
        return len(taken.time(part, lambda: spread(work, library))[1])

    return Door(Database(restored, KEY)).read(replay)


def _check(work: Work, target: Place, taken: Taken) -> tuple[int, int]:
    """Every check of a restore, each by itself; the number of requests, and of faults."""
    keys = Keyring.of(KEY)
    office = Office(load_library(POLICIES), demonstration=True)
    known = list(checkpoints.read(target.folder / "checkpoints" / checkpoints.FILE, keys))
    checks = check_everything(work, office.library_at(work), keys, FileStore(target.files), known)
    faults = 0
    while True:
        started, used = time.perf_counter(), _processor()
        check = next(checks, None)
        if check is None:
            break
        spent = (time.perf_counter() - started, _processor() - used)
        taken.parts[f"restore: {check.what}, {check.count:,}"] = spent
        faults += len(check.faults)
    requests = work.connection.scalar(sa.select(sa.func.count()).select_from(tables.request))
    return int(requests or 0), faults


def _bare_out(engine: sa.Engine, folder: Path) -> None:
    """The database's own copy, and nothing else."""
    if engine.dialect.name == "sqlite":
        with (
            closing(sqlite3.connect(str(engine.url.database))) as reading,
            closing(sqlite3.connect(folder / "bare")) as writing,
        ):
            reading.backup(writing)
        return
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    tool = ["pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--dbname", url]
    subprocess.run([*tool, "--file", str(folder / "bare")], check=True)


def _bare_in(engine: sa.Engine, target: Place) -> None:
    """The bare copy put into an empty database of its own, which goes again."""
    if engine.dialect.name == "sqlite":
        shutil.copy(target.folder / "bare", target.folder / "bare-again")
        return
    with _database(f"{engine.url.database}_bare") as url:
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        tool = ["pg_restore", "--no-owner", "--no-privileges", "--exit-on-error"]
        bare = str(target.folder / "bare")
        subprocess.run([*tool, "--single-transaction", "--dbname", address, bare], check=True)


@contextmanager
def _places(dialect: str) -> Iterator[Iterator[Place]]:
    """Empty places, one after the other, which all go in the end."""
    with tempfile.TemporaryDirectory() as folder:
        if dialect == "sqlite":
            yield (Place(f"sqlite:///{path}/assent.db", path) for path in _folders(Path(folder)))
            return
        with ExitStack() as stack:
            names = (f"assent_recovery_{os.getpid()}_{number}" for number in range(PLACES))
            urls = [stack.enter_context(_database(name)) for name in names]
            yield (
                Place(url.render_as_string(hide_password=False), path)
                for url, path in zip(urls, _folders(Path(folder)), strict=True)
            )


def _folders(folder: Path) -> Iterator[Path]:
    for number in range(PLACES):
        made = folder / str(number)
        made.mkdir()
        yield made


@contextmanager
def _database(name: str) -> Iterator[sa.URL]:
    admin = sa.create_engine(ADMIN, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield admin.url.set(database=name)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.dispose()


def _processor() -> float:
    """Processor seconds of this process and of the tools that it waited for."""
    tools = os.times()
    return time.process_time() + tools.children_user + tools.children_system


if __name__ == "__main__":
    clean_up_when_stopped()
    given = sys.argv[1:]
    sys.exit(run(int(given[0]) * EVENTS_A_REQUEST if given else EVENTS, *given[1:2]))
