"""Precision and recall of linkage proposals on invented people: SYNTHETIC, no real record.

`python -m benchmarks.linkage` reports the packaged parameters on a world that they were neither
trained nor tuned on, with other seeds and other habits of error. `--train` makes the parameters
again: m from true pairs and u from random ones of the training world, the threshold from a second
draw of the training world.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from app.reconciliation.engines.index import Folder, index_snapshot
from app.reconciliation.engines.plain import match_submission
from app.reconciliation.engines.prepare import prepare
from app.reconciliation.line_keys import keys_of
from app.reconciliation.linkage import comparing
from app.reconciliation.linkage.comparing import FIELDS, MODEL, compare, labels_of, parameters_of
from app.reconciliation.linkage.model import Compared, Sought
from app.reconciliation.linkage.seeking import approvals_of, find_seekers, held_of
from app.reconciliation.linkage.weighing import Judge, Matter, propose
from app.reconciliation.model import PolicyHeld, Snapshot
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from benchmarks._linkage_people import KINDS, REPORTED, TRAINING, World, make_world

PEOPLE, LINES = 8_000, 3_000
#: What the threshold must promise on the world that it is chosen on: the lower end of its interval.
PRECISION = 0.99
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
U_PAIRS = 2_000_000
FILE = Path(comparing.__file__).with_name(f"{MODEL}.json")


@dataclass
class Read:
    """A world as the service sees it, with every pair compared."""

    world: World
    matter: Matter
    compared: Sequence[Compared]
    seconds: float
    matched: int


def read(world: World, parameters: dict[str, Any]) -> Read:
    """Match the lines as a run does, seek for those that nothing was found for, and compare."""
    dictionary, organisations = load_drugs(), load_organisations()
    lines = [replace(line, total_cost=Decimal("100.00")) for line in world.lines]
    snapshot = Snapshot(tuple(world.coverages), (), (), world.lines[0].supply_date)
    matched = match_submission(lines, _with_policies(snapshot), dictionary, organisations)
    prepared = prepare(lines, dictionary, Folder(organisations), snapshot.as_at, "")
    index = index_snapshot(snapshot)
    approvals = approvals_of(snapshot.coverages)
    seekers = find_seekers(matched, prepared, index, approvals)
    started = time.perf_counter()
    compared = compare(seekers.lines, held_of(approvals, world.practices), parameters)
    seconds = time.perf_counter() - started
    found = sum(1 for each in matched if each.found_by)
    return Read(world, Matter(seekers, prepared, keys_of(lines), index), compared, seconds, found)


def _with_policies(snapshot: Snapshot) -> Snapshot:
    first = min(c.from_ for c in snapshot.coverages)
    drugs = sorted({c.drug for c in snapshot.coverages})
    return replace(snapshot, policies=tuple(PolicyHeld(d, True, first, None, "any") for d in drugs))


@dataclass
class Score:
    """How the lines of one kind came out. `held`: those whose patient has an approval here."""

    lines: int = 0
    held: int = 0
    right: int = 0
    wrong: int = 0
    ambiguous: int = 0
    among: int = 0  # ambiguous, the right one among them


def score(found: Read, judge: Judge) -> dict[str, Score]:
    """Kind → score, and 'all'. Counted are lines that no pass matched."""
    proposed = {p.row: p for p in propose(judge, found.matter, found.compared).proposals}
    scores = {kind: Score() for kind in (*KINDS, "all")}
    for sought in found.matter.seekers.lines:
        truth, kind = found.world.truth[sought.position], found.world.kinds[sought.position]
        made = proposed.get(sought.position + 1)
        names = {c.treatment_id for c in made.candidates} if made else set()
        for one in (scores[kind], scores["all"]):
            one.lines += 1
            one.held += truth is not None
            if len(names) == 1:
                one.right += truth in names
                one.wrong += truth not in names
            elif names:
                one.ambiguous += 1
                one.among += truth in names
    return scores


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share."""
    if of == 0:
        return 0.0, 1.0
    z, p = 1.96, hits / of
    middle, spread = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)
    return max(low, 0.0), min(high, 1.0)


def _share(hits: int, of: int) -> str:
    if of == 0:
        return "-".rjust(22)
    low, high = interval(hits, of)
    return f"{hits / of:.4f} [{low:.4f}, {high:.4f}]".rjust(22)


def train() -> dict[str, Any]:
    """Parameters from the training world. The threshold comes from a second draw of it."""
    world = make_world(TRAINING, PEOPLE, LINES)
    blank = {n: {label: {"m": 0.5, "u": 0.5} for label in labels_of(n)} for n in FIELDS}
    seen = read(world, blank)
    held = {h.treatment: h for h in held_of(seen.matter.seekers.approvals, world.practices)}
    lines = seen.matter.seekers.lines
    true = [(s, held[t]) for s in lines if (t := world.truth[s.position]) is not None]
    made: dict[str, Any] = {
        "model": MODEL,
        "made_from": "invented people only (benchmarks/_linkage_people.py, TRAINING)",
        "seed": TRAINING.seed,
        "true_pairs": len(true),
        "random_pairs": U_PAIRS,
        **_probabilities(lines, list(held.values()), true),
        "chance_here": round(0.98 * _share_held(seen), 3),
        "chance_elsewhere": round(0.02 * _share_held(seen), 4),
        "margin_bits": 5.0,
        "threshold": 0.5,
    }
    other = make_world(replace(TRAINING, seed=TRAINING.seed + 1), PEOPLE, LINES)
    made["threshold_seed"] = TRAINING.seed + 1
    tuned = read(other, made)
    made["threshold"] = _threshold(tuned, Judge.of(made))
    of_all = score(tuned, Judge.of(made))["all"]
    low, high = interval(of_all.right, of_all.right + of_all.wrong)
    made["threshold_precision_there"] = [round(low, 4), round(high, 4)]
    return made


def _share_held(seen: Read) -> float:
    truths = [seen.world.truth[s.position] for s in seen.matter.seekers.lines]
    return sum(t is not None for t in truths) / len(truths)


def _probabilities(lines: Sequence[Sought], held: list[Any], true: list[Any]) -> dict[str, Any]:
    """m and u of each level, by Splink; nothing rarer than three in as many pairs as were seen."""
    settings = comparing.settings_of(None)
    linker = comparing.linker_of(lines, held, settings)
    api = linker._db_api
    labels = [
        {
            "source_dataset_l": "a_lines",
            "unique_id_l": str(sought.position),
            "source_dataset_r": "b_held",
            "unique_id_r": one.treatment,
        }
        for sought, one in true
    ]
    linker.training.estimate_u_using_random_sampling(
        max_pairs=U_PAIRS, seed=TRAINING.seed, min_count_per_level=None
    )
    table = api.register(pa.Table.from_pylist(labels), dataset_display_name="labels")
    linker.training.estimate_m_from_pairwise_labels(table)
    model = linker.misc.save_model_to_json()
    found: dict[str, Any] = {}
    for comparison in model["comparisons"]:
        levels = [
            level for level in comparison["comparison_levels"] if not level.get("is_null_level")
        ]
        found[comparison["output_column_name"]] = {
            level["label_for_charts"]: {
                "m": _at_least(level.get("m_probability"), 3 / len(true)),
                "u": _at_least(level.get("u_probability"), 3 / U_PAIRS),
            }
            for level in levels
        }
    return found


def _at_least(value: Any, least: float) -> float:
    return float(f"{max(value if isinstance(value, float) else 0.0, least):.3g}")


def _threshold(seen: Read, judge: Judge) -> float:
    """The lowest threshold whose precision's lower bound holds; the highest if none does."""
    for threshold in THRESHOLDS:
        of_all = score(seen, replace(judge, threshold=threshold))["all"]
        if interval(of_all.right, of_all.right + of_all.wrong)[0] >= PRECISION:
            return threshold
    return THRESHOLDS[-1]


def report(people: int = PEOPLE, lines: int = LINES) -> dict[str, Score]:
    """Print what the packaged parameters do on the reported world."""
    parameters = parameters_of()
    judge = Judge.of(parameters)
    seen = read(make_world(REPORTED, people, lines), parameters)
    print(
        "SYNTHETIC: invented people and invented errors; nothing here was measured on real records"
    )
    print(
        f"{len(seen.world.coverages):,} treatments; {lines:,} lines, {seen.matched:,} matched by "
        f"the passes, {len(seen.matter.seekers.lines):,} sought for; "
        f"{len(seen.compared):,} pairs compared in {seen.seconds:.1f} s"
    )
    print(
        f"model {judge.model}, threshold {judge.threshold} (chosen on seeds {TRAINING.seed} and "
        f"{TRAINING.seed + 1}, precision there {parameters['threshold_precision_there']}; "
        f"reported on seed {REPORTED.seed}, whose errors are of other kinds)"
    )
    scores = score(seen, judge)
    print(
        f"\n{'kind':<16}{'lines':>6}{'held':>6}{'right':>6}{'wrong':>6}{'alike':>6}"
        f"{'(in it)':>8}  {'precision':>22}  {'recall':>22}"
    )
    for kind, one in scores.items():
        print(_row(kind, one))
    print(
        f"\n{'threshold':<16}{'lines':>6}{'held':>6}{'right':>6}{'wrong':>6}{'alike':>6}"
        f"{'(in it)':>8}  {'precision':>22}  {'recall':>22}"
    )
    for threshold in THRESHOLDS:
        print(_row(str(threshold), score(seen, replace(judge, threshold=threshold))["all"]))
    return scores


def _row(name: str, one: Score) -> str:
    return (
        f"{name:<16}{one.lines:>6}{one.held:>6}{one.right:>6}{one.wrong:>6}{one.ambiguous:>6}"
        f"{one.among:>8}  {_share(one.right, one.right + one.wrong):>22}  "
        f"{_share(one.right, one.held):>22}"
    )


def run(people: int = PEOPLE) -> int:
    """Print the report; non-zero where fewer than 95 proposals in 100 are right."""
    of_all = report(people, max(people * LINES // PEOPLE, 500))["all"]
    return 0 if of_all.right >= 0.95 * (of_all.right + of_all.wrong) else 1


def main() -> int:
    """Report, or train and write the parameters."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.linkage", description=__doc__)
    parser.add_argument("--train", action="store_true", help=f"write {FILE.name} again")
    if parser.parse_args().train:
        FILE.write_text(json.dumps(train(), indent=1) + "\n", encoding="utf-8")
        parameters_of.cache_clear()
    return run()


if __name__ == "__main__":
    sys.exit(main())
