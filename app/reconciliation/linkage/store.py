"""The SQL of linkage: searches and proposals, each within one organisation."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, localcontext
from typing import Any, Final

from sqlalchemy import RowMapping, and_, func, insert, or_, select, update

from app.audit import Event, record
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.errors import RunNotFound
from app.reconciliation.linkage.model import Candidate, FieldShown, Found, Proposed
from app.reconciliation.linkage.weighing import Refusal
from app.reconciliation.scope import Scope

_SEARCH, _PROPOSAL = tables.linkage_search, tables.linkage_proposal
OPEN, ACCEPTED, REFUSED = "open", "accepted", "refused"


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """A search for a run's lines. `counts`: how a line ended → how many did."""

    id: str
    run_id: str
    model: str
    snapshot_digest: str
    counts: Mapping[str, int]
    made_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """A proposal with what was decided of it."""

    id: str
    search_id: str
    run_id: str
    proposed: Proposed
    state: str
    approval_reference: str | None
    decision_id: str | None
    reason: str | None
    decided_at: dt.datetime | None
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """The proposals of a search, those that wait, and what the lines of these charge together.

    `charged` is None where a search of before it was kept does not tell.
    """

    proposals: int
    waiting: int
    charged: Decimal | None


#: What a line charges, whichever way, to put proposals in order; a search holds few (`MOST_KEPT`).
_STAKE: Final = func.abs(
    func.coalesce(_PROPOSAL.c.evidence["total"].as_numeric(38, 8, asdecimal=False), 0)
)


def practices_of(work: Work, scope: Scope) -> dict[str, tuple[str, ...]]:
    """Treatment → its patient's GP practices, of those within the scope."""
    known, treatment = tables.patient_identifier.c, tables.treatment.c
    rows = work.connection.execute(
        select(treatment.id, known.gp_practice)
        .join_from(
            tables.treatment, tables.patient_identifier, known.patient_id == treatment.patient_id
        )
        .where(scope.treatments, known.gp_practice.is_not(None))
        .order_by(treatment.id, known.gp_practice)
    )
    found: dict[str, tuple[str, ...]] = {}
    for treatment_id, practice in rows:
        found[treatment_id] = (*found.get(treatment_id, ()), practice)
    return found


def refusals_of(work: Work, organisation: str, line_key: str | None = None) -> frozenset[Refusal]:
    """What the organisation refused, of all lines or of one: the line, the approval, and the
    evidence that it saw."""
    query = select(_PROPOSAL.c.line_key, _PROPOSAL.c.evidence).where(
        _PROPOSAL.c.organisation == organisation, _PROPOSAL.c.state == REFUSED
    )
    if line_key is not None:
        query = query.where(_PROPOSAL.c.line_key == line_key)
    rows = work.connection.execute(query).mappings()
    return frozenset(
        (row["line_key"], each["approval_reference"], each["evidence_digest"])
        for row in rows
        for each in row["evidence"]["candidates"]
    )


def add(work: Work, caller: Caller, run_id: str, snapshot_digest: str, found: Found) -> str:
    """Store a search with its proposals and audit event; returns its id."""
    search = work.new_id()
    counts = {why.value: count for why, count in found.counts.items()}
    work.connection.execute(
        insert(_SEARCH).values(
            id=search,
            organisation=caller.organisation,
            run_id=run_id,
            model=found.model,
            snapshot_digest=snapshot_digest,
            counts=counts,
            made_at=work.moment.instant,
            made_by=caller.id,
        )
    )
    rows = [_row(work, caller, run_id, search, each) for each in found.proposals]
    if rows:
        work.connection.execute(insert(_PROPOSAL), rows)
    after = {"run": run_id, "model": found.model, "counts": counts}
    event = Event(
        action="approvals proposed", object_type="linkage search", object_id=search, after=after
    )
    record(work, caller.actor(), event)
    return search


def newest_search(work: Work, organisation: str, run_id: str) -> SearchRecord | None:
    """The newest search for a run, if there is one."""
    row = (
        work.connection.execute(
            select(_SEARCH)
            .where(_SEARCH.c.organisation == organisation, _SEARCH.c.run_id == run_id)
            .order_by(_SEARCH.c.made_at.desc(), _SEARCH.c.id.desc())
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    return SearchRecord(**{name: row[name] for name in SearchRecord.__slots__})


def proposals_of(
    work: Work,
    organisation: str,
    search_id: str,
    limit: int,
    after: int = 0,
    state: str | None = None,
) -> tuple[ProposalRecord, ...]:
    """A search's proposals, or those in a state: the most costly lines first, then by row.

    They go on after a row of it, which may have been decided since; 0 begins with the first. No row
    is there twice in a search, and what is decided keeps its place, so none is passed over.
    """
    column = _PROPOSAL.c
    own = column.organisation == organisation, column.search_id == search_id
    query = select(_PROPOSAL).where(*own)
    if state is not None:
        query = query.where(column.state == state)
    if after:
        mark = select(_STAKE).where(*own, column.row == after).limit(1).scalar_subquery()
        query = query.where(or_(mark > _STAKE, and_(mark == _STAKE, column.row > after)))
    ordered = query.order_by(_STAKE.desc(), column.row, column.id).limit(limit)
    return tuple(map(_record, work.connection.execute(ordered).mappings()))


def counts_of(work: Work, organisation: str, search_id: str) -> Counts:
    """How many proposals a search made, and what of them waits."""
    column = _PROPOSAL.c
    rows = work.connection.execute(
        select(column.state, column.evidence["total"].as_string()).where(
            column.organisation == organisation, column.search_id == search_id
        )
    ).all()
    waiting = [total for state, total in rows if state == OPEN]
    if any(total is None for total in waiting):
        return Counts(len(rows), len(waiting), None)
    with localcontext(prec=EXACT_DIGITS):
        charged = sum(map(Decimal, waiting), ZERO)
    return Counts(len(rows), len(waiting), charged)


def find(work: Work, organisation: str, proposal_id: str, *, hold: bool = False) -> ProposalRecord:
    """A proposal of the organisation, held until the end if asked; RunNotFound otherwise."""
    query = select(_PROPOSAL).where(
        _PROPOSAL.c.id == proposal_id, _PROPOSAL.c.organisation == organisation
    )
    found = work.connection.execute(query.with_for_update() if hold else query)
    row = found.mappings().one_or_none()
    if row is None:
        raise RunNotFound("proposal")
    return _record(row)


def decide(work: Work, caller: Caller, before: ProposalRecord, after: ProposalRecord) -> None:
    """Keep what a person decided of a proposal, with its audit event and the evidence seen."""
    work.connection.execute(
        update(_PROPOSAL)
        .where(_PROPOSAL.c.id == before.id)
        .values(
            state=after.state,
            approval_reference=after.approval_reference,
            decision_id=after.decision_id,
            reason=after.reason,
            decided_at=after.decided_at,
            decided_by=after.decided_by,
            role=caller.role.value,
        )
    )
    told = {
        "run": before.run_id,
        "row": before.proposed.row,
        "approval": after.approval_reference,
        "line decision": after.decision_id,
        "evidence": [_told(each) for each in before.proposed.candidates],
    }
    event = Event(
        action=f"proposal {after.state}",
        object_type="linkage proposal",
        object_id=before.id,
        after=told,
    )
    record(work, caller.actor(), event)


def _told(candidate: Candidate) -> dict[str, Any]:
    """What the decider saw of a candidate, as text: the audit log holds no floats."""
    return {
        "approval": candidate.approval_reference,
        "probability": f"{candidate.probability:.4f}",
        "words": [each.words for each in candidate.fields],
        "digest": candidate.evidence_digest,
    }


def _row(
    work: Work, caller: Caller, run_id: str, search: str, proposed: Proposed
) -> dict[str, Any]:
    evidence = asdict(proposed)
    return {
        "id": work.new_id(),
        "organisation": caller.organisation,
        "search_id": search,
        "run_id": run_id,
        "row": evidence.pop("row"),
        "line_key": evidence.pop("line_key"),
        "ambiguous": proposed.ambiguous,
        "evidence": evidence,
        "state": OPEN,
    }


def _record(row: RowMapping) -> ProposalRecord:
    evidence = row["evidence"]
    next_best = evidence["next_best"]
    proposed = Proposed(
        row=row["row"],
        line_key=row["line_key"],
        candidates=_candidates(evidence["candidates"]),
        next_best=_candidates([next_best])[0] if next_best else None,
        among=evidence["among"],
        total=evidence.get("total"),
        here=evidence.get("here"),
    )
    same = (n for n in ProposalRecord.__slots__ if n != "proposed")
    return ProposalRecord(proposed=proposed, **{name: row[name] for name in same})


def _candidates(stored: Sequence[Mapping[str, Any]]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(**{**each, "fields": tuple(FieldShown(**field) for field in each["fields"])})
        for each in stored
    )
