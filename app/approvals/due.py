"""Approvals that end soon, or ended not long ago, and were not continued: what to see to next."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from app.approvals.deaths import has_died
from app.approvals.lifecycle import ApprovalState
from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work


@dataclass(frozen=True, slots=True)
class Due:
    """A live approval of the caller's organisation with its last covered day."""

    treatment_id: str
    drug: str
    indication: str
    policy: str
    covers_to: dt.date
    started: bool


def approvals_due(
    work: Work, caller: Caller, from_day: dt.date, to_day: dt.date, limit: int
) -> tuple[Due, ...]:
    """The own treatments whose newest live approval ends between two days, earliest first.

    Those that were stopped, or never started, and those of patients who have died, are left out:
    nothing is due for them.
    """
    check_can(caller, Action.READ)
    rows = work.connection.execute(due_query(caller, from_day, to_day, limit))
    return tuple(
        Due(row.id, row.drug, row.indication, row.policy, row.covers_to, row.first_dose is not None)
        for row in rows
    )


def due_query(caller: Caller, from_day: dt.date, to_day: dt.date, limit: int) -> Select[Any]:
    """What `approvals_due` asks: a walk along the index of organisation, state and last day."""
    approval, treatment = tables.approval.c, tables.treatment.c
    return (
        select(
            treatment.id,
            treatment.drug,
            treatment.indication,
            treatment.policy,
            treatment.first_dose,
            approval.covers_to,
        )
        .join(tables.treatment, treatment.id == approval.treatment_id)
        .where(_ends_between(caller, from_day, to_day))
        .order_by(approval.covers_to, approval.treatment_id)
        .limit(limit)
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
    approval, treatment = tables.approval.c, tables.treatment.c
    lapsing = and_(
        _own_and_open(caller),
        treatment.first_dose.is_(None),
        approval.start_by.between(from_day, to_day),
    )
    return _count(work, and_(lapsing, counted))


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
