"""Ending a run early: the first signal ends the making of faults, the second everything.

After the first the scenario under way makes its checks, and the verdict is on what was done.
"""

import signal
import sys
import threading
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)
_asked = threading.Event()


def stop_when_told(numbers: tuple[signal.Signals, ...] = NUMBERS) -> None:
    """Let these signals end the run. In the main thread only."""
    for number in numbers:
        signal.signal(number, _stop)


def asked() -> bool:
    """Whether somebody asked the run to end."""
    return _asked.is_set()


def _stop(number: int, _frame: FrameType | None) -> None:
    if _asked.is_set():
        signal.signal(number, signal.SIG_IGN)  # a third does not cut the cleaning short
        sys.exit(128 + number)
    _asked.set()
    print("  told to stop: no more faults; what was done is checked", flush=True)
