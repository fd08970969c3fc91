"""Whether a proposal would still be made: its one line weighed again, when a person accepts it.

A search reads every approval in scope, and takes minutes for a large run. A request of one person
does not: the line is read by its key, and weighed against those treatments alone that have
something in common with it, by the model and from the counts of treatments of the search that was
shown. So what is found can differ from what was shown only where the line, an approval, a
patient's record or a refusal did.
"""

from dataclasses import replace
from typing import Final

from app.auth.model import Caller
from app.clock import london_day
from app.db import tables
from app.db.work import Work
from app.reconciliation import run_lines, service
from app.reconciliation.engines.asked_duckdb import asked
from app.reconciliation.engines.index import Folder
from app.reconciliation.engines.prepare import Prepared, prepare
from app.reconciliation.errors import StepNotPossible
from app.reconciliation.linkage import store
from app.reconciliation.linkage.comparing import parameters_of
from app.reconciliation.linkage.competing import competing
from app.reconciliation.linkage.directly import compare_directly
from app.reconciliation.linkage.known import Known
from app.reconciliation.linkage.model import Candidate, Found, Proposed
from app.reconciliation.linkage.seeking import held_of, is_unfound, seekers_among, sought
from app.reconciliation.linkage.store import ProposalRecord
from app.reconciliation.linkage.weighing import Matter, propose
from app.reconciliation.model import ContractLine
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk
from app.reconciliation.store import SubmissionRecord
from app.reconciliation.terms_store import terms_for
from app.reconciliation.waiting_store import narrow

_CHANGED: Final = (
    "The line, the approval or the patient's record changed since this was proposed. Have the "
    "run's proposals made again."
)
_OLDER: Final = (
    "This was proposed by an earlier release, which did not keep what it is held against. Have the "
    "run's proposals made again."
)


def check_still_proposed(
    work: Work, desk: Desk, caller: Caller, proposal: ProposalRecord, chosen: Candidate, model: str
) -> None:
    """Raise StepNotPossible where the chosen candidate would not be proposed with the evidence that
    was shown; within `Database.read`."""
    shown = proposal.proposed
    if shown.here is None:
        raise StepNotPossible(_OLDER)
    opened = run_lines.open_run(work, desk, caller, proposal.run_id)
    line, key = opened.line_and_key(shown.row)
    if key != shown.line_key or not is_unfound(line):
        raise StepNotPossible(_CHANGED)
    known, item = _around(work, desk, caller, opened.record, line.line, chosen.treatment_id, model)
    refused = store.refusals_of(work, caller.organisation, key)
    found = weigh_again(replace(known, refused=refused), item, shown)
    again = {c.evidence_digest for p in found.proposals for c in p.candidates}
    if chosen.evidence_digest not in again:
        raise StepNotPossible(_CHANGED)


def _around(
    work: Work,
    desk: Desk,
    caller: Caller,
    record: SubmissionRecord,
    line: ContractLine,
    chosen: str,
    model: str,
) -> tuple[Known, Prepared]:
    """What a search would know of the approvals that bear on a line, and the line prepared."""
    terms, scope = terms_for(work, caller), scope_of(caller)
    dictionary = service.knowing(desk.dictionary, terms.spellings)
    held = london_day(record.received_at), record.layout, terms.supplies
    (item,) = prepare([line], dictionary, Folder(desk.organisations), *held)
    fold = desk.organisations.fold
    among = competing(work, scope, item, sought(0, item), chosen, fold)
    some = narrow(scope, tables.treatment.c.id.in_(sorted(among)))
    snapshot = service.approvals_for(work, desk, caller, record, some)
    practices = store.practices_of(work, some)
    return Known.of(desk, snapshot, practices, frozenset(), parameters_of(model)), item


def weigh_again(known: Known, item: Prepared, shown: Proposed) -> Found:
    """What is proposed for a line now, among some treatments, as of so many as were counted."""
    everywhere = known.approvals.counted(item, shown.here or 0, shown.among)
    seekers = seekers_among([(0, item)], known.index, everywhere)
    held = held_of(known.approvals, known.practices)
    with asked() as connection:
        compared = compare_directly(connection, seekers.lines, held, known.parameters)
    matter = Matter(seekers, {0: item}, {0: shown.line_key}, known.index, known.refused)
    return propose(known.judge, matter, compared)
