"""The harness can fail: a service that replies before it has persisted is told of as losing."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import scenarios
from tests.faults.cluster import Cluster
from tests.faults.house import House
from tests.faults.nursery import Nursery

KILLS = 8


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    started = Nursery(tmp_path)
    yield started
    started.close()


@pytest.fixture(params=["sqlite", "postgres"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster | None]:
    if request.param == "sqlite":
        yield None
        return
    # Not below pytest's folder, which PostgreSQL's user may not enter.
    with tempfile.TemporaryDirectory(prefix="assent-faults-") as folder:
        made = Cluster(Path(folder))
        yield made
        made.stop("immediate")


def test_a_reply_before_persisting_shows_as_losses(
    tmp_path: Path, nursery: Nursery, cluster: Cluster | None
) -> None:
    house = House(
        folder=tmp_path / "mutant",
        nursery=nursery,
        cluster=cluster,
        seed=1,
        plant="reply before persisting",
    )

    scenarios.kills(house, KILLS)

    assert house.found.lost
