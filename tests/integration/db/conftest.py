"""Fixtures for the tests of the database room."""

from collections.abc import Callable

import pytest

from app.db.work import Moment
from tests.integration.db.run import Run


@pytest.fixture
def run(moment: Moment, ids: Callable[[], str], random_bytes: Callable[[int], bytes]) -> Run:
    """Runs use cases on any database."""
    return Run(moment, ids, random_bytes)
