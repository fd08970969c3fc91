"""Fixtures for the tests of approvals."""

from collections.abc import Callable

import pytest

from app.approvals.library import Library
from app.approvals.office import Office
from app.db.transaction import Database
from app.db.work import Moment
from app.policy import load_policy
from app.reference_data.drugs import load_drugs
from tests.policies.library import packaged_library
from tests.world import TRIAL_TEXT, World


@pytest.fixture(scope="session")
def library() -> Library:
    return packaged_library()


@pytest.fixture
def world(
    database: Database,
    library: Library,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> World:
    return World(database, Office(library, demonstration=True), moment, ids, random_bytes)


@pytest.fixture(scope="session")
def wide_library(library: Library) -> Library:
    """The packaged policies and the invented one of the tests."""
    trial = load_policy(TRIAL_TEXT, "trial.yaml", load_drugs().keys())
    return Library([*library.all_versions(), trial])


@pytest.fixture
def wide(world: World, wide_library: Library) -> World:
    """A world that also holds the invented policy."""
    world.office = Office(wide_library, demonstration=True)
    return world


@pytest.fixture
def bare(
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> World:
    """A world whose library the test fills."""
    return World(database, Office(Library([]), demonstration=True), moment, ids, random_bytes)
