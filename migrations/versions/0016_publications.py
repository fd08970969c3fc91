"""What was published into the library, in order: from here on it decides."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Written out here, so that this revision stays what it was when app/db/types.py moves on.
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the table, guard it, and number what was published before it was there."""
    op.create_table(
        "publication",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("policy", sa.String(length=80), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("published_by", sa.String(length=120), nullable=False),
        sa.Column("seconded_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_publication")),
        sa.UniqueConstraint("hash", name=op.f("uq_publication_hash")),
        sa.UniqueConstraint("policy", "version", name=op.f("uq_publication_policy_version")),
    )
    postgres = op.get_bind().dialect.name == "postgresql"
    for statement in (EARLIER, *(POSTGRES_TRIGGERS if postgres else SQLITE_TRIGGERS)):
        op.get_bind().exec_driver_sql(statement)


# Earlier releases kept the two names in the audit log alone.
EARLIER = """INSERT INTO publication
    (number, kind, policy, version, hash, published_by, seconded_by, recorded_at)
    SELECT row_number() OVER (ORDER BY recorded_at, hash), 'version', policy, version, hash,
           'named in the audit log', 'named in the audit log', recorded_at
    FROM policy_version WHERE origin = 'published'"""

SQLITE_TRIGGERS = (
    """CREATE TRIGGER publication_no_update BEFORE UPDATE ON publication
    BEGIN SELECT RAISE(ABORT, 'a publication is never changed: no UPDATE'); END""",
    """CREATE TRIGGER publication_no_delete BEFORE DELETE ON publication
    BEGIN SELECT RAISE(ABORT, 'a publication is never changed: no DELETE'); END""",
    """CREATE TRIGGER publication_no_replace BEFORE INSERT ON publication
    WHEN EXISTS (SELECT 1 FROM publication WHERE number = NEW.number OR hash = NEW.hash
                 OR (policy = NEW.policy AND version = NEW.version))
    BEGIN SELECT RAISE(ABORT, 'a publication is never changed: no REPLACE'); END""",
)

# ENABLE ALWAYS: otherwise session_replication_role = replica would pass them by.
POSTGRES_TRIGGERS = (
    """CREATE FUNCTION publication_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'a publication is never changed: no %%', TG_OP
        USING ERRCODE = 'insufficient_privilege'; END $$""",
    """CREATE TRIGGER publication_no_change BEFORE UPDATE OR DELETE ON publication
    FOR EACH ROW EXECUTE FUNCTION publication_refuse()""",
    """CREATE TRIGGER publication_no_truncate BEFORE TRUNCATE ON publication
    FOR EACH STATEMENT EXECUTE FUNCTION publication_refuse()""",
    "ALTER TABLE publication ENABLE ALWAYS TRIGGER publication_no_change",
    "ALTER TABLE publication ENABLE ALWAYS TRIGGER publication_no_truncate",
)
