"""Challenging lines: drafted, raised and decided by a commissioner, answered by the provider."""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.callers import SignedIn, door_of
from app.api.challenges_model import (
    ChallengeDetail,
    ChallengeDocument,
    ChallengeList,
    DraftedDocument,
    challenge_detail,
    challenge_document,
    drafted_document,
)
from app.api.documents import Document
from app.api.fields import EXAMPLE_ID, Amount, IdPath, ObjectId, PlausibleDay, Reason
from app.api.headers import IfMatch, etag, version_read
from app.api.reading import read_recorded
from app.api.request_bodies import example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.slices import Code, Month, Year
from app.api.steps import VERSIONED, shown
from app.api.submissions import ThisDesk
from app.api.writing import NAMED, Answer, write, write_after
from app.approvals.permissions import Action
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import challenging
from app.reconciliation.challenge_model import Challenge, ChallengeState
from app.reconciliation.challenge_store import Asked
from app.reconciliation.challenge_windows import timing, timings
from app.reconciliation.large_drafts import ToDraft
from app.reconciliation.line_filter import LineFilter
from app.reconciliation.model import LineOutcome
from app.reconciliation.windows import Window

router = APIRouter(prefix="/v1", tags=["challenges"], route_class=StrictRoute)

PAYER: Final = for_roles(Action.CHALLENGE)
READERS: Final = for_roles(Action.READ_CHALLENGES)
LARGEST: Final = 500


SummaryName = Annotated[str, Field(min_length=1, max_length=80)]


class DraftBody(Document):
    """Which run to draft from, and whether each month is a challenge of its own.

    With an outcome, provider, drug, month or commissioner, as the run's summary names them, only
    of such lines.
    """

    model_config = example({"run": EXAMPLE_ID, "by_month": False})

    run: ObjectId
    by_month: bool = False
    outcome: Annotated[LineOutcome, Field(strict=False)] | None = None
    provider: SummaryName | None = None
    drug: SummaryName | None = None
    month: SummaryName | None = None
    commissioner: SummaryName | None = None


class RaiseBody(Document):
    """Until when the provider may answer."""

    model_config = example({"respond_by": "2026-07-15"})

    respond_by: PlausibleDay = Field(description="From your contract's calendar")


class AnswerBody(Document):
    """The provider's answer."""

    model_config = example({"evidence": "The approval was entered on the day; see its reference."})

    evidence: Reason = Field(description="What shows that the lines are payable, or are not")


class UpholdBody(Document):
    """Why the challenge stands, and how much of it."""

    model_config = example({"reason": "No approval was shown.", "amount": "352.14"})

    reason: Reason
    amount: Amount | None = Field(default=None, description="Pounds; all of it if left out")


class WithdrawBody(Document):
    """Why the challenge is given up."""

    model_config = example({"reason": "The approval was found."})

    reason: Reason


class CreditBody(Document):
    """By what the provider credited it."""

    model_config = example({"credit_reference": "CN-20260731-1"})

    credit_reference: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9/._ -]{0,59}$")]


@router.post(
    "/challenges",
    status_code=201,
    summary="Draft challenges of a run",
    response_model=DraftedDocument,
    responses={404: {}},
    dependencies=[NAMED],
    openapi_extra=PAYER,
)
def draft(request: Request, caller: SignedIn, desk: ThisDesk, body: DraftBody) -> Response:
    """Groups what the run queried by provider, outcome and drug; the provider sees no draft.

    A line is in one challenge at most, whatever file or run states it. What is not challenged is
    counted with its reason. Of a run that is too large to be held in memory at most 50,000 lines
    are challenged in one go: more are refused, and drafted by outcome, provider and so on.
    """
    outcome = None if body.outcome is None else body.outcome.value
    asked = LineFilter(outcome, body.drug, body.provider, body.month, body.commissioner)

    def look() -> ToDraft:
        return door_of(request).read(
            lambda work: challenging.load_for_draft(work, desk, caller, body.run, asked)
        )

    def run(work: Work, loaded: ToDraft) -> Answer:
        made = challenging.draft(work, caller, loaded, by_month=body.by_month)
        return Answer(201, drafted_document(body.run, made, timings(work, made.challenges)))

    return write_after(request, caller, look, run)


@router.get("/challenges", summary="List challenges", openapi_extra=READERS)
def list_challenges(
    request: Request,
    caller: SignedIn,
    state: Annotated[ChallengeState | None, Query(description="Only those in this state")] = None,
    run: Annotated[ObjectId | None, Query(description="Only those drafted of this run")] = None,
    provider: Code = None,
    commissioner: Code = None,
    financial_year: Year = None,
    financial_month: Month = None,
    window: Annotated[
        Window | None,
        Query(description="Whether their months may still be challenged in time, by the calendar"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST)] = 100,
) -> ChallengeList:
    """A commissioner's own; a provider's those raised against it. Newest first.

    A year or month asks for those with a line of it.
    """
    asked = Asked(state, run, provider, commissioner, financial_year, financial_month)

    def read(work: Work) -> ChallengeList:
        found = challenging.list_challenges(work, caller, asked, limit, window)
        timed = timings(work, found)
        return ChallengeList(challenges=[challenge_document(c, timed[c.id]) for c in found])

    return door_of(request).read(read)


@router.get(
    "/challenges/{id}",
    summary="Show a challenge with its lines",
    response_model=ChallengeDetail,
    responses=VERSIONED,
    openapi_extra=READERS,
)
def show(request: Request, caller: SignedIn, desk: ThisDesk, id: IdPath) -> Response:
    """The provider reads its own patients' numbers, the commissioner pseudonyms."""

    def read(work: Work) -> tuple[Response, Reading]:
        challenge, lines = challenging.show(work, desk, caller, id)
        key = desk.office.pseudonyms.key_of(caller.organisation)
        body = challenge_detail(caller, key, challenge, timing(work, challenge), lines)
        reading = Reading("challenge read", names={"challenge": id})
        return shown(body, challenge.version), reading

    return read_recorded(request, caller, read)


def _step(
    request: Request,
    caller: Caller,
    if_match: str | None,
    take: Callable[[Work, int | None], Challenge],
) -> Response:
    expected = version_read(if_match)

    def run(work: Work) -> Answer:
        after = take(work, expected)
        body = challenge_document(after, timing(work, after))
        return Answer(200, body, {"ETag": etag(after.version)})

    return write(request, caller, run)


@router.post(
    "/challenges/{id}/raise",
    summary="Raise a challenge with the provider",
    response_model=ChallengeDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=PAYER,
)
def raise_challenge(
    request: Request, caller: SignedIn, id: IdPath, body: RaiseBody, if_match: IfMatch = None
) -> Response:
    """The provider sees it from now on, in its list and its change feed.

    After the calendar's day for challenging it is raised all the same, and both read that it was
    late (`window`).
    """
    return _step(
        request,
        caller,
        if_match,
        lambda work, version: challenging.raise_challenge(
            work, caller, id, body.respond_by, version
        ),
    )


@router.post(
    "/challenges/{id}/answer",
    summary="Answer a challenge",
    response_model=ChallengeDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.ANSWER_CHALLENGE),
)
def answer(
    request: Request, caller: SignedIn, id: IdPath, body: AnswerBody, if_match: IfMatch = None
) -> Response:
    """For the provider. NHS and hospital numbers in its words are hidden from the commissioner."""
    return _step(
        request,
        caller,
        if_match,
        lambda work, version: challenging.answer(work, caller, id, body.evidence, version),
    )


@router.post(
    "/challenges/{id}/uphold",
    summary="Uphold a challenge",
    response_model=ChallengeDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=PAYER,
)
def uphold(
    request: Request, caller: SignedIn, id: IdPath, body: UpholdBody, if_match: IfMatch = None
) -> Response:
    """Once the provider has answered, or its day to answer has passed. It owes the amount then."""
    return _step(
        request,
        caller,
        if_match,
        lambda work, version: challenging.uphold(
            work, caller, id, body.reason, body.amount, version
        ),
    )


@router.post(
    "/challenges/{id}/withdraw",
    summary="Withdraw a challenge",
    response_model=ChallengeDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=PAYER,
)
def withdraw(
    request: Request, caller: SignedIn, id: IdPath, body: WithdrawBody, if_match: IfMatch = None
) -> Response:
    """Nothing is owed for it. Its lines are not challenged again for the same outcome."""
    return _step(
        request,
        caller,
        if_match,
        lambda work, version: challenging.withdraw(work, caller, id, body.reason, version),
    )


@router.post(
    "/challenges/{id}/credit",
    summary="Record that a challenge was credited",
    response_model=ChallengeDocument,
    responses=VERSIONED,
    dependencies=[NAMED],
    openapi_extra=PAYER,
)
def credit(
    request: Request, caller: SignedIn, id: IdPath, body: CreditBody, if_match: IfMatch = None
) -> Response:
    """Once the provider's credit note covers what was upheld. Closes the challenge."""
    return _step(
        request,
        caller,
        if_match,
        lambda work, version: challenging.credit(work, caller, id, body.credit_reference, version),
    )
