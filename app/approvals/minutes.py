"""What a panel decided within a period, for its minutes: decisions, reasons, waivers, interests."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal_column, select

from app.approvals.errors import DetailsNotAccepted
from app.approvals.permissions import Action, check_can
from app.approvals.scope import visible_requests
from app.auth.holders import person_of
from app.auth.model import Caller
from app.auth.people import names_of
from app.clock import london_midnight
from app.db.tables import decision, panel_vote, request
from app.db.work import Work

LONGEST = dt.timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Sitting:
    """A period's minutes: which requests, in the order of their first decision in it, and who.

    `requests` are pairs of a request's id and its treatment's. `more`: there are others, not given.
    `persons`: a credential's id → the person whose it is, where it is somebody's.
    """

    first: dt.datetime  # from this instant
    end: dt.datetime  # to before this one
    requests: tuple[tuple[str, str], ...]
    more: bool
    names: Mapping[str, str]
    persons: Mapping[str, str]

    def same_person(self, one: str | None, other: str | None) -> bool:
        """Whether two credentials are one, or one person's."""
        if one is None or other is None:
            return False
        return self.persons.get(one, one) == self.persons.get(other, other)


def sitting(
    work: Work, caller: Caller, first: dt.date, last: dt.date, panel: str | None, limit: int
) -> Sitting:
    """The requests that a panel, or a commissioner in a panel's place, decided between two days.

    A member reads those of the own panel, a commissioner those it pays for, an auditor those of
    their organisation; `panel` narrows them to one. Raises DetailsNotAccepted for days that are no
    period, and NotAllowed.
    """
    check_can(caller, Action.READ_MINUTES)
    if last < first:
        raise DetailsNotAccepted("to", "The last day is before the first. Correct one of them.")
    if last - first > LONGEST:
        raise DetailsNotAccepted("to", "Minutes are of a year at most. Choose days nearer by.")
    start, end = london_midnight(first), london_midnight(last + dt.timedelta(days=1))
    where = and_(
        visible_requests(caller),
        decision.c.made_by == literal_column("'panel'"),  # as the index of these has it
        decision.c.decided_at >= start,
        decision.c.decided_at < end,
    )
    if panel is not None:
        where = and_(where, request.c.panel == panel)
    query = _first(decision.c.request_id, decision.c.decided_at, where).limit(limit + 1)
    # Row-level security would ask a function about each decision of the period, whoever's it is.
    # The condition above is the caller's own scope, and what is shown is read within it.
    with work.beyond_scope():
        decided = work.connection.execute(query).all()
    voted = _voted(work, caller, start, end, panel, limit)
    begun = {row.id: row for row in (*decided, *voted)}
    for row in decided:  # the earlier of the two, where it was voted on and decided
        begun[row.id] = min(row, begun[row.id], key=lambda each: each.at)
    rows = sorted(begun.values(), key=lambda row: (row.at, row.id))
    found = tuple((row.id, row.treatment_id) for row in rows[:limit])
    credentials = _people(work, [id_ for id_, _ in found])
    held = {each: person_of(work, each) for each in sorted(credentials)}
    persons = {each: person for each, person in held.items() if person is not None}
    names = names_of(work, credentials)
    return Sitting(start, end, found, len(rows) > limit, names, persons)


def _first(of: ColumnElement[Any], at: ColumnElement[Any], where: Any) -> Select[Any]:
    """Requests with the first instant of what is said of them, in its order."""
    first = func.min(at).label("at")
    return (
        select(request.c.id, request.c.treatment_id, first)
        .join(of.table, of == request.c.id)
        .where(where)
        .group_by(request.c.id, request.c.treatment_id)
        .order_by(first, request.c.id)
    )


def _voted(
    work: Work, caller: Caller, start: dt.datetime, end: dt.datetime, panel: str | None, limit: int
) -> Sequence[Row[Any]]:
    """The requests that members of the caller's own panel voted on, also where none decided."""
    vote = panel_vote.c
    where = and_(
        visible_requests(caller),
        vote.organisation == caller.organisation,
        vote.voted_at >= start,
        vote.voted_at < end,
    )
    if panel is not None:
        where = and_(where, request.c.panel == panel)
    query = _first(vote.request_id, vote.voted_at, where).limit(limit + 1)
    return work.connection.execute(query).all()


def panels_of(work: Work, caller: Caller) -> tuple[str, ...]:
    """The panels that were asked about requests that the caller may see."""
    check_can(caller, Action.READ_MINUTES)
    where: ColumnElement[bool] = and_(visible_requests(caller), request.c.panel.is_not(None))
    found = work.connection.execute(select(request.c.panel).where(where).distinct()).scalars()
    return tuple(sorted(each for each in found if each))


def _people(work: Work, requests: list[str]) -> set[str]:
    """The ids of whoever asked for these requests or decided on them."""
    asked = select(request.c.submitted_by).where(request.c.id.in_(requests))
    decided = select(decision.c.decided_by).where(
        decision.c.request_id.in_(requests), decision.c.decided_by.is_not(None)
    )
    voted = select(panel_vote.c.voted_by).where(panel_vote.c.request_id.in_(requests))
    return set(work.connection.execute(asked.union(decided, voted)).scalars())
