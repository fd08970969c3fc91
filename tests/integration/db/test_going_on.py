"""Which services go on while a later schema is there: each revision says it of itself."""

from pathlib import Path

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from app.db import upgrade as upgrading
from app.db.tables import schema_release
from app.db.upgrade import configuration, head, not_ready, upgrade
from tests.later import put_later


def test_a_service_goes_on_under_a_later_schema_that_only_adds(
    empty_engine: sa.Engine, tmp_path: Path
) -> None:
    upgrade(empty_engine)
    assert not_ready(empty_engine) is None
    put_later(empty_engine, tmp_path / "later", {"9001": head()})
    assert not_ready(empty_engine) is None


def test_a_service_stops_being_ready_under_a_schema_that_does_more(
    empty_engine: sa.Engine, tmp_path: Path
) -> None:
    upgrade(empty_engine)
    put_later(empty_engine, tmp_path / "later", {"9001": None})
    assert "at revision 9001" in (not_ready(empty_engine) or "")


def test_one_revision_among_several_that_does_more_is_enough(
    empty_engine: sa.Engine, tmp_path: Path
) -> None:
    upgrade(empty_engine)
    put_later(empty_engine, tmp_path / "later", {"9001": None, "9002": head()})
    assert "at revision 9002" in (not_ready(empty_engine) or "")


def test_a_later_schema_of_which_nothing_is_known_is_not_gone_on_with(
    empty_engine: sa.Engine, tmp_path: Path
) -> None:
    upgrade(empty_engine)
    put_later(empty_engine, tmp_path / "later", {"9001": head()})
    with empty_engine.begin() as connection:
        connection.execute(sa.delete(schema_release).where(schema_release.c.revision == "9001"))
    assert "at revision 9001" in (not_ready(empty_engine) or "")


def test_each_revision_that_can_be_applied_under_a_service_says_so() -> None:
    script = ScriptDirectory.from_config(configuration())
    told = [r for r in script.walk_revisions() if r.revision >= upgrading.FIRST_TOLD]
    assert told
    for each in told:
        # To leave it out is to say that every service must stop for it: state that by its own name.
        assert "0001" <= each.module.oldest <= each.revision
