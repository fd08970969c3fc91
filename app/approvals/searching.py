"""Searching treatments within what the caller may see, and learning that an approval exists."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, insert, or_, select, union

from app.approvals import identifiers, issuing, patients, store
from app.approvals.deaths import has_died
from app.approvals.errors import DetailsNotAccepted
from app.approvals.guessing import may_name, not_known
from app.approvals.lifecycle import ApprovalState
from app.approvals.model import PatientRecord, TreatmentRecord
from app.approvals.objecting import objects
from app.approvals.permissions import PAYER_ROLES, PROVIDER_ROLES, Action, check_can
from app.approvals.scope import Way, visible_treatments, ways_to_requests, ways_to_see
from app.approvals.views import sees_part, treatment_view
from app.audit import Event, Reading, record, record_reading
from app.auth.guesses import DEFAULT_LIMITS, GuessLimits
from app.auth.model import Caller, Role
from app.db import tables
from app.db.statements import Statement
from app.db.work import Work
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number

LARGEST_PAGE = 200
_DECLARE = Statement(insert(tables.care_declaration), by_json=True)


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to look for; every part given must fit."""

    nhs_number: str | None = None
    local_id: str | None = None
    drug: str | None = None
    policy: str | None = None
    provider: str | None = None
    request_state: str | None = None
    approval_state: str | None = None
    review_due_by: dt.date | None = None
    after: str | None = None  # the id of the last treatment of the page before
    limit: int = 50
    reason: str | None = None  # why a payer searches by identifiers


@dataclass(frozen=True, slots=True)
class SearchHit:
    treatment: TreatmentRecord
    covered_to: dt.date | None
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchPage:
    hits: tuple[SearchHit, ...]
    next: str | None


def search(work: Work, caller: Caller, query: SearchQuery) -> SearchPage:
    """One page of treatments that fit, in the order of their ids. The search is audited.

    By a patient's identifiers the care team searches, and whoever validates invoices and says why.
    """
    check_can(caller, Action.READ)
    if not 1 <= query.limit <= LARGEST_PAGE:
        raise DetailsNotAccepted("limit", f"Ask for 1 to {LARGEST_PAGE} treatments a page.")
    if (query.nhs_number or query.local_id) and caller.role not in PROVIDER_ROLES:
        identifiers.record_search(work, caller, query.reason)
    found = work.connection.execute(page_query(caller, query)).mappings().all()
    hits = tuple(
        _hit(work, caller, store.as_record(TreatmentRecord, row)) for row in found[: query.limit]
    )
    _log(work, caller, hits)
    return SearchPage(hits, hits[-1].treatment.id if len(found) > query.limit else None)


def page_query(caller: Caller, query: SearchQuery) -> Select[Any]:
    """The treatments of a page and one more, by id. Raises DetailsNotAccepted.

    The first of all that fit are among the first of each way to see them, and each way is one walk
    along an index: an OR of them would walk along everybody's treatments.
    """
    treatment, size = tables.treatment, query.limit + 1
    conditions = _conditions(caller, query)
    ways = ways_to_see(caller)
    if query.request_state is not None:  # few are in most states: walk along these requests
        ways = _ways_by_request(caller, query.request_state)
        conditions.append(visible_treatments(caller))
    first = [_first_ids(way, conditions, query.after, size).subquery() for way in ways]
    if not first:
        return select(treatment).where(false())
    ids = union(*(select(part.c.id) for part in first)).subquery()
    return (
        select(treatment)
        .join(ids, ids.c.id == treatment.c.id)
        .where(visible_treatments(caller))
        .order_by(treatment.c.id)
        .limit(size)
    )


def _ways_by_request(caller: Caller, state: str) -> list[Way]:
    """The ways to a treatment over the requests in a state that the caller may see."""
    request = tables.request.c
    return [
        (request.treatment_id, and_(request.state == state, way))
        for way in ways_to_requests(caller)
    ]


def _first_ids(
    way: Way, conditions: list[ColumnElement[bool]], after: str | None, size: int
) -> Select[Any]:
    """The first ids, behind `after`, that one way leads to and that fit the conditions."""
    column, reached = way
    id_ = tables.treatment.c.id
    behind = [] if after is None else [column > after]
    found = select(id_).where(*conditions).order_by(id_).limit(size)
    if column is id_:
        return found.where(reached, *behind)
    led = select(column.label("id")).where(reached, *behind).distinct().order_by(column).subquery()
    return found.join(led, led.c.id == id_)


def _conditions(caller: Caller, query: SearchQuery) -> list[ColumnElement[bool]]:
    treatment, patient = tables.treatment.c, tables.patient.c
    conditions: list[ColumnElement[bool]] = []
    if query.nhs_number is not None:
        try:
            number = parse_nhs_number(query.nhs_number)
        except InvalidNhsNumber as error:
            raise DetailsNotAccepted("nhs_number", str(error)) from None
        numbered = select(patient.id).where(patient.nhs_number == number).scalar_subquery()
        linked = select(patient.id).where(
            or_(patient.nhs_number == number, patient.linked_to == numbered)
        )
        conditions.append(treatment.patient_id.in_(linked))
    if query.local_id is not None:
        identifier = tables.patient_identifier.c
        conditions.append(
            treatment.patient_id.in_(
                select(identifier.patient_id).where(
                    and_(
                        identifier.organisation == caller.organisation,
                        identifier.local_id == query.local_id,
                    )
                )
            )
        )
    if caller.role in PROVIDER_ROLES or caller.role is Role.AUDITOR:
        # Whoever does not treat the patient now does not find one who objects to being shown.
        own = treatment.provider == caller.organisation
        conditions.append(or_(own, ~objects(treatment.patient_id)))
    elif query.nhs_number is not None or query.local_id is not None:
        conditions.append(~objects(treatment.patient_id))
    for name in ("drug", "policy", "provider"):
        value = getattr(query, name)
        if value is not None:
            conditions.append(treatment[name] == value)
    return conditions + _state_conditions(query)


def _state_conditions(query: SearchQuery) -> list[ColumnElement[bool]]:
    treatment, approval = tables.treatment.c, tables.approval.c
    conditions: list[ColumnElement[bool]] = []
    of_treatment = approval.treatment_id == treatment.id
    if query.approval_state is not None:
        conditions.append(
            exists(
                select(approval.id).where(
                    and_(of_treatment, approval.state == query.approval_state)
                )
            )
        )
    if query.review_due_by is not None:
        last = (
            select(func.max(approval.covers_to))
            .where(and_(of_treatment, approval.state == ApprovalState.LIVE))
            .scalar_subquery()
        )
        conditions.append(and_(last <= query.review_due_by, treatment.stopped_on.is_(None)))
        conditions.append(~has_died(treatment.patient_id))
    return conditions


def _hit(work: Work, caller: Caller, treatment: TreatmentRecord) -> SearchHit:
    view = treatment_view(work, caller, treatment.id)
    found, to_day = issuing.covered_to(work, treatment.id)
    ends = [s.to_day for s in view.segments if s.kind == "coverage"]
    last = None if None in ends else max((day for day in ends if day is not None), default=None)
    if sees_part(work, caller, treatment):
        to_day = max((day for day in ends if day is not None), default=None)
    elif found and last is not None and _is_payer(caller, treatment):
        to_day = min(last, to_day or last)  # later days are another's to pay
    return SearchHit(view.treatment, to_day, tuple(a.reference for a in view.approvals))


def _is_payer(caller: Caller, treatment: TreatmentRecord) -> bool:
    is_auditor = caller.role is Role.AUDITOR and caller.organisation != treatment.provider
    return caller.role in PAYER_ROLES or is_auditor


def _log(work: Work, caller: Caller, hits: Sequence[SearchHit] = ()) -> None:
    treatments = [hit.treatment.id for hit in hits]
    names = {"hits": len(hits), "treatments": treatments}
    record_reading(work, caller.actor(), Reading("searched", names=names))


@dataclass(frozen=True, slots=True)
class Existence:
    """All that another provider learns of an approval: that it exists, and what to do."""

    exists: bool
    own: bool
    advice: str


def approval_exists(
    work: Work,
    caller: Caller,
    nhs_number: str,
    birth_date: dt.date,
    drug: str,
    indication: str,
    care_reason: str,
    guesses: GuessLimits = DEFAULT_LIMITS,
) -> Existence:
    """Whether a live approval exists, for a caller who declares a care relationship.

    The declaration and the look-up are audited. A birth date that does not fit the NHS number
    learns no more than that nothing was found.
    """
    check_can(caller, Action.DECLARE_CARE)
    who = (nhs_number, birth_date)
    held = declared_treatments(work, caller, who, drug, indication, care_reason, guesses)
    for treatment in held:
        if issuing.is_live(work, treatment, work.moment.day):
            if treatment.provider == caller.organisation:
                return Existence(True, True, "Your organisation holds it. Search for it.")
            return Existence(
                True, False, "Another provider holds it. Ask it to transfer the treatment to you."
            )
    return Existence(False, False, "No live approval is known. Send an initiation.")


def declared_treatments(
    work: Work,
    caller: Caller,
    who: tuple[str, dt.date],
    drug: str,
    indication: str,
    care_reason: str,
    guesses: GuessLimits = DEFAULT_LIMITS,
) -> tuple[TreatmentRecord, ...]:
    """Any provider's treatments of a patient, for whom the caller declares to care.

    `who` is an NHS number and a birth date that must fit it; otherwise nothing is found. Callers
    see no more of another provider's treatment than the rule that asks tells them. Raises
    TooManyGuesses for one who named too many patients who are not known.
    """
    bucket = may_name(work, caller, guesses)
    person = patients.known_by(work, *who)  # across providers: that an approval exists is told
    if person is None:
        _log(work, caller)
        not_known(work, caller, guesses, bucket)
        return ()
    declare_care(work, caller, [person], care_reason)
    same = patients.same_person(work, person.canonical_id)
    return store.treatments_for(work, same, drug, indication)


def declare_care(work: Work, caller: Caller, people: Sequence[PatientRecord], reason: str) -> None:
    """Keep that the caller's organisation cares for patients, and why it says so. Audited."""
    declared = [
        {
            "id": work.new_id(),
            "patient_id": person.id,
            "organisation": caller.organisation,
            "declared_by": caller.id,
            "declared_at": work.moment.instant,
            "reason": reason,
        }
        for person in people
    ]
    if declared:
        work.write(_DECLARE, *declared)
    for person in people:
        event = Event(
            action="care relationship declared",
            object_type="patient",
            object_id=person.id,
            patient_id=person.id,
            after={"reason": reason},
        )
        record(work, caller.actor(), event)
