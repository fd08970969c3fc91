"""Statements for PostgreSQL through libpq itself: several in one round trip, each prepared once.

psycopg's cursors and its own pipeline send the same bytes, with twenty times as much Python for
each statement, which was two fifths of a submission's processor time. Values and answers are
converted by psycopg's own adapters, as a cursor would.
"""

import select
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result
from sqlalchemy.pool import PoolProxiedConnection

_KEPT: Final = "assent pipeline"
#: In a pooled connection's `info`, true: no statement may be prepared under a name (`poolers`).
UNNAMED: Final = "assent prepares nothing by name"
_GOOD: Final = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})
_BEGIN: Final = b"BEGIN"
_COMMIT: Final = b"COMMIT"
_NOT_KEPT: Final = (
    "The transaction was not committed: a statement in it had failed before, and its error was not "
    "passed on. Nothing of it was kept."
)
_CUT: Final = "The database closed the connection before it had answered."


@dataclass(slots=True)
class Call:
    """A statement, as PostgreSQL writes its parameters ($1), with their values."""

    #: What a connection calls it once it has prepared it.
    name: bytes
    text: bytes
    values: Sequence[Any]


class Failed(Exception):
    """The place of the first call that failed, counted from 0, and psycopg's error."""

    def __init__(self, place: int, error: psycopg.Error) -> None:
        super().__init__(place)
        self.place = place
        self.error = error


class Pipeline:
    """What sends statements over one connection, which one thread uses at a time."""

    def __init__(self, driver: psycopg.Connection[Any], *, unnamed: bool = False) -> None:
        self._driver = driver
        self._unnamed = unnamed
        self._convert = Transformer(driver)
        self._prepared: set[bytes] = set()

    def carry_out(self, calls: Sequence[Call]) -> list[pq.abc.PGresult]:
        """Each call's result, in their order. Raises Failed; none after that one was carried out.

        psycopg.Error where the connection fails, which is closed then. RuntimeError outside of a
        transaction, where each statement would be kept at once.
        """
        begins = calls[0].text.startswith(_BEGIN)
        if not begins and self._driver.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            raise RuntimeError("no transaction is open: it was not begun, or has ended")
        values = [self._dumped(place, call) for place, call in enumerate(calls)]
        try:
            return self._sent(calls, values)
        except Failed as failed:
            if not begins or not isinstance(failed.error, InvalidSqlStatementName):
                raise
        # Somebody threw away what the session had prepared (DEALLOCATE ALL, DISCARD ALL). The
        # transaction began with these calls, so it is begun again, with all of it made anew.
        self._start_anew()
        return self._sent(calls, values)

    def _start_anew(self) -> None:
        """End the transaction, if one was begun, and forget what the session had prepared."""
        idle = self._driver.pgconn.transaction_status == pq.TransactionStatus.IDLE
        for command in (b"DEALLOCATE ALL",) if idle else (b"ROLLBACK", b"DEALLOCATE ALL"):
            result = self._driver.pgconn.exec_(command)
            if result.status not in _GOOD:
                self._driver.close()
                raise error_from_result(result)
        self._prepared.clear()

    def _sent(
        self, calls: Sequence[Call], values: Sequence[Sequence[Any]]
    ) -> list[pq.abc.PGresult]:
        expected: list[tuple[int, bytes | None]] = []  # whose result comes next, what it prepares
        known, pgconn = set(self._prepared), self._driver.pgconn
        try:
            pgconn.enter_pipeline_mode()
            for place, call in enumerate(calls):
                if self._unnamed:
                    pgconn.send_query_params(call.text, values[place])
                    expected.append((place, None))
                    continue
                if call.name not in known:
                    pgconn.send_prepare(call.name, call.text)
                    known.add(call.name)
                    expected.append((place, call.name))
                pgconn.send_query_prepared(call.name, values[place])
                expected.append((place, None))
            pgconn.pipeline_sync()
            results = _received(pgconn)
            pgconn.exit_pipeline_mode()
        except BaseException:
            self._driver.close()  # nobody knows what it would answer next
            raise
        return self._answers(calls, expected, results)

    def rows(self, result: pq.abc.PGresult) -> tuple[list[str], list[tuple[Any, ...]]]:
        """An answer's names and rows."""
        names = [(result.fname(place) or b"").decode() for place in range(result.nfields)]
        self._convert.set_pgresult(result)
        found = self._convert.load_rows(0, result.ntuples, tuple)
        self._convert.set_pgresult(None)  # rows of patients are not kept with the connection
        return names, found

    def _dumped(self, place: int, call: Call) -> Sequence[Any]:
        # As text, whose type PostgreSQL infers from the statement: the same one serves any value.
        try:
            return self._convert.dump_sequence(call.values, [PyFormat.TEXT] * len(call.values))
        except psycopg.Error as error:
            raise Failed(place, error) from None

    def _answers(
        self,
        calls: Sequence[Call],
        expected: list[tuple[int, bytes | None]],
        results: list[pq.abc.PGresult],
    ) -> list[pq.abc.PGresult]:
        answers = []
        for (place, prepares), result in zip(expected, results, strict=True):
            if result.status not in _GOOD:
                error = error_from_result(result)
                if error.diag.severity_nonlocalized in ("FATAL", "PANIC"):
                    self._driver.close()  # the database has ended the session
                raise Failed(place, error)
            if prepares is None:
                # PostgreSQL answers the COMMIT of a transaction that has failed with ROLLBACK, and
                # calls that a success.
                if calls[place].text == _COMMIT and result.command_status != _COMMIT:
                    raise Failed(place, psycopg.errors.InFailedSqlTransaction(_NOT_KEPT))
                answers.append(result)
            else:
                self._prepared.add(prepares)  # for as long as the session lasts, rollback or not
        return answers


def pipeline_of(connection: PoolProxiedConnection) -> Pipeline:
    """The pipeline of a pooled connection, kept with it for as long as it lives."""
    found: Pipeline | None = connection.info.get(_KEPT)
    if found is None:
        driver: Any = connection.driver_connection
        unnamed = connection.info.get(UNNAMED, False)
        found = connection.info[_KEPT] = Pipeline(driver, unnamed=unnamed)
    return found


def _received(pgconn: pq.abc.PGconn) -> list[pq.abc.PGresult]:
    """Send what was called, and wait for the results of all of it."""
    ready = select.poll()
    ready.register(pgconn.socket, select.POLLIN | select.POLLOUT)
    while pgconn.flush():  # both ways at once, or each side could wait for the other to read
        if any(event & ~select.POLLOUT for _, event in ready.poll()):
            pgconn.consume_input()
    ready.modify(pgconn.socket, select.POLLIN)
    results: list[pq.abc.PGresult] = []
    while True:
        while pgconn.is_busy():
            ready.poll()
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:  # after each statement's; also of a connection that is gone
            if pgconn.status != pq.ConnStatus.OK:
                raise psycopg.OperationalError(_CUT)
        elif result.status == pq.ExecStatus.PIPELINE_SYNC:
            return results
        else:
            results.append(result)
