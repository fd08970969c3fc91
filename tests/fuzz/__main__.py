"""The fuzz run: `python -m tests.fuzz`, or `make fuzz`. Exit code 1 when anything failed.

Half of the run calls the whole service, on SQLite or on PostgreSQL under row-level security, in a
world with every kind of object, with all of Schemathesis's checks and our own; half is spoilt input
for every reader of what strangers send. A seed is printed; a failure names its own, and `--seed S
--round R` calls one round of it again. SIGTERM ends the calls and prints what came of them.
"""

import argparse
import itertools
import multiprocessing
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from app.approvals.library_files import load_library
from app.logs import configure_logs
from app.reference_data.drugs import load_drugs
from tests.fuzz.building import build
from tests.fuzz.grounds import GROUNDS, Ground
from tests.fuzz.judge import Totals
from tests.fuzz.never import NEVER, RARE
from tests.fuzz.of_two import of_two
from tests.fuzz.parsers import targets
from tests.fuzz.rounds import DRAWN, PUBLIC_KEY, SHARE, SHOWN, Fuzz
from tests.fuzz.run import run

POLICIES = Path(__file__).parents[2] / "policies"
#: Calls of the service after which each operation must have succeeded; fewer may have bad luck.
ENOUGH = 20_000


def fuzz_service(cases: int, chosen: int, turn: int | None, jobs: int, database: str) -> bool:
    """Call every operation in turn until so many cases ran; whether all went as it should."""
    totals, sound, stopped = Totals(), True, False
    with tempfile.TemporaryDirectory(prefix="assent-fuzz-") as folder, GROUNDS[database]() as own:
        fuzz = _made(Path(folder) / "base", own, cases, chosen)
        several = range(turn, turn + 1) if turn is not None else itertools.count()
        _say(f"service: the world is built, {len(fuzz.operations)} operations, "
             f"{fuzz.share} calls of each in a round")  # fmt: skip
        try:
            for number, one in _results(fuzz, several, jobs):
                totals.add(one)
                sound &= not one.failures.total()
                _say(f"service: round {number}, {totals}")
                if totals.calls.total() >= cases:
                    break
        except BaseException:
            if not _ASKED:  # Hypothesis, asked in the middle of a draw, tells of it in its own way
                raise
            stopped = True
            totals.add(fuzz.running)
            sound &= not fuzz.running.failures.total()
    _summary(fuzz, totals, stopped)
    return sound and _reached(fuzz, totals, partial=stopped or turn is not None or cases < ENOUGH)


class _Stopped(BaseException):
    """Somebody asks the run to end, and to tell what it has."""


def _made(base: Path, ground: Ground, cases: int, chosen: int) -> Fuzz:
    library = of_two(load_library(POLICIES, load_drugs().keys(), trusting_lock=True))
    build(ground, base, library, PUBLIC_KEY)
    fuzz = Fuzz(library, base, ground, chosen, 1, _say, go_on=_go_on)
    fuzz.learn()
    fuzz.share = max(1, min(SHARE, -(-cases // len(fuzz.operations))))
    # A short run draws no more of Schemathesis's own cases than it sends.
    fuzz.drawn = max(2, min(DRAWN, -(-cases // (4 * len(fuzz.operations)))))
    return fuzz


def _results(fuzz: Fuzz, turns: Iterable[int], jobs: int) -> Iterator[tuple[int, Totals]]:
    """What came of each round, with so many of them at a time."""
    if jobs == 1:
        for turn in turns:
            yield turn, fuzz.round(turn)
        return
    # Forked, so that the library and the world are there: neither can be sent to a process.
    _FORKED.append(fuzz)
    context = multiprocessing.get_context("fork")
    with context.Pool(jobs, _quiet) as pool:
        yield from pool.imap_unordered(_forked_round, turns, chunksize=1)


def _quiet() -> None:
    """Let a process of several end in order and without a word, when the run is told to stop.

    Forked, it has the run's own handler; what it is in the middle of takes its databases away.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the run ends the others
    signal.signal(signal.SIGTERM, _leave)


#: What the processes of a run have from the one that they were forked of.
_FORKED: list[Fuzz] = []


def _forked_round(turn: int) -> tuple[int, Totals]:
    return turn, _FORKED[-1].round(turn)


def _summary(fuzz: Fuzz, totals: Totals, stopped: bool) -> None:
    for operation in sorted(fuzz.operations, key=lambda each: each.label):
        called, good = totals.calls[operation.label], totals.succeeded[operation.label]
        _say(f"  {operation.label:<62}{called:>7} calls{good:>7} succeeded")
    for kind, count in sorted(totals.kinds.items()):
        _say(f"  {count:>7} {kind}")
    early = "stopped early, " if stopped else ""
    _say(f"service: {early}{totals} over {len(fuzz.operations)} operations")


def _reached(fuzz: Fuzz, totals: Totals, *, partial: bool) -> bool:
    """Whether every operation succeeded at least once, but those that cannot."""
    never = {each.label for each in fuzz.operations if not totals.succeeded[each.label]}
    for label in sorted(never):
        why = (NEVER | RARE).get(label, "and nothing says why it should not")
        _say(f"NEVER SUCCEEDED: {label}: {why}")
    return partial or never <= {*NEVER, *RARE}


def fuzz_readers(cases: int, chosen: int) -> bool:
    """Spoilt input for every reader, in proportion to its weight; whether all were documented."""
    every = targets()
    whole = sum(target.weight for target in every)
    sound, total = True, 0
    for target in every:
        wanted = max(20, round(cases * target.weight / whole))
        started, failures, ran = time.process_time(), Counter[str](), 0
        for outcome in run(target, chosen, 0, wanted):
            _go_on()
            ran += 1
            if outcome is not None:
                failures[outcome.what] += 1
                if failures[outcome.what] == 1 and len(failures) <= SHOWN:
                    print(f"FAILED {outcome.target} ({outcome.seed}): {outcome.what}\n"
                          f"  {outcome.case}", flush=True)  # fmt: skip
        total += ran
        sound &= not failures
        seconds = time.process_time() - started
        print(f"{target.name:<24}{ran:>9} cases{failures.total():>6} failures{seconds:>8.0f} s",
              flush=True)  # fmt: skip
    print(f"readers: {total} cases over {len(every)} readers", flush=True)
    return sound


def _say(words: str) -> None:
    print(words, flush=True)


#: The signals that asked the run to end.
_ASKED: list[int] = []


def _stop(number: int, _frame: object) -> None:
    _ASKED.append(number)
    raise _Stopped


def _leave(number: int, _frame: object) -> None:
    _ASKED.append(number)
    sys.exit(0)


def _go_on() -> None:
    """End a run that was asked to and goes on all the same.

    A signal may come while a weakref's callback or a `__del__` runs, or in a draw. Python prints
    and drops what its handler raises there, or somebody takes it for a failure of the call.
    """
    if _ASKED:
        raise SystemExit(0) if multiprocessing.parent_process() else _Stopped


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000, help="calls of the service; 0: none")
    parser.add_argument("--readers", type=int, default=20_000, help="inputs of readers; 0: none")
    parser.add_argument("--seed", type=int, help="of an earlier run; drawn when left out")
    parser.add_argument("--round", type=int, help="this round of the service only, as it was told")
    parser.add_argument("--jobs", type=int, default=1, help="rounds of the service at a time")
    parser.add_argument("--database", choices=sorted(GROUNDS), default="sqlite")
    options = parser.parse_args(arguments)
    chosen = secrets.randbits(32) if options.seed is None else options.seed
    configure_logs("error")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    print(f"seed {chosen}", flush=True)
    sound = fuzz_readers(options.readers, chosen) if options.readers else True
    if options.cases:
        sound &= fuzz_service(options.cases, chosen, options.round, options.jobs, options.database)
    print("nothing came out that is not documented" if sound else f"FAILED with seed {chosen}")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
