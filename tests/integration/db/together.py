"""Run a function in several threads at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.patience import PATIENCE_SECONDS

T = TypeVar("T")
SECONDS = PATIENCE_SECONDS


def together(count: int, fn: Callable[[int], T]) -> list[T]:
    """Call `fn(0) … fn(count - 1)` from that many threads that start together."""
    start = threading.Barrier(count)

    def run(number: int) -> T:
        start.wait(SECONDS)
        return fn(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count), timeout=SECONDS * 2))
