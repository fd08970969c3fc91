"""The fuzz run: `python -m tests.fuzz`, or `make fuzz`. Exit code 1 when anything failed.

Half of the run is Schemathesis against the whole service on SQLite, with all its checks; half is
spoilt input for every reader of what strangers send. A seed is printed; a failure names its own.
"""

import argparse
import itertools
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

from app import clock
from app.approvals.library import Library
from app.auth.model import Role
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Moment
from app.logs import configure_logs
from tests.fuzz.api import Served, bounded, hold, service
from tests.fuzz.parsers import targets
from tests.fuzz.run import run
from tests.policies.library import packaged_library

KEY = b"the key of the fuzz run, which is 32 characters or more"
#: Cases of one operation between two databases: a full one would slow every search.
ROUND = 200
#: Of one reader, so that a line of progress comes now and then.
SHARE = 2_000
SHOWN = 5
#: Who calls, in turns: each is refused elsewhere.
WHO = (
    ("DEMO1", Role.CLINICIAN),
    ("DEMQ1", Role.COMMISSIONER),
    ("DEMO1", Role.PHARMACIST),
    ("DEMO1", Role.AUDITOR),
)
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


def fuzz_service(cases: int, chosen: int) -> bool:
    """Call every operation in turn until so many cases ran; whether all went as described."""
    library, told, failures = packaged_library(), Counter[str](), Counter[str]()
    served = Served(lambda *_: None)  # type: ignore[arg-type, return-value]
    sound = True
    with _fresh(library, WHO[0]) as served.app:
        schema = schemathesis.openapi.from_asgi("/openapi.json", served, config=bounded(ROUND))
        operations = [each.ok() for each in schema.get_all_operations()]
    share = max(1, min(ROUND, -(-cases // (2 * len(WHO) * len(operations)))))
    for turn in itertools.count():
        if told.total() >= cases:
            break
        with _fresh(library, WHO[turn % len(WHO)]) as served.app:
            for operation, mode in itertools.product(operations, MODES):
                sound &= _one(operation, mode, share, chosen + turn, told, failures)
        _tell("service", told.total(), told, failures)
    print(f"service: {told.total()} cases over {len(operations)} operations, "
          f"{failures.total()} failures", flush=True)  # fmt: skip
    return sound


def _one(
    operation: Any,  # an APIOperation, which Schemathesis does not export
    mode: GenerationMode,
    share: int,
    chosen: int,
    told: Counter[str],
    failures: Counter[str],
) -> bool:
    @seed(chosen)
    @settings(
        max_examples=share,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def calls(case: schemathesis.Case) -> None:
        hold(case, told)

    try:
        calls()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        if type(error).__name__ in {"Unsatisfiable", "SkipTest"}:  # it has nothing to get wrong
            return True
        failures[operation.label] += 1
        if failures[operation.label] <= SHOWN:
            print(f"FAILED {operation.label} (seed {chosen}, {mode.value}):\n{error}", flush=True)
        return False
    return True


@contextmanager
def _fresh(library: Library, who: tuple[str, Role]) -> Iterator[object]:
    """The service on an empty SQLite database."""
    with tempfile.TemporaryDirectory(prefix="assent-fuzz-") as folder:
        engine = make_engine(f"sqlite:///{Path(folder) / 'assent.db'}")
        upgrade(engine)
        now = clock.now()
        count = itertools.count(1)
        ids: Callable[[], str] = lambda: f"00000000-0000-4000-8000-{next(count):012d}"  # noqa: E731
        yield service(
            Database(engine, KEY), library, Moment(now, clock.london_day(now)), ids, os.urandom, who
        )
        engine.dispose()


def fuzz_readers(cases: int, chosen: int) -> bool:
    """Spoilt input for every reader, in proportion to its weight; whether all were documented."""
    every = targets()
    whole = sum(target.weight for target in every)
    sound, total = True, 0
    for target in every:
        wanted = max(20, round(cases * target.weight / whole))
        started, failures, ran = time.process_time(), Counter[str](), 0
        for outcome in run(target, chosen, 0, wanted):
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


def _tell(what: str, ran: int, told: Counter[str], failures: Counter[str]) -> None:
    shares = ", ".join(f"{how} {count}" for how, count in sorted(told.items()))
    print(f"{what}: {ran} cases ({shares}), {failures.total()} failures", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000, help="calls of the service; 0: none")
    parser.add_argument("--readers", type=int, default=20_000, help="inputs of readers; 0: none")
    parser.add_argument("--seed", type=int, help="of an earlier run; drawn when left out")
    options = parser.parse_args(arguments)
    chosen = secrets.randbits(32) if options.seed is None else options.seed
    configure_logs("error")
    print(f"seed {chosen}", flush=True)
    sound = fuzz_readers(options.readers, chosen) if options.readers else True
    if options.cases:
        sound &= fuzz_service(options.cases, chosen)
    print("nothing came out that is not documented" if sound else f"FAILED with seed {chosen}")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
