"""What can go wrong with the audit log."""


class UnauditableValue(TypeError):
    """A payload holds a value with no single exact text, such as a float."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"An audit payload holds a {kind}, which has no single exact text. "
            "Use str, int, Decimal, bool, date, datetime, None, and dicts and lists of them."
        )


class InvalidCursor(ValueError):
    """The change feed's cursor is not one that the feed gave out."""

    def __init__(self) -> None:
        super().__init__(
            "This cursor was not given out by the change feed. "
            "Send the cursor of the last page unchanged, or none to start from the beginning."
        )
