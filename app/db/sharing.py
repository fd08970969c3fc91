"""One commit for several transactions that wait for SQLite's only writer.

Each is carried out in turn, behind a savepoint of its own, and none returns before the commit that
they share is on disk. What one raises takes back that one alone.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import sqlalchemy as sa

T = TypeVar("T")

#: As many as an answer may wait for, at most.
MOST: Final = 16
#: How long a transaction waits for the shared commit before it sees to it itself.
PATIENCE_SECONDS: Final = 1.0


class CommitLost(Exception):
    """SQLite took back the transactions that waited for a shared commit; nothing was saved."""


@dataclass(slots=True)
class _Group:
    connection: sa.Connection
    transaction: sa.RootTransaction
    members: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    #: Why nothing of the group was saved, as far as that is known.
    error: BaseException | None = None

    @property
    def driver(self) -> Any:
        """The driver's own connection."""
        return self.connection.connection.driver_connection


class SharedCommits:
    """SQLite's writers, one at a time, in the order that a lock gives."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        #: The group that is not committed yet; only who has the turn looks at it.
        self._open: _Group | None = None

    @contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """A transaction that shares its commit with nobody."""
        with self._turn:
            self._end()
            with self._engine.begin() as connection:
                yield connection

    def together(self, fn: Callable[[sa.Connection], T]) -> T:
        """Carry `fn` out in a transaction, and return once it is committed, alone or with others.

        Raises what `fn` raises, which takes back `fn` alone, once what it may have seen is saved;
        what a failed commit raises; and CommitLost where SQLite took the whole group back before
        its commit.
        """
        refused: Exception | None = None
        with self._my_turn():
            group = self._open or self._begin()
            is_first = group.members == 0
            try:
                result = self._carry_out(group, fn)
            except Exception as error:
                if is_first:
                    raise
                refused = error  # perhaps because of rows of the group, which are not saved yet
            finally:
                # Whoever waits now goes on with this group, or ends it: nobody's answer is left.
                if not self._waiting or group.members >= MOST:
                    self._end()
        while not group.ended.wait(PATIENCE_SECONDS):
            with self._turn:
                if self._open is group:
                    self._end()
        if group.error is not None:
            raise group.error
        if refused is not None:
            raise refused
        return result

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        with self._count:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._count:
                self._waiting -= 1
        try:
            yield
        finally:
            self._turn.release()

    def _begin(self) -> _Group:
        connection = self._engine.connect()
        try:
            self._open = _Group(connection, connection.begin())
        except BaseException:
            connection.close()
            raise
        return self._open

    def _carry_out(self, group: _Group, fn: Callable[[sa.Connection], T]) -> T:
        is_first = group.members == 0
        try:
            if not is_first:
                group.driver.execute("SAVEPOINT one_of_several")
            result = fn(group.connection)
            if not is_first:
                group.driver.execute("RELEASE one_of_several")
        except BaseException:
            self._take_back(group, is_first)
            raise
        group.members += 1
        return result

    def _take_back(self, group: _Group, is_first: bool) -> None:
        """Undo what the last one wrote; all of them, where SQLite has done so by itself."""
        if is_first:
            self._end(CommitLost())  # nobody else is in it
            return
        try:
            while (nested := group.connection.get_nested_transaction()) is not None:
                nested.rollback()
            group.driver.execute("ROLLBACK TO one_of_several")
            group.driver.execute("RELEASE one_of_several")
        except Exception as error:
            lost = CommitLost()
            lost.__cause__ = error
            self._end(lost)

    def _end(self, lost: CommitLost | None = None) -> None:
        """Commit the open group, if there is one, or roll it back; and tell those who wait."""
        group, self._open = self._open, None
        if group is None:
            return
        group.error = lost
        try:
            with group.connection:
                try:
                    if lost is None:
                        group.transaction.commit()
                except BaseException:
                    group.transaction.rollback()
                    raise
                if lost is not None:
                    group.transaction.rollback()
        except sa.exc.IntegrityError as error:
            # Of one of them, which alone is to hear of it: each is carried out again by itself.
            group.error = CommitLost()
            group.error.__cause__ = error
        except BaseException as error:
            group.error = group.error or error
        finally:
            group.ended.set()
