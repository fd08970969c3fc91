"""The SQL of break-glass access. A provider reads the declarations of its own people here."""

import datetime as dt
from dataclasses import asdict

from sqlalchemy import and_, func, insert, or_, select, update

from app.approvals.break_glass_model import BreakGlassReason, Grant
from app.approvals.errors import NotFound
from app.auth.model import Caller
from app.clock import london_midnight
from app.db import tables
from app.db.work import Work

_TABLE = tables.break_glass


def add(work: Work, grant: Grant) -> None:
    """Keep a declaration."""
    work.connection.execute(insert(_TABLE).values(**asdict(grant)))


def find(work: Work, caller: Caller, grant_id: str) -> Grant:
    """A declaration of the caller's organisation; NotFound otherwise."""
    query = select(_TABLE).where(
        _TABLE.c.id == grant_id, _TABLE.c.organisation == caller.organisation
    )
    row = work.connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("break-glass access")
    return Grant(**{**row._mapping, "reason": BreakGlassReason(row.reason)})


def not_ended(work: Work, caller: Caller, since: dt.datetime) -> tuple[Grant, ...]:
    """The caller's own since an instant that nobody ended; newest first."""
    query = (
        select(_TABLE)
        .where(
            _TABLE.c.organisation == caller.organisation,
            _TABLE.c.opened_by == caller.id,
            _TABLE.c.opened_at >= since,
            _TABLE.c.ended_at.is_(None),
        )
        .order_by(_TABLE.c.opened_at.desc(), _TABLE.c.id)
    )
    return tuple(
        Grant(**{**row._mapping, "reason": BreakGlassReason(row.reason)})
        for row in work.connection.execute(query)
    )


def end(work: Work, grant: Grant, by: str) -> bool:
    """Mark a declaration as ended now; False where somebody else has ended it meanwhile."""
    ended = work.connection.execute(
        update(_TABLE)
        .where(_TABLE.c.id == grant.id, _TABLE.c.ended_at.is_(None))
        .values(ended_at=work.moment.instant, ended_by=by)
    )
    return ended.rowcount == 1


def times(
    work: Work,
    caller: Caller,
    credentials: tuple[str, ...],
    actions: tuple[str, ...],
    since: dt.datetime,
) -> int:
    """How often one of these credentials of the caller's organisation did one of these, by the log.

    Since an instant, which is not counted.
    """
    event = tables.audit_event.c
    query = select(func.count()).where(
        event.organisation == caller.organisation,
        event.actor.in_(credentials),
        event.action.in_(actions),
        event.at > since,
    )
    return work.connection.execute(query).scalar_one()


def between(work: Work, caller: Caller, first: dt.date, last: dt.date) -> tuple[Grant, ...]:
    """Those of the caller's organisation, and those that opened a treatment which it prescribes.

    Opened between two Europe/London days, both included; oldest first.
    """
    patient, treatment = tables.patient, tables.treatment
    held = (
        select(treatment.c.id)
        .join(patient, patient.c.id == treatment.c.patient_id)
        .where(
            treatment.c.provider == caller.organisation,
            or_(patient.c.id == _TABLE.c.patient_id, patient.c.linked_to == _TABLE.c.patient_id),
        )
        .correlate(_TABLE)
    )
    query = (
        select(_TABLE)
        .where(
            and_(
                _TABLE.c.opened_at >= london_midnight(first),
                _TABLE.c.opened_at < london_midnight(last + dt.timedelta(days=1)),
                or_(_TABLE.c.organisation == caller.organisation, held.exists()),
            )
        )
        .order_by(_TABLE.c.opened_at, _TABLE.c.id)
    )
    return tuple(
        Grant(**{**row._mapping, "reason": BreakGlassReason(row.reason)})
        for row in work.connection.execute(query)
    )


def readings(work: Work, grant: Grant, action: str) -> int:
    """How often whoever opened it read the patient's record by it, and by no other declaration.

    A reading names its declaration. Where that was erased, every reading of the patient while it
    was open counts.
    """
    event, payload = tables.audit_event.c, tables.audit_payload.c
    of_it = or_(
        payload.body.contains(grant.id, autoescape=True),
        and_(payload.body.is_(None), payload.patient_id == grant.patient_id),
    )
    query = (
        select(func.count(event.at.distinct()))
        .join_from(tables.audit_event, tables.audit_payload, payload.id == event.payload_id)
        .where(
            event.organisation == grant.organisation,
            event.actor == grant.opened_by,
            event.action == action,
            of_it,
            event.at >= grant.opened_at,
            event.at <= (grant.ended_at or grant.expires_at),
        )
    )
    with work.beyond_scope():  # a holder may know how often: the count alone
        return work.connection.execute(query).scalar_one()
