"""Which products requests name where a policy asks for others first, and with what reasons.

Counted are requests submitted within the period, neither withdrawn nor entered in error, that were
decided under a version which names best-value products for the day of submission.
"""

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select

from app.approvals.counting import (
    check_period,
    counted_requests,
    hashes_where,
    summed_requests,
)
from app.approvals.library import Library
from app.approvals.lifecycle import RequestState
from app.approvals.permissions import Action, check_can
from app.approvals.replaying import version_of
from app.approvals.report_sums import KINDS, REQUESTS, Split, split
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import PolicyVersion
from app.policy.terms import BestValue


@dataclass(frozen=True, slots=True)
class ProductChoice:
    """One product with one reason, at one provider under one policy.

    `product` None: none was named, so that any may be supplied. `first` are the products that the
    policy asked for first when these requests were submitted. `reason` is the policy's key, None
    where none was given; `said` is its wording. `approved` of the `requests` ended in an approval.
    """

    policy: str
    provider: str
    product: str | None
    best_value: bool
    first: tuple[str, ...]
    reason: str | None
    said: str | None
    requests: int
    approved: int


def product_choices(
    work: Work,
    library: Library,
    caller: Caller,
    first: dt.date,
    last: dt.date,
    policy: str | None = None,
) -> tuple[ProductChoice, ...]:
    """The choices in the requests that the caller's organisation may see.

    `first` and `last` are Europe/London days, both counted. DetailsNotAccepted where they are the
    wrong way round, or more than a year apart.
    """
    check_can(caller, Action.REPORT)
    check_period(first, last)
    hashes = hashes_where(work, library, asks_for_products_first, policy)
    requests: Counter[ProductChoice] = Counter()
    approved: Counter[ProductChoice] = Counter()
    for since, until in _stretches(library, hashes, first, last):
        for row, best in _rows(work, library, caller, split(work, since, until), hashes):
            choice = _choice(row, best, since)
            if choice is not None:
                requests[choice] += row.requests
                approved[choice] += row.requests if row.approved else 0
    found = (_with(each, requests[each], approved[each]) for each in requests)
    return tuple(sorted(found, key=_order))


def asks_for_products_first(version: PolicyVersion) -> bool:
    """Whether it names best-value products, be it for other days than a report's."""
    return version.approval.best_value is not None


def _stretches(
    library: Library, hashes: Sequence[str], first: dt.date, last: dt.date
) -> Iterator[tuple[dt.date, dt.date]]:
    """The period in stretches of days on which every version names the same products."""
    one = dt.timedelta(days=1)
    begins = {first}
    for digest in hashes:
        version = library.by_hash(digest)
        best = None if version is None else version.approval.best_value
        for each in () if best is None else best.products:
            begins.add(each.from_)
            if each.until is not None:
                begins.add(each.until + one)
    days = sorted(day for day in begins if first <= day <= last)
    yield from zip(days, [*(day - one for day in days[1:]), last], strict=True)


def _order(each: ProductChoice) -> tuple[object, ...]:
    return (each.policy, each.provider, each.product or "", each.first, each.reason or "")


def _with(choice: ProductChoice, requests: int, approved: int) -> ProductChoice:
    return ProductChoice(
        choice.policy, choice.provider, choice.product, choice.best_value, choice.first,
        choice.reason, choice.said, requests, approved,
    )  # fmt: skip


def _rows(
    work: Work, library: Library, caller: Caller, whole: Split, hashes: Sequence[str]
) -> Iterator[tuple[Any, BestValue]]:
    """Counts of requests under versions that have a best-value rule, each with that rule."""
    c = tables.report_sum.c
    by = (c.policy, c.policy_hash, c.overlay_hash, c.provider, c.approved, c.product, c.reason)
    live = (
        row
        for where in counted_requests(caller, KINDS, whole, hashes)
        for row in _live_rows(work, where)
    )
    summed = summed_requests(work, caller, REQUESTS, by, KINDS, whole, hashes)
    for row in itertools.chain(live, summed):
        version = version_of(work, library, row.policy_hash, row.overlay_hash or None)
        if version.approval.best_value is not None:
            yield row, version.approval.best_value


def _live_rows(work: Work, counted: ColumnElement[bool]) -> Sequence[Any]:
    request = tables.request.c
    each = select(
        request.policy,
        request.policy_hash,
        request.overlay_hash,
        request.provider,
        (request.state == RequestState.APPROVED).label("approved"),
        request.details["product"].as_string().label("product"),
        request.details["product_reason"].as_string().label("reason"),
    )
    found = each.where(counted).subquery()
    query = select(*found.c, func.count().label("requests")).group_by(*found.c)
    return work.connection.execute(query).all()


def _choice(row: Any, best: BestValue, day: dt.date) -> ProductChoice | None:
    """The choice of some requests; None where the policy asked for no product first on that day."""
    first = best.on(day)
    if not first:
        return None
    product, reason = row.product or None, row.reason or None
    said = None if reason is None else best.reasons.get(reason)
    return ProductChoice(
        row.policy, row.provider, product, product in first, first, reason, said, 0, 0
    )
