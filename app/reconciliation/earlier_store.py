"""The SQL of what stands before a submission: current slices of submissions accepted earlier."""

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import func, select

from app.db import tables
from app.db.work import Work
from app.reconciliation.slices import SliceKey


def standing_before(
    work: Work, organisation: str, number: int
) -> Mapping[str, frozenset[SliceKey]]:
    """The submissions accepted before this number → their slices that nothing newer states.

    In the order of acceptance. Slices that are stated to be empty are left out.
    """
    version, head, submission = tables.slice_version, tables.slice_head, tables.submission
    newest = (
        select(version.c.slice_id, func.max(version.c.number).label("number"))
        .where(version.c.organisation == organisation)
        .group_by(version.c.slice_id)
        .subquery()
    )
    rows = work.connection.execute(
        select(version.c.submission_id, *(head.c[name] for name in SliceKey._fields))
        .join_from(
            version,
            newest,
            (newest.c.slice_id == version.c.slice_id) & (newest.c.number == version.c.number),
        )
        .join(head, head.c.id == version.c.slice_id)
        .join(submission, submission.c.id == version.c.submission_id)
        .where(
            version.c.organisation == organisation,
            version.c.lines > 0,
            submission.c.number < number,
        )
        .order_by(submission.c.number)
    )
    found: dict[str, set[SliceKey]] = defaultdict(set)
    for submission_id, *key in rows:
        found[submission_id].add(SliceKey(*key))
    return {submission_id: frozenset(keys) for submission_id, keys in found.items()}
