"""Forms are sent to a service all the while that a schema which only adds is put under it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.approvals.library import Library
from app.auth.model import Role
from app.auth.store import register_caller
from app.db.engine import make_engine
from app.db.roles import grant
from app.db.transaction import Database
from app.db.upgrade import head, upgrade
from app.main import create_app
from app.settings import Settings
from tests.conftest import AUDIT_KEY, Transact, _empty, make_application_role
from tests.functional.approvals.api import Api, Clock, initiation
from tests.functional.conftest import ADMINISTRATOR
from tests.later import put_later

pytestmark = pytest.mark.postgres
APPLICATION_ROLE = "assent_tests_application"


@pytest.fixture
def owner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    for engine in _empty(request, "postgres", tmp_path):
        upgrade(engine)
        make_application_role(request.getfixturevalue("_postgres_admin"))
        grant(engine, APPLICATION_ROLE)
        yield engine


@pytest.fixture
def database(owner: sa.Engine) -> Iterator[Database]:
    """As the service's own role, which owns nothing."""
    engine = make_engine(owner.url.set(username=APPLICATION_ROLE, password=None))
    yield Database(engine, AUDIT_KEY)
    engine.dispose()


def test_forms_are_decided_while_the_next_schema_is_put_under_the_service(
    owner: sa.Engine,
    database: Database,
    transact: Transact,
    packaged: Library,
    clock: Clock,
    tmp_path: Path,
) -> None:
    transact(
        lambda work: register_caller(
            work,
            ADMINISTRATOR,
            name="clinician",
            kind="person",
            organisation="DEMO1",
            role=Role.CLINICIAN,
            demonstration=True,
            token="token",
        )
    )
    settings = Settings(demonstration=True, data_dir=tmp_path, requests_per_minute=1_000_000)
    app = create_app(settings, database=database, library=packaged, now=lambda: clock.instant)
    stop, sent = threading.Event(), list[int]()

    def go_on(api: Api) -> None:
        while not stop.is_set() and len(sent) < 500:
            made = api.post("/v1/requests", initiation(len(sent) + 1))
            sent.append(made.status_code)
            if made.status_code == 201:
                address = f"/v1/requests/{made.json()['id']}"
                sent[-1] = 201 if api.get(address).status_code == 200 else 0

    with TestClient(app) as http:
        forms = threading.Thread(target=go_on, args=[Api(http, "token")])
        forms.start()
        while len(sent) < 3:
            stop.wait(0.01)
        put_later(owner, tmp_path / "later", {"9001": head()})
        before = len(sent)
        while len(sent) < before + 3:
            stop.wait(0.01)
        stop.set()
        forms.join()
        assert set(sent) == {201}
        assert http.get("/readyz").status_code == 200
