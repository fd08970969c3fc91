"""The whole application over HTTP, on both databases, with a probe that writes one row."""

import os
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.testclient import TestClient
from pydantic import Field

from app.api.callers import SignedIn
from app.api.documents import Document
from app.api.headers import IfMatch, etag, version_read
from app.api.routing import StrictRoute
from app.api.types import Day, ExactNumber
from app.api.writing import NAMED, Answer, write
from app.approvals.library import Library
from app.approvals.store import check_version
from app.audit.model import Actor
from app.auth.model import Role
from app.auth.store import register_caller
from app.db import jobs
from app.db.tables import job
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.main import create_app
from app.settings import Settings
from tests.conftest import ADMIN_URL

TOKEN = "demo-clinician-token"
OTHER_TOKEN = "demo-other-token"
BODY_LIMIT = 20_000
ADMINISTRATOR = Actor("admin", "system", "SERVICE", "administrator", "test", "correlation-1")

#: Tests of pages. What a page does is a use case that other tests try on both databases, and the
#: walks in a browser run on SQLite: where PostgreSQL is there, these run on it alone.
PAGES = ("tests/functional/web/", "tests/functional/desk/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out a page's test on SQLite where the same one runs on PostgreSQL.

    ASSENT_PAGES_ON_BOTH runs them on both.
    """
    named = {each.nodeid for each in items}
    doubled = [
        each
        for each in items
        if each.nodeid.startswith(PAGES)
        and "sqlite" in each.name
        and each.nodeid.replace("sqlite", "postgres") in named
    ]
    if not doubled or os.environ.get("ASSENT_PAGES_ON_BOTH") or not _postgres_answers():
        return
    config.hook.pytest_deselected(items=doubled)
    left_out = set(doubled)
    items[:] = [each for each in items if each not in left_out]


def _postgres_answers() -> bool:
    engine = sa.create_engine(ADMIN_URL, connect_args={"connect_timeout": 3})
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
    return True


class Note(Document):
    """What the probe takes."""

    text: Annotated[str, Field(max_length=10_000)]
    amount: ExactNumber | None = None
    on: Day | None = None


class Noted(Document):
    """What the probe answers."""

    id: str
    text: str
    amount: ExactNumber | None


def probe() -> APIRouter:
    """Routes that only the tests have: one writes a row, one changes it, one fails."""
    router = APIRouter(prefix="/probe", route_class=StrictRoute)

    def note(work: Work, caller: Any, body: Note) -> Answer:
        id = jobs.enqueue(
            work,
            "probe",
            organisation=caller.organisation,
            created_by=caller.id,
            payload={"text": body.text},
        )
        noted = Noted(id=id, text=body.text, amount=body.amount)
        return Answer(201, noted, {"Location": f"/probe/notes/{id}", "ETag": etag(1)})

    @router.post("/notes", status_code=201, dependencies=[NAMED])
    def post(request: Request, caller: SignedIn, body: Note) -> Response:
        return write(request, caller, lambda work: note(work, caller, body))

    @router.post("/notes/{id}/close", dependencies=[NAMED])
    def close(request: Request, caller: SignedIn, id: str, if_match: IfMatch = None) -> Response:
        def closing(_work: Work) -> Answer:
            check_version(3, version_read(if_match))
            return Answer(200, Noted(id=id, text="closed", amount=None), {"ETag": etag(4)})

        return write(request, caller, closing)

    @router.get("/notes")
    def list_notes(caller: SignedIn) -> list[Noted]:
        return []

    @router.get("/fault")
    def fault(caller: SignedIn) -> None:
        raise RuntimeError("patient 999 000 0000 has a secret")

    return router


@pytest.fixture
def application(
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> FastAPI:
    """The application with two callers of two organisations, and the probe."""
    for name, organisation, token in (
        ("Clinician", "DEMO1", TOKEN),
        ("Other clinician", "DEMO2", OTHER_TOKEN),
    ):
        database.transact(
            lambda work, name=name, organisation=organisation, token=token: register_caller(
                work,
                ADMINISTRATOR,
                name=name,
                kind="system",
                organisation=organisation,
                role=Role.CLINICIAN,
                demonstration=True,
                token=token,
            ),
            moment=moment,
            new_id=ids,
            random_bytes=random_bytes,
        )
    settings = Settings(
        demonstration=True, max_body_bytes=BODY_LIMIT, requests_per_minute=1_000_000
    )
    app = create_app(
        settings,
        database=database,
        library=Library(()),
        now=lambda: moment.instant,
        new_id=ids,
        random_bytes=random_bytes,
    )
    app.include_router(probe())
    return app


@pytest.fixture
def client(application: FastAPI) -> Iterator[TestClient]:
    """A signed-in caller of DEMO1."""
    with TestClient(application, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture
def other(application: FastAPI) -> Iterator[TestClient]:
    """A signed-in caller of another organisation."""
    with TestClient(application, headers={"Authorization": f"Bearer {OTHER_TOKEN}"}) as client:
        yield client


@pytest.fixture
def notes(database: Database, moment: Moment) -> Callable[[], list[str]]:
    """The texts of the notes that were really saved."""

    def saved() -> list[str]:
        query = sa.select(job.c.payload).order_by(job.c.id)
        rows = database.read(
            lambda work: work.connection.execute(query).scalars().all(), moment=moment
        )
        return [row["text"] for row in rows]

    return saved
