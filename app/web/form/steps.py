"""A policy's form as pages: a few criteria each, with their words and the questions they look at.

Pure. A question stands beside the first criterion that looks at it; what no criterion of the form
looks at (a baseline that a continuation will need) comes last.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.policy import (
    Criterion,
    Kind,
    PolicyVersion,
    Question,
    QuestionType,
    Section,
    questions_for,
)
from app.policy.asked import questions_of

#: A page asks no more questions than this, unless one criterion alone needs more. Of a continuation
#: much is filled in or confirmed by one choice, and is folded away there, so more of it fits.
MOST_ON_A_PAGE: Final = {Kind.INITIATION: 8}
MOST_ELSEWHERE: Final = 29
_SECTIONS: Final = {
    Kind.INITIATION: (Section.START,),
    Kind.CONTINUATION: (Section.CONTINUE, Section.STOP),
    Kind.STOP: (Section.STOP,),
}
_TITLES: Final = {
    Section.START: "Criteria to start",
    Section.CONTINUE: "Criteria to continue",
    Section.STOP: "When the policy stops",
}
_RECORD: Final = "For the record"
#: Of a page that asks for more than one section: each has its own heading there (ADR 89).
_WHOLE: Final = {Kind.CONTINUATION: "Continuing the treatment"}


@dataclass(frozen=True, slots=True)
class Block:
    """A criterion with the questions that are asked beside it; without one, what is kept only."""

    criterion: Criterion | None
    questions: tuple[Question, ...]

    @property
    def heading(self) -> str:
        """What the section is called that the block belongs to."""
        return _RECORD if self.criterion is None else _TITLES[self.criterion.section]


@dataclass(frozen=True, slots=True)
class Step:
    """One page of the form. `key` is its part of the address."""

    key: str
    title: str
    blocks: tuple[Block, ...]

    def headings(self) -> tuple[str | None, ...]:
        """For each block the heading that goes before it, where the page has several sections."""
        names = [each.heading for each in self.blocks]
        if len(set(names)) == 1:
            return (None,) * len(names)
        return tuple(
            name if at == 0 or names[at - 1] != name else None for at, name in enumerate(names)
        )

    @property
    def questions(self) -> tuple[Question, ...]:
        """Every question of the page."""
        return tuple(question for block in self.blocks for question in block.questions)


def steps_of(version: PolicyVersion, kind: Kind) -> tuple[Step, ...]:
    """The pages of one kind of request, without those about the patient and the treatment."""
    most = MOST_ON_A_PAGE.get(kind, MOST_ELSEWHERE)
    groups = list(_blocks(version, kind))
    if kind is not Kind.INITIATION:
        groups = [[block for group in groups for block in group]]
    pages = [page for group in groups for page in _pages(group, most)]
    count = len(pages)
    return tuple(
        Step(f"part-{number}", _title(kind, blocks, number, count), tuple(blocks))
        for number, blocks in enumerate(pages, start=1)
    )


def _blocks(version: PolicyVersion, kind: Kind) -> Iterator[list[Block]]:
    asked = {each.name: each for each in questions_for(version, kind)}
    for section in _SECTIONS.get(kind, ()):
        looks_at = questions_of(version, section)
        found = []
        for criterion in version.criteria(section):
            names = [name for name in looks_at[criterion.id] if name in asked]
            questions = tuple(asked.pop(name) for name in names)
            if questions:
                found.append(Block(criterion, questions))
        if found:
            yield found
    if asked:
        yield [Block(None, tuple(asked.values()))]


def _pages(blocks: Sequence[Block], most: int) -> Iterator[list[Block]]:
    page: list[Block] = []
    size = 0
    for block in blocks:
        weight = sum(_weight(question) for question in block.questions)
        if page and size + weight > most:
            yield page
            page, size = [], 0
        page.append(block)
        size += weight
    if page:
        yield page


def _weight(question: Question) -> int:
    return 4 if question.type is QuestionType.LIST else 1


def _title(kind: Kind, blocks: Sequence[Block], number: int, count: int) -> str:
    names = {each.heading for each in blocks}
    words = _WHOLE.get(kind, blocks[0].heading) if len(names) > 1 else names.pop()
    return words if count == 1 else f"{words}: part {number} of {count}"


def blocks_asking(
    version: PolicyVersion, kind: Kind, questions: Sequence[Question]
) -> tuple[Block, ...]:
    """Some questions of a request, each beside the criterion that looks at it first."""
    wanted = {each.name: each for each in questions}
    found = []
    for block in (block for group in _blocks(version, kind) for block in group):
        here = tuple(wanted.pop(each.name) for each in block.questions if each.name in wanted)
        if here:
            found.append(Block(block.criterion, here))
    return (*found, *([Block(None, tuple(wanted.values()))] if wanted else ()))


def find_step(steps: Sequence[Step], key: str) -> Step | None:
    """The page of that key."""
    return next((each for each in steps if each.key == key), None)


def step_asking(steps: Sequence[Step], question: str) -> Step | None:
    """The page on which a question stands."""
    return next((s for s in steps if any(q.name == question for q in s.questions)), None)


def only_open(step: Step, open_: frozenset[str], answers: Any) -> Step:
    """The page without questions that can't matter any more and have no answer."""
    blocks = []
    for block in step.blocks:
        kept = tuple(
            each
            for each in block.questions
            if block.criterion is None or each.name in open_ or answers.get(each.name) is not None
        )
        if kept:
            blocks.append(Block(block.criterion, kept))
    return Step(step.key, step.title, tuple(blocks))
