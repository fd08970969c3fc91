"""Starts the real `assent serve` and `assent worker` quickly: each is forked from one process.

The nursery imports the service once and forks at each order, so that a thousand kills take minutes
and not hours; told to, it also does beforehand what is the same at every start (`warmth`). What
runs in a child is the command itself, with its settings from the environment.

Run as a module it reads orders from standard input, one JSON object a line, and answers each with
the child's process id. Its clock is the real one, moved by the seconds in the file that
FAULTS_CLOCK names.
"""

import contextlib
import datetime as dt
import faulthandler
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CLOCK = "FAULTS_CLOCK"
ROOT = Path(__file__).parents[2]
#: How long a killed process, and the nursery itself, may take to be gone.
KILL_SECONDS, CLOSE_SECONDS = 60.0, 30.0


class Nursery:
    """The harness's side: order children, and end them."""

    def __init__(self, folder: Path) -> None:
        self.log, self.stacks = folder / "children.log", folder / "stacks.log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the harness, which has its checks to make yet
        )
        self._children: set[int] = set()

    def warm(self, env: dict[str, str]) -> None:
        """Let it read now what each child of this environment would read at its start."""
        self._order({"warm": env})

    def start(
        self,
        *argv: str,
        env: dict[str, str],
        plant: str | None = None,
        largest_file: int | None = None,
    ) -> int:
        """Start `assent argv…`; returns its process id."""
        order = {
            "argv": argv,
            "env": env,
            "plant": plant,
            "largest_file": largest_file,
            "log": str(self.log),
            "stacks": str(self.stacks),
        }
        pid = self._order(order)
        self._children.add(pid)
        return pid

    def _order(self, order: dict[str, Any]) -> int:
        """What it answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise ChildProcessError(f"the nursery has ended, with {self._process.wait(5)}")
        return int(answer)

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        """Send a signal to a child and wait until it is gone; TimeoutError when it stays."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        self.wait(pid, KILL_SECONDS)

    def wait(self, pid: int, seconds: float) -> None:
        """Wait until a child has ended by itself; TimeoutError when it does not."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not runs(pid):
                self._children.discard(pid)
                return
            time.sleep(0.002)
        raise TimeoutError(f"process {pid} runs on after {seconds} seconds")

    def close(self) -> None:
        """End every child, then the nursery, however it is; never raises, and may be repeated."""
        for pid in list(self._children):
            with contextlib.suppress(OSError):  # what cannot be killed does not keep the others
                self.kill(pid)
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it may have ended first, as at Ctrl-C
            self._process.stdin.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def runs(pid: int) -> bool:
    """Whether a process is there and is not merely waiting for its parent to take note.

    Its first thread may have ended before others, which keep its files and its port open still:
    killed while one of them waited for a disk, say.
    """
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(_state_of(thread) not in "ZX" for thread in threads)


def _state_of(thread: Path) -> str:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def moved_now() -> dt.datetime:
    """The real instant, moved by what the clock's file says."""
    moved = 0.0
    if path := os.environ.get(CLOCK):
        moved = float(Path(path).read_text() or 0)
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=moved)


def _live(order: dict[str, Any]) -> None:
    """The child's whole life."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(order["env"])
    stacks = os.open(order["stacks"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=True)
    if (most := order["largest_file"]) is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    if order["plant"] is not None:
        from tests.faults.mutant import PLANTS

        PLANTS[order["plant"]]()
    from tests.faults.warmth import command

    command().main(order["argv"], prog_name="assent")


def _serve_orders() -> None:
    from app import clock

    clock.now = moved_now  # before the rest is imported: doors take it as their default
    import app.cli
    import app.main  # noqa: F401 - what `assent serve` will ask for by name

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by themselves
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until a child tells its stacks at it
    for line in sys.stdin:
        order = json.loads(line)
        if "warm" in order:
            from tests.faults.warmth import warm

            warm(order["warm"])
            print(0, flush=True)
            continue
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _live(order)
            except SystemExit as end:
                status = int(end.code or 0) if isinstance(end.code, int | None) else 1
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(child, flush=True)


if __name__ == "__main__":
    _serve_orders()
    sys.stdout.flush()
    os._exit(0)  # DuckDB tells at a usual end of each type that it leaves behind
