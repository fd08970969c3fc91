"""What the prover said of a text, kept by its hash: worked out by the worker, never by a page."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.audit import Event, record
from app.auth.model import Caller
from app.authoring import prover
from app.db import jobs
from app.db.tables import job as job_table
from app.db.tables import policy_proof
from app.db.work import Work
from app.policy import PolicyVersion

JOB: Final = "prove policy"
JOB_OF_TWO: Final = "prove two versions"
EFFORT: Final = 10_000_000
"""The most work for one question, in z3's steps."""


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """One sentence about a text: proven, counter-example or not decided."""

    outcome: str
    text: str
    fault: bool
    why: str = ""
    mend: str = ""
    patients: Sequence[str] = ()  # lines: a title that ends in a colon, then what such a one has

    @property
    def titles(self) -> tuple[str, ...]:
        """Those of the lines that say under which version such a patient passes."""
        return tuple(line for line in self.patients if line.endswith("alone:"))


@dataclass(frozen=True, slots=True)
class StoredProof:
    """What was proved of a text, by which prover, when. `faults` must be mended."""

    hash: str
    prover: str
    claims: tuple[StoredClaim, ...]
    faults: int
    recorded_at: dt.datetime


def stored_proof(work: Work, digest: str) -> StoredProof | None:
    """The proofs of the text of a hash; None where none were run."""
    row = work.connection.execute(
        sa.select(policy_proof).where(policy_proof.c.hash == digest)
    ).one_or_none()
    if row is None:
        return None
    claims = tuple(StoredClaim(**each) for each in row.claims)
    return StoredProof(row.hash, row.prover, claims, row.faults, row.recorded_at)


def queue_proof(work: Work, caller: Caller, version: PolicyVersion) -> str | None:
    """Ask the worker for a text's proofs; the job's id, or None where they are stored already.

    Raises ProverAbsent where this installation has no prover. The job carries the resolved text:
    a draft's is stored nowhere else.
    """
    prover.require()
    if stored_proof(work, version.hash) is not None:
        return None
    payload = {"hash": version.hash, "resolved": version.resolved}
    return _queue(work, caller, JOB, version, payload)


def queue_comparison(
    work: Work, caller: Caller, first: PolicyVersion, second: PolicyVersion
) -> str | None:
    """Ask the worker what a second version does to a first; as `queue_proof`."""
    prover.require()
    if stored_proof(work, pair_of(first, second)) is not None:
        return None
    payload = {
        "hash": pair_of(first, second),
        "resolved": second.resolved,
        "against": first.version,
        "against_resolved": first.resolved,
    }
    return _queue(work, caller, JOB_OF_TWO, second, payload)


def pair_of(first: PolicyVersion, second: PolicyVersion) -> str:
    """What the proofs between two texts are kept by: a digest of both hashes, in this order."""
    return hashlib.sha256(f"{first.hash} {second.hash}".encode()).hexdigest()


def _queue(
    work: Work, caller: Caller, kind: str, version: PolicyVersion, payload: dict[str, Any]
) -> str:
    waiting = waiting_proof(work, caller.organisation, payload["hash"])
    if waiting is not None:
        return waiting
    queued = jobs.enqueue(
        work, kind, organisation=caller.organisation, created_by=caller.id, payload=payload
    )
    after = {"version": version.version, "job": queued}
    if "against" in payload:
        after["against"] = payload["against"]
    event = Event(
        "policy proof asked", "policy", version.policy[:60], after=after, policy_hash=version.hash
    )
    record(work, caller.actor(), event)
    return queued


def waiting_proof(work: Work, organisation: str, digest: str) -> str | None:
    """The organisation's job that is to prove a text and is not over; None without one."""
    column = job_table.c
    rows = work.connection.execute(
        sa.select(column.id, column.payload).where(
            column.organisation == organisation,
            column.kind.in_((JOB, JOB_OF_TWO)),
            column.state.in_(("queued", "running")),
        )
    )
    return next((row.id for row in rows if row.payload.get("hash") == digest), None)


def prove(version: PolicyVersion) -> tuple[str, list[dict[str, Any]]]:
    """The prover's name and its claims on a version. Raises ProverAbsent; takes seconds."""
    prover.require()
    import z3

    from app.authoring.proofs.claims import Proof
    from app.authoring.proofs.one import prove_version

    claims, near = prove_version(version, EFFORT)
    found = [
        StoredClaim(each.outcome.value, f"{each.text}.", each.fault, each.why, each.mend)
        for each in claims
    ]
    for miss in near:
        match miss.outcome:
            case Proof.COUNTER_EXAMPLE:
                said, outcome = f"A patient can fail {miss.criterion} alone.", "shown"
            case Proof.PROVEN:
                said, outcome = f"{miss.criterion} never fails alone.", "proven"
            case Proof.NOT_DECIDED:
                said, outcome = f"Whether {miss.criterion} can fail alone.", "not decided"
        found.append(StoredClaim(outcome, said, miss.fault, miss.why))
    kept = [
        {"outcome": c.outcome, "text": c.text, "fault": c.fault, "why": c.why, "mend": c.mend}
        for c in found
    ]
    return f"z3 {z3.get_version_string()}"[:40], kept


def compare(
    first: PolicyVersion, second: PolicyVersion, effort: int = EFFORT
) -> tuple[str, list[dict[str, Any]]]:
    """The prover's name and what the second version does to the first. As `prove`.

    A patient who passes under one alone is invented by the prover, and was decided by both.
    """
    prover.require()
    import z3

    from app.authoring.proofs.two import compare_versions
    from app.authoring.prove_text import comparison_claims

    claims = comparison_claims(first, second, compare_versions(first, second, effort))
    return f"z3 {z3.get_version_string()}"[:40], claims


def keep_proof(work: Work, digest: str, name: str, claims: Sequence[Mapping[str, Any]]) -> None:
    """Store what was proved; of two at once the first stays."""
    dialect = postgresql if work.on_postgres else sqlite
    faults = sum(bool(each["fault"]) for each in claims)
    work.connection.execute(
        dialect.insert(policy_proof)
        .values(
            hash=digest,
            prover=name,
            claims=list(claims),
            faults=faults,
            recorded_at=work.moment.instant,
        )
        .on_conflict_do_nothing()
    )
