"""The first schema: every table, and the triggers that keep what must not change."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Written out here, so that this revision stays what it was when app/db/types.py moves on.
INSTANT = sa.DateTime(timezone=True)
EXACT = sa.Numeric(26, 8).with_variant(sa.String(40), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, then the triggers."""
    create_tables()
    create_triggers()


def create_tables() -> None:
    """Create every table and index."""
    op.create_table(
        "adoption",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("commissioner", sa.String(length=9), nullable=False),
        sa.Column("policy", sa.String(length=80), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("to_day", sa.Date(), nullable=True),
        sa.Column("adopted_by", sa.String(length=120), nullable=False),
        sa.Column("seconded_by", sa.String(length=120), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adoption")),
        sa.UniqueConstraint(
            "commissioner",
            "policy",
            "version",
            "from_day",
            name=op.f("uq_adoption_commissioner_policy_version_from_day"),
        ),
    )
    op.create_table(
        "approval_import",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("rows", DOCUMENT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.Column("accepted_at", INSTANT, nullable=True),
        sa.Column("accepted_by", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_import")),
        sa.UniqueConstraint(
            "organisation", "sha256", name=op.f("uq_approval_import_organisation_sha256")
        ),
    )
    op.create_table(
        "audit_event",
        sa.Column("id", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.String(length=36), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.Column("client", sa.String(length=120), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("object_type", sa.String(length=30), nullable=False),
        sa.Column("object_id", sa.String(length=60), nullable=False),
        sa.Column("object_number", sa.Integer(), nullable=False),
        sa.Column("treatment_id", sa.String(length=36), nullable=True),
        sa.Column("request_id", sa.String(length=36), nullable=True),
        sa.Column("before_digest", sa.String(length=64), nullable=True),
        sa.Column("after_digest", sa.String(length=64), nullable=True),
        sa.Column("payload_id", sa.String(length=36), nullable=True),
        sa.Column("policy_hash", sa.String(length=64), nullable=True),
        sa.Column("correlation_id", sa.String(length=100), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("hmac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
        sa.UniqueConstraint(
            "object_type",
            "object_id",
            "object_number",
            name=op.f("uq_audit_event_object_type_object_id_object_number"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_event_feed", "audit_event", ["xid", "id"], unique=False)
    op.create_index(
        "ix_audit_event_organisation", "audit_event", ["organisation", "id"], unique=False
    )
    op.create_index(op.f("ix_audit_event_request_id"), "audit_event", ["request_id"], unique=False)
    op.create_index(
        op.f("ix_audit_event_treatment_id"), "audit_event", ["treatment_id"], unique=False
    )
    op.create_table(
        "audit_payload",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("patient_id", sa.String(length=36), nullable=True),
        sa.Column("salt", sa.String(length=64), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("erased_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_payload")),
    )
    op.create_index(
        op.f("ix_audit_payload_patient_id"), "audit_payload", ["patient_id"], unique=False
    )
    op.create_table(
        "caller",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.Column("demonstration", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_caller")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_caller_token_hash")),
    )
    op.create_table(
        "idempotent_answer",
        sa.Column("client", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", DOCUMENT, nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("answered_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint(
            "client", "organisation", "route", "request_id", name=op.f("pk_idempotent_answer")
        ),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.Column("payload", DOCUMENT, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("result", DOCUMENT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_state"), "job", ["state"], unique=False)
    op.create_table(
        "organisation_setting",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("setting", sa.String(length=60), nullable=False),
        sa.Column("value", DOCUMENT, nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("to_day", sa.Date(), nullable=True),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation_setting")),
    )
    op.create_index(
        "ix_organisation_setting_lookup",
        "organisation_setting",
        ["organisation", "setting"],
        unique=False,
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("nhs_number", sa.String(length=10), nullable=True),
        sa.Column("no_nhs_number_reason", sa.String(length=20), nullable=True),
        sa.Column("registered_by", sa.String(length=9), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("sex", sa.String(length=20), nullable=False),
        sa.Column("linked_to", sa.String(length=36), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["linked_to"], ["patient.id"], name=op.f("fk_patient_linked_to_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient")),
        sa.UniqueConstraint("nhs_number", name=op.f("uq_patient_nhs_number")),
    )
    op.create_table(
        "policy_version",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.String(length=80), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("language", sa.Integer(), nullable=False),
        sa.Column("resolved", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_policy_version")),
        sa.UniqueConstraint("policy", "version", name=op.f("uq_policy_version_policy_version")),
    )
    op.create_table(
        "submission",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("layout", sa.String(length=40), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("total", EXACT, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("received_by", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
        sa.UniqueConstraint(
            "organisation", "sha256", name=op.f("uq_submission_organisation_sha256")
        ),
    )
    op.create_table(
        "care_declaration",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("declared_by", sa.String(length=36), nullable=False),
        sa.Column("declared_at", INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_care_declaration_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_care_declaration")),
    )
    op.create_index(
        op.f("ix_care_declaration_patient_id"), "care_declaration", ["patient_id"], unique=False
    )
    op.create_table(
        "patient_identifier",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("local_id", sa.String(length=20), nullable=False),
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("gp_practice", sa.String(length=6), nullable=True),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_patient_identifier_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_identifier")),
        sa.UniqueConstraint(
            "organisation", "local_id", name=op.f("uq_patient_identifier_organisation_local_id")
        ),
    )
    op.create_index(
        op.f("ix_patient_identifier_patient_id"), "patient_identifier", ["patient_id"], unique=False
    )
    op.create_table(
        "patient_link",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("linked_to", sa.String(length=36), nullable=False),
        sa.Column("linked_at", INSTANT, nullable=False),
        sa.Column("linked_by", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("unlinked_at", INSTANT, nullable=True),
        sa.Column("unlinked_by", sa.String(length=36), nullable=True),
        sa.Column("unlink_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["linked_to"], ["patient.id"], name=op.f("fk_patient_link_linked_to_patient")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_patient_link_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_link")),
    )
    op.create_index(op.f("ix_patient_link_linked_to"), "patient_link", ["linked_to"], unique=False)
    op.create_index(
        op.f("ix_patient_link_patient_id"), "patient_link", ["patient_id"], unique=False
    )
    op.create_table(
        "reconciliation_run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("submission_id", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=9), nullable=False),
        sa.Column("engine", sa.String(length=20), nullable=False),
        sa.Column("rules_version", sa.String(length=40), nullable=False),
        sa.Column("reference_version", sa.String(length=64), nullable=False),
        sa.Column("snapshot_digest", sa.String(length=64), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("total", EXACT, nullable=False),
        sa.Column("accepted", EXACT, nullable=False),
        sa.Column("queried", EXACT, nullable=False),
        sa.Column("summary", DOCUMENT, nullable=False),
        sa.Column("outcomes_file", sa.String(length=200), nullable=False),
        sa.Column("outcomes_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_reconciliation_run_submission_id_submission"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_run")),
        sa.UniqueConstraint(
            "submission_id",
            "engine",
            "rules_version",
            "reference_version",
            "snapshot_digest",
            name=op.f(
                "uq_reconciliation_run_submission_id_engine_rules_version_reference_version_snapshot_digest"
            ),
        ),
    )
    op.create_index(
        op.f("ix_reconciliation_run_organisation"),
        "reconciliation_run",
        ["organisation"],
        unique=False,
    )
    op.create_table(
        "treatment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("drug", sa.String(length=60), nullable=False),
        sa.Column("indication", sa.String(length=60), nullable=False),
        sa.Column("policy", sa.String(length=80), nullable=False),
        sa.Column("provider", sa.String(length=9), nullable=False),
        sa.Column("commissioner", sa.String(length=9), nullable=False),
        sa.Column("first_dose", sa.Date(), nullable=True),
        sa.Column("not_started_on", sa.Date(), nullable=True),
        sa.Column("stopped_on", sa.Date(), nullable=True),
        sa.Column("stop_reason", sa.String(length=40), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_treatment_patient_id_patient")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treatment")),
    )
    op.create_index(op.f("ix_treatment_commissioner"), "treatment", ["commissioner"], unique=False)
    op.create_index(
        "ix_treatment_patient_drug", "treatment", ["patient_id", "drug", "indication"], unique=False
    )
    op.create_index(op.f("ix_treatment_patient_id"), "treatment", ["patient_id"], unique=False)
    op.create_index(op.f("ix_treatment_provider"), "treatment", ["provider"], unique=False)
    op.create_table(
        "live_treatment",
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("drug", sa.String(length=60), nullable=False),
        sa.Column("indication", sa.String(length=60), nullable=False),
        sa.Column("treatment_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_live_treatment_patient_id_patient")
        ),
        sa.ForeignKeyConstraint(
            ["treatment_id"],
            ["treatment.id"],
            name=op.f("fk_live_treatment_treatment_id_treatment"),
        ),
        sa.PrimaryKeyConstraint("patient_id", "drug", "indication", name=op.f("pk_live_treatment")),
        sa.UniqueConstraint("treatment_id", name=op.f("uq_live_treatment_treatment_id")),
    )
    op.create_table(
        "request",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("treatment_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("provider", sa.String(length=9), nullable=False),
        sa.Column("commissioner", sa.String(length=9), nullable=False),
        sa.Column("panel", sa.String(length=9), nullable=True),
        sa.Column("counterparty", sa.String(length=9), nullable=True),
        sa.Column("route", sa.String(length=30), nullable=False),
        sa.Column("policy", sa.String(length=80), nullable=False),
        sa.Column("policy_version", sa.String(length=20), nullable=False),
        sa.Column("policy_hash", sa.String(length=64), nullable=False),
        sa.Column("decision_to_treat", sa.Date(), nullable=False),
        sa.Column("first_dose", sa.Date(), nullable=True),
        sa.Column("retrospective_reason", sa.String(length=60), nullable=True),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("submitted_at", INSTANT, nullable=False),
        sa.Column("submitted_by", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_hash"],
            ["policy_version.hash"],
            name=op.f("fk_request_policy_hash_policy_version"),
        ),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatment.id"], name=op.f("fk_request_treatment_id_treatment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request")),
    )
    op.create_index(op.f("ix_request_commissioner"), "request", ["commissioner"], unique=False)
    op.create_index(op.f("ix_request_counterparty"), "request", ["counterparty"], unique=False)
    op.create_index(op.f("ix_request_panel"), "request", ["panel"], unique=False)
    op.create_index(op.f("ix_request_provider"), "request", ["provider"], unique=False)
    op.create_index(op.f("ix_request_treatment_id"), "request", ["treatment_id"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(length=20), nullable=False),
        sa.Column("outcome", sa.String(length=30), nullable=False),
        sa.Column("findings", DOCUMENT, nullable=False),
        sa.Column("missing", DOCUMENT, nullable=False),
        sa.Column("reasons", DOCUMENT, nullable=False),
        sa.Column("waived", DOCUMENT, nullable=False),
        sa.Column("policy_hash", sa.String(length=64), nullable=False),
        sa.Column("overlay_hash", sa.String(length=64), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request.id"], name=op.f("fk_decision_request_id_request")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint("request_id", "number", name=op.f("uq_decision_request_id_number")),
    )
    op.create_table(
        "request_revision",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(length=20), nullable=False),
        sa.Column("answers", DOCUMENT, nullable=False),
        sa.Column("context", DOCUMENT, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("made_by", sa.String(length=36), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request.id"], name=op.f("fk_request_revision_request_id_request")
        ),
        sa.PrimaryKeyConstraint("request_id", "revision", name=op.f("pk_request_revision")),
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("reference", sa.String(length=17), nullable=False),
        sa.Column("treatment_id", sa.String(length=36), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=True),
        sa.Column("decision_id", sa.String(length=36), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("basis", sa.String(length=30), nullable=False),
        sa.Column("covers_from", sa.Date(), nullable=False),
        sa.Column("covers_to", sa.Date(), nullable=True),
        sa.Column("start_by", sa.Date(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("retrospective_reason", sa.String(length=60), nullable=True),
        sa.Column("terms", DOCUMENT, nullable=False),
        sa.Column("provider", sa.String(length=9), nullable=False),
        sa.Column("commissioner", sa.String(length=9), nullable=False),
        sa.Column("policy_hash", sa.String(length=64), nullable=True),
        sa.Column("legacy_reference", sa.String(length=60), nullable=True),
        sa.Column("proved", sa.Boolean(), nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_approval_decision_id_decision")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request.id"], name=op.f("fk_approval_request_id_request")
        ),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatment.id"], name=op.f("fk_approval_treatment_id_treatment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
        sa.UniqueConstraint(
            "provider", "legacy_reference", name=op.f("uq_approval_provider_legacy_reference")
        ),
        sa.UniqueConstraint("reference", name=op.f("uq_approval_reference")),
    )
    op.create_index(op.f("ix_approval_commissioner"), "approval", ["commissioner"], unique=False)
    op.create_index(op.f("ix_approval_provider"), "approval", ["provider"], unique=False)
    op.create_index(op.f("ix_approval_request_id"), "approval", ["request_id"], unique=False)
    op.create_index(op.f("ix_approval_treatment_id"), "approval", ["treatment_id"], unique=False)
    op.create_table(
        "segment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("treatment_id", sa.String(length=36), nullable=False),
        sa.Column("approval_id", sa.String(length=36), nullable=True),
        sa.Column("request_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("to_day", sa.Date(), nullable=True),
        sa.Column("provider", sa.String(length=9), nullable=False),
        sa.Column("supplying_providers", DOCUMENT, nullable=False),
        sa.Column("commissioner", sa.String(length=9), nullable=False),
        sa.Column("product", sa.String(length=60), nullable=True),
        sa.Column("route", sa.String(length=40), nullable=True),
        sa.Column("dose_amount", EXACT, nullable=True),
        sa.Column("dose_unit", sa.String(length=20), nullable=True),
        sa.Column("dose_every_days", sa.Integer(), nullable=True),
        sa.Column("unit_price_cap", EXACT, nullable=True),
        sa.Column("price_unit", sa.String(length=40), nullable=True),
        sa.Column("quantity_cap", EXACT, nullable=True),
        sa.Column("quantity_unit", sa.String(length=40), nullable=True),
        sa.Column("funding_origin", sa.String(length=30), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("superseded_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approval.id"], name=op.f("fk_segment_approval_id_approval")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["request.id"], name=op.f("fk_segment_request_id_request")
        ),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatment.id"], name=op.f("fk_segment_treatment_id_treatment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment")),
    )
    op.create_index(op.f("ix_segment_approval_id"), "segment", ["approval_id"], unique=False)
    op.create_index(op.f("ix_segment_commissioner"), "segment", ["commissioner"], unique=False)
    op.create_index(op.f("ix_segment_provider"), "segment", ["provider"], unique=False)
    op.create_index(op.f("ix_segment_treatment_id"), "segment", ["treatment_id"], unique=False)


def create_triggers() -> None:
    """Refuse every change to an audit row or a policy version; of a payload, allow its erasure."""
    statements = (
        POSTGRES_TRIGGERS if op.get_bind().dialect.name == "postgresql" else SQLITE_TRIGGERS
    )
    for statement in statements:
        # As the driver takes it: ":" is not a parameter, and "%" is written twice.
        op.get_bind().exec_driver_sql(statement)


# BEFORE INSERT guards INSERT OR REPLACE even on a stranger's connection, where
# recursive_triggers is off and the row replaced would go without firing a DELETE trigger.
SQLITE_TRIGGERS = (
    """CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: no UPDATE'); END""",
    """CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: no DELETE'); END""",
    """CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event
    WHEN EXISTS (SELECT 1 FROM audit_event WHERE id = NEW.id)
      OR EXISTS (SELECT 1 FROM audit_event WHERE object_type = NEW.object_type
                 AND object_id = NEW.object_id AND object_number = NEW.object_number)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: no REPLACE'); END""",
    """CREATE TRIGGER audit_payload_only_erasure BEFORE UPDATE ON audit_payload
    WHEN NOT (NEW.id IS OLD.id AND NEW.patient_id IS OLD.patient_id
              AND OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL
              AND NEW.body IS NULL AND NEW.salt IS NULL)
    BEGIN SELECT RAISE(ABORT, 'an audit payload can only be erased'); END""",
    """CREATE TRIGGER audit_payload_no_delete BEFORE DELETE ON audit_payload
    BEGIN SELECT RAISE(ABORT, 'an audit payload can only be erased: no DELETE'); END""",
    """CREATE TRIGGER audit_payload_no_replace BEFORE INSERT ON audit_payload
    WHEN EXISTS (SELECT 1 FROM audit_payload WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'an audit payload can only be erased: no REPLACE'); END""",
    """CREATE TRIGGER policy_version_no_update BEFORE UPDATE ON policy_version
    BEGIN SELECT RAISE(ABORT, 'a policy version is never changed: no UPDATE'); END""",
    """CREATE TRIGGER policy_version_no_delete BEFORE DELETE ON policy_version
    BEGIN SELECT RAISE(ABORT, 'a policy version is never changed: no DELETE'); END""",
    """CREATE TRIGGER policy_version_no_replace BEFORE INSERT ON policy_version
    WHEN EXISTS (SELECT 1 FROM policy_version WHERE hash = NEW.hash AND resolved <> NEW.resolved)
      OR EXISTS (SELECT 1 FROM policy_version WHERE policy = NEW.policy
                 AND version = NEW.version AND hash <> NEW.hash)
    BEGIN SELECT RAISE(ABORT, 'a policy version is never changed: no REPLACE'); END""",
)

# ENABLE ALWAYS: otherwise session_replication_role = replica would pass them by.
POSTGRES_TRIGGERS = (
    """CREATE FUNCTION audit_event_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the audit log is append-only: no %%', TG_OP
        USING ERRCODE = 'insufficient_privilege'; END $$""",
    """CREATE FUNCTION audit_payload_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF NEW.id = OLD.id AND NEW.patient_id IS NOT DISTINCT FROM OLD.patient_id
                AND OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL
                AND NEW.body IS NULL AND NEW.salt IS NULL THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'an audit payload can only be erased: no %%', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END $$""",
    """CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_event_refuse()""",
    """CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse()""",
    """CREATE TRIGGER audit_payload_only_erasure BEFORE UPDATE OR DELETE ON audit_payload
    FOR EACH ROW EXECUTE FUNCTION audit_payload_refuse()""",
    """CREATE TRIGGER audit_payload_no_truncate BEFORE TRUNCATE ON audit_payload
    FOR EACH STATEMENT EXECUTE FUNCTION audit_payload_refuse()""",
    """CREATE FUNCTION policy_version_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'a policy version is never changed: no %%', TG_OP
        USING ERRCODE = 'insufficient_privilege'; END $$""",
    """CREATE TRIGGER policy_version_no_change BEFORE UPDATE OR DELETE ON policy_version
    FOR EACH ROW EXECUTE FUNCTION policy_version_refuse()""",
    """CREATE TRIGGER policy_version_no_truncate BEFORE TRUNCATE ON policy_version
    FOR EACH STATEMENT EXECUTE FUNCTION policy_version_refuse()""",
    "ALTER TABLE policy_version ENABLE ALWAYS TRIGGER policy_version_no_change",
    "ALTER TABLE policy_version ENABLE ALWAYS TRIGGER policy_version_no_truncate",
    "ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_event_no_change",
    "ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_event_no_truncate",
    "ALTER TABLE audit_payload ENABLE ALWAYS TRIGGER audit_payload_only_erasure",
    "ALTER TABLE audit_payload ENABLE ALWAYS TRIGGER audit_payload_no_truncate",
)
