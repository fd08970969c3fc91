"""What every door (REST, web, command line, worker) carries in order to call the rooms.

A door is the only place that reads the clock and draws randomness; it hands them to each unit of
work, so that a test, or a replay, can hand over its own.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from app import clock
from app.db.statements import Statement, Values
from app.db.transaction import Database
from app.db.work import EVERYBODY, Moment, Work
from app.refusals import Reserve
from app.settings import Settings
from app.tracing import UNTRACED, Fact, Tracer, name_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Door:
    """The database with the clock, the ids and the randomness that each unit of work gets."""

    database: Database
    now: Callable[[], dt.datetime] = field(default=clock.now)
    new_id: Callable[[], str] = field(default=clock.new_id)
    random_bytes: Callable[[int], bytes] = field(default=clock.random_bytes)
    scope: str = EVERYBODY
    committed: Callable[[Sequence[tuple[str, ...]]], None] = field(default=lambda _: None)
    tracer: Tracer = UNTRACED
    turns_at: str = ""

    def taking_turns(self, at: str) -> "Door":
        """The same door, whose transactions wait for each other's in every process that is `at` it.

        What one of them reads and then writes, none of the others changes in between.
        """
        return replace(self, turns_at=at)

    def acting_for(self, organisation: str) -> "Door":
        """The same door, through which only this organisation's rows can be reached."""
        return replace(self, scope=organisation)

    def moment(self) -> Moment:
        """The current instant, with its Europe/London day."""
        instant = self.now()
        return Moment(instant, clock.london_day(instant))

    def transact(
        self, fn: Callable[[Work], T], *, name: str = "", shares_commit: bool = False
    ) -> T:
        """Run a use case in one transaction, committed before this returns.

        Traces call it `name`, or else what `fn` is called. `shares_commit`: see Database.transact.
        """

        def in_turn(work: Work) -> T:
            work.wait_for_turn(self.turns_at)
            return fn(work)

        with self.tracer.part(f"write {name or name_of(fn)}") as span:
            return self.database.transact(
                in_turn if self.turns_at else fn,
                moment=self.moment(),
                new_id=self.new_id,
                random_bytes=self.random_bytes,
                scope=self.scope,
                committed=self.committed,
                again=lambda times: span.tell(Fact.RETRIES, times),
                shares_commit=shares_commit,
            )

    @contextmanager
    def reserving(self, reserve: Reserve) -> Iterator[None]:
        """A block of several transactions for which something is set aside; the block settles it.

        Where the block is refused, that is settled here.
        """
        self.transact(reserve.take, name="set aside")
        try:
            yield
        except Exception as error:
            refused = error
            self.transact(lambda work: reserve.settle(work, refused), name="settle")
            raise

    def read(
        self,
        fn: Callable[[Work], T],
        *,
        asking: Callable[[Moment], Sequence[tuple[Statement, Values]]] | None = None,
    ) -> T:
        """Run a query that writes nothing. `asking`: see Database.read."""
        with self.tracer.part(f"read {name_of(fn)}"):
            return self.database.read(fn, moment=self.moment(), scope=self.scope, asking=asking)


def make_tracer(settings: Settings) -> Tracer:
    """What tells of the work as the settings ask; nothing without a collector's address."""
    if not settings.otlp_endpoint:
        return UNTRACED
    from app.telemetry import to_collector  # an optional package, which the settings looked for

    return to_collector(settings.otlp_endpoint)
