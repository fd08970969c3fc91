"""The append-only log, its seals and epochs."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from app.db.tables.base import ID, ORGANISATION, SEQUENCE, metadata
from app.db.types import Instant

#: The events by which somebody learnt who a patient is. Said word for word where they are asked
#: for: by that the databases see that their index serves.
IDENTITIES_SHOWN = (
    "action IN ('identifiers shown: treatment', 'identifiers shown: run', "
    "'identifiers used: search')"
)
#: The events of answers that changed after a refusal, said word for word likewise.
CHANGED_ANSWERS = "action = 'answers changed after a refusal'"

audit_payload = Table(
    "audit_payload",
    metadata,
    Column("id", ID, primary_key=True),
    Column("patient_id", ID, index=True),
    # Both null once erased: the event keeps its digests, and without the salt they tell nothing.
    Column("salt", String(64)),
    Column("body", Text),
    Column("erased_at", Instant),
    Column("organisation", ORGANISATION),  # whose act it tells of; the first release kept none
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("actor", ID, nullable=False),
    Column("actor_kind", String(10), nullable=False),
    Column("organisation", ORGANISATION, nullable=False),
    Column("role", String(30), nullable=False),
    Column("client", String(120), nullable=False),
    Column("action", String(60), nullable=False),
    Column("object_type", String(30), nullable=False),
    Column("object_id", String(60), nullable=False),
    Column("object_number", Integer, nullable=False),  # dense per object, from 1
    Column("treatment_id", ID, index=True),
    Column("request_id", ID, index=True),
    Column("before_digest", String(64)),
    Column("after_digest", String(64)),
    Column("payload_id", ID),
    Column("policy_hash", String(64)),
    Column("correlation_id", String(100), nullable=False),
    # PostgreSQL's pg_current_xact_id(), for sealing and the feed; 0 on SQLite (one writer).
    Column("xid", BigInteger, nullable=False),
    Column("hmac", String(64), nullable=False),
    # The first release's rows have neither: they are of the first epoch, signed by any key.
    Column("epoch", Integer, nullable=False, server_default="1"),
    Column("key_id", String(16), nullable=False, server_default="none"),
    # Whose the payload is, as a digest; rows of before revision 0056 do not say.
    Column("payload_of", String(64)),
    UniqueConstraint("object_type", "object_id", "object_number"),
    Index("ix_audit_event_organisation", "organisation", "id"),
    Index("ix_audit_event_feed", "epoch", "xid", "id"),
    Index(
        "ix_audit_event_payload_id",
        "payload_id",
        postgresql_where=text("payload_id IS NOT NULL"),
        sqlite_where=text("payload_id IS NOT NULL"),
    ),
    Index(
        "ix_audit_event_identities",
        "organisation",
        "at",
        postgresql_where=text(IDENTITIES_SHOWN),
        sqlite_where=text(IDENTITIES_SHOWN),
    ),
    Index(
        "ix_audit_event_changed_answers",
        "at",
        "id",
        postgresql_where=text(CHANGED_ANSWERS),
        sqlite_where=text(CHANGED_ANSWERS),
    ),
    sqlite_autoincrement=True,
)

# A batch of the log under one Merkle root, chained to the batch before it. `members` names each
# row with its leaf, so that a check can name the row that is gone or was slipped in.
audit_seal = Table(
    "audit_seal",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # dense, from 1
    Column("epoch", Integer, nullable=False),
    Column("from_position", BigInteger, nullable=False),  # PostgreSQL: xid; SQLite: row id
    Column("to_position", BigInteger, nullable=False),  # the first that is not sealed here
    Column("events", Integer, nullable=False),
    Column("root", String(64), nullable=False),
    Column("members", Text, nullable=False),
    Column("faults", Text, nullable=False),  # rows known to be wrong: sealed, and not blessed
    Column("previous", String(64), nullable=False),  # the hash of the seal before this one
    Column("sealed_at", Instant, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("hmac", String(64), nullable=False),
)

# Transaction ids start anew in a restored cluster, so a restore opens an epoch.
audit_epoch = Table(
    "audit_epoch",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 2
    Column("opened_at", Instant, nullable=False),
    Column("after_event", BigInteger, nullable=False),  # the last row's id of the epoch before
    Column("after_seal", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("hmac", String(64), nullable=False),
)

# What a check of the log last found, of each kind: for people to look at. It proves nothing, since
# whoever can change the log can change this too.
audit_finding = Table(
    "audit_finding",
    metadata,
    Column("kind", String(20), primary_key=True),  # verification | sealing
    Column("at", Instant, nullable=False),
    Column("faults", Integer, nullable=False),
    Column("seal", Integer, nullable=False),  # the newest seal with a checkpoint kept elsewhere
    Column("checkpoints", Integer, nullable=False),  # held against the log
)
