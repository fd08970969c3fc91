"""The figures of a commissioner's overview: what each is called, counted from, and kept as."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import delete, insert, select

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work

ALL = ""


class Name(StrEnum):
    """What is counted. Pounds are those of the current slices' newest runs."""

    APPROVALS_ISSUED = "approvals issued"  # by month of issue, London
    UNDER_APPROVAL = "treatments under approval"  # with a live approval, not stopped
    OVERDUE = "continuations overdue"  # of those, covered to a day that has passed
    ACCEPTED = "accepted"  # pounds matched, by month billed
    QUERIED = "queried"  # pounds not matched
    LINES = "lines"  # of the newest runs
    LINES_QUERIED = "lines queried"  # with any pound queried
    REQUESTS = "requests"  # submitted in the last 365 days, withdrawn and mistaken ones left out
    OVERRIDDEN = "requests decided by an override"
    WAIVED = "requests with a waived criterion"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: of one provider and month, or of all (empty)."""

    name: Name
    amount: Decimal
    provider: str = ALL
    month: str = ALL  # 2026-06


@dataclass(frozen=True, slots=True)
class Kept:
    """A commissioner's figures and when they were counted."""

    as_at: dt.date
    made_at: dt.datetime
    figures: tuple[Figure, ...]


def keep(work: Work, commissioner: str, figures: Iterable[Figure]) -> None:
    """Put a commissioner's figures in place of those that were kept."""
    table = tables.insight_figure
    work.connection.execute(delete(table).where(table.c.commissioner == commissioner))
    rows = [
        {
            "commissioner": commissioner,
            "name": each.name.value,
            "provider": each.provider,
            "month": each.month,
            "amount": each.amount,
            "as_at": work.moment.day,
            "made_at": work.moment.instant,
        }
        for each in figures
    ]
    if rows:
        work.connection.execute(insert(table), rows)


def kept_for(work: Work, caller: Caller) -> Kept | None:
    """The figures of the caller's own organisation; None before the worker has counted."""
    check_can(caller, Action.READ_OVERVIEW)
    column = tables.insight_figure.c
    rows = (
        work.connection.execute(
            select(tables.insight_figure)
            .where(column.commissioner == caller.organisation)
            .order_by(column.name, column.month, column.provider)
        )
        .mappings()
        .all()
    )
    if not rows:
        return None
    figures = tuple(
        Figure(Name(row["name"]), row["amount"], row["provider"], row["month"]) for row in rows
    )
    return Kept(rows[0]["as_at"], rows[0]["made_at"], figures)
