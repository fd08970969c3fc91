"""Loading the whole policy library, cold, as the service does: a fresh process, imports included.

The lock is trusted, so expressions are read later: the second figure is with all of them read and
every function made. Memory stands beside each.

The yardstick, in turns with it, is a fresh process that parses the same files with PyYAML's C
loader and checks nothing. Processor time is printed beside the clock's, for a busy machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

MOST_SECONDS = 2.0
ROUNDS = 5

Round = dict[str, float]

_SAY = """
used = resource.getrusage(resource.RUSAGE_SELF)
found.update(cpu=used.ru_utime + used.ru_stime, peak_mb=used.ru_maxrss / 1024)
print(json.dumps(found), flush=True)
"""
_LOAD = f"""
import json, resource, sys
from pathlib import Path
from app.approvals.library_files import load_library
from app.reference_data.drugs import load_drugs
before = resource.getrusage(resource.RUSAGE_SELF)
library = load_library(Path(sys.argv[1]), load_drugs().keys(), trusting_lock=True)
versions = library.all_versions()
found = dict(
    imports=before.ru_utime + before.ru_stime, before_mb=before.ru_maxrss / 1024,
    policies=len(library.policies()), versions=len(versions),
)
{_SAY}
for version in versions:
    version.compiled.complete()
{_SAY}
"""
_PARSE = f"""
import json, resource, sys, yaml
from pathlib import Path
paths = [p for p in Path(sys.argv[1]).glob("*/*/*.yaml") if p.name != "cases.yaml"]
held = [yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) for path in paths]
found = dict(versions=len(held))
{_SAY}
"""


def run() -> int:
    """Load the library in fresh processes, and say whether the best of them meets the target."""
    root = Path(__file__).resolve().parents[1]
    loads, parses = [], []
    for _ in range(ROUNDS):
        loads.append(_round(root, _LOAD))
        parses.append(_round(root, _PARSE))
    wall, parsed = (min(found, key=_of("wall")) for found in (loads, parses))
    cpu, parsed_cpu = (min(_of("cpu")(each) for each in found) for found in (loads, parses))
    versions = wall["versions"]
    print(f"  {wall['policies']:.0f} policies, {versions:.0f} versions; best of {ROUNDS} turns")
    _line("from start to library in memory", wall["wall"], cpu)
    _line("PyYAML alone, the same files", parsed["wall"], parsed_cpu)
    print(f"  {cpu / parsed_cpu:.2f} × the yardstick, by processor time")
    print(f"  imports {wall['imports']:.2f} s of it; {versions / cpu:.0f} versions a second of CPU")
    print(
        f"  memory {wall['peak_mb']:.0f} MB, of which the library "
        f"{wall['peak_mb'] - wall['before_mb']:.0f} MB (yardstick {parsed['peak_mb']:.0f} MB)"
    )
    print(
        f"  every function, made at a version's first decision and not here: "
        f"{wall['functions']:.2f} s, {wall['functions'] / versions * 1000:.1f} ms a version, "
        f"{wall['complete_mb'] - wall['peak_mb']:.0f} MB"
    )
    met = wall["wall"] < MOST_SECONDS
    print(f"  {'met   ' if met else 'MISSED'} {wall['wall']:.2f} s, under {MOST_SECONDS:.0f} s")
    return 0 if met else 1


def _line(name: str, wall: float, cpu: float) -> None:
    print(f"  {name:34} {wall:5.2f} s by the clock, {cpu:5.2f} s of processor")


def _of(key: str) -> Callable[[Round], float]:
    return lambda found: found[key]


def _round(root: Path, program: str) -> Round:
    """One process: the clock stops at its first line, before it makes any function."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", program, str(root / "policies")],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        said = process.stdout
        first = said.readline() if said else ""
        wall = time.perf_counter() - start
        rest = said.read() if said else ""
    if process.returncode != 0:
        raise RuntimeError("the process that loads the library failed; its words are above")
    found: Round = json.loads(first)
    if rest:
        complete: Round = json.loads(rest)
        found["functions"] = complete["cpu"] - found["cpu"]
        found["complete_mb"] = complete["peak_mb"]
    return {**found, "wall": wall}


if __name__ == "__main__":
    sys.exit(run())
