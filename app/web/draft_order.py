"""A draft's pages in their order, and the first that lacks something. Pure."""

from typing import Final

from app.policy import Kind
from app.web.draft_parts import abouts
from app.web.filling import Filling
from app.web.form import about, paper, urgent
from app.web.form.steps import only_open

CHECK: Final = "check"


def order(found: Filling) -> tuple[str, ...]:
    """The pages in their order. A continuation's own page about the treatment comes last but one:
    its day is filled in, so it need not be looked at."""
    parts = tuple(
        each.key for each in found.steps if only_open(each, found.open, found.draft.answers).blocks
    )
    told = paper.is_paper(found.draft.form) or urgent.is_urgent(found.draft.form)
    if found.kind is Kind.INITIATION or told:
        return (*abouts(found), *parts, CHECK)
    return (*parts, CHECK)


def after_patient(found: Filling) -> str:
    return paper.PAPER if paper.is_paper(found.draft.form) else about.TREATMENT


def first_open(found: Filling) -> str:
    """The first page with a question that is still to answer; else the check."""
    if found.kind is Kind.INITIATION and not found.draft.form.get("patient"):
        return about.PATIENT
    if paper.is_paper(found.draft.form) and not paper.was_filled(found.draft.form):
        return paper.PAPER
    for each in found.steps:
        if any(question.name in found.open for question in each.questions):
            return each.key
    return CHECK


def place(step: str) -> tuple[int, int]:
    if step == CHECK:
        return (5, 0)
    if step.startswith("part-") and step[5:].isdigit():
        return (4, int(step[5:]))
    return ((about.PATIENT, paper.PAPER, about.TREATMENT, urgent.URGENT).index(step), 0)
