"""A process that does nothing is told from one that computes, and a blocked session is named."""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.db.engine import make_engine
from tests.faults.cluster import Cluster
from tests.faults.diagnosis import look, sessions
from tests.faults.patience import Diagnosis

TELLS = (
    "import faulthandler, signal, sys\n"
    "faulthandler.register(signal.SIGUSR1, file=open(sys.argv[1], 'a'))\nprint(flush=True)\n"
)
WAITS = TELLS + "def waits_for_ever():\n    import time\n    time.sleep(600)\nwaits_for_ever()"
COMPUTES = TELLS + "while True: pass"


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    return tmp_path / "stacks"


def watched(program: str, stacks: Path, answers: Iterator[int]) -> Diagnosis:
    child = subprocess.Popen([sys.executable, "-c", program, stacks], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()  # it is ready
        pids = [child.pid]
        return look(
            {"service": pids}, lambda: next(answers), lambda: ["a call"], pids, stacks, None
        )
    finally:
        child.kill()
        child.communicate()


def test_a_process_that_neither_runs_nor_waits_to_run_hangs(stacks: Path) -> None:
    found = watched(WAITS, stacks, iter([3, 3]))

    assert found.hangs
    assert "waits_for_ever" in found.evidence  # where it stands
    assert "waits: a call" in found.evidence


def test_a_process_that_computes_does_not_hang(stacks: Path) -> None:
    assert not watched(COMPUTES, stacks, iter([3, 3])).hangs


def test_nothing_hangs_while_others_are_answered(stacks: Path) -> None:
    found = watched(WAITS, stacks, iter([3, 5]))

    assert not found.hangs
    assert "2 answers" in found.verdict


def test_a_session_that_is_blocked_names_who_blocks_it() -> None:
    with tempfile.TemporaryDirectory(prefix="assent-faults-") as folder:
        cluster = Cluster(Path(folder))
        try:
            url = cluster.url("postgres", cluster.port)
            assert cluster.processes()
            assert blocked(url)
        finally:
            cluster.stop("immediate")
        assert cluster.processes() == []


def blocked(url: str) -> bool:
    """Whether the sessions tell which holds the lock that another waits for."""
    engine = make_engine(url)
    take = sa.text("SELECT pg_advisory_xact_lock(1)")
    with engine.connect() as holder, engine.connect() as waiter:
        holder.execute(take)
        holding = holder.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        waiting = threading.Thread(target=lambda: waiter.execute(take))
        waiting.start()
        seen = until_seen(url, f"blocked_by [{holding}]")
        holder.rollback()
        waiting.join()
    engine.dispose()
    return seen


def until_seen(url: str, what: str) -> bool:
    """Ten seconds at most."""
    for _ in range(100):
        if any(what in line and "advisory" in line for line in sessions(url)):
            return True
        time.sleep(0.1)
    return False
