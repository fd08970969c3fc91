"""What the clients were told: the harness holds the database to it."""

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Call:
    """One write as a client sends it, and sends it again, with the same X-Request-ID."""

    what: str  # initiation | amendment | first dose | stop | claim | submission
    path: str
    body: bytes
    token: str
    request_id: str
    version: int | None = None
    media_type: str = "application/json"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Kept:
    """A call that was answered with success."""

    call: Call
    reply: Reply


@dataclass
class Ledger:
    """Every outcome that a client saw. Safe to use from several threads."""

    acknowledged: dict[str, Kept] = field(default_factory=dict)
    refused: dict[str, tuple[str, int, bytes]] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)
    differing: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, call: Call, reply: Reply) -> None:
        """Note an acknowledgement; one that differs from an earlier one of its id is noted too."""
        with self._lock:
            known = self.acknowledged.setdefault(call.request_id, Kept(call, reply))
            if known.reply != reply:
                self.differing.append(call.request_id)

    def refuse(self, call: Call, reply: Reply) -> None:
        """Note an answer in the four hundreds."""
        with self._lock:
            self.refused[call.request_id] = (call.what, reply.status, reply.body)

    def abandon(self, call: Call) -> None:
        """Note that the client gave up: it does not know what became of the call."""
        with self._lock:
            self.abandoned.add(call.request_id)

    def count(self, what: str) -> None:
        """Count an event for the table."""
        with self._lock:
            self.counts[what] += 1

    def copy(self) -> "Ledger":
        """What is known now. Taken before the database is read, so all of it must be there."""
        with self._lock:
            return Ledger(
                dict(self.acknowledged),
                dict(self.refused),
                set(self.abandoned),
                list(self.differing),
                Counter(self.counts),
            )
