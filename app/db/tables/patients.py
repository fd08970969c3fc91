"""Patients, their identifiers, and who declared care for them."""

from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Instant

patient = Table(
    "patient",
    metadata,
    Column("id", ID, primary_key=True),
    Column("nhs_number", String(10), unique=True),
    Column("no_nhs_number_reason", String(20)),  # newborn | unregistered | overseas | withheld
    Column("registered_by", ORGANISATION, nullable=False),
    Column("birth_date", Date, nullable=False),
    Column("sex", String(20), nullable=False),
    Column(
        "linked_to", ID, ForeignKey("patient.id"), index=True
    ),  # the record that now stands for this one
    Column("created_at", Instant, nullable=False),
)

patient_identifier = Table(
    "patient_identifier",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("local_id", String(20), nullable=False),
    Column("patient_id", ID, ForeignKey("patient.id"), nullable=False, index=True),
    Column("gp_practice", String(6)),
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("organisation", "local_id"),
)

patient_link = Table(
    "patient_link",
    metadata,
    Column("id", ID, primary_key=True),
    Column("patient_id", ID, ForeignKey("patient.id"), nullable=False, index=True),
    Column("linked_to", ID, ForeignKey("patient.id"), nullable=False, index=True),
    Column("linked_at", Instant, nullable=False),
    Column("linked_by", ID, nullable=False),
    Column("reason", Text, nullable=False),
    Column("unlinked_at", Instant),
    Column("unlinked_by", ID),
    Column("unlink_reason", Text),
)

care_declaration = Table(
    "care_declaration",
    metadata,
    Column("id", ID, primary_key=True),
    Column("patient_id", ID, ForeignKey("patient.id"), nullable=False, index=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("declared_by", ID, nullable=False),
    Column("declared_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
)
