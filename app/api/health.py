"""Is the process alive, is it ready, and what has it counted. None of them needs a token."""

from functools import cache
from typing import Literal

import structlog
from alembic.runtime.migration import MigrationContext
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import SQLAlchemyError

from app.api.callers import door_of
from app.api.metrics import MEDIA_TYPE, Metrics
from app.api.routing import StrictRoute
from app.db.upgrade import goes_on, head
from app.db.work import Work
from app.problems import NOT_READY, DoorProblem

router = APIRouter(tags=["health"], route_class=StrictRoute)
log = structlog.stdlib.get_logger("assent.health")


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"status": "alive"}})

    status: Literal["alive"]


class Ready(BaseModel):
    """The database answers, and this release can serve with the schema that it has."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"status": "ready", "schema_revision": "0001"}},
    )

    status: Literal["ready"]
    schema_revision: str


@cache
def expected_schema() -> str | None:
    """The schema revision of this release; read from the migrations' folder once."""
    return head()


@router.get("/livez", summary="Is the process alive?")
def livez() -> Alive:
    """Answers as long as the process runs; looks at nothing else."""
    return Alive(status="alive")


@router.get("/readyz", summary="Can it serve?", responses={503: {}})
def readyz(request: Request) -> Ready:
    """Ready when the database answers, at the schema of this release or a later one that adds only.

    While a fleet is upgraded its services of the release before go on under the new schema.
    """
    expected = expected_schema()

    def look(work: Work) -> tuple[str | None, bool]:
        found = MigrationContext.configure(work.connection).get_current_revision()
        return found, goes_on(work.connection, found, expected)

    try:
        found, good = door_of(request).read(look)
    except SQLAlchemyError as error:
        log.warning("database does not answer", error=type(error).__qualname__)
        raise DoorProblem(
            NOT_READY, "The database does not answer. Start it, or check ASSENT_DATABASE_URL."
        ) from None
    if found is None or not good:
        raise DoorProblem(
            NOT_READY,
            f"The database is at schema {found or '(none)'}; this release needs {expected}. "
            "Run 'assent db upgrade'.",
        )
    return Ready(status="ready", schema_revision=found)


@router.get(
    "/metrics",
    summary="Counters for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request) -> Response:
    """Requests and seconds by method, route template and status; never a value of a request."""
    counted = request.app.state.metrics
    assert isinstance(counted, Metrics)
    return Response(counted.text(), headers={"Content-Type": MEDIA_TYPE})
