"""Many earlier lines, counted by the SQL steps: what the plain functions say, to the last place."""

import os
import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.reconciliation import earlier_many, match_submission, summarise
from app.reconciliation.earlier import told_before
from app.reconciliation.engines import duckdb
from app.reconciliation.engines.before import Counted
from app.reconciliation.engines.before_sql import count_before
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.errors import EngineRanOut
from app.reconciliation.model import Earlier
from app.reconciliation.snapshots import digest_of
from tests.unit.reconciliation.builders import DRUGS_AND_ORGANISATIONS, FOLD
from tests.unit.reconciliation.earlier_files import KEY, Drawn, draw, looking, stored
from tests.unit.reconciliation.test_out_of_core import at_scale, said

SEEDS = range(int(os.environ.get("SEEDS", "8")))
ALL, NONE = 0, 10**9


def told(folder: Path, drawn: Drawn, most_plain: int, *, keyed: bool = False) -> Earlier:
    others, own = stored(folder, drawn)
    by = looking(folder, most_plain, KEY if keyed else None)
    return told_before(by, others, own, drawn.snapshot)


@pytest.mark.parametrize("keyed", [0, 0.5])
@pytest.mark.parametrize("seed", SEEDS)
def test_many_lines_come_to_what_the_plain_functions_make_of_them(
    tmp_path: Path, seed: int, keyed: float
) -> None:
    drawn = draw(random.Random(seed), keyed=keyed)
    plain, counted = (told(tmp_path, drawn, most, keyed=bool(keyed)) for most in (NONE, ALL))
    assert counted == plain
    digests = (digest_of(replace(drawn.snapshot, earlier=each)) for each in (plain, counted))
    assert len(set(digests)) == 1


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_every_line_after_them_comes_to_the_same_in_each_engine(tmp_path: Path, seed: int) -> None:
    drawn = draw(random.Random(seed), longest=Decimal(2))  # a sum of more places is in no table
    seen = [replace(drawn.snapshot, earlier=told(tmp_path, drawn, most)) for most in (NONE, ALL)]
    plain = match_submission(drawn.own, seen[0], *DRUGS_AND_ORGANISATIONS)
    assert duckdb.match_submission(drawn.own, seen[1], *DRUGS_AND_ORGANISATIONS) == plain
    decided, matched = at_scale(tmp_path, drawn.own, seen[1])
    assert [said(each) for each in matched] == [said(each) for each in plain]
    assert decided.summary == summarise(plain, FOLD)


def test_what_the_steps_count_is_among_what_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the two would agree because the plain functions had all of it."""
    seen = Counter[str]()

    def spy(*args: Any, **named: Any) -> tuple[Counted, list[int]]:
        counted, apart = count_before(*args, **named)
        seen.update(used=len(counted.used), stated=len(counted.stated), apart=len(apart))
        seen.update(spaced=len(counted.spaced))
        return counted, apart

    monkeypatch.setattr(earlier_many, "count_before", spy)
    drawn = [draw(random.Random(seed)) for seed in range(4)]
    for n, each in enumerate(drawn):
        (folder := tmp_path / str(n)).mkdir()
        found = told(folder, each, ALL)
        seen.update(charges=len(found.charges), supplies=len(found.supplies))
    assert min(seen[name] for name in ("used", "stated", "spaced", "apart")) > 5
    assert seen["charges"] > 0
    units = {x.quantity_unit for each in drawn for x in each.snapshot.coverages}
    assert len(units) > 2


def test_a_number_that_the_tables_do_not_hold_among_the_approvals_leaves_all_to_the_plain_functions(
    tmp_path: Path,
) -> None:
    drawn = draw(random.Random(3))
    wide = replace(drawn.snapshot.coverages[0], unit_price_cap=Decimal("0.123456789"))
    held = replace(drawn.snapshot, coverages=(wide, *drawn.snapshot.coverages))
    drawn = replace(drawn, snapshot=held)
    assert told(tmp_path, drawn, ALL) == told(tmp_path, drawn, NONE)


def test_too_little_memory_is_told_and_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    drawn = draw(random.Random(1))
    others, own = stored(tmp_path, drawn)
    by = looking(tmp_path, ALL)
    small = replace(by, machine=Machine("2MB", threads=1, spill_to=tmp_path / "spill"))
    with pytest.raises(EngineRanOut):
        told_before(small, others, own, drawn.snapshot)
    assert not [path for path in (tmp_path / "spill").glob("runs/*") if path.is_dir()]
