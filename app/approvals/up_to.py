"""Counting no further than a list's heading says."""

from typing import Any

from sqlalchemy import Select, func, select

from app.db.work import Work


def up_to(work: Work, query: Select[Any], most: int) -> int:
    """How many rows a query has, `most` where there are more: the count ends there."""
    some = query.order_by(None).limit(most).subquery()
    return work.connection.execute(select(func.count()).select_from(some)).scalar_one()
