"""The application with the packaged policies, and one caller for each role and organisation."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.approvals.library import Library
from app.approvals.office import change_setting
from app.auth.holders import tie
from app.auth.model import Role
from app.auth.people import add_person
from app.auth.store import register_caller
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.main import create_app
from app.settings import Settings
from app.tracing import UNTRACED, Tracer
from tests.functional.approvals.api import Api, Clock
from tests.functional.approvals.scene import Scene, set_scene
from tests.functional.conftest import ADMINISTRATOR
from tests.once import Begin
from tests.policies.library import packaged_library
from tests.rows import row_counts

#: Where everybody of PEOPLE is known, by their short name.
STAFF = "https://staff.test"
#: Who calls: a short name → organisation and role.
PEOPLE: dict[str, tuple[str, Role]] = {
    "clinician": ("DEMO1", Role.CLINICIAN),
    "delegate": ("DEMO1", Role.DELEGATE),
    "pharmacist": ("DEMO1", Role.PHARMACIST),
    "auditor": ("DEMO1", Role.AUDITOR),
    "commissioner": ("DEMQ1", Role.COMMISSIONER),
    "second commissioner": ("DEMQ1", Role.COMMISSIONER),
    "invoice validation": ("DEMQ1", Role.INVOICE_VALIDATION),
    "panel member": ("DEMP1", Role.PANEL_MEMBER),
    "policy author": ("DEMQ1", Role.POLICY_AUTHOR),
    "other clinician": ("DEMO2", Role.CLINICIAN),
    "other pharmacist": ("DEMO2", Role.PHARMACIST),
    "other commissioner": ("DEMQ2", Role.COMMISSIONER),
    "other panel member": ("DEMP2", Role.PANEL_MEMBER),
    "other invoice validation": ("DEMQ2", Role.INVOICE_VALIDATION),
    "other auditor": ("DEMO2", Role.AUDITOR),
    "administrator": ("DEMO1", Role.ADMINISTRATOR),
    "second administrator": ("DEMO1", Role.ADMINISTRATOR),
    "other administrator": ("DEMO2", Role.ADMINISTRATOR),
    "third pharmacist": ("DEMO3", Role.PHARMACIST),
    "third clinician": ("DEMO3", Role.CLINICIAN),
}


def token_of(name: str) -> str:
    return f"token-of-{name.replace(' ', '-')}"


@pytest.fixture(scope="session")
def packaged() -> Library:
    return packaged_library()


@pytest.fixture
def clock(moment: Moment) -> Clock:
    return Clock(moment.instant)


@pytest.fixture
def tracer() -> Tracer:
    """Who is told of the work: nobody, unless a test wants to know."""
    return UNTRACED


@pytest.fixture
def application(
    database: Database,
    moment: Moment,
    clock: Clock,
    tmp_path: Path,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
    packaged: Library,
    tracer: Tracer,
    begin: Begin,
) -> FastAPI:
    """The application as it is served, with everybody of PEOPLE registered, each a person."""

    def register(work: Work, name: str, organisation: str, role: Role) -> None:
        id_, _ = register_caller(
            work,
            ADMINISTRATOR,
            name=name,
            kind="person",
            organisation=organisation,
            role=role,
            demonstration=True,
            token=token_of(name),
        )
        known = add_person(work, ADMINISTRATOR, issuer=STAFF, subject=name, name=name)
        tie(work, ADMINISTRATOR, id_, known.id)

    def register_all() -> None:
        for name, (organisation, role) in PEOPLE.items():
            database.transact(
                partial(register, name=name, organisation=organisation, role=role),
                moment=moment,
                new_id=ids,
                random_bytes=random_bytes,
            )

    begin("the people of the approvals' tests", register_all)
    return create_app(
        Settings(demonstration=True, data_dir=tmp_path / "var", requests_per_minute=1_000_000),
        database=database,
        library=packaged,
        now=lambda: clock.instant,
        new_id=ids,
        random_bytes=random_bytes,
        tracer=tracer,
    )


@pytest.fixture
def people(application: FastAPI, settle: Callable[[Database], None]) -> Iterator[Mapping[str, Api]]:
    """Everybody of PEOPLE, signed in. Whoever reads the change feed waits until it is complete."""
    settled = partial(settle, application.state.door.database)
    with TestClient(application) as client:
        yield {name: Api(client, token_of(name), settled) for name in PEOPLE}


@pytest.fixture
def scene(
    people: Mapping[str, Api],
    application: FastAPI,
    begin: Begin,
    clock: Clock,
    moment: Moment,
    tracer: Tracer,
) -> Scene:
    """An approved treatment, a transfer that waits for consent, an import and a submission.

    Set over the API once in a process, and copied for each test after: see `tests/once.py`.
    """
    if clock.instant != moment.instant or tracer is not UNTRACED:
        return set_scene(people, application)  # it would be another scene, or be told of
    return begin("the scene of the approvals' tests", lambda: set_scene(people, application))


@pytest.fixture
def clinician(people: Mapping[str, Api]) -> Api:
    return people["clinician"]


@pytest.fixture
def rows(database: Database, moment: Moment) -> Callable[[], dict[str, int]]:
    """How many rows each table holds."""

    return lambda: database.read(lambda work: row_counts(work.connection), moment=moment)


@pytest.fixture
def change(
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> Callable[[str, str, Any], None]:
    """Change an organisation's setting from today on: `change(organisation, name, value)`."""

    def set_it(organisation: str, name: str, value: Any) -> None:
        database.transact(
            lambda work: change_setting(work, organisation, name, value, moment.day, "tests"),
            moment=moment,
            new_id=ids,
            random_bytes=random_bytes,
        )

    return set_it


#: Where `everybody` is: two hospitals with a part in the scene, one without, and so on.
ORGANISATIONS = ("DEMO1", "DEMO2", "DEMO3", "DEMQ1", "DEMQ2", "DEMP1")


@pytest.fixture
def everybody(
    application: FastAPI,
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> Iterator[Mapping[tuple[str, Role], Api]]:
    """A caller of every role at every organisation, each a person: some acts want a second one."""

    def register(work: Work, organisation: str, role: Role, token: str) -> None:
        id_, _ = register_caller(
            work,
            ADMINISTRATOR,
            name=token,
            kind="system",
            organisation=organisation,
            role=role,
            demonstration=True,
            token=token,
        )
        known = add_person(work, ADMINISTRATOR, issuer=STAFF, subject=token, name=token)
        tie(work, ADMINISTRATOR, id_, known.id)

    with TestClient(application) as client:
        callers = {}
        for organisation in ORGANISATIONS:
            for role in Role:
                token = f"token-{organisation}-{role.name}"
                database.transact(
                    partial(register, organisation=organisation, role=role, token=token),
                    moment=moment,
                    new_id=ids,
                    random_bytes=random_bytes,
                )
                callers[organisation, role] = Api(client, token)
        yield callers
