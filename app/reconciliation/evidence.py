"""The evidence of one line: how it was matched, by which passes, against which approval."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.clock import london_day
from app.db import tables
from app.db.work import Work
from app.reconciliation import decision_store, service
from app.reconciliation.engines.explain import PassTried, trace
from app.reconciliation.engines.heirs import with_heirs
from app.reconciliation.engines.index import Folder, coverage_order, index_snapshot
from app.reconciliation.engines.prepare import Prepared, prepare
from app.reconciliation.errors import StillPrepared
from app.reconciliation.line_reach import changed_since, within_reach
from app.reconciliation.model import ContractLine, Coverage, LineDecision, MatchedLine, Snapshot
from app.reconciliation.pseudonymised import as_pseudonyms
from app.reconciliation.run_lines import open_run
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk
from app.reconciliation.snapshots import take_snapshot
from app.reconciliation.terms_model import SupplyTerm
from app.reconciliation.terms_store import supply_terms_for
from app.reconciliation.waiting_store import narrow


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line with its outcome in the run, and what the passes find of it.

    `unchanged` says that nothing came since the run of the approvals that the line could be matched
    with, and no decision on it; otherwise the passes and the coverage are those of now, and the
    outcome and tests those of the run. `preparing`: whom the line's pseudonym names is not kept
    yet, so there are neither passes nor a coverage, and nobody looked what came since.
    """

    item: MatchedLine
    passes: tuple[PassTried, ...]
    coverage: Coverage | None
    decision: LineDecision | None
    unchanged: bool
    preparing: bool = False


def evidence_of(
    work: Work, desk: Desk, caller: Caller, run_id: str, row: int, *, at_once: bool = False
) -> Evidence:
    """The evidence of a row of a run; RunNotFound where there is none.

    With `at_once` nobody waits until very many patients are compared: see `Evidence.preparing`.
    """
    check_can(caller, Action.RECONCILE)
    opened = open_run(work, desk, caller, run_id)
    came_to, key = opened.line_and_key(row)
    standing = decision_store.standing(work, caller.organisation, key)
    decision = None if standing is None else standing.decision
    scope = scope_of(caller)
    day = london_day(opened.record.received_at)
    held = day, opened.record.layout, supply_terms_for(work, caller)
    (item,) = _prepared(desk, [came_to.line], held)
    by_pseudonym = service.key_of(desk, caller) if opened.carries_pseudonyms else None
    try:
        reached = within_reach(work, scope, item, came_to, decision, by_pseudonym, at_once=at_once)
    except StillPrepared:
        return Evidence(came_to, (), None, decision, unchanged=True, preparing=True)
    scope = narrow(scope, tables.treatment.c.id.in_(sorted(reached)))
    seen = with_heirs(take_snapshot(work, desk.office, scope, day), desk.organisations)
    if by_pseudonym is not None:
        lines, seen = as_pseudonyms([came_to.line], seen, by_pseudonym)
        (item,) = _prepared(desk, lines, held)
    found = trace(item, index_snapshot(seen), decision)
    return Evidence(
        item=came_to,
        passes=found.passes,
        coverage=found.coverage or _spoken_of(came_to, seen),
        decision=decision,
        unchanged=not changed_since(work, opened.run, reached, key),
    )


def _prepared(
    desk: Desk, lines: Sequence[ContractLine], held: tuple[dt.date, str, tuple[SupplyTerm, ...]]
) -> Sequence[Prepared]:
    """`held`: on which day, in which layout and under which supply terms."""
    return prepare(lines, desk.dictionary, Folder(desk.organisations), *held)


def _spoken_of(item: MatchedLine, seen: Snapshot) -> Coverage | None:
    """The coverage that the outcome names where no pass found one."""
    named = [
        coverage
        for coverage in seen.coverages
        if coverage.treatment_id == item.treatment_id
        and coverage.approval_reference == item.reference
    ]
    return min(named, key=coverage_order) if named and item.treatment_id else None
