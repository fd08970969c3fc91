"""The demonstration loaded: whole once, on SQLite; a part of it on both databases."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.commands.demo import LEGACY
from app.commands.reconcile import operator
from app.db.engine import make_engine
from app.db.tables import metadata
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import EVERYBODY, Moment, enter_scope
from app.demonstration.load import Loaded, load
from app.demonstration.submission import Invoices
from app.desk import make_desk
from app.reconciliation.service import Desk, Reconciled, load_run
from app.settings import Settings

DAY = dt.date(2026, 11, 2)
MOMENT = Moment(dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC), DAY)
#: Of these, a database's own stamp of the transaction and what is signed with it.
STAMPS = frozenset({"xid", "hmac", "key_id", "position"})


@dataclass
class Demonstration:
    """The whole demonstration of one day in a folder of its own."""

    folder: Path
    database: Database
    desk: Desk
    loaded: Loaded
    invoices: Invoices

    def run(self, owner: str) -> Reconciled:
        caller = operator(None if owner == "*" else owner)
        run = self.loaded.runs[owner]
        return self.database.read(
            lambda work: load_run(work, self.desk, caller, run), moment=MOMENT
        )


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """Loading takes some fifteen seconds, so the tests share it and change nothing."""
    folder = tmp_path_factory.mktemp("demonstration")
    settings = Settings(data_dir=folder, demonstration=True)
    engine = make_engine(settings.database_url)
    upgrade(engine)
    database = Database(engine, settings.audit_key_bytes())
    desk = make_desk(settings)
    loaded, invoices = load(database, desk, operator(None), DAY, legacy=LEGACY.read_bytes())
    yield Demonstration(folder, database, desk, loaded, invoices)
    engine.dispose()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(Settings(data_dir=tmp_path, demonstration=True))


def rows_of(database: Database) -> dict[str, list[str]]:
    """Every row of every table as text, but for the stamps."""
    found: dict[str, list[str]] = {}
    with database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            enter_scope(connection, EVERYBODY)
        for table in metadata.sorted_tables:
            rows = connection.execute(sa.select(table)).mappings()
            found[table.name] = sorted(_as_text(row) for row in rows)
    return found


def _as_text(row: Mapping[str, Any]) -> str:
    """A row in one form: PostgreSQL keeps the keys of a document in an order of its own."""
    kept = {name: value for name, value in row.items() if name not in STAMPS}
    return json.dumps(kept, sort_keys=True, default=str)
