"""The SQL of what stands before a submission: current slices of submissions accepted earlier."""

from collections import defaultdict

from sqlalchemy import func, select

from app.db import tables
from app.db.work import Work
from app.reconciliation.slices import SliceKey


def standing_before(
    work: Work, organisation: str, number: int
) -> tuple[tuple[str, frozenset[SliceKey]], ...]:
    """Submissions and their slices that nothing newer states, of what was accepted before a number.

    In the order of acceptance. A correction of a closed month says what the month states, and
    leaves it its place: else what later months were accepted for could be used once more. Slices
    that are stated to be empty are left out.
    """
    version, head, submission = tables.slice_version, tables.slice_head, tables.submission
    stated = version.alias()
    newest = (
        select(version.c.slice_id, func.max(version.c.number).label("number"))
        .where(version.c.organisation == organisation)
        .group_by(version.c.slice_id)
        .subquery()
    )
    rows = work.connection.execute(
        select(
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
        .where(
            version.c.organisation == organisation,
            version.c.lines > 0,
            submission.c.number < number,
        )
        .order_by(submission.c.number, version.c.submission_id)
    )
    found: dict[tuple[int, str], set[SliceKey]] = defaultdict(set)
    for place, submission_id, *key in rows:
        found[place, submission_id].add(SliceKey(*key))
    return tuple((id_, frozenset(keys)) for (_, id_), keys in found.items())
