"""The rate of clinicians' overrides, by policy, criterion, provider and reason, over a period.

Counted are requests that the policy's criteria decided, submitted within the period and neither
withdrawn nor entered in error, each by its newest answers. A rate over few requests says nothing
and may point at a person: it is given from `FEWEST` requests on.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from app.approvals.counting import (
    check_period,
    counted_requests,
    hashes_where,
    summed_requests,
)
from app.approvals.library import Library
from app.approvals.permissions import Action, check_can
from app.approvals.replaying import version_of
from app.approvals.report_sums import OVERRIDES, REQUESTS, Split, split
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import Kind, PolicyVersion, Section

FEWEST = 10
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


@dataclass(frozen=True, slots=True)
class OverrideReport:
    """The rates of a period, and its totals.

    `requests` had a criterion that may be overridden, each counted once; `overridden` counts the
    overrides given and `relied_on` those that a decision needed, each criterion's by itself.
    """

    rows: tuple[OverrideRate, ...]
    requests: int
    overridden: int
    relied_on: int


def override_report(
    work: Work,
    library: Library,
    caller: Caller,
    first: dt.date,
    last: dt.date,
    policy: str | None = None,
) -> OverrideReport:
    """The rates of the requests that the caller's organisation may see, with their totals.

    Every criterion that a deciding version lets a clinician override has its row, also where
    nobody did; `first` and `last` are Europe/London days, both counted. DetailsNotAccepted where
    they are the wrong way round, or more than a year apart.
    """
    check_can(caller, Action.REPORT)
    check_period(first, last)
    layered = {each.policy for each in library.overlays()}
    hashes = hashes_where(
        work, library, lambda v: v.policy in layered or may_be_overridden(v), policy
    )
    period = _Counted(caller, split(work, first, last), hashes)
    asked, requests = _asked(work, library, period)
    given, relied_on = _given(work, period)
    keys = {(*key, None) for key in asked} | given.keys()
    rows = tuple(
        _row(key, asked[key[:3]], given[key], relied_on[key])
        for key in sorted(keys, key=lambda key: (*key[:3], key[3] or ""))
    )
    of_all = [each for each in rows if each.reason is None]
    return OverrideReport(
        rows,
        requests,
        sum(each.overridden for each in of_all),
        sum(each.relied_on for each in of_all),
    )


def override_rates(
    work: Work,
    library: Library,
    caller: Caller,
    first: dt.date,
    last: dt.date,
    policy: str | None = None,
) -> tuple[OverrideRate, ...]:
    """The rows of `override_report` alone."""
    return override_report(work, library, caller, first, last, policy).rows


_Key = tuple[str, str, str, str | None]


def _row(key: _Key, requests: int, overridden: int, relied_on: int) -> OverrideRate:
    policy, criterion, provider, reason = key
    rate = None
    if requests >= FEWEST:
        exact = Decimal(100) * relied_on / requests
        rate = exact.quantize(Decimal("0.1"), rounding=ROUND_HALF_EVEN)
    return OverrideRate(policy, criterion, provider, reason, requests, overridden, relied_on, rate)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Whose requests are counted, of which days and under which versions."""

    caller: Caller
    whole: Split
    hashes: tuple[str, ...]

    def live(self) -> Iterator[ColumnElement[bool]]:
        return counted_requests(self.caller, _SECTIONS, self.whole, self.hashes)

    def summed(self, work: Work, what: str, *by: ColumnElement[Any]) -> Iterator[Any]:
        return summed_requests(work, self.caller, what, by, _SECTIONS, self.whole, self.hashes)


def _asked(
    work: Work, library: Library, period: _Counted
) -> tuple[Counter[tuple[str, str, str]], int]:
    """Requests by policy, criterion that may be overridden, and provider; and how many there are.

    A request under a version of several such criteria counts for each, and once among all.
    """
    found: Counter[tuple[str, str, str]] = Counter()
    requests = 0
    for row in _asked_rows(work, period):
        version = version_of(work, library, row.policy_hash, row.overlay_hash or None)
        criteria = tuple(_overridable(version, Kind(row.kind)))
        requests += row.requests if criteria else 0
        for criterion in criteria:
            found[version.policy, criterion, row.provider] += row.requests
    return found, requests


def _asked_rows(work: Work, period: _Counted) -> Iterator[Any]:
    request, summed = tables.request.c, tables.report_sum.c
    by = (request.policy_hash, request.overlay_hash, request.kind, request.provider)
    for where in period.live():
        query = select(*by, func.count().label("requests")).where(where).group_by(*by)
        yield from work.connection.execute(query).all()
    yield from period.summed(
        work, REQUESTS, summed.policy_hash, summed.overlay_hash, summed.kind, summed.provider
    )


def may_be_overridden(version: PolicyVersion) -> bool:
    """Whether a clinician may override some criterion of it."""
    return any(True for kind in _SECTIONS for _ in _overridable(version, kind))


def _overridable(version: PolicyVersion, kind: Kind) -> Iterator[str]:
    for section in _SECTIONS[kind]:
        for criterion in version.criteria(section):
            if criterion.override is not None:
                yield criterion.id


def _given(work: Work, period: _Counted) -> tuple[Counter[_Key], Counter[_Key]]:
    """Overrides given, and those relied on, each for one reason and for all together."""
    given: Counter[_Key] = Counter()
    relied_on: Counter[_Key] = Counter()
    for row in _given_rows(work, period):
        for reason in (row.reason, None):
            key = (row.policy, row.criterion, row.provider, reason)
            given[key] += row.requests
            relied_on[key] += row.requests if row.relied_on else 0
    return given, relied_on


def _given_rows(work: Work, period: _Counted) -> Iterator[Any]:
    request, override, summed = tables.request.c, tables.request_override.c, tables.report_sum.c
    by = (
        request.policy, override.criterion, request.provider, override.reason, override.relied_on,
    )  # fmt: skip
    for where in period.live():
        query = (
            select(*by, func.count().label("requests"))
            .join(
                tables.request,
                and_(request.id == override.request_id, request.revision == override.revision),
            )
            .where(where)
            .group_by(*by)
        )
        # Row-level security would look up the request of each override that there is, everybody's,
        # where many are read (0.14 ms each); the condition itself says whose requests are counted.
        # Both come to the same: test_list_plans.py holds one against the other.
        with work.beyond_scope():
            rows = work.connection.execute(query).all()
        yield from rows
    yield from period.summed(
        work, OVERRIDES, summed.policy, summed.criterion, summed.provider, summed.reason,
        summed.relied_on,
    )  # fmt: skip
