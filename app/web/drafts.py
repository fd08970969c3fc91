"""A draft's pages: the patient, the treatment, the policy's questions, and the answers to check."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from app.api.drafts import submit_as
from app.approvals import drafting
from app.approvals.drafting import DraftRecord
from app.approvals.errors import ApprovalsError, VersionMismatch
from app.approvals.model import RequestView
from app.approvals.permissions import Action, can
from app.approvals.searching import SearchHit, SearchQuery, search
from app.audit import Reading
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.policy import Kind
from app.problems import NO_SUCH_ADDRESS, DoorProblem
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from app.web import filling
from app.web.callers import caller_of, read_recorded, this_office, version_in
from app.web.filling import Filling
from app.web.form import about
from app.web.form.check import check_rows, missing_links
from app.web.form.fields import errors_of, question_fields
from app.web.form.steps import Step, find_step, only_open
from app.web.form.typed import typed_answers
from app.web.pages import PageRoute, check_csrf, door_of, go, in_role
from app.web.refusals import refused_detail
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath

router = APIRouter(prefix="/drafts", route_class=PageRoute, include_in_schema=False)

CHECK: Final = "check"
_ABOUT_TITLES: Final = {
    about.PATIENT: "Who is the patient?",
    about.TREATMENT: "About the treatment",
}
_CHANGED: Final = (
    "The draft was changed in another tab or by a colleague since you opened this page. What you "
    "typed is below and not saved yet. Look it through, then continue."
)


@router.get("/{id}")
def open_draft(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """To the first page that lacks something, or to what became of the draft."""
    caller, office = caller_of(request, session), this_office(request)

    def read(work: Work) -> tuple[str, Reading]:
        draft = drafting.find_draft(work, caller, id)
        reading = Reading("draft read", draft.treatment_id, names={"draft": id})
        if draft.submitted_request is not None:
            return f"/requests/{draft.submitted_request}", reading
        if draft.state != "open":
            return "/", reading
        return (
            f"/drafts/{id}/{_first_open(filling.fill(work, office, caller, draft))}",
            reading,
        )

    return go(read_recorded(request, caller, read))


@router.get("/{id}/begun")
def begun(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """After the patient: what the organisation has for them already, if anything."""
    caller, office = caller_of(request, session), this_office(request)

    def read(work: Work) -> tuple[Filling, dict[str, str]]:
        draft = drafting.find_draft(work, caller, id)
        return filling.fill(work, office, caller, draft), filling.about_faults(work, office, draft)

    found, wrong = door_of(request).read(read)
    if any(name.startswith(about.PATIENT) for name in wrong):
        return go(f"/drafts/{id}/{about.PATIENT}")
    hits = door_of(request).transact(lambda work: _held(work, caller, found))
    if not hits:
        return go(f"/drafts/{id}/{about.TREATMENT}")
    return page(
        request,
        "form_held.html",
        session=session,
        title="This patient has this treatment already",
        policy_title=found.version.title,
        draft=found.draft,
        hits=hits,
        today=found.today,
    )


@router.get("/{id}/{step}")
def show(
    request: Request,
    session: SignedInBrowser,
    id: IdPath,
    step: str,
    more: str = "",
    last: str = "",
) -> Response:
    """One page of the draft.

    `more` names a list that gets a blank row; `last` puts in all that is on record.
    """
    caller, office = caller_of(request, session), this_office(request)

    def read(work: Work) -> tuple[Filling, Reading]:
        draft = drafting.find_draft(work, caller, id)
        reading = Reading("draft read", draft.treatment_id, names={"draft": id})
        return filling.fill(work, office, caller, draft), reading

    found = read_recorded(request, caller, read)
    if found.draft.state != "open":
        return go(f"/drafts/{id}")
    if step == CHECK:
        return _check_page(request, session, caller, found)
    return _step_page(request, session, caller, found, step, more=more[:80], every=last == "yes")


@router.post("/{id}/discard")
def discard(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Put the draft away."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    in_role(request, session, lambda work: drafting.discard(work, caller, id, version_in(form)))
    return go("/")


@router.post("/{id}/submit")
def submit(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Submit the draft, once: a second click is led to what the first one made."""
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)

    def run(work: Work) -> RequestView | str:
        draft = drafting.find_draft(work, caller, id, lock=True)
        if draft.submitted_request is not None:
            return draft.submitted_request
        return drafting.submit(
            work,
            caller,
            id,
            version_in(form),
            lambda each: submit_as(work, office, caller, each),
        )

    try:
        made = in_role(request, session, run)
    except (RequestValidationError, ApprovalsError) as error:
        return _not_taken(request, session, caller, id, error)
    return go(f"/requests/{made if isinstance(made, str) else made.request.id}")


@router.post("/{id}/{step}")
def save(
    request: Request, session: SignedInBrowser, id: IdPath, step: str, form: FormFields
) -> Response:
    """Keep what was typed on a page, then go on; with faults the page comes again and says them."""
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)

    def run(work: Work) -> Filling:
        draft = drafting.find_draft(work, caller, id)
        if draft.state != "open":
            return filling.fill(work, office, caller, draft)
        typed = _typed(filling.fill(work, office, caller, draft), step, form)
        if (typed.form, typed.answers) == (draft.form, draft.answers):
            return filling.fill(work, office, caller, draft)
        kept = drafting.change(work, caller, id, typed.form, typed.answers, version_in(form))
        return filling.fill(work, office, caller, kept)

    try:
        kept = in_role(request, session, run)
    except VersionMismatch:
        return _changed_meanwhile(request, session, caller, id, step, form)
    if form.get("autosave") == "yes":
        return JSONResponse({"version": kept.draft.version})
    if kept.draft.state != "open":
        return go(f"/drafts/{id}")
    return go(f"/drafts/{id}/{_next(request, kept, step, form)}")


# --- which page comes next -----------------------------------------------------------------------


def _abouts(found: Filling) -> tuple[str, ...]:
    first = (about.PATIENT,) if found.kind is Kind.INITIATION else ()
    return (*first, about.TREATMENT)


def _order(found: Filling) -> tuple[str, ...]:
    """The pages in their order. A continuation's own page about the treatment comes last but one:
    its day is filled in, so it need not be looked at."""
    parts = tuple(
        each.key for each in found.steps if only_open(each, found.open, found.draft.answers).blocks
    )
    if found.kind is Kind.INITIATION:
        return (*_abouts(found), *parts, CHECK)
    return (*parts, CHECK)


def _first_open(found: Filling) -> str:
    """The first page with a question that is still to answer; else the check."""
    if found.kind is Kind.INITIATION and not found.draft.form.get("patient"):
        return about.PATIENT
    for each in found.steps:
        if any(question.name in found.open for question in each.questions):
            return each.key
    return CHECK


def _next(request: Request, found: Filling, step: str, form: Mapping[str, str]) -> str:
    """Where a saved page leads: to itself with a fault or another row, back to the check, or on."""
    if form.get("add"):
        return f"{step}?more={form['add']}"
    if _has_faults(request, found, step):
        return step
    if form.get("from") == CHECK:
        return CHECK
    if step == about.PATIENT:
        return "begun"
    order = _order(found)
    keys = [*order[:-1]]
    after = [each for each in order if _place(each) > _place(step)]
    return after[0] if keys and after else CHECK


def _place(step: str) -> tuple[int, int]:
    if step == CHECK:
        return (3, 0)
    if step.startswith("part-") and step[5:].isdigit():
        return (2, int(step[5:]))
    return ((about.PATIENT, about.TREATMENT).index(step), 0)


def _has_faults(request: Request, found: Filling, step: str) -> bool:
    part = find_step(found.steps, step)
    if part is None:
        return bool(_about_wrong(request, found, step))
    asked = {question.name for question in part.questions}
    return any(each.question.partition("[")[0] in asked for each in found.faults)


def _about_wrong(request: Request, found: Filling, step: str) -> dict[str, str]:
    office = this_office(request)
    wrong = door_of(request).read(lambda work: filling.about_faults(work, office, found.draft))
    names = {entry.name for entry in _entries(found, step)}
    return {name: said for name, said in wrong.items() if name in names}


# --- the pages -----------------------------------------------------------------------------------


def _step_page(
    request: Request,
    session: Session,
    caller: Caller,
    found: Filling,
    step: str,
    *,
    more: str = "",
    every: bool = False,
    warning: str | None = None,
) -> Response:
    """A page of fields. With a warning it is the page that was posted on an older draft."""
    common: dict[str, Any] = {
        "session": session,
        "draft": found.draft,
        "policy_title": found.version.title,
        "unverified": found.version.unverified,
        "version": found.draft.version,
        "action": f"/drafts/{found.draft.id}/{step}",
        "warning": warning,
        "status": 409 if warning else 200,
        "came_from": request.query_params.get("from", ""),
    }
    if step in _abouts(found):
        wrong = _about_wrong(request, found, step) if _was_filled(found, step) else {}
        fields = about.fields(_entries(found, step), found.draft.form, wrong)
        return page(
            request,
            "form_about.html",
            **common,
            title=_ABOUT_TITLES[step],
            fields=fields,
            errors=errors_of(fields),
        )
    whole = find_step(found.steps, step)
    if whole is None:
        raise DoorProblem(NO_SUCH_ADDRESS, "The form has no such page. Open the draft again.")
    part = only_open(whole, found.open, found.draft.answers)
    office = this_office(request)
    known = door_of(request).transact(lambda work: filling.on_record(work, office, caller, found))
    put_in, told = filling.proposals(known, found.draft.answers, all_of_them=every)
    shown = {**put_in, **{k: v for k, v in found.draft.answers.items() if v is not None}}
    blocks = [
        (block.criterion, question_fields(block.questions, shown, found.faults, told, more))
        for block in part.blocks
    ]
    return page(
        request,
        "form_part.html",
        **common,
        title=whole.title,
        blocks=blocks,
        more_known=[each for each in _asked_here(part) if each in told and not told[each].put_in],
        step=step,
        errors=errors_of([field for _, fields in blocks for field in fields]),
    )


def _asked_here(part: Step) -> list[str]:
    return [question.name for question in part.questions]


def _was_filled(found: Filling, step: str) -> bool:
    """Whether the page was sent before: a page that nobody has seen shows no faults."""
    if step == about.PATIENT:
        return bool(found.draft.form.get("patient")) or found.draft.version > 1
    return found.draft.version > 1


def _check_page(request: Request, session: Session, caller: Caller, found: Filling) -> Response:
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
    rows = check_rows(found, {step: _entries(found, step) for step in _abouts(found)}, wrong)
    return page(
        request,
        "form_check.html",
        session=session,
        title="Check your answers",
        policy_title=found.version.title,
        unverified=found.version.unverified,
        draft=found.draft,
        version=found.draft.version,
        groups=rows,
        missing=missing_links(found),
        wrong=bool(wrong or found.faults),
        run=run,
        refused=refused,
        may_submit=can(caller, Action.SUBMIT),
        errors=[],
    )


def _not_taken(
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
        groups=check_rows(found, {s: _entries(found, s) for s in _abouts(found)}, wrong),
        missing=missing_links(found),
        wrong=bool(wrong or found.faults),
        run=None,
        refused=said,
        may_submit=can(caller, Action.SUBMIT),
        errors=[],
    )


def _changed_meanwhile(
    request: Request,
    session: Session,
    caller: Caller,
    id: str,
    step: str,
    form: Mapping[str, str],
) -> Response:
    """What was typed, over the draft as it is now: to look through, and send again."""
    office = this_office(request)

    def read(work: Work) -> Filling:
        draft = drafting.find_draft(work, caller, id)
        found = filling.fill(work, office, caller, draft)
        return replace(found, draft=_typed(found, step, form))

    found = door_of(request).read(read)
    if found.draft.state != "open":
        return go(f"/drafts/{id}")
    if form.get("autosave") == "yes":
        return JSONResponse({"version": None}, 409)
    return _step_page(request, session, caller, found, step, warning=_CHANGED)


# --- parts ---------------------------------------------------------------------------------------


def _typed(found: Filling, step: str, form: Mapping[str, str]) -> DraftRecord:
    """The draft with what was typed on a page; other pages' answers are not touched."""
    draft = found.draft
    if step in _abouts(found):
        return replace(draft, form=about.put(draft.form, _entries(found, step), form))
    part = find_step(found.steps, step)
    if part is None:
        raise DoorProblem(NO_SUCH_ADDRESS, "The form has no such page. Open the draft again.")
    # A question that the page did not show is not "emptied": its controls were not sent.
    shown = tuple(each for each in part.questions if f"shown.{each.name}" in form)
    answers = {**draft.answers, **typed_answers(shown, form)}
    return replace(draft, answers={k: v for k, v in answers.items() if v is not None})


def _entries(found: Filling, step: str) -> tuple[about.Entry, ...]:
    drugs = load_drugs().drugs
    known = drugs.get(found.version.drug)
    return filling.entries_of(
        found,
        step,
        _commissioners(found),
        {product.key: product.name for product in known.products} if known else {},
        {key: drug.name for key, drug in drugs.items()},
    )


def _commissioners(found: Filling) -> list[tuple[str, str]]:
    """Those in force on the day, by name; in the demonstration the invented ones come first."""
    held = [
        each
        for each in load_organisations().all()
        if each.kind == "commissioner"
        and (each.from_ is None or each.from_ <= found.day)
        and (each.to is None or found.day <= each.to)
        and each.parent is None
    ]
    held.sort(key=lambda each: (not each.demonstration, each.name))
    return [(each.code, f"{each.name} ({each.code})") for each in held]


def _held(work: Work, caller: Caller, found: Filling) -> tuple[SearchHit, ...]:
    """The organisation's own treatments of this patient with this drug. The search is audited."""
    given = found.draft.form.get("patient")
    typed = given if isinstance(given, Mapping) else {}
    number, local_id = typed.get("nhs_number"), typed.get("local_id")
    if not number and not local_id:
        return ()
    query = SearchQuery(
        nhs_number=number or None,
        local_id=None if number else local_id,
        drug=found.version.drug,
    )
    try:
        return search(work, caller, query).hits
    except ApprovalsError:
        return ()
