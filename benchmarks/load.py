"""Load: submit, check and search, beside an endpoint that inserts one ORM row, on both databases.

Real processes over loopback: `assent serve`, the bare endpoint (`load_bare`) and the clients
(`load_clients`). Each kind of call runs in turns with the bare endpoint, so that noise of the
machine meets both; read the ratios. The processor time is that of the serving processes: one, or on
PostgreSQL as many as are asked for (`python -m benchmarks.load MILLISECONDS PROCESSES`); the bare
endpoint is one in either case.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from app import clock
from app.audit.model import Actor
from app.auth.model import Role
from app.auth.store import register_caller
from app.db.engine import make_engine
from app.db.roles import grant
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.door import Door
from app.settings import DEMONSTRATION_AUDIT_KEY
from benchmarks.load_bare import Base
from benchmarks.load_clients import TOKEN
from benchmarks.stopping import clean_up_when_stopped

ROOT: Final = Path(__file__).parents[1]
ADMIN: Final = os.environ.get(
    "ASSENT_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
ROLE: Final = "assent_bench_application"
#: Milliseconds of load on each database.
SIZE: Final = 60_000
ROUNDS: Final = 3
CLIENTS: Final = (16, 64)
#: A kind of call → its path. `bare` is the yardstick.
PATHS: Final = {
    "submit": "/v1/requests",
    "check": "/v1/checks",
    "search": "/v1/searches",
    "bare": "/rows",
}
KINDS: Final = ("submit", "bare", "check", "bare", "search", "bare")
ACTOR: Final = Actor("bench", "system", "SERVICE", "administrator", "bench", "bench")
START_SECONDS: Final = 120


@dataclass
class Tally:
    """What was measured of one kind of call with so many clients."""

    rates: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    processor: float = 0.0

    def add(self, found: dict[str, Any], processor: float) -> None:
        """Take one turn in."""
        self.rates.append(len(found["taken"]) / found["seconds"])
        self.taken += found["taken"]
        self.processor += processor

    @property
    def rate(self) -> float:
        """Calls a second, the median of the turns."""
        return statistics.median(self.rates)

    @property
    def cost(self) -> float:
        """Milliseconds of the server's processor for each call."""
        return self.processor / len(self.taken) * 1000

    def quantile(self, share: float) -> float:
        """Milliseconds within which this share of the calls were answered."""
        return sorted(self.taken)[int(share * (len(self.taken) - 1))] * 1000


def run(size: int = SIZE, processes: int = 1) -> int:
    """Load each database in turn, and print the rates. Always 0: a rate is the machine's.

    SQLite takes one serving process, so with more than one it is left out.
    """
    if processes == 1:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/load.db"
            _measure("SQLite", url, url, size, processes)
    with ExitStack() as stack:
        try:
            owner, served = stack.enter_context(_postgres())
        except sa.exc.OperationalError:
            print("PostgreSQL left out: there is none (set ASSENT_TEST_POSTGRES)")
            return 0
        _measure("PostgreSQL", owner, served, size, processes)
    return 0


@contextmanager
def _postgres() -> Iterator[tuple[str, str]]:
    """A database of its own: its owner's address, and that of the application's role."""
    admin = sa.create_engine(ADMIN, isolation_level="AUTOCOMMIT")
    name = f"assent_load_{os.getpid()}"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        connection.exec_driver_sql(
            f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; "
            "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    url = admin.url.set(database=name)
    try:
        plain = url.set(username=ROLE, password=None)
        yield (
            url.render_as_string(hide_password=False),
            plain.render_as_string(hide_password=False),
        )
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        admin.dispose()


def _prepare(owner: str) -> None:
    """Migrate the database, register the caller, and make the yardstick's table."""
    engine = make_engine(owner)
    upgrade(engine)
    Base.metadata.create_all(engine)
    if engine.dialect.name == "postgresql":
        grant(engine, ROLE)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"GRANT SELECT, INSERT ON load_bare TO {ROLE}")
    door = Door(Database(engine, DEMONSTRATION_AUDIT_KEY.encode()))
    door.transact(
        lambda work: register_caller(
            work,
            ACTOR,
            name="load",
            kind="system",
            organisation="DEMO1",
            role=Role.CLINICIAN,
            demonstration=True,
            token=TOKEN,
        )
    )
    engine.dispose()


def _measure(name: str, owner: str, served: str, size: int, processes: int) -> None:
    _prepare(owner)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        environment = os.environ | {
            "ASSENT_DEMONSTRATION": "true",
            "ASSENT_DATABASE_URL": served,
            "ASSENT_DATA_DIR": folder,
            "ASSENT_REQUESTS_PER_MINUTE": "100000000",
            "ASSENT_LOG_LEVEL": "warning",
        }
        ports = {"service": _free_port(), "bare": _free_port()}
        serve = ["-c", "from app.cli import main; main()", "serve", "--port", str(ports["service"])]
        serve += ["--workers", str(processes)]
        bare = ["-m", "benchmarks.load_bare", served, str(ports["bare"])]
        servers = {
            "service": stack.enter_context(_process(serve, environment)),
            "bare": stack.enter_context(_process(bare, environment)),
        }
        clients = stack.enter_context(_process(["-m", "benchmarks.load_clients"], environment))
        for port in ports.values():
            _wait_for(port)
        _report(f"{name}, {processes} serving", _turns(servers, ports, clients, size))


def _turns(
    servers: dict[str, subprocess.Popen[str]],
    ports: dict[str, int],
    clients: subprocess.Popen[str],
    size: int,
) -> dict[tuple[str, int], Tally]:
    """Every kind of call, with each number of clients, in turns with the yardstick."""
    day = clock.london_day(clock.now()).isoformat()
    form = json.loads((ROOT / "examples/request-adalimumab-approved.json").read_text("utf-8"))
    form |= {"decision_to_treat": day, "first_dose": None}
    tallies: dict[tuple[str, int], Tally] = {}
    first = 1
    seconds = size / 1000 / (ROUNDS * len(CLIENTS) * len(KINDS))
    for turn in range(ROUNDS + 1):
        for count in CLIENTS:
            for kind in KINDS:
                job = {"kind": kind, "path": PATHS[kind], "clients": count, "form": form}
                server = "bare" if kind == "bare" else "service"
                job |= {"port": ports[server], "first": first if kind == "submit" else 1}
                before = _processor(servers[server].pid)
                # The first turn only warms everything up: it is short, and does not count.
                found = _ask(clients, job | {"seconds": seconds if turn else seconds / 4})
                first += len(found["taken"]) + count if kind == "submit" else 0
                if turn:
                    tally = tallies.setdefault((kind, count), Tally())
                    tally.add(found, _processor(servers[server].pid) - before)
    return tallies


def _report(name: str, tallies: dict[tuple[str, int], Tally]) -> None:
    print(f"{name:<26}{'req/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms':>9}{'rate ÷ bare':>13}")
    for (kind, count), tally in sorted(tallies.items(), key=lambda each: (each[0][1], each[0][0])):
        bare = tallies["bare", count]
        print(
            f"  {kind:<8}{count:>4} clients   {tally.rate:>8.0f}{tally.quantile(0.5):>9.1f}"
            f"{tally.quantile(0.99):>9.1f}{tally.cost:>9.2f}{tally.rate / bare.rate:>13.2f}"
        )


def _ask(clients: subprocess.Popen[str], job: dict[str, Any]) -> dict[str, Any]:
    assert clients.stdin is not None
    assert clients.stdout is not None
    clients.stdin.write(json.dumps(job) + "\n")
    clients.stdin.flush()
    line = clients.stdout.readline()
    if not line:
        raise RuntimeError("the clients failed; their words are above")
    found: dict[str, Any] = json.loads(line)
    return found


@contextmanager
def _process(argv: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, *argv],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    until = time.perf_counter() + START_SECONDS
    while time.perf_counter() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("a server of the benchmark does not start; its words are above")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _processor(pid: int) -> float:
    """Seconds of processor that a process and its children have used; from /proc, so Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_processor(int(child)) for child in children)


if __name__ == "__main__":
    clean_up_when_stopped()
    run(*(int(each) for each in sys.argv[1:3]))
