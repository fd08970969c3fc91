"""Answering what a request waits for: kept while it is typed, then sent and decided again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.requests_model import RequestDocument, request_document
from app.approvals import amending, begun_answers, store
from app.approvals.begun_answers import BegunAnswers
from app.approvals.errors import AnswersNotAccepted, VersionMismatch
from app.approvals.lifecycle import RequestState
from app.approvals.permissions import Action, can, check_can
from app.approvals.replaying import version_of_request
from app.approvals.views import request_view
from app.audit import Reading
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.policy import AnswerFault, PolicyVersion, Question
from app.web.begun import (
    CHANGED,
    begun_words,
    check_kept,
    keep,
    without_sending,
)
from app.web.callers import caller_of, read_recorded, this_office, version_in
from app.web.correction import event_for, stored
from app.web.form import shared_day
from app.web.form.fields import beside, errors_with, marked, question_fields
from app.web.form.steps import blocks_asking
from app.web.form.typed import typed_answers
from app.web.pages import CONTROL, PageRoute, check_csrf, go, in_role, unfit
from app.web.rendering import page
from app.web.sign_in import SignedInBrowser, WholeForm
from app.web.starting import IdPath

router = APIRouter(prefix="/requests", route_class=PageRoute, include_in_schema=False)

ANSWERABLE: Final = frozenset({RequestState.MORE_INFORMATION_NEEDED, RequestState.RETURNED})
_Seen = tuple[RequestDocument, PolicyVersion, BegunAnswers | None]


@dataclass(frozen=True, slots=True)
class _Again:
    """A form that comes again: what was posted, what cannot be taken of it, and why it is back."""

    form: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[AnswerFault, ...] = ()
    warning: str | None = None


@router.get("/{id}/answers")
def ask(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """The questions that the request waits for; where a panel asked, all of them.

    Whoever may send the answers finds in them what was typed before and not sent.
    """
    caller = caller_of(request, session)

    def read(work: Work) -> tuple[_Seen, Reading]:
        seen = _seen(request, work, caller, id)
        return seen, Reading("request read", seen[0].treatment_id, id)

    seen = read_recorded(request, caller, read)
    if seen[0].state not in ANSWERABLE:
        return go(f"/requests/{id}")
    return _answers_page(request, session, caller, seen, _Again())


@router.post("/{id}/answers")
def answer(request: Request, session: SignedInBrowser, id: IdPath, form: WholeForm) -> Response:
    """Add the answers, and decide again. What cannot be taken comes again with every word."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.AMEND)
    wrong = unfit(form)
    form = {name: CONTROL.sub("", value) for name, value in form.items()}
    form, unread = _dated(request, session, caller, id, form)

    def again(came: _Again, error: Exception | None = None) -> Response:
        seen = in_role(request, session, lambda work: _seen(request, work, caller, id))
        if error is not None and seen[0].state not in ANSWERABLE:
            raise error
        return _answers_page(request, session, caller, seen, came)

    if (done := without_sending(request, session, caller, id, form, wrong)) is not None:
        return done
    if wrong or unread:
        return again(_Again(form, wrong | unread))
    try:
        if form.get("add"):  # one more row of a list: nothing is sent
            keep(request, session, caller, id, form)
            return again(_Again(form))
        in_role(request, session, lambda work: _send(request, work, caller, id, form))
    except AnswersNotAccepted as error:
        keep(request, session, caller, id, form)
        return again(_Again(form, faults=error.faults))
    except VersionMismatch as error:
        return again(_Again(form, warning=CHANGED), error)
    return go(f"/requests/{id}")


def _dated(
    request: Request, session: Session, caller: Caller, id: str, form: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The form with the day of the visit beside each value, and what is wrong with that day."""
    if not form.get(shared_day.NAME, "").strip():
        return form, {}
    _, version, _ = in_role(request, session, lambda work: _seen(request, work, caller, id))
    halfway = form.get("autosave") == "yes"
    return shared_day.with_shared(_shown(version, form), form, halfway=halfway)


def _send(request: Request, work: Work, caller: Caller, id: str, form: dict[str, str]) -> None:
    office = this_office(request)
    found = store.find_request(work, caller, id)
    check_kept(work, found, form)
    version = version_of_request(work, office.library_at(work), found)
    shown = _shown(version, form)
    given = {k: v for k, v in typed_answers(shown, form).items() if v is not None}
    amending.amend(work, office, caller, id, given, version_in(form))
    begun_answers.was_sent(work, found, {question.name for question in shown})


def _seen(request: Request, work: Work, caller: Caller, id: str) -> _Seen:
    office = this_office(request)
    view = request_view(work, caller, id)
    version = version_of_request(work, office.library_at(work), view.request)
    own = view.request.provider == caller.organisation and can(caller, Action.AMEND)
    begun = begun_answers.find_begun(work, view.request) if own else None
    return request_document(work, office, caller, view), version, begun


def _shown(version: PolicyVersion, form: Mapping[str, str]) -> tuple[Question, ...]:
    return tuple(each for each in version.questions.values() if f"shown.{each.name}" in form)


def _answers_page(
    request: Request, session: Session, caller: Caller, seen: _Seen, came: _Again
) -> Response:
    """The questions with what was typed, now or before."""
    document, version, begun = seen
    names = [each.name for each in document.missing] or [
        q.name for q in version.questions.values() if document.kind in q.kinds
    ]
    held = tuple(version.questions[name] for name in names if name in version.questions)
    blocks = blocks_asking(version, document.kind, held)
    asked = tuple(question for block in blocks for question in block.questions)
    fields = question_fields(
        asked, _values(seen, came.form), came.faults, None, came.form.get("add", "")
    )
    fields = marked(fields, came.wrong, came.form)
    dated = shared_day.shown(asked, came.form, came.wrong)
    errors = errors_with([*([dated.as_field] if dated else []), *fields], came.wrong)
    return page(
        request,
        "request_answers.html",
        status=422 if errors else 409 if came.warning else 200,
        session=session,
        document=document,
        policy=version,
        dated=dated,
        blocks=beside(blocks, fields),
        may_correct=event_for(document) is not None,
        kept=0 if begun is None else begun.version,
        begun=begun_words(begun, caller) if begun is not None and not came.form else None,
        warning=came.warning,
        errors=errors,
    )


def _values(seen: _Seen, form: Mapping[str, str]) -> dict[str, Any]:
    """What stands in the fields: the answers on record, over them what was typed."""
    document, version, begun = seen
    typed: Mapping[str, str] = form or ({} if begun is None else begun.form)
    given = typed_answers(_shown(version, typed), typed)
    return {**stored(document), **{k: v for k, v in given.items() if v is not None}}
