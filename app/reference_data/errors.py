"""What can go wrong when reference data is read or looked up."""


class InvalidNhsNumber(ValueError):
    """The text is not a usable NHS number.

    `reason` says why and what to do next; it never holds the number itself.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ReferenceDataFault(Exception):
    """A packaged reference file breaks its own rules: file, row and mend are named."""

    def __init__(self, file: str, row: int | None, what: str, mend: str) -> None:
        where = file if row is None else f"{file}, data row {row}"
        super().__init__(f"{where}: {what}. {mend}")
        self.file = file
        self.row = row
        self.what = what
        self.mend = mend
