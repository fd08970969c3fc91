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
LARGEST: Final = 64 * 1024
SECONDS: Final = 5.0

Fetch = Callable[[str], bytes]


@dataclass(slots=True)
class KeySets:
    """The key sets that were read lately, by address. Shared by threads."""

    fetch: Fetch = field(default_factory=lambda: _fetch)
    _held: dict[str, tuple[dt.datetime, dict[str, dict[str, Any]]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, url: str, kid: str, now: dt.datetime) -> Mapping[str, Any] | None:
        """The key of that id in the set at an address; None when it has none, or cannot be read."""
        with self._lock:
            held = self._held.get(url)
            fresh = held is not None and now - held[0] < (KEPT if kid in held[1] else PAUSE)
            if not fresh:
                read = self._read(url)
                held = (now, read if read is not None else {} if held is None else held[1])
                self._held[url] = held
            return None if held is None else held[1].get(kid)

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
