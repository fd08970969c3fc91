"""A closed month keeps count of what could not be tested: a line whose tests change has a delta."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.reconciliation import delta_report, standing_store, terms_loading
from app.reconciliation.delta_report import ClosedMonth
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.service import Desk
from app.reconciliation.slice_months import by_month
from app.reconciliation.slice_report import by_commissioner
from app.reconciliation.standing_store import Delta
from tests.integration.reconciliation.matching import line
from tests.integration.reconciliation.test_corrected_months import check_adds_up, run_large
from tests.integration.reconciliation.test_deltas import AFTER, JUNE, OTHER, deltas, match_again
from tests.integration.reconciliation.test_marked_slices import exempt
from tests.integration.reconciliation.test_runs import run
from tests.integration.reconciliation.test_slices import freeze, key, slices
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, World

#: Of a drug that needs no approval the contract and the commissioner are tested, where known.
EXEMPT = line(JUNE, total="70.25", **OTHER)
#: An approved line, of which some test cannot be made whatever is known.
APPROVED = line(JUNE)
FILE = csv_bytes([APPROVED, EXEMPT])
CONTRACTS = """provider,drug,basis,from,to,demonstration,source
DEMO1,*,pass-through,,,true,demonstration
"""
NO_CONTRACTS = CONTRACTS.splitlines()[0]
PAYERS = """drug,among,responsible,from,to,demonstration,source
adalimumab,DEMQ1;DEMQ2,DEMQ1,,,true,demonstration
"""


def contracts(world: World, desk: Desk, text: str) -> None:
    world.do(lambda w: terms_loading.load_contracts(w, COMMISSIONER, desk.dictionary, text))


@pytest.fixture(params=["in memory", "large"])
def sized(desk: Desk, tmp_path: Path, request: pytest.FixtureRequest) -> Desk:
    """A desk that holds lines in memory, and one that holds none."""
    if request.param == "in memory":
        return desk
    return holding_none(desk, tmp_path)


def holding_none(desk: Desk, folder: Path) -> Desk:
    matching = replace(desk.matching, spill_to=folder / "spill", most_lines=0)
    return replace(desk, matching=matching)


def close(world: World, desk: Desk) -> None:
    """June is closed while no contract of the trust is known: all that it accepts is untested."""
    world.trial()
    exempt(world, "DEMQ1", ["adalimumab"], world.moment.day)
    world.do(lambda w: terms_loading.load_payers(w, COMMISSIONER, desk.dictionary, PAYERS))
    world.on(dt.date(2026, 8, 1))
    run(world, desk, data=FILE)
    match_again(world, desk)
    freeze(world, 3)
    world.on(AFTER)


def again(world: World, desk: Desk, folder: Path) -> None:
    """The same file is reconciled once more, as the desk does it."""
    if desk.matching.most_lines:
        run(world, desk, data=FILE)
    else:
        run_large(world, desk, folder / "large.csv", APPROVED, EXEMPT)


def month(world: World) -> ClosedMonth:
    rows = world.do(lambda w: delta_report.deltas_for(w, COMMISSIONER))
    (found,) = delta_report.closed_months(rows)
    return found


def untested(found: ClosedMonth) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    return found.not_testable, found.not_testable_more, found.not_testable_now


def told(made: list[Delta]) -> list[tuple[int, str, Decimal, Decimal | None, Decimal | None]]:
    return [(d.row, d.outcome, d.accepted_more, d.not_testable_was, d.not_testable) for d in made]


OPEN, SHUT = Decimal("70.25"), Decimal(0)


def test_a_line_whose_tests_alone_change_has_a_delta_and_loses_it_again(
    world: World, sized: Desk, tmp_path: Path
) -> None:
    close(world, sized)
    contracts(world, sized, CONTRACTS)
    match_again(world, sized)
    assert told(deltas(world)) == [(2, "approval not required", 0, OPEN, SHUT)]
    assert untested(month(world)) == (Decimal("1070.25"), -OPEN, Decimal(1000))
    contracts(world, sized, NO_CONTRACTS)
    match_again(world, sized)
    assert told(deltas(world))[1:] == [(2, "approval not required", 0, SHUT, OPEN)]
    assert untested(month(world)) == (Decimal("1070.25"), 0, Decimal("1070.25"))
    (_, second) = deltas(world)
    assert (second.kind, second.outcome_was) == ("changed", "approval not required")
    assert (second.queried_more, second.not_testable_more) == (0, OPEN)
    assert match_again(world, sized) == (0, 0)
    run(world, sized, data=FILE)
    again(world, sized, tmp_path)
    assert len(deltas(world)) == 2  # the same run again adds nothing
    check_adds_up(world)


def test_the_sums_of_months_and_of_a_commissioner_count_it(world: World, sized: Desk) -> None:
    close(world, sized)
    contracts(world, sized, CONTRACTS)
    match_again(world, sized)
    row = slices(world)[key(3)]
    assert (row.not_testable, row.not_testable_more) == (Decimal("1070.25"), -OPEN)
    assert row.not_testable_now == 1000
    assert row.accepted == row.accepted_now == Decimal("1070.25")
    (summed,) = by_month([row], {})
    (paid,) = by_commissioner([row])
    assert summed.not_testable == paid.not_testable == 1000


def test_a_file_in_memory_adds_nothing_to_what_a_large_one_told_and_the_other_way_round(
    world: World, desk: Desk, tmp_path: Path
) -> None:
    large = holding_none(desk, tmp_path)
    close(world, large)
    contracts(world, desk, CONTRACTS)
    match_again(world, large)
    kept = deltas(world)
    assert len(kept) == 1
    run(world, desk, data=FILE)
    assert deltas(world) == kept
    contracts(world, desk, NO_CONTRACTS)
    match_again(world, desk)
    kept = deltas(world)
    assert len(kept) == 2
    run_large(world, large, tmp_path / "large.csv", APPROVED, EXEMPT)
    assert deltas(world) == kept


def test_what_a_correction_adds_and_takes_away_is_untested_too(world: World, sized: Desk) -> None:
    close(world, sized)
    more = line(JUNE + dt.timedelta(days=1), total="30", **OTHER)
    run(world, sized, data=csv_bytes([EXEMPT, more]))
    made = [(d.kind, d.row, d.not_testable_was, d.not_testable) for d in deltas(world)]
    assert sorted(made) == [("added", 2, 0, 30), ("taken away", 1, 1000, 0)]
    assert untested(month(world)) == (Decimal("1070.25"), -970, Decimal("100.25"))
    contracts(world, sized, CONTRACTS)
    match_again(world, sized)
    assert untested(month(world))[2] == 0
    changed = {d.not_testable_was for d in deltas(world) if d.kind == "changed"}
    assert changed == {Decimal("70.25"), Decimal(30)}
    check_adds_up(world)


def test_of_a_month_that_nothing_was_stated_of_before_its_freeze_nothing_was_untested(
    world: World, sized: Desk
) -> None:
    world.trial()
    freeze(world, 3)
    world.on(AFTER)
    run(world, sized, data=csv_bytes([APPROVED]))
    assert untested(month(world)) == (0, 1000, 1000)
    row = slices(world)[key(3)]
    assert (row.not_testable, row.untested, row.not_testable_now) == (0, {}, 1000)


def as_before(made: Delta) -> Delta:
    """A delta as the release before added it."""
    return replace(made, not_testable_was=None, not_testable=None, not_testable_more=None)


def test_beside_a_delta_of_the_release_before_the_month_is_not_known_and_never_nought(
    world: World, sized: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(world, sized)
    add = standing_store.add_deltas
    monkeypatch.setattr(
        standing_store, "add_deltas", lambda work, made: add(work, [*map(as_before, made)])
    )
    contracts(world, sized, CONTRACTS)
    match_again(world, sized)
    monkeypatch.undo()
    assert untested(month(world)) == (Decimal("1070.25"), None, None)
    row = slices(world)[key(3)]
    assert (row.not_testable_more, row.not_testable_now) == (None, None)
    (paid,) = by_commissioner([row])
    assert paid.not_testable is None
    # What the line stands at is not known, so its tests alone add nothing; its pounds do.
    contracts(world, sized, NO_CONTRACTS)
    match_again(world, sized)
    assert len(deltas(world)) == 1
    contracts(world, sized, CONTRACTS.replace("pass-through", "block"))
    match_again(world, sized)
    second = next(d for d in deltas(world)[1:] if d.row == 2)
    assert second.accepted_more == -OPEN
    assert (second.not_testable_was, second.not_testable) == (None, 0)
    assert second.not_testable_more is None
    assert untested(month(world))[1:] == (None, None)


def test_untested_pounds_that_a_delta_loses_stop_the_whole(
    world: World, sized: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(world, sized)
    contracts(world, sized, CONTRACTS)
    add = standing_store.add_deltas

    def lose(work: Any, made: Any) -> None:
        add(work, [replace(d, not_testable_more=Decimal("-70.24")) for d in made])

    monkeypatch.setattr(standing_store, "add_deltas", lose)
    with pytest.raises(TotalsDoNotTie, match="accepted untested, with its deltas"):
        again(world, sized, tmp_path)
    assert deltas(world) == []
