"""Approvals that end soon, or ended not long ago, and were not continued: what to see to next."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, tuple_

from app.approvals.deaths import has_died
from app.approvals.lifecycle import ApprovalState
from app.approvals.permissions import Action, check_can
from app.approvals.up_to import up_to
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work

#: An approval that ends, or lapses, within it is about to.
SOON: Final = dt.timedelta(days=30)
#: A continuation is due so long before its approval ends. One that ended longer ago is a treatment
#: that went elsewhere, or a case for the worklists.
WITHIN: Final = dt.timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list of what is due: a page goes on behind one."""

    by: dt.date
    treatment_id: str


@dataclass(frozen=True, slots=True)
class Due:
    """A live approval of the caller's organisation with its last covered day.

    `by`: the day that the list goes by, the last covered one or the last to start on.
    """

    treatment_id: str
    drug: str
    indication: str
    policy: str
    by: dt.date
    first_dose: dt.date | None

    @property
    def place(self) -> Place:
        """Where it stands in its list."""
        return Place(self.by, self.treatment_id)


def approvals_due(
    work: Work,
    caller: Caller,
    from_day: dt.date,
    to_day: dt.date,
    limit: int,
    after: Place | None = None,
) -> tuple[Due, ...]:
    """The own treatments whose newest live approval ends between two days, earliest first.

    Those that were stopped, or never started, and those of patients who have died, are left out:
    nothing is due for them. `after`: only those behind a place.
    """
    check_can(caller, Action.READ)
    return _listed(work, due_query(caller, from_day, to_day, limit, after))


def approvals_lapsing(
    work: Work,
    caller: Caller,
    from_day: dt.date,
    to_day: dt.date,
    limit: int,
    after: Place | None = None,
) -> tuple[Due, ...]:
    """The own live approvals that lapse between two days unless a first dose is recorded."""
    check_can(caller, Action.READ)
    return _listed(work, lapsing_query(caller, from_day, to_day, limit, after))


def due_query(
    caller: Caller, from_day: dt.date, to_day: dt.date, limit: int, after: Place | None = None
) -> Select[Any]:
    """What `approvals_due` asks: a walk along the index of organisation, state and last day."""
    where = _ends_between(caller, from_day, to_day)
    return _query(tables.approval.c.covers_to, where, limit, after)


def lapsing_query(
    caller: Caller, from_day: dt.date, to_day: dt.date, limit: int, after: Place | None = None
) -> Select[Any]:
    """What `approvals_lapsing` asks: a walk along the index of organisation, state and day."""
    return _query(tables.approval.c.start_by, _lapses(caller, from_day, to_day), limit, after)


def _query(
    by: ColumnElement[Any], where: ColumnElement[bool], limit: int, after: Place | None
) -> Select[Any]:
    approval, treatment = tables.approval.c, tables.treatment.c
    query = (
        select(
            treatment.id,
            treatment.drug,
            treatment.indication,
            treatment.policy,
            treatment.first_dose,
            by.label("by"),
        )
        .join(tables.treatment, treatment.id == approval.treatment_id)
        .where(where)
    )
    if after is not None:
        query = query.where(
            tuple_(by, approval.treatment_id) > tuple_(after.by, after.treatment_id)
        )
    return query.order_by(by, approval.treatment_id).limit(limit)


def _listed(work: Work, query: Select[Any]) -> tuple[Due, ...]:
    rows = work.connection.execute(query)
    return tuple(
        Due(row.id, row.drug, row.indication, row.policy, row.by, row.first_dose) for row in rows
    )


def count_due(
    work: Work,
    caller: Caller,
    from_day: dt.date,
    to_day: dt.date,
    counted: ColumnElement[bool],
) -> int:
    """How many `approvals_due` there are; `counted` is a condition on their treatments."""
    check_can(caller, Action.READ)
    return _count(work, and_(_ends_between(caller, from_day, to_day), counted))


def count_lapsing(
    work: Work,
    caller: Caller,
    from_day: dt.date,
    to_day: dt.date,
    counted: ColumnElement[bool],
) -> int:
    """How many live approvals lapse between two days unless a first dose is recorded."""
    check_can(caller, Action.READ)
    return _count(work, and_(_lapses(caller, from_day, to_day), counted))


def count_up_to(work: Work, query: Select[Any], most: int) -> int:
    """How many rows `due_query` or `lapsing_query` has in all, counted no further than `most`."""
    return up_to(work, query.limit(None), most)


def _lapses(caller: Caller, from_day: dt.date, to_day: dt.date) -> ColumnElement[bool]:
    approval, treatment = tables.approval.c, tables.treatment.c
    return and_(
        _own_and_open(caller),
        treatment.first_dose.is_(None),
        approval.start_by.between(from_day, to_day),
    )


def _count(work: Work, where: ColumnElement[bool]) -> int:
    approval, treatment = tables.approval.c, tables.treatment.c
    query = (
        select(func.count(treatment.id.distinct()))
        .select_from(tables.approval)
        .join(tables.treatment, treatment.id == approval.treatment_id)
        .where(where)
    )
    return work.connection.execute(query).scalar_one()


def _own_and_open(caller: Caller) -> ColumnElement[bool]:
    """A live approval of a treatment that the caller's organisation gives, and may go on giving."""
    approval, treatment = tables.approval.c, tables.treatment.c
    return and_(
        approval.provider == caller.organisation,
        treatment.provider == caller.organisation,
        approval.state == ApprovalState.LIVE,
        treatment.stopped_on.is_(None),
        treatment.not_started_on.is_(None),
        ~has_died(treatment.patient_id),
    )


def _ends_between(caller: Caller, from_day: dt.date, to_day: dt.date) -> ColumnElement[bool]:
    approval = tables.approval.c
    later = tables.approval.alias("later").c
    goes_on = exists().where(
        and_(
            later.treatment_id == approval.treatment_id,
            later.state == ApprovalState.LIVE,
            or_(later.covers_to.is_(None), later.covers_to > approval.covers_to),
        )
    )
    return and_(_own_and_open(caller), approval.covers_to.between(from_day, to_day), ~goes_on)
