"""What waits for what: stacks and processor time of the service, and PostgreSQL's sessions.

Starvation is told from a hang by what happens while somebody looks. A process that is starved
waits for a processor (`/proc/PID/task/*/schedstat`) or computes; one that hangs does neither, and
nobody is answered.
"""

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from app.db.engine import make_engine
from tests.faults.patience import Diagnosis

LOOKS, PAUSE_SECONDS = 10, 0.5
#: Processes that together ran, or waited for a processor, for less than this did nothing.
BUSY_SECONDS = 0.1
_SESSIONS = sa.text(
    "SELECT pid, usename, state, wait_event_type, wait_event, pg_blocking_pids(pid) AS blocked_by, "
    "round(extract(epoch FROM clock_timestamp() - xact_start)::numeric, 1) AS transaction_seconds, "
    "round(extract(epoch FROM clock_timestamp() - state_change)::numeric, 1) AS state_seconds, "
    "left(regexp_replace(query, '\\s+', ' ', 'g'), 300) AS statement FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY xact_start"
)


@dataclass(frozen=True)
class Times:
    """Seconds that a thread, or several, ran, and that they were ready and waited to run."""

    ran: float = 0.0
    waited: float = 0.0

    def __add__(self, other: "Times") -> "Times":
        return Times(self.ran + other.ran, self.waited + other.waited)


class Watched:
    """Processes by name, and how their threads' seconds go while somebody looks."""

    def __init__(self, processes: Mapping[str, Sequence[int]]) -> None:
        self._processes = processes
        self._before = {name: self._threads(name) for name in processes}
        self._on_disk: Counter[str] = Counter()

    def look(self) -> None:
        """Note who waits for a disk at this moment."""
        for name in self._processes:
            if any(state == "D" for _, state in self._threads(name).values()):
                self._on_disk[name] += 1

    def words(self, looks: int) -> list[str]:
        """What each process did since the beginning, in words."""
        return [
            f"{name}: ran {had.ran:.2f} s, waited {had.waited:.2f} s for a processor, "
            f"for a disk at {self._on_disk[name]} of {looks} looks"
            if self._threads(name)
            else f"{name}: gone"
            for name, had in ((name, self._since(name)) for name in self._processes)
        ]

    def busy(self) -> bool:
        """Whether any ran, waited for a processor or a disk, or is gone and will be replaced."""
        had = [self._since(name) for name in self._processes]
        gone = not all(self._threads(name) for name in self._processes)
        return gone or bool(self._on_disk) or any(t.ran + t.waited > BUSY_SECONDS for t in had)

    def _since(self, name: str) -> Times:
        """What came since the beginning, of threads that are still there."""
        total = Times()
        for task, (now, _) in self._threads(name).items():
            before, _ = self._before[name].get(task, (Times(), ""))
            total += Times(now.ran - before.ran, now.waited - before.waited)
        return total

    def _threads(self, name: str) -> dict[str, tuple[Times, str]]:
        return {
            task.name: known
            for pid in self._processes[name]
            for task in tasks(pid)
            if (known := times_and_state(task)) is not None
        }


def tasks(pid: int) -> list[Path]:
    """The threads of a process, none when it is gone."""
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def times_and_state(task: Path) -> tuple[Times, str] | None:
    """A thread's seconds so far and its state's letter; None when it has ended."""
    try:
        ran, waited, _ = (task / "schedstat").read_text().split()
        state = (task / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else (Times(int(ran) / 1e9, int(waited) / 1e9), state)


def look(
    processes: Mapping[str, Sequence[int]],
    answered: Callable[[], int],
    waiting: Callable[[], list[str]],
    pids: Sequence[int],
    stacks: Path,
    owner_url: str | None,
    sleep: Callable[[float], None] = time.sleep,
) -> Diagnosis:
    """Watch for five seconds, and say who was waiting for what.

    `processes` by name; `answered` counts the acknowledgements so far; `stacks` is the file to
    which those of `pids` write their stacks at SIGUSR1; `owner_url` names a PostgreSQL database.
    """
    watched, replies = Watched(processes), answered()
    for _ in range(LOOKS):
        sleep(PAUSE_SECONDS)
        watched.look()
    replies, busy = answered() - replies, watched.busy()
    evidence = [
        f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; in the "
        f"{LOOKS * PAUSE_SECONDS:.0f} s of the look:",
        *watched.words(LOOKS),
        *(f"waits: {each}" for each in waiting()),
        *sessions(owner_url),
        *dumped(pids, stacks, sleep),
    ]
    if replies:
        verdict = f"SLOW, not a hang: others had {replies} answers meanwhile"
    elif busy:
        verdict = "SLOW, not a hang: it computes, waits for a processor or disk, or starts anew"
    else:
        verdict = "a HANG: nobody had an answer, and no process ran or waited to run"
    return Diagnosis(verdict, not (replies or busy), "\n".join(f"    {line}" for line in evidence))


def sessions(owner_url: str | None) -> list[str]:
    """PostgreSQL's sessions with what each waits for, a line each."""
    if owner_url is None:
        return []
    engine = make_engine(owner_url)
    try:
        with engine.connect() as connection:
            rows = connection.execute(_SESSIONS).mappings().all()
    except sa.exc.SQLAlchemyError as error:
        return [f"PostgreSQL does not tell: {error}"]
    finally:
        engine.dispose()
    return ["session: " + ", ".join(f"{k} {v}" for k, v in row.items() if v) for row in rows]


def dumped(
    pids: Iterable[int], stacks: Path, sleep: Callable[[float], None] = time.sleep
) -> list[str]:
    """The stack of every thread of these processes, as they write it at SIGUSR1."""
    at = stacks.stat().st_size if stacks.exists() else 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
        sleep(0.3)  # one after the other, so that their lines do not mix
    if not stacks.exists():
        return ["the stacks were not written"]
    with stacks.open(encoding="utf-8", errors="replace") as file:
        file.seek(at)
        return file.read().splitlines()
