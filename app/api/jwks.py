"""A client's keys from its own address: fetched over HTTPS, small, briefly kept.

Only an administrator registers such an address. No redirect is followed, so that the address that
was registered is the one that is read.
"""

import datetime as dt
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import structlog

log = structlog.stdlib.get_logger("assent.http")

KEPT: Final = dt.timedelta(minutes=5)
#: An unknown key may be a new one: look again, but not at every call.
PAUSE: Final = dt.timedelta(seconds=30)
#: For so long a set that cannot be read any more is still relied on.
LONGEST: Final = dt.timedelta(hours=1)
LARGEST: Final = 64 * 1024
SECONDS: Final = 5.0

Fetch = Callable[[str], bytes]


@dataclass(slots=True)
class _Held:
    """A key set as it was read last. Its lock is held by whoever reads it again."""

    keys: dict[str, dict[str, Any]] | None = None
    read_at: dt.datetime | None = None
    tried_at: dt.datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, kid: str, now: dt.datetime) -> bool:
        """Whether to read it: long ago, or not known to have this key and not asked just now."""
        wait = KEPT if kid in self.usable(now) else PAUSE
        return self.tried_at is None or now - self.tried_at >= wait

    def usable(self, now: dt.datetime) -> dict[str, dict[str, Any]]:
        """The keys, unless it could not be read for so long that they may have been withdrawn."""
        recent = self.read_at is not None and now - self.read_at < LONGEST
        return self.keys if recent and self.keys is not None else {}


@dataclass(slots=True)
class KeySets:
    """The key sets that were read lately, by address. Shared by threads.

    One thread reads an address at a time, so a host that answers slowly holds up one thread and no
    other client: meanwhile its own calls are checked against the set as it was read last.
    """

    fetch: Fetch = field(default_factory=lambda: _fetch)
    _held: dict[str, _Held] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, url: str, kid: str, now: dt.datetime) -> Mapping[str, Any] | None:
        """The key of that id in the set at an address; None when it has none, or cannot be read.

        A key that was taken out of the set signs for KEPT longer at most; where the set cannot be
        read, for LONGEST.
        """
        with self._lock:
            held = self._held.setdefault(url, _Held())
        if held.due(kid, now) and held.lock.acquire(timeout=0 if held.usable(now) else SECONDS):
            try:
                if held.due(kid, now):  # not read by another while we waited
                    read = self._read(url)
                    held.tried_at = now
                    if read is not None:
                        held.keys, held.read_at = read, now
            finally:
                held.lock.release()
        return held.usable(now).get(kid)

    def _read(self, url: str) -> dict[str, dict[str, Any]] | None:
        try:
            found = json.loads(self.fetch(url))
            return {str(key["kid"]): dict(key) for key in found["keys"] if "kid" in key}
        except (httpx.HTTPError, ValueError, KeyError, TypeError, RecursionError) as error:
            log.warning("key set not read", error=type(error).__qualname__)
            return None


def _fetch(url: str) -> bytes:
    with httpx.stream("GET", url, timeout=SECONDS, follow_redirects=False) as reply:
        reply.raise_for_status()
        body = b""
        for part in reply.iter_bytes():
            body += part
            if len(body) > LARGEST:
                raise ValueError("the key set is too large")
        return body
