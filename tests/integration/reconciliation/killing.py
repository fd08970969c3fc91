"""A worker of its own process, killed at a named place of the code."""

import gc
import os
import select
import signal
from collections.abc import Callable
from typing import Any

from tests.world import World

PATIENCE_SECONDS = 300


def killed_there(
    world: World, worker: Callable[[], object], owner: Any, name: str, after: bool
) -> None:
    """Have a process of its own work up to there, stop it dead, and see that it had come there."""
    there, tell = os.pipe()
    gc.collect()
    process = os.fork()
    if process == 0:
        gc.freeze()  # DuckDB's leavings of the parent, whose threads are not here
        try:
            whole = getattr(owner, name)

            def halt(*given: Any, **named: Any) -> None:
                if after:
                    whole(*given, **named)
                os.write(tell, b"there")
                signal.pause()

            setattr(owner, name, halt)
            world.database.engine.dispose(close=False)
            worker()
        finally:
            os._exit(1)
    os.close(tell)
    # Empty where the process ended without having come there, or stands still.
    came = os.read(there, 5) if select.select([there], [], [], PATIENCE_SECONDS)[0] else b""
    os.close(there)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    assert came == b"there"
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
