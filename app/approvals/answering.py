"""Answers on their way in, carried forward, and back out of the store for a replay."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.approvals.errors import AnswersNotAccepted
from app.approvals.model import PatientRecord, RevisionRecord
from app.policy import (
    Answer,
    AnswerFaults,
    Context,
    Kind,
    PolicyVersion,
    parse_answers,
    questions_for,
)

CARRIED = "carried forward"
TYPED = "typed"
CONTEXT_SEXES = ("male", "female")


def read_answers(
    version: PolicyVersion,
    kind: Kind,
    raw: Mapping[str, Any],
    *,
    decision_to_treat: dt.date,
    today: dt.date,
) -> dict[str, Answer]:
    """Typed answers; AnswersNotAccepted lists every fault."""
    try:
        return parse_answers(version, kind, raw, decision_to_treat=decision_to_treat, today=today)
    except AnswerFaults as error:
        raise AnswersNotAccepted(error.faults) from None


def carry_forward(
    version: PolicyVersion,
    kind: Kind,
    raw: Mapping[str, Any],
    earlier: tuple[RevisionRecord, ...],
) -> dict[str, Any]:
    """The raw answers with the carried questions filled from earlier requests, newest first.

    A baseline measured at the initiation is never typed again; one that the caller sends stands.
    What was typed or measured goes before copies of it: after a correction they are out of date.
    """
    answers = as_typed(raw)
    for question in questions_for(version, kind):
        if not question.carried:
            continue
        given = raw.get(question.name)
        stored = _baseline(question.name, earlier)
        if stored is None or not (given is None or _is_copy(given, stored)):
            continue
        answers[question.name] = {**stored, "origin": CARRIED}
    return answers


def as_typed(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's answers; that one was carried forward is for the service to say."""
    return {
        name: {**answer, "origin": TYPED}
        if isinstance(answer, Mapping) and answer.get("origin") == CARRIED
        else answer
        for name, answer in raw.items()
    }


def _baseline(name: str, earlier: tuple[RevisionRecord, ...]) -> Mapping[str, Any] | None:
    found = [r.answers[name] for r in reversed(earlier) if r.answers.get(name) is not None]
    original = [answer for answer in found if answer["origin"] != CARRIED]
    return next(iter(original or found), None)


def _is_copy(given: Any, stored: Mapping[str, Any]) -> bool:
    """Whether the caller sends back the carried answer that it was shown."""
    return (
        isinstance(given, Mapping)
        and given.get("origin") == CARRIED
        and str(given.get("value")) == str(stored["value"])
        and given.get("unit") == stored["unit"]
    )


def context_of(
    patient: PatientRecord, decision_to_treat: dt.date, first_dose: dt.date | None
) -> Context:
    """What the criteria may look at beside the answers."""
    sex = patient.sex if patient.sex in CONTEXT_SEXES else None
    return Context(
        decision_to_treat=decision_to_treat,
        first_dose=first_dose,
        birth_date=patient.birth_date,
        sex=sex,  # type: ignore[arg-type]
    )


def context_to_json(context: Context, today: dt.date) -> dict[str, Any]:
    """The context, and the day on which the answers were read, for the store."""
    return {
        "decision_to_treat": context.decision_to_treat.isoformat(),
        "first_dose": context.first_dose.isoformat() if context.first_dose else None,
        "birth_date": context.birth_date.isoformat() if context.birth_date else None,
        "sex": context.sex,
        "read_on": today.isoformat(),
    }


def context_from_json(stored: Mapping[str, Any]) -> tuple[Context, dt.date]:
    """The context as it was decided on, and the day on which the answers were read."""

    def day(name: str) -> dt.date | None:
        return dt.date.fromisoformat(stored[name]) if stored[name] else None

    decided = day("decision_to_treat")
    read_on = day("read_on")
    if decided is None or read_on is None:
        raise ValueError("a stored context always holds its decision day and reading day")
    return Context(decided, day("first_dose"), day("birth_date"), stored["sex"]), read_on


def answers_to_json(answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Typed answers as plain JSON: decimals and dates as text, ready to be read again."""
    return {
        name: {
            "value": _plain(answer.value),
            "unit": answer.unit,
            "measured_on": answer.measured_on.isoformat() if answer.measured_on else None,
            "origin": answer.origin,
        }
        for name, answer in answers.items()
    }


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value
