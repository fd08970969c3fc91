"""Fixtures for the tests of reconciliation against a database."""

import itertools
import os
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the kills of a first run half: before each step on SQLite, after it on PostgreSQL.

    `ASSENT_EVERY_KILL=1` has all of them, some ten minutes of a processor.
    """
    if os.environ.get("ASSENT_EVERY_KILL"):
        return
    kills = [
        item
        for item in items
        if isinstance(item, pytest.Function)
        and item.originalname == "test_a_run_that_was_killed_comes_to_the_same_when_it_is_run_again"
    ]
    # Of each database they come in one order: before and after each step by turns.
    turns = {name: itertools.count(start) for start, name in enumerate(("sqlite", "postgres"))}
    left_out = {item for item in kills if next(turns[str(item.callspec.params["database"])]) % 2}
    if left_out:
        config.hook.pytest_deselected(items=[*left_out])
        items[:] = [item for item in items if item not in left_out]


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
