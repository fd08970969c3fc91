"""One database with the service and a worker on it, to be killed, cut off and started again."""

import contextlib
import http.client
import itertools
import json
import math
import random
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app import clock
from app.audit import Keyring, checkpoints
from app.audit.checkpoints import Checkpoint
from app.audit.model import Actor
from app.audit.verify_seals import verify_checkpoints
from app.auth.model import Role
from app.auth.store import register_caller
from app.db.engine import make_engine
from app.db.tables import job
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Work
from app.door import Door
from tests.faults import diagnosis
from tests.faults.checks import Findings, check
from tests.faults.clients import CLAIMANT, CLINICIAN, COMMISSIONER, Load, ask, send
from tests.faults.cluster import ROLE, Cluster, free_port, let_serve
from tests.faults.ledger import Call, Kept, Ledger, Reply
from tests.faults.nursery import CLOCK, ROOT, Nursery
from tests.faults.patience import Diagnosis, Patience

AUDIT_KEY = "the key of the fault harness, which is 32 characters or more"
OPERATOR = Actor("faults", "system", "SERVICE", "administrator", "faults", "faults")
#: How long the service may take to answer at all, and a worker to end what waits.
START_SECONDS, WORK_SECONDS = 300, 900
THREADS = 6
REPEATED = 100


@dataclass
class House:
    """A migrated database with two callers, and the environment that the commands run in."""

    folder: Path
    nursery: Nursery
    cluster: Cluster | None
    seed: int
    plant: str | None = None
    database_port: int | None = None  # a proxy's, instead of the cluster's own
    tablespace: Path | None = None  # where the tables lie, instead of in the cluster's folder
    port: int = field(default_factory=free_port)
    ledger: Ledger = field(default_factory=Ledger)
    #: How long a scenario may go on making faults, in seconds of the monotonic clock.
    seconds: float = math.inf
    #: Whether somebody has asked the run to end.
    asked_to_stop: Callable[[], bool] = lambda: False
    #: By what was done: a kind of kill, a kind of cut.
    faults: Counter[str] = field(default_factory=Counter)
    found: Findings = field(default_factory=Findings)
    #: Is told at each check and each wait, while the scenario goes on.
    progress: Callable[["House"], None] = lambda _: None
    #: Is told what a look into a long wait found.
    tell: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.draw = random.Random(self.seed)
        self.clock = self.folder / "clock"
        self.clock.write_text("0")
        self.largest_file: int | None = None
        self._ends = time.monotonic() + self.seconds
        self._numbers = itertools.count(1)
        self._checked: set[str] = set()
        self._service = self._worker = 0
        self._load: Load | None = None
        self.check_seconds = 0.0  # that the last check took
        self._checked_at = time.monotonic()
        self.patience = Patience(self.ledger.count, self.diagnose, self.tell)
        self._owner, self._served = self._make_database()
        self._door = Door(Database(make_engine(self._owner), AUDIT_KEY.encode()))
        upgrade(self._door.database.engine)
        if self.cluster is not None:
            let_serve(self._owner)
        self._register()

    @property
    def data(self) -> Path:
        """The service's data folder."""
        return self.folder / "data"

    def _make_database(self) -> tuple[str, str]:
        self.data.mkdir(exist_ok=True)
        if self.cluster is None:
            url = f"sqlite:///{self.data / 'assent.db'}"
            return url, url
        name = f"faults_{self.folder.name.replace('-', '_')}"
        owner = self.cluster.make_database(name, self.tablespace)
        port = self.database_port or self.cluster.port
        return owner, self.cluster.url(ROLE, port, name)

    def _register(self) -> None:
        people = {
            CLINICIAN: ("DEMO1", Role.CLINICIAN),
            COMMISSIONER: ("DEMQ1", Role.COMMISSIONER),
            CLAIMANT: ("DEMO2", Role.CLINICIAN),
        }
        for token, (organisation, role) in people.items():
            self._door.transact(
                lambda work, t=token, o=organisation, r=role: register_caller(
                    work,
                    OPERATOR,
                    name=t,
                    kind="system",
                    organisation=o,
                    role=r,
                    demonstration=True,
                    token=t,
                )
            )

    def environment(self) -> dict[str, str]:
        """What the commands read their settings from."""
        return {
            "ASSENT_DEMONSTRATION": "true",
            "ASSENT_AUDIT_KEY": AUDIT_KEY,
            "ASSENT_DATABASE_URL": self._served,
            "ASSENT_DATA_DIR": str(self.data),
            "ASSENT_POLICIES_DIR": str(few_policies(self.folder.parent)),
            "ASSENT_PORT": str(self.port),
            "ASSENT_REQUESTS_PER_MINUTE": "10000000",
            # The clock is moved by months, and an answer that was forgotten tells nothing.
            "ASSENT_ANSWERS_KEPT_DAYS": "3650",
            "ASSENT_SEAL_EVERY_SECONDS": "1",
            "ASSENT_LOG_LEVEL": "warning",
            CLOCK: str(self.clock),
        }

    # --- processes ------------------------------------------------------------------------------

    def warm(self) -> None:
        """Let the nursery read beforehand what every start of this run would read again."""
        apart = self.folder.parent / "warmth"
        apart.mkdir(exist_ok=True)
        url = f"sqlite:///{apart / 'assent.db'}"
        moved = {"ASSENT_DATABASE_URL": url, "ASSENT_DATA_DIR": str(apart)}
        self.nursery.warm(self.environment() | moved)

    def start_service(self) -> None:
        """Start `assent serve` and wait until it answers."""
        self._service = self._start("serve")
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                if ask(self.port, "GET", "/livez", CLINICIAN, timeout=5).status == 200:
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
        raise TimeoutError(f"the service does not start; see {self.nursery.log}: {self.diagnose()}")

    def start_worker(self) -> None:
        """Start `assent worker`."""
        self._worker = self._start("worker")

    def kill_service(self) -> None:
        """kill -9."""
        self.nursery.kill(self._service)

    def kill_worker(self) -> None:
        """kill -9."""
        self.nursery.kill(self._worker)

    def _start(self, *argv: str) -> int:
        return self.nursery.start(
            *argv, env=self.environment(), plant=self.plant, largest_file=self.largest_file
        )

    @contextmanager
    def under_load(self) -> Iterator[Load]:
        """The service and a worker, with clients that send all the time."""
        self.start_service()
        self.start_worker()
        seed = self.draw.getrandbits(32)
        load = Load(self.port, self.ledger, self.patience, seed, THREADS, self._numbers)
        self._load = load
        with load:
            yield load

    def wait_for_answers(self, count: int) -> None:
        """Wait until clients have had so many more acknowledgements, ten seconds at most.

        Raises what ended a client: a load that has stopped shows nothing.
        """
        if self._load is not None:
            self._load.raise_failure()
        self.progress(self)
        wanted = len(self.ledger.acknowledged) + count
        for _ in range(2000):
            if len(self.ledger.acknowledged) >= wanted:
                return
            time.sleep(0.005)

    def diagnose(self) -> Diagnosis:
        """What waits for what at this moment."""
        own = {"service": self._service, "worker": self._worker}
        watched = {f"{name} ({pid})": [pid] for name, pid in own.items() if pid}
        if self.cluster is not None:
            watched["PostgreSQL"] = self.cluster.processes()
        return diagnosis.look(
            watched,
            lambda: len(self.ledger.acknowledged),
            self.patience.waiting,
            [pid for pid in own.values() if pid],
            self.nursery.stacks,
            None if self.cluster is None else self._owner,
        )

    def close(self) -> None:
        """End the service, the worker and the connections, however a scenario has ended."""
        self.patience.end()
        for pid in (self._service, self._worker):
            if pid:
                with contextlib.suppress(OSError):
                    self.nursery.kill(pid)
        self._door.database.engine.dispose()

    def time_is_up(self) -> bool:
        """Whether no more faults are to be made, though fewer were made than were asked for."""
        return self.asked_to_stop() or time.monotonic() > self._ends

    def made(self, fault: str) -> None:
        """Count a fault."""
        self.faults[fault] += 1

    def move_clock(self, seconds: float) -> None:
        """Let the service's clock jump to this distance from the real one."""
        beside = self.clock.with_suffix(".new")
        beside.write_text(str(seconds))
        beside.replace(self.clock)

    # --- checks ---------------------------------------------------------------------------------

    def check(self) -> None:
        """Hold the database, as it is at this moment, against what was told until now."""
        # Both are read before the database is: what they tell of must be there by then.
        started = time.monotonic()
        told, kept = self.ledger.copy(), self._checkpoints()
        self._add(self._door.read(lambda work: self._check(work, told, kept)))
        self._checked |= set(told.acknowledged)
        self._checked_at = time.monotonic()
        self.check_seconds = self._checked_at - started
        self.progress(self)

    def check_after(self, seconds: float) -> None:
        """Check if the last check is so long ago; a large database is looked at less often."""
        if time.monotonic() - self._checked_at > max(seconds, 3 * self.check_seconds):
            self.check()

    def _checkpoints(self) -> list[Checkpoint]:
        kept = self.data / "checkpoints" / checkpoints.FILE
        if not kept.is_file():
            return []
        return list(checkpoints.read(kept, Keyring.of(AUDIT_KEY.encode())))

    def _check(self, work: Work, told: Ledger, kept: list[Checkpoint]) -> Findings:
        found = check(work, told, self._checked, self.data / "files", AUDIT_KEY.encode())
        found.unsound += [str(fault) for fault in verify_checkpoints(work, kept)]
        return found

    def _add(self, found: Findings) -> None:
        for mine, more in (
            (self.found.lost, found.lost),
            (self.found.twice, found.twice),
            (self.found.half, found.half),
            (self.found.unsound, found.unsound),
        ):
            mine.extend(what for what in more if what not in mine)

    def finish(self, *, may_refuse: bool = False) -> None:
        """After the load: work off what waits, repeat calls, reconcile twice, check everything."""
        self.kill_worker()
        self.kill_service()
        # Beyond every lease that a killed worker held, however the clock had jumped.
        self.move_clock(100 * 24 * 3600)
        self.start_service()
        self.work_off()
        if self.plant is None:
            self._repeat_calls()
            self._reconcile_twice()
        self._checked.clear()
        self.check()
        if not may_refuse and self.plant is None:
            refusals = set(self.ledger.refused.values())
            self.found.unsound += [f"refused without need: {refusal}" for refusal in refusals]
        self.kill_service()

    def work_off(self) -> None:
        """Let a worker seal the log and do every job."""
        self._worker = self._start("worker", "--until-idle")
        try:
            self.nursery.wait(self._worker, WORK_SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"the worker does not end its work: {self.diagnose()}") from error
        waiting = self._door.read(
            lambda work: (
                work.connection.execute(
                    sa.select(job.c.id).where(job.c.state.in_(("queued", "running")))
                )
                .scalars()
                .all()
            )
        )
        self.found.half += [f"a job that no worker ends: {id_}" for id_ in waiting]

    def _repeat_calls(self) -> None:
        kept = list(self.ledger.acknowledged.values())
        for told in self.draw.sample(kept, min(REPEATED, len(kept))):
            what = f"repeat of {told.call.what} {told.call.request_id}"
            if self.answered(what, partial(send, self.port, told.call)) != told.reply:
                self.found.unsound.append(f"a repeat got another answer: {told.call.request_id}")

    def _reconcile_twice(self) -> None:
        """The same file twice on a database at rest: one run, and every line of it readable."""
        told = [k for k in self.ledger.acknowledged.values() if k.call.what == "submission"]
        for kept in told[-3:]:
            jobs = [self._submit_again(kept), self._submit_again(kept)]
            self.work_off()
            runs = {self._get(f"/v1/jobs/{job_id}")["run"] for job_id in jobs}
            if len(runs) != 1 or None in runs:
                self.found.unsound.append(f"a rerun is not the same run: {runs}")
                continue
            lines = self._get(f"/v1/runs/{runs.pop()}/lines")["lines"]
            if len(lines) != json.loads(kept.reply.body)["submission"]["lines"]:
                self.found.unsound.append("a run does not have every line")

    def _submit_again(self, kept: Kept) -> str:
        request_id = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
        call = Call(
            "submission", kept.call.path, kept.call.body, COMMISSIONER, request_id, None, "text/csv"
        )
        reply = self.answered("submission again", lambda: send(self.port, call))
        self.ledger.keep(call, reply)
        return str(json.loads(reply.body)["job"])

    def _get(self, path: str) -> Any:
        what = f"GET {path}"
        reply = self.answered(what, lambda: ask(self.port, "GET", path, COMMISSIONER))
        return json.loads(reply.body)

    def status_of(self, path: str) -> int:
        """The status of what the commissioner reads there; asked again where nothing comes back."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return ask(self.port, "GET", path, COMMISSIONER).status
            except (OSError, http.client.HTTPException):
                if time.monotonic() > until:
                    raise

    def answered(self, what: str, attempt: Callable[[], Reply]) -> Reply:
        """Call until there is an answer: on a busy machine a call at rest may run out of time."""
        reply = self.patience.until_answered(what, attempt)
        if reply is None:
            raise TimeoutError(f"{what}: the house is closed")
        return reply


def few_policies(folder: Path) -> Path:
    """A library of the one policy that the clients use, so that the service starts quickly."""
    library, policy = folder / "policies", "rheumatology/adalimumab-ra-severe"
    if not library.exists():
        packaged = ROOT / "policies"
        shutil.copytree(packaged / policy, library / policy)
        for shared in (packaged / "rheumatology").glob("questions-*.yaml"):
            shutil.copy(shared, library / "rheumatology")
        shutil.copytree(packaged / "formulas", library / "formulas")
    return library


def now_in_seconds() -> float:
    """The real clock, for telling how long a scenario took."""
    return clock.now().timestamp()
