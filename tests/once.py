"""What many tests begin with, set up once in a process and copied for each test after the first.

A copy is what a restart of the service would find: every row of every table as it was written, the
data folder, and the same ids and bytes still to come. What a service holds in memory (its metrics,
the calls it counted) is not copied: each test's application begins without.
"""

import copy
import operator
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from app.db.tables import metadata
from app.db.transaction import Database

T = TypeVar("T")


class Counted(Generic[T]):
    """Draws `value(1, …)`, `value(2, …)` and so on; safe to draw from in several threads."""

    def __init__(self, value: Callable[..., T]) -> None:
        self._value = value
        self.stand(0)

    def __call__(self, *given: Any) -> T:
        return self._value(next(self._numbers), *given)

    @property
    def drawn(self) -> int:
        """How many were drawn."""
        return sys.maxsize - 1 - operator.length_hint(self._numbers)

    def stand(self, drawn: int) -> None:
        """Go on as if so many had been drawn."""
        self._numbers = iter(range(drawn + 1, sys.maxsize))


class Store(ABC):
    """Keeps all that one test's database holds, and puts what was kept into another's."""

    @abstractmethod
    def take(self) -> Any:
        """Everything that is committed."""

    @abstractmethod
    def put(self, kept: Any) -> None:
        """Have exactly that, and nothing else."""


class OnSqlite(Store):
    """The file of a database that nobody uses at the moment."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine, self._path = engine, Path(engine.url.database or "")

    def take(self) -> bytes:
        return self._closed().read_bytes()

    def put(self, kept: bytes) -> None:
        self._closed().write_bytes(kept)

    def _closed(self) -> Path:
        """The file, with all in it: the last connection folds the write-ahead log into it."""
        assert self._engine.pool.checkedout() == 0, "a transaction is open"  # type: ignore[attr-defined]
        self._engine.dispose()
        assert not self._path.with_name(f"{self._path.name}-wal").exists()
        return self._path


#: The sequences of the schema, which `take` makes sure of.
SEQUENCES = ("audit_event_id_seq", "report_sum_id_seq")
#: Of each sequence its last value, and whether it was given.
Counts = dict[str, tuple[int, bool]]


class OnPostgres(Store):
    """The rows of every table that has any, as COPY has them, read and written by the owner.

    A database made from a template takes PostgreSQL some 300 files of tables and indexes for each
    test: measured, 240 ms of a processor, where the rows of a scene take 20.
    """

    def __init__(self, owner: sa.Engine, clean: Callable[[sa.Engine], None]) -> None:
        self._owner, self._clean = owner, clean

    def take(self) -> tuple[dict[str, bytes], Counts]:
        with self._owner.begin() as connection:
            named = connection.exec_driver_sql("SELECT sequencename FROM pg_sequences").scalars()
            assert set(named) == set(SEQUENCES), "copy the other sequences too"
            counts = {}
            for name in SEQUENCES:
                row = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {name}").one()
                counts[name] = (row[0], row[1])
            rows = {}
            with connection.connection.cursor() as cursor:
                for table in filled(connection):
                    with cursor.copy(f'COPY "{table}" TO STDOUT (FORMAT BINARY)') as out:
                        rows[table] = b"".join(out)
        return rows, counts

    def put(self, kept: tuple[dict[str, bytes], Counts]) -> None:
        rows, counts = kept
        self._clean(self._owner)
        with self._owner.begin() as connection:
            # The rows were checked when they were first written: no trigger need fire again.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            with connection.connection.cursor() as cursor:
                for table, data in rows.items():
                    with cursor.copy(f'COPY "{table}" FROM STDIN (FORMAT BINARY)') as into:
                        into.write(data)
            for name, (last, called) in counts.items():
                connection.exec_driver_sql(f"SELECT setval('{name}', {last}, {called})")


_FILLED = " UNION ALL ".join(
    f"SELECT '{table.name}' WHERE EXISTS (SELECT 1 FROM \"{table.name}\")"
    for table in metadata.sorted_tables
)


def filled(connection: sa.Connection) -> list[str]:
    """The tables that have rows, each after those that it refers to."""
    found = set(connection.exec_driver_sql(_FILLED).scalars())
    return [table.name for table in metadata.sorted_tables if table.name in found]


@dataclass(frozen=True)
class Kept:
    """One beginning: what the database and the folder held, what was drawn, and what was made."""

    stored: Any
    folder: Path | None
    drawn: tuple[int, ...]
    made: Any


@dataclass
class Begin:
    """Sets up a test's beginnings, each on the one before: `begin("people", set_up)`.

    A beginning is told apart by its name and by those before it. If a test did anything in
    between that drew an id or bytes, as every call of the service does, there is nothing to copy
    and the beginning is set up really.
    """

    database: Database
    store: Store
    #: The test's data folder, and where the folders of beginnings are kept.
    folder: Path
    shelf: Path
    counted: tuple[Counted[Any], ...]
    kept: dict[tuple[str, ...], Kept]
    _before: tuple[str, ...] = ()
    _drawn: tuple[int, ...] = field(default=())

    def __post_init__(self) -> None:
        self._before = (self.database.engine.dialect.name,)
        self._drawn = tuple(0 for _ in self.counted)

    def __call__(self, name: str, set_up: Callable[[], T]) -> T:
        """What `set_up` makes, with all that it did to the database and the data folder."""
        if self.drawn() != self._drawn:
            return set_up()
        key = (*self._before, name)
        if key in self.kept:
            made = self._copy(self.kept[key])
        else:
            made = set_up()
            self.kept[key] = self._keep(len(self.kept), made)
        self._before, self._drawn = key, self.drawn()
        return made

    def drawn(self) -> tuple[int, ...]:
        """How much of each source was drawn."""
        return tuple(each.drawn for each in self.counted)

    def _keep(self, number: int, made: Any) -> Kept:
        folder = None
        if self.folder.exists():
            folder = self.shelf / str(number)
            shutil.copytree(self.folder, folder)
        return Kept(self.store.take(), folder, self.drawn(), copy.deepcopy(made))

    def _copy(self, kept: Kept) -> Any:
        self.store.put(kept.stored)
        shutil.rmtree(self.folder, ignore_errors=True)
        if kept.folder is not None:
            shutil.copytree(kept.folder, self.folder)
        for source, drawn in zip(self.counted, kept.drawn, strict=True):
            source.stand(drawn)
        return copy.deepcopy(kept.made)
