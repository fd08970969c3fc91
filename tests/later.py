"""A later release of the schema, for tests of the services that it finds running."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import sqlalchemy as sa

from app.db import upgrade as upgrading
from app.db.upgrade import head, upgrade

OURS = upgrading.MIGRATIONS
REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
{says}

def upgrade() -> None:
    {does}
"""
ADDS = (
    'op.add_column("request", sa.Column("of_{0}", sa.String(length=20), nullable=True))\n'
    '    op.create_index("ix_request_of_{0}", "request", ["of_{0}"])'
)


def put_later(engine: sa.Engine, folder: Path, revisions: Mapping[str, str | None]) -> None:
    """Upgrade a database as a release would that has these revisions besides ours.

    `revisions`: revision → what it says of the oldest release that goes on, None: nothing.
    """
    later = {revision: ADDS.format(revision) for revision in revisions}
    with mock.patch.object(upgrading, "MIGRATIONS", history_with(folder, later, revisions)):
        upgrade(engine)


def history_with(
    folder: Path, later: Mapping[str, str], oldest: Mapping[str, str | None] | None = None
) -> Path:
    """Our history, with later revisions that do what is written; returns its folder.

    `oldest`: what each says of the oldest release that goes on; without it: ours.
    """
    with mock.patch.object(upgrading, "MIGRATIONS", OURS):
        before = head()
    told = dict.fromkeys(later, before) if oldest is None else oldest
    shutil.copytree(OURS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for revision, does in later.items():
        says = "" if told[revision] is None else f'oldest = "{told[revision]}"'
        text = REVISION.format(revision=revision, before=before, says=says, does=does)
        (folder / "versions" / f"{revision}_later.py").write_text(text)
        before = revision
    return folder
