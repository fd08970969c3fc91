"""Challenges: drafted of a run, raised, answered, decided, credited."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.api.challenges import (
    AnswerBody,
    CreditBody,
    RaiseBody,
    UpholdBody,
    WithdrawBody,
)
from app.api.challenges_model import (
    ChallengeDetail,
    ChallengeDocument,
    challenge_detail,
    challenge_document,
)
from app.api.fields import IdPath, ObjectId
from app.api.submissions import UuidPath, desk_of
from app.approvals.permissions import Action, can, check_can
from app.audit import Reading
from app.auth.sessions import Session
from app.db.work import Work
from app.reconciliation import challenging
from app.reconciliation.challenge_model import Challenge, ChallengeState, Part
from app.reconciliation.challenge_store import Asked
from app.reconciliation.challenge_windows import timing, timings
from app.reconciliation.errors import StepNotPossible
from app.reconciliation.line_filter import LineFilter
from app.reconciliation.windows import Window, period_of_month
from app.web.acting import act_once, body_of, fresh_name
from app.web.callers import caller_of, read_recorded, version_in
from app.web.desk.challenge_view import (
    challenge_rows,
    challenge_view,
    line_rows,
    month_choices,
    steps_of,
    window_choices,
)
from app.web.form.typed import typed_day
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(route_class=PageRoute, include_in_schema=False)

LISTED_ON_A_PAGE: Final = 200
LINES_ON_A_PAGE: Final = 100
#: What to say of a field that cannot be taken.
_TOLD: Final = {
    "respond_by": "Enter the day until which the provider may answer, such as 15 7 2026.",
    "evidence": "Say what shows that the lines are payable, or are not.",
    "reason": "Say why, in up to 2,000 characters.",
    "amount": "Enter an amount in pounds above zero, such as 352.14, or leave it empty.",
    "credit_reference": "Enter the number of the credit note: letters, digits, and / . _ - signs.",
}


@router.post("/submissions/runs/{run}/challenges")
def draft(request: Request, session: SignedInBrowser, run: UuidPath, form: FormFields) -> Response:
    """Draft challenges of what the run queried; the provider sees no draft."""
    check_csrf(session, form)
    caller, desk = caller_of(request, session), desk_of(request)
    by_month = form.get("by_month") == "yes"
    asked = LineFilter(**{name: form.get(name) or None for name in LineFilter.__slots__})
    loaded = door_of(request).read(
        lambda work: challenging.load_for_draft(work, desk, caller, run, asked)
    )

    def take(work: Work) -> str:
        challenging.draft(work, caller, loaded, by_month=by_month)
        return f"/challenges?run={run}"

    return act_once(request, session, form, take)


@router.get("/challenges")
def list_challenges(
    request: Request,
    session: SignedInBrowser,
    state: str = Query(default="", max_length=20),
    run: ObjectId | None = None,
    month: str = Query(default="", pattern="^(20[0-9]{4} M[01][0-9])?$"),
    provider: str = Query(default="", pattern="^([A-Z0-9]{3,9})?$"),
    window: str = Query(default="", max_length=10),
    after: ObjectId | None = None,
) -> Response:
    """A commissioner's own; a provider's those raised against it. Newest first, page by page."""
    caller = caller_of(request, session)
    wanted = ChallengeState(state) if state in set(ChallengeState) else None
    within = Window(window) if window in set(Window) else None
    period = period_of_month(month)
    asked = Asked(
        state=wanted,
        run=run,
        provider=provider or None,
        financial_year=None if period is None else period.financial_year,
        financial_month=None if period is None else period.financial_month,
    )

    def read(work: Work) -> tuple[list[ChallengeDocument], list[str]]:
        most = LISTED_ON_A_PAGE + 1
        found = challenging.list_challenges(work, caller, asked, most, within, after)
        timed = timings(work, found)
        documents = [challenge_document(each, timed[each.id]) for each in found]
        return documents, challenging.months_challenged(work, caller)

    found, months = door_of(request).read(read)
    listed = found[:LISTED_ON_A_PAGE]
    chosen = {name: value for name, value in request.query_params.items() if name != "after"}
    further = {**chosen, "after": listed[-1].id} if len(found) > len(listed) else None
    return page(
        request,
        "desk/challenges.html",
        session=session,
        list=challenge_rows(listed),
        months=month_choices(months, month),
        windows=window_choices(within),
        provider=provider,
        states=[(each.value, each is wanted) for each in ChallengeState],
        run=run,
        first_href=f"/challenges?{urlencode(chosen)}" if after else None,
        next_href=f"/challenges?{urlencode(further)}" if further else None,
        payer=challenging.is_payer(caller),
    )


@router.get("/challenges/{id}")
def show(
    request: Request,
    session: SignedInBrowser,
    id: IdPath,
    after: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> Response:
    """A challenge with a page of its lines; numbers for the provider, pseudonyms for the payer."""
    return _shown(request, session, id, after=after)


@router.post("/challenges/{id}/raise")
def raise_challenge(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Send it to the provider."""
    return _step(
        request,
        session,
        id,
        form,
        Action.CHALLENGE,
        RaiseBody,
        {"respond_by": typed_day("respond_by", form)},
        lambda work, caller, body, version: challenging.raise_challenge(
            work, caller, id, body.respond_by, version
        ),
    )


@router.post("/challenges/{id}/answer")
def answer(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """The provider's answer."""
    return _step(
        request,
        session,
        id,
        form,
        Action.ANSWER_CHALLENGE,
        AnswerBody,
        {"evidence": _text(form, "evidence")},
        lambda work, caller, body, version: challenging.answer(
            work, caller, id, body.evidence, version
        ),
    )


@router.post("/challenges/{id}/uphold")
def uphold(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Hold to it, for all or part of the amount."""
    amount = _text(form, "amount").replace(",", "").removeprefix("£").strip()
    return _step(
        request,
        session,
        id,
        form,
        Action.CHALLENGE,
        UpholdBody,
        {"reason": _text(form, "reason")} | ({"amount": amount} if amount else {}),
        lambda work, caller, body, version: challenging.uphold(
            work, caller, id, body.reason, body.amount, version
        ),
    )


@router.post("/challenges/{id}/withdraw")
def withdraw(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Give it up."""
    return _step(
        request,
        session,
        id,
        form,
        Action.CHALLENGE,
        WithdrawBody,
        {"reason": _text(form, "reason")},
        lambda work, caller, body, version: challenging.withdraw(
            work, caller, id, body.reason, version
        ),
    )


@router.post("/challenges/{id}/credit")
def credit(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Record the credit note."""
    return _step(
        request,
        session,
        id,
        form,
        Action.CHALLENGE,
        CreditBody,
        {"credit_reference": _text(form, "credit_reference")},
        lambda work, caller, body, version: challenging.credit(
            work, caller, id, body.credit_reference, version
        ),
    )


def _text(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()


def _step(
    request: Request,
    session: Session,
    id: str,
    form: dict[str, str],
    action: Action,
    model: type[BaseModel],
    values: Mapping[str, Any],
    take: Callable[..., Challenge],
) -> Response:
    """Take a step once; what cannot be taken is told on the challenge's page."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, action)
    step = request.url.path.rsplit("/", 1)[-1]
    body, wrong = body_of(model, values)
    if body is None:
        faults = {f"{step}-{name}": _TOLD[name] for name in _TOLD if name in wrong}
        return _shown(request, session, id, faults, form)
    version = version_in(form)

    def run(work: Work) -> str:
        take(work, caller, body, version)
        return f"/challenges/{id}"

    try:
        return act_once(request, session, form, run)
    except StepNotPossible as error:
        first = next(iter(values), "reason")
        return _shown(request, session, id, {f"{step}-{first}": str(error)}, form)


def _shown(
    request: Request,
    session: Session,
    id: str,
    faults: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    after: int = 0,
) -> Response:
    caller, desk = caller_of(request, session), desk_of(request)
    part = Part(after, LINES_ON_A_PAGE + 1)

    def read(work: Work) -> tuple[tuple[ChallengeDetail, str], Reading]:
        challenge, lines = challenging.show(work, desk, caller, id, part)
        key = desk.office.pseudonyms.key_of(caller.organisation)
        timed = timing(work, challenge)
        detail = challenge_detail(caller, key, challenge, timed, lines)
        return (detail, challenge.run_id), Reading("challenge read", names={"challenge": id})

    detail, run = read_recorded(request, caller, read)
    told = dict(faults or {})
    return page(
        request,
        "desk/challenge.html",
        status=422 if told else 200,
        session=session,
        detail=detail,
        lines=line_rows(detail.lines[:LINES_ON_A_PAGE]),
        after=after,
        next=detail.lines[LINES_ON_A_PAGE - 1].row if len(detail.lines) == part.most else None,
        view=challenge_view(detail),
        steps=steps_of(
            detail.challenge,
            may_challenge=can(caller, Action.CHALLENGE),
            may_answer=can(caller, Action.ANSWER_CHALLENGE),
            today=door_of(request).moment().day,
        ),
        payer=challenging.is_payer(caller),
        run=run if can(caller, Action.RECONCILE) and challenging.is_payer(caller) else None,
        once=fresh_name(request),
        typed=typed or {},
        faults=told,
        errors=[{"text": text, "href": f"#{_anchor(at)}"} for at, text in told.items()],
    )


def _anchor(at: str) -> str:
    return "respond_by-day" if at.endswith("respond_by") else at
