"""Every table, once, for SQLite and PostgreSQL.

Unique keys include the organisation wherever a clash would tell one organisation about another's
values. Nothing here is deleted in use: rows are superseded, ended or marked in error.
"""

from app.db.tables.approvals import (
    approval,
    approval_import,
    decision,
    draft,
    live_treatment,
    request,
    request_override,
    request_revision,
    segment,
    supply,
    treatment,
)
from app.db.tables.audit import (
    audit_epoch,
    audit_event,
    audit_payload,
    audit_seal,
)
from app.db.tables.base import metadata
from app.db.tables.books import (
    idempotent_answer,
    job,
)
from app.db.tables.callers import (
    access_token,
    administration_proposal,
    caller,
    client,
    client_assertion,
    client_key,
    logout_token,
    organisation_setting,
    person,
    person_role,
    rate_bucket,
    session,
    sign_in,
)
from app.db.tables.challenges import (
    challenge,
    challenge_line,
    line_decision,
)
from app.db.tables.insight import insight_figure
from app.db.tables.linkage import linkage_proposal, linkage_search
from app.db.tables.patients import (
    break_glass,
    care_declaration,
    patient,
    patient_death,
    patient_identifier,
    patient_link,
    patient_objection,
)
from app.db.tables.policies import (
    adoption,
    notice_lift,
    policy_overlay,
    policy_version,
    publication,
    safety_notice,
)
from app.db.tables.reconciliation import (
    contract_month,
    monitoring_figure,
    reconciliation_run,
    slice_correction,
    slice_head,
    slice_outcome,
    slice_version,
    submission,
    submission_rows,
)
from app.db.tables.terms import agreed_price, contract_term, drug_spelling, responsible_payer

__all__ = [
    "access_token",
    "administration_proposal",
    "adoption",
    "agreed_price",
    "approval",
    "approval_import",
    "audit_epoch",
    "audit_event",
    "audit_payload",
    "audit_seal",
    "break_glass",
    "caller",
    "care_declaration",
    "challenge",
    "challenge_line",
    "client",
    "client_assertion",
    "client_key",
    "contract_month",
    "contract_term",
    "decision",
    "draft",
    "drug_spelling",
    "idempotent_answer",
    "insight_figure",
    "job",
    "line_decision",
    "linkage_proposal",
    "linkage_search",
    "live_treatment",
    "logout_token",
    "metadata",
    "monitoring_figure",
    "notice_lift",
    "organisation_setting",
    "patient",
    "patient_death",
    "patient_identifier",
    "patient_link",
    "patient_objection",
    "person",
    "person_role",
    "policy_overlay",
    "policy_version",
    "publication",
    "rate_bucket",
    "reconciliation_run",
    "request",
    "request_override",
    "request_revision",
    "responsible_payer",
    "safety_notice",
    "segment",
    "session",
    "sign_in",
    "slice_correction",
    "slice_head",
    "slice_outcome",
    "slice_version",
    "submission",
    "submission_rows",
    "supply",
    "treatment",
]
