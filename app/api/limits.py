"""How many calls a client may make a minute, over every serving process together.

A process lets a client's calls through and settles them in the client's shared bucket, one short
transaction for every fiftieth of a minute's calls. A process that was told that the bucket is empty
refuses by itself until there is a call again.
"""

import datetime as dt
import threading
from dataclasses import dataclass, field
from typing import Final

from app.auth.rates import PARTS, Bucket, draw, settle
from app.door import Door
from app.problems import TOO_MANY_REQUESTS, DoorProblem

#: Clients remembered; the least lately seen goes first, so that inventing names fills no memory.
MOST: Final = 10_000
#: A minute's calls are settled in this many parts, so each process may let a fiftieth too many by.
SETTLEMENTS: Final = 50


@dataclass(slots=True)
class _Seen:
    unsettled: int = 0
    refused_until: dt.datetime | None = None


@dataclass(slots=True)
class Limits:
    """What one process knows of its callers. Without a door it counts for itself alone."""

    per_minute: int
    door: Door | None = None
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _alone: dict[str, Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, who: str, now: dt.datetime, per_minute: int | None = None) -> None:
        """Count a call. Raises DoorProblem 429, with Retry-After, when there are too many."""
        rate = per_minute or self.per_minute
        used = self._count(who, now, rate)
        if not used:
            return
        wait = self._settle(who, used, rate, now)
        if wait:
            with self._lock:
                self._of(who).refused_until = now + dt.timedelta(seconds=wait)
            raise _too_many(rate, wait)

    def _count(self, who: str, now: dt.datetime, rate: int) -> int:
        """Count a call here; how many are to be settled with it, 0 for none yet."""
        with self._lock:
            seen = self._of(who)
            if seen.refused_until is not None and seen.refused_until > now:
                raise _too_many(rate, int((seen.refused_until - now).total_seconds()) + 1)
            seen.refused_until = None
            seen.unsettled += 1
            if seen.unsettled < max(rate // SETTLEMENTS, 1):
                return 0
            used, seen.unsettled = seen.unsettled, 0
            return used

    def _of(self, who: str) -> _Seen:
        seen = self._seen.pop(who, None) or _Seen()
        self._seen[who] = seen
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]
        return seen

    def _settle(self, who: str, used: int, rate: int, now: dt.datetime) -> int:
        if self.door is not None:
            return self.door.transact(lambda work: settle(work, who, used, rate))
        with self._lock:
            bucket = self._alone.get(who) or Bucket(rate * PARTS, now)
            self._alone[who], wait = draw(bucket, used, rate, now)
            return wait


def _too_many(rate: int, seconds: int) -> DoorProblem:
    return DoorProblem(
        TOO_MANY_REQUESTS,
        f"Over {rate} calls a minute. Wait {seconds} seconds, then send the same call "
        "again with the same X-Request-ID.",
        headers={"Retry-After": str(seconds)},
    )
