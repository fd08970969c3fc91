"""The yardstick of `benchmarks.load`: an endpoint that inserts one ORM row, and nothing else.

Served by uvicorn as the service is, on the same database, with the same engine settings: durable
commits, and one writer on SQLite, without which it would spend its time polling the file's lock.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
import threading
import uuid
from typing import Any

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from app.db.engine import make_engine


class Base(DeclarativeBase):
    """The yardstick's tables."""


class Row(Base):
    """One row of its own table."""

    __tablename__ = "load_bare"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(sa.DateTime(timezone=True))
    policy: Mapped[str] = mapped_column(sa.String(80))
    answers: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


class Form(BaseModel):
    """What it takes."""

    policy: str
    answers: dict[str, Any]


class Made(BaseModel):
    """What it answers."""

    id: str


def application(url: str) -> FastAPI:
    """The endpoint."""
    engine = make_engine(url)
    lock = threading.Lock() if engine.dialect.name == "sqlite" else contextlib.nullcontext()
    app = FastAPI()

    @app.post("/rows", status_code=201)
    def add(form: Form) -> Made:
        row = Row(
            id=str(uuid.uuid4()),
            at=dt.datetime.now(dt.UTC),
            policy=form.policy,
            answers=form.answers,
        )
        made = Made(id=row.id)
        with lock, Session(engine) as session:
            session.add(row)
            session.commit()
        return made

    return app


if __name__ == "__main__":
    uvicorn.run(
        application(sys.argv[1]),
        port=int(sys.argv[2]),
        access_log=False,
        log_config=None,
    )
