"""Ending a benchmark early: SIGTERM, as `timeout` sends it, still drops its database."""

import signal
import sys
from types import FrameType

#: What a shell reports for a process that SIGTERM ended.
STATUS = 128 + signal.SIGTERM


def clean_up_when_stopped() -> None:
    """Let SIGTERM unwind the program, so that every `finally` runs. In the main thread only."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one does not cut the cleaning short
    sys.exit(STATUS)
