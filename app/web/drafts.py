"""A draft's pages: the patient, the treatment, the policy's questions, and the answers to check."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from app.api.drafts import submit_as
from app.approvals import drafting
from app.approvals.drafting import DraftRecord
from app.approvals.errors import ApprovalsError, DetailsNotAccepted, VersionMismatch
from app.approvals.model import RequestView
from app.approvals.permissions import Action, can, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.policy import Kind, Override, override_fault
from app.web import filling
from app.web.callers import caller_of, read_recorded, this_office, version_in
from app.web.draft_order import CHECK, after_patient, first_open, order, place
from app.web.draft_pages import Again, check_page, not_taken, step_page
from app.web.draft_parts import (
    about_wrong,
    given_in,
    label_of_field,
    typed_into,
    urgent_page,
)
from app.web.filling import Filling
from app.web.form import about, paper, urgent
from app.web.form.check import with_override
from app.web.form.scores import SCORES
from app.web.form.steps import find_step
from app.web.held import held_of, held_rows, kind_words, known_rows, need_of
from app.web.needs import need_words
from app.web.pages import CONTROL, PageRoute, Unfit, check_csrf, door_of, go, in_role, unfit
from app.web.rendering import page
from app.web.sending import may_be_sent_from, nothing_is_left
from app.web.sign_in import FormFields, SignedInBrowser, WholeForm
from app.web.starting import IdPath

router = APIRouter(prefix="/drafts", route_class=PageRoute, include_in_schema=False)

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
            f"/drafts/{id}/{first_open(filling.fill(work, office, caller, draft))}",
            reading,
        )

    return go(read_recorded(request, caller, read))


@router.get("/{id}/begun")
def begun(
    request: Request,
    session: SignedInBrowser,
    id: IdPath,
    payer: Annotated[str, Query(pattern="^(chosen)?$")] = "",
) -> Response:
    """After the patient: what there is for them already, and which kind of request this is.

    `payer` says that somebody has just chosen who pays, and is told whether they ask for it.
    """
    caller, office = caller_of(request, session), this_office(request)

    def read(work: Work) -> tuple[Filling, dict[str, str]]:
        draft = drafting.find_draft(work, caller, id)
        return filling.fill(work, office, caller, draft), filling.about_faults(work, office, draft)

    found, wrong = door_of(request).read(read)
    if found.draft.state != "open" or found.kind is not Kind.INITIATION:
        return go(f"/drafts/{id}")
    if any(name.startswith(about.PATIENT) for name in wrong):
        return go(f"/drafts/{id}/{about.PATIENT}")
    onward = first_open(found) if payer else after_patient(found)
    held = door_of(request).transact(lambda work: held_of(work, office, caller, found))
    if not held.is_something:
        return go(f"/drafts/{id}/{onward}")
    library = door_of(request).read(office.library_at)
    titles = {key: library.versions(key)[-1].title for key in library.usable()}
    return page(
        request,
        "form_held.html",
        session=session,
        title="Before you go on",
        policy_title=found.version.title,
        unverified=found.version.unverified,
        draft=found.draft,
        kind=kind_words(held, found.version.indication.key, found.today),
        need=None if held.need is None else need_words(held.need),
        held=held,
        rows=held_rows(held, titles),
        known=known_rows(held, caller, titles),
        onward=onward,
        claim_policy=found.version.policy if can(caller, Action.DECLARE_CARE) else None,
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
        return check_page(request, session, caller, found)
    return step_page(request, session, caller, found, step, more=more[:80], every=last == "yes")


@router.post("/{id}/discard")
def discard(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Put the draft away."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    in_role(request, session, lambda work: drafting.discard(work, caller, id, version_in(form)))
    return go("/")


@router.post("/{id}/override")
def override(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Keep the clinician's reason for going on although a criterion is not met, or take it back."""
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.SUBMIT)

    def run(work: Work) -> DraftRecord:
        draft = drafting.find_draft(work, caller, id)
        criterion, reason = form.get("criterion", ""), form.get("override_reason", "")
        words = form.get("words", "").strip()
        if reason:
            version = filling.fill(work, office, caller, draft).version
            fault = override_fault(version, draft.kind, Override(criterion, reason))
            if fault is not None:
                raise DetailsNotAccepted("overrides", f"This is not accepted: {fault}.")
            if not words:
                raise DetailsNotAccepted(
                    "overrides", "It was not kept: go back, and say why in your own words."
                )
        typed = with_override(draft.form, criterion, reason, words)
        return drafting.change(work, caller, id, typed, draft.answers, version_in(form))

    in_role(request, session, run)
    return go(f"/drafts/{id}/{CHECK}")


@router.post("/{id}/submit")
def submit(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Submit the draft, once: a second click is led to what the first one made."""
    check_csrf(session, form)
    return _send(request, session, id, version_in(form))


def _send(request: Request, session: Session, id: str, version: int) -> Response:
    caller, office = caller_of(request, session), this_office(request)

    def run(work: Work) -> RequestView | str:
        draft = drafting.find_draft(work, caller, id, lock=True)
        if draft.submitted_request is not None:
            return draft.submitted_request
        filling.check_grades(filling.fill(work, office, caller, draft))
        return drafting.submit(
            work,
            caller,
            id,
            version,
            lambda each: submit_as(work, office, caller, each),
        )

    try:
        made = in_role(request, session, run)
    except (RequestValidationError, ApprovalsError) as error:
        return not_taken(request, session, caller, id, error)
    return go(f"/requests/{made if isinstance(made, str) else made.request.id}")


@router.post("/{id}/{step}")
def save(
    request: Request, session: SignedInBrowser, id: IdPath, step: str, form: WholeForm
) -> Response:
    """Keep what was typed on a page, then go on; with faults the page comes again and says them.

    What cannot be taken at all is not kept: the page comes again with every word of it.
    """
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.PREPARE)
    if wrong := unfit(form):
        return _unfit(request, session, caller, id, step, form, wrong)

    payer_before: list[object] = []

    def run(work: Work) -> Filling:
        draft = drafting.find_draft(work, caller, id)
        payer_before[:] = [draft.form.get("commissioner")]
        if draft.state != "open":
            return filling.fill(work, office, caller, draft)
        found = filling.fill(work, office, caller, draft)
        given = given_in(work, office, caller, found, step, form)
        if given.wrong:
            raise Unfit(given.wrong, form)
        typed = typed_into(found, step, given.form, given.confirmed)
        if (typed.form, typed.answers) == (draft.form, draft.answers):
            return filling.fill(work, office, caller, draft)
        kept = drafting.change(work, caller, id, typed.form, typed.answers, version_in(form))
        return filling.fill(work, office, caller, kept)

    try:
        kept = in_role(request, session, run)
    except Unfit as error:
        return _unfit(request, session, caller, id, step, form, error.wrong)
    except VersionMismatch:
        return _changed_meanwhile(request, session, caller, id, step, form)
    if form.get("autosave") == "yes":
        return JSONResponse({"version": kept.draft.version})
    if kept.draft.state != "open":
        return go(f"/drafts/{id}")
    if form.get("send") == "yes" and may_be_sent_from(kept, step):
        return _sent_or_checked(request, session, caller, kept, step)
    after = _next(request, kept, step, form)
    if [kept.draft.form.get("commissioner")] != payer_before and _is_needless(request, kept):
        after = "begun?payer=chosen"
    return go(f"/drafts/{id}/{after}")


def _sent_or_checked(
    request: Request, session: Session, caller: Caller, kept: Filling, step: str
) -> Response:
    """Send the form from its one page, or show what has to be mended or read first."""
    at = f"/drafts/{kept.draft.id}"
    if _has_faults(request, kept, step):
        return go(f"{at}/{step}")
    if nothing_is_left(request, caller, kept):
        return _send(request, session, kept.draft.id, kept.draft.version)
    return go(f"{at}/{CHECK}")


# --- which page comes next -----------------------------------------------------------------------


def _next(request: Request, found: Filling, step: str, form: Mapping[str, str]) -> str:
    """Where a saved page leads: to itself with a fault or another row, back to the check, or on."""
    to_check = form.get("from") == CHECK  # and a page that comes again leads back there still
    if form.get("add"):
        return f"{step}?more={form['add']}{'&from=check' if to_check else ''}"
    if form.get("work_out") in SCORES:
        return f"work-out/{form['work_out']}"
    if _has_faults(request, found, step):
        return f"{step}?from=check" if to_check else step
    if form.get("urgent") == "yes" and urgent_page(found, urgent.URGENT):
        return urgent.URGENT
    if to_check and not (step == paper.PAPER and paper.is_paper(found.draft.form)):
        return CHECK
    if step == about.PATIENT:
        return "begun"
    pages = order(found)
    after = [each for each in pages if place(each) > place(step)]
    return after[0] if len(pages) > 1 and after else CHECK


def _is_needless(request: Request, found: Filling) -> bool:
    """Whether who pays, as far as is chosen, asks for no approval of the drug."""
    office = this_office(request)
    need = door_of(request).read(lambda work: need_of(work, office, found))
    return found.kind is Kind.INITIATION and need is not None and need.exempt


def _has_faults(request: Request, found: Filling, step: str) -> bool:
    part = find_step(found.steps, step)
    if part is None:
        return bool(about_wrong(request, found, step))
    asked = {question.name for question in part.questions}
    return any(each.question.partition("[")[0] in asked for each in found.faults)


def _unfit(
    request: Request,
    session: Session,
    caller: Caller,
    id: str,
    step: str,
    form: Mapping[str, str],
    wrong: Mapping[str, str],
) -> Response:
    """The page again, with every word that was typed and what is wrong with it; nothing is kept."""
    office = this_office(request)
    plain = {name: CONTROL.sub("", value) for name, value in form.items()}

    def read(work: Work) -> tuple[Filling, Filling]:
        found = filling.fill(work, office, caller, drafting.find_draft(work, caller, id))
        if found.draft.state != "open":
            return found, found
        given = given_in(work, office, caller, found, step, plain)
        typed = typed_into(found, step, given.form, given.confirmed)
        return found, replace(found, draft=typed)

    before, found = door_of(request).read(read)
    if found.draft.state != "open":
        return go(f"/drafts/{id}")
    if form.get("autosave") == "yes":
        said = "; ".join(
            f"“{label_of_field(before, step, name)}”: {each}" for name, each in wrong.items()
        )
        return JSONResponse({"said": f"Not saved. {said}"}, 400)
    again = Again(plain, wrong, version_in(dict(form)))
    return step_page(request, session, caller, found, step, again=again)


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
        given = given_in(work, office, caller, found, step, form)
        return replace(found, draft=typed_into(found, step, given.form, given.confirmed))

    found = door_of(request).read(read)
    if found.draft.state != "open":
        return go(f"/drafts/{id}")
    if form.get("autosave") == "yes":
        return JSONResponse({"version": None}, 409)
    return step_page(request, session, caller, found, step, warning=_CHANGED)
