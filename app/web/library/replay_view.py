"""A replay in words: who would change, by which criterion, and the money behind it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.authoring.replay.jobs import KINDS
from app.db.jobs import Job
from app.policy import Kind, Outcome, PolicyVersion, questions_for
from app.web.decision import Colour
from app.web.words import first_upper, instant_words

_STATES: Final[dict[str, tuple[str, Colour]]] = {
    "queued": ("Waits for its turn", "grey"),
    "running": ("Being worked out", "blue"),
    "done": ("Done", "green"),
    "failed": ("Stopped", "orange"),
}


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One replay of the list."""

    href: str
    title: str
    what: str
    state: str
    colour: Colour
    asked: str


def replay_rows(found: Sequence[Job]) -> tuple[ReplayRow, ...]:
    """The replays, as `replays_of` orders them."""
    return tuple(_row(each) for each in found)


def _row(job: Job) -> ReplayRow:
    words, colour = _STATES[job.state]
    if job.result is not None:
        words = f"{job.result['changed_count']:,} of {job.result['forms']:,} would change"
    return ReplayRow(
        f"/replays/{job.id}",
        job.payload["title"],
        asked_words(job.payload),
        words,
        colour,
        instant_words(job.created_at),
    )


def asked_words(payload: dict[str, Any]) -> str:
    """What was asked, such as "Initiations under the draft of 2026-01-01, against 2024-05-01"."""
    text = "the draft of " if payload["draft"] else ""
    against = payload["against"] or "what was decided then"
    kind = first_upper(payload["kind"])
    return f"{kind}s under {text}{payload['version']}, against {against}"


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """How many requests go from one outcome to another, and the spend of their approvals."""

    before: str
    after: str
    changes: bool
    count: int
    spend: Decimal


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """One request that would change. Its page shows it with its reader's rights."""

    href: str
    name: str
    before: str
    after: str
    criteria: str
    spend: Decimal


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """What a replay came to."""

    matrix: tuple[MatrixRow, ...]
    by_criterion: tuple[tuple[str, int], ...]
    changed: tuple[ChangedRow, ...]
    touched: Decimal
    lost: Decimal
    more: int


def outcome_of(job: Job, *, may_read: bool) -> OutcomeView | None:
    """The outcome in rows; None until it is done. Requests are listed for who may read them."""
    result = job.result
    if job.state != "done" or result is None:
        return None
    matrix = tuple(
        MatrixRow(first_upper(was), first_upper(now), was != now, count, Decimal(spend))
        for was, now, count, spend in result["matrix"]
    )
    approved = first_upper(Outcome.APPROVED.value)
    listed = result["changed"] if may_read else []
    return OutcomeView(
        matrix=matrix,
        by_criterion=tuple((name, count) for name, count in result["by_criterion"]),
        changed=tuple(
            ChangedRow(
                f"/requests/{id_}",
                id_[:8],
                first_upper(was),
                first_upper(now),
                ", ".join(criteria),
                Decimal(spend),
            )
            for id_, was, now, criteria, spend in listed
        ),
        touched=sum((row.spend for row in matrix if row.changes), Decimal(0)),
        lost=sum(
            (row.spend for row in matrix if row.changes and row.before == approved), Decimal(0)
        ),
        more=result["changed_count"] - len(listed) if may_read else 0,
    )


def usual_other(version: PolicyVersion, others: Sequence[PolicyVersion]) -> str:
    """The version before, which a reader mostly wants to compare with; "" where there is none."""
    earlier = [
        each
        for each in others
        if (each.in_force.from_, each.version) < (version.in_force.from_, version.version)
    ]
    return earlier[0].version if earlier else ""


def kinds_of(version: PolicyVersion) -> tuple[tuple[str, str], ...]:
    """The kinds of request that criteria decide under a version."""
    words = {Kind.INITIATION: "Requests to start", Kind.CONTINUATION: "Requests to continue"}
    return tuple((kind.value, words[kind]) for kind in KINDS if questions_for(version, kind))
