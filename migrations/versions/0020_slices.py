"""Slices: versions of what a provider states for a month, corrections, calendar, stated totals."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

ID = sa.String(length=36)
ORGANISATION = sa.String(length=9)
INSTANT = sa.DateTime(timezone=True)
SLICE = ("organisation", "provider", "commissioner", "financial_year", "financial_month")
#: The condition of row-level security: each organisation its own, as with submissions.
OWN = "assent_is_service() OR organisation = assent_organisation()"
TABLES = (
    "slice_head",
    "slice_version",
    "slice_correction",
    "contract_month",
    "monitoring_figure",
    "slice_outcome",
)


def exact() -> Any:
    """An exact decimal: text on SQLite, which would keep it as a binary fraction."""
    return sa.Numeric(26, 8).with_variant(sa.String(40), "sqlite")


def key() -> list[sa.Column[Any]]:
    """The columns that name a slice."""
    return [
        sa.Column("organisation", ORGANISATION, nullable=False),
        sa.Column("provider", ORGANISATION, nullable=False),
        sa.Column("commissioner", ORGANISATION, nullable=False),
        sa.Column("financial_year", sa.String(length=6), nullable=False),
        sa.Column("financial_month", sa.Integer(), nullable=False),
    ]


def text(name: str, length: int, nullable: bool = False) -> sa.Column[Any]:
    """A column of text."""
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def number(name: str) -> sa.Column[Any]:
    """A column of whole numbers."""
    return sa.Column(name, sa.Integer(), nullable=False)


def refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    """A column that names a row of another table."""
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"))


def identified(table: str) -> sa.PrimaryKeyConstraint:
    """The key of a table."""
    return sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))


def once(table: str, *columns: str) -> sa.UniqueConstraint:
    """What may stand once."""
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def upgrade() -> None:
    """Add the tables, then guard them."""
    op.create_table(
        "slice_head",
        sa.Column("id", ID, nullable=False),
        *key(),
        text("current_version", 36, nullable=True),
        identified("slice_head"),
        once("slice_head", *SLICE),
    )
    op.create_table(
        "slice_version",
        sa.Column("id", ID, nullable=False),
        text("organisation", 9),
        text("slice_id", 36),
        number("number"),
        text("kind", 10),
        text("submission_id", 36),
        text("cites", 36, nullable=True),
        number("lines"),
        sa.Column("total", exact(), nullable=False),
        number("lines_more"),
        sa.Column("total_more", exact(), nullable=False),
        sa.Column("accepted_at", INSTANT, nullable=False),
        text("accepted_by", 36),
        refers("slice_version", "slice_id", "slice_head"),
        refers("slice_version", "submission_id", "submission"),
        refers("slice_version", "cites", "slice_version"),
        identified("slice_version"),
        once("slice_version", "slice_id", "number"),
    )
    op.create_index(op.f("ix_slice_version_submission_id"), "slice_version", ["submission_id"])
    op.create_table(
        "slice_correction",
        sa.Column("id", ID, nullable=False),
        text("organisation", 9),
        text("version_id", 36),
        number("sign"),
        text("submission_id", 36),
        number("row"),
        sa.Column("amount", exact(), nullable=False),
        text("run_id", 36, nullable=True),
        text("outcome", 40, nullable=True),
        sa.Column("accepted", exact(), nullable=True),
        sa.Column("queried", exact(), nullable=True),
        refers("slice_correction", "version_id", "slice_version"),
        refers("slice_correction", "submission_id", "submission"),
        refers("slice_correction", "run_id", "reconciliation_run"),
        identified("slice_correction"),
    )
    op.create_index(op.f("ix_slice_correction_version_id"), "slice_correction", ["version_id"])
    op.create_table(
        "contract_month",
        sa.Column("id", ID, nullable=False),
        text("organisation", 9),
        text("financial_year", 6),
        number("financial_month"),
        number("number"),
        *(
            sa.Column(name, sa.Date(), nullable=True)
            for name in ("submission", "flex", "freeze", "challenge_by")
        ),
        text("source", 200),
        sa.Column("set_at", INSTANT, nullable=False),
        text("set_by", 36),
        identified("contract_month"),
        once("contract_month", "organisation", "financial_year", "financial_month", "number"),
    )
    op.create_table(
        "monitoring_figure",
        sa.Column("id", ID, nullable=False),
        *key(),
        number("number"),
        sa.Column("amount", exact(), nullable=False),
        text("source", 200),
        sa.Column("set_at", INSTANT, nullable=False),
        text("set_by", 36),
        identified("monitoring_figure"),
        once("monitoring_figure", *SLICE, "number"),
    )
    op.create_table(
        "slice_outcome",
        sa.Column("id", ID, nullable=False),
        text("run_id", 36),
        *key(),
        number("lines"),
        *(sa.Column(name, exact(), nullable=False) for name in ("total", "accepted", "queried")),
        refers("slice_outcome", "run_id", "reconciliation_run"),
        identified("slice_outcome"),
        once("slice_outcome", "run_id", *SLICE),
    )
    _guard()


def _guard() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in TABLES:
        for statement in (
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {table}_organisation ON {table} USING ({OWN}) WITH CHECK ({OWN})",
        ):
            connection.exec_driver_sql(statement)
