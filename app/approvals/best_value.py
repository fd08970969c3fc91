"""Which products requests name where a policy asks for others first, and with what reasons.

Counted are requests submitted within the period, neither withdrawn nor entered in error, that were
decided under a version which names best-value products for the day of submission.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from app.approvals.errors import DetailsNotAccepted
from app.approvals.library import Library
from app.approvals.lifecycle import RequestState
from app.approvals.permissions import Action, check_can
from app.approvals.replaying import version_of
from app.approvals.reporting import counted_requests
from app.auth.model import Caller
from app.clock import london_day
from app.db import tables
from app.db.work import Work
from app.policy import Kind
from app.policy.terms import BestValue

_KINDS = (Kind.INITIATION, Kind.CONTINUATION, Kind.SWITCH)


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
    wrong way round.
    """
    check_can(caller, Action.REPORT)
    if last < first:
        raise DetailsNotAccepted("to", "The period ends before it begins. Swap the two days.")
    counted = counted_requests(caller, _KINDS, first, last, policy)
    requests: Counter[ProductChoice] = Counter()
    approved: Counter[ProductChoice] = Counter()
    for row, best in _rows(work, library, counted):
        choice = _choice(row, best)
        if choice is not None:
            requests[choice] += 1
            approved[choice] += row.state == RequestState.APPROVED
    found = (_with(each, requests[each], approved[each]) for each in requests)
    return tuple(sorted(found, key=_order))


def _order(each: ProductChoice) -> tuple[object, ...]:
    return (each.policy, each.provider, each.product or "", each.first, each.reason or "")


def _with(choice: ProductChoice, requests: int, approved: int) -> ProductChoice:
    return ProductChoice(
        choice.policy, choice.provider, choice.product, choice.best_value, choice.first,
        choice.reason, choice.said, requests, approved,
    )  # fmt: skip


def _rows(
    work: Work, library: Library, counted: ColumnElement[bool]
) -> Iterator[tuple[Any, BestValue]]:
    """The requests under versions that have a best-value rule, each with that rule."""
    request = tables.request.c
    by = (request.policy_hash, request.overlay_hash)
    rules: dict[tuple[str, str | None], BestValue] = {}
    for held in work.connection.execute(select(*by).where(counted).distinct()).all():
        best = version_of(work, library, held.policy_hash, held.overlay_hash).approval.best_value
        if best is not None:
            rules[held.policy_hash, held.overlay_hash] = best
    if not rules:
        return
    asked = or_(
        *(
            and_(request.policy_hash == digest, request.overlay_hash.is_not_distinct_from(layer))
            for digest, layer in rules
        )
    )
    names = (request.policy, request.provider, request.state, request.submitted_at)
    chosen = select(*by, *names, request.details).where(counted, asked)
    for row in work.connection.execute(chosen):
        yield row, rules[row.policy_hash, row.overlay_hash]


def _choice(row: Any, best: BestValue) -> ProductChoice | None:
    """The choice of one request; None where the policy asked for no product first on its day."""
    first = best.on(london_day(row.submitted_at))
    if not first:
        return None
    product, reason = row.details.get("product"), row.details.get("product_reason")
    said = None if reason is None else best.reasons.get(reason)
    return ProductChoice(
        row.policy, row.provider, product, product in first, first, reason, said, 0, 0
    )
