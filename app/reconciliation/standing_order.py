"""In which order runs stand for their submission: the last to stand first, then the newest."""

from typing import Any

from sqlalchemy import ColumnElement, Table, func, select

from app.db import tables


def standing_first(run: Table) -> tuple[ColumnElement[Any], ...]:
    """Sort runs so that the one that stands is the first; runs of before any stood are last."""
    return (_stood(run).desc(), run.c.created_at.desc(), run.c.id)


def standing_last(run: Table) -> tuple[ColumnElement[Any], ...]:
    """The same the other way round."""
    return (_stood(run), run.c.created_at, run.c.id.desc())


def _stood(run: Table) -> ColumnElement[int]:
    standing = tables.run_standing.c
    last = select(func.max(standing.number)).where(standing.run_id == run.c.id)
    return func.coalesce(last.scalar_subquery(), 0)
