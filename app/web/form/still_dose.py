"""The dose of a continuation: still the one that was approved, by one choice, or another. Pure.

The recorded dose is never filled in. Choosing "Still" is an answer like one that was typed; a dose
typed beside that choice contradicts it, and neither is taken for the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.approvals.recorded_dose import RecordedDose
from app.policy import Question
from app.web.form.fields import Field, answer_words
from app.web.form.typed import PREFIX, bare, typed_answers
from app.web.words import amount_words, day_words

NAME: Final = "still_dose"
LABEL: Final = "The dose"
STILL, CHANGED = "yes", "no"
_BOTH: Final = (
    "You chose that the dose is still the same, and typed another one. Choose “Changed”, or empty "
    "what you typed."
)


@dataclass(frozen=True, slots=True)
class DoseChoice:
    """The choice as a page shows it, with the fields for a dose that was changed."""

    still: str
    chosen: str
    fields: tuple[Field, ...]
    error: str | None = None
    is_choice: bool = True

    @property
    def as_field(self) -> Field:
        """The choice itself, for the error summary."""
        return Field(NAME, NAME, "one of", LABEL, error=self.error)


def fields_in(one: Field | DoseChoice) -> tuple[Field, ...]:
    """The fields that a place on the page has."""
    return (one.as_field, *one.fields) if isinstance(one, DoseChoice) else (one,)


def choice(
    dose: RecordedDose,
    questions: Sequence[Question],
    fields: Sequence[Field],
    answers: Mapping[str, Any],
    wrong: Mapping[str, str],
) -> DoseChoice:
    """The choice for the questions about the dose that stand on a page, with their fields."""
    here = {each.name: answers.get(each.name) for each in questions}
    chosen = ""
    if any(value is not None for value in here.values()):
        same = all(_same(value, dose.answers[name]) for name, value in here.items())
        chosen = STILL if same else CHANGED
    if NAME in wrong:
        chosen = CHANGED  # what was typed is on the screen, and the error says what to do
    return DoseChoice(still_words(dose, questions), chosen, tuple(fields), wrong.get(NAME))


def still_words(dose: RecordedDose, questions: Sequence[Question]) -> str:
    """Such as "Still 40 mg every 14 days, as approved on the request of 1 June 2026"."""
    amounts, every, others = [], "", []
    for each in questions:
        answer = dose.answers[each.name]
        if each.name.endswith("interval_days"):
            every = f" every {amount_words(bare(answer), 'days')}"
        elif each.unit is not None:
            amounts.append(amount_words(bare(answer), each.unit))
        else:
            others.append(f"{each.label}: {answer_words(each, answer)}")
    said = "; ".join(filter(None, [", ".join(amounts) + every, *others])).strip()
    day = day_words(dose.request.decision_to_treat)
    return f"Still {said}, as approved on the {dose.request.kind} request of {day}"


def confirmed(
    dose: RecordedDose | None, questions: Sequence[Question], posted: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The posted form with the recorded dose where it was confirmed, and what is wrong with that.

    `questions` are those of the page. Without that choice the form is as it was posted: what stands
    below “Changed” counts, and nothing where nothing does.
    """
    form = dict(posted)
    if dose is None or form.get(NAME) != STILL:
        return form, {}
    shown = [e for e in questions if e.name in dose.answers and f"shown.{e.name}" in form]
    typed = typed_answers(tuple(shown), form)
    if any(
        typed[each.name] is not None and not _same(typed[each.name], dose.answers[each.name])
        for each in shown
    ):
        return form, {NAME: _BOTH}
    return form | {f"{PREFIX}{e.name}": str(bare(dose.answers[e.name])) for e in shown}, {}


def _same(one: Any, other: Any) -> bool:
    return str(bare(one)) == str(bare(other))
