"""What must hold of a database, whatever befell the service: nothing lost, twice or half there."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.approvals.claiming import CLAIMED
from app.audit import Keyring, verify_rows
from app.audit.verify_seals import verify_seals
from app.db.tables import (
    approval,
    audit_event,
    decision,
    idempotent_answer,
    job,
    reconciliation_run,
    request,
    segment,
    submission,
    treatment,
)
from app.db.work import Work
from app.reconciliation import rematching
from tests.faults.ledger import Kept, Ledger

NO = "NOT EXISTS (SELECT 1 FROM"
LIVE = "('live', 'under query')"
#: What is half there → a query that finds it.
HALF = {
    "an answer without its text": "SELECT request_id FROM idempotent_answer "
    "WHERE status IS NULL OR body IS NULL",
    "a request without its answers": f"SELECT id FROM request r WHERE {NO} request_revision v "
    "WHERE v.request_id = r.id)",
    "a request without its event": f"SELECT id FROM request r WHERE {NO} audit_event e "
    "WHERE e.object_type = 'request' AND e.object_id = r.id)",
    "an initiation without a decision": "SELECT id FROM request r WHERE kind = 'initiation' "
    f"AND {NO} decision d WHERE d.request_id = r.id)",
    "a decision without its event": f"SELECT id FROM decision d WHERE {NO} audit_event e "
    "WHERE e.object_type = 'request' AND e.object_id = d.request_id "
    "AND e.action LIKE 'decision:%')",
    "an approved initiation without its approval": "SELECT id FROM request r "
    f"WHERE kind = 'initiation' AND state = 'approved' AND {NO} approval a "
    "WHERE a.request_id = r.id)",
    "an approval without its decision": f"SELECT id FROM approval a WHERE {NO} decision d "
    "WHERE d.id = a.decision_id)",
    "an approval without a segment": f"SELECT id FROM approval a WHERE {NO} segment s "
    "WHERE s.approval_id = a.id)",
    "an approval without its event": f"SELECT id FROM approval a WHERE {NO} audit_event e "
    "WHERE e.object_type = 'approval' AND e.object_id = a.id)",
    "a live approval whose treatment is not marked live": "SELECT id FROM approval a "
    f"WHERE state IN {LIVE} AND {NO} live_treatment l WHERE l.treatment_id = a.treatment_id)",
    "a treatment marked live without an approval": "SELECT treatment_id FROM live_treatment l "
    f"WHERE {NO} approval a WHERE a.treatment_id = l.treatment_id)",
    "a treatment without a request": f"SELECT id FROM treatment t WHERE {NO} request r "
    "WHERE r.treatment_id = t.id)",
    "a patient without a treatment": f"SELECT id FROM patient p WHERE {NO} treatment t "
    "WHERE t.patient_id = p.id)",
    "an event of a request that is not there": "SELECT object_id FROM audit_event e "
    f"WHERE object_type = 'request' AND {NO} request r WHERE r.id = e.object_id)",
    "an event of an approval that is not there": "SELECT object_id FROM audit_event e "
    f"WHERE object_type = 'approval' AND {NO} approval a WHERE a.id = e.object_id)",
    "a job done without its run": "SELECT id FROM job WHERE state = 'done' AND result IS NULL",
}
#: What is there twice → a query that finds it. Each invented patient is given the drug once.
TWICE = {
    "two initiations for one patient": "SELECT t.patient_id FROM request r "
    "JOIN treatment t ON t.id = r.treatment_id WHERE r.kind = 'initiation' "
    "GROUP BY t.patient_id HAVING count(*) > 1",
    "two approvals of one treatment": "SELECT treatment_id FROM approval "
    "GROUP BY treatment_id HAVING count(*) > 1",
    "two stops of one treatment": "SELECT treatment_id FROM request WHERE kind = 'stop' "
    "GROUP BY treatment_id HAVING count(*) > 1",
    "a first dose recorded twice": "SELECT object_id FROM audit_event "
    "WHERE action = 'first dose recorded' GROUP BY object_id HAVING count(*) > 1",
    "a treatment claimed twice": "SELECT object_id FROM audit_event "
    f"WHERE action = '{CLAIMED}' GROUP BY object_id HAVING count(*) > 1",
}


@dataclass
class Findings:
    """Faults in words, each with an id to look for."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)  # audit log, files, differing answers

    def all(self) -> list[str]:
        """Every fault."""
        return [*self.lost, *self.twice, *self.half, *self.unsound]


def check(work: Work, told: Ledger, since: set[str], files: Path, audit_key: bytes) -> Findings:
    """Hold one consistent state of the database against what the clients were told before.

    Acknowledgements in `since` were checked in an earlier round and are left out.
    """
    found = Findings()
    for request_id, kept in told.acknowledged.items():
        if request_id not in since:
            found.lost += [f"{kept.call.what} {request_id}: {what}" for what in _gone(work, kept)]
    found.half += _rows(work, HALF)
    found.twice += _rows(work, TWICE)
    found.twice += _without_answer(work)
    found.half += _refused_but_kept(work, told)
    found.unsound += [f"two answers to {request_id}" for request_id in told.differing]
    keys = Keyring.of(audit_key)
    found.unsound += [str(fault) for fault in verify_rows(work, keys)]
    found.unsound += [str(fault) for fault in verify_seals(work, keys)]
    found.unsound += damaged_files(work, files)
    return found


def _rows(work: Work, queries: dict[str, str]) -> list[str]:
    return [
        f"{what}: {value}"
        for what, query in queries.items()
        for value in work.connection.execute(sa.text(query)).scalars()
    ]


def _one(work: Work, column: sa.Column[Any], value: str) -> Any:
    """The row with this value, or None unless there is exactly one."""
    rows = work.connection.execute(sa.select(column.table).where(column == value)).all()
    return rows[0] if len(rows) == 1 else None


def _gone(work: Work, kept: Kept) -> Iterator[str]:
    """What is missing of an acknowledged call."""
    answer = _one(work, idempotent_answer.c.request_id, kept.call.request_id)
    if answer is None:
        yield "its answer is not kept"
    elif answer.body is None:
        yield "its answer is begun and not kept"
    elif (answer.status, answer.body.encode()) != (kept.reply.status, kept.reply.body):
        yield "another answer is kept"
    told = json.loads(kept.reply.body)
    yield from SUBJECTS[kept.call.what](work, told)


def _gone_request(work: Work, told: Any) -> Iterator[str]:
    found = _one(work, request.c.id, told["id"])
    if found is None:
        yield "the request is not there"
        return
    if not _counted(work, audit_event, audit_event.c.object_id == told["id"]):
        yield "the request has no event"
    if found.version < told["version"]:
        yield "the request is older than was told"
    decided = _counted(work, decision, decision.c.request_id == told["id"])
    if decided < len(told["decisions"]):
        yield "a decision is not there"
    if told["approval"] is not None:
        yield from _gone_approval(work, told["approval"]["reference"])


def _gone_approval(work: Work, reference: str) -> Iterator[str]:
    found = _one(work, approval.c.reference, reference)
    if found is None:
        yield "the approval is not there"
        return
    if not _counted(work, segment, segment.c.approval_id == found.id):
        yield "the approval covers nothing"
    if not _counted(work, audit_event, audit_event.c.object_id == found.id):
        yield "the approval has no event"


def _gone_first_dose(work: Work, told: Any) -> Iterator[str]:
    found = _one(work, treatment.c.id, told["id"])
    if found is None or str(found.first_dose) != told["first_dose"]:
        yield "the first dose is not there"
    if not _counted(work, audit_event, audit_event.c.object_id == told["id"]):
        yield "the treatment has no event"


def _gone_submission(work: Work, told: Any) -> Iterator[str]:
    if _one(work, submission.c.id, told["submission"]["id"]) is None:
        yield "the submission is not there"
    if not _counted(work, audit_event, audit_event.c.object_id == told["submission"]["id"]):
        yield "the submission has no event"
    if _one(work, job.c.id, told["job"]) is None:
        yield "its job is not there"


def _gone_claim(work: Work, told: Any) -> Iterator[str]:
    if not told["found"]:
        return
    of = approval.c.reference == told["reference"]
    treated = work.connection.scalar(sa.select(approval.c.treatment_id).where(of))
    claims = sa.and_(audit_event.c.treatment_id == treated, audit_event.c.action == CLAIMED)
    if not _counted(work, audit_event, claims):
        yield "the claim has no event"


SUBJECTS: dict[str, Callable[[Work, Any], Iterator[str]]] = {
    "initiation": _gone_request,
    "amendment": _gone_request,
    "stop": _gone_request,
    "first dose": _gone_first_dose,
    "claim": _gone_claim,
    "submission": _gone_submission,
}


def _counted(work: Work, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(where)
    return int(work.connection.execute(query).scalar_one())


def _without_answer(work: Work) -> Iterator[str]:
    """Requests and jobs that no kept answer tells of: each write keeps its answer with it."""
    c = idempotent_answer.c
    rows = work.connection.execute(sa.select(c.route, c.body).where(c.body.is_not(None))).all()
    bodies = [(row.route, json.loads(row.body)) for row in rows]
    answered = {body["id"] for route, body in bodies if route.endswith("/requests")}
    for id_ in work.connection.execute(sa.select(request.c.id)).scalars():
        if id_ not in answered:
            yield f"a request that no answer tells of: {id_}"
    queued = {body["job"] for route, body in bodies if route.endswith("/submissions")}
    # The worker queues jobs of its own, for what changes of approvals made out of date.
    asked = sa.select(job.c.id).where(job.c.created_by != rematching.OWN)
    for id_ in work.connection.execute(asked).scalars():
        if id_ not in queued:
            yield f"a job that no answer tells of: {id_}"


def _refused_but_kept(work: Work, told: Ledger) -> Iterator[str]:
    for request_id in set(told.refused) - set(told.acknowledged):
        if _one(work, idempotent_answer.c.request_id, request_id) is not None:
            yield f"a refused call that was kept: {request_id}"


def damaged_files(work: Work, files: Path) -> Iterator[str]:
    """Submissions and runs whose file is not, byte for byte, the one that the row names."""
    s, r = submission.c, reconciliation_run.c
    named = [
        *work.connection.execute(sa.select(s.organisation, s.sha256, s.sha256)).all(),
        *work.connection.execute(
            sa.select(r.organisation, r.outcomes_file, r.outcomes_sha256)
        ).all(),
    ]
    for organisation, name, digest in named:
        found = list((files / organisation).glob(f"*/{name}"))
        if [hashlib.sha256(path.read_bytes()).hexdigest() for path in found] != [digest]:
            yield f"a stored file that is gone or damaged: {name}"
