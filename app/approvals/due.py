"""Approvals that end soon, or ended not long ago, and were not continued: what to see to next."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import and_, exists, or_, select

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

    Those that were stopped, or never started, are left out: nothing is due for them.
    """
    check_can(caller, Action.READ)
    approval, treatment = tables.approval.c, tables.treatment.c
    later = tables.approval.alias("later").c
    goes_on = exists().where(
        and_(
            later.treatment_id == approval.treatment_id,
            later.state == ApprovalState.LIVE,
            or_(later.covers_to.is_(None), later.covers_to > approval.covers_to),
        )
    )
    query = (
        select(
            treatment.id,
            treatment.drug,
            treatment.indication,
            treatment.policy,
            treatment.first_dose,
            approval.covers_to,
        )
        .join(tables.treatment, treatment.id == approval.treatment_id)
        .where(
            and_(
                approval.provider == caller.organisation,
                treatment.provider == caller.organisation,
                approval.state == ApprovalState.LIVE,
                approval.covers_to.between(from_day, to_day),
                ~goes_on,
                treatment.stopped_on.is_(None),
                treatment.not_started_on.is_(None),
            )
        )
        .order_by(approval.covers_to, treatment.id)
        .limit(limit)
    )
    return tuple(
        Due(row.id, row.drug, row.indication, row.policy, row.covers_to, row.first_dose is not None)
        for row in work.connection.execute(query)
    )
