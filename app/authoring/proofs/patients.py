"""Patients out of the prover's models, always held against the evaluator before they are shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import z3

from app.authoring.proofs.symbols import Encoder, Input
from app.authoring.reading import Reading
from app.policy import (
    AnswerFaults,
    Context,
    Kind,
    PolicyDecision,
    PolicyVersion,
    Question,
    QuestionType,
    decide,
    label_of,
    parse_answers,
    questions_for,
)
from app.policy.names import BUILT_IN, BUILT_IN_LABELS


@dataclass(frozen=True, slots=True)
class Patient:
    """An invented request: its context, and raw answers as they would reach a door."""

    context: Context
    answers: Mapping[str, Any]
    today: dt.date

    def lines(self, version: PolicyVersion) -> Iterator[str]:
        """The patient in plain words, a line for each thing known."""
        for name in ("decision_to_treat", "first_dose", "birth_date", "sex"):
            value = getattr(self.context, name)
            if value is not None:
                yield f"{BUILT_IN_LABELS[name]}: {value}"
        for name, raw in self.answers.items():
            yield f"{label_of(version, name)}: {in_words(version.questions[name], raw)}"


def in_words(question: Question, raw: Any) -> str:
    """A raw answer in words."""
    value = raw["value"] if isinstance(raw, Mapping) else raw
    if question.type is QuestionType.LIST:
        rows = [
            ", ".join(
                f"{question.fields[name].label}: {in_words(question.fields[name], cell)}"
                for name, cell in row.items()
            )
            for row in value
        ]
        return "none" if not rows else "; ".join(f"({row or 'nothing answered'})" for row in rows)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if question.type is QuestionType.CHOICE:
        return question.options.get(str(value), str(value))
    return f"{value} {question.unit}" if question.unit else str(value)


def replayed(version: PolicyVersion, kind: Kind, patient: Patient) -> PolicyDecision | None:
    """The evaluator's decision on a patient; None where the form would refuse an answer."""
    try:
        answers = parse_answers(
            version,
            kind,
            patient.answers,
            decision_to_treat=patient.context.decision_to_treat,
            today=patient.today,
        )
    except AnswerFaults:
        return None
    return decide(version, kind, answers, patient.context)


def patient_of(
    model: Any, encoder: Encoder, reading: Reading, kind: Kind, suffixes: Mapping[str, str]
) -> Patient:
    """The patient of a model, as the form of one version and kind would hold it."""
    version = reading.version
    read = _Reader(model, encoder)
    found = {name: read.value(encoder.inputs[name]) for name in BUILT_IN if name in encoder.inputs}
    decided = found.get("decision_to_treat") or version.in_force.from_
    answers = {}
    for question in questions_for(version, kind):
        key = question.name + suffixes.get(question.name, "")
        if key in encoder.inputs:
            value = read.value(encoder.inputs[key])
            if value is not None:
                answers[question.name] = _own_fields(question, value)
    context = Context(decided, found.get("first_dose"), found.get("birth_date"), found.get("sex"))
    return Patient(context, answers, max([decided, *_days(answers)]))


def _own_fields(question: Question, value: Any) -> Any:
    """A list's rows with only the fields that this form asks; other values as they are."""
    if question.type is not QuestionType.LIST:
        return value
    return [{k: cell for k, cell in row.items() if k in question.fields} for row in value]


def _days(answers: Mapping[str, Any]) -> Iterator[dt.date]:
    for value in answers.values():
        if isinstance(value, dt.date):
            yield value
        elif isinstance(value, list):
            yield from (day for row in value for day in row.values() if isinstance(day, dt.date))


class _Reader:
    """Reads variables of a model as raw answers."""

    def __init__(self, model: Any, encoder: Encoder) -> None:
        self.model = model
        self.encoder = encoder

    def _true(self, term: Any) -> bool:
        return bool(z3.is_true(self.model.eval(term, model_completion=True)))

    def value(self, source: Input) -> Any:
        """The raw answer, or None where it is not answered."""
        if not self._true(source.sym.known):
            return None
        question = source.question
        if question is not None and question.type is QuestionType.LIST:
            present = [row for row in source.rows if self._true(row.present)]
            return [self._row(row.fields) for row in present]
        if question is not None and question.type is QuestionType.TEXT:
            return "text"
        return self._scalar(source)

    def _row(self, fields: Mapping[str, Input]) -> dict[str, Any]:
        cells = {name: self.value(cell) for name, cell in fields.items()}
        return {name: value for name, value in cells.items() if value is not None}

    def _scalar(self, source: Input) -> Any:
        found = self.model.eval(source.sym.low, model_completion=True)
        kind = source.question.type if source.question is not None else None
        if z3.is_true(found) or z3.is_false(found):
            return bool(z3.is_true(found))
        if kind in (QuestionType.NUMBER, QuestionType.INTEGER):
            exact = found.as_fraction() if z3.is_rational_value(found) else found.as_long()
            number = Decimal(exact.numerator) / Decimal(exact.denominator)
            text = format(number.normalize() + 0, "f")
            unit = source.question.unit if source.question is not None else None
            return text if unit is None else {"value": text, "unit": unit}
        number = found.as_long()
        if kind is QuestionType.CHOICE or source.name == "sex":
            return self.encoder.option_of(number)
        return dt.date.fromordinal(number)
