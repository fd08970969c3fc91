"""How long a test waits for what other processes may hold up.

A long time, on a machine that is busy with other tests: it is spent by a test that fails only.
"""

import time
from collections.abc import Iterator
from typing import Final

PATIENCE_SECONDS: Final = 300.0


def tries(every: float = 0.1) -> Iterator[None]:
    """One try after another, some seconds apart, for as long as a test may wait."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        yield
        if time.monotonic() > until:
            return
        time.sleep(every)
