"""A worklist reads what it needs by index, and finds what reading everything in scope finds."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import pytest
from sqlalchemy import RowMapping

from app.approvals.reassigning import hand_to_payer
from app.approvals.scope import ways_to_see
from app.auth.model import Caller
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.reconciliation import listing_work
from app.reconciliation.listing_work import Listed, worklist
from app.reconciliation.model import LineOutcome
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk
from app.reconciliation.snapshot_rows import IN_SCOPE, read_approvals, read_treatments
from app.reconciliation.waiting_store import moved_query, overdue
from app.reconciliation.worklists import Supplied, Worklist, entries
from benchmarks.two_million_states import DAY, make_states
from tests.world import COMMISSIONER, OTHER_COMMISSIONER, PHARMACIST, person

OTHER_PHARMACIST = person(PHARMACIST.role, "DEMO2")
CALLERS = (PHARMACIST, OTHER_PHARMACIST, COMMISSIONER, OTHER_COMMISSIONER)
T = TypeVar("T")
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
    return Filled(database, made)


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
        for days in (0, 95, 130, 200, 400):
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
