"""Answers that were begun and not sent, as pages keep them, find them again and tell of them."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from app.api.requests_model import RequestDocument
from app.approvals import begun_answers, store
from app.approvals.begun_answers import BegunAnswers
from app.approvals.errors import VersionMismatch
from app.approvals.model import RequestRecord
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.web.pages import go, in_role
from app.web.words import instant_words

CHANGED: Final = (
    "The answers were changed in another tab or by a colleague since you opened this page. What "
    "you typed is below and not saved yet. Look it through, then send it."
)
#: The field of a page that holds which version of the kept answers it was made of.
KEPT: Final = "kept"


def kept_in(form: Mapping[str, str]) -> int | None:
    """The version of the kept answers that the page was made of; None where it tells none."""
    given = form.get(KEPT, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


def keep(
    request: Request, session: Session, caller: Caller, id: str, form: Mapping[str, str]
) -> BegunAnswers:
    """Keep a page's words in a transaction of their own, whatever then becomes of the form.

    Raises VersionMismatch where they were kept from elsewhere since.
    """

    def run(work: Work) -> BegunAnswers:
        expected = kept_in(form)
        if expected is None:
            expected = version_of(work, store.find_request(work, caller, id))
        return begun_answers.keep(work, caller, id, form, expected)

    kept: BegunAnswers = in_role(request, session, run)
    return kept


def without_sending(
    request: Request,
    session: Session,
    caller: Caller,
    id: str,
    form: Mapping[str, str],
    wrong: Mapping[str, str],
) -> Response | None:
    """The reply to a page that saves itself, or whose words are put away; None to one to be sent.

    `wrong`: what cannot be taken of the form.
    """
    if form.get("autosave") == "yes":
        if wrong:
            return JSONResponse({"said": f"Not saved. {' '.join(wrong.values())}"}, 400)
        try:
            kept = keep(request, session, caller, id, form)
        except VersionMismatch:
            return JSONResponse({"version": None}, 409)
        return JSONResponse({"version": kept.version})
    if form.get("forget") == "yes":
        in_role(request, session, lambda work: begun_answers.forget(work, caller, id))
        return go(f"/requests/{id}")
    return None


def check_kept(work: Work, request: RequestRecord, form: Mapping[str, str]) -> None:
    """Raise VersionMismatch where what is sent was kept from elsewhere since its page was shown."""
    expected = kept_in(form)
    if expected is not None:
        store.check_version(version_of(work, request), expected)


def version_of(work: Work, request: RequestRecord) -> int:
    """The version of what is kept for the request; 0 where nothing is."""
    found = begun_answers.find_begun(work, request)
    return 0 if found is None else found.version


def begun_words(found: BegunAnswers, caller: Caller) -> str:
    """That answers were begun, when and by whom."""
    who = "you" if found.changed_by == caller.id else "a colleague"
    when = instant_words(found.changed_at)
    return f"New answers were typed by {who}, last on {when}, and are not sent."


def begun_at(found: BegunAnswers, document: RequestDocument, *, answerable: bool) -> str:
    """The page on which what was begun goes on."""
    if answerable:
        return f"/requests/{document.id}/answers"
    asked = urlencode([("question", name) for name in found.questions])
    return f"/requests/{document.id}/correct?{asked}"
