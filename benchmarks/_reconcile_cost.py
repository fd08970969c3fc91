"""What a part of the benchmark costs: a process of its own, and the stages within it.

Peak memory is what the process itself reads of its own status (VmHWM). What the system tells of a
child that ended begins with the memory of the process that it was made from.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")
_FORGET_THE_PEAK: Final = "5"
#: How the last line begins in which a part tells its peak.
_TOLD: Final = "cost: "


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of the clock and of the processors, and GB at the peak."""

    wall: float
    cpu: float
    peak: float
    said: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.wall:8.1f} s  {self.cpu:8.1f} CPU s  {self.peak:5.2f} GB"


def cost_of(part: Sequence[str], *, path: Path | None = None, with_children: bool = False) -> Cost:
    """Run a part of `benchmarks.reconcile` in a process of its own.

    `path` is put before what Python looks for modules in, for this process alone. Of a part that
    starts processes (Spark's) the largest of them counts. Raises SystemExit where the part fails.
    """
    command = [sys.executable, "-m", "benchmarks.reconcile", *part]
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(path)])
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert child.stdout is not None
    *said, told = child.stdout.read().splitlines() or [""]
    _, status, used = os.wait4(child.pid, 0)
    if status or not told.startswith(_TOLD):
        raise SystemExit(f"{' '.join(part[:2])} failed")
    wall = time.perf_counter() - started
    peak, wall_apart, cpu_apart = map(float, told.removeprefix(_TOLD).split())
    if with_children:
        peak = max(peak, used.ru_maxrss * 1024 / 1e9)
    cpu = used.ru_utime + used.ru_stime
    return Cost(wall - wall_apart, cpu - cpu_apart, peak, tuple(said))


def tell_peak(highest: float = 0.0, apart: tuple[float, float] = (0.0, 0.0)) -> None:
    """The last line of a part; `highest` is the highest of its stages, which forget their peaks.

    `apart` are seconds of the clock and the processors that are no part of its cost.
    """
    print(f"{_TOLD}{max(highest, peak()):.3f} {apart[0]:.3f} {apart[1]:.3f}", flush=True)


def peak() -> float:
    """The most memory that this process has held, in GB."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text("ascii"), re.MULTILINE)
    assert found is not None
    return int(found.group(1)) * 1024 / 1e9


@dataclass(slots=True)
class Stages:
    """What each stage of a part took, in their order; one within another is not told in it."""

    costs: dict[str, Cost] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what is done within. Stages lie one after the other, not in each other."""
        _CLEAR.write_text(_FORGET_THE_PEAK, "ascii")
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        took = Cost(time.perf_counter() - wall, time.process_time() - cpu, peak())
        before = self.costs.get(name, Cost(0, 0, 0))
        self.costs[name] = Cost(
            before.wall + took.wall, before.cpu + took.cpu, max(before.peak, took.peak)
        )

    def watch(self, module: Any, function: str, name: str) -> None:
        """Measure each call of a function of the program as a stage, by the name it is called by.

        The function stays what it is: only the module that calls it looks it up here.
        """
        called: Callable[..., Any] = getattr(module, function)

        def measured(*given: Any, **named: Any) -> Any:
            with self.stage(name):
                return called(*given, **named)

        setattr(module, function, measured)

    def highest(self) -> float:
        """The highest of their peaks, in GB."""
        return max((cost.peak for cost in self.costs.values()), default=0.0)

    def tell(self) -> None:
        """A line for each, which `stages_told` reads."""
        for name, cost in self.costs.items():
            print(json.dumps({"stage": name, "took": [cost.wall, cost.cpu, cost.peak]}))


def stages_told(said: Sequence[str]) -> tuple[dict[str, Cost], tuple[str, ...]]:
    """The stages of a part among what it said, and what else it said."""
    costs, others = {}, []
    for line in said:
        if line.startswith('{"stage"'):
            told = json.loads(line)
            costs[told["stage"]] = Cost(*told["took"])
        else:
            others.append(line)
    return costs, tuple(others)
