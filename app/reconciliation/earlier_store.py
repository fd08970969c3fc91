"""The SQL of what stands before a submission: current slices of submissions accepted earlier."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from app.db import tables
from app.db.work import Work
from app.reconciliation.slices import SliceKey


@dataclass(frozen=True, slots=True)
class Held:
    """A submission that an organisation holds, and slices of it that nothing newer states."""

    organisation: str
    submission: str
    keys: frozenset[SliceKey]


def place_of(work: Work, organisation: str, submission_id: str, number: int) -> int:
    """A submission's place in the order in which what it states counts: mostly its own number.

    One that only corrects closed months counts where these do, at the number of the statement that
    it corrects: what was accepted after a month does not come before its correction. Where it
    states months of several places it has the last of them, so that it may count too much before
    itself and never too little.
    """
    version, head, submission = tables.slice_version, tables.slice_head, tables.submission
    stated = version.alias()
    query = (
        select(func.max(submission.c.number))
        .join_from(version, head, head.c.id == version.c.slice_id)
        .join(stated, stated.c.id == head.c.current_version)
        .join(submission, submission.c.id == stated.c.submission_id)
        .where(
            version.c.organisation == organisation,
            version.c.submission_id == submission_id,
            stated.c.id.in_((version.c.id, version.c.cites)),
        )
    )
    found = work.connection.execute(query).scalar()
    return number if found is None else int(found)


def standing_before(
    work: Work, organisation: str, number: int
) -> tuple[tuple[str, frozenset[SliceKey]], ...]:
    """Submissions and their slices that nothing newer states, of what was accepted up to a place.

    A submission's own slices may be among them, and other slices of what it corrects.

    In the order of acceptance. A correction of a closed month says what the month states, and
    leaves it its place: else what later months were accepted for could be used once more. Slices
    that are stated to be empty are left out.
    """
    head = tables.slice_head.c
    own = select(head.id).where(head.organisation == organisation)
    rows = work.connection.execute(_standing(own, tables.submission.c.number <= number))
    return tuple((each.submission, each.keys) for each in _grouped(rows))


def held_of(work: Work, provider: str) -> tuple[Held, ...]:
    """What is held of a provider's slices, by those who pay for them and by itself, in that order.

    Read beyond scope: slices of this provider alone. Of a slice that its commissioner holds, that
    one's statement counts; of any other, the provider's own.
    """
    head = tables.slice_head.c
    its = select(head.id).where(
        head.provider == provider,
        or_(head.organisation == head.commissioner, head.organisation == provider),
    )
    with work.beyond_scope():
        rows = work.connection.execute(_standing(its)).all()
    found = _grouped(rows)
    paid = {key for each in found if each.organisation != provider for key in each.keys}
    kept = (
        replace(each, keys=each.keys - paid) if each.organisation == provider else each
        for each in sorted(found, key=lambda each: each.organisation == provider)
    )
    return tuple(each for each in kept if each.keys)


def _standing(slices: Select[Any], *conditions: ColumnElement[bool]) -> Select[Any]:
    version, head, submission = tables.slice_version, tables.slice_head, tables.submission
    stated, own = version.alias(), submission.alias()
    newest = (
        select(version.c.slice_id, func.max(version.c.number).label("number"))
        .where(version.c.slice_id.in_(slices))
        .group_by(version.c.slice_id)
        .subquery()
    )
    return (
        select(
            version.c.organisation,
            submission.c.number,
            version.c.submission_id,
            *(head.c[name] for name in SliceKey._fields),
        )
        .join_from(
            version,
            newest,
            (newest.c.slice_id == version.c.slice_id) & (newest.c.number == version.c.number),
        )
        .join(head, head.c.id == version.c.slice_id)
        .join(stated, stated.c.id == head.c.current_version)
        .join(submission, submission.c.id == stated.c.submission_id)
        .join(own, own.c.id == version.c.submission_id)
        .where(version.c.lines > 0, own.c.ended_at.is_(None), *conditions)
        .order_by(version.c.organisation, submission.c.number, version.c.submission_id)
    )


def _grouped(rows: Iterable[Any]) -> tuple[Held, ...]:
    found: dict[tuple[str, int, str], set[SliceKey]] = defaultdict(set)
    for organisation, place, submission_id, *key in rows:
        found[organisation, place, submission_id].add(SliceKey(*key))
    return tuple(Held(who, id_, frozenset(keys)) for (who, _, id_), keys in found.items())
