"""Drafts: a delegate or pharmacist prepares a form, and a clinician submits it.

What is typed is kept unchecked until then, in a row of the database, so that no lost session or
closed browser loses it. Audit events count the answers and never tell them: a draft's patient is
not known yet, so a payload about them could not be found and erased.
"""

import datetime as dt
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from app.approvals import patients, store
from app.approvals.errors import DetailsNotAccepted, NotFound, TransitionNotAllowed
from app.approvals.model import RequestView, TreatmentRecord
from app.approvals.permissions import Action, check_can
from app.approvals.up_to import up_to
from app.audit import Event
from app.audit.log import record
from app.auth.model import Caller
from app.db.tables import draft as drafts
from app.db.work import Work
from app.policy import Kind

LONGEST: Final = 256 * 1024  # characters of JSON; a long form is under 20,000
SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list of open drafts: a page goes on behind one."""

    changed_at: dt.datetime
    id: str


@dataclass(frozen=True, slots=True)
class DraftRecord:
    """One form in preparation. `form` and `answers` are as typed, so anything may be in them."""

    id: str
    organisation: str
    kind: Kind
    policy: str | None
    treatment_id: str | None
    form: Mapping[str, Any]
    answers: Mapping[str, Any]
    prepared_by: str
    prepared_at: dt.datetime
    changed_by: str
    changed_at: dt.datetime
    submitted_request: str | None
    discarded_at: dt.datetime | None
    version: int

    @property
    def place(self) -> Place:
        """Where it stands in the list of open drafts."""
        return Place(self.changed_at, self.id)

    @property
    def state(self) -> str:
        """open, submitted or discarded."""
        if self.submitted_request is not None:
            return "submitted"
        return "open" if self.discarded_at is None else "discarded"


def prepare(
    work: Work,
    caller: Caller,
    *,
    kind: Kind,
    policy: str | None,
    treatment_id: str | None,
    form: Mapping[str, Any],
    answers: Mapping[str, Any],
) -> DraftRecord:
    """Keep a form that is not ready to be submitted.

    Raises DetailsNotAccepted where a later request names no treatment or a first one names one,
    NotFound for a treatment that is not the caller's to see, and RecordEnded where nobody knows any
    more whose it is.
    """
    check_can(caller, Action.PREPARE)
    if (kind is Kind.INITIATION) != (treatment_id is None):
        raise DetailsNotAccepted(
            "treatment_id",
            "A first request has no treatment yet; every later one names the treatment it is for.",
        )
    if treatment_id is not None:
        patients.check_kept(work, store.find_treatment(work, caller, treatment_id).patient_id)
    made = DraftRecord(
        id=work.new_id(),
        organisation=caller.organisation,
        kind=kind,
        policy=policy,
        treatment_id=treatment_id,
        form=storable("form", form),
        answers=storable("answers", answers),
        prepared_by=caller.id,
        prepared_at=work.moment.instant,
        changed_by=caller.id,
        changed_at=work.moment.instant,
        submitted_request=None,
        discarded_at=None,
        version=1,
    )
    _audit(work, caller, "prepare draft", made, _content(made))  # finds the treatment, or refuses
    work.connection.execute(sa.insert(drafts).values(**_row(made)))
    return made


def find_draft(work: Work, caller: Caller, draft_id: str, *, lock: bool = False) -> DraftRecord:
    """One draft of the caller's organisation. Raises NotAllowed or NotFound."""
    check_can(caller, Action.PREPARE)
    query = sa.select(drafts).where(
        drafts.c.id == draft_id, drafts.c.organisation == caller.organisation
    )
    row = work.connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("draft")
    return _record(row)


def open_drafts(
    work: Work, caller: Caller, limit: int = SHOWN, after: Place | None = None
) -> tuple[DraftRecord, ...]:
    """The organisation's open drafts, those changed last first; `after`: only those behind one."""
    check_can(caller, Action.PREPARE)
    query = open_query(caller, limit, after)
    return tuple(_record(row) for row in work.connection.execute(query))


def open_drafts_of(
    work: Work, caller: Caller, treatments: Collection[str]
) -> tuple[DraftRecord, ...]:
    """The organisation's open drafts of some treatments, those changed last first."""
    check_can(caller, Action.PREPARE)
    if not treatments:
        return ()
    query = open_query(caller).where(drafts.c.treatment_id.in_(sorted(treatments)))
    return tuple(_record(row) for row in work.connection.execute(query))


def open_first_drafts_of(
    work: Work, caller: Caller, nhs_number: str, policies: Collection[str]
) -> tuple[DraftRecord, ...]:
    """The organisation's open first requests under some policies on which a number was typed.

    A walk along the open drafts: what is typed into a form has no index of its own.
    """
    check_can(caller, Action.PREPARE)
    typed = drafts.c.form["patient"]["nhs_number"].as_string()
    query = open_query(caller).where(
        drafts.c.treatment_id.is_(None),
        drafts.c.policy.in_(sorted(policies)),
        sa.func.replace(typed, " ", "") == nhs_number,
    )
    return tuple(_record(row) for row in work.connection.execute(query))


def open_query(caller: Caller, limit: int = SHOWN, after: Place | None = None) -> sa.Select[Any]:
    """What `open_drafts` asks: a walk along the index of open drafts."""
    c = drafts.c
    query = sa.select(drafts).where(
        c.organisation == caller.organisation,
        c.submitted_request.is_(None),
        c.discarded_at.is_(None),
    )
    if after is not None:
        place = sa.tuple_(sa.literal(after.changed_at, c.changed_at.type), after.id)
        query = query.where(sa.tuple_(c.changed_at, c.id) < place)
    return query.order_by(c.changed_at.desc(), c.id.desc()).limit(limit)


def count_open(work: Work, caller: Caller, most: int) -> int:
    """How many open drafts the organisation has, counted no further than `most`."""
    check_can(caller, Action.PREPARE)
    return up_to(work, open_query(caller).limit(None), most)


def change(
    work: Work,
    caller: Caller,
    draft_id: str,
    form: Mapping[str, Any],
    answers: Mapping[str, Any],
    expected_version: int | None,
) -> DraftRecord:
    """Replace what has been typed. Raises VersionMismatch, and TransitionNotAllowed once closed."""
    found = _open(work, caller, draft_id, expected_version)
    changed = replace(found, form=storable("form", form), answers=storable("answers", answers))
    return _save(work, caller, "change draft", found, changed, _content(changed))


def discard(work: Work, caller: Caller, draft_id: str, expected_version: int | None) -> DraftRecord:
    """Put a draft away: it stays on record and can no longer be changed or submitted."""
    found = _open(work, caller, draft_id, expected_version)
    closed = replace(found, discarded_at=work.moment.instant)
    return _save(work, caller, "discard draft", found, closed, {"state": closed.state})


def submit(
    work: Work,
    caller: Caller,
    draft_id: str,
    expected_version: int | None,
    send: Callable[[DraftRecord], RequestView],
) -> RequestView:
    """Submit a draft as the request that it has become; for a clinician.

    `send` reads the form and submits it in this same transaction. What it refuses, the draft
    outlives unchanged. Raises TransitionNotAllowed for a draft that was submitted before.
    """
    check_can(caller, Action.SUBMIT)
    found = _open(work, caller, draft_id, expected_version)
    view = send(found)
    sent = replace(found, submitted_request=view.request.id)
    _save(work, caller, "submit draft", found, sent, {"state": sent.state})
    return view


def storable(field: str, typed: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed, as both databases keep it: decimals as strings, as `answers` take them."""
    try:
        text = json.dumps(typed, default=_exact)
    except TypeError:
        raise DetailsNotAccepted(field, "Part of it is not JSON. Send it as typed.") from None
    if len(text) > LONGEST:
        raise DetailsNotAccepted(field, f"It is over {LONGEST:,} characters. Shorten it.")
    kept: dict[str, Any] = json.loads(text)
    return kept


def _exact(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError


def _open(work: Work, caller: Caller, draft_id: str, expected_version: int | None) -> DraftRecord:
    found = find_draft(work, caller, draft_id, lock=True)
    if found.state != "open":
        raise TransitionNotAllowed(
            f"The draft was {found.state} before. Read it to see what became of it, and prepare "
            "a new one where another form is needed."
        )
    store.check_version(found.version, expected_version)
    return found


def _save(
    work: Work,
    caller: Caller,
    action: str,
    before: DraftRecord,
    after: DraftRecord,
    content: Mapping[str, Any],
) -> DraftRecord:
    saved = replace(
        after,
        changed_by=caller.id,
        changed_at=work.moment.instant,
        version=before.version + 1,
    )
    work.connection.execute(sa.update(drafts).where(drafts.c.id == saved.id).values(**_row(saved)))
    _audit(work, caller, action, saved, content)
    return saved


def _audit(
    work: Work, caller: Caller, action: str, made: DraftRecord, content: Mapping[str, Any]
) -> None:
    treatment: TreatmentRecord | None = None
    if made.treatment_id is not None:
        treatment = store.find_treatment(work, caller, made.treatment_id)
    event = Event(
        action,
        "draft",
        made.id,
        treatment_id=made.treatment_id,
        request_id=made.submitted_request,
        patient_id=None if treatment is None else treatment.patient_id,
        after={"version": made.version, **content},
    )
    record(work, caller.actor(), event)


def _content(made: DraftRecord) -> dict[str, Any]:
    """How much is filled in; not with what, and not which: a caller may invent names."""
    filled = sum(value is not None for value in made.answers.values())
    return {"kind": made.kind.value, "policy": made.policy, "answered": filled}


def _row(made: DraftRecord) -> dict[str, Any]:
    return {column.name: getattr(made, column.name) for column in drafts.columns} | {
        "kind": made.kind.value
    }


def _record(row: sa.Row[Any]) -> DraftRecord:
    return DraftRecord(**{**row._mapping, "kind": Kind(row.kind)})
