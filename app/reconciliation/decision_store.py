"""The SQL of decisions by hand. Each is within one organisation, whose runs it counts in."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import RowMapping, insert, select, update

from app.audit import Event, record
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.reconciliation.errors import RunNotFound
from app.reconciliation.model import DecisionKind, LineDecision, LineOutcome

_TABLE = tables.line_decision
#: What the log calls the two steps.
DECIDED, UNDONE = "line decided by hand", "decision by hand undone"


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision with who made it, when, why, and from which row of which run."""

    id: str
    organisation: str
    decision: LineDecision
    reason: str
    run_id: str
    row: int
    made_at: dt.datetime
    made_by: str
    role: str
    undone_at: dt.datetime | None = None
    undone_by: str | None = None
    undone_reason: str | None = None


def in_force(work: Work, organisation: str) -> tuple[LineDecision, ...]:
    """Every decision of the organisation that stands, in the order of the lines' keys."""
    rows = work.connection.execute(
        select(_TABLE)
        .where(_TABLE.c.organisation == organisation, _TABLE.c.held_key.is_not(None))
        .order_by(_TABLE.c.held_key)
    ).mappings()
    return tuple(_decision(row) for row in rows)


def standing(work: Work, organisation: str, line_key: str) -> DecisionRecord | None:
    """The decision that stands on a line, if there is one."""
    query = select(_TABLE).where(
        _TABLE.c.organisation == organisation, _TABLE.c.held_key == line_key
    )
    row = work.connection.execute(query).mappings().one_or_none()
    return None if row is None else _record(row)


def find(work: Work, caller: Caller, decision_id: str) -> DecisionRecord:
    """A decision of the caller's organisation, held until the end; RunNotFound otherwise."""
    query = select(_TABLE).where(
        _TABLE.c.id == decision_id, _TABLE.c.organisation == caller.organisation
    )
    row = work.connection.execute(query.with_for_update()).mappings().one_or_none()
    if row is None:
        raise RunNotFound("decision by hand")
    return _record(row)


def listed(work: Work, caller: Caller, limit: int) -> tuple[DecisionRecord, ...]:
    """The organisation's newest decisions, undone ones too."""
    rows = work.connection.execute(
        select(_TABLE)
        .where(_TABLE.c.organisation == caller.organisation)
        .order_by(_TABLE.c.made_at.desc(), _TABLE.c.id.desc())
        .limit(limit)
    ).mappings()
    return tuple(map(_record, rows))


def add(work: Work, caller: Caller, made: DecisionRecord) -> DecisionRecord:
    """Store a decision with its audit event."""
    values: dict[str, Any] = {**asdict(made), **asdict(made.decision)}
    values.pop("decision")
    values |= {
        "kind": made.decision.kind.value,
        "outcome": made.decision.outcome.value,
        "held_key": made.decision.line_key,
    }
    work.connection.execute(insert(_TABLE).values(**values))
    _event(work, caller, DECIDED, made)
    return made


def undo(work: Work, caller: Caller, made: DecisionRecord, reason: str) -> None:
    """Mark a decision as undone; every other one stays as it is."""
    work.connection.execute(
        update(_TABLE)
        .where(_TABLE.c.id == made.id)
        .values(
            held_key=None,
            undone_at=work.moment.instant,
            undone_by=caller.id,
            undone_reason=reason,
        )
    )
    _event(work, caller, UNDONE, made)


def _event(work: Work, caller: Caller, action: str, made: DecisionRecord) -> None:
    after = {
        "kind": made.decision.kind.value,
        "outcome": made.decision.outcome.value,
        "approval": made.decision.approval_reference,
        "run": made.run_id,
        "row": made.row,
    }
    event = Event(action=action, object_type="line decision", object_id=made.id, after=after)
    record(work, caller.actor(), event)


def _decision(row: RowMapping) -> LineDecision:
    return LineDecision(
        line_key=row["line_key"],
        kind=DecisionKind(row["kind"]),
        outcome=LineOutcome(row["outcome"]),
        approval_reference=row["approval_reference"],
        approval_digest=row["approval_digest"],
    )


def _record(row: RowMapping) -> DecisionRecord:
    same = {name: row[name] for name in DecisionRecord.__slots__ if name != "decision"}
    return DecisionRecord(decision=_decision(row), **same)
