"""Treatments, requests, decisions, approvals; and forms in preparation."""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Document, Exact, Instant

#: A treatment that has not begun, and is still to.
NOT_BEGUN = "first_dose IS NULL AND not_started_on IS NULL AND stopped_on IS NULL"
#: A draft that is neither submitted nor put away.
OPEN_DRAFT = "submitted_request IS NULL AND discarded_at IS NULL"
#: A request that was ever a panel's: of an index of them alone.
PANELS: dict[str, Any] = {
    f"{database}_where": text("panel IS NOT NULL") for database in ("postgresql", "sqlite")
}

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
    # A drug's treatments, for a hand-over of it; the payers are what row-level security asks for.
    Index("ix_treatment_drug", "drug", "id", postgresql_include=["provider", "commissioner"]),
    # Those that have not begun are few: the list of what should have is a walk along one of these.
    *(
        Index(
            f"ix_treatment_{organisation}_waiting",
            organisation,
            "id",
            postgresql_where=text(NOT_BEGUN),
            sqlite_where=text(NOT_BEGUN),
        )
        for organisation in ("provider", "commissioner")
    ),
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
    Column("provider", ORGANISATION, nullable=False),
    Column("commissioner", ORGANISATION, nullable=False),
    Column("panel", ORGANISATION),
    Column("counterparty", ORGANISATION),  # the receiving provider of a transfer
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
    # By when its panel answers, since the policy's newest decision referred it; null: no day is set
    Column("answer_by", Date),
    # What waits for somebody, and a page of a search by state, is one walk along one of these.
    Index("ix_request_provider_state", "provider", "state", "treatment_id"),
    Index("ix_request_commissioner_state", "commissioner", "state", "treatment_id"),
    Index("ix_request_counterparty_state", "counterparty", "state", "treatment_id"),
    Index("ix_request_panel_waiting", "panel", "state", "treatment_id", **PANELS),
    Index(
        "ix_request_panel_treatment",
        "panel",
        "treatment_id",
        postgresql_include=["provider", "commissioner", "counterparty"],
    ),
    # What was sent in a period under some versions, for the reports over requests.
    Index("ix_request_provider_sent", "provider", "policy_hash", "submitted_at"),
    Index("ix_request_commissioner_sent", "commissioner", "policy_hash", "submitted_at"),
    # What waits for a panel, in the order in which it is to be answered.
    Index("ix_request_panel_answer", "panel", "state", "answer_by", "submitted_at", "id", **PANELS),
    # Which panels were asked, as those see it who ask and who pay.
    Index("ix_request_commissioner_panel", "commissioner", "panel", **PANELS),
    Index("ix_request_provider_panel", "provider", "panel", **PANELS),
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

# What a provider attaches to a request. `content` is null once it was removed or erased; `shared`:
# its provider says that it names no patient, so that panel and payer may read it.
request_attachment = Table(
    "request_attachment",
    metadata,
    Column("id", ID, primary_key=True),
    Column("request_id", ID, ForeignKey("request.id"), nullable=False),
    Column("number", Integer, nullable=False),  # counts the request's attachments from 1
    Column("organisation", ORGANISATION, nullable=False),
    Column("title", String(80), nullable=False),
    Column("media_type", String(40), nullable=False),
    Column("size", Integer, nullable=False),  # bytes
    Column("sha256", String(64), nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("content", LargeBinary),
    Column("added_at", Instant, nullable=False),
    Column("added_by", ID, nullable=False),
    Column("removed_at", Instant),
    Column("removed_by", ID),
    Column("removed_why", Text),
    UniqueConstraint("request_id", "organisation", "number"),
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
    Column("agreed_with", ID),  # the member who had voted so before, where two must agree
    Column("doses_given", Document),  # what overturning an urgent start says of them; else null
    UniqueConstraint("request_id", "number"),
    # The minutes of a period are one walk along this.
    Index(
        "ix_decision_panel_decided",
        "decided_at",
        "request_id",
        postgresql_where=text("made_by = 'panel'"),
        sqlite_where=text("made_by = 'panel'"),
    ),
)

# What one member of a panel says where two must agree. `decision_id`: the decision that it and
# another's made; until then it is its organisation's own. A member's later vote replaces theirs.
panel_vote = Table(
    "panel_vote",
    metadata,
    Column("id", ID, primary_key=True),
    Column("request_id", ID, ForeignKey("request.id"), nullable=False),
    Column("number", Integer, nullable=False),  # counts the organisation's votes on it from 1
    Column("revision", Integer, nullable=False),  # the set of answers that it was made on
    Column("organisation", ORGANISATION, nullable=False),
    Column("outcome", String(10), nullable=False),  # approved | declined | overturned
    Column("waived", Document, nullable=False),
    Column("reason", Text, nullable=False),
    Column("interest", String(20)),
    Column("voted_at", Instant, nullable=False),
    Column("voted_by", ID, nullable=False),
    Column("decision_id", ID, ForeignKey("decision.id")),
    Column("doses_given", Document),  # of a vote to overturn: what it says of them
    UniqueConstraint("request_id", "organisation", "number"),
    Index("ix_panel_vote_voted", "organisation", "voted_at"),  # the minutes of a period
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
    # Of imported approvals alone.
    Index(
        "ix_approval_legacy",
        "legacy_reference",
        postgresql_where=text("legacy_reference IS NOT NULL"),
        sqlite_where=text("legacy_reference IS NOT NULL"),
    ),
    # What ends soon, and what lapses unless it begins, each in the order of its last days. With all
    # that row-level security asks for, so that it is read alone, and only as far as a page goes.
    *(
        Index(
            f"ix_approval_provider_{name}",
            *("provider", "state", day, "treatment_id"),
            postgresql_include=["commissioner", "id"],
        )
        for name, day in (("ending", "covers_to"), ("starting", "start_by"))
    ),
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
    # They hold what row-level security asks of a segment, so that a page of a search reads them
    # in order and never the table: without it PostgreSQL prefers to read all and sort.
    Index(
        "ix_segment_provider_treatment",
        "provider",
        "treatment_id",
        postgresql_include=["commissioner", "id"],
    ),
    Index(
        "ix_segment_commissioner_treatment",
        "commissioner",
        "treatment_id",
        postgresql_include=["provider", "id"],
    ),
)

# Who supplies which segment for its provider: `segment.supplying_providers`, to be looked up by.
# The segment's own instants stand beside it, since a supplier does not see a segment that is cut.
supply = Table(
    "supply",
    metadata,
    Column("segment_id", ID, ForeignKey("segment.id"), primary_key=True),
    Column("provider", ORGANISATION, primary_key=True),
    Column("treatment_id", ID, ForeignKey("treatment.id"), nullable=False),
    Column("recorded_at", Instant),
    Column("superseded_at", Instant),
    Index(
        "ix_supply_provider_treatment",
        "provider",
        "treatment_id",
        postgresql_include=["segment_id"],
    ),
    Index("ix_supply_treatment_id", "treatment_id"),
)

# Treatments whose answers were erased when their retention period was over.
retention_end = Table(
    "retention_end",
    metadata,
    Column("treatment_id", ID, ForeignKey("treatment.id"), primary_key=True),
    Column("ended_at", Instant, nullable=False),
    Column("kept_years", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
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
    # The open ones in the order in which they are listed; of all there ever were they are few.
    Index(
        "ix_draft_open",
        "organisation",
        "changed_at",
        "id",
        postgresql_where=text(OPEN_DRAFT),
        sqlite_where=text(OPEN_DRAFT),
    ),
)

# Answers to what a request waits for, or corrections of it, that were typed and not sent.
begun_answers = Table(
    "begun_answers",
    metadata,
    Column("request_id", ID, ForeignKey("request.id"), primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("form", Document, nullable=False),  # the fields of its page, as typed
    Column("changed_by", ID, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
)

# That another provider claimed a treatment, for the list of whom it is told to: the newest claim of
# each claimant. The log holds every one.
treatment_claim = Table(
    "treatment_claim",
    metadata,
    Column("treatment_id", ID, ForeignKey("treatment.id"), primary_key=True),
    Column("organisation", ORGANISATION, primary_key=True),  # who claims
    Column("provider", ORGANISATION, nullable=False),  # who held it then
    Column("at", Instant, nullable=False),
    # A list is one walk along it.
    Index("ix_treatment_claim_provider", "provider", "at", "treatment_id", "organisation"),
)

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
