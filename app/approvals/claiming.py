"""A receiving trust claims a treatment that another holds, and learns enough to carry it on.

It knows the patient by NHS number and birth date and declares that it cares for them. It sees the
approval, its dates and the baseline, and no more; the holder is told through its change feed. The
treatment stays where it is until a transfer is asked for and consented to: what the claimant
supplies before that is queried in reconciliation as *not the approved provider*.

A claim stands for `TOLD_FOR`, as long as the same provider holds the treatment. Whoever of the same
organisation claims again meanwhile is told what holds now, and no second claim is made: the holder
is told once. Where another holds it by then, that one is told by a new claim.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, func, insert, literal, select, text, tuple_, update

from app.approvals import issuing, objecting, patients, searching, store
from app.approvals.model import ApprovalRecord, TreatmentRecord
from app.approvals.office import Office
from app.approvals.permissions import Action, can, check_can
from app.approvals.replaying import version_of_approval
from app.approvals.standing import STANDING
from app.approvals.submitting import earlier_revisions
from app.approvals.up_to import up_to
from app.audit import Event, Reading, record, record_reading
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work

CLAIMED = "treatment claimed by another provider"
CLAIMED_AGAIN: Final = "treatment claimed already: told again"
#: So long a claim stands, and the holder's page tells of it; the change feed and trail keep it.
TOLD_FOR: Final = dt.timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Claim:
    """What the claimant learns. `baseline` holds answers by question, as they were decided on.

    `claimed_at` is when the claim was made that stands: now, or earlier by the same organisation.
    """

    approval: ApprovalRecord | None
    claimed_at: dt.datetime | None = None
    first_dose: dt.date | None = None
    baseline: Mapping[str, Any] = field(default_factory=dict)
    objected: bool = False  # the patient objects to being shown: nothing else is told


class Place(NamedTuple):
    """A place in the list of claims: a page goes on behind one."""

    at: dt.datetime
    treatment_id: str
    organisation: str


@dataclass(frozen=True, slots=True)
class OwnClaimed:
    """A treatment of one's own that another organisation claimed, with what a list tells of it."""

    treatment_id: str
    organisation: str
    at: dt.datetime
    drug: str
    indication: str
    policy: str

    @property
    def place(self) -> Place:
        """Where it stands in its list."""
        return Place(self.at, self.treatment_id, self.organisation)


@dataclass(frozen=True, slots=True)
class Claimed:
    """That another organisation claimed a treatment, and when."""

    organisation: str
    at: dt.datetime


def claim(
    work: Work,
    office: Office,
    caller: Caller,
    nhs_number: str,
    birth_date: dt.date,
    drug: str,
    indication: str,
    care_reason: str,
) -> Claim:
    """Claim another provider's live treatment; an empty claim where there is none to be told of.

    The declaration of care is kept and audited, and so is the claim, on the treatment that it
    tells of; where one of the caller's organisation stands, that is the claim, and the reading of
    it is audited. A birth date that does not fit the NHS number learns nothing.
    """
    check_can(caller, Action.DECLARE_CARE)
    held = searching.declared_treatments(
        work, caller, (nhs_number, birth_date), drug, indication, care_reason, office.guesses
    )
    for treatment in held:
        if treatment.provider == caller.organisation:
            continue
        if issuing.is_live(work, treatment, work.moment.day):
            person = patients.patient(work, treatment.patient_id)
            if objecting.stands(work, person):
                return Claim(None, objected=True)
            return _told(work, office, caller, treatment)
    return Claim(None)


def _told(work: Work, office: Office, caller: Caller, treatment: TreatmentRecord) -> Claim:
    with work.beyond_scope():  # another provider's: approval, dates and baseline only
        approval = [a for a in store.approvals_of(work, treatment.id) if a.state in STANDING][-1]
        version = version_of_approval(work, office.library_at(work), approval)
        baseline: dict[str, Any] = {}
        if version is not None:
            carried = {name for name, each in version.questions.items() if each.carried}
            for revision in earlier_revisions(work, treatment):  # the approved come last, and win
                baseline |= {n: a for n, a in revision.answers.items() if n in carried}
    return Claim(approval, _put(work, caller, treatment), treatment.first_dose, baseline)


def _put(work: Work, caller: Caller, treatment: TreatmentRecord) -> dt.datetime:
    """Put the claim on record, unless one of the same organisation stands; when it was made."""
    _take_turns(work, treatment)
    standing = _standing(work, caller, treatment)
    if standing is not None:
        again = Reading(CLAIMED_AGAIN, treatment.id, patient_id=treatment.patient_id)
        record_reading(work, caller.actor(), again)
        return standing
    event = Event(
        action=CLAIMED,
        object_type="treatment",
        object_id=treatment.id,
        treatment_id=treatment.id,
        patient_id=treatment.patient_id,
        after={"organisation": caller.organisation},
    )
    record(work, caller.actor(), event)
    _list(work, caller, treatment)
    return work.moment.instant


def _take_turns(work: Work, treatment: TreatmentRecord) -> None:
    """Let claims of one treatment be made one after another, each seeing those before it."""
    if work.on_postgres:  # SQLite has one writer
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended('claims ' || :which, 0))")
        work.connection.execute(lock, {"which": treatment.id})


def _standing(work: Work, caller: Caller, treatment: TreatmentRecord) -> dt.datetime | None:
    """When the caller's organisation made the claim that stands, if one does."""
    t = tables.treatment_claim.c
    told = select(t.provider).where(
        t.treatment_id == treatment.id, t.organisation == caller.organisation
    )
    holder = work.connection.execute(told).scalar_one_or_none()
    if holder not in (None, treatment.provider):  # None: claimed before revision 0061, or never
        return None
    event = tables.audit_event.c
    query = select(func.max(event.at)).where(
        event.treatment_id == treatment.id,
        event.action == CLAIMED,
        event.organisation == caller.organisation,
        event.at >= work.moment.instant - TOLD_FOR,
    )
    made: dt.datetime | None = work.connection.execute(query).scalar_one()
    return made


def _list(work: Work, caller: Caller, treatment: TreatmentRecord) -> None:
    """For the holder's list: one row for each claimant of a treatment, with its newest claim."""
    told, t = tables.treatment_claim, tables.treatment_claim.c
    newest = {"provider": treatment.provider, "at": work.moment.instant}
    done = work.connection.execute(
        update(told)
        .where(t.treatment_id == treatment.id, t.organisation == caller.organisation)
        .values(**newest)
    )
    if not done.rowcount:
        key = {"treatment_id": treatment.id, "organisation": caller.organisation}
        work.connection.execute(insert(told).values(**key, **newest))


def claims_of_own(
    work: Work, caller: Caller, limit: int, after: Place | None = None
) -> tuple[OwnClaimed, ...]:
    """What others claimed of the caller's own treatments in the last `TOLD_FOR`, newest first.

    For its care team. `after`: only those behind a place. Claims of before revision 0061 are on
    their treatments' pages only. Raises NotAllowed.
    """
    check_can(caller, Action.RECORD_START)
    query = own_claims_query(work.moment.instant, caller, after).limit(limit)
    return tuple(OwnClaimed(**row._mapping) for row in work.connection.execute(query))


def count_claims(work: Work, caller: Caller, most: int) -> int:
    """How many `claims_of_own` there are, counted no further than `most`. Raises NotAllowed."""
    check_can(caller, Action.RECORD_START)
    return up_to(work, own_claims_query(work.moment.instant, caller), most)


def own_claims_query(
    instant: dt.datetime, caller: Caller, after: Place | None = None
) -> Select[Any]:
    """What `claims_of_own` asks: a walk along the index of the holder's claims.

    One who handed the treatment on since is told of it no longer.
    """
    c, t = tables.treatment_claim.c, tables.treatment.c
    query = (
        select(c.treatment_id, c.organisation, c.at, t.drug, t.indication, t.policy)
        .join(tables.treatment, t.id == c.treatment_id)
        .where(
            c.provider == caller.organisation,
            t.provider == caller.organisation,
            c.at >= instant - TOLD_FOR,
        )
    )
    order = (c.at, c.treatment_id, c.organisation)
    if after is not None:
        place = (literal(value, column.type) for value, column in zip(after, order, strict=True))
        query = query.where(tuple_(*order) < tuple_(*place))
    return query.order_by(*(each.desc() for each in order))


def claimed(work: Work, caller: Caller, treatment_id: str) -> tuple[Claimed, ...]:
    """Who claimed a treatment that the caller's organisation prescribes, each once, newest first.

    For its care team only, and of the last `TOLD_FOR`. Who took the treatment over is told of what
    others than itself claimed.
    """
    if not can(caller, Action.RECORD_START):
        return ()
    treatment = store.find_treatment(work, caller, treatment_id)
    if treatment.provider != caller.organisation:
        return ()
    event = tables.audit_event.c
    query = (
        select(event.organisation, func.max(event.at))
        .where(
            event.treatment_id == treatment_id,
            event.action == CLAIMED,
            event.organisation != caller.organisation,
            event.at >= work.moment.instant - TOLD_FOR,
        )
        .group_by(event.organisation)
    )
    with work.beyond_scope():  # the claimant's act, told to whom it is about
        found = [Claimed(who, at) for who, at in work.connection.execute(query)]
    return tuple(sorted(found, key=lambda each: each.at, reverse=True))
