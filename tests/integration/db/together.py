"""Run functions in several threads at once, or two of them one within the other."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa

from app.db.transaction import Database
from tests.patience import PATIENCE_SECONDS

T = TypeVar("T")
U = TypeVar("U")
SECONDS = PATIENCE_SECONDS


def together(count: int, fn: Callable[[int], T]) -> list[T]:
    """Call `fn(0) … fn(count - 1)` from that many threads that start together."""
    start = threading.Barrier(count)

    def run(number: int) -> T:
        start.wait(SECONDS)
        return fn(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count), timeout=SECONDS * 2))


def waits(database: Database) -> bool:
    """Whether a session of this database waits for another."""
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock'"
    )
    with database.engine.connect() as connection:
        return bool(connection.execute(query).scalar_one())


def within(
    database: Database, first: Callable[[Callable[[], None]], T], second: Callable[[], U]
) -> Future[U]:
    """Call `first`, and `second` while `first` is where it calls what it is given; what came of it.

    `second` must come to wait for what `first` holds in the database.
    """
    halted, go_on = threading.Event(), threading.Event()

    def halt() -> None:
        halted.set()
        assert go_on.wait(SECONDS)

    with ThreadPoolExecutor(2) as pool:
        try:
            one = pool.submit(first, halt)
            one.add_done_callback(lambda _: halted.set())  # it failed on the way
            assert halted.wait(SECONDS)
            assert not one.done(), one.exception()
            other = pool.submit(second)
            deadline = time.monotonic() + SECONDS
            while not waits(database):
                assert not other.done(), f"the second did not wait: {other.exception()}"
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            go_on.set()
        one.result(SECONDS)
        other.exception(SECONDS)
    return other
