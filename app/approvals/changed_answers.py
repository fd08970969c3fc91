"""Answers that changed after the policy's criteria were not met, in what had failed.

There are good reasons for it (a new measurement, a slip of the pen) and a bad one: answering until
it passes. Nothing is refused for it. It stands in the request's trail, and a report lists it for
people who may open both requests.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, and_, exists, func, select, text, tuple_

from app.approvals.answering import answers_to_json
from app.approvals.counting import check_period
from app.approvals.model import DecisionRecord, RequestRecord, TreatmentRecord
from app.approvals.permissions import Action, check_can
from app.approvals.report_sums import CHANGED, split, summed_rows
from app.approvals.scope import visible_requests
from app.audit import Event, record
from app.audit.store import entries_where
from app.auth.model import Caller
from app.clock import london_midnight
from app.db import tables
from app.db.work import Work
from app.policy import Answer, Outcome

ACTION: Final = "answers changed after a refusal"
#: Events read in one query.
_AT_ONCE: Final = 500
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
    treatment_id: str | None = None
    event: int = 0


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list of them stands: at one event, by its instant and its row."""

    at: dt.datetime
    event: int


def place_of(each: ChangedAnswers) -> tuple[dt.datetime, int]:
    """The key of a row, as a place has it."""
    return each.at, each.event


def changed_answers(
    work: Work, caller: Caller, first: dt.date, last: dt.date, policy: str | None = None
) -> tuple[ChangedAnswers, ...]:
    """All that was recorded between two Europe/London days, both counted, oldest first.

    Of requests that the caller's organisation may see. DetailsNotAccepted where the days are the
    wrong way round, or more than a year apart.
    """
    check_can(caller, Action.REPORT)
    check_period(first, last)
    found = _events(work, changed_query(caller, first, last, policy))
    return tuple(
        each
        for start in range(0, len(found), _AT_ONCE)
        for each in _told(work, found[start : start + _AT_ONCE])
    )[::-1]


def newest_changed(
    work: Work,
    caller: Caller,
    first: dt.date,
    last: dt.date,
    policy: str | None,
    most: int,
    after: Place | None = None,
) -> tuple[tuple[ChangedAnswers, ...], int]:
    """The newest `most`, or those behind a place, newest first; and how many the period has.

    Of the same as `changed_answers`.
    """
    check_can(caller, Action.REPORT)
    check_period(first, last)
    event = tables.audit_event.c
    query = changed_query(caller, first, last, policy)
    if after is not None:
        query = query.where(tuple_(event.at, event.id) < tuple_(after.at, after.event))
    many = _how_many(work, caller, first, last, policy)
    return _told(work, _events(work, query.limit(most))), many


def _how_many(work: Work, caller: Caller, first: dt.date, last: dt.date, policy: str | None) -> int:
    """How many a period has: of the months that are summed by their sums.

    An event stays as it is, and no request changes hands, so that nothing of them changes.
    """
    whole = split(work, first, last)
    of_policy = () if policy is None else (tables.report_sum.c.policy == policy,)
    many: int = sum(
        row.requests for row in summed_rows(work, caller, CHANGED, (), whole, of_policy)
    )
    for since, until in whole.live:
        found = changed_query(caller, since, until, policy).order_by(None).subquery()
        with work.beyond_scope():
            many += work.connection.scalars(select(func.count()).select_from(found)).one()
    return many


def changed_query(
    caller: Caller, first: dt.date, last: dt.date, policy: str | None
) -> Select[tuple[int]]:
    """The rows of such events between two days, newest first: a walk along their own index.

    It holds these events alone, whosever they are: each leads to its request by the key, which
    says whether the caller may see it.
    """
    request, event = tables.request.c, tables.audit_event.c
    seen = [request.id == event.request_id, visible_requests(caller)]
    if policy is not None:
        seen.append(request.policy == policy)
    return (
        select(event.id)
        .where(
            text(tables.CHANGED_ANSWERS),
            event.at >= london_midnight(first),
            event.at < london_midnight(last + dt.timedelta(days=1)),
            # Not a join, which SQLite would begin at all requests of the organisation.
            exists(select(request.id).where(*seen).correlate(tables.audit_event)),
        )
        .order_by(event.at.desc(), event.id.desc())
    )


def _events(work: Work, query: Select[tuple[int]]) -> Sequence[int]:
    # Row-level security would look into the treatment of each event that the walk passes; the
    # query itself asks who may see the request, and what is told is read within the scope. Both
    # come to the same: test_list_plans.py holds one against the other.
    with work.beyond_scope():
        return list(work.connection.scalars(query))


def _told(work: Work, events: Sequence[int]) -> tuple[ChangedAnswers, ...]:
    """What these events say, newest first."""
    entries = entries_where(work, tables.audit_event.c.id.in_(events)) if events else ()
    request = tables.request.c
    found = select(request.id, request.policy).where(
        request.id.in_({entry.object_id for entry in entries})
    )
    policies = {row.id: row.policy for row in work.connection.execute(found)}
    told = (
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
            treatment_id=entry.treatment_id,
            event=entry.id,
        )
        for entry in entries
    )
    return tuple(sorted(told, key=place_of, reverse=True))


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
