"""Fixtures for the tests of approvals."""

from collections.abc import Callable

import pytest

from app.approvals.library import Library, load_library
from app.approvals.office import Office
from app.db.transaction import Database
from app.db.work import Moment
from app.reference_data.drugs import load_drugs
from tests.world import POLICIES, World


@pytest.fixture(scope="session")
def library() -> Library:
    return load_library(POLICIES, load_drugs().keys())


@pytest.fixture
def world(
    database: Database,
    library: Library,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> World:
    return World(database, Office(library, demonstration=True), moment, ids, random_bytes)
