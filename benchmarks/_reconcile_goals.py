"""The goals of reconciliation at scale, as data, and whether what was measured meets them.

A time says something only of the machine it was taken on, so a goal that is missed is said and
fails nothing; a line that differs between engines fails the benchmark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks._reconcile_cost import Cost


@dataclass(frozen=True, slots=True)
class Goal:
    """At most so many times the floor, in less memory of the process than this.

    `memory` is what DuckDB is given for it (`memory_limit`), which is its own share only.
    """

    gigabytes: float
    times: float
    memory: str


#: Stated for 10 M lines against 3 M approvals, and looked at for each size.
GOALS: Final = (Goal(5.0, 4.0, "4GB"), Goal(2.0, 7.0, "1500MB"))
#: What a line may cost at the greater of two sizes, beside the smaller: linear, and a tenth by
#: which one run differs from the next.
GROWTH: Final = 1.1


@dataclass(frozen=True, slots=True)
class Measured:
    """One part at one size under one goal."""

    part: str
    lines: int
    goal: Goal
    cost: Cost
    floor: Cost
    differing: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that was asked, in words, and whether it is met; None where it was not measured."""

    words: str
    met: bool | None

    def __str__(self) -> str:
        said = {True: "met", False: "missed", None: "not measured"}[self.met]
        return f"{said:12} {self.words}"


def verdicts(found: Measured, before: Measured | None) -> Iterator[Verdict]:
    """What is asked of one measurement; `before` is the same of the size before it."""
    goal, cost, floor = found.goal, found.cost, found.floor
    for clock, took, least in (("the clock", cost.wall, floor.wall),
                               ("the processor", cost.cpu, floor.cpu)):  # fmt: skip
        times = took / least
        words = f"{times:.1f} x the floor by {clock} (at most {goal.times:.0f})"
        yield Verdict(words, times <= goal.times)
    words = f"{cost.peak:.2f} GB at the peak (below {goal.gigabytes:.0f})"
    yield Verdict(words, cost.peak < goal.gigabytes)
    if before is not None:
        grown = (cost.cpu / found.lines) / (before.cost.cpu / before.lines)
        words = f"{grown:.2f} x the processor a line of {before.lines:,} lines (at most {GROWTH})"
        yield Verdict(words, grown <= GROWTH)
    else:
        yield Verdict("growth: no smaller size in this run", None)
    if found.differing is None:
        yield Verdict("lines that differ: not compared", None)
    else:
        yield Verdict(f"{found.differing:,} lines differ (none may)", found.differing == 0)


def exit_code(measured: Sequence[Measured]) -> int:
    """1 where any line differs, whatever was met and missed beside it."""
    return 1 if any(each.differing for each in measured) else 0
