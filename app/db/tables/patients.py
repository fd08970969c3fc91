"""Patients, their identifiers, and who declared care for them."""

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    literal_column,
)

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Instant

patient = Table(
    "patient",
    metadata,
    Column("id", ID, primary_key=True),
    Column("nhs_number", String(10), unique=True),
    Column("no_nhs_number_reason", String(20)),  # newborn | …; or "record ended"
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


def as_compared(local_id: ColumnElement[str]) -> ColumnElement[str]:
    """A hospital number in the form in which lines state it: in capitals, without spaces."""
    return func.upper(func.replace(local_id, literal_column("' '"), literal_column("''")))


# The few that are held otherwise than lines state them are found by themselves.
_OTHERWISE = as_compared(patient_identifier.c.local_id) != patient_identifier.c.local_id
Index(
    "ix_patient_identifier_otherwise",
    patient_identifier.c.organisation,
    postgresql_where=_OTHERWISE,
    sqlite_where=_OTHERWISE,
)

# Under a key of its own that only the service has, what leads from a payer's pseudonym to a record
# with an NHS number, of each payer that pays for the person. The worker keeps it, and can make it
# again. A row says nothing of a number to whoever reads the database without the secret.
patient_pseudonym = Table(
    "patient_pseudonym",
    metadata,
    Column("mac", String(32), nullable=False),
    Column("patient_id", ID, ForeignKey("patient.id"), nullable=False, index=True),
    PrimaryKeyConstraint("mac", "patient_id"),
)

# How far it is: one row. Every event before the position of the change feed is in it, of the
# records up to an id; null: of all of them.
patient_pseudonym_mark = Table(
    "patient_pseudonym_mark",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("of_secret", String(16), nullable=False),  # tells one secret from another
    Column("epoch", Integer, nullable=False),
    Column("xid", BigInteger, nullable=False),
    Column("event", BigInteger, nullable=False),
    Column("up_to", ID),
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

# Access for patient safety to what other providers hold of a patient. Whether it has run out is
# worked out from the day it was opened and its minutes, never stored.
break_glass = Table(
    "break_glass",
    metadata,
    Column("id", ID, primary_key=True),
    Column("patient_id", ID, ForeignKey("patient.id"), nullable=False, index=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("opened_by", ID, nullable=False),
    Column("role", String(30), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("words", Text, nullable=False),  # free text about a patient
    Column("opened_at", Instant, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("ended_at", Instant),
    Column("ended_by", ID),
    Index("ix_break_glass_organisation", "organisation", "opened_at"),
)

# That a patient objects to being shown beyond those who treat them. One stands until withdrawn.
patient_objection = Table(
    "patient_objection",
    metadata,
    Column("id", ID, primary_key=True),
    Column("patient_id", ID, ForeignKey("patient.id"), nullable=False, index=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("words", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", ID, nullable=False),
    Column("withdrawn_at", Instant),
    Column("withdrawn_by", ID),
    Column("withdrawal_words", Text),
)

# A patient's death. A wrong record is taken back and kept.
patient_death = Table(
    "patient_death",
    metadata,
    Column("id", ID, primary_key=True),
    Column("patient_id", ID, ForeignKey("patient.id"), nullable=False, index=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("died_on", Date, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", ID, nullable=False),
    Column("taken_back_at", Instant),
    Column("taken_back_by", ID),
    Column("taken_back_why", Text),
)
