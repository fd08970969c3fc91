"""A replay asked for in the browser: an organisation's last year under another version.

The worker decides the requests again; the job's result is what the page shows. It names requests
by their ids alone: who may read one sees it on its own page, with the reader's rights.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from app.approvals.errors import NotFound
from app.approvals.permissions import Action, check_can
from app.approvals.scope import replayed_requests
from app.audit import Event, record
from app.auth.model import Caller
from app.authoring.errors import BenchRefused
from app.authoring.replay.run import Replay, replay
from app.authoring.replay.stored import Stored, latest_outcomes, stored_forms
from app.db import jobs
from app.db.jobs import Job
from app.db.tables import job as job_table
from app.db.work import Work
from app.policy import Kind, PolicyVersion, from_resolved
from app.reconciliation.service import Desk, caller_of, caller_payload

JOB: Final = "replay policy"
KINDS: Final = (Kind.INITIATION, Kind.CONTINUATION)
YEAR: Final = dt.timedelta(days=365)
#: Of the requests that would change, so many are listed one by one.
LISTED: Final = 100
SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be replayed: the version, of which kind of request, against which other.

    Without `against` the outcome that the policy gave at the time is compared with. `draft` is the
    id of the draft that the version is of.
    """

    version: PolicyVersion
    kind: Kind
    against: PolicyVersion | None = None
    draft: str | None = None


def queue_replay(work: Work, caller: Caller, asked: Asked) -> str:
    """Queue it for the worker; the job's id, also of the same one that waits already.

    Raises BenchRefused for a kind that criteria do not decide.
    """
    check_can(caller, Action.REPLAY)
    if asked.kind not in KINDS:
        raise BenchRefused(f"Criteria decide only: {' and '.join(KINDS)}. Choose one of them.")
    payload = {
        "policy": asked.version.policy,
        "version": asked.version.version,
        "title": asked.version.title,
        "hash": asked.version.hash,
        "resolved": asked.version.resolved,
        "kind": asked.kind.value,
        "against": None if asked.against is None else asked.against.version,
        "against_resolved": None if asked.against is None else asked.against.resolved,
        "draft": asked.draft,
        "caller": caller_payload(caller),
    }
    waiting = _waiting(work, caller.organisation, payload)
    if waiting is not None:
        return waiting
    queued = jobs.enqueue(
        work, JOB, organisation=caller.organisation, created_by=caller.id, payload=payload
    )
    told = {name: payload[name] for name in ("version", "kind", "against")}
    event = Event(
        "policy replay asked",
        "policy",
        asked.version.policy[:60],
        after=told | {"job": queued},
        policy_hash=asked.version.hash,
    )
    record(work, caller.actor(), event)
    return queued


def _waiting(work: Work, organisation: str, payload: Mapping[str, Any]) -> str | None:
    column = job_table.c
    rows = work.connection.execute(
        sa.select(column.id, column.payload).where(
            column.organisation == organisation,
            column.kind == JOB,
            column.state.in_(("queued", "running")),
        )
    )
    same = ("hash", "kind", "against", "draft")
    wanted = [payload[name] for name in same]
    return next((r.id for r in rows if [r.payload.get(n) for n in same] == wanted), None)


def find_replay(work: Work, caller: Caller, job_id: str) -> Job:
    """A replay of the caller's organisation; NotFound for anything else."""
    check_can(caller, Action.REPLAY)
    found = jobs.find(work, job_id, caller.organisation)
    if found is None or found.kind != JOB:
        raise NotFound("replay")
    return found


def replays_of(work: Work, caller: Caller) -> tuple[Job, ...]:
    """The newest replays of the caller's organisation."""
    check_can(caller, Action.REPLAY)
    column = job_table.c
    rows = work.connection.execute(
        sa.select(job_table)
        .where(column.organisation == caller.organisation, column.kind == JOB)
        .order_by(column.created_at.desc(), column.id)
        .limit(SHOWN)
    )
    return tuple(Job(**row._asdict()) for row in rows)


def work_out(work: Work, desk: Desk, job: Job) -> dict[str, Any]:
    """Decide the last year's requests again; what the page shows, as JSON data.

    For the worker: it takes as long as there are requests. Only what is in the organisation's
    scope is looked at, on SQLite by this condition alone.
    """
    caller = caller_of(job.payload)
    version = from_resolved(job.payload["resolved"])
    other = job.payload["against_resolved"]
    before = None if other is None else from_resolved(other)
    kind = Kind(job.payload["kind"])
    last = work.moment.day
    first = last - YEAR
    outcomes = latest_outcomes(work, desk.files, caller.organisation)
    stored = stored_forms(
        work,
        version,
        kind,
        first,
        last,
        outcomes,
        of=replayed_requests(caller),
        before=before,
    )
    found = replay(stored.forms, version, kind)
    return {"first": first.isoformat(), "last": last.isoformat(), "runs": len(outcomes)} | told(
        found, stored
    )


def told(found: Replay, stored: Stored) -> dict[str, Any]:
    """A replay as JSON data; sums in pounds, as text."""
    return {
        "forms": found.forms,
        "changed_count": found.changed_count,
        "people": found.people,
        "matrix": [
            [before, after.value, count, str(found.spend.get((before, after), Decimal(0)))]
            for (before, after), count in sorted(found.matrix.items())
        ],
        "by_criterion": sorted(found.by_criterion.items(), key=lambda each: (-each[1], each[0])),
        "changed": [
            [each.id, each.before, each.after.value, list(each.criteria), str(each.spend)]
            for each in found.changed[:LISTED]
        ],
        "unreadable": len(stored.unreadable),
        "waived": len(stored.waived),
    }
