"""How long a caller asks again, and what is said when nobody answers.

A machine that is busy with other work answers late, and a service that hangs never does. Both look
the same to a caller, so each long wait is looked into (`diagnosis`): a hang ends the wait at once,
anything else at LONGEST_SECONDS.
"""

import http.client
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults.ledger import Reply

#: A wait is looked into after these seconds, again after as many, and so on.
LOOK_SECONDS = 60.0
#: A wait that hangs ends then; one that is only slow at the latter.
PATIENCE_SECONDS, LONGEST_SECONDS = 300.0, 1200.0
#: How soon a call is sent again, and a call that has failed several times.
SOON_SECONDS, LATER_SECONDS = 0.025, 0.4


@dataclass(frozen=True)
class Diagnosis:
    """What a look into a wait found: the verdict in a line, and what shows it."""

    verdict: str
    hangs: bool
    evidence: str = ""

    def __str__(self) -> str:
        return f"{self.verdict}\n{self.evidence}".rstrip()


def _not_looked_into() -> Diagnosis:
    return Diagnosis("nobody looked into it", hangs=True)


class Unanswered(TimeoutError):
    """A call that nobody answered, with what was waiting for what."""


@dataclass
class Wait:
    """A call that is not answered yet, and what its attempts came to."""

    what: str
    since: float
    attempts: Counter[str] = field(default_factory=Counter)

    def words(self, now: float) -> str:
        """The call, how long it has waited, and each outcome with its number."""
        came = ", ".join(f"{n} × {outcome}" for outcome, n in self.attempts.most_common())
        return f"{self.what} waits {now - self.since:.0f} s ({came or 'no attempt is back'})"


class Patience:
    """Asks again for its callers. Safe to use from several threads."""

    def __init__(
        self,
        count: Callable[[str], None],
        diagnose: Callable[[], Diagnosis] = _not_looked_into,
        tell: Callable[[str], None] = lambda _: None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._count, self._diagnose, self._tell = count, diagnose, tell
        self._now, self._sleep = now, sleep
        self._numbers = itertools.count()
        self._waits: dict[int, Wait] = {}
        self._looking = threading.Lock()
        self._looked = -LOOK_SECONDS
        self._ended = threading.Event()

    def end(self) -> None:
        """Let every caller give up at its next failure: nobody is to be waited for any more."""
        self._ended.set()

    def waiting(self) -> list[str]:
        """Every call that is not answered yet, in words, the longest wait first."""
        now = self._now()
        waits = sorted(list(self._waits.values()), key=lambda wait: wait.since)
        return [wait.words(now) for wait in waits]

    def until_answered(
        self,
        what: str,
        attempt: Callable[[], Reply],
        gives_up: Callable[[], bool] = lambda: False,
    ) -> Reply | None:
        """The first answer that is no failure of the service; None when given up.

        Raises Unanswered when the service hangs, or is slower than anybody waits.
        """
        with self._wait(what) as wait:
            looks = 1
            while not self._ended.is_set():
                reply, sent = self._try(attempt, wait)
                if reply is not None:
                    return reply
                if sent and gives_up():
                    return None
                waited = self._now() - wait.since
                if waited >= looks * LOOK_SECONDS:
                    looks = int(waited // LOOK_SECONDS) + 1
                    self._look_into(wait, waited)
                self._sleep(min(SOON_SECONDS * 2 ** min(wait.attempts.total(), 4), LATER_SECONDS))
        return None

    @contextmanager
    def _wait(self, what: str) -> Iterator[Wait]:
        number, wait = next(self._numbers), Wait(what, self._now())
        self._waits[number] = wait
        try:
            yield wait
        finally:
            del self._waits[number]

    def _try(self, attempt: Callable[[], Reply], wait: Wait) -> tuple[Reply | None, bool]:
        """An answer if there is one, and whether the call may have arrived."""
        try:
            reply = attempt()
            if reply.status < 500 and reply.status != 429:
                return reply, True
            counted, outcome = "failures answered", f"answered {reply.status}"
        except ConnectionRefusedError:  # nothing was sent, so there is nothing to doubt
            counted, outcome = "not reached", "not reached"
        except (OSError, http.client.HTTPException) as error:
            counted, outcome = "failures unanswered", type(error).__name__
        self._count(counted)
        wait.attempts[outcome] += 1
        return None, counted != "not reached"

    def _look_into(self, wait: Wait, waited: float) -> None:
        """One look serves every caller that waits at the time; the verdict may end this wait."""
        last = waited >= PATIENCE_SECONDS
        with self._looking:
            if not last and self._now() - self._looked < LOOK_SECONDS:
                return
            found = self._diagnose()
            self._looked = self._now()
        self._tell(f"{wait.words(self._now())}: {found}")
        if waited >= LONGEST_SECONDS or (last and found.hangs):
            raise Unanswered(f"{wait.words(self._now())}: {found}")
