"""Requests that wait for somebody: an organisation's own answer, a pharmacist, a panel, a payer."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select

from app.approvals.lifecycle import RequestState
from app.approvals.permissions import Action, check_can
from app.approvals.scope import visible_requests
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import Kind


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits, with what a list tells of it. It names no patient."""

    request_id: str
    treatment_id: str
    kind: Kind
    state: RequestState
    drug: str
    indication: str
    policy: str
    provider: str
    submitted_at: dt.datetime


def waiting_requests(
    work: Work, caller: Caller, states: Collection[RequestState], limit: int, *, own: bool
) -> tuple[Waiting, ...]:
    """The requests in these states that the caller may see, those sent first, first.

    `own`: those of the caller's own organisation only.
    """
    check_can(caller, Action.READ)
    request, treatment = tables.request.c, tables.treatment.c
    query = (
        select(
            request.id,
            request.treatment_id,
            request.kind,
            request.state,
            request.policy,
            request.provider,
            request.submitted_at,
            treatment.drug,
            treatment.indication,
        )
        .join(tables.treatment, treatment.id == request.treatment_id)
        .where(_waiting(caller, states, own))
        .order_by(request.submitted_at, request.id)
        .limit(limit)
    )
    return tuple(
        Waiting(
            request_id=row.id,
            treatment_id=row.treatment_id,
            kind=Kind(row.kind),
            state=RequestState(row.state),
            drug=row.drug,
            indication=row.indication,
            policy=row.policy,
            provider=row.provider,
            submitted_at=row.submitted_at,
        )
        for row in work.connection.execute(query)
    )


def count_waiting(
    work: Work,
    caller: Caller,
    states: Collection[RequestState],
    counted: ColumnElement[bool],
    *,
    own: bool,
) -> int:
    """How many `waiting_requests` there are; `counted` is a condition on them and their treatments.

    Raises NotAllowed for a role that reads no request.
    """
    check_can(caller, Action.READ)
    query = (
        select(func.count(tables.request.c.id))
        .join(tables.treatment, tables.treatment.c.id == tables.request.c.treatment_id)
        .where(_waiting(caller, states, own), counted)
    )
    return work.connection.execute(query).scalar_one()


def _waiting(caller: Caller, states: Collection[RequestState], own: bool) -> ColumnElement[bool]:
    request = tables.request.c
    conditions = [request.state.in_(list(states)), visible_requests(caller)]
    if own:
        conditions.append(request.provider == caller.organisation)
    return and_(*conditions)
