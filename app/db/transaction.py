"""The one place where transactions open, commit and are tried again."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NoReturn, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.db.engine import READ_ONLY
from app.db.errors import NestedTransaction, ReadOnlyWork
from app.db.sharing import CommitLost, SharedCommits
from app.db.statements import Statement, Values
from app.db.work import EVERYBODY, Moment, Work
from app.refusals import ReserveFirst

T = TypeVar("T")
U = TypeVar("U")

TRIES: Final = 5
FIRST_PAUSE_SECONDS: Final = 0.01
#: PostgreSQL's serialization_failure, deadlock_detected and unique_violation: the whole transaction
#: is undone. The last is that of a use case that read a row to be absent and added it, as a rival
#: did meanwhile: run again it finds the row and answers as it does of any that is there.
TRANSIENT_STATES: Final = frozenset({"40001", "40P01", "23505"})
#: SQLite's primary codes SQLITE_BUSY and SQLITE_LOCKED.
TRANSIENT_CODES: Final = frozenset({5, 6})


class Database:
    """Runs use cases, each in one transaction."""

    def __init__(
        self,
        engine: sa.Engine,
        audit_key: bytes,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.engine = engine
        self._audit_key = audit_key
        self._sleep = sleep
        self._thread = threading.local()
        # SQLite has one writer. Queueing here is fair and quick; polling its file lock is neither.
        self._commits = SharedCommits(engine) if engine.dialect.name == "sqlite" else None

    def transact(
        self,
        fn: Callable[[Work], T],
        *,
        moment: Moment,
        new_id: Callable[[], str],
        random_bytes: Callable[[int], bytes],
        scope: str = EVERYBODY,
        committed: Callable[[Sequence[tuple[str, ...]]], None] = lambda _: None,
        again: Callable[[int], None] = lambda _: None,
        shares_commit: bool = False,
    ) -> T:
        """Run `fn` in a transaction and commit it before returning its result.

        On PostgreSQL row-level security keeps it to the rows of the organisation `scope`.

        Whatever `fn` raises rolls everything back and is raised on. After a serialisation failure,
        a deadlock, a row that a rival added meanwhile, or a busy SQLite, `fn` runs again from its
        start, up to 5 times in all. A commit whose outcome is unknown (the connection died) is
        raised, never run again: the caller's repeat with the same X-Request-ID finds out.

        `committed` is told what the work noted in `happened`, once, after the commit; `again` how
        often `fn` had to run again, each time.

        With `shares_commit`, those that wait for SQLite's only writer are committed together with
        it (`app/db/sharing.py`): for what takes no longer than an answer may wait.

        Where `fn` raises ReserveFirst, nothing of it is kept; what it names is set aside in a
        transaction of its own, `fn` runs anew with it, and it is settled with `fn`, or after it
        where `fn` is refused.
        """

        def run(what: Callable[[Work], U], shares: bool) -> U:
            def carry_out(connection: sa.Connection) -> tuple[U, Sequence[tuple[str, ...]]]:
                work = Work(connection, moment, new_id, random_bytes, self._audit_key, scope)
                work.begin()
                result = what(work)
                work.commit()
                return result, work.happened

            def rest(attempt: int) -> None:
                again(attempt)
                self._sleep(_pause(attempt, random_bytes))

            result, happened = self._tried(carry_out, shares, rest)
            committed(happened)
            return result

        try:
            return run(fn, shares_commit)
        except ReserveFirst as asked:
            reserve = asked.reserve
        run(reserve.take, False)

        def with_reserve(work: Work) -> T:
            reserve.enter(work)
            made = fn(work)
            reserve.give_back(work)
            return made

        try:
            return run(with_reserve, shares_commit)
        except Exception as error:
            refused = error
            run(lambda work: reserve.settle(work, refused), False)
            raise

    def _tried(
        self,
        carry_out: Callable[[sa.Connection], T],
        shares_commit: bool,
        rest: Callable[[int], None],
    ) -> T:
        """What it gives once it is committed; after a failure that passes it is tried again."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._committed(carry_out, shares_commit and attempt == 1)
            except CommitLost:
                pass
            except DBAPIError as error:
                if attempt == TRIES or not is_transient(error):
                    raise
            rest(attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def read(
        self,
        fn: Callable[[Work], T],
        *,
        moment: Moment,
        scope: str = EVERYBODY,
        asking: Callable[[Moment], Sequence[tuple[Statement, Values]]] | None = None,
    ) -> T:
        """Run `fn` on one consistent snapshot. Takes no write lock, and keeps nothing.

        A write is refused: by PostgreSQL as it comes, on SQLite with ReadOnlyWork at the end.

        On PostgreSQL row-level security keeps it to the rows of the organisation `scope`.

        `asking` gives all that `fn` asks, where that is known before: then PostgreSQL is waited for
        once, the end of the transaction included.
        """
        with self._alone(), self.engine.connect() as plain:
            connection = plain.execution_options(**{READ_ONLY: True})
            with connection.begin() as transaction:
                work = Work(connection, moment, _no_id, _no_bytes, self._audit_key, scope)
                work.begin(reads=True)
                if asking is not None:
                    work.ask_no_more(asking(moment))
                before = _rows_written(connection)
                found = fn(work)
                if _rows_written(connection) != before:
                    raise ReadOnlyWork("A read wrote a row. Use Database.transact.")
                transaction.rollback()  # so that nothing could be kept
                return found

    def _committed(self, carry_out: Callable[[sa.Connection], T], shared: bool) -> T:
        """Carry it out in a transaction that is committed before this returns."""
        with self._alone():
            if self._commits is not None and shared:
                return self._commits.together(carry_out)
            opened = self.engine.begin() if self._commits is None else self._commits.alone()
            with opened as connection:
                return carry_out(connection)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if getattr(self._thread, "busy", False):
            raise NestedTransaction(
                "A transaction is already open in this thread. Pass its Work on instead."
            )
        self._thread.busy = True
        try:
            yield
        finally:
            self._thread.busy = False


def _rows_written(connection: sa.Connection) -> int:
    """How many rows a connection to SQLite has written so far; PostgreSQL refuses them itself."""
    return int(getattr(connection.connection.driver_connection, "total_changes", 0))


def is_transient(error: DBAPIError) -> bool:
    """Whether running the same transaction again can be expected to succeed."""
    original = error.orig
    if getattr(original, "sqlstate", None) in TRANSIENT_STATES:
        return True
    code = getattr(original, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in TRANSIENT_CODES


def _pause(attempt: int, random_bytes: Callable[[int], bytes]) -> float:
    """Seconds to wait: doubling, with jitter so that rivals do not meet again."""
    jitter = 1 + random_bytes(1)[0] / 255
    return FIRST_PAUSE_SECONDS * float(2 ** (attempt - 1)) * jitter


def _no_id() -> NoReturn:
    raise ReadOnlyWork("A read drew an id. Use Database.transact for anything that writes.")


def _no_bytes(_count: int) -> NoReturn:
    raise ReadOnlyWork("A read drew randomness. Use Database.transact for anything that writes.")
