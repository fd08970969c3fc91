"""The names that expressions may use, and their types."""

from __future__ import annotations

from collections.abc import Mapping

from app.policy.model import Question, QuestionType
from app.policy.typecheck import BOOLEAN, DATE, Family, Scope, Type
from app.policy.units import canonical

BUILT_IN: dict[str, Type] = {
    "decision_to_treat": DATE,
    "first_dose": DATE,
    "birth_date": DATE,
    "sex": Type(Family.CHOICE, options=frozenset({"male", "female"})),
}
BUILT_IN_LABELS = {
    "decision_to_treat": "Decision to treat",
    "first_dose": "First dose",
    "birth_date": "Date of birth",
    "sex": "Sex",
}

_FAMILIES = {
    QuestionType.BOOLEAN: Family.BOOLEAN,
    QuestionType.NUMBER: Family.NUMBER,
    QuestionType.INTEGER: Family.NUMBER,
    QuestionType.DATE: Family.DATE,
    QuestionType.CHOICE: Family.CHOICE,
}


def question_type(question: Question) -> Type | None:
    """The type under which a question may stand in an expression; None for text and lists."""
    family = _FAMILIES.get(question.type)
    if family is None:
        return None
    return Type(
        family,
        unit=canonical(question.unit) if family is Family.NUMBER else None,
        whole=question.type is QuestionType.INTEGER,
        options=frozenset(question.options),
    )


def scope_of(questions: Mapping[str, Question], built_in: Mapping[str, Type]) -> Scope:
    """The scope of a set of questions and built-in names."""
    types = dict(built_in)
    unusable = {}
    for name, question in questions.items():
        found = question_type(question)
        if found is not None:
            types[name] = found
        elif question.type is QuestionType.LIST:
            unusable[name] = "a list is counted first: write `{count: …, where: …}` in `derive:`"
        else:
            unusable[name] = "free text is never tested: ask a choice or a yes-or-no question"
    return Scope(types, unusable)


__all__ = ["BOOLEAN", "BUILT_IN", "BUILT_IN_LABELS", "question_type", "scope_of"]
