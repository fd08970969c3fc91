"""Requests that wait for somebody: an organisation's own answer, a pharmacist, a panel, a payer."""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, select, tuple_

from app.approvals.lifecycle import RequestState
from app.approvals.permissions import Action, check_can
from app.approvals.scope import visible_requests
from app.approvals.up_to import up_to
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import Kind

#: The states in which a request waits for somebody.
OPEN: Final = (
    RequestState.MORE_INFORMATION_NEEDED,
    RequestState.RETURNED,
    RequestState.REFERRED,
    RequestState.AWAITING_AUTHORISATION,
    RequestState.AWAITING_CONSENT,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list of what waits: a page goes on behind one."""

    answer_by: dt.date | None
    submitted_at: dt.datetime
    request_id: str


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
    answer_by: dt.date | None
    counterparty: str | None  # the receiving provider of a transfer

    @property
    def place(self) -> Place:
        """Where it stands in its list."""
        return Place(self.answer_by, self.submitted_at, self.request_id)


def waiting_requests(
    work: Work,
    caller: Caller,
    states: Collection[RequestState],
    limit: int,
    *,
    own: bool,
    asked: bool = False,
    by_answer: bool = False,
    after: Place | None = None,
) -> tuple[Waiting, ...]:
    """The requests in these states that the caller may see, those sent first, first.

    `own`: those of the caller's own organisation only; `asked`: those of others that ask it for its
    consent. `by_answer`: those that a panel is to answer
    first come first, and last those for which no day is set. `after`: only those behind a place.
    """
    check_can(caller, Action.READ)
    found: list[Row[Any]] = []
    way = {"own": own, "asked": asked, "by_answer": by_answer}
    for query in waiting_queries(caller, states, **way, after=after):
        if len(found) < limit:
            found += work.connection.execute(query.limit(limit - len(found)))
    return _read(found)


def _read(rows: Iterable[Row[Any]]) -> tuple[Waiting, ...]:
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
            answer_by=row.answer_by,
            counterparty=row.counterparty,
        )
        for row in rows
    )


def waiting_of(work: Work, caller: Caller, treatments: Collection[str]) -> tuple[Waiting, ...]:
    """The requests of some treatments that wait for anybody, those sent first, first."""
    check_can(caller, Action.READ)
    if not treatments:
        return ()
    (query,) = waiting_queries(caller, OPEN, own=True)
    named = query.where(tables.request.c.treatment_id.in_(sorted(treatments)))
    return _read(work.connection.execute(named))


def waiting_queries(
    caller: Caller,
    states: Collection[RequestState],
    *,
    own: bool,
    asked: bool = False,
    by_answer: bool = False,
    after: Place | None = None,
) -> tuple[Select[Any], ...]:
    """What `waiting_requests` asks, one after the other: of a panel, walks along its index.

    Those with a day to answer by and those without are asked for apart, so that neither database
    has to know where a missing day belongs.
    """
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
            request.answer_by,
            request.counterparty,
            treatment.drug,
            treatment.indication,
        )
        .join(tables.treatment, treatment.id == request.treatment_id)
        .where(_waiting(caller, states, own, asked))
    )
    sent = (request.submitted_at, request.id)
    behind = None if after is None else (after.submitted_at, after.request_id)
    if not by_answer:
        return (_behind(query, sent, behind),)
    dated, none = request.answer_by.is_not(None), request.answer_by.is_(None)
    # In the index's order: PostgreSQL does not see that a column which is null orders nothing.
    undated = query.where(none).order_by(request.answer_by)
    if after is not None and after.answer_by is None:
        return (_behind(undated, sent, behind),)
    first = None if after is None else (after.answer_by, *(behind or ()))
    return (
        _behind(query.where(dated), (request.answer_by, *sent), first),
        _behind(undated, sent, None),
    )


def _behind(
    query: Select[Any], order: tuple[ColumnElement[Any], ...], after: tuple[Any, ...] | None
) -> Select[Any]:
    """The query in an order, from behind a place of it on."""
    if after is not None:
        place = (literal(value, column.type) for value, column in zip(after, order, strict=True))
        query = query.where(tuple_(*order) > tuple_(*place))
    return query.order_by(*order)


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


def count_up_to(
    work: Work,
    caller: Caller,
    states: Collection[RequestState],
    most: int,
    *,
    own: bool,
    asked: bool = False,
) -> int:
    """How many wait, counted no further than `most`. Raises NotAllowed."""
    check_can(caller, Action.READ)
    query = (
        select(tables.request.c.id)
        .join(tables.treatment, tables.treatment.c.id == tables.request.c.treatment_id)
        .where(_waiting(caller, states, own, asked))
    )
    return up_to(work, query, most)


def _waiting(
    caller: Caller, states: Collection[RequestState], own: bool, asked: bool = False
) -> ColumnElement[bool]:
    request = tables.request.c
    conditions = [request.state.in_(list(states)), visible_requests(caller)]
    if own:
        conditions.append(request.provider == caller.organisation)
    if asked:
        conditions.append(request.counterparty == caller.organisation)
    return and_(*conditions)
