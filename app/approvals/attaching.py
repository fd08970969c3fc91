"""Attaching files to a request: a letter, a result, the case for individual funding.

Its provider's care team attaches, reads all of it and takes it away again. Others who see the
request read only what the provider shared, saying that it names no patient: a payer and a panel
see pseudonyms. The content lies in the database, so that backups and erasure hold for it.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass, fields
from typing import Final

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, true, update

from app.approvals import patients, store
from app.approvals.attachment_kinds import LARGEST, kind_of
from app.approvals.errors import DetailsNotAccepted, NotFound, TransitionNotAllowed
from app.approvals.lifecycle import RequestState
from app.approvals.model import RequestRecord
from app.approvals.permissions import PROVIDER_ROLES, Action, check_acts_for, check_can
from app.audit import Event
from app.audit import record as record_event
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work

MOST: Final = 10
LONGEST_TITLE: Final = 80
CLOSED: Final = frozenset({RequestState.WITHDRAWN, RequestState.ENTERED_IN_ERROR})
_table = tables.request_attachment


@dataclass(frozen=True, slots=True)
class Attachment:
    """What is known of an attached file beside its content. `size` in bytes."""

    id: str
    request_id: str
    number: int
    organisation: str
    title: str
    media_type: str
    size: int
    sha256: str
    shared: bool
    added_at: dt.datetime
    added_by: str
    removed_at: dt.datetime | None


_COLUMNS: Final = [_table.c[each.name] for each in fields(Attachment)]


def attach(
    work: Work,
    caller: Caller,
    request_id: str,
    title: str,
    data: bytes,
    *,
    shared: bool,
) -> Attachment:
    """Attach a file to a request of the caller's own organisation.

    Raises DetailsNotAccepted for a file that is too large or of another kind than PDF, PNG and
    JPEG, TransitionNotAllowed for a request that is closed or has the most already, and RecordEnded
    where nobody knows any more whose request it is.
    """
    check_can(caller, Action.ATTACH)
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, Action.ATTACH, request.provider)
    patients.check_kept(work, store.treatment_of(work, request.treatment_id).patient_id)
    media_type = _check_file(title, data)
    if request.state in CLOSED:
        raise TransitionNotAllowed(f"The request is {request.state}, so nothing is attached to it.")
    numbers = select(
        func.coalesce(func.max(_table.c.number), 0),
        func.count().filter(_table.c.removed_at.is_(None)),
    ).where(_table.c.request_id == request_id, _table.c.organisation == caller.organisation)
    last, standing = work.connection.execute(numbers).one()
    if standing >= MOST:
        raise TransitionNotAllowed(
            f"{MOST} files are attached, which is the most. Take one away first."
        )
    made = Attachment(
        id=work.new_id(),
        request_id=request_id,
        number=last + 1,
        organisation=caller.organisation,
        title=title,
        media_type=media_type,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        shared=shared,
        added_at=work.moment.instant,
        added_by=caller.id,
        removed_at=None,
    )
    row = {each.name: getattr(made, each.name) for each in fields(Attachment)}
    work.connection.execute(insert(_table).values(**row, content=data))
    told = {
        "number": made.number,
        "media_type": media_type,
        "size": made.size,
        "sha256": made.sha256,
        "shared": shared,
    }
    _audit(work, caller, request, made.id, "attachment added", after=told)
    return made


def attachments_of(work: Work, caller: Caller, request_id: str) -> tuple[Attachment, ...]:
    """The files of a request that the caller may read, in their order; NotFound for others."""
    check_can(caller, Action.READ)
    request = store.find_request(work, caller, request_id)
    query = (
        select(*_COLUMNS)
        .where(
            _table.c.request_id == request_id,
            _table.c.removed_at.is_(None),
            _table.c.content.is_not(None),
            _may_read(caller, request),
        )
        .order_by(_table.c.number)
    )
    return tuple(Attachment(*row) for row in work.connection.execute(query))


def content_of(
    work: Work, caller: Caller, request_id: str, attachment_id: str
) -> tuple[Attachment, bytes]:
    """One file with its content. Raises NotFound for one that is gone, or not the caller's."""
    check_can(caller, Action.READ)
    request = store.find_request(work, caller, request_id)
    query = select(*_COLUMNS, _table.c.content).where(
        _table.c.id == attachment_id,
        _table.c.request_id == request_id,
        _table.c.removed_at.is_(None),
        _table.c.content.is_not(None),
        _may_read(caller, request),
    )
    row = work.connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("attachment")
    *known, content = row
    return Attachment(*known), bytes(content)


def take_away(work: Work, caller: Caller, request_id: str, attachment_id: str, reason: str) -> None:
    """Erase a file that should not be there; that it was there, and why it went, stays on record.

    Raises NotFound for one that is gone already.
    """
    check_can(caller, Action.ATTACH)
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, Action.ATTACH, request.provider)
    gone = work.connection.execute(
        update(_table)
        .where(
            and_(
                _table.c.id == attachment_id,
                _table.c.request_id == request_id,
                _table.c.organisation == caller.organisation,
                _table.c.removed_at.is_(None),
            )
        )
        .values(
            content=None,
            removed_at=work.moment.instant,
            removed_by=caller.id,
            removed_why=reason,
        )
    )
    if not gone.rowcount:
        raise NotFound("attachment")
    _audit(work, caller, request, attachment_id, "attachment taken away", {"reason": reason})


def _may_read(caller: Caller, request: RequestRecord) -> ColumnElement[bool]:
    own = _table.c.organisation == caller.organisation
    if caller.role in PROVIDER_ROLES and request.provider == caller.organisation:
        return or_(own, _table.c.shared == true())
    return _table.c.shared == true()


def _check_file(title: str, data: bytes) -> str:
    """The file's media type. Raises DetailsNotAccepted, saying what to do about it."""
    if not title or len(title) > LONGEST_TITLE:
        raise DetailsNotAccepted("title", f"Say what it is, in at most {LONGEST_TITLE} letters.")
    if not data:
        raise DetailsNotAccepted("file", "Choose a file: a PDF, or a picture as PNG or JPEG.")
    if len(data) > LARGEST:
        raise DetailsNotAccepted(
            "file", f"The file is larger than {LARGEST // 2**20} MB. Attach it in parts."
        )
    found = kind_of(data)
    if found is None:
        raise DetailsNotAccepted(
            "file",
            "The file is not a whole PDF, PNG or JPEG, whatever its name says. Save it as one of "
            "them, and attach that.",
        )
    return found


def _audit(
    work: Work,
    caller: Caller,
    request: RequestRecord,
    attachment_id: str,
    action: str,
    after: dict[str, object],
) -> None:
    """The event. The title is left out: it is free text about a patient."""
    treatment = store.find_treatment(work, caller, request.treatment_id)
    event = Event(
        action=action,
        object_type="attachment",
        object_id=attachment_id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        after=after,
    )
    record_event(work, caller.actor(), event)
