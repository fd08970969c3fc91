"""What can go wrong in the database room. No message ever holds a value from a row."""


class UnsupportedDatabase(ValueError):
    """The database URL names something that the service does not run on."""


class UnsafeConnection(RuntimeError):
    """A new connection does not keep the promises (durability, foreign keys) that we rely on."""


class PooledConnection(UnsafeConnection):
    """A pooler of transactions stands before PostgreSQL, and the act needs a session of its own."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"A pooler stands between this machine and PostgreSQL, and {what} needs a session of "
            "its own: behind a pooler its lock and its settings would stay with whoever is served "
            "next. Nothing was done. Name PostgreSQL itself in ASSENT_DATABASE_URL, then run the "
            "command again."
        )


class NestedTransaction(RuntimeError):
    """A use case opened a second transaction inside its own; the first could not see it fail."""


class ReadOnlyWork(RuntimeError):
    """A read wrote a row, or drew an id or randomness, which only a write needs."""


class RequestIdReused(Exception):
    """The same X-Request-ID came again with another body."""

    def __init__(self) -> None:
        super().__init__(
            "This X-Request-ID was already used for a different request. "
            "Nothing was saved. Send the new request with a new X-Request-ID."
        )


class AnswerForgotten(Exception):
    """A write came again so late that its answer is no longer kept."""

    def __init__(self) -> None:
        super().__init__(
            "A request with this X-Request-ID was carried out, so long ago that its answer is no "
            "longer kept. Nothing was done again. Read the object, or search for it; send a new "
            "request with a new X-Request-ID."
        )


class InvalidRequestId(ValueError):
    """The X-Request-ID, or another part of an idempotency key, is empty or too long."""


class JobNotHeld(Exception):
    """A worker reported on a job whose lease it no longer holds."""

    def __init__(self) -> None:
        super().__init__(
            "This job's lease has passed to another worker or has ended. "
            "Drop the work: the other worker will finish it."
        )


class UpgradeBlocked(RuntimeError):
    """Another transaction holds a table that the upgrade has to change, or keeps an index open."""

    def __init__(self, reached: str | None) -> None:
        super().__init__(
            "Another transaction held a table for too long, so the upgrade gave up. The database "
            f"is at {reached or 'no revision yet'}: what was applied stays, and nothing of the "
            "next revision was changed (an index that it had begun is dropped and made anew). "
            "While it waited for a table, calls queued behind it. End the long transaction (SELECT "
            "pid, xact_start, query FROM pg_stat_activity ORDER BY xact_start), then upgrade again."
        )


class ParameterRefused(RuntimeError):
    """The tables' owner may not set the parameter that row-level security goes by."""

    def __init__(self, owner: str, reached: str | None) -> None:
        super().__init__(
            f"The database role {owner} may not set the parameter app.organisation, by which "
            "PostgreSQL keeps one organisation's rows from another. The upgrade stopped at "
            f"{reached or 'no revision yet'}. Let the role, once, as a superuser of the same "
            f'database server: GRANT SET ON PARAMETER "app.organisation" TO {owner}; then upgrade '
            "again: it goes on from there."
        )


class MigrationsMissing(RuntimeError):
    """The folder with the schema's history is not where the service looks for it."""


class RoleNotSafe(Exception):
    """The database role is no wall between organisations."""
