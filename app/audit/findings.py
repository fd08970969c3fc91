"""What a check of the log last found, kept for people to look at.

It proves nothing: whoever can change the log can change this too. The proof is `assent audit
verify`, run with checkpoints that were kept elsewhere.
"""

import datetime as dt
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.audit.sealing import oldest_waiting
from app.db.tables import audit_finding, audit_seal
from app.db.work import Work


class Check(StrEnum):
    """Who looked: the command over the whole log, or the worker at what it sealed."""

    VERIFICATION = "verification"
    SEALING = "sealing"


@dataclass(frozen=True, slots=True)
class Finding:
    """How many faults a check found, the newest seal with a checkpoint, and how many of those it
    held against the log."""

    kind: Check
    at: dt.datetime
    faults: int
    seal: int
    checkpoints: int


@dataclass(frozen=True, slots=True)
class LogState:
    """The log as it stands: its newest seal, what waits for one, what was last found."""

    seal: int  # 0: none yet
    sealed_at: dt.datetime | None
    oldest_waiting: dt.datetime | None
    findings: dict[Check, Finding]


def keep_finding(work: Work, kind: Check, *, faults: int, seal: int, checkpoints: int = 0) -> None:
    """Put what was found in place of what was found before."""
    found = Finding(kind, work.moment.instant, faults, seal, checkpoints)
    insert: Any = postgresql.insert if work.on_postgres else sqlite.insert
    values = asdict(found) | {"kind": kind.value}
    made = insert(audit_finding).values(**values)
    changed = {name: value for name, value in values.items() if name != "kind"}
    work.connection.execute(made.on_conflict_do_update(index_elements=["kind"], set_=changed))


def log_state(work: Work) -> LogState:
    """How the whole log stands. It tells of nobody's rows, only of numbers and instants."""
    c = audit_seal.c
    newest = sa.select(c.number, c.sealed_at).order_by(c.number.desc()).limit(1)
    seal = work.connection.execute(newest).one_or_none()
    found = [
        Finding(Check(row.kind), row.at, row.faults, row.seal, row.checkpoints)
        for row in work.connection.execute(sa.select(audit_finding))
    ]
    with work.beyond_scope():
        waits = oldest_waiting(work)
    return LogState(
        seal=0 if seal is None else seal.number,
        sealed_at=None if seal is None else seal.sealed_at,
        oldest_waiting=waits,
        findings={each.kind: each for each in found},
    )
