"""Replaying every stored decision in several processes, each on a connection of its own.

Replaying is processor work, request by request, and most of a restore's check. The requests are cut
into stretches of ids; a process replays one after the other and tells what it found. Each stretch
is its own snapshot: whoever checks a restore has started no service on it yet.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from app.approvals.library import Library
from app.approvals.replaying import replay_everything
from app.db import tables
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.work import Moment, Work

#: Requests of a stretch: a process takes seconds for one, so that all end at about the same time.
STRETCH: Final = 250
#: Up to so many are done by one process: each other one takes some 5 seconds of processor to begin,
#: in which one alone decides 3,000 (PostgreSQL) to 7,000 (SQLite) again.
FEW: Final = 10_000

#: The ids after which a stretch begins, and with which it ends; None: with the last there is.
Stretch = tuple[str, str | None]
Replayed = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class Replays:
    """Where the database is and how its library is read, so that other processes can.

    `make_library` is pickled: a function of a module, or a partial of one. `jobs`: processes; 0 for
    as many as there are processors.
    """

    url: str = field(repr=False)
    audit_key: bytes = field(repr=False)
    make_library: Callable[[], Callable[[Work], Library]]
    moment: Moment
    jobs: int = 0
    few: int = FEW
    stretch: int = STRETCH

    def __call__(self, work: Work, library: Library) -> Replayed:
        """As `replay_everything`: the same count, and the same faults in the same order."""
        jobs = self.jobs or len(os.sched_getaffinity(0))
        stretches = list(_stretches(work, self.stretch))
        if jobs == 1 or len(stretches) * self.stretch <= self.few:
            return replay_everything(work, library)
        # Not forked: this process has connections open, and DuckDB's threads may run.
        with ProcessPoolExecutor(
            min(jobs, len(stretches)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(self,),
        ) as pool:
            found = list(pool.map(_replay, stretches))
        return sum(count for count, _ in found), [fault for _, faults in found for fault in faults]


def _stretches(work: Work, size: int) -> Iterator[Stretch]:
    """Every request's id is in exactly one; a request that comes later is in the last."""
    c, after = tables.request.c, ""
    while True:
        query = sa.select(c.id).where(c.id > after).order_by(c.id).offset(size - 1).limit(1)
        last = work.connection.execute(query).scalar_one_or_none()
        yield after, last
        if last is None:
            return
        after = last


#: What a process of the pool has: its own connection, and the library that it read.
_here: dict[str, object] = {}


def _begin(told: Replays) -> None:
    _here["database"] = Database(make_engine(told.url), told.audit_key)
    _here["library_at"] = told.make_library()
    _here["moment"] = told.moment


def _replay(stretch: Stretch) -> Replayed:
    database, library_at, moment = (_here[n] for n in ("database", "library_at", "moment"))
    assert isinstance(database, Database)
    assert isinstance(moment, Moment)
    assert callable(library_at)
    return database.read(
        lambda work: replay_everything(work, library_at(work), *stretch), moment=moment
    )
