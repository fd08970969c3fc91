"""Schemathesis calls every operation as described, and not as described, with all its checks."""

from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from app.approvals.library import Library
from app.auth.model import Role
from app.auth.store import register_caller
from app.commands.openapi import current_application
from app.db.transaction import Database
from app.db.work import Moment
from app.main import create_app
from app.settings import Settings
from tests.functional.conftest import ADMINISTRATOR, TOKEN
from tests.policies.library import packaged_library

EXAMPLES = 20
#: A well-formed message may still break a rule that no schema can tell: an object that does not
#: exist, a state that does not allow the step, a version that is not the one read, a criterion's
#: own range. 422 is looked at more closely below.
WELL_FORMED = ("2xx", 401, 403, 404, 409, 412, 422, 428)
#: What our own types refuse beyond their schemas.
BEYOND_SCHEMAS = {
    "is not a day of the calendar",
    "is not greater than zero",
    "has over 8 decimal places",
    "is too large",
}


def bounded() -> SchemathesisConfig:
    """As many examples for each operation as a quick test can afford, the same at every run."""
    # A NUL character is a text that no schema can rule out and no database can hold: it is
    # refused with 400, which tests/functional/approvals/test_bad_input.py proves.
    generation = GenerationConfig(
        max_examples=EXAMPLES, deterministic=True, database="none", allow_x00=False
    )
    checks = ChecksConfig(
        positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=WELL_FORMED)
    )
    return SchemathesisConfig(
        projects=ProjectsConfig(default=ProjectConfig(generation=generation, checks=checks)), seed=1
    )


class Served:
    """An ASGI application that each test exchanges for one with a database of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


served = Served(current_application())
schema = schemathesis.openapi.from_asgi("/openapi.json", served, config=bounded())


@pytest.fixture(scope="module")
def library() -> Library:
    return packaged_library()


@pytest.fixture(autouse=True)
def _serve(
    sqlite_database: Database,
    library: Library,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> None:
    """Serve with the packaged policies and one caller of the demonstration."""
    sqlite_database.transact(
        lambda work: register_caller(
            work,
            ADMINISTRATOR,
            name="Clinician",
            kind="system",
            organisation="DEMO1",
            role=Role.CLINICIAN,
            demonstration=True,
            token=TOKEN,
        ),
        moment=moment,
        new_id=ids,
        random_bytes=random_bytes,
    )
    served.app = create_app(
        Settings(demonstration=True),
        database=sqlite_database,
        library=library,
        now=lambda: moment.instant,
        new_id=ids,
        random_bytes=random_bytes,
    )


@schema.parametrize()
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_keeps_to_its_description(case: schemathesis.Case) -> None:
    reply = case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})
    if case.meta and case.meta.generation.mode.is_positive and reply.status_code == 422:
        problem = reply.json()
        if problem["code"] == "not-as-described":
            assert {error["message"] for error in problem["errors"]} <= BEYOND_SCHEMAS, problem
