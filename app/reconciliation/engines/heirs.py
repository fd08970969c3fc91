"""Approvals follow a merger as lines do: from its day on, the heir is the approved provider. Pure.

Lines state a code, which is folded to its parent on the day of supply. An approval keeps the code
of its day, so it is told in parts: up to the day before the merger under the old code, from that
day on under the heir's. Hospital numbers are not renamed: after a merger one number may stand for
two patients of the two hospitals.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from app.reconciliation.engines.index import Held
from app.reconciliation.engines.packed import pack
from app.reconciliation.model import Coverage, PayerHeir, Snapshot
from app.reference_data.organisations import OrganisationDirectory

_DAY = dt.timedelta(days=1)


def with_heirs(snapshot: Snapshot, organisations: OrganisationDirectory) -> Snapshot:
    """The snapshot with its coverages' providers folded by day; done twice it is the same.

    Payers are not folded: beside the coverages is said whom they became, so that none is told in
    parts for it, which a month may straddle.
    """
    heirs = tuple(_payer_heirs(snapshot.coverages, organisations))
    if heirs != snapshot.heirs:
        snapshot = replace(snapshot, heirs=heirs)
    turns = _turns(snapshot.coverages, organisations)
    if not turns:
        return snapshot
    parts = (part for each in snapshot.coverages for part in _parts(each, turns, organisations))
    return replace(snapshot, coverages=pack(parts))


def _payer_heirs(
    coverages: Sequence[Coverage], organisations: OrganisationDirectory
) -> Iterator[PayerHeir]:
    days = _days(organisations)
    for code in sorted(_distinct(coverages, "commissioner")):
        for begins, after in zip(days, (*days[1:], None), strict=True):
            heir = organisations.fold(code, begins)
            if heir != code:
                yield PayerHeir(code, begins, after - _DAY if after else dt.date.max, heir)


def _days(organisations: OrganisationDirectory) -> tuple[dt.date, ...]:
    """The days from which a code may stand for another one, from the first of all on."""
    changes = organisations.changes()
    return dt.date.min, *(day for day in changes if day > dt.date.min)


def _turns(
    coverages: Sequence[Coverage], organisations: OrganisationDirectory
) -> Mapping[str, Sequence[dt.date]]:
    """Each provider's code that folds to another at some time → the days on which that changes."""
    days = _days(organisations)
    turns: dict[str, Sequence[dt.date]] = {}
    spokes = _distinct(coverages, "supplying_providers")
    for code in _distinct(coverages, "provider").union(*spokes):
        said = [(day, organisations.fold(code, day)) for day in days]
        changed = [day for (_, was), (day, now) in pairwise(said) if was != now]
        if changed or said[0][1] != code:
            turns[code] = changed
    return turns


def _distinct(coverages: Sequence[Coverage], name: str) -> frozenset[Any]:
    if isinstance(coverages, Held):
        return coverages.distinct(name)
    return frozenset(getattr(each, name) for each in coverages)


def _providers(coverage: Coverage) -> tuple[str, ...]:
    return coverage.provider, *coverage.supplying_providers


def _parts(
    coverage: Coverage,
    turns: Mapping[str, Sequence[dt.date]],
    organisations: OrganisationDirectory,
) -> Iterator[Coverage]:
    own = [turns[code] for code in _providers(coverage) if code in turns]
    if not own:
        yield coverage
        return
    last = coverage.to or dt.date.max
    within = sorted({day for days in own for day in days if coverage.from_ < day <= last})
    begins = coverage.from_
    for day in within:
        # What comes of the coverage's end comes of its last part alone.
        yield replace(
            _folded(coverage, begins, organisations),
            from_=begins,
            to=day - _DAY,
            grace_to=None,
            continuation_due=None,
            stopped=False,
        )
        begins = day
    yield replace(_folded(coverage, begins, organisations), from_=begins)


def _folded(coverage: Coverage, day: dt.date, organisations: OrganisationDirectory) -> Coverage:
    fold = organisations.fold
    return replace(
        coverage,
        provider=fold(coverage.provider, day),
        supplying_providers=frozenset(fold(code, day) for code in coverage.supplying_providers),
    )
