"""A call that runs out of time is sent again; a long wait is looked into, and a hang ends it."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.faults.ledger import Reply
from tests.faults.patience import (
    LONGEST_SECONDS,
    LOOK_SECONDS,
    PATIENCE_SECONDS,
    Diagnosis,
    Patience,
    Unanswered,
)

HANGS = Diagnosis("a HANG", hangs=True, evidence="session: 7, blocked_by [8]")
SLOW = Diagnosis("SLOW, not a hang", hangs=False)


class Clock:
    """A clock that only the waiting moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def out_of_time(clock: Clock) -> Callable[[], Reply]:
    def attempt() -> Reply:
        clock.sleep(20)
        raise TimeoutError

    return attempt


def patient(clock: Clock, found: Diagnosis, told: list[str]) -> Patience:
    return Patience(lambda _: None, lambda: found, told.append, now=clock.now, sleep=clock.sleep)


def test_a_call_that_runs_out_of_time_is_sent_again() -> None:
    counted: Counter[str] = Counter()
    outcomes: Iterator[Exception | Reply] = iter(
        [TimeoutError(), ConnectionRefusedError(), Reply(503, b""), Reply(201, b"ok")]
    )

    def attempt() -> Reply:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    patience = Patience(lambda what: counted.update([what]), sleep=lambda _: None)

    assert patience.until_answered("initiation 1", attempt) == Reply(201, b"ok")
    assert counted == {"failures unanswered": 1, "failures answered": 1, "not reached": 1}
    assert patience.waiting() == []


def test_a_hang_ends_the_wait_and_says_what_waited_for_what() -> None:
    clock, told = Clock(), list[str]()

    with pytest.raises(Unanswered, match=r"initiation 1 waits .* × TimeoutError.*\n.*blocked_by"):
        patient(clock, HANGS, told).until_answered("initiation 1", out_of_time(clock))

    assert PATIENCE_SECONDS <= clock.at < PATIENCE_SECONDS + 2 * LOOK_SECONDS
    assert len(told) == PATIENCE_SECONDS / LOOK_SECONDS


def test_what_is_only_slow_is_waited_for_longer_but_not_for_ever() -> None:
    clock, told = Clock(), list[str]()

    with pytest.raises(Unanswered, match="SLOW, not a hang"):
        patient(clock, SLOW, told).until_answered("initiation 1", out_of_time(clock))

    assert clock.at >= LONGEST_SECONDS


def test_nobody_waits_when_all_is_over() -> None:
    clock = Clock()
    patience = patient(clock, SLOW, [])
    patience.end()

    assert patience.until_answered("initiation 1", out_of_time(clock)) is None
