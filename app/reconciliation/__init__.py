"""Reconciliation: submissions read, matched against approvals, summed up and returned."""

from app.reconciliation.classify import classify
from app.reconciliation.engines.plain import match_submission
from app.reconciliation.errors import (
    LayoutFault,
    ReconciliationError,
    SubmissionTooLarge,
    TotalsDoNotTie,
    UnreadableSubmission,
)
from app.reconciliation.intake import read_submission
from app.reconciliation.model import (
    ContractLine,
    Coverage,
    FieldFault,
    LineKind,
    LineOutcome,
    MatchedLine,
    PendingRequest,
    PolicyHeld,
    Skipped,
    Snapshot,
    Submission,
    Test,
    TestResult,
)
from app.reconciliation.report import as_csv, as_json, as_text
from app.reconciliation.returned import bare_file, encoding_of, returned_file
from app.reconciliation.summary import Bucket, Summary, summarise

__all__ = [
    "Bucket",
    "ContractLine",
    "Coverage",
    "FieldFault",
    "LayoutFault",
    "LineKind",
    "LineOutcome",
    "MatchedLine",
    "PendingRequest",
    "PolicyHeld",
    "ReconciliationError",
    "Skipped",
    "Snapshot",
    "Submission",
    "SubmissionTooLarge",
    "Summary",
    "Test",
    "TestResult",
    "TotalsDoNotTie",
    "UnreadableSubmission",
    "as_csv",
    "as_json",
    "as_text",
    "bare_file",
    "classify",
    "encoding_of",
    "match_submission",
    "read_submission",
    "returned_file",
    "summarise",
]
