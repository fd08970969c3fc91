"""Correcting the answers of a request: choose them, see what would change, then do it once.

What is typed is kept until it is sent.

While the request waits for answers, new ones amend it; once it is decided, they correct it and need
a reason. Either way the policy version of the first submission decides again.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import StringConstraints

from app.api.requests_model import RequestDocument, request_document
from app.api.treatments_model import TreatmentDocument, treatment_document
from app.approvals import amending, begun_answers, correcting, store
from app.approvals.begun_answers import BegunAnswers
from app.approvals.errors import AnswersNotAccepted, TransitionNotAllowed, VersionMismatch
from app.approvals.foreseeing import foresee
from app.approvals.lifecycle import RequestEvent
from app.approvals.office import Office
from app.approvals.permissions import Action, check_acts_for, check_can
from app.approvals.replaying import version_of_request
from app.approvals.views import request_view, treatment_view
from app.audit import Reading, record_reading
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.policy import AnswerFault, PolicyVersion, Question
from app.web.acting import act_once, fresh_name
from app.web.begun import (
    CHANGED,
    KEPT,
    begun_words,
    check_kept,
    keep,
    without_sending,
)
from app.web.callers import caller_of, read_recorded, this_office, version_in
from app.web.correction import (
    NO_REASON,
    NOTHING_CHANGED,
    ON_RECORD,
    changed,
    choices,
    event_for,
    foreseen,
    stored,
)
from app.web.form import shared_day
from app.web.form.fields import beside, errors_of, marked, question_fields
from app.web.form.scales import scale_faults
from app.web.form.steps import blocks_asking
from app.web.form.typed import typed_answers
from app.web.pages import CONTROL, PageRoute, check_csrf, door_of, go, in_role, unfit
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser, WholeForm
from app.web.starting import IdPath

router = APIRouter(prefix="/requests", route_class=PageRoute, include_in_schema=False)

QuestionWord = Annotated[str, StringConstraints(pattern="^[A-Za-z_][A-Za-z0-9_]{0,59}$")]
_Seen = tuple[RequestDocument, PolicyVersion, BegunAnswers | None]
_NOT_NOW: Final = "The answers of this request cannot be changed as it stands. Read what is next."


@router.get("/{id}/correct")
def choose(
    request: Request,
    session: SignedInBrowser,
    id: IdPath,
    question: Annotated[list[QuestionWord] | None, Query(max_length=200)] = None,
) -> Response:
    """Which answers are wrong; then those alone, as they stand."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.CORRECT)

    def read(work: Work) -> tuple[_Seen, Reading]:
        seen = _seen(work, office, caller, id)
        return seen, Reading("request read", seen[0].treatment_id, id)

    document, version, begun = read_recorded(request, caller, read)
    if event_for(document) is None:
        return go(f"/requests/{id}")
    asked = _asked(document, version, question or [])
    if not asked:
        return page(
            request,
            "correct_choose.html",
            session=session,
            document=document,
            policy=version,
            choices=choices(document, version),
            begun=None if begun is None else begun_words(begun, caller),
            ticked=() if begun is None else begun.questions,
        )
    return _form(request, session, document, version, asked, {}, begun)


@router.post("/{id}/correct")
def preview(request: Request, session: SignedInBrowser, id: IdPath, form: WholeForm) -> Response:
    """What the correction would change, shown before it is made: only the words are kept.

    What cannot be taken of the form comes again with every word of it.
    """
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.CORRECT)
    document, version, begun = in_role(
        request, session, lambda work: _seen(work, office, caller, id)
    )
    event = event_for(document)
    if event is None:
        return go(f"/requests/{id}")
    asked = _asked(document, version, _names(form))
    no_text = unfit(form)
    form = {name: CONTROL.sub("", value) for name, value in form.items()}
    halfway = form.get("autosave") == "yes"
    form, unread = shared_day.with_shared(asked, form, halfway=halfway)
    typed = typed_answers(asked, form)
    if not asked:
        return go(f"/requests/{id}/correct")
    if (done := without_sending(request, session, caller, id, form, no_text)) is not None:
        return done
    if no_text or unread:
        return _form(request, session, document, version, asked, form, begun, no_text | unread)
    try:
        begun = keep(request, session, caller, id, form)
    except VersionMismatch:
        return _form(request, session, document, version, asked, form, begun, warning=CHANGED)
    form[KEPT] = str(begun.version)
    if form.get("again") or form.get("add"):
        return _form(request, session, document, version, asked, form, begun)
    given, emptied = changed(document, asked, typed)
    wrong = _wrong(event, form, changes=bool(given or emptied))
    if wrong:
        return _form(request, session, document, version, asked, form, begun, wrong)
    if graded := tuple(scale_faults(given)):
        return _form(request, session, document, version, asked, form, begun, faults=graded)

    def run(work: Work) -> tuple[tuple[RequestDocument, TreatmentDocument], ...]:
        before = _documents(work, office, caller, id)

        def act() -> tuple[RequestDocument, TreatmentDocument]:
            _take(work, office, caller, id, form)
            return _documents(work, office, caller, id)

        after = foresee(work, act)
        names = {"questions": sorted([*given, *emptied])}
        record_reading(
            work,
            caller.actor(),
            Reading("correction previewed", document.treatment_id, id, names=names),
        )
        return before, after

    try:
        before, after = door_of(request).transact(run)
    except AnswersNotAccepted as error:
        return _form(request, session, document, version, asked, form, begun, faults=error.faults)
    return page(
        request,
        "correct_preview.html",
        session=session,
        document=document,
        policy=version,
        seen=foreseen(version, before, after),
        on_record=ON_RECORD,
        reason=form.get("reason", "").strip(),
        kept=[
            (name, value)
            for name, value in form.items()
            if name.startswith(("a.", "shown.")) or name in ("reason", "version", KEPT)
        ],
        once=fresh_name(request),
    )


@router.post("/{id}/correct/confirm")
def confirm(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Make the correction, once, and see the request as it then stands."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.CORRECT)

    def act(work: Work) -> str:
        _take(work, office, caller, id, form)
        return f"/requests/{id}"

    return act_once(request, session, form, act)


def _wrong(event: RequestEvent, form: Mapping[str, str], *, changes: bool) -> dict[str, str]:
    """What is missing of a correction itself, whatever is answered in it."""
    wrong = {}
    if event is RequestEvent.CORRECT and not form.get("reason", "").strip():
        wrong["reason"] = NO_REASON
    if not changes:
        wrong["answers"] = NOTHING_CHANGED
    return wrong


def _take(work: Work, office: Office, caller: Caller, id: str, form: dict[str, str]) -> None:
    """Amend or correct the request with what was typed, whichever it waits for."""
    document, version, _ = _seen(work, office, caller, id)
    found = store.find_request(work, caller, id)
    check_kept(work, found, form)
    store.check_version(document.version, version_in(form))
    asked = _asked(document, version, _names(form))
    given, emptied = changed(document, asked, typed_answers(asked, form))
    event, reason = event_for(document), form.get("reason", "").strip()
    if event is RequestEvent.AMEND:
        answers = {**given, **dict.fromkeys(emptied)}
        amending.amend(work, office, caller, id, answers, document.version)
    elif event is RequestEvent.CORRECT and reason and (given or emptied):
        correcting.correct(work, office, caller, id, given, emptied, reason, document.version)
    else:
        raise TransitionNotAllowed(_NOT_NOW)
    begun_answers.was_sent(work, found, {question.name for question in asked})


def _seen(work: Work, office: Office, caller: Caller, id: str) -> _Seen:
    """The request, its version and what was begun of it, for its own provider."""
    view = request_view(work, caller, id)
    check_acts_for(caller, Action.CORRECT, view.request.provider)
    version = version_of_request(work, office.library_at(work), view.request)
    begun = begun_answers.find_begun(work, view.request)
    return request_document(work, office, caller, view), version, begun


def _documents(
    work: Work, office: Office, caller: Caller, id: str
) -> tuple[RequestDocument, TreatmentDocument]:
    document = request_document(work, office, caller, request_view(work, caller, id))
    treatment = treatment_view(work, caller, document.treatment_id)
    return document, treatment_document(work, office, caller, treatment)


def _names(form: dict[str, str]) -> list[str]:
    return [name.removeprefix("shown.") for name in form if name.startswith("shown.")]


def _asked(
    document: RequestDocument, version: PolicyVersion, names: list[str]
) -> tuple[Question, ...]:
    """The questions of these names that the request's form has, in its order."""
    return tuple(
        each
        for each in version.questions.values()
        if each.name in names and document.kind in each.kinds
    )


def _form(
    request: Request,
    session: Session,
    document: RequestDocument,
    version: PolicyVersion,
    asked: tuple[Question, ...],
    form: dict[str, str],
    begun: BegunAnswers | None,
    wrong: dict[str, str] | None = None,
    faults: tuple[AnswerFault, ...] = (),
    warning: str | None = None,
) -> Response:
    """The chosen answers to change, with what was typed over them so far."""
    wrong = wrong or {}
    blocks = blocks_asking(version, document.kind, asked)
    asked = tuple(question for block in blocks for question in block.questions)
    typed: Mapping[str, str] = form or ({} if begun is None else begun.form)
    held = tuple(each for each in asked if form or f"shown.{each.name}" in typed)
    shown: dict[str, Any] = {**stored(document), **typed_answers(held, typed)}
    fields = question_fields(
        asked, {k: v for k, v in shown.items() if v is not None}, faults, None, form.get("add", "")
    )
    fields = marked(fields, wrong, form)
    dated = shared_day.shown(asked, form, wrong)
    errors = errors_of([*([dated.as_field] if dated else []), *fields])
    if "answers" in wrong:
        errors.append({"text": wrong["answers"], "href": f"#{fields[0].id}"})
    if "reason" in wrong:
        errors.append({"text": wrong["reason"], "href": "#reason"})
    return page(
        request,
        "correct_form.html",
        status=422 if errors else 409 if warning else 200,
        session=session,
        document=document,
        policy=version,
        kept=0 if begun is None else begun.version,
        dated=dated,
        was={each.name: each.words for each in choices(document, version)},
        blocks=beside(blocks, fields),
        needs_reason=event_for(document) is RequestEvent.CORRECT,
        reason=typed.get("reason", ""),
        warning=warning,
        reason_wrong=wrong.get("reason"),
        version=form.get("version", document.version),
        errors=errors,
    )
