"""What can go wrong when a submission is read and reconciled. No message holds patient data."""


class ReconciliationError(Exception):
    """Base of every error of this room."""


class UnreadableSubmission(ReconciliationError):
    """The file as a whole cannot be read: `what` is wrong, `why`, and what to do `next`."""

    def __init__(self, what: str, why: str, next: str) -> None:
        super().__init__(f"{what}: {why}. {next}.")
        self.what = what
        self.why = why
        self.next = next


class SubmissionTooLarge(UnreadableSubmission):
    """The file is larger than what is read at a time."""


class TotalsDoNotTie(ReconciliationError):
    """The parts do not add up to the whole: a fault of the service, never of the file."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(
            f"{what}: expected {expected}, found {found}. Nothing was saved. "
            "Report this as a fault of the service, with the submission's SHA-256."
        )
        self.what = what


class LayoutFault(ReconciliationError):
    """A layout file is wrong: names the file and what to mend in it."""

    def __init__(self, file: str, what: str, mend: str) -> None:
        super().__init__(f"{file}: {what}. {mend}.")
        self.file = file


class EngineRanOut(ReconciliationError):
    """The engine had too little memory or room on the disk; nothing was kept."""

    def __init__(self, of: str) -> None:
        super().__init__(
            f"The reconciliation ran out of {of}. Nothing was saved, and it can be run again: give "
            "it more with ASSENT_RECONCILIATION_MEMORY, make room on the disk of ASSENT_DATA_DIR, "
            "or send each month as a file of its own."
        )
        self.of = of


class TooManyLines(ReconciliationError):
    """What was asked for is not made of so many lines."""

    def __init__(self, lines: int, what: str, instead: str) -> None:
        super().__init__(f"The file has {lines:,} lines, too many {what}. {instead}.")


class EnginesDisagree(ReconciliationError):
    """The SQL decided some lines otherwise than the plain functions: a fault of ours."""

    def __init__(self, lines: int) -> None:
        super().__init__(
            f"The engine gives {lines} line(s) another outcome or amount than the rules do. This "
            "is a fault in the program and nothing was saved: run it with the plain engine and "
            "report the fault."
        )


class SparkUnavailable(ReconciliationError):
    """Spark was asked for and cannot be used here."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The Spark engine cannot be used: {why}. Mend that, or choose the plain or the DuckDB "
            "engine, which give the same."
        )


class SparkFailed(ReconciliationError):
    """Spark failed in a step. The error's own text is left out: it may quote a patient's values."""

    def __init__(self, step: str, condition: str) -> None:
        super().__init__(
            f"Spark failed in the step {step} ({condition}). Nothing was saved: run it again, or "
            "with the DuckDB engine."
        )


class StoredFileDamaged(ReconciliationError):
    """A file of the service's own store is missing or altered."""

    def __init__(self, how: str) -> None:
        super().__init__(
            f"A stored file is {how}. Restore it from the backup; nothing was changed."
        )


class StoredFileEnded(StoredFileDamaged):
    """A file's period is over, and it was erased as the operator wants it."""

    def __init__(self) -> None:
        super(StoredFileDamaged, self).__init__(
            "The period for which these lines are kept is over, and they were erased. Totals, "
            "challenges and approvals stay; nothing can be matched or corrected again."
        )


class NotYourSubmission(ReconciliationError):
    """A provider may reconcile only lines of its own."""

    def __init__(self, rows: int) -> None:
        super().__init__(
            f"{rows} line(s) of this file name another provider. Your organisation may reconcile "
            "its own lines only: take the others out and upload the file again."
        )


class RunNotFound(ReconciliationError):
    """No such submission or run is visible to the caller's organisation."""

    def __init__(self, what: str) -> None:
        super().__init__(f"No such {what} is visible to your organisation. Check the id.")


class StepNotPossible(ReconciliationError):
    """A challenge or a decision by hand cannot take that step now."""


class RowsNotKept(ReconciliationError):
    """The rows of a large file, as this release reads them, are not beside it."""

    def __init__(self) -> None:
        super().__init__(
            "The rows of this file are not kept as this release reads them, and the file is too "
            "large to be read anew while you wait. Reconcile the submission again: that keeps them."
        )


class ExportTooLarge(ReconciliationError):
    """A workbook is not made of so many lines."""

    def __init__(self, lines: int, most: int) -> None:
        super().__init__(
            f"The run has {lines:,} lines, and a workbook is made of at most {most:,}. Export the "
            "run as CSV or Parquet, or send each month as a file of its own."
        )


class ExportNotWritten(ReconciliationError):
    """The export of a large run is written by the worker, and was not within a day."""

    def __init__(self, lines: int, format: str) -> None:
        super().__init__(
            f"The run has {lines:,} lines, so its export is written by the worker and kept for a "
            f"day, and none as {format} lies ready. Ask for it with POST /v1/runs/{{run}}/exports "
            "or on the run's page, and fetch it once its job is done."
        )


class SettingNotAccepted(ReconciliationError):
    """A calendar or a file of stated totals has a row that cannot be read; nothing was set."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(f"Row {row} below the header: {why}. Mend it; nothing was set.")


class TermsNotAccepted(ReconciliationError):
    """A file of terms has faults; nothing of it was loaded."""

    def __init__(self, faults: list[str]) -> None:
        shown = "; ".join(faults[:20])
        more = f"; and {len(faults) - 20} more" if len(faults) > 20 else ""
        super().__init__(f"Nothing was loaded: {shown}{more}. Correct the file and load it again.")


class SpellingNotAccepted(ReconciliationError):
    """A name cannot be taken for a drug as asked."""


class SpellingNotFound(ReconciliationError):
    """No such spelling is visible to the caller's organisation."""

    def __init__(self) -> None:
        super().__init__("No such spelling is visible to your organisation. Check the id.")


class StillPrepared(Exception):
    """Whom a pseudonym names is not kept yet, and nobody waits for comparing everybody."""
