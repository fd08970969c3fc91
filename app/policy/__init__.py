"""Policies as dated text: loading them, asking their questions, deciding by them. Pure."""

from app.policy.answers import parse_answers
from app.policy.decision_json import decision_from_json, decision_to_json
from app.policy.errors import AnswerFault, AnswerFaults, Fault, PolicyFileFaults
from app.policy.evaluate import decide, label_of
from app.policy.forms import form, questions_for, readable
from app.policy.load import from_resolved, load_policy
from app.policy.model import (
    LANGUAGE_VERSION,
    Answer,
    ApprovalTerms,
    Context,
    Count,
    Criterion,
    Derived,
    Finding,
    Indication,
    InForce,
    Kind,
    MaxDose,
    NewStarts,
    Outcome,
    Part,
    PolicyDecision,
    PolicyVersion,
    Question,
    QuestionType,
    Result,
    Section,
    Source,
)
from app.policy.schema_check import json_schema

__all__ = [
    "LANGUAGE_VERSION",
    "Answer",
    "AnswerFault",
    "AnswerFaults",
    "ApprovalTerms",
    "Context",
    "Count",
    "Criterion",
    "Derived",
    "Fault",
    "Finding",
    "InForce",
    "Indication",
    "Kind",
    "MaxDose",
    "NewStarts",
    "Outcome",
    "Part",
    "PolicyDecision",
    "PolicyFileFaults",
    "PolicyVersion",
    "Question",
    "QuestionType",
    "Result",
    "Section",
    "Source",
    "decide",
    "decision_from_json",
    "decision_to_json",
    "form",
    "from_resolved",
    "json_schema",
    "label_of",
    "load_policy",
    "parse_answers",
    "questions_for",
    "readable",
]
