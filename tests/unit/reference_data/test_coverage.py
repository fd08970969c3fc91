"""What is told of a list of names: each counted once, and by which way it was recognised."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from app.reference_data.coverage import Came, Named, coverage_of
from app.reference_data.drugs import load_drugs

HERE = Path(__file__).parent
SAMPLES = {"recognised": 200, "not recognised": 200}


@pytest.mark.parametrize(
    ("name", "code", "came"),
    [
        ("ADALIMUMAB 40mg", "", Came.NAME),
        ("ADALIMUMAB (HUMIRA)", "", Came.NAME),
        ("HUMIRA", "", Came.BRAND),
        ("ADALIMIMAB", "", Came.MISSPELLING),
        ("", "11762011000001101", Came.CODE),
        ("HUMIRA", "11762011000001101", Came.CONFLICT),
        ("HUMIRA / ENBREL", "", Came.SEVERAL),
        ("ADALIMUM", "", Came.SUGGESTED),
        ("DELIVERY CHARGE", "", Came.MARKED),
        ("home delivery renal", "", Came.UNKNOWN),
        ("FROBNICAB", "", Came.UNKNOWN),
    ],
)
def test_a_name_comes_to_one_thing(name: str, code: str, came: Came) -> None:
    found = coverage_of([Named(name, code)], load_drugs())
    assert [way for way, share in found.came.items() if share.names] == [came]


def test_names_add_up_and_the_dearest_that_is_not_known_is_first() -> None:
    listed = [
        Named("HUMIRA 40mg (2)", "", 3, Decimal("700.10")),
        Named("FROBNICAB", "", 1, Decimal("5.00")),
        Named("FROBNICAB", "", 2, Decimal("6.00")),
        Named("ZZQUUX cream", "", 9, Decimal("10.99")),
        Named("aaquux cream", "", 9, Decimal("10.99")),
    ]
    found = coverage_of(listed, load_drugs())
    assert (found.all.names, found.all.lines, found.all.pounds) == (4, 24, Decimal("733.08"))
    assert sum(share.names for share in found.came.values()) == 4
    assert sum((share.pounds for share in found.came.values()), Decimal()) == found.all.pounds
    assert found.recognised.pounds == Decimal("700.10")
    assert found.parsed == {"product": 1, "strength": 1, "form": 0, "pack": 1}
    assert list(found.by_drug) == ["adalimumab"]
    left = [each.named.name for each in found.not_recognised]
    assert left == ["FROBNICAB", "aaquux cream", "ZZQUUX cream"]
    assert found.unknown_words == {"aaquux": 1, "frobnicab": 1, "zzquux": 1}


def fresh() -> list[dict[str, str]]:
    text = (HERE / "fresh_spellings.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def test_of_fresh_names_none_is_recognised_as_another_drug_than_a_reader_sees() -> None:
    rows = fresh()
    assert {s: sum(r["sample"] == s for r in rows) for s in SAMPLES} == SAMPLES
    said = {r["name"]: load_drugs().recognise(None, r["name"], None).drug or "" for r in rows}
    wrong = {r["name"]: said[r["name"]] for r in rows if said[r["name"]] not in ("", r["drug"])}
    missed = [r["name"] for r in rows if r["drug"] and not said[r["name"]]]
    assert wrong == {}
    assert len(missed) == 15, "a synonym was learnt from the sample, or one was lost"


def test_the_fresh_names_are_in_no_other_labelled_file() -> None:
    others = set()
    for file in ("labelled_spellings.csv", "held_out_spellings.csv"):
        text = (HERE / file).read_text(encoding="utf-8")
        lines = (line for line in text.splitlines() if not line.startswith("#"))
        others |= {row["name"].strip().casefold() for row in csv.DictReader(lines)}
    assert len(others) > 1000
    assert not others & {row["name"].strip().casefold() for row in fresh()}
