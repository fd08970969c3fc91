"""What stands behind a draft's pages: their fields, what is wrong with them, what was typed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Request

from app.approvals.drafting import DraftRecord
from app.approvals.model import Route
from app.approvals.office import Office
from app.approvals.recorded_facts import Recorded, recorded_answers
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind
from app.problems import NO_SUCH_ADDRESS, DoorProblem
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import commissioners
from app.web import filling
from app.web.callers import this_office
from app.web.filling import Filling
from app.web.form import about, none_of, paper, shared_day, still, urgent
from app.web.form.same_day import with_day
from app.web.form.steps import find_step
from app.web.form.typed import PREFIX, typed_answers
from app.web.pages import door_of
from app.web.words import first_upper

#: What may be signed on paper; anything else is entered as usual, with its own day.
PAPER_KINDS = frozenset({Kind.INITIATION, Kind.CONTINUATION})


def abouts(found: Filling) -> tuple[str, ...]:
    first = (about.PATIENT,) if found.kind is Kind.INITIATION else ()
    signed = (paper.PAPER,) if paper.is_paper(found.draft.form) else ()
    began = (urgent.URGENT,) if urgent.is_urgent(found.draft.form) else ()
    return (*first, *signed, about.TREATMENT, *began)


def urgent_page(found: Filling, step: str) -> bool:
    """Whether the step is the page of an urgent start, and the draft may have one."""
    allowed = urgent.may_begin_urgently(found.version, found.kind)
    return step == urgent.URGENT and (allowed or urgent.is_urgent(found.draft.form))


def about_wrong(request: Request, found: Filling, step: str) -> dict[str, str]:
    office = this_office(request)
    wrong = door_of(request).read(lambda work: filling.about_faults(work, office, found.draft))
    names = {entry.name for entry in entries(found, step)}
    return {name: said for name, said in wrong.items() if name in names}


def recorded(request: Request, caller: Caller, found: Filling) -> Recorded | None:
    """What a continuation may confirm; None for any other form."""
    office = this_office(request)
    if found.treatment is None or found.kind is not Kind.CONTINUATION:
        return None
    return door_of(request).read(lambda work: _recorded(work, office, caller, found))


def _recorded(work: Work, office: Office, caller: Caller, found: Filling) -> Recorded | None:
    if found.treatment is None or found.kind is not Kind.CONTINUATION:
        return None
    return recorded_answers(work, office, caller, found.treatment, found.version, found.day)


@dataclass(frozen=True, slots=True)
class Given:
    """What was posted of a page with its one-press answers written out; what is wrong with them."""

    form: Mapping[str, str]
    confirmed: Mapping[str, Any]
    wrong: Mapping[str, str]


def given_in(
    work: Work, office: Office, caller: Caller, found: Filling, step: str, form: Mapping[str, str]
) -> Given:
    """A page with the day of the decision where it was ticked, and what was confirmed as it is."""
    part = find_step(found.steps, step)
    if part is None:
        return Given(form, {}, {})
    dated, wrong = with_day(part.questions, form, found.day)
    halfway = form.get("autosave") == "yes"
    dated, unread = shared_day.with_shared(part.questions, dated, halfway=halfway)
    wrong |= unread
    wrong |= none_of.chosen(found.version, found.kind, part, form)[1]
    if still.NAME not in form:
        return Given(dated, {}, wrong)
    held = _recorded(work, office, caller, found)
    confirmed, contradicted = still.confirmed(held, part.questions, dated)
    return Given(dated, confirmed, {**wrong, **contradicted})


def typed_into(
    found: Filling,
    step: str,
    form: Mapping[str, str],
    confirmed: Mapping[str, Any] | None = None,
) -> DraftRecord:
    """The draft with what was typed on a page; other pages' answers are not touched.

    `confirmed` are answers on record that the page was sent with one choice for.
    """
    draft = found.draft
    if step == paper.PAPER and found.kind in PAPER_KINDS:
        if form.get("not_paper") == "yes":
            return replace(draft, form=paper.not_paper(draft.form))
        made = paper.put(draft.form, form)
        if form.get("autosave") == "yes" and "decision_to_treat" in draft.form:
            # Half a year, such as "20", is a day too: what follows from it waits for Continue.
            made["decision_to_treat"] = draft.form["decision_to_treat"]
        return replace(draft, form=made)
    if urgent_page(found, step):
        if form.get("not_urgent") == "yes":
            return replace(draft, form=urgent.not_urgent(draft.form))
        return replace(draft, form=urgent.put(draft.form, found.version, found.kind, form))
    if step in abouts(found):
        return replace(draft, form=about.put(draft.form, entries(found, step), form))
    part = find_step(found.steps, step)
    if part is None:
        raise DoorProblem(NO_SUCH_ADDRESS, "The form has no such page. Open the draft again.")
    # A question that the page did not show is not "emptied": its controls were not sent.
    none, refused = none_of.chosen(found.version, found.kind, part, form)
    # What contradicts itself is not taken: the page that comes again shows it as it was posted.
    held = none_of.members(found.version, found.kind, part) if refused else ()
    shown = tuple(e for e in part.questions if f"shown.{e.name}" in form and e not in held)
    answers = {**draft.answers, **typed_answers(shown, form), **none, **(confirmed or {})}
    return replace(draft, answers={k: v for k, v in answers.items() if v is not None})


def entries(found: Filling, step: str) -> tuple[about.Entry, ...]:
    if step == paper.PAPER:
        return paper.ENTRIES
    if step == urgent.URGENT:
        return urgent.entries(found.version, found.kind)
    drugs = load_drugs().drugs
    known = drugs.get(found.version.drug)
    asked = filling.entries_of(
        found,
        step,
        commissioners(found.day),
        {product.key: product.name for product in known.products} if known else {},
        {key: drug.name for key, drug in drugs.items()},
    )
    if urgent.is_urgent(found.draft.form):
        asked = tuple(each for each in asked if each.name not in urgent.ASKED_HERE)
    outside = found.draft.form.get("route") not in (None, Route.POLICY)
    return (*asked, about.CASE) if outside and step == about.TREATMENT else asked


def label_of_field(found: Filling, step: str, name: str) -> str:
    """How a page calls one of its fields, by the field's name in the browser's form."""
    part = find_step(found.steps, step)
    if name == still.NAME:
        return still.LABEL
    if name == none_of.NAME:
        return none_of.NONE
    if name == shared_day.NAME:
        return shared_day.LABEL
    if part is not None:
        asked = name.removeprefix(PREFIX).partition(".")[0]
        known = found.version.questions.get(asked.partition("-")[0])
        return name if known is None else known.label
    labels = {each.name: each.label for each in entries(found, step)}
    return labels.get(name, first_upper(name.partition("-")[0].replace("_", " ")))
