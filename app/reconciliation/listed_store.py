"""The supplies of an organisation's newest runs and what they give to look at, as the worker keeps
them, and a page of them corrected by what has changed since.

An entry rests on a treatment, its newest approval and its supplies; for supplies by two trusts on
all of a person's treatments with the drug. Whoever reads leaves out what rests on a treatment that
changed after the worker looked, and works that out anew. So the answer is that of this moment.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, tuple_

from app.approvals.permissions import PAYER_ROLES
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation.approved_rows import Known, read_known, same_persons
from app.reconciliation.model import LineOutcome
from app.reconciliation.scope import Scope
from app.reconciliation.waiting_store import chunks
from app.reconciliation.worklists import (
    Entry,
    Heard,
    Listed,
    Place,
    Stated,
    Supplied,
    Worklist,
    made,
    page_of,
    placed,
)

#: How many rows one statement adds, of 12 values at most: SQLite takes 32,766 of them.
ADDED_TOGETHER: Final = 1_000
#: Of how many treatments entries are made together, with their persons' others.
MADE_TOGETHER: Final = 5_000
_SUPPLY, _ENTRY = tables.listed_supply, tables.listed_entry
#: The lists that are kept, and whether an entry of a treatment rests on its person's others too.
_KEPT: Final[Mapping[Worklist, bool]] = {
    Worklist.SUPPLIED_AFTER_STOP: False,
    Worklist.NO_RECENT_SUPPLY: False,
    Worklist.TWO_TRUSTS: True,
}
IsSought = Callable[[Entry], bool]
#: What a list needs beside the rows: the treatments that changed since, and how far invoices go.
Since = tuple[Collection[str], Heard]


def own_rows(caller: Caller, table: Any) -> ColumnElement[bool]:
    """Condition on a table of the worker's: the rows of the caller's organisation."""
    c, pays = table.c, caller.role in PAYER_ROLES
    return and_(c.organisation == caller.organisation, c.pays == pays)


# --- supplies -------------------------------------------------------------------------------------


_C: Final = _SUPPLY.c
#: What is kept of a supply, in the order of `Supplied` and of what is stated.
_KEPT_OF: Final = (
    *(_C.run_id, _C.row, _C.treatment_id, _C.provider, _C.day, _C.outcome),
    *(_C.product, _C.quantity, _C.unit, _C.amount),
)
#: The values of these, of one supply.
SupplyRow = tuple[Any, ...]


def keep_supplies(work: Work, caller: Caller, found: Sequence[Supplied]) -> frozenset[str]:
    """Keep these supplies and no others; the treatments of those that came or went."""
    stood = set(supplies_kept(work, caller))
    stands = {
        (s.run_id, s.row, s.treatment_id, s.provider, s.day, s.outcome.value, *s.stated)
        for s in found
    }
    gone, come = stood - stands, stands - stood
    drop_supplies(work, caller, sorted((run, row) for run, row, *_ in gone))
    add_supplies(work, caller, sorted(come, key=lambda each: each[:2]))
    return frozenset(treatment for _, _, treatment, *_ in gone | come)


def supplies_kept(work: Work, caller: Caller) -> Iterator[SupplyRow]:
    """Every supply that is kept for the caller's organisation, some in memory at a time."""
    query = select(*_KEPT_OF).where(own_rows(caller, _SUPPLY))
    rows = work.connection.execute(query.execution_options(yield_per=ADDED_TOGETHER))
    return (tuple(row) for row in rows)


def drop_runs(work: Work, caller: Caller, runs: Sequence[str]) -> None:
    """Forget every supply of these runs."""
    for chunk in chunks(runs):
        gone = and_(own_rows(caller, _SUPPLY), _C.run_id.in_(chunk))
        work.connection.execute(delete(_SUPPLY).where(gone))


def drop_supplies(work: Work, caller: Caller, gone: Sequence[tuple[str, int]]) -> None:
    """Forget these supplies, by run and row."""
    for some in _parts(gone):
        named = tuple_(_C.run_id, _C.row).in_(list(some))
        work.connection.execute(delete(_SUPPLY).where(own_rows(caller, _SUPPLY), named))


def add_supplies(work: Work, caller: Caller, come: Sequence[SupplyRow]) -> None:
    """Keep these supplies too."""
    names = [column.name for column in _KEPT_OF]
    _add(work, caller, _SUPPLY, [dict(zip(names, each, strict=True)) for each in come])


def supplied_by_any(work: Work, caller: Caller, providers: Collection[str]) -> frozenset[str]:
    """The treatments of which one of these providers has invoiced a supply."""
    c = _SUPPLY.c
    query = select(c.treatment_id).where(own_rows(caller, _SUPPLY), c.provider.in_(providers))
    return frozenset(work.connection.execute(query.distinct()).scalars())


def every_supplied(work: Work, caller: Caller) -> frozenset[str]:
    """The treatments of which a supply is kept."""
    query = select(_SUPPLY.c.treatment_id).where(own_rows(caller, _SUPPLY)).distinct()
    return frozenset(work.connection.execute(query).scalars())


def supplied_among(work: Work, caller: Caller, ids: Iterable[str]) -> frozenset[str]:
    """Those of these treatments of which a supply is kept."""
    return frozenset(each.treatment_id for each in _supplies_of(work, caller, ids))


def supplies_told(
    work: Work, caller: Caller, ids: Iterable[str], most: int
) -> tuple[Supplied, ...]:
    """The newest supplies of these treatments with what their lines say, oldest first."""
    c = _SUPPLY.c
    columns = (c.treatment_id, c.provider, c.day, c.run_id, c.row, c.outcome)
    query = (
        select(*columns, c.product, c.quantity, c.unit, c.amount)
        .where(own_rows(caller, _SUPPLY), c.treatment_id.in_(sorted(ids)))
        .order_by(c.day.desc(), c.run_id.desc(), c.row.desc())
        .limit(most)
    )
    newest = [
        Supplied(
            *(row.treatment_id, row.provider, row.day, row.run_id, row.row),
            LineOutcome(row.outcome),
            Stated(row.product, row.quantity, row.unit, row.amount),
        )
        for row in work.connection.execute(query)
    ]
    return tuple(reversed(newest))


def _supplies_of(work: Work, caller: Caller, ids: Iterable[str]) -> list[Supplied]:
    c = _SUPPLY.c
    columns = (c.treatment_id, c.provider, c.day, c.run_id, c.row, c.outcome)
    return [
        Supplied(treatment, provider, day, run, row, LineOutcome(outcome))
        for chunk in chunks(sorted(ids))
        for treatment, provider, day, run, row, outcome in work.connection.execute(
            select(*columns).where(own_rows(caller, _SUPPLY), c.treatment_id.in_(chunk))
        )
    ]


# --- entries --------------------------------------------------------------------------------------


def keep_entries(
    work: Work, caller: Caller, scope: Scope, ids: Iterable[str], heard: Heard
) -> None:
    """Make the entries of these treatments, and of what rests on them, anew: some at a time."""
    every = sorted(frozenset(ids))
    for first in range(0, len(every), MADE_TOGETHER):
        some = frozenset(every[first : first + MADE_TOGETHER])
        _keep_entries(work, caller, scope, some, heard)


def _keep_entries(
    work: Work, caller: Caller, scope: Scope, own: frozenset[str], heard: Heard
) -> None:
    persons = same_persons(work, own)
    known = read_known(work, scope, own | persons)
    supplied = _supplies_of(work, caller, own | persons)
    for which, by_person in _KEPT.items():
        among = persons if by_person else own
        for chunk in chunks(sorted(among)):
            gone = and_(_ENTRY.c.list == which.value, _ENTRY.c.treatment_id.in_(chunk))
            work.connection.execute(delete(_ENTRY).where(own_rows(caller, _ENTRY), gone))
        whenever = {
            id_: replace(each.approved, live=each.holding)
            for id_, each in known.items()
            if id_ in among
        }
        found = placed(made(which, whenever, supplied, heard, dt.date.min))
        _add(work, caller, _ENTRY, [_row(which, *each, known) for each in found])


def _row(which: Worklist, place: Place, entry: Entry, known: Mapping[str, Known]) -> dict[str, Any]:
    each, asks_live = known[entry.treatment_id], which is Worklist.NO_RECENT_SUPPLY
    return {
        "list": which.value,
        "treatment_id": entry.treatment_id,
        "number": place.number,
        "day": entry.day,
        "provider": entry.providers[0],
        "other_provider": entry.providers[1] if len(entry.providers) > 1 else None,
        "covers_to": each.covers_to if asks_live else None,
        "paused": asks_live and bool(each.pauses),
        "told": {
            "reference": entry.reference,
            "drug": entry.drug,
            "why": entry.why,
            "lines": [list(line) for line in entry.lines],
        },
    }


def page_of_list(
    work: Work,
    caller: Caller,
    scope: Scope,
    which: Worklist,
    since: Since,
    provider: str | None,
    is_sought: IsSought,
    limit: int | None,
    after: Place | None,
) -> Listed:
    """The entries of a list that are sought, after a place: `limit` of them, or all."""
    changed, heard = since
    today = work.moment.day
    rows = _rows_on(caller, which, today, provider)
    apart = _apart(work, caller, which, rows, changed)
    known = read_known(work, scope, apart)
    live = [
        (place, entry)
        for place, entry in placed(
            made(
                which,
                {id_: each.on(today) for id_, each in known.items()},
                _supplies_of(work, caller, apart),
                heard,
                today,
            )
        )
        if is_sought(entry)
    ]
    rows = and_(rows, ~_ENTRY.c.paused)
    days = {
        day: count
        for day, count in _by_day(work, rows).items()
        if is_sought(Entry("", None, "", (provider or "",), day, ""))
    }
    gone = [day for day in _days_of(work, rows, apart) if day in days]
    within = and_(rows, _ENTRY.c.day.in_(sorted(days)))
    most = None if limit is None else limit + len(gone) + 1
    kept = [each for each in _read(work, within, after, most) if each[0].treatment_id not in apart]
    return page_of([*kept, *live], sum(days.values()) - len(gone) + len(live), limit, after)


def _rows_on(
    caller: Caller, which: Worklist, today: dt.date, provider: str | None
) -> ColumnElement[bool]:
    c = _ENTRY.c
    conditions = [
        own_rows(caller, _ENTRY),
        c.list == which.value,
        or_(c.covers_to.is_(None), c.covers_to >= today),
    ]
    if provider is not None:
        conditions.append(or_(c.provider == provider, c.other_provider == provider))
    return and_(*conditions)


def _apart(
    work: Work,
    caller: Caller,
    which: Worklist,
    rows: ColumnElement[bool],
    changed: Collection[str],
) -> frozenset[str]:
    """The treatments whose entries are worked out now: what changed, and what may be paused."""
    if _KEPT[which]:
        # What changed may have no supply and its person's others may: see `keep_entries`.
        return supplied_among(work, caller, same_persons(work, changed))
    paused = select(_ENTRY.c.treatment_id).where(rows, _ENTRY.c.paused)
    own = supplied_among(work, caller, changed)
    return own | frozenset(work.connection.execute(paused).scalars())


def _by_day(work: Work, rows: ColumnElement[bool]) -> dict[dt.date, int]:
    query = select(_ENTRY.c.day, func.count()).where(rows).group_by(_ENTRY.c.day)
    return {day: count for day, count in work.connection.execute(query)}


def _days_of(work: Work, rows: ColumnElement[bool], ids: Collection[str]) -> list[dt.date]:
    """The day of each of these rows that is of one of these treatments."""
    return [
        day
        for chunk in chunks(sorted(ids))
        for day in work.connection.execute(
            select(_ENTRY.c.day).where(rows, _ENTRY.c.treatment_id.in_(chunk))
        ).scalars()
    ]


def _read(
    work: Work, rows: ColumnElement[bool], after: Place | None, limit: int | None
) -> list[tuple[Place, Entry]]:
    c = _ENTRY.c
    order = (c.day, c.treatment_id, c.number)
    query = select(*order, c.provider, c.other_provider, c.told).where(rows).order_by(*order)
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*after))
    return [
        (
            Place(row.day, row.treatment_id, row.number),
            Entry(
                row.treatment_id,
                row.told["reference"],
                row.told["drug"],
                (row.provider,)
                if row.other_provider is None
                else (row.provider, row.other_provider),
                row.day,
                row.told["why"],
                tuple((run, number) for run, number in row.told["lines"]),
            ),
        )
        for row in work.connection.execute(query.limit(limit))
    ]


def _add(work: Work, caller: Caller, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    own = {"organisation": caller.organisation, "pays": caller.role in PAYER_ROLES}
    for some in _parts(rows):
        # One statement of many rows: a statement for each row takes most of the time.
        work.connection.execute(insert(table).values([{**own, **row} for row in some]))


def _parts(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (rows[first : first + ADDED_TOGETHER] for first in range(0, len(rows), ADDED_TOGETHER))
