"""A worklist reads what it needs by index, and finds what reading everything in scope finds."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, cast

import pytest
from sqlalchemy import RowMapping, select, update

from app.approvals.library import load_library
from app.approvals.office import Office
from app.approvals.reassigning import hand_to_payer
from app.approvals.scope import ways_to_see
from app.audit import feed_position, parse_cursor
from app.auth.model import Caller
from app.db.tables import approval, start_awaited, start_awaited_mark, treatment
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.policy import Kind
from app.reconciliation import awaited_store, listing_starts, listing_work
from app.reconciliation.awaited_store import keep, keepers, mark_of, touched_since
from app.reconciliation.listing_starts import Listed
from app.reconciliation.listing_work import EVERYTHING, Sought, worklist
from app.reconciliation.model import LineOutcome
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk
from app.reconciliation.snapshot_rows import IN_SCOPE, read_approvals, read_treatments
from app.reconciliation.waiting_store import NOT_BEGUN, moved_query, overdue
from app.reconciliation.worklists import Supplied, Worklist, entries
from benchmarks.two_million_states import DAY, make_states
from tests.world import (
    COMMISSIONER,
    OTHER_COMMISSIONER,
    PHARMACIST,
    POLICIES,
    World,
    patient,
    person,
)

OTHER_PHARMACIST = person(PHARMACIST.role, "DEMO2")
CALLERS = (PHARMACIST, OTHER_PHARMACIST, COMMISSIONER, OTHER_COMMISSIONER)
T = TypeVar("T")
#: Days after DAY on which the lists are read.
DAYS = (0, 95, 130, 200, 400)
#: Which of the states were supplied, and from which day after DAY on: a treatment that began, one
#: that did not, one that was continued, one that was stopped.
SUPPLIED = {0: 5, 3: 10, 4: 150, 5: 20}
#: Not asked: the supplies are given.
DESK = cast(Desk, None)


@dataclass(frozen=True)
class Filled:
    """A database with a treatment in each state, and supplies of some."""

    database: Database
    supplies: tuple[Supplied, ...]

    ids: Callable[[], str]
    random_bytes: Callable[[int], bytes]

    def keep(self) -> int:
        """What the worker does; how many treatments it looked at."""
        return sum(self.do(partial(keep, caller=each)) for each in self.do(keepers))

    def do(self, fn: Callable[[Work], T], day: dt.date = DAY) -> T:
        at = Moment(dt.datetime.combine(day, dt.time(9), dt.UTC), day)
        return self.database.transact(
            fn, moment=at, new_id=self.ids, random_bytes=self.random_bytes
        )

    def read(self, caller: Caller, day: dt.date, fn: Callable[[Work], T]) -> T:
        at = Moment(dt.datetime.combine(day, dt.time(9), dt.UTC), day)
        return self.database.read(fn, moment=at, scope=caller.organisation)


@pytest.fixture
def filled(
    database: Database,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Filled:
    shares, _ = make_states(database)
    at = Moment(dt.datetime.combine(DAY, dt.time(9), dt.UTC), DAY)
    handed = database.transact(
        lambda work: hand_to_payer(
            work, COMMISSIONER, "etanercept", "DEMQ2", DAY + dt.timedelta(days=30), "invented"
        ),
        moment=at,
        new_id=ids,
        random_bytes=random_bytes,
    )
    assert handed.treatments
    made = tuple(
        Supplied(shares[n].treatment_id, provider, DAY + dt.timedelta(days=days), "run", n, outcome)
        for n, first in SUPPLIED.items()
        for provider, days, outcome in (
            ("DEMO1", first, LineOutcome.MATCHED),
            ("DEMO2", first + 3, LineOutcome.NOT_THE_APPROVED_PROVIDER),
            ("DEMO1", first + 10, LineOutcome.MATCHED),
        )
    )
    monkeypatch.setattr(listing_work, "supplies", lambda *_: made)
    return Filled(database, made, ids, random_bytes)


def whole(work: Work, caller: Caller, which: Worklist, supplied: tuple[Supplied, ...]) -> Listed:
    """The plain way: every treatment in scope is read, and the rules look at each."""
    scope, today = scope_of(caller), work.moment.day
    approvals: dict[str, list[RowMapping]] = {}
    for row in read_approvals(work, scope).values():
        if row[IN_SCOPE]:
            approvals.setdefault(row["treatment_id"], []).append(row)
    known = {
        id_: listing_work._approved(treatment, approvals[id_], today)
        for id_, treatment in read_treatments(work, scope).items()
        if id_ in approvals
    }
    found = entries(which, known, supplied, today)
    return Listed(found, len(found))


def test_each_list_is_what_reading_everything_finds(filled: Filled) -> None:
    seen: dict[Worklist, int] = dict.fromkeys(Worklist, 0)
    for caller in CALLERS:
        for days in DAYS:
            for which in Worklist:
                day = DAY + dt.timedelta(days=days)
                plain = filled.read(
                    caller, day, lambda w, c=caller, x=which: whole(w, c, x, filled.supplies)
                )
                found = filled.read(
                    caller, day, lambda w, c=caller, x=which: worklist(w, DESK, c, x)
                )
                assert found == plain, (caller.organisation, day, which)
                seen[which] += plain.count
    assert all(seen.values()), seen


def check(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> int:
    """Compare each reader's list of starts, whole, cut and narrowed, with reading everything.

    Where rows are kept they must be enough: looking at everything that has not begun is closed.
    """
    seen = 0
    for caller in CALLERS:
        kept = filled.read(caller, DAY, partial(mark_of, caller=caller))
        for day in (DAY + dt.timedelta(days=days) for days in (95, 130)):
            plain = filled.read(caller, day, partial(everything, caller, filled.supplies))
            with monkeypatch.context() as patched:
                if kept is not None:
                    patched.setattr(listing_starts, "overdue", None)
                for limit in (None, 1):
                    found = filled.read(caller, day, partial(starts, caller, limit, EVERYTHING))
                    assert found == Listed(plain.entries[:limit], plain.count), (caller, day)
                for sought in (Sought(provider="DEMO1"), Sought(None, "202627", 11)):
                    found = filled.read(caller, day, partial(starts, caller, None, sought))
                    fits = [e for e in plain.entries if listing_work._is_sought(e, sought, {}, day)]
                    assert found == Listed(tuple(fits), len(fits)), (caller, day, sought)
            seen += plain.count
    return seen


def everything(caller: Caller, supplied: tuple[Supplied, ...], work: Work) -> Listed:
    return whole(work, caller, Worklist.NOT_STARTED, supplied)


def starts(caller: Caller, limit: int | None, sought: Sought, work: Work) -> Listed:
    return worklist(work, DESK, caller, Worklist.NOT_STARTED, limit, sought)


def rows_kept(work: Work) -> set[tuple[object, ...]]:
    return set(map(tuple, work.connection.execute(select(start_awaited))))


def test_what_the_worker_keeps_gives_the_same_list_whatever_changes_after(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert filled.keep() > 0
    assert check(filled, monkeypatch) > 0
    treatments = filled.read(
        PHARMACIST,
        DAY,
        lambda w: (
            w.connection.execute(select(treatment.c.id).where(NOT_BEGUN).order_by(treatment.c.id))
            .scalars()
            .all()
        ),
    )
    world = World(
        filled.database,
        Office(load_library(POLICIES), demonstration=True),
        moment=None,  # type: ignore[arg-type]  # set by `on`, next
        new_id=filled.ids,
        random_bytes=filled.random_bytes,
    )
    changes: list[Callable[[], object]] = [
        lambda: world.submit(patient=patient(900), decision_to_treat=DAY),
        lambda: world.first_dose(approved(filled)[0], DAY),
        lambda: world.change(
            approved(filled)[0],
            Kind.PAUSE,
            from_day=DAY + dt.timedelta(days=1),
            to_day=DAY + dt.timedelta(days=150),
        ),
        lambda: world.change(
            approved(filled)[-1], Kind.TRANSFER, to_provider="DEMO2", from_day=DAY
        ),
        lambda: filled.do(
            lambda w: hand_to_payer(
                w, COMMISSIONER, "adalimumab", "DEMQ2", DAY + dt.timedelta(days=30), "invented"
            )
        ),
    ]
    assert treatments
    for change in changes:
        world.on(DAY)
        change()
        check(filled, monkeypatch)
        looked = filled.keep()
        assert looked < len(treatments) * 4
        check(filled, monkeypatch)
    kept = filled.do(rows_kept)
    filled.do(lambda w: w.connection.execute(update(start_awaited_mark).values(epoch=0)))
    check(filled, monkeypatch)
    filled.keep()
    assert filled.do(rows_kept) == kept


def approved(filled: Filled) -> list[str]:
    """The hospital's treatments with an approval that have not begun."""
    query = (
        select(treatment.c.id)
        .join(approval, approval.c.treatment_id == treatment.c.id)
        .where(NOT_BEGUN, approval.c.state == "live", treatment.c.provider == "DEMO1")
        .order_by(treatment.c.id)
    )
    return list(filled.do(lambda w: w.connection.execute(query).scalars().all()))


def test_with_too_many_changes_everything_is_looked_at(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.keep()
    monkeypatch.setattr(awaited_store, "touched_since", lambda *_: None)
    for caller in CALLERS:
        day = DAY + dt.timedelta(days=130)
        plain = filled.read(caller, day, partial(everything, caller, filled.supplies))
        assert filled.read(caller, day, partial(starts, caller, None, EVERYTHING)) == plain


def test_after_many_events_the_kept_rows_are_of_no_use(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaited_store, "MOST_EVENTS", 3)
    assert filled.do(lambda w: touched_since(w, (1, 0, 0))) is None
    now = filled.do(lambda w: parse_cursor(feed_position(w)))
    assert filled.do(lambda w: touched_since(w, now)) == frozenset()


def test_an_organisation_sees_the_rows_kept_for_it_alone(filled: Filled) -> None:
    filled.keep()
    for caller in CALLERS:
        found = filled.read(
            caller,
            DAY,
            lambda w: set(w.connection.execute(select(start_awaited.c.organisation)).scalars()),
        )
        if filled.database.engine.dialect.name == "postgresql":
            assert found <= {caller.organisation}


def test_a_list_of_few_tells_how_many_there_are(filled: Filled) -> None:
    day = DAY + dt.timedelta(days=130)
    every = filled.read(
        COMMISSIONER, day, lambda w: worklist(w, DESK, COMMISSIONER, Worklist.NOT_STARTED)
    )
    first = filled.read(
        COMMISSIONER, day, lambda w: worklist(w, DESK, COMMISSIONER, Worklist.NOT_STARTED, 1)
    )

    assert every.count == len(every.entries) > 1
    assert first == Listed(every.entries[:1], every.count)


def test_what_was_handed_over_is_found_where_it_led(filled: Filled) -> None:
    """The payer that handed etanercept over pays until then, and still sees what has not begun."""
    day = DAY + dt.timedelta(days=130)
    late = filled.read(
        COMMISSIONER, day, lambda w: overdue(w, COMMISSIONER, scope_of(COMMISSIONER), day)
    )
    (way,) = ways_to_see(COMMISSIONER)[1:]
    moved = filled.read(
        COMMISSIONER,
        day,
        lambda w: w.connection.execute(moved_query(COMMISSIONER, way)).scalars().all(),
    )
    assert set(moved) & set(late)
