"""The only module that reads the clock or draws randomness; the doors call it and pass values in.

Every rule, service and store takes instants, days and ids as arguments, so that any decision can
be replayed. `ruff` bans the calls below everywhere else.
"""

import datetime as dt
import secrets
import uuid
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


def now() -> dt.datetime:
    """The current instant, in UTC."""
    return dt.datetime.now(dt.UTC)


def london_day(instant: dt.datetime) -> dt.date:
    """The Europe/London calendar day on which an instant falls."""
    return instant.astimezone(LONDON).date()


def london_midnight(day: dt.date) -> dt.datetime:
    """The instant, in UTC, at which a Europe/London calendar day begins."""
    return dt.datetime.combine(day, dt.time.min, LONDON).astimezone(dt.UTC)


def new_id() -> str:
    """A fresh random identifier (UUID version 4, as text)."""
    return str(uuid.uuid4())


def random_bytes(count: int) -> bytes:
    """Cryptographically secure random bytes, for references, tokens and digests' salts."""
    return secrets.token_bytes(count)
