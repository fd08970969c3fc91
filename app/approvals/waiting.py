"""Requests that wait for somebody: an organisation's own answer, a pharmacist, a panel, a payer."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, select

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
    conditions = [request.state.in_(list(states)), visible_requests(caller)]
    if own:
        conditions.append(request.provider == caller.organisation)
    query = (
        select(
            request.id,
            request.kind,
            request.state,
            request.policy,
            request.provider,
            request.submitted_at,
            treatment.drug,
            treatment.indication,
        )
        .join(tables.treatment, treatment.id == request.treatment_id)
        .where(and_(*conditions))
        .order_by(request.submitted_at, request.id)
        .limit(limit)
    )
    return tuple(
        Waiting(
            request_id=row.id,
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
