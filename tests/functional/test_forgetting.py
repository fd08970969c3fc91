"""The worker erases stored answers past their days, and tokens that have expired."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.auth.clients import register_client
from app.auth.model import Role
from app.commands import serve
from app.db.tables import access_token, idempotent_answer
from app.db.work import Work
from app.door import Door
from app.housekeeping import forgetting
from app.settings import Settings
from app.work import run_for_ever
from tests.functional.conftest import ADMINISTRATOR


def run_chores_once(door: Door, settings: Settings) -> None:
    run_for_ever(door, {}, pause=lambda _: True, chores=[forgetting(settings)])


def in_days(door: Door, days: int) -> Door:
    now = door.now() + dt.timedelta(days=days)
    return replace(door, now=lambda: now)


def test_a_repeat_after_the_days_is_410_and_writes_nothing(
    application: FastAPI, client: TestClient, notes: Callable[[], list[str]]
) -> None:
    sent = {"X-Request-ID": str(uuid.uuid4())}
    assert client.post("/probe/notes", json={"text": "Zephaniah"}, headers=sent).status_code == 201
    settings = Settings(demonstration=True, answers_kept_days=7)

    run_chores_once(in_days(application.state.door, 7), settings)
    assert client.post("/probe/notes", json={"text": "Zephaniah"}, headers=sent).status_code == 201
    run_chores_once(in_days(application.state.door, 8), settings)
    reply = client.post("/probe/notes", json={"text": "Zephaniah"}, headers=sent)

    assert (reply.status_code, reply.json()["code"]) == (410, "answer-no-longer-kept")
    assert "Nothing was done again" in reply.json()["detail"]
    assert notes() == ["Zephaniah"]
    kept = application.state.door.read(
        lambda work: work.connection.execute(sa.select(idempotent_answer)).mappings().all()
    )
    assert "Zephaniah" not in str(kept)


def test_expired_tokens_are_forgotten_and_valid_ones_are_not(application: FastAPI) -> None:
    door = application.state.door
    now = door.now()

    def add(work: Work) -> None:
        client = register_client(
            work,
            ADMINISTRATOR,
            name="A system",
            role=Role.CLINICIAN,
            organisations=["DEMO1"],
            scopes=["read"],
        )
        for name, expires in (("old", now - dt.timedelta(hours=2)), ("new", now)):
            work.connection.execute(
                sa.insert(access_token).values(
                    token_hash=name, client_id=client, scopes=[], issued_at=now, expires_at=expires
                )
            )

    door.transact(add)
    run_chores_once(door, Settings(demonstration=True))
    left = door.read(lambda work: work.connection.execute(sa.select(access_token)).all())
    assert [row.expires_at for row in left] == [now]


def test_the_worker_does_its_housekeeping() -> None:
    assert serve.forgetting is forgetting
