"""What the auth room refuses. No message carries a token or patient data."""


class AuthError(Exception):
    """A refusal of this room. The doors translate each kind in one table (`app/problems.py`)."""


class NotSignedIn(AuthError):
    """Nobody, or nobody known, is calling."""

    def __init__(
        self,
        message: str = "The call carries no valid token. Send 'Authorization: Bearer <token>' "
        "with a token that your service administrator registered and has not revoked.",
    ) -> None:
        super().__init__(message)


class NotAllowed(AuthError):
    """The caller is known and may not do this: what was asked, why not, what to do next.

    All three are words of the code. `who`: our id of the caller, where only the raiser knows it.
    """

    def __init__(self, action: str, why: str, next: str, who: str = "") -> None:
        self.who = who
        self.action = action
        self.why = why
        self.next = next
        super().__init__(f"You may not {action}: {why}. {next}")


class CallerNotAccepted(AuthError):
    """A caller cannot be registered as described."""


class AssertionRefused(AuthError):
    """A client's signed assertion is not taken, so no token is given.

    `error` is OAuth's own word for it (RFC 6749, section 5.2).
    """

    def __init__(self, why: str, error: str = "invalid_client") -> None:
        self.error = error
        super().__init__(f"No token is given: {why}")
