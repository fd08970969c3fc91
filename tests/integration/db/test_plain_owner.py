"""An owner that is no superuser is told what it lacks, and upgrades once it has it."""

import os
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.cli import app
from app.db.engine import make_engine
from app.db.upgrade import current, head

pytestmark = pytest.mark.postgres
NAME = f"assent_plain_{os.getpid()}"


@pytest.fixture
def plain(_postgres_admin: sa.Engine) -> Iterator[tuple[psycopg.Connection, str]]:
    """A superuser's connection, and the address of an empty database that a plain role owns."""
    given = _postgres_admin.url
    superuser = psycopg.connect(
        host=given.host,
        port=given.port,
        user=given.username,
        password=given.password,
        dbname="postgres",
        autocommit=True,
    )
    superuser.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD '{NAME}'".encode())
    superuser.execute(f"CREATE DATABASE {NAME} OWNER {NAME}".encode())
    url = given.set(username=NAME, password=NAME, database=NAME)
    yield superuser, url.render_as_string(hide_password=False)
    superuser.execute(f"DROP DATABASE {NAME} WITH (FORCE)".encode())
    superuser.execute(f"DROP OWNED BY {NAME}".encode())
    superuser.execute(f"DROP ROLE {NAME}".encode())
    superuser.close()


def test_a_plain_owner_is_told_the_statement_and_upgrades_with_it(
    plain: tuple[psycopg.Connection, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    superuser, url = plain
    monkeypatch.setenv("ASSENT_DATABASE_URL", url)
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    statement = f'GRANT SET ON PARAMETER "app.organisation" TO {NAME};'

    refused = CliRunner().invoke(app, ["db", "upgrade"])

    assert refused.exit_code == 3, refused.output
    assert statement in refused.output
    assert "Traceback" not in refused.output
    engine = make_engine(url)
    assert "stopped at 0004" in refused.output
    assert current(engine) == "0004"

    superuser.execute(statement.encode())
    done = CliRunner().invoke(app, ["db", "upgrade"])
    assert done.exit_code == 0, done.output
    assert current(engine) == head()
    engine.dispose()
