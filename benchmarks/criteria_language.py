"""Microseconds a form, with all findings: our generated function, a hand-written one, zen-engine.

Fifteen criteria over twenty-eight questions. The three take turns within one run, so that the
machine's moods fall on all alike; the ratio of the quickest repeats is what counts.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from app.policy import Section
from app.policy.present import findings
from benchmarks.criteria_by_hand import by_hand
from benchmarks.criteria_forms import Form, benchmark_policy, edge_forms, random_forms
from benchmarks.criteria_zen import results_of, zen_form, zen_function

MOST_TIMES_BY_HAND = 1.5
LEAST_TIMES_ZEN = 10
SLICE = 2_000
SEED = 20_260_101


def run(forms: int = 100_000) -> int:
    """Measure, print, and return 0 when every target is met."""
    version = benchmark_policy()
    generated = version.compiled.sections[Section.START].run
    population = [*edge_forms(version), *random_forms(version, forms, SEED)]
    zen = zen_function(version, with_findings=True)
    zen_results = zen_function(version, with_findings=False)
    for_zen = [zen_form(form) for form in population]
    disagreements = _disagreements(population, generated)
    zen_disagreements = sum(
        results_of(zen_results(json), len(version.start)) != generated(form)[: len(version.start)]
        for json, form in zip(for_zen, population, strict=True)
    )
    ours, hand, other, bare = _interleaved(
        (generated, population), (by_hand, population), (zen, for_zen), (zen_results, for_zen)
    )
    compiled = version.compiled.sections[Section.START]
    presented = _seconds(
        lambda form: findings(version.start, compiled, generated(form)), population[:SLICE]
    )
    print(f"{len(population):,} forms, {len(ours)} interleaved turns; µs a form, least / median")
    rows = (
        ("generated", ours),
        ("by hand", hand),
        ("zen-engine, guarded, same findings", other),
        ("zen-engine, guarded, the fifteen results only", bare),
    )
    for name, each in rows:
        print(f"  {name:46} {min(each) * 1e6:8.2f} / {statistics.median(each) * 1e6:8.2f}")
    print(f"  generated, with every finding made into objects: {presented * 1e6:.1f}")
    return _verdict(min(ours) / min(hand), min(other) / min(ours), disagreements, zen_disagreements)


def _disagreements(population: Sequence[Form], generated: Callable[[Form], Any]) -> int:
    """Forms for which the generated and the hand-written function return different values."""
    return sum(generated(form) != by_hand(form) for form in population)


def _interleaved(*rivals: tuple[Callable[[Any], Any], Sequence[Any]]) -> list[list[float]]:
    """Seconds a form of each rival, turn by turn; in each turn all take the same forms."""
    times: list[list[float]] = [[] for _ in rivals]
    for start in range(0, len(rivals[0][1]), SLICE):
        for place, (function, population) in enumerate(rivals):
            times[place].append(_seconds(function, population[start : start + SLICE]))
    return times


def _seconds(function: Callable[[Any], Any], population: Sequence[Any]) -> float:
    """Seconds a form."""
    start = time.perf_counter()
    for form in population:
        function(form)
    return (time.perf_counter() - start) / len(population)


def _verdict(by_hand_ratio: float, zen_ratio: float, wrong: int, zen_wrong: int) -> int:
    checks = [
        (
            f"{by_hand_ratio:.2f} × by hand (at most {MOST_TIMES_BY_HAND})",
            by_hand_ratio <= MOST_TIMES_BY_HAND,
        ),
        (
            f"{zen_ratio:.1f} × faster than zen-engine (at least {LEAST_TIMES_ZEN})",
            zen_ratio >= LEAST_TIMES_ZEN,
        ),
        (f"{wrong} forms differ from the hand-written function (none allowed)", wrong == 0),
        (f"{zen_wrong} forms differ from zen-engine's results (none allowed)", zen_wrong == 0),
    ]
    for text, met in checks:
        print(f"  {'met   ' if met else 'MISSED'} {text}")
    return 0 if all(met for _, met in checks) else 1


if __name__ == "__main__":
    sys.exit(run())
