"""A service in use, to be backed up: a part of the demonstration, its files, seals and checkpoints.

On PostgreSQL its tables' owner is a plain role, which row-level security holds for too.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.audit import Keyring
from app.cli import app
from app.commands.reconcile import operator
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.demonstration.load import load
from app.desk import make_desk
from app.door import Door
from app.sealer import Sealer
from app.settings import DEMONSTRATION_AUDIT_KEY, Settings
from tests.conftest import DIALECTS
from tests.integration.demonstration.conftest import DAY

KEY = DEMONSTRATION_AUDIT_KEY.encode()
OWNER = "assent_tests_owner"


@dataclass
class Place:
    """A database and the folders beside it, and the command line pointed at them."""

    url: str
    folder: Path
    engines: list[sa.Engine] = field(default_factory=list)

    def settings(self) -> Settings:
        return Settings(
            data_dir=self.folder / "data",
            database_url=self.url,
            checkpoints_dir=self.folder / "checkpoints",
            demonstration=True,
        )

    def database(self) -> Database:
        engine = make_engine(self.url)
        self.engines.append(engine)
        return Database(engine, KEY)

    def run(self, *words: str) -> Any:
        environment = {
            "ASSENT_DEMONSTRATION": "true",
            "ASSENT_DATA_DIR": str(self.folder / "data"),
            "ASSENT_DATABASE_URL": self.url,
            "ASSENT_CHECKPOINTS_DIR": str(self.folder / "checkpoints"),
        }
        return CliRunner().invoke(app, list(words), env=environment)

    def close(self) -> None:
        for engine in self.engines:
            engine.dispose()


class Places:
    """Makes places on one kind of database, and takes them away again."""

    def __init__(self, dialect: str, folder: Path, admin: sa.Engine | None) -> None:
        self.dialect, self.folder, self.admin = dialect, folder, admin
        self.made: list[Place] = []

    def new(self) -> Place:
        """An empty database and folders that are not there yet."""
        number = len(self.made) + 1
        folder = self.folder / f"place-{number}"
        folder.mkdir()
        if self.admin is None:
            url = f"sqlite:///{folder / 'database' / 'assent.db'}"
        else:
            name = f"assent_backup_{os.getpid()}_{id(self)}_{number}"
            self._run(f"CREATE DATABASE {name} OWNER {OWNER}")
            owner = self.admin.url.set(database=name, username=OWNER, password=None)
            url = owner.render_as_string(hide_password=False)
        self.made.append(Place(url, folder))
        return self.made[-1]

    def _run(self, statement: str) -> None:
        assert self.admin is not None
        with self.admin.connect() as connection:
            connection.exec_driver_sql(statement)

    def close(self) -> None:
        for place in self.made:
            place.close()
            if self.admin is not None:
                name = sa.engine.make_url(place.url).database
                self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def make_owner(admin: sa.Engine) -> None:
    """Make the plain role that owns tables on PostgreSQL, once for the cluster."""
    with admin.connect() as connection:
        connection.exec_driver_sql(
            f"DO $$ BEGIN CREATE ROLE {OWNER} LOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
        # Functions of the schema set it; only a superuser may do so without being let.
        connection.exec_driver_sql(f'GRANT SET ON PARAMETER "app.organisation" TO {OWNER}')


@pytest.fixture(params=DIALECTS, scope="module")
def places(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Places]:
    admin = None
    if request.param == "postgres":
        admin = request.getfixturevalue("_postgres_admin")
        make_owner(admin)
    made = Places(request.param, tmp_path_factory.mktemp("places"), admin)
    yield made
    made.close()


@pytest.fixture(scope="module")
def original(places: Places) -> Place:
    """The demonstration in part, sealed. Loading it is slow, so tests share it and only read it."""
    place = places.new()
    settings, database = place.settings(), place.database()
    upgrade(database.engine)
    load(database, make_desk(settings), operator(None), DAY, one_in=30)
    Sealer(Keyring.of(KEY), settings.checkpoints()).seal_all(Door(database))
    return place


@pytest.fixture(scope="module")
def saved(original: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the original, which tests only read."""
    return backed_up(original, tmp_path_factory.mktemp("saved") / "backup")


@pytest.fixture
def spare(places: Places, saved: Path) -> Place:
    """The same again, restored from the backup: the test may spoil it."""
    place = places.new()
    assert place.run("restore", str(saved), "--no-verify").exit_code == 0
    return place


def backed_up(place: Place, folder: Path) -> Path:
    """A backup of the place in that folder."""
    done = place.run("backup", str(folder))
    assert done.exit_code == 0, done.output
    return folder
