"""What the reports over a period count: requests by the day of sending, under certain versions.

A report asks only for requests under versions that it says something about, each organisation's
own along an index of organisation, version and instant: all that an organisation sent in a month
may be a hundred times more.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, select

from app.approvals.errors import DetailsNotAccepted
from app.approvals.library import Library
from app.approvals.report_sums import NOT_COUNTED, Split, summed_rows
from app.approvals.scope import ways_to_sent_requests
from app.auth.model import Caller
from app.clock import london_midnight
from app.db import tables
from app.db.work import Work
from app.policy import Kind, PolicyVersion

#: The longest period of a report: a leap year.
MOST_DAYS: Final = 366
#: Versions asked for in one query.
_AT_ONCE: Final = 100


def check_period(first: dt.date, last: dt.date) -> None:
    """Raise DetailsNotAccepted for days the wrong way round, and for more than a year."""
    if last < first:
        raise DetailsNotAccepted("to", "The period ends before it begins. Swap the two days.")
    if (last - first).days >= MOST_DAYS:
        raise DetailsNotAccepted("to", "Ask for a year at most, then for the next one.")


def hashes_where(
    work: Work, library: Library, says: Callable[[PolicyVersion], bool], policy: str | None
) -> tuple[str, ...]:
    """The stored versions of which something holds, by hash, in order; of one policy or of all.

    Of a version that the library no longer holds it may hold: who counts looks.
    """
    stored = tables.policy_version.c
    query = select(stored.hash).order_by(stored.hash)
    if policy is not None:
        query = query.where(stored.policy == policy)
    found = []
    for digest in work.connection.scalars(query):
        version = library.by_hash(digest)
        if version is None or says(version):
            found.append(digest)
    return tuple(found)


def counted_requests(
    caller: Caller, kinds: Iterable[Kind], whole: Split, hashes: Sequence[str]
) -> Iterator[ColumnElement[bool]]:
    """Conditions on `request`, which no two of them fit together: what a report counts live.

    Of some kinds, none of them a transfer, that the caller may see, submitted on the days of a
    period that are not summed. One for each way to see them and some of the versions.
    """
    for first, last in whole.live:
        yield from _sent(caller, kinds, first, last, hashes)


def summed_requests(
    work: Work,
    caller: Caller,
    what: str,
    by: Sequence[ColumnElement[Any]],
    kinds: Iterable[Kind],
    whole: Split,
    hashes: Sequence[str],
) -> Iterator[Any]:
    """The same requests of the months that are summed: how many, for each of `by`."""
    c = tables.report_sum.c
    of_kinds = c.kind.in_([kind.value for kind in kinds])
    for start in range(0, len(hashes), _AT_ONCE):
        some = c.policy_hash.in_(hashes[start : start + _AT_ONCE])
        yield from summed_rows(work, caller, what, by, whole, (some, of_kinds))


def _sent(
    caller: Caller, kinds: Iterable[Kind], first: dt.date, last: dt.date, hashes: Sequence[str]
) -> Iterator[ColumnElement[bool]]:
    request = tables.request.c
    alike = and_(
        request.kind.in_([kind.value for kind in kinds]),
        request.state.not_in([state.value for state in NOT_COUNTED]),
        request.submitted_at >= london_midnight(first),
        request.submitted_at < london_midnight(last + dt.timedelta(days=1)),
    )
    for way in ways_to_sent_requests(caller):
        for start in range(0, len(hashes), _AT_ONCE):
            some = request.policy_hash.in_(hashes[start : start + _AT_ONCE])
            yield and_(way, some, alike)
