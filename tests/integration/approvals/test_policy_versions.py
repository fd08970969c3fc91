"""A stored policy version is never changed, whoever asks."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import DBAPIError

from app.approvals import replaying
from app.approvals.errors import PolicyNotUsable
from app.approvals.library import Library
from app.approvals.office import remember_version, stored_version
from app.db.tables import policy_version
from app.db.transaction import Database
from app.policy import PolicyVersion, from_resolved
from tests.world import World

CHANGES = (
    "UPDATE policy_version SET resolved = 'other'",
    "DELETE FROM policy_version",
)


@pytest.fixture
def remembered(world: World) -> World:
    version = world.office.library.versions("adalimumab-ra-severe")[-1]
    world.do(lambda work: remember_version(work, version))
    world.do(lambda work: remember_version(work, version))  # once is enough
    return world


@pytest.mark.parametrize("statement", CHANGES)
def test_a_stored_version_is_neither_changed_nor_removed(
    remembered: World, owned: Callable[[Database], Engine], statement: str
) -> None:
    with (
        owned(remembered.database).connect() as connection,
        pytest.raises(DBAPIError, match="never changed"),
    ):
        connection.execute(text(statement))
    version = remembered.office.library.versions("adalimumab-ra-severe")[-1]
    assert remembered.do(lambda work: stored_version(work, version.hash)) == version.resolved


def test_another_text_cannot_take_a_versions_number(remembered: World) -> None:
    version = remembered.office.library.versions("adalimumab-ra-severe")[-1]
    row = {
        "hash": "0" * 64,
        "policy": version.policy,
        "version": version.version,
        "language": 1,
        "resolved": "{}",
        "origin": "published",
        "recorded_at": remembered.moment.instant,
    }
    with pytest.raises(DBAPIError):
        remembered.do(lambda work: work.connection.execute(insert(policy_version).values(**row)))


def test_a_version_that_the_library_no_longer_holds_is_read_once_and_its_text_checked_each_time(
    remembered: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = remembered.office.library.versions("adalimumab-ra-severe")[-1]
    read = list[str]()

    def noted(resolved: str) -> PolicyVersion:
        read.append(resolved)
        return from_resolved(resolved)

    monkeypatch.setattr(replaying, "from_resolved", noted)
    replaying._version_of.cache_clear()
    nothing = Library(())
    found = [
        remembered.do(lambda work: replaying.version_of(work, nothing, version.hash))
        for _ in range(3)
    ]
    assert [each.hash for each in found] == [version.hash] * 3
    assert read == [version.resolved]
    # A text that is not what was stored is never taken for it, whatever was read before.
    other = version.resolved.replace("adalimumab", "infliximab")
    monkeypatch.setattr(replaying, "stored_version", lambda *_: other)
    with pytest.raises(PolicyNotUsable, match="its hash differs"):
        remembered.do(lambda work: replaying.version_of(work, nothing, version.hash))
    assert replaying._version_of.cache_info().maxsize is not None
