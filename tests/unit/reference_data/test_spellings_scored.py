"""Recall and precision of recognition over real spellings, labelled apart from the synonyms."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.reference_data.data_files import read_rows
from app.reference_data.drugs import load_drugs
from app.reference_data.kinds import kind_in

HERE = Path(__file__).parent
DRUGS = ("natalizumab", "obeticholic-acid", "adalimumab", "immunoglobulin")
PARTS = ("seen", "held out")
_KINDS = {
    "fee": "fee or delivery",
    "device": "device or consumable",
    "credit": "credit or rebate",
    "free of charge": "free of charge",
}


@dataclass(frozen=True)
class Labelled:
    name: str
    drug: str
    part: str


def labelled() -> Iterator[Labelled]:
    text = (HERE / "labelled_spellings.csv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    for row in csv.DictReader(lines):
        yield Labelled(row["name"], row["drug"], row["part"])


def score(part: str, drug: str) -> tuple[int, int, int]:
    """True positives, false positives, false negatives."""
    dictionary = load_drugs()
    true = false = missed = 0
    for row in labelled():
        if row.part != part:
            continue
        said = dictionary.recognise(None, row.name, None).drug == drug
        meant = row.drug == drug
        true, false, missed = (
            true + (said and meant),
            false + (said > meant),
            missed + (meant > said),
        )
    return true, false, missed


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("drug", DRUGS)
def test_no_drug_with_a_policy_is_recognised_where_it_is_not_named(part: str, drug: str) -> None:
    true, false, _ = score(part, drug)
    assert true > 0
    assert false == 0


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("drug", DRUGS)
def test_nearly_every_real_spelling_is_recognised(part: str, drug: str) -> None:
    true, _, missed = score(part, drug)
    assert true / (true + missed) >= 0.98


def test_the_sample_is_large_and_holds_hard_negatives() -> None:
    rows = list(labelled())
    assert len(rows) >= 600
    assert sum(row.drug == "" for row in rows) >= 200
    assert {row.part for row in rows} == set(PARTS)
    assert {row.drug for row in rows} == {"", *DRUGS}


def test_demonstration_spellings_are_recognised_as_they_are_labelled() -> None:
    dictionary = load_drugs()
    for row in read_rows("demo_spellings.csv", ("name", "drug", "about")):
        name, about = row.cells["name"], row.text("about")
        found = dictionary.recognise(None, name, None).drug
        assert (found if found in DRUGS else "") == row.text("drug"), name
        told = kind_in(name, None, with_drug=found is not None)
        allowed = {"not a drug"} if about == "other" else set()
        assert told in {_KINDS.get(about), *allowed}, name
