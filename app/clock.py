"""The only module that reads the clock or draws randomness; the doors call it and pass values in.

Every rule, service and store takes instants, days and ids as arguments, so that any decision can
be replayed. `ruff` bans the calls below everywhere else.
"""

import datetime as dt
import secrets
import time
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
    """A fresh identifier (UUID version 7, RFC 9562, as text): 48 bits of time, 74 random bits.

    Identifiers of one moment lie side by side in every index, so that a write touches a few of
    its pages instead of one for each row. Nothing rests on nobody guessing one.
    """
    drawn = int.from_bytes(secrets.token_bytes(10), "big")
    high, low = drawn >> 64 & 0x0FFF, drawn & 0x3FFF_FFFF_FFFF_FFFF
    value = time.time_ns() // 1_000_000 << 80 | 7 << 76 | high << 64 | 2 << 62 | low
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def random_bytes(count: int) -> bytes:
    """Cryptographically secure random bytes, for references, tokens and digests' salts."""
    return secrets.token_bytes(count)
