"""The audit trail on pages: of one request or one patient, and how the log itself stands."""
