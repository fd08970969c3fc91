"""Parts of a run at a time, each in a process of its own, and one verdict on all."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from tests.faults import stopping
from tests.faults.totals import Outcome, Totals


def beside(parts: list[Callable[[], Outcome]]) -> Outcome:
    """Run every part; what asks this process to end asks them.

    One that ends without a word has failed.
    """
    context = multiprocessing.get_context("fork")
    heard, children = [], []
    for part in parts:
        ear, told = context.Pipe(duplex=False)
        child = context.Process(target=_one, args=(part, told))
        child.start()
        told.close()  # the child's own is the only one then: its end shows
        heard.append(ear)
        children.append(child)
    passed_on = False
    try:
        while any(child.is_alive() for child in children):
            if stopping.asked() and not passed_on:
                passed_on = True
                _terminate(children)
            time.sleep(0.1)
    except BaseException:
        _terminate(children)
        raise
    finally:
        for child in children:
            child.join()
    outcomes = [_told(ear) for ear in heard]
    totals = sum((outcome.totals for outcome in outcomes), start=Totals())
    print(totals.words(), flush=True)
    return Outcome(
        totals,
        any(outcome.failed for outcome in outcomes),
        any(outcome.caught for outcome in outcomes),
        tuple(folder for outcome in outcomes for folder in outcome.kept),
    )


def _terminate(children: list[multiprocessing.context.ForkProcess]) -> None:
    for child in children:
        if child.is_alive():
            child.terminate()


def _one(part: Callable[[], Outcome], told: Connection) -> None:
    # Ctrl-C reaches every process of a terminal: the one that was started passes it on, once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told.send(part())


def _told(heard: Connection) -> Outcome:
    try:
        outcome = heard.recv()
    except EOFError:
        print("a part of the run BROKE OFF", flush=True)
        return Outcome(Totals(), failed=True, caught=False)
    assert isinstance(outcome, Outcome)
    return outcome
