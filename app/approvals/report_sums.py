"""What the reports over requests count in whole past months, summed.

A year of the largest payer is a hundred thousand requests, and counting them is what such a report
takes. The worker sums a month once it is over (`report_sum`). A change of a request of such a month
adds what it counted as before and after, in the same transaction: a trigger does it
(`0063_sums_of_reports.py`), so that no way to change a request can miss it. So the sums are those
of the moment, however long ago the worker ran; it adds the changes to their months.

Days of a month that is not summed, or not asked for whole, are counted as they are.
"""

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from app.approvals.lifecycle import RequestState
from app.approvals.scope import ways_to_counts
from app.auth.model import Caller
from app.clock import london_day, london_midnight
from app.db import tables
from app.db.types import Instant
from app.db.work import Work
from app.policy import Kind

#: What is summed.
REQUESTS: Final = "requests"
OVERRIDES: Final = "overrides"
CHANGED: Final = "changed answers"
#: Requests that no report counts.
NOT_COUNTED: Final = (RequestState.WITHDRAWN, RequestState.ENTERED_IN_ERROR)
#: The kinds of which some report tells.
KINDS: Final = (Kind.INITIATION, Kind.CONTINUATION, Kind.SWITCH)
#: Changes that are added to their months in one transaction.
AT_ONCE: Final = 2_000
_SUM, _MARK = tables.report_sum, tables.report_sum_mark
_ONE_DAY: Final = dt.timedelta(days=1)
#: What tells rows of the sums apart: those that agree in it are one.
_KEY: Final = tuple(c for c in _SUM.c if c.name not in ("id", "many", "change"))
_FILLED: Final = [c.name for c in _SUM.c if c.name != "id"]


@dataclass(frozen=True, slots=True)
class Split:
    """A period: whole months that are summed, and the days that are to be counted.

    All days are of Europe/London; of each pair both are counted.
    """

    summed: tuple[dt.date, dt.date] | None
    live: tuple[tuple[dt.date, dt.date], ...]


def split(work: Work, first: dt.date, last: dt.date) -> Split:
    """Which part of a period is summed by now."""
    until = _until(work)
    begins = first if first.day == 1 else _next_month(first)
    ends = (last + _ONE_DAY).replace(day=1)
    if until is not None:
        ends = min(ends, london_day(until))
    if until is None or begins >= ends:
        return Split(None, ((first, last),))
    before = ((first, begins - _ONE_DAY),) if first < begins else ()
    after = ((ends, last),) if ends <= last else ()
    return Split((begins, ends - _ONE_DAY), (*before, *after))


def summed_rows(
    work: Work,
    caller: Caller,
    what: str,
    by: Sequence[ColumnElement[Any]],
    whole: Split,
    where: Iterable[ColumnElement[bool]] = (),
) -> Sequence[Any]:
    """How many, as `requests`, for each of `by`, in the summed months, of what the caller sees.

    A text that requests lack is empty in these rows.
    """
    if whole.summed is None:
        return ()
    first, last = whole.summed
    c = _SUM.c
    found: list[Any] = []
    for way in ways_to_counts(caller, c.provider, c.commissioner):
        query = (
            select(*by, func.sum(c.many).label("requests"))
            .where(
                way,
                c.what == what,
                c.at >= london_midnight(first),
                c.at < london_midnight(last + _ONE_DAY),
                *where,
            )
            .group_by(*by)
            .having(func.sum(c.many) != 0)
        )
        found += work.connection.execute(query).all()
    return found


# --- the worker's part --------------------------------------------------------------------------


def keep(work: Work) -> bool:
    """Sum the months that are over, or add changes to theirs; whether there may be more.

    For the worker, whose transaction sees every organisation. Two workers take turns. A month is
    summed once it has been over for a day: no transaction that began in it is still under way.
    """
    since = _turn(work)
    until = london_midnight((work.moment.day - _ONE_DAY).replace(day=1))
    if since is not None and until <= since:
        return _add_changes(work, since)
    begins = _months(_earliest(work) if since is None else london_day(since), london_day(until))
    if not begins:
        return False  # nothing was sent yet
    _sum(work, since, [london_midnight(day) for day in begins], until)
    work.connection.execute(update(_MARK).values(until=until))
    return True


def forget(work: Work) -> None:
    """Have everything summed anew; until then reports count as if nothing were."""
    work.connection.execute(delete(_MARK))


def _until(work: Work) -> dt.datetime | None:
    query = select(_MARK.c.until).where(_MARK.c.until > _NEVER)
    return work.connection.scalars(query).one_or_none()


#: The mark of a worker that has summed nothing yet.
_NEVER: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _turn(work: Work) -> dt.datetime | None:
    """Lock the mark, which is made where there is none; until when months are summed."""
    dialect = postgresql if work.on_postgres else sqlite
    made = dialect.insert(_MARK).values(id=1, until=_NEVER).on_conflict_do_nothing()
    work.connection.execute(made)
    until = work.connection.scalars(select(_MARK.c.until).with_for_update()).one()
    return None if until == _NEVER else until


def _earliest(work: Work) -> dt.date | None:
    """The day on which the first request was sent."""
    found = work.connection.scalars(
        select(func.min(tables.request.c.submitted_at, type_=Instant()))
    ).one()
    return None if found is None else london_day(found)


def _months(first: dt.date | None, until: dt.date) -> list[dt.date]:
    """The first days of the months from that of a day to before another."""
    found = []
    day = until if first is None else first.replace(day=1)
    while day < until:
        found.append(day)
        day = _next_month(day)
    return found


def _next_month(day: dt.date) -> dt.date:
    return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)


def _sum(
    work: Work, since: dt.datetime | None, begins: Sequence[dt.datetime], until: dt.datetime
) -> None:
    """Put sums of the months in place of all that stands of them.

    In one statement, so of one snapshot: a change that it does not see is not taken away either,
    and one that it sees is not counted a second time.
    """
    stood = delete(_SUM).where(_SUM.c.at < until)
    if since is not None:
        stood = stood.where(_SUM.c.at >= since)
    counted = union_all(*(_counted(query) for query in _each(begins, until)))
    made = insert(_SUM).from_select(_FILLED, counted)
    if work.on_postgres:
        made = made.add_cte(stood.cte("stood"))
    else:
        work.connection.execute(stood)
    work.connection.execute(made)


def _counted(query: Select[Any]) -> Select[Any]:
    """Rows that are told apart by `_KEY`, each with how many they are."""
    found = query.subquery()
    many: list[Any] = [func.count(), literal(False, Boolean)]
    return select(*found.c, *many).group_by(*found.c)


def _each(begins: Sequence[dt.datetime], until: dt.datetime) -> Sequence[Select[Any]]:
    """What is counted, a row for each, with the values of `_KEY`."""
    r, o, e = tables.request.c, tables.request_override.c, tables.audit_event.c
    ours = (r.provider, r.commissioner, r.policy)
    none, no = literal(""), literal(False, Boolean)
    sent = and_(
        r.submitted_at >= begins[0],
        r.submitted_at < until,
        r.kind.in_([kind.value for kind in KINDS]),
        r.state.not_in([state.value for state in NOT_COUNTED]),
    )
    month = _month_of(r.submitted_at, begins)
    product, reason = (
        func.coalesce(r.details[name].as_string(), "") for name in ("product", "product_reason")
    )
    requests = select(
        *_named(
            literal(REQUESTS), month, *ours, r.policy_hash, func.coalesce(r.overlay_hash, ""),
            r.kind, r.state == RequestState.APPROVED, product, reason, none, no,
        )
    ).where(sent)  # fmt: skip
    overrides = (
        select(
            *_named(
                literal(OVERRIDES), month, *ours, r.policy_hash, none, r.kind, no, none, o.reason,
                o.criterion, o.relied_on,
            )
        )
        .join_from(
            tables.request,
            tables.request_override,
            and_(o.request_id == r.id, o.revision == r.revision),
        )
        .where(sent)
    )  # fmt: skip
    changed = (
        select(
            *_named(
                literal(CHANGED), _month_of(e.at, begins), *ours, none, none, none, no, none, none,
                none, no,
            )
        )
        .join_from(tables.audit_event, tables.request, r.id == e.request_id)
        .where(text(tables.CHANGED_ANSWERS), e.at >= begins[0], e.at < until)
    )  # fmt: skip
    return requests, overrides, changed


def _named(*values: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    return [value.label(column.name) for value, column in zip(values, _KEY, strict=True)]


def _month_of(instant: ColumnElement[Any], begins: Sequence[dt.datetime]) -> ColumnElement[Any]:
    """The instant at which the month of an instant begins."""
    whens = [
        (instant < after, literal(month, Instant())) for month, after in itertools.pairwise(begins)
    ]
    last = literal(begins[-1], Instant())
    return case(*whens, else_=last) if whens else last


def _add_changes(work: Work, until: dt.datetime) -> bool:
    """Add some changes of summed months to their months; whether there may be more."""
    c = _SUM.c
    query = select(_SUM).where(c.change, c.at < until).order_by(c.id).limit(AT_ONCE)
    found = work.connection.execute(query).mappings().all()
    added: dict[tuple[Any, ...], int] = {}
    for row in found:
        month = london_midnight(london_day(row["at"]).replace(day=1))
        key = tuple(month if k.name == "at" else row[k.name] for k in _KEY)
        added[key] = added.get(key, 0) + row["many"]
    for key, many in added.items():
        _add_to(work, dict(zip((k.name for k in _KEY), key, strict=True)), many)
    ids = [row["id"] for row in found]
    if ids:
        work.connection.execute(delete(_SUM).where(c.id.in_(ids)))
    return len(found) == AT_ONCE


def _add_to(work: Work, key: dict[str, Any], many: int) -> None:
    """Raise the sum of a key, or make it; one that comes to nothing goes."""
    if many == 0:
        return
    c = _SUM.c
    this = and_(*(c[name] == value for name, value in key.items()), c.change.is_(False))
    raised = update(_SUM).where(this).values(many=c.many + many)
    if work.connection.execute(raised).rowcount == 0:
        row = {**key, "many": many, "change": False}
        work.connection.execute(insert(_SUM), [row])
        return
    work.connection.execute(delete(_SUM).where(this, c.many == 0))
