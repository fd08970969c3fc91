"""The end of retention: what is known of a person of long ago is erased, and who it was.

Only where the operator sets a period (`ASSENT_RECORDS_KEPT_YEARS`); by default nothing is. Erased
are the answers, findings and words of their requests, their drafts, what the log and stored answers
hold of them, and the identity: numbers, birth date, sex, day of death, what other registers know
them by. Treatments, approvals, segments and outcomes stay, with no person behind them: evidence of
payment. A decision whose answers are gone is shown and no longer replayed, and nothing more is
recorded of the person: whoever treats them again begins with a first request.

A person's record goes as a whole: all of their treatments are past, or none is erased. A treatment
is past when nothing of it covers, was sent, decided, recorded or challenged within the period, no
challenge of it waits, and its patient is older than the age up to which a child's record is kept;
and nobody recorded anything of the person within it, or has a form or an import that names them.
What invoiced lines say of them goes with the files of these: `app.reconciliation.ending`.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from app.approvals import patients, store
from app.approvals.erasing import ERASED, Typed, erase_patient, known_as, typed_since
from app.approvals.model import RECORD_ENDED
from app.audit import Actor, Event, record
from app.clock import london_midnight
from app.db import tables
from app.db.work import Work

#: A child's record is kept until the 25th birthday, or the 26th for one of 17 at its end (NHS
#: England, Records Management Code of Practice, appendix II); the later counts for everybody.
KEPT_UNTIL_AGE: Final = 26
#: In the place of the birth date of a record whose retention is over: everybody's is the same.
NO_BIRTH_DATE: Final = dt.date(1900, 1, 1)
NOT_KNOWN: Final = "not known"
THE_END: Final = "The end of retention."
#: What a request's details say of the supply, and not of the patient.
_SUPPLIED: Final = frozenset(
    {"product", "route_of_administration", "supplying_providers", "funding_origin", "from_day"}
    | {"to_day", "to_provider", "stop_reason", "emergency", "paper", "product_reason", "dose"}
    | {"dose_ground", "switching_from", "started_under", "started_on"}
)
_T = tables.treatment.c


@dataclass(frozen=True, slots=True)
class Due:
    """One person whose whole record is past its period: the person's record, and treatments."""

    person: str
    treatments: tuple[str, ...]
    requests: int


def due(work: Work, years: int) -> Iterator[Due]:
    """Whose record is past on the work's day, the longest known first. Changes nothing."""
    last = years_before(work.moment.day, years)
    past = {row.id: row for row in work.connection.execute(_past(work, last))}
    typed = typed_since(work, london_midnight(last)) if past else Typed((), ())
    seen: set[str] = set()
    for row in past.values():
        person = row.linked_to or row.patient_id
        if person in seen:
            continue
        seen.add(person)
        same = patients.same_person(work, person)
        theirs = tuple(sorted(each.id for each in store.all_treatments_of(work, same)))
        if set(theirs) <= set(past) and not _lately(work, same, london_midnight(last), typed):
            yield Due(person, theirs, sum(past[each].requests for each in theirs))


def end_person(work: Work, actor: Actor, ended: Due, years: int) -> None:
    """Erase one person's record, and who they were; in one transaction, so all of it or nothing."""
    erase_patient(work, actor, ended.person, THE_END)
    for treatment_id in ended.treatments:
        _erase(work, actor, treatment_id, years)
    _end_identity(work, patients.same_person(work, ended.person))


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
            patient.no_nhs_number_reason.is_distinct_from(RECORD_ENDED),
            *(not_(exists(each.correlate(tables.treatment))) for each in _later(last)),
        )
        .order_by(_T.created_at, _T.id)
    )


#: When something was last recorded of a person beside their treatments.
_RECORDED: Final = (
    (tables.patient, "id", "created_at"),
    (tables.patient_identifier, "patient_id", "recorded_at"),
    (tables.patient_link, "patient_id", "linked_at"),
    (tables.patient_link, "patient_id", "unlinked_at"),
    (tables.patient_link, "linked_to", "linked_at"),
    (tables.patient_link, "linked_to", "unlinked_at"),
    (tables.care_declaration, "patient_id", "declared_at"),
    (tables.break_glass, "patient_id", "opened_at"),
    (tables.patient_objection, "patient_id", "recorded_at"),
    (tables.patient_objection, "patient_id", "withdrawn_at"),
    (tables.patient_death, "patient_id", "recorded_at"),
    (tables.patient_death, "patient_id", "taken_back_at"),
)


def _lately(work: Work, same: Sequence[str], instant: dt.datetime, typed: Typed) -> bool:
    """Whether anything was recorded of the person since, or a form that names them waits."""
    for table, whose, when in _RECORDED:
        since = and_(table.c[whose].in_(same), table.c[when] >= instant)
        if work.connection.execute(select(table.c[whose]).where(since)).first() is not None:
            return True
    return typed.names(known_as(work, same[0]))


def _later(last: dt.date) -> tuple[Select[Any], ...]:
    """What keeps a treatment: each is a query of something of it on or after the day, or open."""
    instant = london_midnight(last)
    r, d, s, a = tables.request.c, tables.decision.c, tables.segment.c, tables.approval.c
    c, line, v = tables.challenge.c, tables.challenge_line.c, tables.panel_vote.c
    of_requests = select(r.id).where(r.treatment_id == _T.id).correlate(tables.treatment)
    in_force = and_(s.treatment_id == _T.id, s.superseded_at.is_(None))
    # A pause covers nothing: one that nobody ended, or that a stop came after, keeps nothing.
    covers_on = and_(
        s.kind == "coverage", s.to_day.is_(None), not_(died_before(last, s.treatment_id))
    )
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
        select(v.id).where(v.request_id.in_(of_requests), v.voted_at >= instant),
        select(s.id).where(in_force, or_(s.to_day >= last, covers_on)),
        select(s.id).where(s.treatment_id == _T.id, s.recorded_at >= instant),
        select(a.id).where(a.treatment_id == _T.id, a.issued_at >= instant),
        select(c.id).where(challenged),
    )


def died_before(day: dt.date, treatment_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a treatment's patient died before a day: an approval without a last day, which
    nobody stopped, covers nothing since then."""
    death, treated = tables.patient_death.c, tables.treatment.alias()
    told, own = tables.patient.alias(), tables.patient.alias()
    same = func.coalesce(told.c.linked_to, told.c.id) == func.coalesce(own.c.linked_to, own.c.id)
    return treatment_id.in_(
        select(treated.c.id)
        .join(own, own.c.id == treated.c.patient_id)
        .join(told, same)
        .join(tables.patient_death, death.patient_id == told.c.id)
        .where(death.taken_back_at.is_(None), death.died_on < day)
    )


# --- erasing ------------------------------------------------------------------------------------


def _erase(work: Work, actor: Actor, treatment_id: str, years: int) -> None:
    r = tables.request.c
    rows = work.connection.execute(select(r.id, r.details).where(r.treatment_id == treatment_id))
    details = {row.id: row.details for row in rows}
    _empty_requests(work, details)
    _empty_drafts(work, treatment_id, tuple(details))
    _empty_terms(work, treatment_id)
    if is_over(work, treatment_id):  # a release before kept who it was
        return
    work.connection.execute(
        insert(tables.retention_end).values(
            treatment_id=treatment_id,
            ended_at=work.moment.instant,
            kept_years=years,
            requests=len(details),
        )
    )
    after = {"kept_years": years, "requests": len(details)}
    event = Event("retention ended", "treatment", treatment_id, treatment_id, after=after)
    record(work, actor, event)


def _empty_requests(work: Work, details: Mapping[str, Mapping[str, Any]]) -> None:
    revision, override, decision, vote = (
        tables.request_revision,
        tables.request_override,
        tables.decision,
        tables.panel_vote,
    )
    requests = tuple(details)
    nothing: dict[str, Any] = {"findings": [], "missing": [], "reasons": []}
    run = work.connection.execute
    run(update(override).where(override.c.request_id.in_(requests)).values(words=ERASED))
    run(update(decision).where(decision.c.request_id.in_(requests)).values(**nothing))
    run(update(vote).where(vote.c.request_id.in_(requests)).values(reason=ERASED))
    for table, name in ((revision, "note"), (decision, "reason")):
        column = table.c[name]
        of_them = and_(table.c.request_id.in_(requests), column.is_not(None))
        run(update(table).where(of_them).values({name: ERASED}))
    for id_, said in details.items():
        request = tables.request
        run(update(request).where(request.c.id == id_).values(details=_nobodys(said)))
    key = (revision.c.request_id, revision.c.revision)
    rows = run(select(*key, revision.c.context).where(revision.c.request_id.in_(requests))).all()
    for id_, number, context in rows:
        own = and_(revision.c.request_id == id_, revision.c.revision == number)
        emptied = {"answers": {}, "context": context | {"birth_date": None, "sex": NOT_KNOWN}}
        run(update(revision).where(own).values(**emptied))


def _nobodys(details: Mapping[str, Any]) -> dict[str, Any]:
    """What a request asked for, without what tells of whom: words, and numbers kept elsewhere."""
    kept = {name: value for name, value in details.items() if name in _SUPPLIED}
    if "note" in details:
        kept["note"] = ERASED
    if "paper" in kept:
        kept["paper"] = {n: v for n, v in kept["paper"].items() if n != "reference"}
    return kept


def _empty_terms(work: Work, treatment_id: str) -> None:
    """A commissioner's own funding is known by the number of a case that names the patient."""
    approval = tables.approval
    own = select(approval.c.id, approval.c.terms).where(approval.c.treatment_id == treatment_id)
    for id_, terms in work.connection.execute(own).all():
        if "case_reference" in terms:
            free = terms | {"case_reference": None, "terms": ERASED}
            work.connection.execute(update(approval).where(approval.c.id == id_).values(terms=free))


def _empty_drafts(work: Work, treatment_id: str, requests: Sequence[str]) -> None:
    draft = tables.draft
    begun = tables.begun_answers
    work.connection.execute(delete(begun).where(begun.c.request_id.in_(requests)))
    of_it = or_(draft.c.treatment_id == treatment_id, draft.c.submitted_request.in_(requests))
    nothing: dict[str, Any] = {"form": {}, "answers": {}}
    work.connection.execute(update(draft).where(of_it).values(**nothing))
    waiting = and_(of_it, draft.c.submitted_request.is_(None), draft.c.discarded_at.is_(None))
    work.connection.execute(update(draft).where(waiting).values(discarded_at=work.moment.instant))


def _end_identity(work: Work, records: Sequence[str]) -> None:
    """Take what tells of whom: the record's own row, its hospital numbers and its day of death."""
    patient, run = tables.patient, work.connection.execute
    # As `pseudonym_index` keeps it: nothing leads to the record any longer.
    kept = (tables.patient_identifier, tables.patient_death, tables.patient_pseudonym)
    for table in kept:
        run(delete(table).where(table.c.patient_id.in_(records)))
    run(
        update(patient)
        .where(patient.c.id.in_(records))
        .values(
            nhs_number=None,
            no_nhs_number_reason=RECORD_ENDED,
            birth_date=NO_BIRTH_DATE,
            sex=NOT_KNOWN,
        )
    )
