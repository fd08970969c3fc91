"""Whom an organisation's own treatments concern, for lists of the people who give them.

Only of treatments that the organisation prescribes: what it may see of others says who it is on a
page of its own, if at all. A patient's objection restricts nobody who treats them (`objecting`).
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, select

from app.approvals.model import RECORD_ENDED
from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work


@dataclass(frozen=True, slots=True)
class Named:
    """A patient as a list names them. `local_id`: the caller's own hospital number, the newest."""

    nhs_number: str | None
    local_id: str | None
    birth_date: dt.date
    ended: bool


def patients_of(work: Work, caller: Caller, treatments: Collection[str]) -> dict[str, Named]:
    """Treatment id → its patient, of those that the caller's organisation prescribes.

    At most as many as a page shows. Raises NotAllowed for a role outside the care team.
    """
    check_can(caller, Action.PREPARE)
    if not treatments:
        return {}
    own, person, held = tables.treatment.c, tables.patient.c, tables.patient_identifier.c
    of = and_(held.patient_id == own.patient_id, held.organisation == caller.organisation)
    rows = work.connection.execute(
        select(
            own.id,
            person.nhs_number,
            person.birth_date,
            person.no_nhs_number_reason.label("reason"),
            held.local_id,
        )
        .join(tables.patient, person.id == own.patient_id)
        .outerjoin(tables.patient_identifier, of)
        .where(own.id.in_(sorted(treatments)), own.provider == caller.organisation)
        .order_by(held.recorded_at)
    )
    return {
        row.id: Named(row.nhs_number, row.local_id, row.birth_date, row.reason == RECORD_ENDED)
        for row in rows
    }
