"""The end of retention: what was asked and answered about a treatment of long ago is erased.

Only where the operator sets a period (`ASSENT_RECORDS_KEPT_YEARS`); by default nothing is. Erased
are the answers, findings and words of its requests, its drafts, and what the log and stored answers
hold of them. Who the patient is, the treatment, approvals and segments stay: evidence of payment.
So a decision whose answers are gone is shown and no longer replayed.

A person's record goes as a whole: all of their treatments are past, or none is erased. A treatment
is past when nothing of it covers, was sent, decided, recorded or challenged within the period, no
challenge of it waits, and its patient is older than the age up to which a child's record is kept.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, not_, or_, select, update

from app.approvals import patients, store
from app.approvals.erasing import ERASED, erase_answers, erase_attachments
from app.audit import Actor, Event, erase_told_of, record
from app.clock import london_midnight
from app.db import tables
from app.db.work import Work

#: A child's record is kept until the 25th birthday, or the 26th for one of 17 at its end (NHS
#: England, Records Management Code of Practice, appendix II); the later counts for everybody.
KEPT_UNTIL_AGE: Final = 26
#: People whose record is erased in one transaction.
BATCH: Final = 50
_T = tables.treatment.c


@dataclass(frozen=True, slots=True)
class Due:
    """One person whose whole record is past its period: records, and treatments with answers."""

    person: str
    treatments: tuple[str, ...]
    requests: int


def due(work: Work, years: int) -> Iterator[Due]:
    """Whose record is past on the work's day, the longest known first. Changes nothing."""
    last = years_before(work.moment.day, years)
    past = {row.id: row for row in work.connection.execute(_past(work, last))}
    done = set(work.connection.execute(select(tables.retention_end.c.treatment_id)).scalars())
    seen: set[str] = set()
    for row in past.values():
        person = row.linked_to or row.patient_id
        if person in seen:
            continue
        seen.add(person)
        same = patients.same_person(work, person)
        every = {each.id for each in store.all_treatments_of(work, same)}
        theirs = tuple(sorted(every - done))
        if theirs and set(theirs) <= set(past):
            yield Due(person, theirs, sum(past[each].requests for each in theirs))


def end_retention(work: Work, actor: Actor, years: int, most: int = BATCH) -> tuple[Due, ...]:
    """Erase the records of at most so many people; those whose records went."""
    found = tuple(each for each, _ in zip(due(work, years), range(most), strict=False))
    for each in found:
        for treatment_id in each.treatments:
            _erase(work, actor, treatment_id, years)
    return found


def is_over(work: Work, treatment_id: str) -> bool:
    """Whether a treatment's answers were erased at the end of their period."""
    c = tables.retention_end.c
    query = select(c.treatment_id).where(c.treatment_id == treatment_id)
    return work.connection.execute(query).first() is not None


def years_before(day: dt.date, years: int) -> dt.date:
    """The same day so many years before; 1 March for 29 February."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return dt.date(day.year - years, 3, 1)


# --- what is past -------------------------------------------------------------------------------


def _past(work: Work, last: dt.date) -> Select[Any]:
    """Treatments that nothing happened to on or after a day, with how many requests they have."""
    patient = tables.patient.c
    born = years_before(work.moment.day, KEPT_UNTIL_AGE)
    count = (
        select(func.count())
        .where(tables.request.c.treatment_id == _T.id)
        .correlate(tables.treatment)
        .scalar_subquery()
    )
    return (
        select(_T.id, _T.patient_id, patient.linked_to, count.label("requests"))
        .join(tables.patient, patient.id == _T.patient_id)
        .where(
            _T.created_at < london_midnight(last),
            or_(_T.stopped_on.is_(None), _T.stopped_on < last),
            patient.birth_date <= born,
            not_(exists(select(tables.retention_end).where(_ended()))),
            *(not_(exists(each.correlate(tables.treatment))) for each in _later(last)),
        )
        .order_by(_T.created_at, _T.id)
    )


def _ended() -> ColumnElement[bool]:
    return tables.retention_end.c.treatment_id == _T.id


def _later(last: dt.date) -> tuple[Select[Any], ...]:
    """What keeps a treatment: each is a query of something of it on or after the day, or open."""
    instant = london_midnight(last)
    r, d, s, a = tables.request.c, tables.decision.c, tables.segment.c, tables.approval.c
    c, line = tables.challenge.c, tables.challenge_line.c
    of_requests = select(r.id).where(r.treatment_id == _T.id).correlate(tables.treatment)
    in_force = and_(s.treatment_id == _T.id, s.superseded_at.is_(None))
    challenged = and_(
        a.treatment_id == _T.id,
        line.reference == a.reference,
        c.id == line.challenge_id,
        or_(
            c.decided_at.is_(None),
            c.decided_at >= instant,
            func.coalesce(c.credited_at, c.decided_at) >= instant,
        ),
    )
    return (
        select(r.id).where(r.treatment_id == _T.id, r.submitted_at >= instant),
        select(d.id).where(d.request_id.in_(of_requests), d.decided_at >= instant),
        select(s.id).where(in_force, or_(s.to_day.is_(None), s.to_day >= last)),
        select(s.id).where(s.treatment_id == _T.id, s.recorded_at >= instant),
        select(a.id).where(a.treatment_id == _T.id, a.issued_at >= instant),
        select(c.id).where(challenged),
    )


# --- erasing ------------------------------------------------------------------------------------


def _erase(work: Work, actor: Actor, treatment_id: str, years: int) -> None:
    r = tables.request.c
    ids = work.connection.execute(select(r.id).where(r.treatment_id == treatment_id)).scalars()
    requests = tuple(ids)
    _empty_requests(work, requests)
    _empty_drafts(work, treatment_id, requests)
    erase_attachments(work, requests)
    payloads = erase_told_of(work, {"treatment": [treatment_id], "request": requests})
    erase_answers(work, (treatment_id, *requests))
    work.connection.execute(
        insert(tables.retention_end).values(
            treatment_id=treatment_id,
            ended_at=work.moment.instant,
            kept_years=years,
            requests=len(requests),
        )
    )
    after = {"kept_years": years, "requests": len(requests), "payloads": payloads}
    event = Event("retention ended", "treatment", treatment_id, treatment_id, after=after)
    record(work, actor, event)


def _empty_requests(work: Work, requests: Sequence[str]) -> None:
    revision, override, decision = (
        tables.request_revision,
        tables.request_override,
        tables.decision,
    )
    nothing: dict[str, Any] = {"findings": [], "missing": [], "reasons": []}
    run = work.connection.execute
    run(update(revision).where(revision.c.request_id.in_(requests)).values(answers={}))
    run(update(override).where(override.c.request_id.in_(requests)).values(words=ERASED))
    run(update(decision).where(decision.c.request_id.in_(requests)).values(**nothing))
    for table, name in ((revision, "note"), (decision, "reason")):
        column = table.c[name]
        of_them = and_(table.c.request_id.in_(requests), column.is_not(None))
        run(update(table).where(of_them).values({name: ERASED}))


def _empty_drafts(work: Work, treatment_id: str, requests: Sequence[str]) -> None:
    draft = tables.draft
    of_it = or_(draft.c.treatment_id == treatment_id, draft.c.submitted_request.in_(requests))
    nothing: dict[str, Any] = {"form": {}, "answers": {}}
    work.connection.execute(update(draft).where(of_it).values(**nothing))
    waiting = and_(of_it, draft.c.submitted_request.is_(None), draft.c.discarded_at.is_(None))
    work.connection.execute(update(draft).where(waiting).values(discarded_at=work.moment.instant))
