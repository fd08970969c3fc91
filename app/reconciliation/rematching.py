"""Finding the slices that changes of approvals make out of date, and queueing them to be rematched.

The changes are read from the audit log, in which each is written in its own transaction, by a
cursor that skips none. A page of them is marked, queued and left behind in one transaction, so a
worker that dies on the way does it over and leaves nothing twice.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, or_, select

from app.audit import TrailEntry, changes_after, parse_cursor
from app.auth.model import Caller, Role
from app.db import jobs, tables
from app.db.work import Work
from app.reconciliation import service, stale_store, standing_store, store
from app.reconciliation.policy_changes import of_policies
from app.reconciliation.scope import scope_of
from app.reconciliation.standing_store import Mark
from app.reconciliation.touches import of_local_id, of_number, of_reference, of_treatment

#: By whom the jobs are queued that no call asked for.
OWN: Final = "rematch"
CURSOR: Final = "slices out of date"
#: What a mark says of a slice that was reconciled before runs came to stand.
OF_BEFORE: Final = "reconciled by an earlier release"
#: Events that are read at a time.
PAGE: Final = 500
#: A submission of more lines is matched again at most once in REST, however much changes.
LARGE: Final = 200_000
REST: Final = dt.timedelta(days=1)
#: How long a change waits after the first, second … job that failed to match it.
WAITS: Final = tuple(dt.timedelta(minutes=each) for each in (10, 60, 360))
#: After so many jobs that failed, people must look.
MOST_TRIES: Final = len(WAITS) + 1
#: Objects whose events may change what lines are matched to.
_OF_TREATMENTS: Final = frozenset({"approval", "treatment", "request"})
#: Objects that are an organisation's own, and may touch every line of its slices.
_OF_ORGANISATION: Final = frozenset({"terms", "drug name"})
_TOLD_FIRST: Final = ("approval", "treatment", "request", "patient")


@dataclass(frozen=True, slots=True)
class Person:
    """What a treatment's lines may be found by, as digests, and what made them look again."""

    event: TrailEntry
    treatment_id: str
    keys: frozenset[str]


def mark_changes(work: Work) -> tuple[int, bool]:
    """Mark what the next page of changes touches, and queue it.

    Returns how many marks are new, and whether more changes wait. Runs beyond every scope: each
    organisation is shown no more than that slices of its own are out of date.
    """
    cursors = standing_store.cursors(work)
    start = min(cursors.values(), key=parse_cursor, default=None)
    page, position = changes_after(work, start, PAGE)
    since = _since(work)
    events = [event for event in page if since is not None and event.at >= since]
    marks = (*_of_treatments(work, events), *_of_terms(work, events), *of_policies(work, events))
    new = standing_store.add_marks(work, marks) + standing_store.add_marks(work, _of_before(work))
    if cursors != {CURSOR: position}:
        standing_store.replace_cursors(work, cursors, CURSOR, position)
    queue_rematches(work)
    return new, len(page) == PAGE


def queue_rematches(work: Work) -> tuple[str, ...]:
    """Queue each submission with marks that no job has taken up, or failed at; returns the jobs."""
    queued = []
    for organisation, submission in stale_store.submissions_to_match(work, WAITS):
        caller = _caller(work, organisation, submission)
        if caller is not None and not _rests(work, organisation, submission):
            job = jobs.enqueue(
                work,
                service.JOB,
                organisation=organisation,
                created_by=caller.id,
                payload={"submission": submission, "caller": service.caller_payload(caller)},
            )
            stale_store.taken_up(work, organisation, submission, job)
            queued.append(job)
    return tuple(queued)


def give_up(work: Work) -> tuple[tuple[str, str, str], ...]:
    """Give up what MOST_TRIES jobs failed at: organisation, submission and last job of each, once.

    It stays out of date, and is told so, until somebody reconciles the submission or it changes
    again.
    """
    return stale_store.give_up(work, MOST_TRIES)


def _rests(work: Work, organisation: str, submission: str) -> bool:
    """Whether a large submission was matched a short while ago: its marks wait meanwhile."""
    if store.find_submission(work, organisation, submission).lines <= LARGE:
        return False
    last = standing_store.last_standing(work, organisation, submission)
    return last is not None and last.stood_at > work.moment.instant - REST


def mark_decision(
    work: Work, organisation: str, submission_id: str, action: str, line_key: str, job_id: str
) -> None:
    """Mark a submission's slices for a decision by hand, which has queued its job itself."""
    standing_store.add_marks(
        work,
        [
            Mark(
                id=work.new_id(),
                organisation=organisation,
                version_id=version,
                submission_id=submission_id,
                event_id=None,
                action=action,
                changed_at=work.moment.instant,
                treatment_id=None,
                line_key=line_key,
                marked_at=work.moment.instant,
                job_id=job_id,
                tries=1,
            )
            for version, _ in standing_store.current_versions(work, organisation, submission_id)
        ],
    )


def _since(work: Work) -> dt.datetime | None:
    """From when on changes count: every run that stands has seen what is a day older than it."""
    first = work.connection.execute(
        select(func.min(tables.run_standing.c.stood_at, type_=tables.run_standing.c.stood_at.type))
    ).scalar()
    return None if first is None else first - dt.timedelta(days=1)


def _caller(work: Work, organisation: str, submission: str) -> Caller | None:
    """In whose name a submission is matched again: the organisation's, in the role of its last."""
    standing = standing_store.last_standing(work, organisation, submission)
    role = stale_store.role_of_last_run(work, submission) if standing is None else standing.role
    if role is None:
        return None
    return Caller(
        id=OWN,
        name="Matched again after a change",
        kind="system",
        organisation=organisation,
        role=Role(role),
        client="assent worker",
        correlation_id="rematch",
    )


# --- what changes touch ---------------------------------------------------------------------------


def _of_treatments(work: Work, events: Sequence[TrailEntry]) -> Iterable[Mark]:
    people = _people(work, _newest(work, events))
    by_key: dict[str, list[Person]] = defaultdict(list)
    for person in people:
        for key in person.keys:
            by_key[key].append(person)
    if not people:
        return
    seen: set[tuple[str, str]] = set()
    by_submission: dict[tuple[str, str], dict[str, list[tuple[str, Person]]]] = {}
    for key, version, submission, organisation in standing_store.versions_touched(work, by_key):
        touched = by_submission.setdefault((organisation, submission), {})
        touched.setdefault(version, []).extend((key, person) for person in by_key.get(key, people))
    for (organisation, submission), versions in by_submission.items():
        found = [person for each in versions.values() for _, person in each]
        reached = _reached(work, organisation, submission, {p.treatment_id for p in found})
        for version, each in versions.items():
            for key, person in each:
                own = key == of_treatment(person.treatment_id)
                new = (version, person.treatment_id) not in seen
                if new and (own or person.treatment_id in reached):
                    seen.add((version, person.treatment_id))
                    yield _mark(work, organisation, submission, version, person.event, person)


def _of_terms(work: Work, events: Sequence[TrailEntry]) -> Iterable[Mark]:
    newest = {e.actor.organisation: e for e in events if e.object_type in _OF_ORGANISATION}
    for organisation, event in newest.items():
        for version, submission in standing_store.current_versions(work, organisation):
            yield _mark(work, organisation, submission, version, event, None)


def _of_before(work: Work) -> Iterable[Mark]:
    """Slices that an earlier release reconciled, which no change can find before a run stands."""
    now = work.moment.instant
    for organisation, version, submission in stale_store.without_standing(work):
        yield Mark(
            id=work.new_id(),
            organisation=organisation,
            version_id=version,
            submission_id=submission,
            event_id=None,
            action=OF_BEFORE,
            changed_at=now,
            treatment_id=None,
            line_key=None,
            marked_at=now,
        )


def _mark(
    work: Work,
    organisation: str,
    submission: str,
    version: str,
    event: TrailEntry,
    person: Person | None,
) -> Mark:
    return Mark(
        id=work.new_id(),
        organisation=organisation,
        version_id=version,
        submission_id=submission,
        event_id=event.id,
        action=event.action,
        changed_at=event.at,
        treatment_id=None if person is None else person.treatment_id,
        line_key=None,
        marked_at=work.moment.instant,
    )


def _newest(work: Work, events: Sequence[TrailEntry]) -> Mapping[str, TrailEntry]:
    """Treatment → the event that tells most of what changed of it: its approval's, the newest."""
    found: dict[str, TrailEntry] = {}
    for event in events:
        for treatment_id in _treatments(work, event):
            before = found.get(treatment_id)
            if before is None or _telling(event) >= _telling(before):
                found[treatment_id] = event
    return found


def _treatments(work: Work, event: TrailEntry) -> Iterable[str]:
    if event.object_type == "patient":
        same = _same_person(work, {event.object_id})
        column = tables.treatment.c
        return work.connection.execute(
            select(column.id).where(column.patient_id.in_(same))
        ).scalars()
    if event.object_type not in _OF_TREATMENTS:
        return ()
    own = event.object_id if event.object_type == "treatment" else None
    treatment = event.treatment_id or own
    return () if treatment is None else (treatment,)


def _telling(event: TrailEntry) -> tuple[int, int]:
    return -_TOLD_FIRST.index(event.object_type), event.id


def _people(work: Work, newest: Mapping[str, TrailEntry]) -> tuple[Person, ...]:
    """What each changed treatment's lines may be found by."""
    treatment, approval = tables.treatment.c, tables.approval.c
    found = []
    for treatment_id, event in newest.items():
        patient = work.connection.execute(
            select(treatment.patient_id).where(treatment.id == treatment_id)
        ).scalar_one_or_none()
        if patient is None:
            continue
        stated = work.connection.execute(
            select(approval.reference, approval.legacy_reference).where(
                approval.treatment_id == treatment_id
            )
        )
        references = {of_reference(each) for row in stated for each in row if each}
        keys = {*_keys_of_person(work, patient), *references, of_treatment(treatment_id)}
        found.append(Person(event, treatment_id, frozenset(key for key in keys if key)))
    return tuple(found)


def _keys_of_person(work: Work, patient: str) -> set[str]:
    same = _same_person(work, {patient})
    numbers = select(tables.patient.c.nhs_number).where(
        tables.patient.c.id.in_(same), tables.patient.c.nhs_number.is_not(None)
    )
    local = select(tables.patient_identifier.c.local_id).where(
        tables.patient_identifier.c.patient_id.in_(same)
    )
    return {
        *(of_number(each) for each in work.connection.execute(numbers).scalars() if each),
        *(of_local_id(each) for each in work.connection.execute(local).scalars()),
    }


def _same_person(work: Work, patients: Collection[str]) -> list[str]:
    """Every record of the people whose records these are."""
    column = tables.patient.c
    stands = func.coalesce(column.linked_to, column.id)
    canonical = select(stands).where(column.id.in_(patients)).scalar_subquery()
    query = select(column.id).where(or_(column.id == canonical, column.linked_to == canonical))
    return list(work.connection.execute(query).scalars())


def _reached(
    work: Work, organisation: str, submission: str, treatments: Collection[str]
) -> frozenset[str]:
    """Of these treatments, those that the organisation's lines may be matched against."""
    caller = _caller(work, organisation, submission)
    if caller is None:
        return frozenset()
    column = tables.treatment.c
    query = select(column.id).where(column.id.in_(treatments), scope_of(caller).treatments)
    return frozenset(work.connection.execute(query).scalars())
