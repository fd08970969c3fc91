"""When a policy asked for approval of a drug, and which commissioner exempted it when."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import select

from app.approvals.library import Library
from app.approvals.office import APPROVAL_NOT_REQUIRED, Office
from app.db import tables
from app.db.work import Work
from app.policy import PolicyVersion
from app.reconciliation.model import PolicyHeld

_DAY = dt.timedelta(days=1)


def policies_held(work: Work, office: Office, commissioner: str | None) -> tuple[PolicyHeld, ...]:
    """Each policy version's time in force, less the times for which a commissioner exempts.

    With `commissioner`, its exemptions count for every line. Without, each commissioner's own
    entries on the drugs that it exempts stand beside the general ones, and count for its lines.
    """
    general = _general(office.library_at(work))
    exempted = _exemptions(work, commissioner)
    if commissioner is not None:
        return tuple(_less(general, exempted.get(commissioner, ())))
    own = [
        replace(held, commissioner=code)
        for code, exemptions in exempted.items()
        for drug in {exempt.drug for exempt in exemptions}
        for held in _less(
            [held for held in general if held.drug == drug],
            [exempt for exempt in exemptions if exempt.drug == drug],
        )
    ]
    return (*general, *own)


@lru_cache(maxsize=4)
def _general(library: Library) -> tuple[PolicyHeld, ...]:
    """Of every commissioner: the same for as long as the library is, which nobody changes."""
    return tuple(held for policy in library.policies() for held in _times(library, policy))


def _times(library: Library, policy: str) -> Iterable[PolicyHeld]:
    """Each version's days; a version that a correction of the same day replaced has none."""
    versions = library.versions(policy)
    for version, following in zip(versions, (*versions[1:], None), strict=True):
        held = _held(version, following)
        if held.to is None or held.from_ <= held.to:
            yield held


def _held(version: PolicyVersion, following: PolicyVersion | None) -> PolicyHeld:
    return PolicyHeld(
        drug=version.drug,
        approval_required=version.mechanism != "notification",
        from_=version.in_force.from_,
        to=following.in_force.from_ - _DAY if following else None,
        indication_key=version.indication.key,
    )


# --- exemptions ---------------------------------------------------------------------------------


def _exemptions(work: Work, commissioner: str | None) -> dict[str, list[PolicyHeld]]:
    """Commissioner → the days for which it exempts each drug."""
    setting = tables.organisation_setting.c
    query = (
        select(setting.organisation, setting.value, setting.from_day, setting.to_day)
        .where(setting.setting == APPROVAL_NOT_REQUIRED)
        .order_by(setting.from_day, setting.recorded_at, setting.id)
    )
    if commissioner is not None:
        query = query.where(setting.organisation == commissioner)
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in work.connection.execute(query):
        rows[row.organisation].append(row)
    return {code: _exempt_days(each) for code, each in sorted(rows.items())}


def _exempt_days(rows: Sequence[Any]) -> list[PolicyHeld]:
    """The days of each exempt drug: on a day, of the valid settings the one begun last counts.

    This is `app.approvals.office.setting` for every day at once. Days that adjoin are joined, so
    that repeating a setting changes nothing.
    """
    days: dict[str, list[PolicyHeld]] = defaultdict(list)
    ends = {row.to_day + _DAY for row in rows if row.to_day is not None}
    starts = sorted({row.from_day for row in rows} | ends)
    for start, following in zip(starts, (*starts[1:], None), strict=True):
        valid = [r for r in rows if r.from_day <= start <= (r.to_day or dt.date.max)]
        until = following - _DAY if following else None
        value = valid[-1].value if valid else None
        for drug in sorted(set(value)) if isinstance(value, list) else ():
            _extend(days[drug], PolicyHeld(drug, False, start, until, ""))
    return [held for drug in sorted(days) for held in days[drug]]


def _extend(days: list[PolicyHeld], more: PolicyHeld) -> None:
    if days and days[-1].to is not None and days[-1].to + _DAY == more.from_:
        days[-1] = replace(days[-1], to=more.to)
    else:
        days.append(more)


def _less(held: Sequence[PolicyHeld], exemptions: Iterable[PolicyHeld]) -> list[PolicyHeld]:
    """The policies' times with the exemptions cut out, and the exemptions themselves."""
    left = list(held)
    exempt = list(exemptions)
    for one in exempt:
        left = [part for whole in left for part in _without(whole, one)]
    return [*left, *exempt]


def _without(held: PolicyHeld, exempt: PolicyHeld) -> Iterable[PolicyHeld]:
    """What is left of a policy's time when an exemption of its drug is cut out."""
    to, until = held.to or dt.date.max, exempt.to or dt.date.max
    if held.drug != exempt.drug or until < held.from_ or exempt.from_ > to:
        return (held,)
    left = []
    if held.from_ < exempt.from_:
        left.append(replace(held, to=exempt.from_ - _DAY))
    if until < to:
        left.append(replace(held, from_=until + _DAY))
    return left
