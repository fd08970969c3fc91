"""The SQL of treatments, requests, decisions, approvals and segments.

Reads take the caller and find only what its organisation may see. Writes take the audit event as
an argument and save both together.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import RowMapping, Select, Table, and_, bindparam, insert, select, update

from app.approvals import added
from app.approvals.doses_given import is_of_doses_only
from app.approvals.errors import NotFound, VersionMismatch, VersionNotStated
from app.approvals.lifecycle import OPEN_STATES, ApprovalState, RequestState
from app.approvals.model import (
    ApprovalRecord,
    Basis,
    DecisionRecord,
    FundingOrigin,
    OverrideRecord,
    RequestRecord,
    RevisionRecord,
    Route,
    SegmentRecord,
    TreatmentRecord,
)
from app.approvals.scope import visible_requests, visible_treatments
from app.audit import Actor, Event, record
from app.auth.model import Caller
from app.db import tables
from app.db.statements import Row, Statement
from app.db.work import Work
from app.policy import Kind

_Record = TypeVar("_Record")

BATCH = 500
_TREATMENTS = "treatments of"

_ENUMS: dict[type, dict[str, type]] = {
    RequestRecord: {"kind": Kind, "state": RequestState, "route": Route},
    ApprovalRecord: {"state": ApprovalState, "basis": Basis},
    SegmentRecord: {"funding_origin": FundingOrigin},
}


def as_record(kind: type[_Record], row: RowMapping | Row) -> _Record:
    """A frozen record from a row, with its enumerations."""
    enums = _ENUMS.get(kind, {})
    values = {name: row[name] for name in _names(kind)}  # type: ignore[arg-type]
    for name, enum in enums.items():
        values[name] = enum(values[name])
    return kind(**values)


def add(work: Work, table: Table, row: Any, actor: Actor | None, event: Event | None) -> None:
    """Insert a record and, with it, its audit event."""
    work.write(_inserted(table), columns_of(row))
    _note_added(work, row)
    if actor is not None and event is not None:
        record(work, actor, event)


@cache
def _inserted(table: Table) -> Statement:
    """One INSERT of the table, made once: building it anew costs more than sending it."""
    return Statement(insert(table))


def columns_of(row: Any) -> dict[str, Any]:
    """A record's values by column. They are only read, so they are not copied as asdict would."""
    return {name: getattr(row, name) for name in _names(type(row))}  # type: ignore[arg-type]


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def _note_added(work: Work, row: Any) -> None:
    """Let what is kept say the same as the database after a row was added."""
    added.note(work, row)
    added.note_version(work, row)
    if isinstance(row, TreatmentRecord):
        added.note_treatment(work, row.id)
        for key in _kept_lists(work, row):
            work.kept[key] = (*work.kept[key], row)


def _note_changed(work: Work, row: Any) -> None:
    """The same after a row was changed."""
    if isinstance(row, ApprovalRecord):
        added.forget_treatments(work)
    if isinstance(row, TreatmentRecord):
        for key in _kept_lists(work, row):
            work.kept[key] = tuple(row if one.id == row.id else one for one in work.kept[key])


def _kept_lists(work: Work, row: TreatmentRecord) -> list[tuple[str, ...]]:
    return [key for key in work.kept if key[0] == _TREATMENTS and row.patient_id in key[1:]]


def _one(
    work: Work, query: Select[Any], kind: type[_Record], what: str, lock: bool = False
) -> _Record:
    if lock:
        query = query.with_for_update()
    row = work.connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(what)
    return as_record(kind, row)


def _many(work: Work, query: Select[Any], kind: type[_Record]) -> tuple[_Record, ...]:
    return tuple(as_record(kind, row) for row in work.connection.execute(query).mappings())


# --- finding ------------------------------------------------------------------------------------


def find_treatment(
    work: Work, caller: Caller, treatment_id: str, lock: bool = False
) -> TreatmentRecord:
    """The treatment, if the caller may see it; NotFound otherwise."""
    query = select(tables.treatment).where(
        and_(tables.treatment.c.id == treatment_id, visible_treatments(caller))
    )
    return _one(work, query, TreatmentRecord, "treatment", lock)


def treatment_of(work: Work, treatment_id: str, lock: bool = False) -> TreatmentRecord:
    """The treatment of that id. Unscoped: callers hold a person or a request it belongs to."""
    query = select(tables.treatment).where(tables.treatment.c.id == treatment_id)
    with work.beyond_scope():
        return _one(work, query, TreatmentRecord, "treatment", lock)


def usual_commissioner(work: Work, provider: str, policy: str) -> str | None:
    """Who pays for the provider's treatments under a policy, for a new form; None: it has none."""
    treatment = tables.treatment.c
    query = (
        select(treatment.commissioner)
        .where(and_(treatment.provider == provider, treatment.policy == policy))
        .order_by(treatment.id.desc())
        .limit(1)
    )
    found: str | None = work.connection.execute(query).scalar_one_or_none()
    return found


def newest_commissioner(work: Work, provider: str) -> str | None:
    """Who pays for the provider's newest treatment, as a first guess; None: it has none."""
    treatment = tables.treatment.c
    query = (
        select(treatment.commissioner)
        .where(treatment.provider == provider)
        .order_by(treatment.id.desc())
        .limit(1)
    )
    found: str | None = work.connection.execute(query).scalar_one_or_none()
    return found


def find_request(work: Work, caller: Caller, request_id: str, lock: bool = False) -> RequestRecord:
    """The request, if the caller may see it; NotFound otherwise."""
    query = select(tables.request).where(
        and_(tables.request.c.id == request_id, visible_requests(caller))
    )
    return _one(work, query, RequestRecord, "request", lock)


def find_approval(work: Work, caller: Caller, reference: str, lock: bool = False) -> ApprovalRecord:
    """The approval of that reference, if the caller may see its treatment; NotFound otherwise."""
    query = (
        select(tables.approval)
        .join(tables.treatment, tables.treatment.c.id == tables.approval.c.treatment_id)
        .where(and_(tables.approval.c.reference == reference, visible_treatments(caller)))
    )
    if lock:
        query = query.with_for_update(of=tables.approval)
    return _one(work, query, ApprovalRecord, "approval")


def every_request(work: Work, after: str = "", to: str | None = None) -> Iterator[RequestRecord]:
    """Every request of every organisation by id: for an operator's checks, never for a caller.

    `after` and `to` keep it to a stretch of ids, the last of them included.
    """
    last = after
    query = select(tables.request).order_by(tables.request.c.id).limit(BATCH)
    if to is not None:
        query = query.where(tables.request.c.id <= to)
    while rows := _many(work, query.where(tables.request.c.id > last), RequestRecord):
        yield from rows
        last = rows[-1].id


def requests_of(work: Work, caller: Caller, treatment_id: str) -> tuple[RequestRecord, ...]:
    """The treatment's requests that the caller may see, oldest first."""
    query = (
        select(tables.request)
        .where(and_(tables.request.c.treatment_id == treatment_id, visible_requests(caller)))
        .order_by(tables.request.c.submitted_at, tables.request.c.id)
    )
    return _many(work, query, RequestRecord)


def all_requests_of(work: Work, treatment_id: str) -> tuple[RequestRecord, ...]:
    """Every request on the treatment, oldest first. Unscoped: callers have found the treatment."""
    query = (
        select(tables.request)
        .where(tables.request.c.treatment_id == treatment_id)
        .order_by(tables.request.c.submitted_at, tables.request.c.id)
    )
    return _many(work, query, RequestRecord)


def open_request(work: Work, treatment_id: str, kind: Kind) -> RequestRecord | None:
    """A request of this kind that still waits for somebody, if there is one."""
    query = select(tables.request).where(
        and_(
            tables.request.c.treatment_id == treatment_id,
            tables.request.c.kind == kind,
            tables.request.c.state.in_(sorted(OPEN_STATES)),
        )
    )
    found = _many(work, query, RequestRecord)
    return found[0] if found else None


def revisions_of(work: Work, request_id: str) -> tuple[RevisionRecord, ...]:
    query = (
        select(tables.request_revision)
        .where(tables.request_revision.c.request_id == request_id)
        .order_by(tables.request_revision.c.revision)
    )
    return _many(work, query, RevisionRecord)


def overrides_of(work: Work, request_id: str, revision: int) -> tuple[OverrideRecord, ...]:
    """What the clinician overrode with one set of answers of a request, by criterion."""
    column = tables.request_override.c
    query = (
        select(tables.request_override)
        .where(and_(column.request_id == request_id, column.revision == revision))
        .order_by(column.criterion)
    )
    return _many(work, query, OverrideRecord)


def decisions_of(work: Work, request_id: str) -> tuple[DecisionRecord, ...]:
    query = (
        select(tables.decision)
        .where(tables.decision.c.request_id == request_id)
        .order_by(tables.decision.c.number)
    )
    return _many(work, query, DecisionRecord)


def approvals_of(work: Work, treatment_id: str) -> tuple[ApprovalRecord, ...]:
    known = added.of_treatment(work, treatment_id)
    if known is not None:
        return tuple(sorted(known.approvals, key=lambda each: (each.issued_at, each.id)))
    query = (
        select(tables.approval)
        .where(tables.approval.c.treatment_id == treatment_id)
        .order_by(tables.approval.c.issued_at, tables.approval.c.id)
    )
    return _many(work, query, ApprovalRecord)


def approval_of_request(
    work: Work, request_id: str, treatment_id: str | None = None
) -> ApprovalRecord | None:
    """The approval that the request gave rise to, if any; its treatment's id spares a query.

    What pays for doses of an urgent start that was overturned is none.
    """
    known = added.of_treatment(work, treatment_id or "")
    if known is not None:
        return next((each for each in known.approvals if each.request_id == request_id), None)
    return of_request(work, request_id)[0]


def of_request(work: Work, request_id: str) -> tuple[ApprovalRecord | None, ApprovalRecord | None]:
    """The approval that the request gave rise to, and that which pays for its doses given alone."""
    query = (
        select(tables.approval)
        .where(tables.approval.c.request_id == request_id)
        .order_by(tables.approval.c.issued_at, tables.approval.c.id)
    )
    found = _many(work, query, ApprovalRecord)
    given = [each for each in found if each.state is ApprovalState.DOSES_GIVEN]
    others = [each for each in found if not is_of_doses_only(each)]
    return others[-1] if others else None, given[-1] if given else None


def segments_of(
    work: Work, treatment_id: str, superseded: bool = False
) -> tuple[SegmentRecord, ...]:
    """The treatment's segments by first day; superseded ones only when asked for."""
    known = added.of_treatment(work, treatment_id)
    if known is not None:  # none of them is superseded, or they would not be known
        return tuple(sorted(known.segments, key=lambda each: (each.from_day, each.id)))
    query = select(tables.segment).where(tables.segment.c.treatment_id == treatment_id)
    if not superseded:
        query = query.where(tables.segment.c.superseded_at.is_(None))
    return _many(
        work, query.order_by(tables.segment.c.from_day, tables.segment.c.id), SegmentRecord
    )


def treatments_for(
    work: Work, patient_ids: Iterable[str], drug: str, indication: str
) -> tuple[TreatmentRecord, ...]:
    """Every treatment of these patient records with the drug for the indication, any provider's.

    Unscoped on purpose: it answers whether a live approval exists; callers of the service never
    see more of another provider's treatment than that.
    """
    every = all_treatments_of(work, patient_ids)
    return tuple(each for each in every if (each.drug, each.indication) == (drug, indication))


def kept_treatment(work: Work, treatment_id: str) -> TreatmentRecord | None:
    """The treatment as it stands, where this transaction has kept its person's treatments."""
    lists = (found for key, found in work.kept.items() if key[0] == _TREATMENTS)
    return next((each for found in lists for each in found if each.id == treatment_id), None)


def all_treatments_of(work: Work, patient_ids: Iterable[str]) -> tuple[TreatmentRecord, ...]:
    """Every treatment of these patient records, any drug and provider; unscoped, as above.

    While the person is locked (`keeping`), nobody else adds or changes one, so it is read once.
    """
    key = (_TREATMENTS, *patient_ids)
    if key in work.kept:
        found: tuple[TreatmentRecord, ...] = work.kept[key]
        return found
    if len(key) == 2 and added.is_new_person(work, key[1]):
        work.kept[key] = ()  # one that is added joins it
        return ()
    query = select(tables.treatment).where(tables.treatment.c.patient_id.in_(key[1:]))
    with work.beyond_scope():
        found = _many(work, query.order_by(tables.treatment.c.created_at), TreatmentRecord)
    if work.keeps:
        work.kept[key] = found
    return found


# --- changing -----------------------------------------------------------------------------------


def change_request(
    work: Work, request: RequestRecord, changes: Mapping[str, Any], actor: Actor, event: Event
) -> RequestRecord:
    """Save changed columns with the event and a raised version; VersionMismatch if stale."""
    return _change(work, tables.request, RequestRecord, request, changes, actor, event)


def change_treatment(
    work: Work, treatment: TreatmentRecord, changes: Mapping[str, Any], actor: Actor, event: Event
) -> TreatmentRecord:
    """As `change_request`, for a treatment."""
    return _change(work, tables.treatment, TreatmentRecord, treatment, changes, actor, event)


def change_approval(
    work: Work, approval: ApprovalRecord, changes: Mapping[str, Any], actor: Actor, event: Event
) -> ApprovalRecord:
    """As `change_request`, for an approval."""
    return _change(work, tables.approval, ApprovalRecord, approval, changes, actor, event)


def _change(
    work: Work,
    table: Table,
    kind: type[_Record],
    before: Any,
    changes: Mapping[str, Any],
    actor: Actor,
    event: Event,
) -> _Record:
    values = {**changes, "version": before.version + 1}
    this = {**values, "this": before.id, "read": before.version}
    if added.is_own(work, before):  # so nobody else can have changed it
        work.write(_updated(table, tuple(values), asking=False), this)
        after: _Record = replace(before, **values)
        added.note_version(work, after)
    else:
        rows = work.ask(_updated(table, tuple(values)), this)
        if not rows:
            raise VersionMismatch(
                "It changed while you were at it. Read it again and repeat the step."
            )
        after = as_record(kind, rows[0])
    _note_changed(work, after)
    record(work, actor, event)
    return after


@cache
def _updated(table: Table, columns: tuple[str, ...], asking: bool = True) -> Statement:
    """One UPDATE of these columns, made once; only of the version that was read."""
    made = (
        update(table)
        .where(and_(table.c.id == bindparam("this"), table.c.version == bindparam("read")))
        .values({name: bindparam(name) for name in columns})
    )
    return Statement(made.returning(table) if asking else made)


def add_segment(work: Work, segment: SegmentRecord) -> None:
    """Insert a segment; its audit event belongs to the step that made it."""
    work.write(_inserted(tables.segment), columns_of(segment))
    if segment.supplying_providers:
        of = {
            "segment_id": segment.id,
            "treatment_id": segment.treatment_id,
            "recorded_at": segment.recorded_at,
            "superseded_at": segment.superseded_at,
        }
        rows = [{**of, "provider": each} for each in sorted(set(segment.supplying_providers))]
        work.write(_inserted(tables.supply), *rows)
    added.note(work, segment)


def supersede_segment(work: Work, segment_id: str, at: dt.datetime) -> None:
    """Take a segment out of force; the row stays."""
    work.connection.execute(
        update(tables.segment).where(tables.segment.c.id == segment_id).values(superseded_at=at)
    )
    work.connection.execute(
        update(tables.supply)
        .where(tables.supply.c.segment_id == segment_id)
        .values(superseded_at=at)
    )
    added.forget_treatments(work)


def set_live(work: Work, patient_id: str, drug: str, indication: str, treatment_id: str) -> None:
    """Mark the treatment as the live one of this patient, drug and indication.

    The primary key refuses a second one; callers look first and hold the patient's row, so a
    clash here means two transactions raced, and the later one is retried or refused.
    """
    work.write(
        _inserted(tables.live_treatment),
        {
            "patient_id": patient_id,
            "drug": drug,
            "indication": indication,
            "treatment_id": treatment_id,
        },
    )


def live_treatment_of(work: Work, patient_id: str, drug: str, indication: str) -> str | None:
    """The id of the live treatment of this patient, drug and indication, if there is one."""
    if added.is_new_person(work, patient_id):
        return None  # asked before the one approval of a submission is issued
    live = tables.live_treatment.c
    query = select(live.treatment_id).where(
        and_(live.patient_id == patient_id, live.drug == drug, live.indication == indication)
    )
    with work.beyond_scope():  # whoever holds it
        return work.connection.execute(query).scalar_one_or_none()


def clear_live(work: Work, treatment_id: str) -> None:
    """The treatment is no longer the live one."""
    live = tables.live_treatment
    with work.beyond_scope():  # a lapsed approval of another provider gives way too
        work.connection.execute(live.delete().where(live.c.treatment_id == treatment_id))


def decimal(text: str | None) -> Decimal | None:
    """A decimal from its stored text."""
    return None if text is None else Decimal(text)


def check_version(actual: int, expected: int | None) -> None:
    """Raise VersionMismatch unless the caller read the newest version.

    Asked last, once the caller may take the step on the object. Raises VersionNotStated for None.
    """
    if expected is None:
        raise VersionNotStated(
            "This changes an object that others may change too. Read it, then send the write again "
            "with If-Match set to the ETag that came with it."
        )
    if actual != expected:
        raise VersionMismatch(
            "It changed since you last read it. Read it again, check the change, and repeat."
        )
