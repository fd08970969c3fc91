"""Exporting a run: load it within the caller's scope, and write it as the caller may see it."""

from pathlib import Path
from typing import Final

from app.approvals.permissions import PAYER_ROLES, Action, can, check_can
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import challenge_store, service, store
from app.reconciliation.challenge_model import Challenge
from app.reconciliation.export_table import Reader
from app.reconciliation.exports import Export
from app.reconciliation.service import Desk

MOST_CHALLENGES: Final = 10_000


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
    loaded = service.load_run(work, desk, caller, run_id)
    challenges: tuple[Challenge, ...] = ()
    if can(caller, Action.READ_CHALLENGES):
        challenges = challenge_store.listed(
            work, caller, challenge_store.Asked(run=run_id), MOST_CHALLENGES
        )
    return Export(
        run=loaded.run.id,
        created_at=loaded.run.created_at,
        summary=loaded.summary,
        matched=loaded.matched,
        challenges=challenges,
        reader=Reader(
            payer=caller.role in PAYER_ROLES,
            key=service.key_of(desk, caller),
        ),
    )
