"""A draft's pages as they are drawn: one page of fields, and the answers to check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

from app.approvals import drafting
from app.approvals.downtime import covers_back
from app.approvals.errors import ApprovalsError, VersionMismatch
from app.approvals.permissions import Action, can
from app.auth.model import Caller
from app.auth.sessions import Session
from app.policy import Kind, PolicyDecision, Section
from app.problems import NO_SUCH_ADDRESS, DoorProblem
from app.web import filling
from app.web.callers import this_office
from app.web.decision import paper_words
from app.web.draft_parts import (
    PAPER_KINDS,
    about_wrong,
    abouts,
    entries,
    recorded,
    urgent_page,
)
from app.web.filling import Filling
from app.web.form import about, none_of, paper, shared_day, urgent
from app.web.form.check import Overridable, check_rows, missing_links, overridables
from app.web.form.fields import Field, Known, apart, errors_with, marked, question_fields
from app.web.form.same_day import offered
from app.web.form.scales import SCALES
from app.web.form.scores import SCORES
from app.web.form.steps import Step, find_step, only_open
from app.web.form.still import choice, parted
from app.web.form.typed import PREFIX
from app.web.origins import known_about, whom
from app.web.pages import door_of
from app.web.refusals import refused_detail
from app.web.rendering import page
from app.web.sending import may_be_sent_from
from app.web.words import day_words

_ABOUT_TITLES: Final = {
    about.PATIENT: "Who is the patient?",
    about.TREATMENT: "About the treatment",
}


@dataclass(frozen=True, slots=True)
class Again:
    """A page as it was posted, what cannot be taken of it by field, and its draft's version."""

    posted: Mapping[str, str]
    wrong: Mapping[str, str]
    version: int


def _errors(fields: Sequence[Field], again: Again | None) -> list[dict[str, str]]:
    return errors_with(fields, {} if again is None else again.wrong)


def _again(fields: tuple[Field, ...], again: Again | None) -> tuple[Field, ...]:
    return fields if again is None else marked(fields, again.wrong, again.posted)


def step_page(
    request: Request,
    session: Session,
    caller: Caller,
    found: Filling,
    step: str,
    *,
    more: str = "",
    every: bool = False,
    warning: str | None = None,
    again: Again | None = None,
) -> Response:
    """A page of fields. With a warning it is the page that was posted on an older draft.

    `again` is what was posted and cannot be taken: the page comes again with every word of it.
    """
    common: dict[str, Any] = {
        "session": session,
        "draft": found.draft,
        "policy_title": found.version.title,
        "unverified": found.version.unverified,
        "version": again.version if again else found.draft.version,
        "action": f"/drafts/{found.draft.id}/{step}",
        "warning": warning,
        "status": 409 if warning else 422 if again else 200,
        "came_from": request.query_params.get("from", ""),
        "whom": () if step == about.PATIENT else whom(found, caller),
    }
    if step == paper.PAPER and found.kind in PAPER_KINDS:
        return _paper_page(request, found, common, again)
    if urgent_page(found, step):
        return _urgent_page(request, found, common, again)
    if step in abouts(found):
        wrong = about_wrong(request, found, step) if _was_filled(found, step) else {}
        told = door_of(request).transact(lambda work: known_about(work, caller, found, step))
        fields = about.fields(entries(found, step), found.draft.form, wrong, told)
        fields = _again(fields, again)
        return page(
            request,
            "form_about.html",
            **common,
            title=_ABOUT_TITLES[step],
            fields=apart(fields),
            hold=step == about.TREATMENT and paper.decided_as_signed(found.draft.form),
            urgent=step == about.TREATMENT and _may_tell_of_urgency(found),
            errors=_errors(fields, again),
        )
    whole = find_step(found.steps, step)
    if whole is None:
        raise DoorProblem(NO_SUCH_ADDRESS, "The form has no such page. Open the draft again.")
    part = only_open(whole, found.open, found.draft.answers)
    office = this_office(request)
    known = door_of(request).transact(lambda work: filling.on_record(work, office, caller, found))
    put_in, told = filling.proposals(known, found, all_of_them=every)
    shown = {**put_in, **{k: v for k, v in found.draft.answers.items() if v is not None}}
    fields = question_fields(part.questions, shown, found.faults, told, more)
    fields = _again(tuple(_helped(offered(fields, part.questions, found.day))), again)
    by_name = {each.name: each for each in fields}
    held = recorded(request, caller, found)
    facts = {} if held is None else {name: each.answer for name, each in held.answers.items()}
    matters = found.open_with({**facts, **found.draft.answers}) if facts else found.open
    rest, on_record = parted(part, held, matters, found.draft.answers)
    still = None
    refused = {} if again is None else again.wrong
    if held is not None and on_record:
        still = choice(held, on_record, by_name, found.draft.answers, refused)
    blocks = none_of.shown(
        rest,
        none_of.members(found.version, found.kind, rest),
        by_name,
        shown,
        None if again is None else again.posted,
        refused,
    )
    dated = shared_day.shown(rest.questions, None if again is None else again.posted, refused)
    asked = [still.as_field] if still else []
    asked += [dated.as_field] if dated else []
    asked += [each.group.as_field for each in blocks if each.group]
    return page(
        request,
        "form_part.html",
        **common,
        title=whole.title,
        still=still,
        dated=dated,
        blocks=blocks,
        more_known=_can_be_filled_in(rest, told),
        more_held=_can_be_filled_in(part, told),
        step=step,
        doses=[each for each in found.doses if each.asked & set(_asked_here(part))],
        sends=can(caller, Action.SUBMIT) and may_be_sent_from(found, step),
        panel=found.version.mechanism == "panel",
        decided=day_words(found.day),
        errors=_errors([*asked, *fields], again),
    )


def _paper_page(
    request: Request, found: Filling, common: dict[str, Any], again: Again | None
) -> Response:
    """The times of a form that was signed on paper, and what entering it later means."""
    form = found.draft.form
    wrong = about_wrong(request, found, paper.PAPER) if paper.was_filled(form) else {}
    fields = _again(paper.fields(form, wrong), again)
    return page(
        request,
        "form_paper.html",
        **common,
        title="The form on paper",
        fields=fields,
        days=this_office(request).back_entry_days,
        errors=_errors(fields, again),
    )


def _urgent_page(
    request: Request, found: Filling, common: dict[str, Any], again: Again | None
) -> Response:
    """Who let the treatment begin before the form, when, and when the first dose was given."""
    form = found.draft.form
    wrong = about_wrong(request, found, urgent.URGENT) if urgent.was_filled(form) else {}
    fields = _again(urgent.fields(form, found.version, found.kind, wrong), again)
    return page(
        request,
        "form_urgent.html",
        **common,
        title="An urgent start",
        fields=fields,
        errors=_errors(fields, again),
    )


def _may_tell_of_urgency(found: Filling) -> bool:
    """Whether the policy permits an urgent start, and the draft tells of none yet."""
    allowed = urgent.may_begin_urgently(found.version, found.kind)
    return allowed and not urgent.is_urgent(found.draft.form)


def _paper_words(request: Request, found: Filling) -> str | None:
    """From which day an approval of a form on paper would cover, as its commissioner has it."""
    form = found.draft.form
    payer = form.get("commissioner") if found.treatment is None else found.treatment.commissioner
    signed = paper.signed_at(form)
    if not paper.is_paper(form) or signed is None or not isinstance(payer, str):
        return None
    back = door_of(request).read(lambda work: covers_back(work, payer, found.today))
    return paper_words(signed, found.today, covers=back)


def _helped(fields: Sequence[Field]) -> tuple[Field, ...]:
    """The fields, those marked that a formula of the library gives, with the steps of scales."""
    return tuple(
        replace(each, workable=name in SCORES, scale=SCALES.get(name))
        for each in fields
        for name in [each.name.removeprefix(PREFIX)]
    )


def _can_be_filled_in(part: Step, told: Mapping[str, Known]) -> bool:
    """Whether facts of the page are on record and not in their fields."""
    here = (told[each] for each in _asked_here(part) if each in told)
    return any(not each.put_in and not each.now for each in here)


def _asked_here(part: Step) -> list[str]:
    return [question.name for question in part.questions]


def _was_filled(found: Filling, step: str) -> bool:
    """Whether the page was sent before: a page that nobody has seen shows no faults."""
    if step == about.PATIENT:
        return bool(found.draft.form.get("patient")) or found.draft.version > 1
    return found.draft.version > 1


def check_page(request: Request, session: Session, caller: Caller, found: Filling) -> Response:
    """Every answer with a link to change it, what is missing, and what the decision would be."""
    office = this_office(request)
    wrong = door_of(request).read(lambda work: filling.about_faults(work, office, found.draft))
    run = refused = None
    if not wrong and not found.faults:
        try:
            run = door_of(request).transact(
                lambda work: filling.dry_run(work, office, caller, found.draft)
            )
        except (ApprovalsError, RequestValidationError) as error:
            refused = refused_detail(error)
    rows = check_rows(found, {step: entries(found, step) for step in abouts(found)}, wrong)
    return page(
        request,
        "form_check.html",
        session=session,
        title="Check your answers",
        policy_title=found.version.title,
        unverified=found.version.unverified,
        draft=found.draft,
        version=found.draft.version,
        whom=whom(found, caller),
        groups=rows,
        missing=missing_links(found),
        doses=found.doses,
        on_paper=_paper_words(request, found),
        may_be_paper=found.kind in PAPER_KINDS and not paper.is_paper(found.draft.form),
        may_be_urgent=_may_tell_of_urgency(found),
        wrong=bool(wrong or found.faults),
        run=run,
        overridable=_overridable(caller, found, None if run is None else run.decision),
        refused=refused,
        may_submit=can(caller, Action.SUBMIT),
        errors=[],
    )


def _overridable(
    caller: Caller, found: Filling, decision: PolicyDecision | None
) -> tuple[Overridable, ...]:
    """What a clinician may override; a delegate prepares no override in their place."""
    if not can(caller, Action.SUBMIT):
        return ()
    sections = (Section.START,) if found.kind is Kind.INITIATION else (Section.CONTINUE,)
    criteria = [each for section in sections for each in found.version.criteria(section)]
    return overridables(criteria, decision, found.draft.form)


def not_taken(
    request: Request, session: Session, caller: Caller, id: str, error: Exception
) -> Response:
    """The check page again, with why the form was not taken. Nothing of the draft is lost."""
    office = this_office(request)
    found = door_of(request).read(
        lambda work: filling.fill(work, office, caller, drafting.find_draft(work, caller, id))
    )
    if found.draft.state != "open":
        raise error
    wrong = door_of(request).read(lambda work: filling.about_faults(work, office, found.draft))
    said = refused_detail(error)
    if isinstance(error, VersionMismatch):
        said = (
            "The draft was changed in another tab or by a colleague since you opened this page, so "
            "nothing was sent. The answers below are the newest. Check them, then submit."
        )
    return page(
        request,
        "form_check.html",
        status=409,
        session=session,
        title="Check your answers",
        policy_title=found.version.title,
        unverified=found.version.unverified,
        draft=found.draft,
        version=found.draft.version,
        whom=whom(found, caller),
        groups=check_rows(found, {s: entries(found, s) for s in abouts(found)}, wrong),
        missing=missing_links(found),
        doses=found.doses,
        on_paper=_paper_words(request, found),
        may_be_paper=found.kind in PAPER_KINDS and not paper.is_paper(found.draft.form),
        may_be_urgent=_may_tell_of_urgency(found),
        wrong=bool(wrong or found.faults),
        run=None,
        overridable=_overridable(caller, found, None),
        refused=said,
        may_submit=can(caller, Action.SUBMIT),
        errors=[],
    )
