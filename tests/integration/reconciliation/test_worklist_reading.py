"""A worklist reads what it needs by index, and finds what reading everything in scope finds."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar, cast

import pytest
from sqlalchemy import RowMapping, select, update

from app.approvals import patients
from app.approvals.lifecycle import ApprovalState
from app.approvals.office import PHARMACIST_AUTHORISATION, Office
from app.approvals.reassigning import Effect, Giving, give
from app.approvals.scope import ways_to_see
from app.approvals.standing import STANDING
from app.auth.model import Caller
from app.db.tables import (
    approval,
    audit_event,
    listed_entry,
    listed_supply,
    start_awaited,
    start_awaited_mark,
    treatment,
)
from app.db.tables import (
    patient as patient_table,
)
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.policy import Kind
from app.reconciliation import awaited_store, charged, listing_starts, listing_work
from app.reconciliation.awaited_store import keep, keepers, mark_of, touched_since
from app.reconciliation.listing_work import EVERYTHING, Sought, worklist
from app.reconciliation.model import LineOutcome
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk
from app.reconciliation.snapshot_rows import IN_SCOPE, Treatment, read_approvals, read_treatments
from app.reconciliation.waiting_store import NOT_BEGUN, holds_on, moved_query, overdue
from app.reconciliation.worklists import (
    Approved,
    Entry,
    Listed,
    Place,
    Supplied,
    Worklist,
    entries,
)
from benchmarks.two_million_states import DAY, Share, make_states
from tests.once import Begin
from tests.policies.library import packaged_library
from tests.world import (
    CLINICIAN,
    COMMISSIONER,
    OTHER_COMMISSIONER,
    PHARMACIST,
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


@dataclass
class Filled:
    """A database with a treatment in each state, and supplies of some, which runs state."""

    database: Database
    first: tuple[Supplied, ...]
    supplies: tuple[Supplied, ...]
    runs: str

    ids: Callable[[], str]
    random_bytes: Callable[[int], bytes]
    settle: Callable[[Database], None]

    def keep(self) -> int:
        """What the worker does; how many treatments it looked at.

        It goes by the change feed, which on PostgreSQL waits for other tests' transactions too: it
        would look again at all that they keep back.
        """
        self.settle(self.database)
        return sum(self.do(partial(keep, desk=DESK, caller=each)) for each in self.do(keepers))

    def do(self, fn: Callable[[Work], T], day: dt.date = DAY) -> T:
        at = Moment(dt.datetime.combine(day, dt.time(9), dt.UTC), day)
        return self.database.transact(
            fn, moment=at, new_id=self.ids, random_bytes=self.random_bytes
        )

    def read(self, caller: Caller, day: dt.date, fn: Callable[[Work], T]) -> T:
        at = Moment(dt.datetime.combine(day, dt.time(9), dt.UTC), day)
        return self.database.read(fn, moment=at, scope=caller.organisation)


def hand_on(work: Work, drug: str) -> Effect:
    """DEMQ1 hands a drug's treatments to DEMQ2 from the thirtieth day after on."""
    giving = Giving("an id", "DEMQ1", "DEMQ2", drug, DAY + dt.timedelta(days=30))
    return give(work, COMMISSIONER.actor(), giving)


@pytest.fixture
def filled(
    database: Database,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
    monkeypatch: pytest.MonkeyPatch,
    begin: Begin,
    settle: Callable[[Database], None],
) -> Filled:
    def set_up() -> list[Share]:
        shares, _ = make_states(database, packaged_library())
        at = Moment(dt.datetime.combine(DAY, dt.time(9), dt.UTC), DAY)
        handed = database.transact(
            lambda work: hand_on(work, "etanercept"),
            moment=at,
            new_id=ids,
            random_bytes=random_bytes,
        )
        assert handed.treatments
        return shares

    shares = begin("a treatment in each state, and etanercept handed on", set_up)
    made = tuple(
        Supplied(
            shares[n].treatment_id, provider, DAY + dt.timedelta(days=days), "run", row, outcome
        )
        for n, first in SUPPLIED.items()
        for row, provider, days, outcome in (
            (10 * n, "DEMO1", first, LineOutcome.MATCHED),
            (10 * n + 1, "DEMO2", first + 3, LineOutcome.NOT_THE_APPROVED_PROVIDER),
            (10 * n + 2, "DEMO1", first + 10, LineOutcome.MATCHED),
        )
    )
    filled = Filled(database, made, made, "the first runs", ids, random_bytes, settle)
    monkeypatch.setattr(charged, "supplies", lambda *_: filled.supplies)
    monkeypatch.setattr(charged, "which_runs", lambda *_: filled.runs)
    return filled


def everything(
    caller: Caller, supplied: tuple[Supplied, ...], work: Work
) -> dict[Worklist, Listed]:
    """The plain way: every treatment in scope is read, and the rules look at each."""
    scope, today = scope_of(caller), work.moment.day
    approvals: dict[str, list[RowMapping]] = {}
    for row in read_approvals(work, scope).values():
        if row[IN_SCOPE]:
            approvals.setdefault(row["treatment_id"], []).append(row)
    linked = select(patient_table.c.id, patient_table.c.linked_to)
    stands = {id_: other or id_ for id_, other in work.connection.execute(linked)}
    known = {
        id_: _approved(treatment, approvals[id_], stands, today)
        for id_, treatment in read_treatments(work, scope).items()
        if id_ in approvals
    }
    lists = {which: entries(which, known, supplied, today) for which in Worklist}
    return {which: Listed(found, len(found)) for which, found in lists.items()}


def _approved(
    treatment: Treatment, approvals: list[RowMapping], stands: dict[str, str], today: dt.date
) -> Approved:
    row = treatment.row
    holding = [a for a in approvals if ApprovalState(a["state"]) in STANDING]
    newest = max(holding or approvals, key=lambda a: (a["covers_from"], a["reference"]))
    paused = holds_on(treatment.paused, today)
    over = newest["covers_to"] is not None and newest["covers_to"] < today
    return Approved(
        treatment_id=row["id"],
        person=stands[row["patient_id"]],
        reference=newest["reference"],
        drug=row["drug"],
        provider=row["provider"],
        start_by=newest["start_by"],
        started=row["first_dose"] is not None or row["not_started_on"] is not None,
        stopped_on=row["stopped_on"],
        live=bool(holding) and row["stopped_on"] is None and not paused and not over,
    )


def test_each_list_is_what_reading_everything_finds(filled: Filled) -> None:
    seen: dict[Worklist, int] = dict.fromkeys(Worklist, 0)
    for caller in CALLERS:
        for days in DAYS:
            day = DAY + dt.timedelta(days=days)
            plain = filled.read(caller, day, partial(everything, caller, filled.supplies))
            for which in Worklist:
                found = filled.read(caller, day, partial(listed, caller, which))
                assert found == plain[which], (caller.organisation, day, which)
                seen[which] += found.count
    assert all(seen.values()), seen


def check(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> int:
    """Compare each reader's lists, whole, page by page and narrowed, with reading everything.

    Where rows are kept they must be enough: looking at everything is closed.
    """
    seen = 0
    for caller in CALLERS:
        kept = filled.read(caller, DAY, partial(mark_of, caller=caller))
        with monkeypatch.context() as patched:
            if kept is not None:
                patched.setattr(listing_starts, "overdue", None)
                if kept.runs == filled.runs:
                    patched.setattr(charged, "supplies", None)
            for day in (DAY + dt.timedelta(days=days) for days in (130, 200)):
                seen += check_lists(filled, caller, day)
    return seen


def check_lists(filled: Filled, caller: Caller, day: dt.date) -> int:
    plain = filled.read(caller, day, partial(everything, caller, filled.supplies))
    for which in Worklist:
        check_list(filled, caller, which, day, plain[which])
    return sum(each.count for each in plain.values())


def check_list(
    filled: Filled, caller: Caller, which: Worklist, day: dt.date, plain: Listed
) -> None:
    told = (caller.organisation, which, day)
    assert filled.read(caller, day, partial(listed, caller, which)) == plain, told
    assert paged(filled, caller, which, day, size=2) == list(plain.entries), told
    for sought in (Sought(provider="DEMO2"), Sought(None, "202627", 11)):
        found = filled.read(caller, day, partial(listed, caller, which, sought=sought))
        fits = [e for e in plain.entries if listing_work._is_sought(e, sought, {}, day)]
        assert found == Listed(tuple(fits), len(fits)), (*told, sought)


def paged(filled: Filled, caller: Caller, which: Worklist, day: dt.date, size: int) -> list[Entry]:
    found: list[Entry] = []
    after: Place | None = None
    while True:
        page = filled.read(caller, day, partial(listed, caller, which, limit=size, after=after))
        found += page.entries
        if page.next is None:
            return found
        assert len(page.entries) == size
        after = page.next


def listed(
    caller: Caller,
    which: Worklist,
    work: Work,
    *,
    limit: int | None = None,
    sought: Sought = EVERYTHING,
    after: Place | None = None,
) -> Listed:
    return worklist(work, DESK, caller, which, limit, sought, after)


def rows_kept(work: Work) -> set[str]:
    return {
        f"{table.name} {tuple(row)}"
        for table in (start_awaited, listed_supply, listed_entry)
        for row in work.connection.execute(select(table))
    }


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
        Office(packaged_library(), demonstration=True),
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
        lambda: filled.do(lambda w: hand_on(w, "adalimumab")),
    ]
    assert treatments
    for change in changes:
        world.on(DAY)
        change()
        check(filled, monkeypatch)
        looked = filled.keep()
        assert looked < len(treatments) * 4
        check(filled, monkeypatch)
    for supplies in (later(filled), filled.first, ()):
        filled.supplies, filled.runs = supplies, f"{filled.runs} and another"
        check(filled, monkeypatch)
        filled.keep()
        check(filled, monkeypatch)
    filled.supplies, filled.runs = later(filled), "the last runs"
    filled.keep()
    kept = filled.do(rows_kept)
    filled.supplies, filled.runs = filled.first, "others"
    filled.keep()
    assert filled.do(rows_kept) != kept
    filled.supplies, filled.runs = later(filled), "the last runs again"
    filled.do(lambda w: w.connection.execute(update(start_awaited_mark).values(epoch=0)))
    check(filled, monkeypatch)
    filled.keep()
    assert filled.do(rows_kept) == kept


def test_records_are_one_person_while_they_are_linked(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(
        filled.database,
        Office(packaged_library(), demonstration=True),
        moment=None,  # type: ignore[arg-type]  # set by `on`, next
        new_id=filled.ids,
        random_bytes=filled.random_bytes,
    )
    world.on(DAY + dt.timedelta(days=1))
    world.set("DEMO1", PHARMACIST_AUTHORISATION, False)
    unknown = patient(901, nhs_number=None, no_nhs_number_reason="overseas")
    other = world.submit(patient=unknown, decision_to_treat=DAY).request.treatment_id
    stopped = filled.first[-1].treatment_id
    filled.supplies = tuple(
        Supplied(id_, provider, DAY + dt.timedelta(days=days), "linked", days, outcome)
        for id_, provider, days, outcome in (
            (stopped, "DEMO1", 20, LineOutcome.MATCHED),
            (stopped, "DEMO1", 40, LineOutcome.MATCHED),
            (other, "DEMO2", 30, LineOutcome.NOT_THE_APPROVED_PROVIDER),
        )
    )
    filled.runs = "of two records"
    filled.keep()

    def both() -> int:
        check(filled, monkeypatch)
        which = Worklist.TWO_TRUSTS
        return filled.read(COMMISSIONER, DAY, partial(listed, COMMISSIONER, which)).count

    def record_of(treatment_id: str) -> str:
        query = select(treatment.c.patient_id).where(treatment.c.id == treatment_id)
        return str(filled.do(lambda w: w.connection.execute(query).scalar_one()))

    one, two = record_of(other), record_of(stopped)
    assert both() == 0
    filled.do(lambda w: patients.link(w, CLINICIAN, one, two, "one person"))
    assert both() == 1
    filled.keep()
    assert both() == 1
    filled.do(lambda w: patients.unlink(w, CLINICIAN, one, "two persons"))
    assert both() == 0
    filled.keep()
    assert both() == 0


def later(filled: Filled) -> tuple[Supplied, ...]:
    """What newer runs might state: one provider's invoices go on, and a supply is gone."""
    (first, *others) = filled.first
    day = first.day + dt.timedelta(days=190)
    again = replace(first, day=day, run_id="newer", row=0)
    return (*others, again)


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
        check_lists(filled, caller, day)


def test_after_many_events_the_kept_rows_are_of_no_use(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaited_store, "MOST_EVENTS", 3)
    assert filled.do(lambda w: touched_since(w, (1, 0, 0))) is None
    assert filled.do(lambda w: touched_since(w, newest_event(w))) == frozenset()


def newest_event(work: Work) -> tuple[int, int, int]:
    """Where the newest event stands.

    The feed's own position may lie before it: on PostgreSQL it waits for the transactions of every
    database of the cluster, and so for those of a test that runs beside this one.
    """
    e = audit_event.c
    newest = select(e.epoch, e.xid, e.id).order_by(e.epoch.desc(), e.xid.desc(), e.id.desc())
    epoch, xid, id_ = work.connection.execute(newest.limit(1)).one()
    return epoch, xid, id_


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
    assert (first.entries, first.count) == (every.entries[:1], every.count)


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
