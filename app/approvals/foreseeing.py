"""What an act would change: the act itself, taken back (ADR 24)."""

from collections.abc import Callable
from typing import TypeVar

from app.db.work import Work

T = TypeVar("T")


def foresee(work: Work, act: Callable[[], T]) -> T:
    """Carry out `act`, keep what it answers, and take back all that it wrote.

    What it raises goes on: the whole transaction is then given up. Its locks are held until the
    transaction ends.
    """
    counted = len(work.happened)
    trial = work.savepoint()
    found = act()
    trial.rollback()
    del work.happened[counted:]
    return found
