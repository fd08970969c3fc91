"""The numbers of a run: the table, a line while a fault goes on, and the sum at any moment."""

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.house import House

HEADER = (
    f"{'database':<11}{'fault':<16}{'faults':>7}{'acknowledged':>14}{'twice sent':>12}"
    f"{'failures':>10}{'refused':>9}{'given up':>10}{'lost':>6}{'dup.':>6}{'half':>6}"
    f"{'unsound':>9}{'seconds':>9}"
)
#: At most one line of progress in these seconds.
PROGRESS_SECONDS = 30.0
FOUND = ("lost", "twice", "half", "unsound")


@dataclass
class Totals:
    """What a run has done until now. The planted mutant, which must lose, does not count."""

    faults: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    #: What was asked for and could not be tried, each with the reason.
    left_out: tuple[str, ...] = ()
    _told_at: float = -PROGRESS_SECONDS

    def progress(self, kind: str, name: str, house: House) -> None:
        """Say how far a fault is, unless that was said a moment ago."""
        if time.monotonic() - self._told_at < PROGRESS_SECONDS:
            return
        self._told_at = time.monotonic()
        found = ", ".join(f"{len(getattr(house.found, what))} {what}" for what in FOUND)
        done = self.faults + _of(kind, house)
        _say(
            f"  … {kind} {name}: {house.faults.total()} so far, {len(house.ledger.acknowledged)} "
            f"acknowledged, {found}; in all {_faults(done)}"
        )

    def end(self, kind: str, name: str, house: House, seconds: float) -> None:
        """The table's line of a fault that has ended, and its share of the sum."""
        told, found = house.ledger, house.found
        if house.plant is None:
            self.faults.update(_of(kind, house))
            self.acknowledged += len(told.acknowledged)
            self.found.update({what: len(getattr(found, what)) for what in FOUND})
        failures = told.counts["failures answered"] + told.counts["failures unanswered"]
        _say(
            f"{kind:<11}{name:<16}{house.faults.total():>7}{len(told.acknowledged):>14}"
            f"{told.counts['sent twice']:>12}{failures:>10}{len(told.refused):>9}"
            f"{len(told.abandoned):>10}{len(found.lost):>6}{len(found.twice):>6}"
            f"{len(found.half):>6}{len(found.unsound):>9}{seconds:>9.0f}"
        )

    def of(self, *faults: str) -> int:
        """How many there were of the faults whose names hold one of these."""
        return sum(n for name, n in self.faults.items() if any(fault in name for fault in faults))

    def __add__(self, other: "Totals") -> "Totals":
        """The sum of two runs."""
        return Totals(
            self.faults + other.faults,
            self.found + other.found,
            self.acknowledged + other.acknowledged,
            self.left_out + other.left_out,
        )

    def words(self) -> str:
        """The sum of everything that was done and found until now."""
        found = ", ".join(f"{self.found[what]} {what}" for what in FOUND)
        return f"in all: {_faults(self.faults)}; {self.acknowledged} acknowledged; {found}"


@dataclass(frozen=True)
class Outcome:
    """What a run came to, and where the evidence is that it keeps."""

    totals: Totals
    failed: bool
    caught: bool
    kept: tuple[Path, ...] = ()


def _say(line: str) -> None:
    print(line, flush=True)


def _of(kind: str, house: House) -> Counter[str]:
    """The faults of a house until now, which other threads go on counting."""
    return Counter({f"{kind} {fault}": n for fault, n in house.faults.copy().items()})


def _faults(done: Counter[str]) -> str:
    return ", ".join(f"{n} × {name}" for name, n in sorted(done.items())) or "nothing yet"
