"""Every table, once, for SQLite and PostgreSQL.

Unique keys include the organisation wherever a clash would tell one organisation about another's
values. Nothing here is deleted in use: rows are superseded, ended or marked in error.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from app.db.types import Document, Exact, Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = String(36)
ORGANISATION = String(9)
# SQLite only gives dense, never reused row numbers to INTEGER PRIMARY KEY AUTOINCREMENT.
SEQUENCE = BigInteger().with_variant(Integer, "sqlite")

# --- who may call -------------------------------------------------------------------------------

caller = Table(
    "caller",
    metadata,
    Column("id", ID, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("name", String(120), nullable=False),
    Column("kind", String(10), nullable=False),  # person | system
    Column("organisation", ORGANISATION, nullable=False),
    Column("role", String(30), nullable=False),
    Column("demonstration", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

# Systems that sign in with a signed token of their own (OAuth 2 client credentials).
client = Table(
    "client",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("role", String(30), nullable=False),
    Column("organisations", Document, nullable=False),  # those that it may act for
    Column("scopes", Document, nullable=False),
    Column("jwks_url", String(300)),
    Column("requests_per_minute", Integer),  # null: the service's own limit
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

client_key = Table(
    "client_key",
    metadata,
    Column("client_id", ID, ForeignKey("client.id"), primary_key=True),
    Column("kid", String(100), primary_key=True),
    Column("jwk", Document, nullable=False),  # public
    Column("added_at", Instant, nullable=False),
    Column("removed_at", Instant),
)

# The jti of each assertion that was taken, so that no worker takes it again.
client_assertion = Table(
    "client_assertion",
    metadata,
    Column("client_id", ID, ForeignKey("client.id"), primary_key=True),
    Column("jti", String(100), primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)

access_token = Table(
    "access_token",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("client_id", ID, ForeignKey("client.id"), nullable=False, index=True),
    Column("scopes", Document, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

# People who sign in with an OpenID Connect provider such as NHS Care Identity.
person = Table(
    "person",
    metadata,
    Column("id", ID, primary_key=True),
    Column("issuer", String(300), nullable=False),
    Column("subject", String(120), nullable=False),  # the provider's own id for the person
    Column("name", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    UniqueConstraint("issuer", "subject"),
)

# Roles that an administrator granted here, beside those that the provider names.
person_role = Table(
    "person_role",
    metadata,
    Column("id", ID, primary_key=True),
    Column("person_id", ID, ForeignKey("person.id"), nullable=False, index=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("role", String(30), nullable=False),
    Column("granted_at", Instant, nullable=False),
    Column("granted_by", ID, nullable=False),
    Column("revoked_at", Instant),
)

# A sign-in under way: what must come back from the provider, and from the same browser.
sign_in = Table(
    "sign_in",
    metadata,
    Column("browser_hash", String(64), primary_key=True),
    Column("state_hash", String(64), nullable=False),
    Column("nonce", String(60), nullable=False),
    Column("verifier", String(60), nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

# A person's session. Its secret is known to the browser only: the row has the digest.
session = Table(
    "session",
    metadata,
    Column("id", ID, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("person_id", ID, ForeignKey("person.id"), nullable=False, index=True),
    Column("choices", Document, nullable=False),  # the roles that the person may act in
    Column("organisation", ORGANISATION),  # with `role`, null until one is chosen
    Column("role", String(30)),
    Column("csrf", String(43), nullable=False),
    Column("provider_session", String(200), index=True),
    Column("created_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

# The jti of each logout token that was taken, so that none is taken twice.
logout_token = Table(
    "logout_token",
    metadata,
    Column("issuer", String(300), primary_key=True),
    Column("jti", String(200), primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)

organisation_setting = Table(
    "organisation_setting",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("setting", String(60), nullable=False),  # e.g. pharmacist_authorisation
    Column("value", Document, nullable=False),
    Column("from_day", Date, nullable=False),
    Column("to_day", Date),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", String(120), nullable=False),
    Index("ix_organisation_setting_lookup", "organisation", "setting"),
)

# --- policies as they decided -------------------------------------------------------------------

policy_version = Table(
    "policy_version",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("policy", String(80), nullable=False),
    Column("version", String(20), nullable=False),
    Column("language", Integer, nullable=False),
    Column("resolved", Text, nullable=False),
    Column("origin", String(20), nullable=False),  # packaged | published
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("policy", "version"),
)

# Commissioners' overlays as they decided; their hashes stand in `request` and `decision`.
policy_overlay = Table(
    "policy_overlay",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("policy", String(80), nullable=False),
    Column("commissioner", ORGANISATION, nullable=False),
    Column("from_day", Date, nullable=False),
    Column("resolved", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("policy", "commissioner", "from_day"),
)

# Safety notices issued without a release; they suspend new starts of every organisation.
safety_notice = Table(
    "safety_notice",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("notice", Document, nullable=False),
    Column("issued_by", String(120), nullable=False),
    Column("issue_seconded_by", String(120), nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("lifted_on", Date),
    Column("lifted_by", String(120)),
    Column("lift_seconded_by", String(120)),
)

adoption = Table(
    "adoption",
    metadata,
    Column("id", ID, primary_key=True),
    Column("commissioner", ORGANISATION, nullable=False),
    Column("policy", String(80), nullable=False),
    Column("version", String(20), nullable=False),
    Column("from_day", Date, nullable=False),
    Column("to_day", Date),
    Column("adopted_by", String(120), nullable=False),
    Column("seconded_by", String(120), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("commissioner", "policy", "version", "from_day"),
)

# --- patients -----------------------------------------------------------------------------------

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

# --- treatments, requests, decisions, approvals -------------------------------------------------

treatment = Table(
    "treatment",
    metadata,
    Column("id", ID, primary_key=True),
    Column("patient_id", ID, ForeignKey("patient.id"), nullable=False, index=True),
    Column("drug", String(60), nullable=False),
    Column("indication", String(60), nullable=False),
    Column("policy", String(80), nullable=False),
    Column("provider", ORGANISATION, nullable=False),
    Column("commissioner", ORGANISATION, nullable=False),
    Column("first_dose", Date),
    Column("not_started_on", Date),
    Column("stopped_on", Date),
    Column("stop_reason", String(40)),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    # A page of a search is one walk along one of these.
    Index("ix_treatment_provider_id", "provider", "id"),
    Index("ix_treatment_commissioner_id", "commissioner", "id"),
    Index("ix_treatment_patient_drug", "patient_id", "drug", "indication"),
)

# One row per patient, drug and indication with a live approval: its primary key is what makes two
# concurrent requests unable to create two live approvals.
live_treatment = Table(
    "live_treatment",
    metadata,
    Column("patient_id", ID, ForeignKey("patient.id"), primary_key=True),
    Column("drug", String(60), primary_key=True),
    Column("indication", String(60), primary_key=True),
    Column("treatment_id", ID, ForeignKey("treatment.id"), nullable=False, unique=True),
)

request = Table(
    "request",
    metadata,
    Column("id", ID, primary_key=True),
    Column("treatment_id", ID, ForeignKey("treatment.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(30), nullable=False),
    Column("provider", ORGANISATION, nullable=False, index=True),
    Column("commissioner", ORGANISATION, nullable=False, index=True),
    Column("panel", ORGANISATION, index=True),
    Column("counterparty", ORGANISATION, index=True),  # the receiving provider of a transfer
    Column("route", String(30), nullable=False),  # policy | individual funding | group approval
    Column("policy", String(80), nullable=False),
    Column("policy_version", String(20), nullable=False),
    Column("policy_hash", String(64), ForeignKey("policy_version.hash"), nullable=False),
    Column("overlay_hash", String(64)),
    Column("decision_to_treat", Date, nullable=False),
    Column("first_dose", Date),
    Column("retrospective_reason", String(60)),
    Column("details", Document, nullable=False),  # what the kind needs: product, dose, dates, …
    Column("submitted_at", Instant, nullable=False),
    Column("submitted_by", ID, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)

request_revision = Table(
    "request_revision",
    metadata,
    Column("request_id", ID, ForeignKey("request.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("why", String(20), nullable=False),  # submitted | amended | corrected
    Column("answers", Document, nullable=False),
    Column("context", Document, nullable=False),  # birth date, sex, dates as they were decided on
    Column("made_at", Instant, nullable=False),
    Column("made_by", ID, nullable=False),
    Column("note", Text),
)

# The clinician's overrides of one set of answers; `words` are free text about a patient.
request_override = Table(
    "request_override",
    metadata,
    Column("request_id", ID, ForeignKey("request.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("criterion", String(40), primary_key=True),
    Column("section", String(10), nullable=False),  # start | continue | stop
    Column("reason", String(60), nullable=False),
    Column("words", Text, nullable=False),
    Column("relied_on", Boolean, nullable=False),
    Column("made_by", ID, nullable=False),
    Column("made_at", Instant, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("id", ID, primary_key=True),
    Column("request_id", ID, ForeignKey("request.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("made_by", String(20), nullable=False),  # policy | panel | pharmacist | commissioner
    Column("outcome", String(30), nullable=False),
    Column("findings", Document, nullable=False),
    Column("missing", Document, nullable=False),
    Column("reasons", Document, nullable=False),
    Column("waived", Document, nullable=False),
    Column("overridden", Document),  # criteria decided by override; null before there were any
    Column("policy_hash", String(64), nullable=False),
    Column("overlay_hash", String(64)),
    Column("decided_at", Instant, nullable=False),
    Column("decided_by", ID),
    Column("reason", Text),
    Column("notices", Document),  # safety notices it was made under; null: none
    Column("interest", String(20)),  # none | declared: a panel member's own declaration
    UniqueConstraint("request_id", "number"),
)

approval = Table(
    "approval",
    metadata,
    Column("id", ID, primary_key=True),
    Column("reference", String(17), nullable=False, unique=True),
    Column("treatment_id", ID, ForeignKey("treatment.id"), nullable=False, index=True),
    Column("request_id", ID, ForeignKey("request.id"), index=True),
    Column("decision_id", ID, ForeignKey("decision.id")),
    Column("state", String(20), nullable=False),
    Column("basis", String(30), nullable=False),  # policy | panel | individual funding | …
    Column("covers_from", Date, nullable=False),
    Column("covers_to", Date),
    Column("start_by", Date),
    Column("late", Boolean, nullable=False),
    Column("retrospective_reason", String(60)),
    Column("terms", Document, nullable=False),
    Column("provider", ORGANISATION, nullable=False, index=True),
    Column("commissioner", ORGANISATION, nullable=False, index=True),
    Column("policy_hash", String(64)),
    Column("legacy_reference", String(60)),
    Column("proved", Boolean, nullable=False),  # false for imported approvals
    Column("issued_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("provider", "legacy_reference"),
)

segment = Table(
    "segment",
    metadata,
    Column("id", ID, primary_key=True),
    Column("treatment_id", ID, ForeignKey("treatment.id"), nullable=False, index=True),
    Column("approval_id", ID, ForeignKey("approval.id"), index=True),
    Column("request_id", ID, ForeignKey("request.id")),
    Column("kind", String(10), nullable=False),  # coverage | pause
    Column("from_day", Date, nullable=False),
    Column("to_day", Date),  # last day covered; null = open
    Column("provider", ORGANISATION, nullable=False),
    Column("supplying_providers", Document, nullable=False),
    Column("commissioner", ORGANISATION, nullable=False),
    Column("product", String(60)),
    Column("route", String(40)),
    Column("dose_amount", Exact),
    Column("dose_unit", String(20)),
    Column("dose_every_days", Integer),
    Column("unit_price_cap", Exact),
    Column("price_unit", String(40)),
    Column("quantity_cap", Exact),
    Column("quantity_unit", String(40)),
    Column("funding_origin", String(30), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("superseded_at", Instant),  # a superseded segment is kept, and counts for nothing
    Index("ix_segment_provider_treatment", "provider", "treatment_id"),
    Index("ix_segment_commissioner_treatment", "commissioner", "treatment_id"),
)

# A form that is half filled: nothing in it is checked before it is submitted.
draft = Table(
    "draft",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("policy", String(80)),
    Column("treatment_id", ID, ForeignKey("treatment.id"), index=True),  # null for a first request
    Column("form", Document, nullable=False),  # patient, dates, details: as typed so far
    Column("answers", Document, nullable=False),
    Column("prepared_by", ID, nullable=False),
    Column("prepared_at", Instant, nullable=False),
    Column("changed_by", ID, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("submitted_request", ID, ForeignKey("request.id"), unique=True),
    Column("discarded_at", Instant),
    Column("version", Integer, nullable=False),
    Index("ix_draft_organisation", "organisation", "changed_at"),
)

# --- imported approvals -------------------------------------------------------------------------

approval_import = Table(
    "approval_import",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("file_name", String(200), nullable=False),
    Column("state", String(20), nullable=False),  # previewed | accepted
    Column("rows", Document, nullable=False),  # one verdict per row of the file
    Column("created_at", Instant, nullable=False),
    Column("created_by", ID, nullable=False),
    Column("accepted_at", Instant),
    Column("accepted_by", ID),
    UniqueConstraint("organisation", "sha256"),
)

# --- audit --------------------------------------------------------------------------------------

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
    UniqueConstraint("object_type", "object_id", "object_number"),
    Index("ix_audit_event_organisation", "organisation", "id"),
    Index("ix_audit_event_feed", "epoch", "xid", "id"),
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

# --- the doors' own books -----------------------------------------------------------------------

idempotent_answer = Table(
    "idempotent_answer",
    metadata,
    Column("client", ID, primary_key=True),
    Column("organisation", ORGANISATION, primary_key=True),
    Column("route", String(200), primary_key=True),
    Column("request_id", String(36), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("status", Integer),
    Column("headers", Document),
    Column("body", Text),
    Column("answered_at", Instant, nullable=False),
)

job = Table(
    "job",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("organisation", ORGANISATION, nullable=False),
    Column("created_by", ID, nullable=False),
    Column("payload", Document, nullable=False),
    Column("state", String(10), nullable=False, index=True),  # queued | running | done | failed
    Column("done", Integer, nullable=False),
    Column("total", Integer),
    Column("attempts", Integer, nullable=False),
    Column("lease_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("result", Document),
    Column("error", Text),
)

# --- reconciliation -----------------------------------------------------------------------------

submission = Table(
    "submission",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("file_name", String(200), nullable=False),
    Column("size", Integer, nullable=False),
    Column("layout", String(40), nullable=False),
    Column("lines", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("total", Exact, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("received_by", ID, nullable=False),
    UniqueConstraint("organisation", "sha256"),
)

reconciliation_run = Table(
    "reconciliation_run",
    metadata,
    Column("id", ID, primary_key=True),
    Column("submission_id", ID, ForeignKey("submission.id"), nullable=False),
    Column("organisation", ORGANISATION, nullable=False, index=True),
    Column("engine", String(20), nullable=False),
    Column("rules_version", String(40), nullable=False),
    Column("reference_version", String(64), nullable=False),
    Column("snapshot_digest", String(64), nullable=False),
    Column("as_at", Date, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("total", Exact, nullable=False),
    Column("accepted", Exact, nullable=False),
    Column("queried", Exact, nullable=False),
    Column("summary", Document, nullable=False),
    Column("outcomes_file", String(200), nullable=False),
    Column("outcomes_sha256", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", ID, nullable=False),
    UniqueConstraint(
        "submission_id", "engine", "rules_version", "reference_version", "snapshot_digest"
    ),
)
