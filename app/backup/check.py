"""Whether a database tells the same as it did: references, decisions, audit log, files."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from app.approvals.library import Library
from app.approvals.reference import is_reference
from app.approvals.replaying import replay_everything
from app.audit import Fault, Keyring, verify_rows
from app.audit.checkpoints import Checkpoint
from app.audit.verify_seals import verify_checkpoints, verify_seals
from app.backup import sqlite
from app.db import tables
from app.db.work import Work
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.service import OUTCOMES, SUBMISSIONS
from app.reconciliation.stored_lines import ROWS

BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Checked:
    """How many of one kind were looked at, and what is wrong with them."""

    what: str
    count: int
    faults: tuple[str, ...]


def check_everything(
    work: Work,
    library: Library,
    keys: Keyring,
    files: FileStore,
    checkpoints: Sequence[Checkpoint],
    replay: Callable[[Work, Library], tuple[int, list[str]]] = replay_everything,
) -> Iterator[Checked]:
    """Every check, in one snapshot and acting for the service. Writes nothing.

    `replay`: what decides all requests again, here or in several processes.
    """
    if not work.on_postgres:
        yield Checked("databases by SQLite's own checks", 1, tuple(sqlite.damage(work.connection)))
    yield _references(work)
    replayed, faults = replay(work, library)
    yield Checked("decisions replayed", replayed, tuple(faults))
    yield _count(work, "rows of the audit log", tables.audit_event, verify_rows(work, keys))
    yield _count(work, "seals", tables.audit_seal, verify_seals(work, keys))
    told = verify_checkpoints(work, checkpoints)
    yield Checked("checkpoints", len(checkpoints), tuple(_words(fault) for fault in told))
    yield _attachments(work)
    yield _stored_files(work, files)


def _references(work: Work) -> Checked:
    """Every approval's reference: its form, its check character, and that it is there once."""
    query = sa.select(tables.approval.c.id, tables.approval.c.reference)
    found = work.connection.execute(query.execution_options(yield_per=BATCH)).all()
    times = Counter(row.reference for row in found)
    faults = [
        f"approval {row.id}: its reference fails its check character"
        for row in found
        if not is_reference(row.reference)
    ]
    faults += [
        f"approval {row.id}: its reference is used again"
        for row in found
        if times[row.reference] > 1
    ]
    return Checked("approval references", len(found), tuple(faults))


def _count(work: Work, what: str, table: sa.Table, faults: list[Fault]) -> Checked:
    total = work.connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
    return Checked(what, int(total), tuple(_words(fault) for fault in faults))


def _words(fault: Fault) -> str:
    place = f"row {fault.event_id}, " if fault.event_id else ""
    return f"{place}{fault.object_type} {fault.object_id}: {fault.what}"


def _attachments(work: Work) -> Checked:
    """Every attachment whose content is kept: the very bytes that were attached."""
    a = tables.request_attachment.c
    query = sa.select(a.id, a.sha256, a.content).where(a.content.is_not(None))
    count, faults = 0, []
    for row in work.connection.execute(query.execution_options(yield_per=20)):  # 5 MB each at most
        count += 1
        if hashlib.sha256(row.content).hexdigest() != row.sha256:
            faults.append(f"attachment {row.id}: its content is not what was attached")
    return Checked("attachments", count, tuple(faults))


def _stored_files(work: Work, files: FileStore) -> Checked:
    """Every submission that is kept and its runs' outcomes: the very file that was stored."""
    s, r = tables.submission.c, tables.reconciliation_run.c
    named = [
        (f"submission {row.id}", (row.organisation, SUBMISSIONS, row.sha256, row.sha256))
        for row in work.connection.execute(
            sa.select(s.id, s.organisation, s.sha256).where(s.ended_at.is_(None))
        )
    ]
    p = tables.submission_rows.c
    ended = sa.select(s.id).where(s.ended_at.is_not(None))
    kept = sa.select(p.submission_id, p.organisation, p.sha256).where(p.submission_id.not_in(ended))
    named += [
        (
            f"rows of submission {row.submission_id}",
            (row.organisation, ROWS, row.sha256, row.sha256),
        )
        for row in work.connection.execute(kept)
    ]
    columns = sa.select(r.id, r.organisation, r.outcomes_file, r.outcomes_sha256).where(
        r.submission_id.not_in(ended)
    )
    named += [
        (f"run {row.id}", (row.organisation, OUTCOMES, row.outcomes_file, row.outcomes_sha256))
        for row in work.connection.execute(columns)
    ]
    faults = []
    for owner, place in named:
        try:
            files.read(*place)
        except StoredFileDamaged as damaged:
            faults.append(f"{owner}: {damaged}")
    return Checked("submissions, their rows and outcomes", len(named), tuple(faults))
