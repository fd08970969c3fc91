"""What earlier submissions used, state and left to give back counts, and nothing counts twice."""

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.approvals import reviewing
from app.approvals.model import Basis, Route
from app.approvals.reviewing import FundingDecision
from app.db import tables
from app.reconciliation import at_scale, service, store, terms_store
from app.reconciliation.engines.choice import Choice, Engine
from app.reconciliation.outcome_files import from_parquet
from app.reconciliation.service import OUTCOMES, Desk, Reconciled
from app.reconciliation.slice_report import current_slices
from app.reconciliation.store import SubmissionRecord
from tests.integration.reconciliation.matching import START, line
from tests.integration.reconciliation.test_runs import race, run
from tests.integration.reconciliation.test_slices import freeze, send
from tests.integration.reconciliation.test_states import LOW
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, OTHER_COMMISSIONER, World

JUNE, JULY, AUGUST = START, dt.date(2026, 7, 6), dt.date(2026, 8, 3)
CAP = Decimal(3)
Row = Mapping[str, str]


def approve(world: World, cap: Decimal | None = CAP) -> None:
    """Natalizumab for the first patient until September, three vials in all."""
    view = world.trial(route=Route.INDIVIDUAL_FUNDING, answers=LOW)
    funding = FundingDecision(
        basis=Basis.INDIVIDUAL_FUNDING,
        case_reference="IFR/1",
        from_day=START,
        to_day=dt.date(2026, 9, 30),
        terms="Three vials.",
        reason="Exceptional",
        quantity_cap=cap,
        quantity_unit=None if cap is None else "vial",
    )
    world.do(
        lambda w: reviewing.record_funding(
            w, world.office, COMMISSIONER, view.request.id, funding, view.request.version
        )
    )


def vials(day: dt.date, count: int, **changes: str) -> Row:
    return line(day, quantity=str(count), total=str(1000 * count), **changes)


def again(world: World, desk: Desk, record: SubmissionRecord) -> Reconciled:
    """A run of a submission that was received, as the worker makes it."""
    data = desk.files.read("DEMQ1", "submissions", record.sha256, record.sha256)
    return run(world, desk, data=data)


def told(done: Reconciled) -> list[tuple[str, Any]]:
    return [(item.outcome.value, item.accepted) for item in done.matched]


def test_a_second_file_does_not_use_an_approval_afresh(world: World, desk: Desk) -> None:
    approve(world)
    first = run(world, desk, data=csv_bytes([vials(JUNE, 2)]))
    second = run(world, desk, data=csv_bytes([vials(JULY, 2)]))
    third = run(world, desk, data=csv_bytes([vials(AUGUST, 1)]))
    assert told(first) == [("matched", 2000)]
    assert told(second) == [("over quantity", 1000)]
    assert told(third) == [("over quantity", 0)]
    assert "2 of them in earlier submissions" in second.matched[0].reason


@pytest.mark.parametrize("names", [{"nhs": ""}, {"local": ""}])
def test_a_patient_is_one_by_number_and_by_local_identifier(
    world: World, desk: Desk, names: dict[str, str]
) -> None:
    """An approval is used up however the lines of each file name its patient."""
    approve(world)
    other = {"local": ""} if "nhs" in names else {"nhs": ""}
    run(world, desk, data=csv_bytes([vials(JUNE, 3, **names)]))
    assert told(run(world, desk, data=csv_bytes([vials(JULY, 1, **other)]))) == [
        ("over quantity", 0)
    ]


def test_neither_the_order_of_runs_nor_a_second_run_changes_anything(
    world: World, desk: Desk
) -> None:
    approve(world)
    records = [send(world, desk, vials(day, 2)) for day in (JULY, JUNE, AUGUST)]
    backwards = [again(world, desk, record) for record in reversed(records)][::-1]
    forwards = [again(world, desk, record) for record in records]
    assert [told(each) for each in forwards] == [told(each) for each in backwards]
    assert [told(each) for each in forwards] == [
        [("matched", 2000)],
        [("over quantity", 1000)],
        [("over quantity", 0)],
    ]
    assert not any(each.is_new for each in forwards)


def test_a_restatement_never_counts_what_it_restates(world: World, desk: Desk) -> None:
    approve(world)
    run(world, desk, data=csv_bytes([vials(JUNE, 3)]))
    restated = run(world, desk, data=csv_bytes([vials(JUNE, 2), vials(JULY, 1)]))
    assert told(restated) == [("matched", 2000), ("matched", 1000)]


def test_a_superseded_version_counts_no_more_and_the_run_is_another(
    world: World, desk: Desk
) -> None:
    approve(world)
    first = send(world, desk, vials(JUNE, 3))
    july = send(world, desk, vials(JULY, 1))
    assert told(again(world, desk, july)) == [("over quantity", 0)]
    less = run(world, desk, data=csv_bytes([vials(JUNE, 1)]))
    assert told(less) == [("matched", 1000)]
    after = again(world, desk, july)
    assert (told(after), after.is_new) == ([("matched", 1000)], True)
    assert told(again(world, desk, first)) == [("matched", 3000)]  # summed nowhere any more


def test_a_frozen_month_that_is_stated_again_unchanged_is_not_counted_twice(
    world: World, desk: Desk
) -> None:
    approve(world)
    send(world, desk, vials(JUNE, 2))
    freeze(world, 3, dt.date(2026, 7, 20))
    world.on(dt.date(2026, 8, 10))
    done = run(world, desk, data=csv_bytes([vials(JUNE, 2), vials(JULY, 1)]))
    assert told(done) == [("matched", 2000), ("matched", 1000)]


def test_a_correction_counts_as_the_slice_then_stands(world: World, desk: Desk) -> None:
    approve(world)
    send(world, desk, vials(JUNE, 1))
    freeze(world, 3, dt.date(2026, 7, 20))
    world.on(dt.date(2026, 8, 10))
    send(world, desk, vials(JUNE, 3))
    assert told(run(world, desk, data=csv_bytes([vials(JULY, 1)]))) == [("over quantity", 0)]


def test_another_organisations_files_count_nothing_here(world: World, desk: Desk) -> None:
    approve(world)
    run(world, desk, OTHER_COMMISSIONER, csv_bytes([vials(JUNE, 3)]))
    assert told(run(world, desk, data=csv_bytes([vials(JULY, 3)]))) == [("matched", 3000)]


def test_a_line_that_another_month_states_already_is_a_duplicate(world: World, desk: Desk) -> None:
    approve(world, cap=None)
    send(world, desk, vials(JUNE, 1))
    moved = run(world, desk, data=csv_bytes([vials(JUNE, 1, month="4"), vials(JULY, 1)]))
    assert told(moved) == [("duplicate line", 0), ("matched", 1000)]
    assert "earlier submission" in moved.matched[0].reason


def test_a_credit_takes_an_earlier_charge_once_and_frees_its_quantity(
    world: World, desk: Desk
) -> None:
    approve(world)
    send(world, desk, vials(JUNE, 3))
    back = {"total": "-3000", "quantity": "3"}
    taken = run(world, desk, data=csv_bytes([line(JULY, **back), vials(JULY, 2)]))
    assert told(taken) == [("not a drug line", -3000), ("matched", 2000)]
    twice = run(world, desk, data=csv_bytes([line(AUGUST, **back), vials(AUGUST, 1)]))
    assert told(twice) == [("credit without its debit", -3000), ("matched", 1000)]
    anew = run(world, desk, data=csv_bytes([vials(dt.date(2026, 9, 1), 1)]))
    assert told(anew) == [("over quantity", 0)]


def test_a_credit_that_a_newer_statement_leaves_out_takes_nothing_back(
    world: World, desk: Desk
) -> None:
    approve(world)
    fee = line(JULY, drug="delivery", total="9")
    send(world, desk, vials(JUNE, 3), line(JUNE, month="4", total="-3000", quantity="3"), fee)
    free = run(world, desk, data=csv_bytes([vials(AUGUST, 3)]))
    assert told(free) == [("matched", 3000)]
    send(world, desk, fee)  # July without the credit: June's charge stands again
    send(world, desk, vials(AUGUST, 2))
    again_used = run(world, desk, data=csv_bytes([vials(dt.date(2026, 9, 1), 1)]))
    assert told(again_used) == [("over quantity", 0)]


@pytest.mark.parametrize("way", ["duckdb", "large"])
def test_each_engine_counts_what_stood_before(
    world: World, desk: Desk, tmp_path: Path, way: str
) -> None:
    approve(world)
    send(world, desk, vials(JUNE, 2), vials(JUNE, 5, month="5"))
    rows = [vials(JULY, 2), line(JULY, total="-77"), vials(JUNE, 2, month="4")]
    plain = run(world, desk, data=csv_bytes(rows))
    chosen = Choice(Engine.DUCKDB, spill_to=tmp_path / "spill", most_lines=1)
    if way == "duckdb":
        other = run(
            world, replace(desk, matching=replace(chosen, most_lines=99)), data=csv_bytes(rows)
        )
        assert other.matched == plain.matched
        return
    file = tmp_path / "lines.csv"
    file.write_bytes(csv_bytes(rows))
    large = replace(desk, matching=chosen)

    def read(fn: Any) -> Any:
        return world.database.read(fn, moment=world.moment)

    done = at_scale.reconcile_file(world.do, large, COMMISSIONER, file, read=read)
    kept = desk.files.read("DEMQ1", OUTCOMES, done.run.outcomes_file, done.run.outcomes_sha256)
    found = from_parquet(kept, plain.submission.lines)
    assert [(x.outcome, x.accepted) for x in found] == [
        (x.outcome, x.accepted) for x in plain.matched
    ]
    assert done.run.snapshot_digest == plain.run.snapshot_digest


def test_files_accepted_at_once_have_one_order(world: World, desk: Desk) -> None:
    approve(world)
    sent = race(*(lambda n=n: send(world, desk, vials(JUNE, n, month=str(n))) for n in range(1, 5)))
    assert sorted(record.number for record in sent) == [1, 2, 3, 4]
    runs = [again(world, desk, record) for record in sorted(sent, key=lambda r: -(r.number or 0))]
    quantity = sum(item.accepted for done in runs for item in done.matched) / 1000
    assert quantity == CAP


SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_current_slices_never_hold_more_than_was_approved(
    world: World, desk: Desk, seed: int
) -> None:
    """Whatever is sent, restated and run in whatever order, and however often."""
    source = random.Random(seed)
    approve(world)
    sent: list[SubmissionRecord] = []
    for n in range(8):
        rows = _drawn(source, n)
        sent.append(send(world, desk, *rows))
        if source.random() < 0.6:
            again(world, desk, sent[-1])
    for record in source.sample(sent, len(sent)):
        again(world, desk, record)
        assert len({r.number for r in sent}) == len(sent)
    assert _accepted(world) <= CAP * 1000
    once_more = [again(world, desk, record) for record in source.sample(sent, len(sent))]
    assert not any(each.is_new for each in once_more)


def _drawn(source: random.Random, n: int) -> Sequence[Row]:
    months = source.sample([JUNE, JULY, AUGUST], source.randint(1, 2))
    rows = [vials(day, source.randint(1, 3)) for day in months for _ in range(source.randint(1, 2))]
    # A line of its own keeps two files from being the same one.
    return [*rows, line(source.choice(months), drug="delivery", total=f"{n + 1}.01")]


def _accepted(world: World) -> Decimal:
    rows = world.do(lambda work: current_slices(work, COMMISSIONER))
    return sum((row.accepted for row in rows if row.accepted is not None), Decimal(0))


def test_submissions_of_before_have_their_order(world: World, desk: Desk) -> None:
    first, second = send(world, desk, vials(JUNE, 1)), send(world, desk, vials(JUNE, 2))
    found = world.do(lambda w: store.find_submission(w, "DEMQ1", second.id))
    assert (first.number, found.number) == (1, 2)
    assert service.RULES_VERSION == "9"


def deliver(world: World, kind: str, pounds: str) -> None:
    """What DEMQ1 agreed to pay for a fee on a line of its own."""
    term = {"kind": kind, "provider": None, "drug": None, "amount": Decimal(pounds)}
    dated = {"from_day": None, "to_day": None, "source": "invented", "demonstration": True}
    world.do(
        lambda w: terms_store.replace_set(w, COMMISSIONER, tables.supply_term, [{**term, **dated}])
    )


@pytest.mark.parametrize("way", ["plain", "duckdb", "large"])
def test_a_fee_for_an_earlier_supply_is_accepted_once_in_each_engine(
    world: World, desk: Desk, tmp_path: Path, way: str
) -> None:
    approve(world)
    deliver(world, "home delivery", "30")
    moved = {"month": "4", "drug": "delivery"}
    send(world, desk, vials(JUNE, 1), vials(JUNE + dt.timedelta(days=1), 1))
    send(world, desk, line(JUNE, total="25", **moved))  # in July's file, for June's first supply
    rows = [
        line(JUNE, total="26", **(moved | {"month": "5"})),
        line(JUNE + dt.timedelta(days=1), total="40", **(moved | {"month": "5"})),
        line(JUNE + dt.timedelta(days=1), total="40", **(moved | {"month": "5"})),
        line(AUGUST, total="20", drug="delivery"),
    ]
    expected = [
        ("not a drug line", 0),
        ("over price", 30),
        ("not a drug line", 0),
        ("not a drug line", 0),
    ]
    chosen = Choice(Engine.DUCKDB, spill_to=tmp_path / "spill", most_lines=1)
    if way != "large":
        engine = replace(chosen, most_lines=99) if way == "duckdb" else desk.matching
        done = run(world, replace(desk, matching=engine), data=csv_bytes(rows))
        assert told(done) == expected
        assert "paid for a home delivery already" in done.matched[0].reason
        assert "an earlier submission, on 16/06/2026" in done.matched[1].reason
        return
    file = tmp_path / "lines.csv"
    file.write_bytes(csv_bytes(rows))
    done = at_scale.reconcile_file(
        world.do,
        replace(desk, matching=chosen),
        COMMISSIONER,
        file,
        read=lambda fn: world.database.read(fn, moment=world.moment),
    )
    kept = desk.files.read("DEMQ1", OUTCOMES, done.run.outcomes_file, done.run.outcomes_sha256)
    found = from_parquet(kept, service.read_own(desk, COMMISSIONER, csv_bytes(rows), "x").lines)
    assert [(x.outcome.value, x.accepted) for x in found] == expected
