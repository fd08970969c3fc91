"""Kinds of line over real names, labelled before the table was asked (`labelled_kinds.csv`)."""

import csv
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from app.reference_data.drugs import load_drugs
from app.reference_data.kinds import kind_in

HERE = Path(__file__).parent
DRUG = "drug"  # or unknown: what no word of a kind tells apart


@cache
def scored() -> dict[str, Counter[tuple[str, str]]]:
    """By sample, how often each kind that was labelled was told as each."""
    found: dict[str, Counter[tuple[str, str]]] = {}
    text = (HERE / "labelled_kinds.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for row in csv.DictReader(lines):
        has_drug = load_drugs().recognise(None, row["name"], None).drug is not None
        told = kind_in(row["name"], None, with_drug=has_drug) or DRUG
        meant = DRUG if row["kind"] == "unknown" else row["kind"]
        found.setdefault(row["sample"], Counter())[meant, told] += 1
    return found


@pytest.mark.parametrize(
    ("samples", "kind", "right", "wrong", "missed"),
    [
        (("recognised", "not recognised"), "fee or delivery", 13, 3, 0),
        (("recognised", "not recognised"), "device or consumable", 8, 0, 17),
        (("recognised", "not recognised"), "free of charge", 4, 0, 1),
        (("words",), "fee or delivery", 82, 4, 2),
        (("words",), "device or consumable", 16, 1, 8),
        (("words",), "free of charge", 34, 0, 2),
    ],
)
def test_kinds_are_told_as_well_as_was_measured(
    samples: tuple[str, ...], kind: str, right: int, wrong: int, missed: int
) -> None:
    pairs = sum((scored()[sample] for sample in samples), Counter[tuple[str, str]]())
    assert pairs[kind, kind] >= right
    assert sum(n for (meant, told), n in pairs.items() if told == kind != meant) <= wrong
    assert sum(n for (meant, told), n in pairs.items() if meant == kind != told) <= missed
