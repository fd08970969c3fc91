"""Run use cases on any database with the fixtures' moment, ids and bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from app.db.transaction import Database
from app.db.work import Moment, Work

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """What `Database.transact` asks for, once for many calls."""

    moment: Moment
    ids: Callable[[], str]
    random_bytes: Callable[[int], bytes]

    def on(self, database: Database, fn: Callable[[Work], T]) -> T:
        """Run `fn` in a transaction of `database`."""
        return database.transact(
            fn, moment=self.moment, new_id=self.ids, random_bytes=self.random_bytes
        )
