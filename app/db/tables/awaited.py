"""What the worker keeps of the lists of supplies, each row of which can be made again.

Starts that are awaited, the supplies that an organisation's newest runs matched, and what these
give to look at. Nothing here depends on a day: what holds today is asked when a list is read.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    false,
)

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Document, Exact

# A treatment that has not begun, as one organisation sees it: the newest live approval within its
# scope. `pays` tells the scope of a payer from that of a hospital. Nothing here depends on a day.
start_awaited = Table(
    "start_awaited",
    metadata,
    Column("organisation", ORGANISATION, nullable=False),
    Column("pays", Boolean, nullable=False),
    Column("treatment_id", ID, ForeignKey("treatment.id"), nullable=False),
    Column("provider", ORGANISATION, nullable=False),
    Column("start_by", Date, nullable=False),
    Column("covers_to", Date),
    Column("paused", Boolean, nullable=False),  # by any pause: whether it holds today is asked then
    Column("supplied", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("organisation", "pays", "treatment_id"),
    # A list's count, its days and its page are each one walk along this, and on PostgreSQL alone.
    Index(
        "ix_start_awaited_day",
        "organisation",
        "pays",
        "start_by",
        "treatment_id",
        postgresql_include=["covers_to", "paused", "provider", "supplied"],
    ),
)

# The supplies that the organisation's newest runs charged for, each line once. Which run and row
# states one is known; the line itself lies in the run's files. Of it only what a timeline tells.
listed_supply = Table(
    "listed_supply",
    metadata,
    Column("organisation", ORGANISATION, nullable=False),
    Column("pays", Boolean, nullable=False),
    Column("run_id", ID, nullable=False),
    Column("row", Integer, nullable=False),
    Column("treatment_id", ID, ForeignKey("treatment.id"), nullable=False),
    Column("provider", ORGANISATION, nullable=False),
    Column("day", Date, nullable=False),
    Column("outcome", String(40), nullable=False),
    # Null where the line does not say it, or says it in more figures or words than are kept.
    Column("product", String(60)),  # key of the product, else of the drug
    Column("quantity", Exact),
    Column("unit", String(40)),  # as the line has it
    Column("amount", Exact),  # pounds
    PrimaryKeyConstraint("organisation", "pays", "run_id", "row"),
    Index("ix_listed_supply_treatment", "organisation", "pays", "treatment_id"),
)

# An entry of a list of supplies. `number` tells a treatment's entries apart; the last day covered
# and whether there is any pause stand where the list asks whether the approval is live.
listed_entry = Table(
    "listed_entry",
    metadata,
    Column("organisation", ORGANISATION, nullable=False),
    Column("pays", Boolean, nullable=False),
    Column("list", String(30), nullable=False),
    Column("treatment_id", ID, ForeignKey("treatment.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("day", Date, nullable=False),
    Column("provider", ORGANISATION, nullable=False),
    Column("other_provider", ORGANISATION),
    Column("covers_to", Date),
    Column("paused", Boolean, nullable=False),
    Column("told", Document, nullable=False),  # reference, drug, why, and the lines it rests on
    PrimaryKeyConstraint("organisation", "pays", "list", "treatment_id", "number"),
    # A list's count, its days and its page are each one walk along this.
    Index(
        "ix_listed_entry_day",
        "organisation",
        "pays",
        "list",
        "day",
        "treatment_id",
        "number",
        postgresql_include=["covers_to", "paused", "provider", "other_provider"],
    ),
)

# The position of the change feed before which every event is in the rows of an organisation; the
# digest of the runs that its supplies are of (null: they are not kept), and the newest day that
# each provider invoiced.
start_awaited_mark = Table(
    "start_awaited_mark",
    metadata,
    Column("organisation", ORGANISATION, nullable=False),
    Column("pays", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("xid", BigInteger, nullable=False),
    Column("event", BigInteger, nullable=False),
    Column("runs", String(64)),
    Column("heard", Document),
    PrimaryKeyConstraint("organisation", "pays"),
)
