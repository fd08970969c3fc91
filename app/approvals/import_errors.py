"""What importing existing approvals refuses as a whole file; single rows get a verdict instead.

Messages name rows and columns and never hold a cell's content: a shifted cell may be anything.
"""

from app.approvals.errors import ApprovalsError


class ImportNotAccepted(ApprovalsError):
    """A file of existing approvals cannot be taken in. Every kind below is one of these."""


class ImportNotReadable(ImportNotAccepted):
    """The bytes are not a CSV file, or break its rules."""


class ImportTooLarge(ImportNotAccepted):
    """The file holds more rows than one import takes."""


class ImportColumnsNotKnown(ImportNotAccepted):
    """No row is recognised as the header, or columns that an approval needs are missing."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        super().__init__(
            "The file has no column that is known to hold: "
            f"{', '.join(columns)}. Name the columns in its header row as "
            "app/approvals/data/import_headers.yaml lists them, and send it again."
        )


class ImportColumnsAmbiguous(ImportNotAccepted):
    """Two columns claim to hold the same thing, and which one is right cannot be told."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        super().__init__(
            f"More than one column could hold: {', '.join(columns)}. Leave one of each in the "
            "file, and send it again."
        )
