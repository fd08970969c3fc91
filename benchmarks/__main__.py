"""Runs every benchmark; exits non-zero if one misses its target.

A benchmark is a module of this package with a function `run() -> int`, non-zero on a miss.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main() -> int:
    """Run every benchmark in turn, and name those that missed."""
    missed = []
    for found in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda it: it.name):
        if found.name.startswith("_"):
            continue
        run = getattr(importlib.import_module(f"benchmarks.{found.name}"), "run", None)
        if run is None:
            continue
        print(f"\n== {found.name}")
        if run() != 0:
            missed.append(found.name)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nevery target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
