"""Fixtures for the tests of reconciliation against a database."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.approvals.library import Library
from app.approvals.office import Office
from app.db.transaction import Database
from app.db.work import Moment
from app.policy import load_policy
from app.reconciliation.files import FileStore
from app.reconciliation.service import Desk
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.policies.library import packaged_library
from tests.world import TRIAL_TEXT, World


@pytest.fixture(scope="session")
def library() -> Library:
    """The packaged policies and the invented one of the tests."""
    packaged = packaged_library()
    trial = load_policy(TRIAL_TEXT, "trial.yaml", load_drugs().keys())
    return Library([*packaged.all_versions(), trial])


@pytest.fixture
def world(
    database: Database,
    library: Library,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> World:
    return World(database, Office(library, demonstration=True), moment, ids, random_bytes)


@pytest.fixture
def desk(world: World, tmp_path: Path) -> Desk:
    return Desk(world.office, load_drugs(), load_organisations(), FileStore(tmp_path / "files"))
