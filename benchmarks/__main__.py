"""Runs every benchmark; exits non-zero if one misses its target.

A benchmark is a module of this package with a function `run() -> int`, non-zero on a miss. One that
takes a size also runs with `--quick`, on little, to show that it runs: its ratios mean nothing
then, and a miss is told but fails nothing.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

QUICK_SIZE = 5_000


def main() -> int:
    """Run every benchmark in turn, and name those that missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run on little; fail nothing")
    quick = parser.parse_args().quick
    missed = []
    for found in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda it: it.name):
        if found.name.startswith("_"):
            continue
        run = getattr(importlib.import_module(f"benchmarks.{found.name}"), "run", None)
        if run is None:
            continue
        print(f"\n== {found.name}")
        sized = quick and bool(inspect.signature(run).parameters)
        if quick and not sized:
            print("left out of a quick run: it cannot run on little")
            continue
        if (run(QUICK_SIZE) if sized else run()) != 0:
            missed.append(found.name)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nevery target is met")
    return 1 if missed and not quick else 0


if __name__ == "__main__":
    sys.exit(main())
