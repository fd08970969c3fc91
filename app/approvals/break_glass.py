"""Break-glass: for a patient's safety a clinician opens what other providers hold, for a time.

Who opens it knows the patient by NHS number and birth date, gives a reason in code and in words,
and reads; nothing can be written through it. Every declaration is a row and an event on each
treatment that it opens, so the providers that hold them are told by their change feed; every read
is an audited reading that names the declaration. A number that is not known, a birth date that
does not fit and a patient of whom nobody else holds anything get one and the same answer.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from app.approvals import break_glass_store, patients, store
from app.approvals.break_glass_model import (
    BreakGlassLimits,
    BreakGlassReason,
    Grant,
    GrantState,
)
from app.approvals.errors import (
    BreakGlassOver,
    DetailsNotAccepted,
    NotFound,
    TooManyDeclarations,
)
from app.approvals.model import PatientRecord, RequestView, TreatmentRecord, TreatmentView
from app.approvals.permissions import Action, check_can
from app.audit import Event, Reading, record, record_reading
from app.auth.holders import credentials_of, person_of
from app.auth.model import Caller, Role
from app.db.work import Work

T = TypeVar("T")
#: No operator lets a declaration last longer (`break_glass_minutes`).
_LONGEST_OPEN: Final = dt.timedelta(days=1)
#: What the audit log calls each step: the declaration itself, and what it does to a treatment.
DECLARED: Final = "break-glass declared"
OPENED: Final = "break-glass opened"
NOTHING_OPENED: Final = "break-glass opened nothing"
ENDED: Final = "break-glass ended"
READ: Final = "read by break-glass"


@dataclass(frozen=True, slots=True)
class Opened:
    """What other providers hold of the patient: treatments, and every request on them."""

    grant: Grant
    patient: PatientRecord
    treatments: tuple[TreatmentView, ...]
    requests: tuple[RequestView, ...]


@dataclass(frozen=True, slots=True)
class GrantLine:
    """One line of the report. `own`: the caller's organisation opened it, else it holds it."""

    grant: Grant
    state: GrantState
    own: bool
    times_read: int


def declare(
    work: Work,
    limits: BreakGlassLimits,
    caller: Caller,
    nhs_number: str,
    birth_date: dt.date,
    reason: BreakGlassReason,
    words: str,
) -> Grant | None:
    """Open what others hold of the patient; None where there is nothing that fits. Audited.

    Raises TooManyDeclarations, and DetailsNotAccepted for what cannot be an NHS number.
    """
    check_can(caller, Action.BREAK_GLASS)
    _check_rate(work, limits, caller)
    person = patients.known_by(work, nhs_number, birth_date)
    held = () if person is None else _held_elsewhere(work, caller, person.canonical_id)
    if person is None or not held:
        names = {"reason": reason.value}
        record_reading(work, caller.actor(), Reading(NOTHING_OPENED, names=names))
        return None
    grant = Grant(
        id=work.new_id(),
        patient_id=person.canonical_id,
        organisation=caller.organisation,
        opened_by=caller.id,
        role=caller.role.value,
        reason=reason,
        words=words,
        opened_at=work.moment.instant,
        minutes=limits.minutes,
        ended_at=None,
        ended_by=None,
    )
    break_glass_store.add(work, grant)
    _tell(work, caller, OPENED, grant, held, {"words": words})
    return grant


def find(work: Work, caller: Caller, grant_id: str) -> Grant:
    """A declaration of the caller's own; another's of its organisation is not found either."""
    check_can(caller, Action.BREAK_GLASS)
    grant = break_glass_store.find(work, caller, grant_id)
    if grant.opened_by != caller.id:
        raise NotFound("break-glass access")
    return grant


def open_now(work: Work, caller: Caller) -> tuple[Grant, ...]:
    """The caller's own declarations that are open: to remind them, and to end them."""
    check_can(caller, Action.BREAK_GLASS)
    now = work.moment.instant
    found = break_glass_store.not_ended(work, caller, now - _LONGEST_OPEN)
    return tuple(each for each in found if each.state(now) is GrantState.OPEN)


def read_under_grant(
    work: Work, caller: Caller, grant_id: str, tell: Callable[[Opened], T]
) -> tuple[T, tuple[Reading, ...]]:
    """What the grant opens, as `tell` says it, and the readings to record: one a treatment,
    or one of the patient where no treatment is left elsewhere.

    The one place where break-glass looks past the walls: for the caller who opened it, while it is
    open, at this patient. Raises NotFound for another's grant and BreakGlassOver for one that is
    over.
    """
    grant = find(work, caller, grant_id)
    if grant.state(work.moment.instant) is not GrantState.OPEN:
        raise BreakGlassOver(
            "This access is over. If the patient's safety still needs it, declare it again."
        )
    with work.beyond_scope():
        opened = _opened(work, caller, grant)
        told = tell(opened)
    names = {"break_glass": grant.id}
    readings = tuple(
        Reading(READ, view.treatment.id, patient_id=grant.patient_id, names=names)
        for view in opened.treatments
    )
    return told, readings or (Reading(READ, patient_id=grant.patient_id, names=names),)


def end(work: Work, caller: Caller, grant_id: str) -> Grant:
    """End the access before its time: whoever opened it, or an auditor of the same organisation.

    Raises BreakGlassOver where it is over already, and NotFound for anybody else's.
    """
    grant = _to_end(work, caller, grant_id)
    if grant.state(work.moment.instant) is not GrantState.OPEN:
        raise BreakGlassOver("This access is over already. There is nothing to end.")
    if not break_glass_store.end(work, grant, caller.id):
        raise BreakGlassOver("Somebody ended this access just now. There is nothing to end.")
    _tell(work, caller, ENDED, grant, _held_elsewhere(work, caller, grant.patient_id), {})
    return _to_end(work, caller, grant_id)


def _to_end(work: Work, caller: Caller, grant_id: str) -> Grant:
    check_can(caller, Action.END_BREAK_GLASS)
    grant = break_glass_store.find(work, caller, grant_id)
    if grant.opened_by != caller.id and caller.role is not Role.AUDITOR:
        raise NotFound("break-glass access")
    return grant


def report(work: Work, caller: Caller, first: dt.date, last: dt.date) -> tuple[GrantLine, ...]:
    """Who of the organisation opened records, and who opened those that it holds.

    Opened between two Europe/London days, both included. For the auditor.
    """
    check_can(caller, Action.REPORT_BREAK_GLASS)
    if last < first:
        raise DetailsNotAccepted("to", "The last day lies before the first. Exchange the two.")
    return tuple(
        GrantLine(
            grant,
            grant.state(work.moment.instant),
            grant.organisation == caller.organisation,
            break_glass_store.readings(work, grant, READ),
        )
        for grant in break_glass_store.between(work, caller, first, last)
    )


def _check_rate(work: Work, limits: BreakGlassLimits, caller: Caller) -> None:
    """Few are needed and many are a search: a person's are counted, whatever they call with.

    Those that opened nothing count too.
    """
    person = person_of(work, caller.id) or caller.id
    patients.serialise(work, [f"break-glass:{person}"])
    since = work.moment.instant - dt.timedelta(hours=1)
    counted = (DECLARED, NOTHING_OPENED)
    own = credentials_of(work, person)
    if break_glass_store.times(work, caller, own, counted, since) >= limits.per_hour:
        raise TooManyDeclarations(
            f"Over {limits.per_hour} break-glass declarations within an hour. Ring the hospital "
            "that treats the patient, or wait."
        )


def _held_elsewhere(work: Work, caller: Caller, person: str) -> tuple[TreatmentRecord, ...]:
    same = patients.same_person(work, person)
    every = store.all_treatments_of(work, same)
    return tuple(each for each in every if each.provider != caller.organisation)


def _tell(
    work: Work,
    caller: Caller,
    action: str,
    grant: Grant,
    held: tuple[TreatmentRecord, ...],
    more: dict[str, str],
) -> None:
    """One event of the declaration, and one on each treatment, which its holder's feed shows."""
    after = {"reason": grant.reason.value, "minutes": grant.minutes}
    event = Event(
        action=DECLARED if action == OPENED else action,
        object_type="break-glass",
        object_id=grant.id,
        patient_id=grant.patient_id,
        after=after | more,
    )
    record(work, caller.actor(), event)
    for treatment in held:
        told = Event(
            action=action,
            object_type="treatment",
            object_id=treatment.id,
            treatment_id=treatment.id,
            patient_id=treatment.patient_id,
            after={"organisation": caller.organisation, "break_glass": grant.id, **after},
        )
        record(work, caller.actor(), told)


def _opened(work: Work, caller: Caller, grant: Grant) -> Opened:
    patient = patients.patient(work, grant.patient_id)
    treatments, requests = [], []
    for treatment in _held_elsewhere(work, caller, grant.patient_id):
        asked = store.all_requests_of(work, treatment.id)
        treatments.append(
            TreatmentView(
                treatment=treatment,
                patient=patient,
                segments=store.segments_of(work, treatment.id),
                requests=asked,
                approvals=store.approvals_of(work, treatment.id),
            )
        )
        for request in asked:
            revision = store.revisions_of(work, request.id)[-1]
            requests.append(
                RequestView(
                    request=request,
                    revision=revision,
                    overrides=store.overrides_of(work, request.id, revision.revision),
                    decisions=store.decisions_of(work, request.id),
                    approval=store.approval_of_request(work, request.id),
                )
            )
    return Opened(grant, patient, tuple(treatments), tuple(requests))
