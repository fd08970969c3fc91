"""Let commits fail, on either database, before they are sent."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa


@contextmanager
def that_fail(engine: sa.Engine) -> Iterator[None]:
    """Inside the block no transaction of the engine is committed.

    PostgreSQL's COMMIT is a statement among those that wait (ADR 99); SQLite's is SQLAlchemy's.
    """

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    def fail_at_commit(_c: object, _k: object, statement: str, *_: object) -> None:
        if statement == "COMMIT":
            fail()

    name, listener = ("commit", fail)
    if engine.dialect.name == "postgresql":
        name, listener = ("before_cursor_execute", fail_at_commit)
    sa.event.listen(engine, name, listener)
    try:
        yield
    finally:
        sa.event.remove(engine, name, listener)
