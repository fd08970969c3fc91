"""One unit of work: everything that a use case may touch, passed in."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa


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

    @property
    def on_postgres(self) -> bool:
        """Whether the transaction is on PostgreSQL (otherwise it is on SQLite)."""
        return self.connection.dialect.name == "postgresql"
