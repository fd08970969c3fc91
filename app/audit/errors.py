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


class SealRefused(Exception):
    """A row of the log is not as it should be, so no seal may bless it."""

    def __init__(self, event_id: int, what: str) -> None:
        self.event_id = event_id
        super().__init__(
            f"Row {event_id} of the audit log {what}, so the log was not sealed. Run 'assent audit "
            "verify', find out who wrote to the database, then seal with --despite and the reason."
        )


class EpochNotOpened(ValueError):
    """An epoch is opened without a reason."""

    def __init__(self) -> None:
        super().__init__(
            "A new epoch needs its reason, such as which backup was restored and when. Give it."
        )


class CheckpointUnreadable(ValueError):
    """A checkpoint is not one that this service wrote."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(
            f"The checkpoint at {place} {why}. Compare it with another copy of the checkpoints."
        )
