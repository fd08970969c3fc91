"""The fault harness: `python -m tests.faults`, or `make faults`.

Exit code 1 when anything acknowledged was lost, carried out twice or left half there, when the
audit log or a file is unsound, when a fault broke off, or when the planted mutant is not caught.
The seed is printed, and the numbers so far while the run goes on and however it ends. In `--rounds`
the kills and cuts are spread over as many rounds, each on new databases and with the next seed:
`--seed` with the seed after the last whole round goes on where a run was ended. SIGINT or SIGTERM
ends the making of faults, and the verdict is on what was done; a second one breaks off.
Where no small disk can be mounted, full disks of PostgreSQL are named as not tried, and with CI or
ASSENT_REQUIRE_POSTGRES set that fails, unless not even root may mount one.
`--beside N` works on both databases at a time, on each with N services that share the faults.
"""

import argparse
import math
import os
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.faults import scenarios, stopping
from tests.faults.beside import beside
from tests.faults.cluster import Cluster
from tests.faults.disks import NoDisk, small_disk
from tests.faults.house import House, now_in_seconds
from tests.faults.nursery import Nursery
from tests.faults.proxy import Proxy
from tests.faults.totals import HEADER, Outcome, Totals

MUTANT = "reply before persisting"
SHOWN = 20
#: Between the first seeds of two parts of a run, whose rounds take the next ones.
SEEDS_APART = 1000


@dataclass(frozen=True)
class Size:
    """How much to run."""

    kills: int
    crashes: int
    cuts: int
    jumps: int
    disk_failures: int
    slow_seconds: float
    mutant_kills: int

    def later(self) -> "Size":
        """What the rounds after the first do: kills, crashes and cuts, of which many are wanted."""
        return replace(self, jumps=0, disk_failures=0, slow_seconds=0, mutant_kills=0)


class Harness:
    """Runs scenarios one after the other and prints a line of the table for each.

    `minutes` bound each fault, `ends` (of the monotonic clock) all of them.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        cluster: Cluster | None,
        nursery: Nursery,
        minutes: float = math.inf,
        ends: float = math.inf,
    ) -> None:
        self.folder, self.seed, self.cluster = folder, seed, cluster
        self.nursery, self.minutes, self.ends = nursery, minutes, ends
        self.totals = Totals()
        self.failed = self.caught = self._warmed = False

    def time_is_up(self) -> bool:
        """Whether nothing more is to be begun."""
        return stopping.asked() or time.monotonic() > self.ends

    def run(
        self,
        name: str,
        scenario: Callable[[House], None],
        *,
        postgres: bool,
        plant: str | None = None,
        proxy: Proxy | None = None,
        tablespace: Path | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        """Run one scenario on a new database; the mutant fails when it is not caught.

        One that breaks off fails too, and the next one runs nevertheless.
        """
        if self.time_is_up():
            return
        started = time.monotonic()
        kind = "postgres" if postgres else "sqlite"
        house = House(
            folder=self.folder_of(kind, name),
            nursery=self.nursery,
            cluster=(cluster or self.cluster) if postgres else None,
            seed=self.seed,
            plant=plant,
            database_port=proxy.port if proxy else None,
            tablespace=tablespace,
            seconds=min(60 * self.minutes, self.ends - started),
            asked_to_stop=stopping.asked,
            progress=lambda at: self.totals.progress(kind, name, at),
            tell=self._tell_wait,
        )
        with closing(house):
            try:
                self._warm(house)
                scenario(house)
            except Exception as error:
                self.failed = True
                print(f"  BROKEN OFF by {type(error).__name__}: {error}")
                traceback.print_exc(file=sys.stdout)
            finally:
                self.totals.end(kind, name, house, time.monotonic() - started)
        if house.cluster is not None:
            house.cluster.start_if_down()
        if plant is not None:
            if not house.found.lost:
                self.failed = True
                print(f"  The mutant was NOT caught: {plant} lost nothing that was told.")
            self.caught = bool(house.found.lost)
        elif house.found.all():
            self.failed = True
            for what in house.found.all()[:SHOWN]:
                print(f"  {what}")

    def _warm(self, house: House) -> None:
        if not self._warmed:
            house.warm()
            self._warmed = True

    def folder_of(self, kind: str, name: str) -> Path:
        """Where a scenario's house stands in this round."""
        return self.folder / f"{kind}-{name}-{self.seed}".replace(" ", "-")

    def _tell_wait(self, what: str) -> None:
        """The verdict to the screen, the evidence to a file beside the databases."""
        print(f"  wait: {what.splitlines()[0]}", flush=True)
        with (self.folder / "waits.log").open("a", encoding="utf-8") as kept:
            kept.write(f"{now_in_seconds():.0f} {what}\n")

    def run_sqlite(self, size: Size) -> None:
        """Everything that befalls SQLite."""
        if size.kills:
            self.run("kill -9", lambda h: scenarios.kills(h, size.kills), postgres=False)
        if size.disk_failures:
            self.fill_sqlite_disk(size)
        if size.jumps:
            self.run("clock jumps", lambda h: scenarios.clock_jumps(h, size.jumps), postgres=False)
        self.run_mutant(size, postgres=False)

    def fill_sqlite_disk(self, size: Size) -> None:
        """A full disk under SQLite."""
        with small_disk(self.folder_of("sqlite", "full disk")) as none:
            self.run(
                "full disk",
                lambda h: scenarios.full_disk(h, size.disk_failures, none is None),
                postgres=False,
            )

    def run_postgres(self, size: Size) -> None:
        """Everything that befalls PostgreSQL."""
        assert self.cluster is not None
        if size.kills and not size.cuts:
            self.run("kill -9", lambda h: scenarios.kills(h, size.kills), postgres=True)
        with closing(Proxy(self.cluster.port, self.seed)) as proxy:
            self.run_cuts(size, proxy)
        if size.crashes:
            self.run("immediate stop", lambda h: scenarios.crashes(h, size.crashes), postgres=True)
        if size.jumps:
            self.run("clock jumps", lambda h: scenarios.clock_jumps(h, size.jumps), postgres=True)
        if size.disk_failures:
            self.fill_disks(size)
        self.run_mutant(size, postgres=True)

    def run_cuts(self, size: Size, proxy: Proxy) -> None:
        """What befalls the connections to PostgreSQL."""
        if size.cuts and size.kills:
            self.run(
                "kill -9, cuts",
                lambda h: scenarios.kills_and_cuts(h, proxy, size.kills, size.cuts),
                postgres=True,
                proxy=proxy,
            )
        elif size.cuts:
            self.run(
                "cut at COMMIT",
                lambda h: scenarios.cuts(h, proxy, size.cuts),
                postgres=True,
                proxy=proxy,
            )
        if size.slow_seconds:
            self.run(
                "slow database",
                lambda h: scenarios.slowness(h, proxy, size.slow_seconds),
                postgres=True,
                proxy=proxy,
            )

    def fill_disks(self, size: Size) -> None:
        """Full disks under PostgreSQL, of its tables and of its log, each under its own cluster.

        A cluster that outlives a tablespace's disk does not start again after an immediate stop:
        its log still tells of the tablespace.
        """
        tables, log = self.folder / "small-tables", self.folder / "small-log"
        with small_disk(tables, "400m") as none:
            if none is not None:
                self.leave_out("full disks of PostgreSQL", none)
                return
            with closing(Cluster(self.folder / "of-small-tables")) as cluster:
                self.run(
                    "full disk",
                    lambda h: scenarios.full_tablespace(h, size.disk_failures),
                    postgres=True,
                    tablespace=tables,
                    cluster=cluster,
                )
        with small_disk(log, "400m"), closing(Cluster(self.folder / "of-a-small-log", log)) as own:
            self.run(
                "full log disk",
                lambda h: scenarios.full_wal(h, size.disk_failures),
                postgres=True,
                cluster=own,
            )

    def leave_out(self, what: str, none: NoDisk) -> None:
        """Say loudly what is not tried. It fails where it is required and could be had."""
        required = os.environ.get("CI") or os.environ.get("ASSENT_REQUIRE_POSTGRES")
        if required and not none.final:
            self.failed = True
        self.totals.left_out += (f"{what}: {none.why}",)
        print(f"\n*** NOT TRIED: {what}: no small disk, {none.why} ***\n", flush=True)

    def run_mutant(self, size: Size, *, postgres: bool) -> None:
        """The planted fault, which must show as losses."""
        if not size.mutant_kills:
            return
        self.run(
            "MUTANT kill -9",
            lambda h: scenarios.kills(h, size.mutant_kills),
            postgres=postgres,
            plant=MUTANT,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; 0 when nothing was lost and the mutant was caught."""
    options = _options().parse_args(arguments)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}\n{HEADER}", flush=True)
    if options.beside:
        return _tell(options, beside(list(_parts(options, seed))))
    return _tell(options, _run(options, seed, options.database))


def _parts(options: argparse.Namespace, seed: int) -> Iterator[Callable[[], Outcome]]:
    """The run in so many parts for each database; what is done once is the first one's."""
    kinds = ("sqlite", "postgres") if options.database == "both" else (options.database,)
    for number in range(options.beside):
        mine = argparse.Namespace(**vars(options))
        mine.kills = math.ceil(options.kills / options.beside)
        mine.cuts = math.ceil(options.cuts / options.beside)
        if number:
            mine.jumps = mine.failures = mine.slow = mine.mutant_kills = 0
        for kind in kinds:
            yield partial(_run, mine, seed + SEEDS_APART * number, kind)


def _tell(options: argparse.Namespace, outcome: Outcome) -> int:
    """The verdict, and the exit code."""
    totals = outcome.totals
    kills, cuts = totals.of("kill -9", "immediate stop"), totals.of("cut")
    if kills < options.kills or cuts < options.cuts:
        print(
            f"stopped early: {kills} of {options.kills} kills, {cuts} of {options.cuts} cuts; "
            "the verdict is on these"
        )
    for what in dict.fromkeys(totals.left_out):
        print(f"NOT TRIED, so nothing is said of it: {what}")
    if outcome.failed:
        print("FAILED; " + "; ".join(f"databases and logs in {folder}" for folder in outcome.kept))
        return 1
    caught = "; the mutant was caught" if outcome.caught else ""
    print(f"nothing lost, nothing twice, nothing half there, nothing unsound{caught}")
    return 0


def _run(options: argparse.Namespace, seed: int, database: str) -> Outcome:
    """Everything on one database, or on both in turn."""
    folder = Path(tempfile.mkdtemp(prefix="assent-faults-"))
    harness, keep = None, options.keep
    try:
        with ExitStack() as open_:
            harness = _open(open_, options, folder, seed, database)
            _run_rounds(harness, options, seed, database)
    except BaseException:
        print(f"stopped; what there was is in {folder}", flush=True)
        keep = True
        raise
    finally:
        keep = keep or harness is None or harness.failed
        if harness is not None:
            print(f"{harness.totals.words()} (seed {seed} to {harness.seed})", flush=True)
        if not keep:
            shutil.rmtree(folder)
    return Outcome(harness.totals, harness.failed, harness.caught, (folder,) if keep else ())


def _open(
    open_: ExitStack, options: argparse.Namespace, folder: Path, seed: int, database: str
) -> Harness:
    """The harness; what it opens is closed in turn, whatever fails on the way or at closing."""
    cluster = None
    if database != "sqlite":
        cluster = Cluster(folder)
        open_.callback(cluster.close)
    nursery = open_.enter_context(closing(Nursery(folder)))
    ends = time.monotonic() + 60 * options.in_all
    return Harness(folder, seed, cluster, nursery, options.minutes, ends)


def _run_rounds(harness: Harness, options: argparse.Namespace, seed: int, database: str) -> None:
    for number in range(options.rounds):
        if harness.time_is_up():
            return
        harness.seed = seed + number
        sqlite, postgres = _sizes(options)
        if number:
            print(f"round {number + 1}, seed {harness.seed}", flush=True)
            sqlite, postgres = sqlite.later(), postgres.later()
        if database != "postgres":
            harness.run_sqlite(sqlite)
        if harness.cluster is not None:
            harness.run_postgres(postgres)


def _sizes(options: argparse.Namespace) -> tuple[Size, Size]:
    """What a round does to SQLite and to PostgreSQL."""
    kills, cuts = (math.ceil(n / options.rounds) for n in (options.kills, options.cuts))
    half = kills // 2
    crashes = math.ceil((kills - half) / 5)
    jumps, failures, mutant = options.jumps, options.failures, options.mutant_kills
    return (
        Size(half, 0, 0, jumps, failures, 0, mutant),
        Size(kills - half - crashes, crashes, cuts, jumps, failures, options.slow, mutant),
    )


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="of an earlier run; drawn when left out")
    parser.add_argument("--database", choices=("both", "sqlite", "postgres"), default="both")
    parser.add_argument("--kills", type=int, default=20, help="in all, on both databases")
    parser.add_argument("--cuts", type=int, default=200, help="of connections, at COMMIT")
    parser.add_argument("--jumps", type=int, default=20, help="of the clock, on each database")
    parser.add_argument("--failures", type=int, default=20, help="to wait for on each full disk")
    parser.add_argument("--slow", type=float, default=8, help="seconds with a slow database")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="of making each fault, at most"
    )
    parser.add_argument(
        "--in-all", type=float, default=math.inf, help="minutes, after which no fault is begun"
    )
    parser.add_argument("--rounds", type=int, default=1, help="to spread kills and cuts over")
    parser.add_argument("--beside", type=int, default=0, help="parts of each database at a time")
    parser.add_argument("--mutant-kills", type=int, default=8, help="on each database; 0: none")
    parser.add_argument("--keep", action="store_true", help="keep databases and logs")
    return parser


if __name__ == "__main__":
    stopping.stop_when_told()
    sys.exit(main())
