"""What a continuation has on record, still so by one choice, or given anew. Pure.

The dose that was approved and the facts of the treatment are never filled in unasked. Choosing that
all is still so is an answer like one that was typed; what is typed beside that choice and differs
contradicts it, and neither is taken for the other. What is counted to the day of the decision is
confirmed as it was shown: where that day moved since, the page asks again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.approvals.recorded_course import DAYS
from app.approvals.recorded_facts import Recorded, RecordedAnswer
from app.policy import Criterion, Question, QuestionType
from app.web.form.fields import Field, answer_words
from app.web.form.steps import Block, Step
from app.web.form.typed import PREFIX, bare, typed_answers
from app.web.words import amount_words, day_words

NAME: Final = "still"
DOSE, ALL, LABEL = "The dose", "Is all of this still so?", "What is on record"
STILL, CHANGED = "yes", "no"
#: Hidden beside the choice for each answer that is counted: what the page told of it.
COUNTED: Final = "counted."
_BOTH: Final = (
    "You chose that it is still so, and gave something else below. Choose that it has changed, or "
    "empty what you gave."
)
_MOVED: Final = (
    "What is counted here has changed since you opened the page. Look at it again, then choose."
)
_NOT_COUNTED: Final = (
    "A course given elsewhere, or before this treatment was asked for here, is not counted. If "
    "there was one, or this course is for another day, choose No."
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice as a page shows it. `told` is on record; `blocks` are the fields to change it.

    `counted` is what was counted, as the page tells it; `note` what counting can't know.
    """

    label: str
    yes: str
    no: str
    told: tuple[tuple[str, str], ...]
    source: str
    chosen: str
    blocks: tuple[tuple[Criterion | None, tuple[Field, ...]], ...]
    error: str | None = None
    counted: tuple[tuple[str, str], ...] = ()
    note: str = ""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields below it."""
        return tuple(field for _, fields in self.blocks for field in fields)

    @property
    def is_open(self) -> bool:
        """Whether the fields must be in sight: what stands there must never be out of it."""
        if self.error or self.chosen == CHANGED or any(each.error for each in self.fields):
            return True
        return self.chosen != STILL and any(_is_given(each) for each in self.fields)

    @property
    def as_field(self) -> Field:
        """The choice itself, for the error summary."""
        return Field(NAME, NAME, "one of", LABEL, error=self.error)


def parted(
    step: Step, recorded: Recorded | None, matters: frozenset[str], answers: Mapping[str, Any]
) -> tuple[Step, tuple[Block, ...]]:
    """The page without what is on record, and that, each question beside its criterion.

    What does not matter (`matters`) while all is still so goes with it: it is asked below the
    choice, beside what it hangs on.
    """
    held_here = frozenset() if recorded is None else recorded.answers.keys()
    if not any(each.name in held_here for each in step.questions):
        return step, ()
    names = held_here | {
        each.name
        for block in step.blocks
        for each in block.questions
        if block.criterion and each.name not in matters and answers.get(each.name) is None
    }
    rest, held = [], []
    for block in step.blocks:
        here = tuple(each for each in block.questions if each.name in names)
        others = tuple(each for each in block.questions if each.name not in names)
        if here:
            held.append(Block(block.criterion, here))
        if others:
            rest.append(Block(block.criterion, others))
    return Step(step.key, step.title, tuple(rest)), tuple(held)


def choice(
    recorded: Recorded,
    blocks: Sequence[Block],
    fields: Mapping[str, Field],
    answers: Mapping[str, Any],
    wrong: Mapping[str, str],
) -> Choice:
    """The choice for the questions on record that stand on a page, with their fields by name."""
    below = [question for block in blocks for question in block.questions]
    asked = [each for each in below if each.name in recorded.answers]
    here = {each.name: answers.get(each.name) for each in asked}
    chosen = ""
    if any(value is not None for value in here.values()):
        held = recorded.answers
        same = all(_same(each, here[each.name], held[each.name].answer) for each in asked)
        chosen = STILL if same else CHANGED
    if NAME in wrong:
        chosen = CHANGED  # what was typed is on the screen, and the error says what to do
    doses = [each for each in asked if each.name in recorded.dose]
    facts = [each for each in asked if each.name in recorded.facts]
    course = [each for each in asked if each.name in recorded.course]
    source = _source(recorded.answers[each.name] for each in asked)
    dose = dose_words(recorded, doses)
    several = bool(facts or course)
    told = [(DOSE, dose)] if several and doses else []
    told += [(each.label, _fact_words(recorded, each)) for each in facts]
    told += [(each.label, _counted_words(recorded, each)) for each in course]
    placed = tuple(
        (block.criterion, tuple(fields[f"{PREFIX}{each.name}"] for each in block.questions))
        for block in blocks
    )
    return Choice(
        label=ALL if several else DOSE,
        yes="Yes, all of it" if several else f"Still {dose}, as approved on {source}",
        no="No: I give it below" if several else "Changed: I give it below",
        told=tuple(told),
        source=source,
        chosen=chosen,
        blocks=placed,
        error=wrong.get(NAME),
        counted=tuple((e.name, _counted_value(recorded, e.name)) for e in course),
        note=_NOT_COUNTED if course else "",
    )


def dose_words(recorded: Recorded, questions: Sequence[Question]) -> str:
    """Such as "40 mg every 14 days"."""
    amounts, every, others = [], "", []
    for each in questions:
        answer = recorded.dose[each.name].answer
        if each.name.endswith("interval_days"):
            every = f" every {amount_words(bare(answer), 'days')}"
        elif each.unit is not None:
            amounts.append(amount_words(bare(answer), each.unit))
        else:
            others.append(f"{each.label}: {answer_words(each, answer)}")
    return "; ".join(filter(None, [", ".join(amounts) + every, *others])).strip()


def confirmed(
    recorded: Recorded | None, questions: Sequence[Question], posted: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answers on record where they were confirmed, and what is wrong with that.

    `questions` are those of the page. Without that choice none: what stands in the fields counts,
    and nothing where nothing does. Of what is counted only what the page told.
    """
    if recorded is None or posted.get(NAME) != STILL:
        return {}, {}
    told = {e: posted[f"{COUNTED}{e}"] for e in recorded.course if f"{COUNTED}{e}" in posted}
    if any(value != _counted_value(recorded, name) for name, value in told.items()):
        return {}, {NAME: _MOVED}
    held = {name: e for name, e in recorded.answers.items() if e.since is None or name in told}
    shown = tuple(e for e in questions if e.name in held and f"shown.{e.name}" in posted)
    typed = typed_answers(shown, posted)
    if any(
        typed[each.name] is not None and not _same(each, typed[each.name], held[each.name].answer)
        for each in shown
    ):
        return {}, {NAME: _BOTH}
    return {each.name: dict(held[each.name].answer) for each in shown}, {}


def _is_given(field: Field) -> bool:
    """Whether anything stands in a field; a list shows a blank row."""
    cells = (cell for row in field.rows for cell in row)
    return bool(field.value or field.parts or field.none_given) or any(map(_is_given, cells))


def _fact_words(recorded: Recorded, question: Question) -> str:
    words = answer_words(question, recorded.facts[question.name].answer)
    return f"{words}; none to add" if question.type is QuestionType.LIST else words


def _counted_value(recorded: Recorded, name: str) -> str:
    return str(bare(recorded.course[name].answer))


def _counted_words(recorded: Recorded, question: Question) -> str:
    """Such as "1 (its first dose, on 28 October 2026, is on record)"."""
    found = recorded.course[question.name]
    assert found.since is not None  # counted from there
    words, begun = answer_words(question, found.answer), day_words(found.since)
    if question.name != DAYS or recorded.day is None:
        return f"{words} (its first dose, on {begun}, is on record)"
    decided = day_words(recorded.day)
    return f"{words} (from its first dose on {begun} to the day of the decision, {decided})"


def _source(answers: Iterable[RecordedAnswer]) -> str:
    """The requests that say it, each once, the oldest first; then the first dose on record."""
    found = tuple(answers)
    stated = [each.request for each in found if each.since is None]
    told = {f"the {e.kind} request of {day_words(e.decision_to_treat)}": e for e in stated}
    names = sorted(told, key=lambda each: told[each].submitted_at)
    days = {each.since for each in found if each.since is not None}
    names += [f"the record of the first dose on {day_words(each)}" for each in sorted(days)]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _same(question: Question, one: Any, other: Any) -> bool:
    if one is None:
        return False
    return answer_words(question, one) == answer_words(question, other)
