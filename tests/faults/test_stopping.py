"""A run that is told to stop makes no more faults, checks what it did, and says so."""

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOTHING_ELSE = ["--jumps", "0", "--failures", "0", "--slow", "0", "--mutant-kills", "0"]


def test_a_run_that_is_told_to_stop_ends_with_a_verdict_on_what_it_did(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults", "--database", "sqlite", "--kills", "100000"]
    run = subprocess.Popen(
        [*command, "--cuts", "0", "--beside", "2", *NOTHING_ELSE],
        cwd=ROOT,
        stdout=(tmp_path / "told").open("wb"),
    )
    try:
        deadline = time.monotonic() + 300
        while "acknowledged, 0 lost" not in (tmp_path / "told").read_text():  # it is at work
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=300) == 0
    finally:
        run.kill()
        run.wait()

    told = (tmp_path / "told").read_text()
    assert told.count("told to stop") == 3  # the run, and each of its parts
    assert told.count("in all: ") == 3
    assert "stopped early: " in told
    assert "of 100000 kills, 0 of 0 cuts; the verdict is on these" in told
    assert told.endswith("nothing lost, nothing twice, nothing half there, nothing unsound\n")
    assert "Traceback" not in told
