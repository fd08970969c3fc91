"""Answers on record already: what a form may propose, with where each comes from."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.callers import SignedIn
from app.api.decisions_model import DecidingPolicy, deciding_policy
from app.api.documents import Document
from app.api.fields import LocalId, NhsNumber, PlausibleDay, PolicyField
from app.api.request_bodies import EXAMPLE_PATIENT, example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import ThisOffice, ask
from app.api.types import Day, OrganisationCode
from app.api.writing import NAMED
from app.approvals import known_answers
from app.approvals.answering import CARRIED
from app.approvals.errors import DetailsNotAccepted
from app.approvals.library import Library
from app.approvals.permissions import Action
from app.db.work import Work
from app.policy import Kind

router = APIRouter(prefix="/v1", tags=["requests"], route_class=StrictRoute)


class KnownAnswersBody(Document):
    """The patient, and the form that is about to be filled in. One of the two numbers will do."""

    model_config = example(
        {
            "policy": "etanercept-ra-severe",
            "kind": "initiation",
            "decision_to_treat": "2026-06-10",
            "nhs_number": EXAMPLE_PATIENT["nhs_number"],
            "birth_date": EXAMPLE_PATIENT["birth_date"],
        }
    )

    policy: PolicyField
    kind: Literal["initiation", "continuation", "stop"]
    decision_to_treat: PlausibleDay
    birth_date: PlausibleDay
    nhs_number: NhsNumber | None = None
    local_id: LocalId | None = None
    commissioner: OrganisationCode | None = Field(
        default=None,
        description="Who pays: the questions of its overlay are then part of the form",
    )

    def to_query(self, library: Library) -> known_answers.KnownQuery:
        """The query as the approvals room takes it; DetailsNotAccepted for an unknown policy."""
        if not library.has(self.policy):
            raise DetailsNotAccepted(
                "policy",
                "The library holds no policy of that key. List the policies to see their keys.",
            )
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return known_answers.KnownQuery(**{**given, "kind": Kind(self.kind)})


class KnownAnswerDocument(Document):
    """An answer on record, and the request that it was given on."""

    value: Annotated[Any, Field(description="As it was given; a list is whole")]
    unit: str | None
    measured_on: Day | None
    origin: Literal["carried forward"]
    baseline: bool = Field(description="Measured before this very treatment began")
    given_on: Day = Field(description="The decision to treat of the request that it stands on")
    request_id: str
    kind: Kind
    policy: str
    policy_version: str
    policy_title: str


class KnownQuestionDocument(Document):
    """A question of the form with its answers on record, the one to propose first."""

    name: str
    label: str
    answers: list[KnownAnswerDocument]


class KnownAnswersDocument(Document):
    """The questions of the form that are answered on record, in the form's order."""

    policy: DecidingPolicy
    kind: Kind
    questions: list[KnownQuestionDocument]


@router.post(
    "/known-answers",
    summary="Show the answers on record that fit a form",
    response_model=KnownAnswersDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.CHECK),
)
def show_known_answers(
    request: Request, caller: SignedIn, office: ThisOffice, body: KnownAnswersBody
) -> Response:
    """A proposal for the form to show, each answer with its origin. Nothing is filled in.

    Only answers that your own organisation gave, to the same question: the same name and, word
    for word, the same definition. From another drug or indication come histories (lists) and
    dated measurements only, no baselines; a dose never. A patient who is not known, or whose birth
    date differs, has nothing on record. The look-up is audited; a repeat asks again.
    """

    def run(work: Work) -> KnownAnswersDocument:
        query = body.to_query(office.library_at(work))
        return known_document(known_answers.known_answers(work, office, caller, query))

    return ask(request, run)


def known_document(found: known_answers.KnownAnswers) -> KnownAnswersDocument:
    """What is on record for a form."""
    return KnownAnswersDocument(
        policy=deciding_policy(found.version),
        kind=found.kind,
        questions=[
            KnownQuestionDocument(
                name=each.question.name,
                label=each.question.label,
                answers=[_answer(answer) for answer in each.answers],
            )
            for each in found.questions
        ],
    )


def _answer(known: known_answers.KnownAnswer) -> KnownAnswerDocument:
    return KnownAnswerDocument.model_validate(
        {
            **{part: known.answer[part] for part in ("value", "unit", "measured_on")},
            "origin": CARRIED,
            "baseline": known.baseline,
            "given_on": known.request.decision_to_treat,
            "request_id": known.request.id,
            "kind": known.request.kind,
            "policy": known.version.policy,
            "policy_version": known.version.version,
            "policy_title": known.version.title,
        }
    )
