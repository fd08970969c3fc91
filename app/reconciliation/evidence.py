"""The evidence of one line: how it was matched, by which passes, against which approval."""

from dataclasses import dataclass

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import service, store
from app.reconciliation.engines.by_hand import decisions_on
from app.reconciliation.engines.explain import PassTried, trace
from app.reconciliation.engines.index import Folder, coverage_order, index_snapshot
from app.reconciliation.engines.prepare import prepare
from app.reconciliation.errors import RunNotFound
from app.reconciliation.model import Coverage, LineDecision, MatchedLine, Snapshot
from app.reconciliation.service import Desk


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line with its outcome in the run, and what the passes find of it.

    `unchanged` says that the approvals are still those of the run; otherwise the passes and the
    coverage are those of now, and the outcome and tests those of the run.
    """

    item: MatchedLine
    passes: tuple[PassTried, ...]
    coverage: Coverage | None
    decision: LineDecision | None
    unchanged: bool


def evidence_of(work: Work, desk: Desk, caller: Caller, run_id: str, row: int) -> Evidence:
    """The evidence of a row of a run; RunNotFound where there is none."""
    check_can(caller, Action.RECONCILE)
    loaded = service.load_run(work, desk, caller, run_id)
    record = store.find_submission(work, caller.organisation, loaded.run.submission_id)
    snapshot = service.snapshot_for(work, desk, caller, record)
    at = next((i for i, m in enumerate(loaded.matched) if m.line.row == row), None)
    if at is None:
        raise RunNotFound("line of this run")
    lines, seen = service.comparable(desk, caller, loaded.submission, snapshot)
    decision = decisions_on(lines, seen.decisions).get(at)
    fold = Folder(desk.organisations)
    (item,) = prepare([lines[at]], desk.dictionary, fold, seen.as_at, seen.layout)
    found = trace(item, index_snapshot(seen), decision)
    return Evidence(
        item=loaded.matched[at],
        passes=found.passes,
        coverage=found.coverage or _spoken_of(loaded.matched[at], seen),
        decision=decision,
        unchanged=service.digest_for(loaded.submission, snapshot) == loaded.run.snapshot_digest,
    )


def _spoken_of(item: MatchedLine, seen: Snapshot) -> Coverage | None:
    """The coverage that the outcome names where no pass found one."""
    named = [
        coverage
        for coverage in seen.coverages
        if coverage.treatment_id == item.treatment_id
        and coverage.approval_reference == item.reference
    ]
    return min(named, key=coverage_order) if named and item.treatment_id else None
