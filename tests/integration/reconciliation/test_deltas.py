"""Changed approvals: lines are matched again, and closed months get signed deltas that tie."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals import correcting, reviewing
from app.approvals.lifecycle import ApprovalEvent
from app.approvals.model import RequestView, StopReason
from app.auth.model import Caller
from app.db import tables
from app.handlers import make_handlers
from app.policy import Kind
from app.reconciliation import deciding_lines, rematching, service, stale_store, standing_store
from app.reconciliation import deltas as pure
from app.reconciliation.emptying import state_empty
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.model import DecisionKind
from app.reconciliation.rematching import mark_changes
from app.reconciliation.service import Desk
from app.reconciliation.standing_store import Delta
from app.work import run_next
from tests.conftest import _settle
from tests.integration.reconciliation.matching import START, line
from tests.integration.reconciliation.test_earlier import approve, vials
from tests.integration.reconciliation.test_runs import count, door, race, run
from tests.integration.reconciliation.test_slices import FREEZE, freeze, key, slices
from tests.integration.reconciliation.test_states import imported
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import (
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    OTHER_COMMISSIONER,
    PHARMACIST,
    World,
    patient,
)

JUNE, JULY = dt.date(2026, 6, 20), dt.date(2026, 7, 10)
AFTER = FREEZE + dt.timedelta(days=3)
OTHER = {"nhs": patient(2).nhs_number or "", "local": "H000002", "drug": "HUMIRA 40mg pen"}
#: A line in June that is approved, one in July, and one in June of somebody without an approval.
FILE = csv_bytes([line(JUNE), line(JULY, total="500"), line(JUNE, total="70", **OTHER)])


def mark(world: World) -> int:
    """Look at every change once, as the worker does between jobs."""
    _settle(world.database)
    new, more = 0, True
    while more:
        found, more = world.do(mark_changes)
        new += found
    return new


def work_off(world: World, desk: Desk) -> int:
    """Work every waiting job off; returns how many there were."""
    done = 0
    while run_next(door(world), make_handlers(desk)):
        done += 1
    return done


def match_again(world: World, desk: Desk) -> tuple[int, int]:
    """How many marks the changes made, and how many jobs these."""
    return mark(world), work_off(world, desk)


def deltas(world: World, organisation: str = "DEMQ1") -> list[Delta]:
    found = world.do(lambda work: standing_store.frozen_with_deltas(work, organisation))
    return [each for _, _, made in found.values() for each in made]


def told(made: list[Delta]) -> list[tuple[int, str, str, str, str | None]]:
    return [
        (d.row, f"{d.accepted_more:f}", f"{d.queried_more:f}", d.outcome, d.cause) for d in made
    ]


def states(world: World) -> list[str]:
    column = tables.job.c
    return list(world.do(lambda w: w.connection.execute(sa.select(column.state)).scalars()))


def low(world: World, treatment: str) -> RequestView:
    """A correction after which the criteria are not met: the approval is under query."""
    request = world.treatment(treatment).requests[0]
    return world.do(
        lambda work: correcting.correct(
            work, world.office, CLINICIAN, request.id, {"score": "4.0"}, frozenset(),
            "typing error", request.version,
        )
    )  # fmt: skip


def resolve(world: World, view: RequestView, how: ApprovalEvent) -> None:
    assert view.approval is not None
    reference, version = view.approval.reference, view.approval.version
    world.do(lambda w: reviewing.resolve_query(w, COMMISSIONER, reference, how, "seen", version))


def revoke(world: World, treatment: str) -> None:
    """The approval is corrected, then withdrawn."""
    resolve(world, low(world, treatment), ApprovalEvent.WITHDRAW)


@pytest.fixture
def matched(world: World, desk: Desk) -> str:
    """A file matched to one treatment, which this is; its month June is closed."""
    view = world.trial()
    world.on(dt.date(2026, 8, 1))
    run(world, desk, data=FILE)
    assert match_again(world, desk)[1] <= 1
    freeze(world, 3)
    world.on(AFTER)
    return view.request.treatment_id


def test_an_open_month_simply_takes_the_new_run(world: World, desk: Desk, matched: str) -> None:
    freeze(world, 3, AFTER + dt.timedelta(days=9))
    revoke(world, matched)
    assert mark(world) == 2
    assert {k.financial_month: r.changes for k, r in slices(world).items()} == {3: 1, 4: 1}
    assert work_off(world, desk) == 1
    june, july = (slices(world)[key(month)] for month in (3, 4))
    assert (june.accepted, june.queried, june.deltas) == (Decimal(0), Decimal(1070), 0)
    assert (july.accepted, july.queried, july.changes) == (Decimal(0), Decimal(500), 0)
    assert deltas(world) == []
    assert count(world, tables.reconciliation_run) == 2


def test_a_closed_month_keeps_its_result_and_gets_signed_deltas(
    world: World, desk: Desk, matched: str
) -> None:
    revoke(world, matched)
    assert match_again(world, desk) == (2, 1)
    june, july = (slices(world)[key(month)] for month in (3, 4))
    assert (june.accepted, june.queried) == (Decimal(1000), Decimal(70))
    assert (june.deltas, june.accepted_more, june.queried_more) == (
        1,
        Decimal(-1000),
        Decimal(1000),
    )
    assert (june.accepted_now, june.queried_now) == (Decimal(0), Decimal(1070))
    assert (july.accepted, july.queried, july.deltas) == (Decimal(0), Decimal(500), 0)
    (made,) = deltas(world)
    assert told([made]) == [(1, "-1000", "1000", "no approval", "approval: withdraw")]
    assert (made.outcome_was, made.accepted_was, made.treatment_id) == ("matched", 1000, matched)
    assert "withdrawn" in made.reason
    assert made.cause_event is not None


def test_a_stop_of_before_the_supply_takes_the_line_back(
    world: World, desk: Desk, matched: str
) -> None:
    world.change(matched, Kind.STOP, from_day=START, stop_reason=StopReason.NO_RESPONSE)
    match_again(world, desk)
    ((row, accepted, queried, outcome, cause),) = told(deltas(world))
    assert (row, accepted, queried, outcome) == (1, "-1000", "1000", "outside approval period")
    assert cause is not None


def test_a_transfer_moves_the_lines_of_its_days_and_no_others(
    world: World, desk: Desk, matched: str
) -> None:
    freeze(world, 4)
    asked = world.change(matched, Kind.TRANSFER, to_provider="DEMO2", from_day=dt.date(2026, 7, 1))
    assert match_again(world, desk)[1] == 1  # nothing comes of it before the other hospital agrees
    assert deltas(world) == []
    world.do(
        lambda w: reviewing.consent(
            w, world.office, OTHER_CLINICIAN, asked.request.id, asked.request.version
        )
    )
    match_again(world, desk)
    ((row, accepted, queried, outcome, _),) = told(deltas(world))
    assert (row, accepted, queried) == (2, "-500", "500")
    assert outcome == "not the approved provider"


def test_an_approval_brought_over_is_found_by_the_line_s_own_numbers(
    world: World, desk: Desk, matched: str
) -> None:
    assert matched
    row = {
        "Blueteq ID": "BLQ-1",
        "NHS No": OTHER["nhs"],
        "Hospital No": OTHER["local"],
        "DoB": "01/01/1970",
        "Trust code": "DEMO1",
        "Commissioner code": "DEMQ1",
        "Drug": "Adalimumab 40mg",
        "Form name": "Adalimumab for severe rheumatoid arthritis (TA375)",
        "Status": "Approved",
        "Date approved": "02/03/2026",
        "Review date": "01/09/2026",
    }
    imported(world, row)
    assert match_again(world, desk) == (1, 1)  # June alone holds a line of that person
    ((row_number, *more, outcome, cause),) = told(deltas(world))
    assert (row_number, *more) == (3, "70", "-70")
    assert (outcome, cause) == ("matched", "approval imported")


def test_a_decision_by_hand_is_named_as_the_cause(world: World, desk: Desk, matched: str) -> None:
    standing = run(world, desk, data=FILE).run.id
    read = lambda fn: world.database.read(fn, moment=world.moment)  # noqa: E731
    seen = read(
        lambda w: deciding_lines.look(w, desk, COMMISSIONER, standing, 3, DecisionKind.ACCEPT)
    )
    made = deciding_lines.draft(desk, COMMISSIONER, seen, 3, DecisionKind.ACCEPT, None)
    decided, _ = world.do(
        lambda w: deciding_lines.decide(w, COMMISSIONER, seen, 3, made, "Agreed by letter.")
    )
    assert work_off(world, desk) == 1
    world.do(lambda w: deciding_lines.undo(w, COMMISSIONER, decided.id, "A slip."))
    assert match_again(world, desk) == (0, 1)
    assert [each[:3] + each[4:] for each in told(deltas(world))] == [
        (3, "70", "-70", "line decided by hand"),
        (3, "-70", "70", "decision by hand undone"),
    ]
    assert matched


def test_an_approval_changed_back_leads_to_the_first_run_which_stands_again(
    world: World, desk: Desk, matched: str
) -> None:
    view = low(world, matched)
    match_again(world, desk)
    resolve(world, view, ApprovalEvent.UPHOLD)
    match_again(world, desk)
    runs = count(world, tables.reconciliation_run)
    assert [each[:3] for each in told(deltas(world))] == [
        (1, "-1000", "1000"), (1, "1000", "-1000")
    ]  # fmt: skip
    june = slices(world)[key(3)]
    assert (june.accepted, june.accepted_now, june.deltas) == (Decimal(1000), Decimal(1000), 2)
    assert slices(world)[key(4)].accepted == Decimal(500)
    run(world, desk, data=FILE)
    assert count(world, tables.reconciliation_run) == runs


def test_looked_at_twice_nothing_happens_twice(world: World, desk: Desk, matched: str) -> None:
    revoke(world, matched)
    match_again(world, desk)
    before = (deltas(world), count(world, tables.run_standing), states(world))
    assert match_again(world, desk) == (0, 0)
    run(world, desk, data=FILE)
    again = sa.update(tables.change_cursor).values(position="1.0.0")
    world.do(lambda w: w.connection.execute(again))
    assert match_again(world, desk) == (0, 0)  # read from the start: every mark is there already
    assert (deltas(world), count(world, tables.run_standing), states(world)) == before


def test_two_workers_at_once_leave_one_run_and_one_set_of_deltas(
    world: World, desk: Desk, matched: str
) -> None:
    revoke(world, matched)
    mark(world)
    submission = submission_of(world)
    world.do(lambda w: service.queue(w, COMMISSIONER, submission))
    handlers = make_handlers(desk)
    race(*(lambda: run_next(door(world), handlers) for _ in range(2)))
    assert states(world).count("done") == len(states(world))
    assert len(deltas(world)) == 1
    assert count(world, tables.reconciliation_run) == 2


def submission_of(world: World) -> str:
    column = tables.submission.c
    return str(world.do(lambda w: w.connection.execute(sa.select(column.id)).scalar_one()))


class Killed(BaseException):
    """As if the process had been killed."""


@pytest.mark.parametrize(
    "where", ["add_standing", "replace_touches", "settle", "add_frozen", "add_deltas"]
)
def test_a_worker_killed_in_the_middle_leaves_the_same_after_all(
    world: World, desk: Desk, matched: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(world, matched)
    mark(world)
    real = getattr(standing_store, where)

    def die(*arguments: Any, **named: Any) -> None:
        real(*arguments, **named)
        raise Killed

    monkeypatch.setattr(standing_store, where, die)
    with pytest.raises(Killed):
        run_next(door(world), make_handlers(desk))
    monkeypatch.undo()
    assert (deltas(world), count(world, tables.reconciliation_run)) == ([], 1)
    world.on(AFTER + dt.timedelta(days=1))  # the lease has run out
    assert match_again(world, desk) == (0, 1)
    assert [each[:3] for each in told(deltas(world))] == [(1, "-1000", "1000")]
    assert slices(world)[key(3)].changes == 0


@pytest.mark.parametrize(
    ("store", "where"), [(standing_store, "replace_cursors"), (stale_store, "taken_up")]
)
def test_marking_killed_in_the_middle_is_done_over(
    world: World,
    desk: Desk,
    matched: str,
    store: ModuleType,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    revoke(world, matched)
    real = getattr(store, where)

    def die(*arguments: Any) -> None:
        real(*arguments)
        raise Killed

    monkeypatch.setattr(store, where, die)
    with pytest.raises(Killed):
        mark(world)
    monkeypatch.undo()
    assert match_again(world, desk) == (2, 1)
    assert len(deltas(world)) == 1


def test_a_penny_that_a_delta_loses_stops_the_whole(
    world: World, desk: Desk, matched: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(world, matched)
    add = standing_store.add_deltas

    def lose(work: Any, made: Any) -> None:
        add(work, [replace(d, accepted_more=d.accepted_more + Decimal("0.01")) for d in made])

    monkeypatch.setattr(standing_store, "add_deltas", lose)
    with pytest.raises(TotalsDoNotTie, match="A frozen month with its deltas"):
        run(world, desk, data=FILE)
    assert (deltas(world), count(world, tables.reconciliation_run)) == ([], 1)


def test_each_organisation_is_marked_for_what_it_may_see_and_for_nothing_else(
    world: World, desk: Desk, matched: str
) -> None:
    send_and_run(world, desk, PHARMACIST)
    send_and_run(world, desk, OTHER_COMMISSIONER)
    revoke(world, matched)
    mark(world)
    found = {
        caller.organisation: sum(row.changes for row in slices(world, caller).values())
        for caller in (COMMISSIONER, PHARMACIST, OTHER_COMMISSIONER)
    }
    assert found == {"DEMQ1": 2, "DEMO1": 2, "DEMQ2": 0}
    work_off(world, desk)
    assert deltas(world, "DEMQ2") == deltas(world, "DEMO1") == []  # no month of theirs is closed
    assert slices(world, PHARMACIST)[key(3)].accepted == Decimal(0)


def send_and_run(world: World, desk: Desk, caller: Caller) -> None:
    run(world, desk, caller, csv_bytes([line(JUNE), line(JULY, total="500")]))


@pytest.mark.parametrize("table", [tables.slice_frozen, tables.slice_delta])
def test_what_was_frozen_and_every_delta_is_never_changed(
    world: World, desk: Desk, matched: str, table: sa.Table
) -> None:
    revoke(world, matched)
    match_again(world, desk)
    changed = {"accepted": Decimal(1)}
    steps: list[Callable[[], Any]] = [
        lambda: world.do(lambda w: w.connection.execute(sa.update(table).values(changed))),
        lambda: world.do(lambda w: w.connection.execute(sa.delete(table))),
    ]
    for step in steps:
        with pytest.raises(sa.exc.DBAPIError, match=r"never changed|permission denied"):
            step()


def test_a_large_submission_is_matched_again_at_most_once_a_day(
    world: World, desk: Desk, matched: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rematching, "LARGE", 2)
    view = low(world, matched)
    assert match_again(world, desk) == (2, 1)
    resolve(world, view, ApprovalEvent.WITHDRAW)
    assert match_again(world, desk) == (2, 0)
    assert slices(world)[key(3)].changes == 1
    world.on(AFTER + dt.timedelta(days=2))
    assert match_again(world, desk) == (0, 1)
    assert slices(world)[key(3)].changes == 0


def test_a_change_while_a_run_is_under_way_is_not_lost(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run saw the approvals before the change, and is saved after the change was read."""
    view = world.trial()
    world.on(dt.date(2026, 8, 1))
    work_out = service.match

    def meanwhile(*arguments: Any) -> Any:
        revoke(world, view.request.treatment_id)
        mark(world)
        return work_out(*arguments)

    monkeypatch.setattr(service, "match", meanwhile)
    run(world, desk, data=FILE)
    monkeypatch.undo()
    assert slices(world)[key(3)].accepted == Decimal(1000)
    assert match_again(world, desk) == (2, 1)
    assert slices(world)[key(3)].accepted == Decimal(0)


def test_a_run_that_saw_the_approvals_earlier_does_not_come_to_stand(
    world: World, desk: Desk, matched: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    low(world, matched)
    work_out, later = service.match, []

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.undo()
        found = work_out(*arguments)
        revoke_queried(world, matched)
        _settle(world.database)
        later.append(run(world, desk, data=FILE))  # another worker looks later and is done first
        return found

    monkeypatch.setattr(service, "match", meanwhile)
    earlier = run(world, desk, data=FILE)
    (last,) = later
    assert earlier.run.id != last.run.id

    def stands(work: Any) -> Any:
        return standing_store.last_standing(work, "DEMQ1", last.run.submission_id)

    assert world.do(stands).run_id == last.run.id
    match_again(world, desk)
    assert world.do(stands).run_id == last.run.id


def revoke_queried(world: World, treatment: str) -> None:
    """Withdraw an approval that is under query."""
    view = world.treatment(treatment)
    (held,) = view.approvals
    resolution = ApprovalEvent.WITHDRAW
    world.do(
        lambda w: reviewing.resolve_query(
            w, COMMISSIONER, held.reference, resolution, "seen", held.version
        )
    )


# --- pure -----------------------------------------------------------------------------------------


def test_of_several_changes_the_line_s_own_approval_tells_most() -> None:
    def of(action: str, number: int, treatment: str | None, line_key: str | None = None) -> Any:
        now = dt.datetime(2026, 8, 1, tzinfo=dt.UTC)
        return standing_store.Mark(
            "m", "DEMQ1", "v", "s", number, action, now, treatment, line_key, now
        )

    was = pure.Amounts("matched", Decimal(1), Decimal(0), None, "T1", Decimal(0))
    change = pure.Change(_item("T2"), was)
    terms = of("contract terms loaded", 9, None)
    other = of("approval issued", 8, "T3")
    request, approval = of("request: withdraw", 7, "T1"), of("approval: withdraw", 6, "T2")
    by_hand = of("line decided by hand", 5, None, "k.1")
    assert pure.cause_of(change, "k.1", [terms, other, request, approval, by_hand]) is by_hand
    assert pure.cause_of(change, "k.2", [terms, other, request, approval, by_hand]) is approval
    assert pure.cause_of(change, "k.2", [terms, other, request]) is request
    assert pure.cause_of(change, "k.2", [terms, other]) is terms
    assert pure.cause_of(change, "k.2", [other]) is None


def _item(treatment: str) -> Any:
    return type("Item", (), {"treatment_id": treatment})()


def test_a_month_stated_anew_marks_the_later_submissions_that_counted_it(
    world: World, desk: Desk
) -> None:
    approve(world)
    run(world, desk, data=csv_bytes([vials(JUNE, 3)]))
    later = run(world, desk, data=csv_bytes([vials(JULY, 1)]))
    beside = run(world, desk, data=csv_bytes([line(dt.date(2026, 8, 3), total="70", **OTHER)]))
    match_again(world, desk)
    assert [item.outcome.value for item in later.matched] == ["over quantity"]
    assert slices(world)[key(4)].accepted == 0

    run(world, desk, data=csv_bytes([vials(JUNE, 1)]))
    marked = world.do(lambda w: standing_store.open_marks(w, "DEMQ1", later.run.submission_id))
    assert [each.action for each in marked] == ["earlier month stated anew"]
    assert world.do(lambda w: standing_store.open_marks(w, "DEMQ1", beside.run.submission_id)) == ()
    match_again(world, desk)
    assert slices(world)[key(4)].accepted == 1000
    assert match_again(world, desk) == (0, 0)


def test_a_month_that_is_emptied_or_corrected_marks_them_too(world: World, desk: Desk) -> None:
    approve(world)
    run(world, desk, data=csv_bytes([vials(JUNE, 3)]))
    run(world, desk, data=csv_bytes([vials(JULY, 1)]))
    match_again(world, desk)
    world.do(
        lambda w: state_empty(
            w, desk, COMMISSIONER, key(3), lines=1, total=Decimal(3000), reason="Sent by mistake"
        )
    )
    match_again(world, desk)
    assert slices(world)[key(4)].accepted == 1000

    freeze(world, 4, FREEZE)
    run(world, desk, data=csv_bytes([vials(dt.date(2026, 8, 3), 3)]))
    match_again(world, desk)
    assert slices(world)[key(5)].accepted == 2000
    world.on(AFTER)
    run(world, desk, data=csv_bytes([vials(JULY, 2)]))  # a correction of what is closed
    match_again(world, desk)
    assert slices(world)[key(5)].accepted == 1000
