"""How many calls a client may make: a bucket for each, refilled steadily, in this process.

Each serving process counts by itself: with four of them a client gets up to four times its rate.
That keeps one client from starving the others, which is what the limit is for; it is not a quota.
"""

import datetime as dt
import threading
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from app.problems import TOO_MANY_REQUESTS, DoorProblem

#: Buckets kept; the least lately used one goes first, so that inventing names fills no memory.
MOST: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: dt.datetime


@dataclass(slots=True)
class Limits:
    """The buckets of one process. A client may use a minute's calls at once."""

    per_minute: int
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, who: str, now: dt.datetime, per_minute: int | None = None) -> None:
        """Count a call. Raises DoorProblem 429, with Retry-After, when there are too many."""
        rate = per_minute or self.per_minute
        with self._lock:
            bucket = self._buckets.pop(who, None) or _Bucket(float(rate), now)
            passed = max((now - bucket.at).total_seconds(), 0.0)
            bucket.tokens = min(bucket.tokens + passed * rate / 60, float(rate))
            bucket.at = now
            short = 1 - bucket.tokens
            if short <= 0:
                bucket.tokens -= 1
            self._buckets[who] = bucket
            if len(self._buckets) > MOST:
                del self._buckets[next(iter(self._buckets))]
        if short > 0:
            seconds = max(ceil(short * 60 / rate), 1)
            raise DoorProblem(
                TOO_MANY_REQUESTS,
                f"Over {rate} calls a minute. Wait {seconds} seconds, then send the same call "
                "again with the same X-Request-ID.",
                headers={"Retry-After": str(seconds)},
            )
