"""Corrections of closed months: what they add and take away has deltas, and the month adds up."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.db.work import Work
from app.reconciliation import deciding_lines, delta_report, slice_store, standing_store
from app.reconciliation.at_scale import reconcile_file
from app.reconciliation.closed_months import TAKEN
from app.reconciliation.emptying import state_empty
from app.reconciliation.service import Desk
from app.reconciliation.slice_store import SliceOutcome
from tests.integration.reconciliation.matching import line
from tests.integration.reconciliation.test_deltas import (
    AFTER,
    FILE,
    JULY,
    JUNE,
    OTHER,
    Killed,
    deltas,
    mark,
    match_again,
    revoke,
)
from tests.integration.reconciliation.test_deltas import matched as matched
from tests.integration.reconciliation.test_runs import run
from tests.integration.reconciliation.test_slices import FREEZE, freeze, key, send, slices
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, World

KEPT, OF_JULY = line(JUNE, total="70", **OTHER), line(JULY, total="500")
ADDED = line(JUNE + dt.timedelta(days=1), total="30", **OTHER)


def told(world: World) -> list[tuple[str, int, str, str, str, str]]:
    return [
        (d.kind, d.row, f"{d.accepted_more:f}", f"{d.queried_more:f}", d.outcome_was, d.outcome)
        for d in deltas(world)
    ]


def check_adds_up(world: World, month: int = 3) -> None:
    """What is settled and what changed since is, to the penny, what is stated by now."""
    row = slices(world)[key(month)]
    assert row.accepted_now is not None
    assert row.queried_now is not None
    assert row.accepted_now + row.queried_now == row.corrected


def test_a_line_that_a_correction_took_away_is_taken_back_at_what_it_stood_at(
    world: World, desk: Desk, matched: str
) -> None:
    run(world, desk, data=csv_bytes([KEPT, OF_JULY]))  # June is closed: a line is taken away
    assert told(world) == [("taken away", 1, "-1000", "0", "matched", TAKEN)]
    check_adds_up(world)
    revoke(world, matched)
    match_again(world, desk)
    assert len(deltas(world)) == 1  # what is gone changes no more
    june = slices(world)[key(3)]
    assert (june.accepted, june.accepted_now, june.queried_now) == (1000, 0, 70)
    check_adds_up(world)


def test_a_line_that_a_correction_adds_has_a_delta_once_it_is_reconciled(
    world: World, desk: Desk, matched: str
) -> None:
    more = line(JUNE + dt.timedelta(days=2), total="400")
    rows = (line(JUNE), OF_JULY, KEPT, more, ADDED)
    send(world, desk, *rows)
    assert told(world) == []  # not before it has an outcome
    run(world, desk, data=csv_bytes(rows))
    assert told(world) == [
        ("added", 4, "400", "0", "not stated before", "matched"),
        ("added", 5, "0", "30", "not stated before", "no approval"),
    ]
    june = slices(world)[key(3)]
    assert (june.accepted, june.queried) == (1000, 70)  # what was settled stays
    assert (june.accepted_more, june.queried_more, june.corrected) == (400, 30, 1500)
    check_adds_up(world)
    run(world, desk, data=csv_bytes(rows))
    assert match_again(world, desk) == (0, 0)
    assert len(deltas(world)) == 2


def test_a_change_finds_lines_of_the_statement_and_of_the_correction(
    world: World, desk: Desk, matched: str
) -> None:
    more = line(JUNE + dt.timedelta(days=2), total="400")
    run(world, desk, data=csv_bytes([line(JUNE), KEPT, more]))
    revoke(world, matched)
    assert mark(world) > 0
    assert slices(world)[key(3)].changes > 0
    match_again(world, desk)
    changed = [
        (d.row, f"{d.accepted_more:f}", d.cause) for d in deltas(world) if d.kind == "changed"
    ]
    assert changed == [
        (1, "-1000", "approval: withdraw"),
        (3, "-400", "approval: withdraw"),
    ]
    assert slices(world)[key(3)].accepted_now == 0
    assert slices(world)[key(3)].changes == 0
    check_adds_up(world)


def test_a_correction_of_a_correction_takes_back_what_that_one_added(
    world: World, desk: Desk, matched: str
) -> None:
    run(world, desk, data=csv_bytes([line(JUNE), KEPT, ADDED]))
    run(world, desk, data=csv_bytes([KEPT, line(JUNE, total="999")]))
    assert sorted(told(world)) == [
        ("added", 2, "999", "0", "not stated before", "matched"),
        ("added", 3, "0", "30", "not stated before", "no approval"),
        ("taken away", 1, "-1000", "0", "matched", TAKEN),
        ("taken away", 3, "0", "-30", "no approval", TAKEN),
    ]
    check_adds_up(world)
    run(world, desk, data=csv_bytes([line(JUNE), KEPT, ADDED, OF_JULY]))  # all stated again
    assert slices(world)[key(3)].corrected == Decimal(1100)
    check_adds_up(world)


def test_of_two_lines_that_are_alike_one_may_go(world: World, desk: Desk, matched: str) -> None:
    freeze(world, 4, FREEZE)
    twice = line(dt.date(2026, 7, 20), total="250")
    freeze(world, 5, FREEZE)
    run(world, desk, data=csv_bytes([OF_JULY, twice, twice]))
    check_adds_up(world, 4)
    run(world, desk, data=csv_bytes([OF_JULY, twice]))
    check_adds_up(world, 4)
    assert slices(world)[key(4)].corrected == Decimal(750)


def test_a_closed_month_that_is_emptied_is_taken_back_at_once(
    world: World, desk: Desk, matched: str
) -> None:
    revoke(world, matched)
    match_again(world, desk)  # a delta and the taking away are of one standing
    world.do(
        lambda w: state_empty(
            w, desk, COMMISSIONER, key(3), lines=2, total=Decimal(1070), reason="By mistake"
        )
    )
    assert told(world) == [
        ("changed", 1, "-1000", "1000", "matched", "no approval"),
        ("taken away", 1, "0", "-1000", "no approval", TAKEN),
        ("taken away", 3, "0", "-70", "no approval", TAKEN),
    ]
    check_adds_up(world)


def test_a_month_of_which_nothing_was_stated_while_it_was_open_adds_up_too(
    world: World, desk: Desk
) -> None:
    world.trial()
    freeze(world, 3)
    world.on(AFTER)
    run(world, desk, data=FILE)
    june = slices(world)[key(3)]
    assert (june.accepted, june.accepted_now, june.queried_now) == (0, 1000, 70)
    check_adds_up(world)


def test_a_correction_that_came_before_the_first_run_of_its_statement_waits_for_it(
    world: World, desk: Desk
) -> None:
    world.trial()
    world.on(dt.date(2026, 8, 1))
    send(world, desk, line(JUNE), KEPT)
    freeze(world, 3)
    world.on(AFTER)
    run(world, desk, data=csv_bytes([KEPT, ADDED]))
    assert told(world) == []
    run(world, desk, data=csv_bytes([line(JUNE), KEPT]))
    check_adds_up(world)
    assert {d.kind for d in deltas(world)} == {"added", "taken away"}


def test_the_report_names_the_correction_whose_row_it_is(
    world: World, desk: Desk, matched: str
) -> None:
    made = run(world, desk, data=csv_bytes([KEPT, ADDED]))
    rows = world.do(lambda w: delta_report.deltas_for(w, COMMISSIONER))
    by_kind = {row.delta.kind: row for row in rows}
    assert by_kind["added"].submission == made.run.submission_id
    assert by_kind["added"].run == made.run.id
    assert by_kind["taken away"].submission != made.run.submission_id
    assert by_kind["taken away"].run == by_kind["taken away"].frozen.run_id
    assert b"KIND" in delta_report.as_csv(rows)


# --- files that are not held in memory ------------------------------------------------------------


@pytest.fixture
def large(desk: Desk, tmp_path: Path) -> Desk:
    """A desk that holds no line in memory."""
    return replace(desk, matching=replace(desk.matching, spill_to=tmp_path / "spill", most_lines=0))


def frozen_untested(world: World) -> Decimal | None:
    """What the closed month with deltas says that it had accepted untested."""
    rows = world.do(lambda w: delta_report.deltas_for(w, COMMISSIONER))
    (month,) = delta_report.closed_months(rows)
    return month.not_testable


def run_large(world: World, desk: Desk, path: Path, *rows: Mapping[str, str]) -> None:
    path.write_bytes(csv_bytes(list(rows)))
    read = lambda fn: world.database.read(fn, moment=world.moment)  # noqa: E731
    reconcile_file(world.do, desk, COMMISSIONER, path, read=read)


@pytest.fixture
def large_matched(world: World, large: Desk, tmp_path: Path) -> str:
    """As `matched`, with nothing in memory; two lines of June are alike."""
    view = world.trial()
    world.on(dt.date(2026, 8, 1))
    rows = (line(JUNE), OF_JULY, KEPT, KEPT)
    run_large(world, large, tmp_path / "large.csv", *rows)
    match_again(world, large)
    freeze(world, 3)
    world.on(AFTER)
    return view.request.treatment_id


def test_a_closed_month_of_a_large_file_gets_deltas_from_the_files_of_outcomes(
    world: World, large: Desk, large_matched: str
) -> None:
    revoke(world, large_matched)
    assert match_again(world, large)[1] == 1
    ((kind, row, accepted, queried, was, now),) = told(world)
    assert (kind, row, accepted, queried) == ("changed", 1, "-1000", "1000")
    assert (was, now) == ("matched", "no approval")
    june = slices(world)[key(3)]
    assert (june.accepted, june.accepted_now, june.queried_now) == (1000, 0, 1140)
    assert june.not_testable == 1000  # as it was frozen
    assert june.untested
    assert frozen_untested(world) == 1000
    check_adds_up(world)
    assert slices(world)[key(4)].accepted == 0  # the open month took the new run


def test_a_month_that_was_frozen_before_what_was_untested_was_kept_does_not_know_it(
    world: World, large: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = slice_store.add_outcomes

    def of_before(work: Work, own: str, run_id: str, said: Sequence[SliceOutcome]) -> None:
        kept(work, own, run_id, [replace(x, not_testable=None, untested=None) for x in said])

    monkeypatch.setattr(slice_store, "add_outcomes", of_before)
    treatment = world.trial().request.treatment_id
    world.on(dt.date(2026, 8, 1))
    run_large(world, large, tmp_path / "large.csv", line(JUNE), OF_JULY, KEPT)
    match_again(world, large)
    freeze(world, 3)
    world.on(AFTER)
    monkeypatch.undo()  # the run that changes the month does keep it
    revoke(world, treatment)
    match_again(world, large)
    assert frozen_untested(world) is None
    june = slices(world)[key(3)]
    assert (june.accepted, june.not_testable, june.knows_untested) == (1000, None, False)
    assert slices(world)[key(4)].not_testable == 0  # the open month has the new run's


def test_its_deltas_are_those_of_a_file_held_in_memory(
    world: World, desk: Desk, large: Desk, large_matched: str, tmp_path: Path
) -> None:
    revoke(world, large_matched)
    rows = (line(JUNE), OF_JULY, KEPT, KEPT)
    run(world, desk, data=csv_bytes(list(rows)))  # the same file, in memory this time
    kept = deltas(world)
    assert [(d.row, d.line_key.rpartition(".")[2]) for d in kept] == [(1, "1")]
    run_large(world, large, tmp_path / "large.csv", *rows)
    assert deltas(world) == kept  # and out of core nothing more


def test_a_decision_by_hand_and_its_undoing_in_a_large_file_add_and_take_back(
    world: World, desk: Desk, large: Desk, large_matched: str, tmp_path: Path
) -> None:
    rows = (line(JUNE), OF_JULY, KEPT, KEPT)
    standing = run(world, desk, data=csv_bytes(list(rows))).run.id
    kind = deciding_lines.DecisionKind.ACCEPT
    read = lambda fn: world.database.read(fn, moment=world.moment)  # noqa: E731
    seen = read(lambda w: deciding_lines.look(w, desk, COMMISSIONER, standing, 4, kind))
    made = deciding_lines.draft(desk, COMMISSIONER, seen, 4, kind, None)
    decided, _ = world.do(
        lambda w: deciding_lines.decide(w, COMMISSIONER, seen, 4, made, "Agreed by letter.")
    )
    match_again(world, large)
    world.do(lambda w: deciding_lines.undo(w, COMMISSIONER, decided.id, "A slip."))
    match_again(world, large)
    found = [(d.row, f"{d.accepted_more:f}", d.line_key.rpartition(".")[2]) for d in deltas(world)]
    assert found == [(4, "70", "2"), (4, "-70", "2")]
    check_adds_up(world)


def test_a_large_file_that_corrects_a_closed_month_adds_up(
    world: World, large: Desk, large_matched: str, tmp_path: Path
) -> None:
    run_large(world, large, tmp_path / "again.csv", line(JUNE), KEPT, ADDED)
    assert {d.kind for d in deltas(world)} == {"added", "taken away"}
    check_adds_up(world)
    revoke(world, large_matched)
    match_again(world, large)
    assert slices(world)[key(3)].accepted_now == 0
    check_adds_up(world)


# --- killed in the middle -------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["add_standing", "replace_touches", "add_frozen", "add_deltas"])
def test_a_correction_s_run_killed_in_the_middle_leaves_nothing_and_is_done_once_after_all(
    world: World, desk: Desk, matched: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (KEPT, ADDED, OF_JULY)
    real = getattr(standing_store, where)

    def die(*arguments: Any) -> None:
        real(*arguments)
        raise Killed

    monkeypatch.setattr(standing_store, where, die)
    with pytest.raises(Killed):
        run(world, desk, data=csv_bytes(list(rows)))
    monkeypatch.undo()
    assert deltas(world) == []
    for _ in range(2):
        run(world, desk, data=csv_bytes(list(rows)))
        assert sorted(each[:3] for each in told(world)) == [
            ("added", 2, "0"),
            ("taken away", 1, "-1000"),
        ]
        check_adds_up(world)
