"""Answers that changed after the policy's criteria were not met, in what had failed.

There are good reasons for it (a new measurement, a slip of the pen) and a bad one: answering until
it passes. Nothing is refused for it. It stands in the request's trail, and a report lists it for
people who may open both requests.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, select

from app.approvals.answering import answers_to_json
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import DecisionRecord, RequestRecord, TreatmentRecord
from app.approvals.permissions import Action, check_can
from app.approvals.scope import visible_requests
from app.audit import Event, record
from app.audit.store import entries_where
from app.auth.model import Caller
from app.clock import london_midnight
from app.db import tables
from app.db.work import Work
from app.policy import Answer, Outcome

ACTION: Final = "answers changed after a refusal"
_COMPARED: Final = ("value", "unit", "measured_on")


@dataclass(frozen=True, slots=True)
class ChangedAnswers:
    """One decision whose answers differ from the refusal before it. No answer is shown.

    `questions` and `criteria` are None once the audit payload has been erased.
    """

    at: dt.datetime
    request_id: str
    refused_request: str | None
    policy: str
    provider: str
    by: str
    outcome: str | None
    criteria: tuple[str, ...] | None
    questions: tuple[str, ...] | None


def note_changed_answers(
    work: Work,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    answers: Mapping[str, Answer],
    decision: DecisionRecord,
) -> None:
    """Record it when a decision comes after a refusal on the same treatment, policy and kind.

    The refusal is the last decision of the policy before this one, those that only asked for more
    left out: taking an answer away and giving another one does not hide it.
    """
    before = _last_before(work, request, decision)
    if before is None or before.outcome != Outcome.CRITERIA_NOT_MET:
        return
    questions = changed_questions(before.findings, before.answers, answers_to_json(answers))
    if not questions:
        return
    event = Event(
        action=ACTION,
        object_type="request",
        object_id=request.id,
        treatment_id=treatment.id,
        request_id=request.id,
        patient_id=treatment.patient_id,
        after={
            "refused_request": before.request_id,
            "criteria": [finding["criterion"] for finding in failed(before.findings)],
            "questions": list(questions),
            "outcome": decision.outcome,
        },
        policy_hash=request.policy_hash,
    )
    record(work, caller.actor(), event)


def changed_questions(
    findings: Sequence[Mapping[str, Any]], before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[str, ...]:
    """The questions answered otherwise that a failed criterion looked at.

    A finding names a derived value by its own name; what a count was made of it does not say, so
    that then every changed list counts as looked at.
    """
    looked = {name for finding in failed(findings) for name in _looked_at(finding["part"])}
    counted = bool(looked - before.keys() - after.keys())
    changed = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if _content(one) == _content(other):
            continue
        is_list = any(isinstance((each or {}).get("value"), list) for each in (one, other))
        if name in looked or (counted and is_list):
            changed.append(name)
    return tuple(changed)


def failed(findings: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The findings that a decision *criteria not met* rests on."""
    return tuple(finding for finding in findings if is_failure(finding))


def is_failure(finding: Mapping[str, Any]) -> bool:
    """Whether a criterion failed, was not overridden, and nobody else is asked about it."""
    if finding.get("overridden"):
        return False
    wrong = "met" if finding["section"] == "stop" else "not met"
    return bool(finding["result"] == wrong and finding["on_failure"] == "not met")


def changed_answers(
    work: Work, caller: Caller, first: dt.date, last: dt.date, policy: str | None = None
) -> tuple[ChangedAnswers, ...]:
    """What was recorded between two Europe/London days, both counted, oldest first.

    Of requests that the caller's organisation may see. DetailsNotAccepted where the days are the
    wrong way round.
    """
    check_can(caller, Action.REPORT)
    if last < first:
        raise DetailsNotAccepted("to", "The period ends before it begins. Swap the two days.")
    request, event = tables.request.c, tables.audit_event.c
    conditions = [visible_requests(caller)]
    if policy is not None:
        conditions.append(request.policy == policy)
    ids = select(request.id).where(and_(*conditions))
    entries = entries_where(
        work,
        and_(
            event.action == ACTION,
            event.at >= london_midnight(first),
            event.at < london_midnight(last + dt.timedelta(days=1)),
            event.request_id.in_(ids),
        ),
    )
    found = select(request.id, request.policy).where(
        request.id.in_({entry.object_id for entry in entries})
    )
    policies = {row.id: row.policy for row in work.connection.execute(found)}
    return tuple(
        ChangedAnswers(
            at=entry.at,
            request_id=entry.object_id,
            refused_request=(entry.after or {}).get("refused_request"),
            policy=policies[entry.object_id],
            provider=entry.actor.organisation,
            by=entry.actor.id,
            outcome=(entry.after or {}).get("outcome"),
            criteria=None if entry.after is None else tuple(entry.after["criteria"]),
            questions=None if entry.after is None else tuple(entry.after["questions"]),
        )
        for entry in entries
    )


@dataclass(frozen=True, slots=True)
class _Before:
    request_id: str
    outcome: str
    findings: list[dict[str, Any]]
    answers: dict[str, Any]


def _last_before(work: Work, request: RequestRecord, decision: DecisionRecord) -> _Before | None:
    """The policy's last decision on a request of this treatment, policy and kind, before this."""
    d, r, v = tables.decision.c, tables.request.c, tables.request_revision.c
    query = (
        select(d.request_id, d.outcome, d.findings, v.answers)
        .join_from(tables.decision, tables.request, r.id == d.request_id)
        .join(
            tables.request_revision,
            and_(v.request_id == d.request_id, v.revision == d.revision),
        )
        .where(
            r.treatment_id == request.treatment_id,
            r.policy == request.policy,
            r.kind == request.kind,
            d.made_by == "policy",
            d.outcome != Outcome.MORE_INFORMATION_NEEDED,
            d.id != decision.id,
        )
        .order_by(d.decided_at.desc(), d.number.desc())
        .limit(1)
    )
    row = work.connection.execute(query).one_or_none()
    return None if row is None else _Before(row.request_id, row.outcome, row.findings, row.answers)


def _looked_at(part: Mapping[str, Any]) -> Iterator[str]:
    yield from (each["name"] for each in part["looked_at"])
    for below in part["parts"]:
        yield from _looked_at(below)


def _content(answer: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    return None if answer is None else tuple(answer.get(part) for part in _COMPARED)
