"""Drug names that no dictionary knows, by what they cost; and taking one for a drug."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import RowMapping

from app.api.fields import IdPath, ObjectId
from app.api.submissions import desk_of
from app.api.terms import ProposeNameBody, WithdrawNameBody
from app.approvals.permissions import Action, check_can
from app.auth import holders, people
from app.auth.sessions import Session
from app.db.work import Work
from app.reconciliation import spellings
from app.reconciliation.errors import SpellingNotAccepted
from app.reconciliation.spelling_review import UnknownName
from app.reference_data.drugs import load_drugs
from app.web.acting import act_once, body_of, fresh_name
from app.web.callers import caller_of
from app.web.desk.names_view import accepted_rows, unknown_rows
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix="/drug-names", route_class=PageRoute, include_in_schema=False)

_Read = tuple[tuple[UnknownName, ...], tuple[RowMapping, ...], set[str], dict[str, str]]

_DID: Final = ("proposed_by", "accepted_by", "withdrawn_by")
_WHY: Final = "Say why the name is taken back."
_WHICH: Final = "Choose the drug that the name means."


@router.get("")
def show(request: Request, session: SignedInBrowser, run: ObjectId | None = None) -> Response:
    """Unknown names, the costliest first, and those that people proposed or accepted."""
    return _shown(request, session, run)


@router.post("")
def propose(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """Propose what a name means; another person accepts it."""
    check_csrf(session, form)
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.KEEP_TERMS)
    body, _ = body_of(ProposeNameBody, {"name": form.get("name", ""), "drug": form.get("drug", "")})
    if body is None:
        return _shown(request, session, None, _WHICH)
    asked = body

    def take(work: Work) -> str:
        spellings.propose(work, desk, caller, asked.name, asked.drug, asked.product)
        return "/drug-names#proposed"

    return _once(request, session, form, take)


@router.post("/{id}/accept")
def accept(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Accept what another person proposed."""
    caller = caller_of(request, session)

    def take(work: Work) -> str:
        spellings.accept(work, caller, id)
        return "/drug-names#proposed"

    return _once(request, session, form, take)


@router.post("/{id}/withdraw")
def withdraw(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Take a name back; runs that used it keep their outcomes."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.KEEP_TERMS)
    body, _ = body_of(WithdrawNameBody, {"reason": form.get("reason", "").strip()})
    if body is None:
        return _shown(request, session, None, _WHY)
    reason = body.reason

    def take(work: Work) -> str:
        spellings.withdraw(work, caller, id, reason)
        return "/drug-names#proposed"

    return _once(request, session, form, take)


def _once(
    request: Request, session: Session, form: dict[str, str], take: Callable[[Work], str]
) -> Response:
    try:
        return act_once(request, session, form, take)
    except SpellingNotAccepted as error:
        return _shown(request, session, None, str(error))


def _shown(request: Request, session: Session, run: str | None, wrong: str = "") -> Response:
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.KEEP_TERMS)

    def read(work: Work) -> _Read:
        if run is None:
            unknown = spellings.review(work, desk, caller)
        else:
            unknown = spellings.review_run(work, desk, caller, run)
        own = holders.person_of(work, caller.id) or caller.id
        mine = set(holders.credentials_of(work, own))
        known = tuple(spellings.spellings_of(work, caller))
        who = {row[did] or "" for row in known for did in _DID}
        return unknown, known, mine, people.names_of(work, who)

    unknown, known, mine, names = door_of(request).read(read)
    return page(
        request,
        "desk/names.html",
        status=422 if wrong else 200,
        session=session,
        run=run,
        unknown=unknown_rows(unknown, known),
        known=accepted_rows(known, mine, names),
        drugs=sorted((drug.name, key) for key, drug in load_drugs().drugs.items()),
        once=fresh_name(request),
        errors=[{"text": wrong, "href": "#unknown"}] if wrong else [],
    )
