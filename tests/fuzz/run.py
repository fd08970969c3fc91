"""Runs cases through a reader: what is not documented comes out, or nothing for too long, fails."""

import random
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.fuzz.target import Target, shown

#: Processor time that one case may take, which a busy machine does not stretch.
MOST_SECONDS = 10.0


class Hangs(BaseException):
    """A reader is still at work. No reader catches it: it is no Exception."""


@dataclass(frozen=True)
class Failure:
    """A case that a reader must not have failed on."""

    target: str
    seed: str
    what: str
    case: str


def run(target: Target, seed: int, first: int, count: int) -> Iterator[Failure | None]:
    """One item a case: None where it went as documented. Each case has a seed of its own."""
    for number in range(first, first + count):
        own = f"{seed}/{target.name}/{number}"
        yield once(target, own)


def once(target: Target, own: str) -> Failure | None:
    """Make and read one case."""
    case = target.make(random.Random(own))
    try:
        with limited():
            target.read(case)
    except target.allowed:
        return None
    except Hangs:
        return Failure(target.name, own, f"at work after {MOST_SECONDS} seconds", shown(case))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
        return Failure(target.name, own, what[:500], shown(case))
    return None


@contextmanager
def limited() -> Iterator[None]:
    """Raise Hangs in the middle of whatever takes too long."""

    def stop(_number: int, _frame: object) -> None:
        raise Hangs

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
