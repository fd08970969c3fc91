"""The fault harness: `python -m tests.faults`, or `make faults`.

Exit code 1 when anything acknowledged was lost, carried out twice or left half there, when the
audit log or a file is unsound, or when the planted mutant is not caught. The seed is printed.
"""

import argparse
import math
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults import scenarios
from tests.faults.cluster import Cluster
from tests.faults.disks import small_disk
from tests.faults.house import House, now_in_seconds
from tests.faults.nursery import Nursery
from tests.faults.proxy import Proxy

MUTANT = "reply before persisting"
HEADER = (
    f"{'database':<11}{'fault':<16}{'faults':>7}{'acknowledged':>14}{'twice sent':>12}"
    f"{'failures':>10}{'refused':>9}{'given up':>10}{'lost':>6}{'dup.':>6}{'half':>6}"
    f"{'unsound':>9}{'seconds':>9}"
)
SHOWN = 20


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


class Harness:
    """Runs scenarios one after the other and prints a line of the table for each."""

    def __init__(self, folder: Path, seed: int, cluster: Cluster | None, minutes: float) -> None:
        self.folder, self.seed, self.cluster, self.minutes = folder, seed, cluster, minutes
        self.nursery = Nursery(folder)
        self.failed = False

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
        """Run one scenario on a new database; the mutant fails when it is not caught."""
        started = now_in_seconds()
        kind = "postgres" if postgres else "sqlite"
        house = House(
            folder=self.folder / f"{kind}-{name}".replace(" ", "-"),
            nursery=self.nursery,
            cluster=(cluster or self.cluster) if postgres else None,
            seed=self.seed,
            plant=plant,
            database_port=proxy.port if proxy else None,
            tablespace=tablespace,
            seconds=60 * self.minutes,
        )
        scenario(house)
        self._tell(kind, name, house, now_in_seconds() - started)
        if plant is not None:
            if not house.found.lost:
                self.failed = True
                print(f"  The mutant was NOT caught: {plant} lost nothing that was told.")
        elif house.found.all():
            self.failed = True
            for what in house.found.all()[:SHOWN]:
                print(f"  {what}")

    def _tell(self, kind: str, name: str, house: House, seconds: float) -> None:
        told, found = house.ledger, house.found
        failures = told.counts["failures answered"] + told.counts["failures unanswered"]
        print(
            f"{kind:<11}{name:<16}{house.faults:>7}{len(told.acknowledged):>14}"
            f"{told.counts['sent twice']:>12}{failures:>10}{len(told.refused):>9}"
            f"{len(told.abandoned):>10}{len(found.lost):>6}{len(found.twice):>6}"
            f"{len(found.half):>6}{len(found.unsound):>9}{seconds:>9.0f}",
            flush=True,
        )

    def run_sqlite(self, size: Size) -> None:
        """Everything that befalls SQLite."""
        self.run("kill -9", lambda h: scenarios.kills(h, size.kills), postgres=False)
        with small_disk(self.folder / "sqlite-full-disk") as small:
            self.run(
                "full disk",
                lambda h: scenarios.full_disk(h, size.disk_failures, small),
                postgres=False,
            )
        self.run("clock jumps", lambda h: scenarios.clock_jumps(h, size.jumps), postgres=False)
        self.run_mutant(size, postgres=False)

    def run_postgres(self, size: Size) -> None:
        """Everything that befalls PostgreSQL."""
        assert self.cluster is not None
        self.run("kill -9", lambda h: scenarios.kills(h, size.kills), postgres=True)
        self.run("immediate stop", lambda h: scenarios.crashes(h, size.crashes), postgres=True)
        proxy = Proxy(self.cluster.port, self.seed)
        self.run(
            "cut at COMMIT",
            lambda h: scenarios.cuts(h, proxy, size.cuts),
            postgres=True,
            proxy=proxy,
        )
        print("  " + ", ".join(f"{n} {how}" for how, n in sorted(proxy.cuts.items())))
        self.run(
            "slow database",
            lambda h: scenarios.slowness(h, proxy, size.slow_seconds),
            postgres=True,
            proxy=proxy,
        )
        proxy.close()
        self.run("clock jumps", lambda h: scenarios.clock_jumps(h, size.jumps), postgres=True)
        self.fill_disks(size)
        self.run_mutant(size, postgres=True)

    def fill_disks(self, size: Size) -> None:
        """Full disks under PostgreSQL: its tables', then the log's of a cluster of its own."""
        tables, log = self.folder / "small-tables", self.folder / "small-log"
        with small_disk(tables, "400m") as small:
            if not small:
                print(
                    "postgres   full disks SKIPPED: this machine mounts no small disk", flush=True
                )
                return
            self.run(
                "full disk",
                lambda h: scenarios.full_tablespace(h, size.disk_failures),
                postgres=True,
                tablespace=tables,
            )
        with small_disk(log, "400m"):
            cluster = Cluster(self.folder / "of-a-small-log", log)
            try:
                self.run(
                    "full log disk",
                    lambda h: scenarios.full_wal(h, size.disk_failures),
                    postgres=True,
                    cluster=cluster,
                )
            finally:
                cluster.fall()

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
    half = options.kills // 2
    crashes = max(1, (options.kills - half) // 5)
    sqlite = Size(half, 0, 0, options.jumps, options.failures, 0, options.mutant_kills)
    postgres = Size(
        options.kills - half - crashes,
        crashes,
        options.cuts,
        options.jumps,
        options.failures,
        options.slow,
        options.mutant_kills,
    )
    print(f"seed {seed}\n{HEADER}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="assent-faults-"))
    cluster = None
    harness = None
    try:
        cluster = Cluster(folder) if options.database != "sqlite" else None
        harness = Harness(folder, seed, cluster, options.minutes)
        if options.database != "postgres":
            harness.run_sqlite(sqlite)
        if cluster is not None:
            harness.run_postgres(postgres)
    except BaseException:
        print(f"stopped; the seed is {seed}, and what there was is in {folder}", flush=True)
        options.keep = True
        raise
    finally:
        if harness is not None:
            harness.nursery.close()
        if cluster is not None:
            cluster.stop("immediate")
        if not options.keep and not (harness and harness.failed):
            shutil.rmtree(folder)
    if harness.failed:
        print(f"FAILED with seed {seed}; the databases and logs are in {folder}")
        return 1
    caught = "; the mutant was caught" if options.mutant_kills else ""
    print(f"nothing lost, nothing twice, nothing half there{caught} (seed {seed})")
    return 0


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
    parser.add_argument("--mutant-kills", type=int, default=8, help="on each database; 0: none")
    parser.add_argument("--keep", action="store_true", help="keep databases and logs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
