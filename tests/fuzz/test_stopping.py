"""A run of several rounds at a time that is told to stop ends in order and without a word."""

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Rounds that take long, in the run's own processes, and put something away at their end.
RUN = """
import itertools, os, signal, sys, time
from pathlib import Path
from tests.fuzz import __main__ as run

class Slow:
    def round(self, turn):
        mine = Path(sys.argv[1]) / str(os.getpid())
        mine.touch()
        try:
            time.sleep(600)
        finally:
            mine.unlink()

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, run._stop)
try:
    list(run._results(Slow(), itertools.count(), 2))
except run._Stopped:
    print("stopped")
"""


def test_rounds_that_run_at_a_time_put_away_what_they_made_and_print_nothing(
    tmp_path: Path,
) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, tmp_path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 300
        while len(list(tmp_path.iterdir())) < 2:  # both are at work
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        told, complained = run.communicate(timeout=60)
    finally:
        run.kill()

    assert (told, complained, run.returncode) == ("stopped\n", "", 0)
    assert list(tmp_path.iterdir()) == []
