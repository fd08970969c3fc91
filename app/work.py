"""The worker: takes jobs from the database one by one and hands each to the handler of its kind.

`app.handlers` names the handler of each kind of job; a room with long work adds its line there.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy.exc import DBAPIError

from app.db import jobs
from app.db.errors import JobNotHeld, UnsafeConnection
from app.db.jobs import Job
from app.db.work import Work
from app.door import Door
from app.tracing import Fact

log = structlog.stdlib.get_logger("assent.worker")

#: How long a job stays with a worker that says nothing. A living worker says so three times as
#: often, whatever its handler is doing, so a job of a killed one waits this long and no longer.
LEASE: Final = dt.timedelta(seconds=90)
BEAT_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 1.0
FAILED: Final = (
    "The work failed through a fault of the service. Start it again; if it fails again, tell the "
    "people who run the service, with this job's id."
)


class JobRefused(Exception):
    """The job cannot be done, for a reason that its owner may read (no patient data in it)."""


@dataclass(frozen=True, slots=True)
class Held:
    """A claimed job in the hands of its handler."""

    door: Door
    job: Job

    def progress(self, done: int, total: int | None) -> None:
        """Tell how far the work is, and keep the lease; JobNotHeld when another worker has it."""
        self.door.transact(
            lambda work: jobs.progress(work, self.job, done=done, total=total, lease=LEASE)
        )

    def progress_of(self, total: int) -> Callable[[int], None]:
        """Tell that nothing of `total` is done; returns what tells of more while the work goes on.

        Nobody is told less than before, nor more than there is. What the database does not take
        down then is left out, as a beat is: the work need not fail for it. Raises JobNotHeld.
        """
        self.progress(0, total)
        most = 0

        def tell(done: int) -> None:
            nonlocal most
            done = min(done, total)
            if done <= most:
                return
            most = done
            try:
                self.progress(done, total)
            except DBAPIError as error:
                log.warning("progress not told", job=self.job.id, error=type(error).__qualname__)

        return tell


@dataclass(slots=True)
class Chore:
    """Something small that the worker does again and again, between jobs.

    A chore that fails is logged by name and tried at its next turn; it never stops the jobs.
    Workers that do the same chore at one moment take turns, one transaction at a time.
    """

    name: str
    every: dt.timedelta
    do: Callable[[Door], None]
    due: dt.datetime | None = None

    def run_if_due(self, door: Door, watcher: "Watcher | None" = None) -> None:
        """Do it when its time has come, by the door's clock."""
        now = door.now()
        if self.due is not None and now < self.due:
            return
        self.due = now + self.every
        try:
            with door.tracer.span(f"chore {self.name}"):
                self.do(door.taking_turns(self.name))
        except Exception as error:
            log.error("chore failed", chore=self.name, error=type(error).__qualname__)
            if watcher is not None:
                watcher.chore_failed(self.name, type(error).__qualname__)


#: A handler does the slow part, then returns what saves its effects and gives the job's result,
#: which runs in the same transaction that marks the job done.
Saving = Callable[[Work], dict[str, Any]]
Handler = Callable[[Held], Saving]


class Watcher:
    """Told how jobs and chores end; this one listens to nothing."""

    def job_ended(self, kind: str, how: str, seconds: float) -> None:
        """A job of this kind was done, refused, failed or passed on, after so many seconds."""

    def chore_failed(self, name: str, error: str) -> None:
        """A chore failed with an exception of this type."""


UNWATCHED: Final = Watcher()


def run_next(door: Door, handlers: Mapping[str, Handler], watcher: Watcher = UNWATCHED) -> bool:
    """Take the next job and work it off; False when none waits."""
    job = door.transact(lambda work: jobs.claim(work, LEASE))
    if job is None:
        return False
    # A kind that this release does not know is no label: anything may be in a database.
    kind = job.kind if job.kind in handlers else "unknown"
    started, how = time.perf_counter(), "passed on"
    with door.tracer.span(f"job {kind}") as span:
        try:
            held = Held(door.acting_for(job.organisation), job)
            with _beating(held):
                how = _run(held, handlers)
        except JobNotHeld:
            log.warning("job passed to another worker", job=job.id, kind=job.kind)
        span.tell(Fact.ENDED, how)
        if how == "failed":
            span.fail()
    watcher.job_ended(kind, how, time.perf_counter() - started)
    return True


def run_for_ever(
    door: Door,
    handlers: Mapping[str, Handler],
    *,
    pause: Callable[[float], bool],
    chores: Sequence[Chore] = (),
    watcher: Watcher = UNWATCHED,
) -> None:
    """Work jobs off until `pause`, called when none waits or the database fails, says stop.

    Chores are done when they are due, between jobs.
    """
    while True:
        for chore in chores:
            chore.run_if_due(door, watcher)
        try:
            if run_next(door, handlers, watcher):
                if pause(0):
                    return
                continue
        except Exception as error:
            # An unsafe database is the operator's to mend, and its message holds no row's value.
            why = {"why": str(error)} if isinstance(error, UnsafeConnection) else {}
            log.error("worker could not reach its jobs", error=type(error).__qualname__, **why)
        if pause(PAUSE_SECONDS):
            return


@contextmanager
def _beating(held: Held) -> Iterator[None]:
    """Renew the job's lease every BEAT_SECONDS while the block runs, from a thread of its own.

    A beat that fails is left out: the next may get through before the lease ends. When the job has
    passed to another worker there is nothing to renew, and finishing it will say so.
    """
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(BEAT_SECONDS):
            try:
                held.door.transact(lambda work: jobs.renew(work, held.job, LEASE))
            except JobNotHeld:
                return
            except Exception as error:
                log.warning("lease not renewed", job=held.job.id, error=type(error).__qualname__)

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _run(held: Held, handlers: Mapping[str, Handler]) -> str:
    """Work one job off; returns how it ended: done, refused or failed."""
    job, door = held.job, held.door
    handler = handlers.get(job.kind)
    try:
        if handler is None:
            raise JobRefused(
                "This release has no worker for this kind of job. Run a newer 'assent worker'."
            )
        save = handler(held)
        door.transact(lambda work: jobs.finish(work, job, save(work)))
    except JobNotHeld:
        raise
    except JobRefused as error:
        reason = str(error)
        door.transact(lambda work: jobs.fail(work, job, reason))
        log.info("job refused", job=job.id, kind=job.kind)
        return "refused"
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise  # the database's fault, not the job's: it is taken again when its lease ends
        door.transact(lambda work: jobs.fail(work, job, FAILED))
        log.error("job failed", job=job.id, kind=job.kind, error=type(error).__qualname__)
        return "failed"
    log.info("job done", job=job.id, kind=job.kind)
    return "done"
