"""Databases of PostgreSQL that a test or a process of tests has to itself."""

from typing import Any

import sqlalchemy as sa


class FreshPostgres:
    """A database that exists for as long as the block runs."""

    def __init__(self, admin: sa.Engine, name: str, like: str = "template1") -> None:
        self.admin, self.name, self.like = admin, name, like

    def __enter__(self) -> str:
        self._run(f'CREATE DATABASE "{self.name}" TEMPLATE "{self.like}"')
        return self.admin.url.set(database=self.name).render_as_string(hide_password=False)

    def __exit__(self, *_: Any) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        with self.admin.connect() as connection:
            connection.exec_driver_sql(statement)
