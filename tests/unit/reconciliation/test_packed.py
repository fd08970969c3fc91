"""Many approvals are held small, and each is found again as it came, whatever it shares."""

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from decimal import Decimal

import pytest

from app.reconciliation import Coverage, Snapshot, match_submission
from app.reconciliation.engines import coverage_tables as coverage_rows
from app.reconciliation.engines import packed
from app.reconciliation.engines.coverage_tables import coverage_tables
from app.reconciliation.engines.index import coverage_order, in_order, index_snapshot
from app.reconciliation.engines.packed import Packed, pack
from app.reconciliation.engines.told import allowance_of
from app.reconciliation.model import DoseLimit
from app.reconciliation.snapshots import digest_of
from tests.unit.reconciliation import nasty
from tests.unit.reconciliation.builders import DRUGS_AND_ORGANISATIONS, coverage, snapshot

DAY = dt.date(2025, 4, 1)


@pytest.fixture(autouse=True)
def few_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of millions: few lie together, and most fields have more values than are shared."""
    monkeypatch.setattr(packed, "AS_OBJECTS", 0)
    monkeypatch.setattr(packed, "TOGETHER", 7)
    monkeypatch.setattr(packed, "SHARED", 3)
    monkeypatch.setattr(coverage_rows, "TOGETHER", 5)


def drawn(seed: int) -> Snapshot:
    snap: Snapshot = nasty.packed(random.Random(seed), 12)[1]
    return snap


def written(coverages: Sequence[Coverage]) -> list[str]:
    """All that they say, as it is written: 1.50 is not 1.5."""
    names = [field.name for field in fields(Coverage)]
    return [
        "; ".join(
            str(sorted(value)) if isinstance(value, frozenset) else repr(value)
            for value in (getattr(each, name) for name in names)
        )
        for each in coverages
    ]


def shuffled(coverages: Sequence[Coverage]) -> Iterator[Coverage]:
    return iter(random.Random(7).sample(coverages, len(coverages)))


@pytest.mark.parametrize("seed", range(6))
def test_each_comes_back_as_it_went_in_and_in_order(seed: int) -> None:
    coverages = tuple(sorted(drawn(seed).coverages, key=coverage_order))
    held = pack(shuffled(coverages))
    assert isinstance(held, Packed)
    assert written(held) == written(coverages)
    assert [written([held[n]]) for n in range(len(held))] == [written([c]) for c in coverages]
    assert written(held[3:9]) == written(coverages[3:9])
    assert written(in_order(tuple(shuffled(coverages)))) == written(coverages)


def test_those_of_one_approval_and_day_are_in_order_of_all_that_they_say() -> None:
    days = [dt.date(2026, month, 1) for month in (3, 1, 2, 5, 4)]
    alike = [coverage(treatment_id=id_, to=day) for id_ in ("T2", "T1") for day in days]
    alone = coverage(treatment_id="T15")
    held = pack(iter([*alike, alone]))
    assert written(held) == written(sorted([*alike, alone], key=coverage_order))
    number = alone.nhs_number
    assert number is not None
    assert written(index_snapshot(replace(snapshot(), coverages=held)).by_nhs[number]) == written(
        held
    )


def test_equal_amounts_that_are_written_otherwise_stay_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packed, "SHARED", 100)
    said = ("12", "12.0", "12.00", "1.2E+1")
    capped = [
        coverage(treatment_id=f"T{n}", quantity_cap=Decimal(cap)) for n, cap in enumerate(said)
    ]
    dosed = [
        coverage(
            treatment_id=f"U{n}",
            dose_limits=(DoseLimit(DAY, None, Decimal(cap), "mg", Decimal(28)),),
        )
        for n, cap in enumerate(said)
    ]
    both = [*capped, *dosed]
    assert written(pack(iter(both))) == written(both)


@pytest.mark.parametrize("seed", range(6))
def test_every_key_leads_to_the_same_approvals_in_the_same_order(seed: int) -> None:
    snap = drawn(seed)
    plain = index_snapshot(snap)
    small = index_snapshot(replace(snap, coverages=pack(shuffled(snap.coverages))))
    for one, other in (
        (plain.by_nhs, small.by_nhs),
        (plain.by_local, small.by_local),
        (plain.by_reference, small.by_reference),
    ):
        assert len(one) > 3
        assert set(one) == set(other)
        assert len(one) == len(other)
        for key in one:
            assert written(one[key]) == written(other[key])  # type: ignore[index]
    assert small.by_nhs.get("9990000000", ()) == ()
    assert small.by_local.get(("DEMO1", ""), ()) == ()


def test_pairs_that_are_alike_when_joined_are_two_keys() -> None:
    first = coverage(treatment_id="T1", local_ids=frozenset({("DEM", "O1A")}))
    second = coverage(treatment_id="T2", local_ids=frozenset({("DEMO", "1A")}))
    index = index_snapshot(snapshot(first, second))
    small = index_snapshot(replace(snapshot(), coverages=pack(iter([first, second]))))
    assert dict(small.by_local) == dict(index.by_local)
    assert [len(found) for found in small.by_local.values()] == [1, 1]


@pytest.mark.parametrize("shared", [3, 100])
@pytest.mark.parametrize("seed", range(6))
def test_the_digest_of_what_was_seen_is_the_same(
    seed: int, shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "SHARED", shared)
    snap = drawn(seed)
    assert digest_of(replace(snap, coverages=pack(shuffled(snap.coverages)))) == digest_of(snap)


def test_the_digest_is_the_same_of_ids_whose_texts_sort_otherwise() -> None:
    """In a text an id is followed by a quote, which sorts after a blank and an exclamation mark."""
    ids = ("T", "T 1", "T!", "T'", 'T"', "T1", "Tä")
    several = tuple(coverage(treatment_id=id_, approval_reference=f"P{id_}") for id_ in ids)
    snap = snapshot(*several)
    assert digest_of(replace(snap, coverages=pack(iter(several)))) == digest_of(snap)


@pytest.mark.parametrize("seed", range(6))
def test_the_tables_that_the_steps_read_are_the_same(seed: int) -> None:
    snap = drawn(seed)
    percents = [Decimal(5), Decimal(10)]
    used = {allowance_of(each): Decimal(n) for n, each in enumerate(snap.coverages)}
    plain = coverage_tables(in_order(snap.coverages), used, percents)
    small = coverage_tables(pack(shuffled(snap.coverages)), used, percents)
    assert plain["cap_tolerated"].num_rows > 3
    assert {name: table.to_pylist() for name, table in plain.items()} == {
        name: table.to_pylist() for name, table in small.items()
    }


def test_an_allowance_is_counted_once_over_all_coverages_of_its_approval() -> None:
    """Also over one without a cap, which comes first."""
    first = coverage(treatment_id="T1", approval_reference="PA1", quantity_unit="vial")
    capped = replace(first, from_=first.from_ + dt.timedelta(1), quantity_cap=Decimal(12))
    other = replace(first, treatment_id="T2", approval_reference="PA2")
    for several in ((first, capped, other), pack(iter((first, capped, other)))):
        made = coverage_tables(several)
        assert made["coverage"].column("allowance").to_pylist() == [0, 0, None]
        assert made["capped_allowance"].column("allowance").to_pylist() == [0]


@pytest.mark.parametrize("seed", range(4))
def test_the_plain_engine_says_the_same_of_every_line(seed: int) -> None:
    lines, snap = nasty.packed(random.Random(seed), 12)
    small = replace(snap, coverages=pack(shuffled(snap.coverages)))
    plain = match_submission(lines, snap, *DRUGS_AND_ORGANISATIONS)
    assert match_submission(lines, small, *DRUGS_AND_ORGANISATIONS) == plain


def test_few_approvals_stay_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "AS_OBJECTS", 2)
    two = (coverage(treatment_id="T2"), coverage(treatment_id="T1"))
    assert pack(iter(two)) == two
    assert isinstance(pack(iter((*two, coverage(treatment_id="T3")))), Packed)
