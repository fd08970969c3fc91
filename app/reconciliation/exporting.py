"""Exporting a run: load it within the caller's scope, and write it as the caller may see it."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from app.approvals.permissions import PAYER_ROLES, Action, can, check_can
from app.auth.model import Caller
from app.db import jobs
from app.db.work import Work
from app.reconciliation import challenge_store, service, store
from app.reconciliation.challenge_model import Challenge
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.errors import ExportNotWritten
from app.reconciliation.export_book import check_fits
from app.reconciliation.export_table import Reader
from app.reconciliation.exports import Export, ExportFormat, Written, write_export
from app.reconciliation.files import FileStore
from app.reconciliation.hidden_columns import Everybody, Hider
from app.reconciliation.large_lines import LargeLines, open_large
from app.reconciliation.large_returned import write_returned
from app.reconciliation.model import MatchedLine
from app.reconciliation.report import summary_told
from app.reconciliation.scratch import scratch
from app.reconciliation.service import Desk

MOST_CHALLENGES: Final = 10_000
JOB: Final = "export"
#: The folder of what was written, and for how long it lies there.
EXPORTS: Final = "exports"
KEPT: Final = dt.timedelta(days=1)
#: What the file back is written as: with cells that a spreadsheet would run disarmed, or not.
RETURNED: Final = {False: Written.RETURNED, True: Written.RETURNED_SAFE}


def outcomes_of(work: Work, desk: Desk, caller: Caller, run_id: str) -> Path:
    """Where the outcomes of a run lie, in Parquet, however many; to be copied and never written.

    They name rows, drugs, days and approvals, and no patient.
    """
    check_can(caller, Action.RECONCILE)
    run = store.find_run(work, caller.organisation, run_id)
    return desk.files.path_of(run.organisation, service.OUTCOMES, run.outcomes_file)


def content_of(work: Work, desk: Desk, caller: Caller, run_id: str) -> Export:
    """What an export of a run holds: its lines and summary, and the challenges drafted of it."""
    check_can(caller, Action.RECONCILE)
    run = store.find_run(work, caller.organisation, run_id)
    matched: Sequence[MatchedLine] | LargeLines
    if desk.matching.takes_files(run.lines):
        matched = open_large(work, desk, run)
    else:
        matched = service.load_run(work, desk, caller, run_id).matched
    challenges: tuple[Challenge, ...] = ()
    if can(caller, Action.READ_CHALLENGES):
        challenges = challenge_store.listed(
            work, caller, challenge_store.Asked(run=run_id), MOST_CHALLENGES
        )
    return Export(
        run=run.id,
        created_at=run.created_at,
        summary=summary_told(run.summary),
        matched=matched,
        challenges=challenges,
        reader=Reader(
            payer=caller.role in PAYER_ROLES,
            key=service.key_of(desk, caller),
        ),
    )


# --- of a run that is not held in memory ----------------------------------------------------------


def queue(work: Work, caller: Caller, run_id: str, format: Written) -> str:
    """Have a run's export written by the worker; returns the job's id. Raises ExportTooLarge."""
    check_can(caller, Action.RECONCILE)
    run = store.find_run(work, caller.organisation, run_id)
    store.check_kept(work, caller.organisation, run.submission_id)
    if format is Written.XLSX:
        check_fits(run.lines)
    payload = {"run": run.id, "format": format.value, "caller": service.caller_payload(caller)}
    return jobs.enqueue(
        work, JOB, organisation=caller.organisation, created_by=caller.id, payload=payload
    )


def to_write(
    work: Work, desk: Desk, caller: Caller, run_id: str, format: Written
) -> Export | LargeLines:
    """What is written of a run: its export, or its files, of which the submission is made back."""
    if format in RETURNED.values():
        return open_back(work, desk, caller, run_id)
    return content_of(work, desk, caller, run_id)


def write(
    desk: Desk,
    caller: Caller,
    content: Export | LargeLines,
    format: Written,
    written: Progress = untold,
) -> None:
    """Write the export and keep it for a day, in place of one that was written before.

    `written` is told how many lines are. Slow: minutes for a million lines, in the memory of some
    thousands.
    """
    assert desk.matching.spill_to is not None
    with scratch(desk.matching.spill_to) as folder:
        path = folder / "export"
        if isinstance(content, LargeLines):
            run, hider = content.run.id, hider_for(desk, caller, content)
            safe = format is Written.RETURNED_SAFE
            write_returned(content, path, hider, safe=safe, written=written)
        else:
            run = content.run
            told = replace(content, written=written)
            write_export(told, ExportFormat(format.value), path, folder)
        desk.files.put(caller.organisation, EXPORTS, _name(desk, caller, run, format), path)


def open_back(work: Work, desk: Desk, caller: Caller, run_id: str) -> LargeLines:
    """The run's files, of which its submission is made back; of a run of any size."""
    check_can(caller, Action.RECONCILE)
    return open_large(work, desk, store.find_run(work, caller.organisation, run_id))


def hider_for(desk: Desk, caller: Caller, opened: LargeLines) -> Hider | None:
    """What a payer's file back is hidden by; a trust gets its own file as it came."""
    if caller.role not in PAYER_ROLES:
        return None
    key = desk.office.pseudonyms.key_of(caller.organisation)
    return Everybody.of(opened.facts().columns, key)


def written(work: Work, desk: Desk, caller: Caller, run_id: str, format: Written) -> Path:
    """Where the export lies that was written of a run for readers of the caller's kind.

    Raises ExportNotWritten where none was within a day, ExportTooLarge where none can be, and
    StoredFileEnded where the lines are no longer kept.
    """
    check_can(caller, Action.RECONCILE)
    run = store.find_run(work, caller.organisation, run_id)
    store.check_kept(work, caller.organisation, run.submission_id)
    if format is Written.XLSX:
        check_fits(run.lines)
    path = desk.files.lies(caller.organisation, EXPORTS, _name(desk, caller, run.id, format))
    if path is None:
        raise ExportNotWritten(run.lines, format.value)
    return path


def must_be_written(work: Work, desk: Desk, caller: Caller, run_id: str) -> bool:
    """Whether the run is too large for its export to be made while somebody waits."""
    check_can(caller, Action.RECONCILE)
    return desk.matching.takes_files(store.find_run(work, caller.organisation, run_id).lines)


def forget_written(files: FileStore, now: dt.datetime) -> int:
    """Erase the exports that were written more than a day ago; returns how many."""
    return files.erase_older(EXPORTS, now - KEPT)


def _name(desk: Desk, caller: Caller, run_id: str, format: Written) -> str:
    """Of the run, the kind of file and who reads it; a payer's with a new key is another file."""
    key = service.key_of(desk, caller)
    reader = "trust" if caller.role not in PAYER_ROLES else "payer"
    known = "" if key is None else key.of_nhs_number("0000000000")
    may_read = can(caller, Action.READ_CHALLENGES)
    parts = (caller.organisation, run_id, format.value, reader, known, str(may_read))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
