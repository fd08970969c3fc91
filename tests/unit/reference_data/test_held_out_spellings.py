"""Real spellings labelled before the dictionary was asked: every drug of the policy library.

Who labelled them and how is at the head of `held_out_spellings.csv`.
"""

import csv
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from app.reference_data.drugs import load_drugs

HERE = Path(__file__).parent
POLICIES = HERE.parents[2] / "policies"
SAMPLES = ("any", "likely")


class Labelled(NamedTuple):
    name: str
    drug: str
    sample: str


@cache
def labelled() -> tuple[Labelled, ...]:
    text = (HERE / "held_out_spellings.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(Labelled(row["name"], row["drug"], row["sample"]) for row in csv.DictReader(lines))


@cache
def policy_drugs() -> frozenset[str]:
    files = (path.read_text(encoding="utf-8") for path in POLICIES.rglob("*.yaml"))
    return frozenset(found for text in files for found in re.findall(r"^drug: (\S+)", text, re.M))


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_name_is_recognised_as_another_drug_than_it_says(sample: str) -> None:
    wrong = {
        row.name: found
        for row in labelled()
        if row.sample == sample
        and (found := load_drugs().recognise(None, row.name, None).drug)
        and found != row.drug
    }
    assert wrong == {}


@pytest.mark.parametrize(("sample", "missed"), [("any", 2), ("likely", 0)])
def test_the_library_s_drugs_are_missed_no_more_often_than_was_measured(
    sample: str, missed: int
) -> None:
    meant = [r for r in labelled() if r.sample == sample and r.drug in policy_drugs()]
    found = [load_drugs().recognise(None, row.name, None).drug == row.drug for row in meant]
    assert len(meant) >= 50
    assert found.count(False) <= missed


def test_each_drug_and_brand_of_the_library_is_recognised_by_its_own_name() -> None:
    dictionary = load_drugs()
    for key in policy_drugs() - {"dexamethasone-intravitreal"}:
        drug = dictionary.drug(key)
        assert dictionary.recognise(None, f"{drug.name} 40mg", None).drug == key
    for key in policy_drugs():
        for product in dictionary.drug(key).products:
            found = dictionary.recognise(None, f"HC {product.name.upper()} inj", None)
            assert (found.drug, found.product) == (key, product.key)


@pytest.mark.parametrize(
    ("name", "drug"),
    [
        # a field's end
        ("HOMECARE - USTEKINUMAB (WEZENLA) 45 mg in 0.5mL Pr", "ustekinumab"),
        ("OMALIZUMAB (OMLYCLO) 150mg PFS", "omalizumab"),
        # the implant, and not the tablet, the eye drop or the ointment of the same ingredient
        ("DEXAMETHASONE!700mcg! INTRAVITREAL IMPLANT", "dexamethasone-intravitreal"),
        (
            "DEXAMETHASONE (OZURDEX) 700 microgram Intravitreal Implant",
            "dexamethasone-intravitreal",
        ),
        ("DEXAMETHASONE 2mg TABLETS", "dexamethasone"),
        ("FLUOCINOLONE ACETONIDE 190mcg IMPLANT", "fluocinolone"),
        ("FLUOCINOLONE ACETONIDE 0.00625% OINTMENT(Moderate)", None),
        # a second drug that was cut short
        ("chemo GEMCITABINE/CARBOPLAT D1", None),
        ("INFLIXIMAB / ADALIMUM", None),
        # a typing error only suggests
        ("TERIFLUMOMIDE", None),
    ],
)
def test_hard_names_give_the_drug_that_they_say_or_none(name: str, drug: str | None) -> None:
    assert load_drugs().recognise(None, name, None).drug == drug
