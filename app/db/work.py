"""One unit of work: everything that a use case may touch, passed in."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

#: The scope of an operator and of the service's own work: every organisation's rows.
EVERYBODY: Final = "*"
#: The scope of a call whose caller is not known yet: no organisation's rows.
NOBODY: Final = ""
_DEPTH: Final = "assent beyond scope"
KEEPING: Final = "keeping"
_ENTER: Final = sa.text("SELECT set_config('app.organisation', :scope, true)")


@dataclass(frozen=True, slots=True)
class Moment:
    """When a use case runs: the instant in UTC and the Europe/London day it falls on."""

    instant: dt.datetime
    day: dt.date

    def __post_init__(self) -> None:
        if self.instant.tzinfo is None:
            raise ValueError("a moment needs a time zone: pass an aware instant")


@dataclass(frozen=True, slots=True)
class Work:
    """An open transaction with the moment, the sources of ids and randomness, and the audit key.

    A use case may run again from its start after a serialisation failure, so it keeps its effects
    to `connection`.
    """

    connection: sa.Connection
    moment: Moment
    new_id: Callable[[], str]
    random_bytes: Callable[[int], bytes]
    audit_key: bytes = field(repr=False)
    scope: str = EVERYBODY
    #: Facts to count once the transaction has committed: a name, then labels. No patient data.
    happened: list[tuple[str, ...]] = field(default_factory=list, repr=False)
    #: What the transaction reads once and must not read differently later, by who reads it.
    read_once: dict[object, Any] = field(default_factory=dict, repr=False)

    @contextmanager
    def beyond_scope(self) -> Iterator[None]:
        """Read and write across organisations inside the block, where a rule needs to.

        Whether a person has a live approval, who a patient is, what number an audit row takes:
        these are asked of the whole database. Whoever uses this tells the caller no more than
        the rule's answer. On SQLite, which has no row-level security, it changes nothing.
        """
        depth = self.connection.info.get(_DEPTH, 0)
        if not self.on_postgres or self.scope == EVERYBODY or depth:
            yield
            return
        enter_scope(self.connection, EVERYBODY)
        self.connection.info[_DEPTH] = 1
        try:
            yield
        finally:
            self.connection.info.pop(_DEPTH, None)
            # After an error the transaction only takes a rollback, which ends the setting too.
            if not _is_failed(self.connection):
                enter_scope(self.connection, self.scope)

    #: What a block of `keeping` has read under its locks; empty outside of one.
    kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Let the block keep what it reads of objects that it has locked, and read it once.

        Only what nobody else can change before the transaction ends may be kept, and whoever
        changes it in the block takes it out. Not around a savepoint: taken back, it would take
        its locks and rows with it.
        """
        self.kept[KEEPING] = True
        try:
            yield
        finally:
            self.kept.clear()

    @property
    def keeps(self) -> bool:
        """Whether a block of `keeping` is open."""
        return KEEPING in self.kept

    @property
    def on_postgres(self) -> bool:
        """Whether the transaction is on PostgreSQL (otherwise it is on SQLite)."""
        return self.connection.dialect.name == "postgresql"


def enter_scope(connection: sa.Connection, scope: str) -> None:
    """Tell PostgreSQL for which organisation the rest of the transaction reads and writes."""
    connection.execute(_ENTER, {"scope": scope})


def _is_failed(connection: sa.Connection) -> bool:
    """Whether an error has ended the transaction, so that it takes nothing but a rollback."""
    if connection.invalidated:
        return True
    driver = connection.connection.driver_connection
    return driver is None or driver.closed or driver.info.transaction_status.name == "INERROR"
