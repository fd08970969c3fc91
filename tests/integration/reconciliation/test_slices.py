"""Slices: the newest accepted version replaces the whole; after the freeze it only corrects."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.auth.errors import NotAllowed
from app.auth.model import Caller
from app.db import tables
from app.reconciliation import accepting, service, slice_store
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.preview import Preview
from app.reconciliation.service import Desk
from app.reconciliation.slice_report import SliceRow, by_commissioner, current_slices
from app.reconciliation.slice_store import ContractMonth, MonitoringFigure
from app.reconciliation.slices import SliceKey
from app.reconciliation.store import SubmissionRecord
from tests.integration.reconciliation.matching import START, line
from tests.integration.reconciliation.test_runs import race, run
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import CLINICIAN, COMMISSIONER, OTHER_COMMISSIONER, World

APRIL, MAY, JUNE = dt.date(2026, 4, 15), dt.date(2026, 5, 15), START
FREEZE = dt.date(2026, 8, 20)
Row = Mapping[str, str]


def key(month: int, commissioner: str = "DEMQ1", provider: str = "DEMO1") -> SliceKey:
    return SliceKey(provider, commissioner, "202627", month)


def send(world: World, desk: Desk, *rows: Row, caller: Caller = COMMISSIONER) -> SubmissionRecord:
    """Receive a file of these lines, without reconciling it."""
    data = csv_bytes(rows)
    submission = service.read_own(desk, caller, data, "lines.csv")
    return world.do(lambda work: service.receive(work, desk, caller, data, submission))


def look(world: World, desk: Desk, *rows: Row, caller: Caller = COMMISSIONER) -> Preview:
    submission = service.read_own(desk, caller, csv_bytes(rows), "lines.csv")
    return world.database.read(
        lambda work: service.preview_submission(work, desk, caller, submission),
        moment=world.moment,
    )


def slices(
    world: World, caller: Caller = COMMISSIONER, **narrowed: str
) -> dict[SliceKey, SliceRow]:
    found = world.do(lambda work: current_slices(work, caller, **narrowed))
    return {row.key: row for row in found}


def totals(world: World) -> dict[int, tuple[int, str]]:
    """Lines and corrected pounds of each month."""
    return {
        k.financial_month: (row.corrected_lines, str(row.corrected))
        for k, row in slices(world).items()
    }


def freeze(world: World, month: int, day: dt.date = FREEZE) -> None:
    days = ContractMonth("202627", month, None, None, day, None, "invented for the tests")
    world.do(lambda work: slice_store.set_month(work, "DEMQ1", "someone", days))


def events(world: World) -> list[Any]:
    query = sa.select(tables.audit_event.c.object_id).where(
        tables.audit_event.c.action == "slices accepted"
    )
    return list(world.do(lambda work: work.connection.execute(query).scalars().all()))


def test_a_cumulative_file_replaces_the_months_that_it_states(world: World, desk: Desk) -> None:
    send(world, desk, line(APRIL, total="100.10"), line(APRIL, total="5"), line(MAY, total="7"))
    assert totals(world) == {1: (2, "105.1"), 2: (1, "7")}
    send(world, desk, line(APRIL, total="90"), line(MAY, total="7"), line(JUNE, total="1"))
    assert totals(world) == {1: (1, "90"), 2: (1, "7"), 3: (1, "1")}
    assert {k.financial_month: row.version for k, row in slices(world).items()} == {
        1: 2,
        2: 2,
        3: 1,
    }
    send(world, desk, line(MAY, total="6"))  # a correction of one month alone
    assert totals(world) == {1: (1, "90"), 2: (1, "6"), 3: (1, "1")}
    assert len(events(world)) == 3


def test_the_same_file_again_never_brings_an_old_version_back(world: World, desk: Desk) -> None:
    first = send(world, desk, line(APRIL, total="100"))
    send(world, desk, line(APRIL, total="90"))
    assert send(world, desk, line(APRIL, total="100")).id == first.id
    assert totals(world) == {1: (1, "90")}
    ((stated, version, current),) = world.do(
        lambda work: slice_store.versions_of_submission(work, "DEMQ1", first.id)
    )
    assert (stated, version.number, current) == (key(1), 1, False)


def test_a_site_belongs_to_its_trust_and_its_month_may_come_from_the_supply_date(
    world: World, desk: Desk
) -> None:
    send(world, desk, line(APRIL, provider="DEMO101"), line(APRIL, month="400"), line(APRIL))
    assert totals(world) == {1: (3, "3000")}


@pytest.mark.parametrize(
    "lack", [{"commissioner": ""}, {"provider": "?"}, {"month": "", "date": "TBC"}]
)
def test_a_line_that_does_not_say_its_slice_stands_beside_them(
    world: World, desk: Desk, lack: dict[str, str]
) -> None:
    given = {**line(APRIL, total="3"), **_named(lack)}
    told = look(world, desk, line(APRIL, total="2"), given)
    assert (told.accepted.unplaced_lines, told.accepted.unplaced_total) == (1, Decimal(3))
    send(world, desk, line(APRIL, total="2"), given)
    send(world, desk, line(APRIL, total="2.5"), given)
    assert totals(world) == {1: (1, "2.5")}


def _named(changes: dict[str, str]) -> dict[str, str]:
    names = {
        "commissioner": "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)",
        "provider": "ORGANISATION IDENTIFIER (CODE OF PROVIDER)",
        "month": "FINANCIAL MONTH",
        "date": "CLINICAL INTERVENTION DATE (DRUG DISPENSED)",
    }
    return {names[name]: text for name, text in changes.items()}


def test_a_line_that_moves_to_another_payer_is_told_where_it_would_count_twice(
    world: World, desk: Desk
) -> None:
    moved = "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)"
    send(world, desk, line(APRIL), line(MAY), line(JUNE))
    told = look(world, desk, {**line(MAY), moved: "DEMQ2"})
    assert told.accepted.not_restated == (key(1), key(2))


def test_each_organisation_has_slices_of_its_own(world: World, desk: Desk) -> None:
    send(world, desk, line(APRIL, total="1"))
    send(world, desk, line(APRIL, total="2"), caller=OTHER_COMMISSIONER)
    assert [row.total for row in slices(world).values()] == [Decimal(1)]
    assert [r.total for r in slices(world, OTHER_COMMISSIONER).values()] == [Decimal(2)]
    with pytest.raises(NotAllowed):
        slices(world, CLINICIAN)
    assert slices(world, provider="DEMO2") == slices(world, financial_year="202526") == {}


# --- after the freeze -----------------------------------------------------------------------------


def test_after_the_freeze_a_restatement_becomes_signed_lines_that_cite_the_frozen_outcome(
    world: World, desk: Desk
) -> None:
    kept, gone = line(APRIL, total="10"), line(APRIL, total="20")
    frozen = run(world, desk, data=csv_bytes([gone, kept]))
    freeze(world, 1)
    world.on(FREEZE + dt.timedelta(days=1))
    restated = [kept, line(APRIL, total="25"), line(APRIL, total="1")]
    told = look(world, desk, *restated)
    assert [(c.how, c.frozen_on) for c in told.accepted.changes] == [("corrects", FREEZE)]
    record = send(world, desk, *restated)
    row = slices(world)[key(1)]
    assert (row.lines, row.total, row.version) == (2, Decimal(30), 1)
    assert (row.corrections, row.corrected_lines, row.corrected) == (1, 3, Decimal(36))
    assert row.accepted is not None
    ((_, version, current),) = world.do(
        lambda work: slice_store.versions_of_submission(work, "DEMQ1", record.id)
    )
    assert (version.kind, version.lines_more, version.total_more) == ("correction", 1, Decimal(6))
    assert not current
    lines = world.do(lambda work: slice_store.corrected_lines(work, "DEMQ1", version.id))
    taken, *added = lines
    matched = frozen.matched[0]
    assert (taken.sign, taken.amount, taken.row, taken.run_id) == (
        -1, Decimal(-20), 1, frozen.run.id
    )  # fmt: skip
    assert (taken.outcome, taken.accepted, taken.queried) == (
        matched.outcome.value, -matched.accepted, -matched.queried
    )  # fmt: skip
    assert [(x.sign, x.amount, x.outcome) for x in added] == [
        (1, Decimal(25), None), (1, Decimal(1), None)
    ]  # fmt: skip


def test_corrections_follow_each_other_and_end_where_the_last_file_says(
    world: World, desk: Desk
) -> None:
    send(world, desk, line(APRIL, total="10"), line(APRIL, total="20"))
    freeze(world, 1)
    world.on(FREEZE + dt.timedelta(days=1))
    send(world, desk, line(APRIL, total="10"))
    send(world, desk, line(APRIL, total="10"), line(APRIL, total="4"))
    assert totals(world) == {1: (2, "14")}
    send(world, desk, line(APRIL, total="4"), line(APRIL, total="10"))  # the same, reordered
    row = slices(world)[key(1)]
    assert (row.corrections, row.version, row.total) == (2, 1, Decimal(30))


def test_a_month_that_nothing_was_sent_for_is_corrected_from_nothing(
    world: World, desk: Desk
) -> None:
    freeze(world, 1)
    world.on(FREEZE + dt.timedelta(days=1))
    send(world, desk, line(APRIL, total="10"))
    row = slices(world)[key(1)]
    assert (row.lines, row.total, row.corrections) == (0, Decimal(0), 1)
    assert (row.corrected_lines, row.corrected) == (1, Decimal(10))


def test_until_the_end_of_the_day_of_the_freeze_a_slice_is_replaced(
    world: World, desk: Desk
) -> None:
    send(world, desk, line(APRIL, total="10"))
    freeze(world, 1)
    world.on(FREEZE)
    send(world, desk, line(APRIL, total="11"))
    row = slices(world)[key(1)]
    assert (row.version, row.total, row.corrections, row.frozen_on) == (2, Decimal(11), 0, None)
    freeze(world, 1, FREEZE - dt.timedelta(days=1))  # the calendar as set last counts
    assert slices(world)[key(1)].frozen_on == FREEZE - dt.timedelta(days=1)


def test_a_month_that_is_opened_again_is_replaced_with_its_corrections(
    world: World, desk: Desk
) -> None:
    send(world, desk, line(APRIL, total="10"))
    freeze(world, 1)
    world.on(FREEZE + dt.timedelta(days=1))
    send(world, desk, line(APRIL, total="12"))
    freeze(world, 1, FREEZE + dt.timedelta(days=60))
    send(world, desk, line(APRIL, total="7"))
    row = slices(world)[key(1)]
    assert (row.corrections, row.corrected, row.version) == (0, Decimal(7), 3)


# --- whole or not at all --------------------------------------------------------------------------


def test_a_penny_that_goes_missing_stops_the_whole(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(world, desk, line(APRIL, total="10"))
    add = slice_store.add_version

    def lose(work: Any, version: slice_store.SliceVersion) -> None:
        add(work, replace(version, total=version.total - Decimal("0.01")))

    monkeypatch.setattr(accepting.slice_store, "add_version", lose)
    with pytest.raises(TotalsDoNotTie, match="A stored slice"):
        send(world, desk, line(APRIL, total="11"), line(MAY, total="1"))
    monkeypatch.undo()
    assert totals(world) == {1: (1, "10")}
    assert len(world.do(lambda work: service.store.submissions_of(work, "DEMQ1", 9))) == 1


def test_files_sent_at_once_leave_one_current_version_and_none_in_between(
    world: World, desk: Desk
) -> None:
    files = [[line(APRIL, total=f"{n}"), line(MAY, total=f"{n}")] for n in range(1, 5)]
    race(*(lambda rows=rows: send(world, desk, *rows) for rows in files))
    found = slices(world)
    assert [row.version for row in found.values()] == [4, 4]
    assert len({row.submission for row in found.values()}) == 1


# --- preview --------------------------------------------------------------------------------------


def test_a_preview_tells_row_by_row_what_would_change_and_stores_nothing(
    world: World, desk: Desk
) -> None:
    kept, changed, gone = (line(APRIL, total=n, drug=d) for n, d in
                           (("1", "TYSABRI"), ("2", "TYRUKO"), ("3", "HUMIRA")))  # fmt: skip
    first = send(world, desk, kept, changed, gone)
    name = "TOTAL COST"
    told = look(world, desk, {**changed, name: "2.50"}, line(APRIL, drug="STELARA"), kept)
    (rows,) = told.rows
    assert (rows.key, rows.against, told.received) == (key(1), first.id, None)
    assert [(c.kind, c.was_row, c.row, c.fields, c.was_total, c.total) for c in rows.rows] == [
        ("changed", 2, 1, ("total_cost",), Decimal(2), Decimal("2.50")),
        ("changed", 3, 2, ("drug_name", "total_cost"), Decimal(3), Decimal(1000)),
    ]
    assert [c.how for c in told.accepted.changes] == ["replaces"]
    assert totals(world) == {1: (3, "6")}
    told = look(world, desk, kept, changed)
    assert [(c.kind, c.was_row, c.row) for c in told.rows[0].rows] == [("removed", 3, None)]
    told = look(world, desk, gone, kept, changed)
    assert ([c.how for c in told.accepted.changes], told.rows[0].rows) == (["unchanged"], ())
    told = look(world, desk, line(MAY))
    assert [(c.how, c.was_lines) for c in told.accepted.changes] == [("first", 0)]


def test_a_preview_of_the_same_file_says_that_it_came_before(world: World, desk: Desk) -> None:
    first = send(world, desk, line(APRIL))
    assert look(world, desk, line(APRIL)).received == first
    assert look(world, desk, line(APRIL), caller=OTHER_COMMISSIONER).received is None


# --- stated totals --------------------------------------------------------------------------------


def test_a_slice_is_held_against_the_total_stated_for_it(world: World, desk: Desk) -> None:
    send(world, desk, line(APRIL, total="10.01"), line(MAY, total="5"))
    for amount in ("99", "10"):
        figure = MonitoringFigure(key(1), Decimal(amount), "invented")
        world.do(lambda work, f=figure: slice_store.set_figure(work, "DEMQ1", "someone", f))
    found = slices(world)
    assert [row.difference for row in found.values()] == [Decimal("0.01"), None]
    (whole,) = by_commissioner(found.values())
    assert (whole.slices, whole.with_figure, whole.difference) == (2, 1, Decimal("0.01"))
    assert (whole.total, whole.without_run) == (Decimal("15.01"), 2)


def test_what_a_run_accepted_is_told_by_slice(world: World, desk: Desk) -> None:
    world.trial()
    result = run(world, desk, data=csv_bytes([line(START), line(APRIL, total="10")]))
    rows = slices(world).values()
    assert sum(r.accepted or 0 for r in rows) == result.run.accepted
    assert sum(r.queried or 0 for r in rows) == result.run.queried
    (whole,) = by_commissioner(rows)
    assert (whole.accepted, whole.without_run) == (result.run.accepted, 0)
