"""What the worker keeps of runs that are not held in memory is what it keeps of the others."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from app.approvals.model import StopReason
from app.auth.model import Caller
from app.db import tables
from app.insight import counting
from app.insight.figures import Name
from app.policy import Kind
from app.reconciliation import charged, large_supplies, listed_store, listing_work
from app.reconciliation.at_scale import reconcile_file
from app.reconciliation.awaited_store import keep, keepers, mark_of
from app.reconciliation.errors import TooManyLines
from app.reconciliation.service import Desk
from app.reconciliation.worklists import Worklist
from tests.integration.reconciliation.matching import line
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, OTHER_COMMISSIONER, World, patient

#: June: an odd unit, a number where a unit should be, a line said twice, a credit, nothing charged.
FIRST = [
    ("nhs1", dt.date(2026, 6, 15), {"unit": "VIAL (300 mg)", "quantity": "1.50"}),
    ("nhs1", dt.date(2026, 6, 15), {"unit": "VIAL (300 mg)", "quantity": "1.50"}),
    ("nhs1", dt.date(2026, 6, 16), {"unit": "999 000 0107", "quantity": "1"}),
    ("nhs1", dt.date(2026, 6, 17), {"unit": "x" * 41, "quantity": ""}),
    ("nhs2", dt.date(2026, 6, 20), {"unit": "", "total": "1000.005"}),
    ("nhs2", dt.date(2026, 6, 22), {"provider": "DEMO2", "unit": "vial"}),
    ("nhs2", dt.date(2026, 6, 24), {}),
    ("nhs3", dt.date(2026, 6, 25), {}),
    ("nhs3", dt.date(2026, 6, 26), {"total": "-1000.00"}),
    ("nhs3", dt.date(2026, 6, 27), {"total": "0"}),
    ("nhs5", dt.date(2026, 6, 28), {}),
    ("nhs9", dt.date(2026, 6, 28), {}),
    ("nhs1", dt.date(2026, 6, 29), {"drug": "SOMETHING ODD"}),
]
#: Later months, and a line of June stated again beside a new one.
SECOND = [
    ("nhs1", dt.date(2026, 6, 15), {"unit": "VIAL (300 mg)", "quantity": "1.50"}),
    ("nhs1", dt.date(2026, 11, 30), {}),
    ("nhs2", dt.date(2026, 7, 22), {"provider": "DEMO2"}),
    ("nhs4", dt.date(2026, 12, 3), {}),
]


def file(rows: list[tuple[str, dt.date, dict[str, str]]]) -> bytes:
    told = []
    for who, day, changes in rows:
        details = patient(int(who[3:]))
        own = {"nhs": details.nhs_number or "", "local": details.local_id or ""}
        told.append(line(day, **own, **changes))
    return csv_bytes(told)


@pytest.fixture
def large(desk: Desk, tmp_path: Path) -> Desk:
    return replace(desk, matching=replace(desk.matching, spill_to=tmp_path / "spill", most_lines=4))


@pytest.fixture
def filled(world: World, desk: Desk, large: Desk, tmp_path: Path) -> World:
    """Six treatments, one stopped and one not begun, and the files of two months over them."""
    ids = [world.trial(patient=patient(n)).request.treatment_id for n in (1, 2, 3, 5, 6)]
    world.trial(patient=patient(4))
    world.first_dose(ids[0], dt.date(2026, 6, 15))
    world.on(dt.date(2026, 6, 24))
    world.change(ids[2], Kind.STOP, from_day=dt.date(2026, 6, 20), stop_reason=StopReason.OTHER)
    for number, rows in enumerate((FIRST, SECOND)):
        world.on(dt.date(2026, 12, 20 + number))
        send(world, large, tmp_path / f"lines{number}.csv", rows)
    return world


def send(world: World, desk: Desk, path: Path, rows: Any) -> None:
    path.write_bytes(file(rows))
    reconcile_file(
        world.do, desk, COMMISSIONER, path,
        read=lambda fn: world.database.read(fn, moment=world.moment),
    )  # fmt: skip


def kept(world: World, desk: Desk) -> tuple[dict[str, list[tuple[Any, ...]]], dict[str, Any]]:
    """What the worker keeps with a desk, begun anew; and its mark without the place in the feed."""
    names = (tables.listed_supply, tables.listed_entry, tables.start_awaited)

    def forget(work: Any) -> None:
        for table in names:
            work.connection.execute(delete(table))
        mark = update(tables.start_awaited_mark)
        work.connection.execute(mark.values(epoch=0, runs=None, heard={}))

    world.do(forget)
    return again(world, desk)


def again(world: World, desk: Desk) -> tuple[dict[str, list[tuple[Any, ...]]], dict[str, Any]]:
    names = (tables.listed_supply, tables.listed_entry, tables.start_awaited)
    for caller in world.do(keepers):
        world.do(partial(keep, desk=desk, caller=caller))

    def read(work: Any) -> dict[str, list[tuple[Any, ...]]]:
        return {
            table.name: sorted(
                (tuple(row) for row in work.connection.execute(select(table))), key=repr
            )
            for table in names
        }

    mark = world.do(lambda work: mark_of(work, COMMISSIONER))
    assert mark is not None
    return world.do(read), {"runs": mark.runs, "heard": dict(mark.heard)}


def test_supplies_entries_and_starts_are_those_of_runs_in_memory(
    filled: World, desk: Desk, large: Desk
) -> None:
    in_memory = kept(filled, desk)
    rows, mark = in_memory
    assert mark["runs"] is not None
    assert {row[0] for row in rows["listed_supply"]} == {"DEMQ1"}
    assert {row[2] for row in rows["listed_entry"]} == {
        each.value for each in Worklist if each is not Worklist.NOT_STARTED
    }
    assert rows["start_awaited"]
    assert kept(filled, large) == in_memory  # one of the two runs is large
    of_files = replace(large, matching=replace(large.matching, most_lines=0))
    assert kept(filled, of_files) == in_memory
    # A line that both files state counts once, as the newer has it.
    assert len(rows["listed_supply"]) == len({row[2:4] for row in rows["listed_supply"]})


def test_what_changed_is_taken_away_and_added_and_the_rest_is_left(
    filled: World, desk: Desk, large: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_supplies, "_AT_A_TIME", 2)
    monkeypatch.setattr(listed_store, "MADE_TOGETHER", 1)
    of_files = replace(large, matching=replace(large.matching, most_lines=0))
    before, _ = kept(filled, of_files)
    assert again(filled, of_files)[0] == before
    filled.on(dt.date(2026, 12, 28))
    # June is stated anew with three of its lines: the supplies of the first run stay where they
    # stand, but for those that the new file states too.
    send(filled, of_files, tmp_path / "third.csv", [*FIRST[3:6], *SECOND[:1]])
    after = again(filled, of_files)
    assert after[0] != before
    monkeypatch.undo()
    assert after == kept(filled, desk)


def test_lists_are_read_of_what_is_kept_and_nobody_else_has_any(filled: World, large: Desk) -> None:
    of_files = replace(large, matching=replace(large.matching, most_lines=0))

    def count(caller: Caller, which: Worklist) -> int:
        return filled.do(lambda work: listing_work.worklist(work, of_files, caller, which).count)

    def lists(caller: Caller) -> list[int]:
        return [count(caller, which) for which in Worklist]

    with pytest.raises(TooManyLines, match="Look again in a few minutes"):
        lists(COMMISSIONER)
    kept(filled, of_files)
    assert all(lists(COMMISSIONER))
    assert not any(lists(OTHER_COMMISSIONER))


def test_a_damaged_file_is_told_and_nothing_is_kept_of_it(filled: World, large: Desk) -> None:
    of_files = replace(large, matching=replace(large.matching, most_lines=0))
    kept(filled, of_files)
    run, *_ = filled.do(lambda work: charged.newest_runs(work, COMMISSIONER))
    path = of_files.files.path_of("DEMQ1", "outcomes", run.outcomes_file)
    path.write_bytes(b"spoilt")
    rows, mark = kept(filled, of_files)
    assert (rows["listed_supply"], mark["runs"]) == ([], None)


def test_rows_that_are_not_kept_leave_units_and_quantities_unsaid(
    filled: World, large: Desk
) -> None:
    of_files = replace(large, matching=replace(large.matching, most_lines=0))
    whole, _ = kept(filled, of_files)
    for path in of_files.files.folder.glob("*/rows/*"):
        path.unlink()
    rows, mark = kept(filled, of_files)
    assert mark["runs"] is not None
    assert rows["listed_entry"] == whole["listed_entry"]
    names = [column.name for column in tables.listed_supply.columns]
    left = [names.index("quantity"), names.index("unit")]

    def without(every: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        found = [tuple(v for n, v in enumerate(row) if n not in left) for row in every]
        return sorted(found, key=repr)

    assert without(rows["listed_supply"]) == without(whole["listed_supply"])
    assert all(row[n] is None for row in rows["listed_supply"] for n in left)


def test_the_overviews_lines_and_pounds_are_those_of_runs_in_memory(
    filled: World, desk: Desk, large: Desk
) -> None:
    def counted(by: Desk) -> list[Any]:
        read: Callable[..., Any] = filled.database.read
        return sorted(
            read(lambda work: counting.count(work, by, "DEMQ1"), moment=filled.moment), key=repr
        )

    of_files = replace(large, matching=replace(large.matching, most_lines=0))
    figures = counted(desk)
    assert counted(of_files) == counted(large) == figures
    told = {each.name for each in figures}
    assert {Name.LINES, Name.LINES_QUERIED, Name.ACCEPTED, Name.QUERIED} <= told
    lines = sum(each.amount for each in figures if each.name is Name.LINES)
    assert lines > len(SECOND)
