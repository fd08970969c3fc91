"""The rows of a snapshot: a few queries, and some more for each few thousand persons in scope.

They must see one state of the database, so they run within `Database.read`.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, and_, func, select
from sqlalchemy.orm import aliased

from app.approvals.doses_given import OVERTURNED
from app.approvals.issuing import ELSEWHERE
from app.approvals.lifecycle import OPEN_STATES, RequestState
from app.db import tables
from app.db.work import Work
from app.reconciliation.scope import Scope

LocalIds = frozenset[tuple[str, str]]

IN_SCOPE = "in_scope"
#: How many persons one query names by id.
PERSONS: Final = 2_000
#: A continuation that came to this was submitted: the supply is outside the period, not overdue.
_REFUSED = frozenset({RequestState.CRITERIA_NOT_MET, RequestState.DECLINED})


@dataclass(frozen=True, slots=True)
class Identity:
    """A patient's NHS number and hospital numbers, those of linked records included."""

    nhs_number: str | None
    birth_date: dt.date
    local_ids: LocalIds
    died_on: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Treatment:
    """A treatment's row with what is known of it as a whole."""

    row: RowMapping
    identity: Identity
    paused: tuple[tuple[dt.date, dt.date | None], ...]
    continuation_submitted: bool
    refused_at: dt.datetime | None  # when the last refused continuation was submitted
    clock: dt.date  # from which phases count: the first dose, else the first covered day


def some_at_a_time(work: Work, scope: Scope) -> Iterator[Scope]:
    """The scope in parts, so that rows of few treatments are held at a time; whole where it is few.

    Treatments are named by id: see `_records_of`.
    """
    ids = sorted(
        work.connection.execute(select(tables.treatment.c.id).where(scope.treatments)).scalars()
    )
    if len(ids) <= PERSONS:
        yield scope
        return
    for first in range(0, len(ids), PERSONS):
        some = tables.treatment.c.id.in_(ids[first : first + PERSONS])
        yield replace(scope, treatments=and_(some, scope.treatments))


def read_treatments(work: Work, scope: Scope) -> dict[str, Treatment]:
    """The treatments in scope, by id."""
    identities = _identities(work, scope.treatments)
    pauses = read_pauses(work, scope)
    waiting = _continuations(work, scope.treatments, OPEN_STATES)
    refused = _continuations(work, scope.treatments, _REFUSED)
    begun = _begun(work, scope.treatments)
    rows = work.connection.execute(select(tables.treatment).where(scope.treatments)).mappings()
    return {
        row["id"]: Treatment(
            row,
            identities[row["patient_id"]],
            tuple(pauses.get(row["id"], ())),
            row["id"] in waiting,
            refused.get(row["id"]),
            row["first_dose"] or begun.get(row["id"], dt.date.max),
        )
        for row in rows
    }


def _identities(work: Work, visible: ColumnElement[bool]) -> dict[str, Identity]:
    """Each patient with a visible treatment, and the hospital numbers of the whole person."""
    own, canonical, other = tables.patient, aliased(tables.patient), aliased(tables.patient)
    person = func.coalesce(own.c.linked_to, own.c.id)
    query = select(
        own.c.id,
        person.label("person"),
        own.c.nhs_number,
        own.c.birth_date,
        canonical.c.nhs_number.label("canonical_number"),
    ).outerjoin_from(own, canonical, canonical.c.id == own.c.linked_to)
    # Named by id, never by a subquery: see `_records_of`.
    treated = select(tables.treatment.c.patient_id).where(visible).distinct()
    ids = sorted(work.connection.execute(treated).scalars())
    people: list[RowMapping] = []
    for first in range(0, len(ids), PERSONS):
        some = own.c.id.in_(ids[first : first + PERSONS])
        people += work.connection.execute(query.where(some)).mappings()
    persons = sorted({row["person"] for row in people})
    identifier = tables.patient_identifier.c
    local: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for same, is_same in _records_of(other, persons):
        for found, organisation, local_id in work.connection.execute(
            select(same, identifier.organisation, identifier.local_id)
            .join_from(tables.patient_identifier, other, other.c.id == identifier.patient_id)
            .where(is_same)
        ):
            local[found].add((organisation, local_id))
    deaths = _deaths(work, persons)
    return {
        row["id"]: Identity(
            row["nhs_number"] or row["canonical_number"],
            row["birth_date"],
            frozenset(local.get(row["person"], ())),
            deaths.get(row["person"]),
        )
        for row in people
    }


def _deaths(work: Work, persons: Sequence[str]) -> dict[str, dt.date]:
    """Person → the day of their death, where one is on record and was not taken back."""
    patient, death = aliased(tables.patient), tables.patient_death.c
    first: dict[str, dt.date] = {}
    for person, is_same in _records_of(patient, persons):
        rows = work.connection.execute(
            select(person, func.min(death.died_on, type_=death.died_on.type))
            .join_from(tables.patient_death, patient, patient.c.id == death.patient_id)
            .where(death.taken_back_at.is_(None), is_same)
            .group_by(person)
        )
        for found, died_on in rows:
            first[found] = min(died_on, first.get(found, died_on))
    return first


def _records_of(
    record: Any, persons: Sequence[str]
) -> Iterator[tuple[ColumnElement[str], ColumnElement[bool]]]:
    """The two ways in which a record is one of these persons': whose it is, and the condition.

    It stands for itself, or it is linked to the one that does. Asked as one condition, or of the
    persons by a subquery, PostgreSQL looks at every patient, with what row-level security asks.
    """
    c = record.c
    for first in range(0, len(persons), PERSONS):
        some = persons[first : first + PERSONS]
        yield c.id, and_(c.linked_to.is_(None), c.id.in_(some))
        yield c.linked_to, c.linked_to.in_(some)


def read_pauses(work: Work, scope: Scope) -> Mapping[str, list[tuple[dt.date, dt.date | None]]]:
    """Treatment in scope → its pauses that may be shown, first and last day."""
    segment = tables.segment.c
    rows = work.connection.execute(
        select(segment.treatment_id, segment.from_day, segment.to_day)
        .join(tables.treatment, tables.treatment.c.id == segment.treatment_id)
        .where(
            and_(
                scope.treatments,
                scope.segments,
                segment.kind == "pause",
                segment.superseded_at.is_(None),
            )
        )
        .order_by(segment.from_day, segment.id)
    )
    found: dict[str, list[tuple[dt.date, dt.date | None]]] = defaultdict(list)
    for treatment_id, from_day, to_day in rows:
        found[treatment_id].append((from_day, to_day))
    return found


def _continuations(
    work: Work, visible: ColumnElement[bool], states: frozenset[RequestState]
) -> dict[str, dt.datetime]:
    """Treatment → when its last continuation in one of these states was submitted."""
    request = tables.request.c
    rows = work.connection.execute(
        select(
            request.treatment_id, func.max(request.submitted_at, type_=request.submitted_at.type)
        )
        .join(tables.treatment, tables.treatment.c.id == request.treatment_id)
        .where(and_(visible, request.kind == "continuation", request.state.in_(sorted(states))))
        .group_by(request.treatment_id)
    )
    return {treatment_id: submitted_at for treatment_id, submitted_at in rows}


def _begun(work: Work, visible: ColumnElement[bool]) -> dict[str, dt.date]:
    """Treatment → the first day that any approval of it covered."""
    approval = tables.approval.c
    rows = work.connection.execute(
        select(approval.treatment_id, func.min(approval.covers_from))
        .join(tables.treatment, tables.treatment.c.id == approval.treatment_id)
        .where(visible)
        .group_by(approval.treatment_id)
    )
    return {treatment_id: covers_from for treatment_id, covers_from in rows}


def read_approvals(work: Work, scope: Scope) -> dict[str, RowMapping]:
    """The approvals of the treatments in scope by id, `in_scope` telling which may be shown."""
    submitted = tables.request.c.submitted_at.label("submitted_at")
    details = tables.request.c.details.label("details")
    rows = work.connection.execute(
        select(tables.approval, submitted, details, scope.approvals.label(IN_SCOPE))
        .join(tables.treatment, tables.treatment.c.id == tables.approval.c.treatment_id)
        .outerjoin(tables.request, tables.request.c.id == tables.approval.c.request_id)
        .where(scope.treatments)
    ).mappings()
    return {row["id"]: row for row in rows}


def read_segments(work: Work, scope: Scope) -> dict[str, list[RowMapping]]:
    """Coverage segments in force by treatment, `in_scope` telling which may be shown."""
    segment = tables.segment.c
    rows = work.connection.execute(
        select(tables.segment, scope.segments.label(IN_SCOPE))
        .join(tables.treatment, tables.treatment.c.id == segment.treatment_id)
        .where(
            and_(
                scope.treatments,
                segment.kind.in_(("coverage", ELSEWHERE)),
                segment.approval_id.is_not(None),
                segment.superseded_at.is_(None),
            )
        )
        .order_by(segment.from_day, segment.id)
    ).mappings()
    found: dict[str, list[RowMapping]] = defaultdict(list)
    for row in rows:
        found[row["treatment_id"]].append(row)
    return found


def read_open_requests(work: Work, scope: Scope) -> list[RowMapping]:
    """The requests in scope that wait for somebody."""
    request = tables.request
    rows = work.connection.execute(
        select(
            request.c.id,
            request.c.treatment_id,
            request.c.provider,
            request.c.counterparty,
            request.c.submitted_at,
            request.c.kind,
            request.c.state,
        )
        .join(tables.treatment, tables.treatment.c.id == request.c.treatment_id)
        .where(and_(scope.treatments, scope.requests, request.c.state.in_(sorted(OPEN_STATES))))
    ).mappings()
    return list(rows)


def read_overturned(work: Work, scope: Scope) -> list[RowMapping]:
    """The declined requests in scope whose urgent start was overturned, with nothing paid for it.

    Of each the last ruling. Decisions are asked for by the ids of their requests.
    """
    request, decision = tables.request.c, tables.decision.c
    declined = work.connection.execute(
        select(request.id)
        .join(tables.treatment, tables.treatment.c.id == request.treatment_id)
        .where(and_(scope.treatments, scope.requests, request.state == RequestState.DECLINED))
    )
    ids = sorted(declined.scalars())
    last: dict[str, RowMapping] = {}
    for first in range(0, len(ids), PERSONS):
        rows = work.connection.execute(
            select(
                request.id,
                request.treatment_id,
                request.provider,
                request.commissioner,
                request.panel,
                decision.doses_given,
            )
            .join(tables.decision, decision.request_id == request.id)
            .where(request.id.in_(ids[first : first + PERSONS]), decision.outcome == OVERTURNED)
            .order_by(decision.number)
        ).mappings()
        last |= {row["id"]: row for row in rows}
    return [row for row in last.values() if not row["doses_given"]["paid"]]
