"""Dated terms that commissioners keep for reconciliation. A row is ended, never changed."""

from sqlalchemy import Boolean, Column, Date, Integer, String, Table, UniqueConstraint

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Document, Exact, Instant

#: A name as it stands in lines, written as plain words, and the drug that two people took it for.
#: Organisation `*`: the people who run the service, for every organisation's runs.
drug_spelling = Table(
    "drug_spelling",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("words", String(255), nullable=False),
    Column("drug", String(80), nullable=False),
    Column("product", String(80)),
    Column("proposed_by", String(120), nullable=False),
    Column("proposed_at", Instant, nullable=False),
    Column("accepted_by", String(120)),
    Column("accepted_at", Instant),
    Column("accepted_on", Date),
    Column("withdrawn_by", String(120)),
    Column("withdrawn_at", Instant),
    Column("withdrawn_why", String(500)),
    # The words while the row stands; null once it is withdrawn.
    Column("standing", String(255)),
    UniqueConstraint("organisation", "standing"),
)

contract_term = Table(
    "contract_term",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False, index=True),
    Column("provider", ORGANISATION, nullable=False, index=True),
    Column("drug", String(80), nullable=False),
    Column("basis", String(40), nullable=False),
    Column("from_day", Date),
    Column("to_day", Date),
    Column("source", String(300), nullable=False),
    Column("demonstration", Boolean, nullable=False),
    Column("loaded_by", ID, nullable=False),
    Column("loaded_at", Instant, nullable=False),
    Column("replaced_at", Instant),
)

#: Pounds for one unit. Confidential: its commissioner's, and for the check before it invoices that
#: of the provider that a row names.
agreed_price = Table(
    "agreed_price",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False, index=True),
    Column("provider", ORGANISATION, index=True),
    Column("framework", String(80), nullable=False),
    Column("drug", String(80), nullable=False),
    Column("drug_code", String(20)),
    Column("product", String(80)),
    Column("strength", String(100)),
    Column("unit", String(100), nullable=False),
    Column("price", Exact, nullable=False),
    Column("from_day", Date),
    Column("to_day", Date),
    Column("run_off_days", Integer, nullable=False),
    Column("tolerance_percent", Exact, nullable=False),
    Column("tolerance_pence", Exact, nullable=False),
    Column("source", String(300), nullable=False),
    Column("demonstration", Boolean, nullable=False),
    Column("loaded_by", ID, nullable=False),
    Column("loaded_at", Instant, nullable=False),
    Column("replaced_at", Instant),
)

#: Pounds for a home delivery, or per cent that quantity may go over. As confidential as prices.
supply_term = Table(
    "supply_term",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False, index=True),
    Column("kind", String(40), nullable=False),
    Column("provider", ORGANISATION, index=True),
    Column("drug", String(80)),
    Column("amount", Exact, nullable=False),
    Column("from_day", Date),
    Column("to_day", Date),
    Column("source", String(300), nullable=False),
    Column("demonstration", Boolean, nullable=False),
    Column("loaded_by", ID, nullable=False),
    Column("loaded_at", Instant, nullable=False),
    Column("replaced_at", Instant),
)

responsible_payer = Table(
    "responsible_payer",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False, index=True),
    Column("drug", String(80), nullable=False),
    Column("among", Document, nullable=False),
    Column("responsible", ORGANISATION, nullable=False),
    Column("from_day", Date),
    Column("to_day", Date),
    Column("source", String(300), nullable=False),
    Column("demonstration", Boolean, nullable=False),
    Column("loaded_by", ID, nullable=False),
    Column("loaded_at", Instant, nullable=False),
    Column("replaced_at", Instant),
)
