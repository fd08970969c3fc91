"""A later release of the schema, for tests of the services that it finds running."""

import shutil
from pathlib import Path
from unittest import mock

import sqlalchemy as sa

from app.db import upgrade as upgrading
from app.db.upgrade import head, upgrade

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
{says}

def upgrade() -> None:
    op.add_column("request", sa.Column("of_{revision}", sa.String(length=20), nullable=True))
    op.create_index("ix_request_of_{revision}", "request", ["of_{revision}"])
"""


def put_later(engine: sa.Engine, folder: Path, revisions: dict[str, str | None]) -> None:
    """Upgrade a database as a release would that has these revisions besides ours.

    `revisions`: revision → what it says of the oldest release that goes on, None: nothing.
    """
    before = head()
    shutil.copytree(upgrading.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for revision, oldest in revisions.items():
        says = "" if oldest is None else f'oldest = "{oldest}"'
        text = REVISION.format(revision=revision, before=before, says=says)
        (folder / "versions" / f"{revision}_later.py").write_text(text)
        before = revision
    with mock.patch.object(upgrading, "MIGRATIONS", folder):
        upgrade(engine)
