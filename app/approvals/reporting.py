"""The rate of clinicians' overrides, by policy, criterion, provider and reason, over a period.

Counted are requests that the policy's criteria decided, submitted within the period and neither
withdrawn nor entered in error, each by its newest answers. A rate over few requests says nothing
and may point at a person: it is given from `FEWEST` requests on.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from sqlalchemy import ColumnElement, and_, func, select

from app.approvals.errors import DetailsNotAccepted
from app.approvals.library import Library
from app.approvals.lifecycle import RequestState
from app.approvals.permissions import Action, check_can
from app.approvals.replaying import version_of
from app.approvals.scope import visible_requests
from app.auth.model import Caller
from app.clock import london_midnight
from app.db import tables
from app.db.work import Work
from app.policy import Kind, PolicyVersion, Section

FEWEST = 10
_NOT_COUNTED = (RequestState.WITHDRAWN, RequestState.ENTERED_IN_ERROR)
_SECTIONS = {
    Kind.INITIATION: (Section.START,),
    Kind.CONTINUATION: (Section.CONTINUE, Section.STOP),
}


@dataclass(frozen=True, slots=True)
class OverrideRate:
    """One criterion at one provider. `reason` None stands for all reasons together.

    `overridden` requests gave an override, `relied_on` of them needed it; `rate` is relied on per
    request in per cent, None where there are fewer than FEWEST requests.
    """

    policy: str
    criterion: str
    provider: str
    reason: str | None
    requests: int
    overridden: int
    relied_on: int
    rate: Decimal | None


def override_rates(
    work: Work,
    library: Library,
    caller: Caller,
    first: dt.date,
    last: dt.date,
    policy: str | None = None,
) -> tuple[OverrideRate, ...]:
    """The rates of the requests that the caller's organisation may see.

    Every criterion that a deciding version lets a clinician override has its row, also where
    nobody did; `first` and `last` are Europe/London days, both counted. DetailsNotAccepted where
    they are the wrong way round.
    """
    check_can(caller, Action.REPORT)
    if last < first:
        raise DetailsNotAccepted("to", "The period ends before it begins. Swap the two days.")
    counted = counted_requests(caller, _SECTIONS, first, last, policy)
    asked = _asked(work, library, counted)
    given, relied_on = _given(work, counted)
    keys = {(*key, None) for key in asked} | given.keys()
    return tuple(
        _row(key, asked[key[:3]], given[key], relied_on[key])
        for key in sorted(keys, key=lambda key: (*key[:3], key[3] or ""))
    )


_Key = tuple[str, str, str, str | None]


def _row(key: _Key, requests: int, overridden: int, relied_on: int) -> OverrideRate:
    policy, criterion, provider, reason = key
    rate = None
    if requests >= FEWEST:
        exact = Decimal(100) * relied_on / requests
        rate = exact.quantize(Decimal("0.1"), rounding=ROUND_HALF_EVEN)
    return OverrideRate(policy, criterion, provider, reason, requests, overridden, relied_on, rate)


def counted_requests(
    caller: Caller, kinds: Iterable[Kind], first: dt.date, last: dt.date, policy: str | None
) -> ColumnElement[bool]:
    """What a report over a period counts: requests of some kinds that the caller may see."""
    request = tables.request.c
    conditions = [
        visible_requests(caller),
        request.kind.in_([kind.value for kind in kinds]),
        request.state.not_in([state.value for state in _NOT_COUNTED]),
        request.submitted_at >= london_midnight(first),
        request.submitted_at < london_midnight(last + dt.timedelta(days=1)),
    ]
    if policy is not None:
        conditions.append(request.policy == policy)
    return and_(*conditions)


def _asked(
    work: Work, library: Library, counted: ColumnElement[bool]
) -> Counter[tuple[str, str, str]]:
    """Requests by policy, criterion that may be overridden, and provider."""
    request = tables.request.c
    by = (request.policy_hash, request.overlay_hash, request.kind, request.provider)
    rows = work.connection.execute(
        select(*by, func.count().label("requests")).where(counted).group_by(*by)
    )
    found: Counter[tuple[str, str, str]] = Counter()
    for row in rows.all():
        version = version_of(work, library, row.policy_hash, row.overlay_hash)
        for criterion in _overridable(version, Kind(row.kind)):
            found[version.policy, criterion, row.provider] += row.requests
    return found


def _overridable(version: PolicyVersion, kind: Kind) -> Iterator[str]:
    for section in _SECTIONS[kind]:
        for criterion in version.criteria(section):
            if criterion.override is not None:
                yield criterion.id


def _given(work: Work, counted: ColumnElement[bool]) -> tuple[Counter[_Key], Counter[_Key]]:
    """Overrides given, and those relied on, each for one reason and for all together."""
    request, override = tables.request.c, tables.request_override.c
    by = (request.policy, override.criterion, request.provider, override.reason)
    rows = work.connection.execute(
        select(*by, override.relied_on, func.count().label("requests"))
        .join(
            tables.request,
            and_(request.id == override.request_id, request.revision == override.revision),
        )
        .where(counted)
        .group_by(*by, override.relied_on)
    )
    given: Counter[_Key] = Counter()
    relied_on: Counter[_Key] = Counter()
    for row in rows:
        for reason in (row.reason, None):
            key = (row.policy, row.criterion, row.provider, reason)
            given[key] += row.requests
            relied_on[key] += row.requests if row.relied_on else 0
    return given, relied_on
