"""The whole service under Schemathesis: every operation as described and not, with all its checks.

Among the checks is `ignored_auth`: each call that succeeds is sent again without its token and with
an invented one, and both must be refused.
"""

from collections import Counter
from collections.abc import Callable

import schemathesis
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.types import ASGIApp, Receive, Scope, Send

from app.approvals.library import Library
from app.auth.model import Role
from app.auth.store import register_caller
from app.db.transaction import Database
from app.db.work import Moment
from app.main import create_app
from app.settings import Settings
from tests.functional.conftest import ADMINISTRATOR, TOKEN

#: A well-formed message may still break a rule that no schema can tell: an object that does not
#: exist, a state that does not allow the step, a version that is not the one read, a criterion's
#: own range, or too many declarations within an hour (a limit that a long run reaches). 422 is
#: looked at more closely below.
WELL_FORMED = ("2xx", 401, 403, 404, 409, 412, 422, 428, 429)
UPLOADS = {"text/csv", "application/octet-stream"}
#: What our own types refuse beyond their schemas.
BEYOND_SCHEMAS = {
    "is not a day of the calendar",
    "is not greater than zero",
    "has over 8 decimal places",
    "is too large",
}


def bounded(examples: int) -> SchemathesisConfig:
    """So many examples for each operation and phase, the same at every run."""
    # A NUL character is a text that no schema can rule out and no database can hold: it is
    # refused with 400, which tests/functional/approvals/test_bad_input.py proves.
    generation = GenerationConfig(
        max_examples=examples, deterministic=True, database="none", allow_x00=False
    )
    checks = ChecksConfig(
        positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=WELL_FORMED)
    )
    # Ten seconds, as they would be, are no hang on a machine with other work to do.
    project = ProjectConfig(generation=generation, checks=checks, request_timeout=60)
    return SchemathesisConfig(projects=ProjectsConfig(default=project), seed=1)


class Served:
    """An ASGI application that each test exchanges for one with a database of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def service(
    database: Database,
    library: Library,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
    who: tuple[str, Role] = ("DEMO1", Role.CLINICIAN),
) -> ASGIApp:
    """The application with one caller of the demonstration, whose token is TOKEN."""
    database.transact(
        lambda work: register_caller(
            work,
            ADMINISTRATOR,
            name="Fuzz",
            kind="system",
            organisation=who[0],
            role=who[1],
            demonstration=True,
            token=TOKEN,
        ),
        moment=moment,
        new_id=ids,
        random_bytes=random_bytes,
    )
    return create_app(
        Settings(demonstration=True, requests_per_minute=10_000_000),
        database=database,
        library=library,
        now=lambda: moment.instant,
        new_id=ids,
        random_bytes=random_bytes,
    )


def hold(case: schemathesis.Case, told: Counter[str]) -> None:
    """Send one case and check its reply every way; count it by the class of its status."""
    # A file without a byte is refused with 400, and no schema of a binary body rules it out.
    empty = case.media_type in UPLOADS and not case.body
    reply = case.call_and_validate(
        headers={"Authorization": f"Bearer {TOKEN}"},
        excluded_checks=[positive_data_acceptance] if empty else [],
    )
    told[f"{reply.status_code // 100}xx"] += 1
    if case.meta and case.meta.generation.mode.is_positive and reply.status_code == 422:
        problem = reply.json()
        if problem["code"] == "not-as-described":
            assert {error["message"] for error in problem["errors"]} <= BEYOND_SCHEMAS, problem
