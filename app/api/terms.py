"""Drug names that were not recognised, and the terms that a commissioner keeps."""

import datetime as dt
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, Field
from sqlalchemy import RowMapping

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import WORDS_PATTERN, IdPath, Key, ObjectId, PlausibleDay, Reason
from app.api.openapi import refusals
from app.api.request_bodies import example
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.submissions import ThisDesk
from app.api.types import ExactNumber, OrganisationCode
from app.api.writing import NAMED, Answer, write
from app.approvals.permissions import Action
from app.db.work import Work
from app.reconciliation import spellings, terms_loading
from app.reconciliation.spelling_review import UnknownName
from app.reconciliation.term_rows import MOST_ROWS
from app.reconciliation.terms_model import Basis

router = APIRouter(prefix="/v1", tags=["terms"], route_class=StrictRoute)
KEEPERS: Final = for_roles(Action.KEEP_TERMS)
DrugOrAll = Annotated[str, Field(pattern=r"^(\*|[a-z0-9]+(-[a-z0-9]+)*)$", max_length=80)]


class SuggestionDocument(Document):
    """A drug that the name may mean, and how alike it is to one of that drug's names."""

    drug: str
    score: int = Field(ge=0, le=100)


class UnknownNameDocument(Document):
    """A name in which no drug was recognised."""

    example: str = Field(description="One way it is written; long numbers are left out")
    lines: int
    total: ExactNumber = Field(description="Pounds")
    suggestions: list[SuggestionDocument] = Field(description="The likest first; none decides")


class UnknownNameList(Document):
    """Unrecognised names, the costliest first."""

    names: list[UnknownNameDocument]


class DrugNameDocument(Document):
    """A name that was proposed, or accepted by a second person, as a drug's."""

    id: str
    organisation: str = Field(description="Whose runs use it; * for every organisation's")
    words: str = Field(description="The whole name in plain words")
    drug: str
    product: str | None
    proposed_by: str
    proposed_at: AwareDatetime
    accepted_by: str | None
    accepted_on: dt.date | None = Field(description="Runs made from this day on use it")
    withdrawn_by: str | None
    withdrawn_at: AwareDatetime | None
    withdrawn_why: str | None


class DrugNameList(Document):
    """Names in alphabetical order, withdrawn ones too."""

    names: list[DrugNameDocument]


class ProposeNameBody(Document):
    """A name as it stands in a line, and the drug that it means."""

    model_config = example({"name": "HUMIRRA PENN", "drug": "adalimumab", "product": "humira"})

    name: Annotated[str, Field(max_length=255, pattern=WORDS_PATTERN)]
    drug: Key
    product: Key | None = None


class WithdrawNameBody(Document):
    """Why the name is no longer taken for the drug."""

    model_config = example({"reason": "It means another drug."})

    reason: Reason


class Dated(Document):
    """When a term holds, and where it is written."""

    from_day: PlausibleDay | None = Field(default=None, description="First day; open if left out")
    to_day: PlausibleDay | None = Field(default=None, description="Last day; open if left out")
    source: Annotated[str, Field(max_length=300, pattern=WORDS_PATTERN)] = Field(
        description="Where it is written", examples=["Contract 2026/27, schedule 3"]
    )
    demonstration: bool = Field(default=False, description="Invented")


class ContractTermDocument(Dated):
    """How a provider is paid for a drug, or for every drug (*)."""

    provider: OrganisationCode
    drug: DrugOrAll
    basis: Basis = Field(strict=False)


class ContractTerms(Document):
    """The whole set of a commissioner's contract terms."""

    model_config = example(
        {
            "terms": [
                {
                    "provider": "DEMO1",
                    "drug": "*",
                    "basis": "block",
                    "from_day": "2026-04-01",
                    "to_day": "2027-03-31",
                    "source": "Invented for this example",
                    "demonstration": True,
                }
            ]
        }
    )

    terms: Annotated[list[ContractTermDocument], Field(max_length=MOST_ROWS)]


class ResponsibleDocument(Dated):
    """Which of some commissioners pays for a drug."""

    drug: Key
    among: Annotated[list[OrganisationCode], Field(min_length=1, max_length=100)]
    responsible: OrganisationCode


class ResponsibleRows(Document):
    """The whole of a commissioner's table of responsible commissioners."""

    model_config = example(
        {
            "rows": [
                {
                    "drug": "natalizumab",
                    "among": ["DEMQ1", "DEMQ2"],
                    "responsible": "DEMQ1",
                    "from_day": "2025-04-01",
                    "source": "Invented for this example",
                    "demonstration": True,
                }
            ]
        }
    )

    rows: Annotated[list[ResponsibleDocument], Field(max_length=MOST_ROWS)]


class LoadedDocument(Document):
    """How many rows stand now."""

    rows: int


@router.get(
    "/unknown-drug-names",
    summary="List unrecognised drug names",
    responses={404: {}},
    openapi_extra=KEEPERS,
)
def list_unknown(
    request: Request,
    caller: SignedIn,
    desk: ThisDesk,
    run: Annotated[ObjectId | None, Query(description="Of this run only")] = None,
) -> UnknownNameList:
    """Of the newest run of each of your newest 20 submissions, with their cost and suggestions."""

    def ask(work: Work) -> tuple[UnknownName, ...]:
        if run is None:
            return spellings.review(work, desk, caller)
        return spellings.review_run(work, desk, caller, run)

    return UnknownNameList(names=[_unknown(each) for each in door_of(request).read(ask)])


@router.get("/drug-names", summary="List accepted drug names", openapi_extra=KEEPERS)
def list_names(request: Request, caller: SignedIn) -> DrugNameList:
    """Your organisation's, and those that the people who run the service accepted for everybody."""
    found = door_of(request).read(lambda work: spellings.spellings_of(work, caller))
    return DrugNameList(names=[_name(each) for each in found])


@router.post(
    "/drug-names",
    status_code=201,
    summary="Propose what a drug name means",
    response_model=DrugNameDocument,
    responses=refusals(409),
    dependencies=[NAMED],
    openapi_extra=KEEPERS,
)
def propose_name(
    request: Request, caller: SignedIn, desk: ThisDesk, body: ProposeNameBody
) -> Response:
    """It decides nothing until another person accepts it."""
    return write(
        request,
        caller,
        lambda work: Answer(
            201,
            _name(spellings.propose(work, desk, caller, body.name, body.drug, body.product)),
        ),
    )


@router.post(
    "/drug-names/{id}/accept",
    summary="Accept what another proposed",
    response_model=DrugNameDocument,
    responses=refusals(404, 409),
    dependencies=[NAMED],
    openapi_extra=KEEPERS,
)
def accept_name(request: Request, caller: SignedIn, id: IdPath) -> Response:
    """Runs made from now on take that whole name for the drug, whatever the day of supply."""
    return write(
        request, caller, lambda work: Answer(200, _name(spellings.accept(work, caller, id)))
    )


@router.post(
    "/drug-names/{id}/withdraw",
    summary="Take a drug name back",
    response_model=DrugNameDocument,
    responses=refusals(404, 409),
    dependencies=[NAMED],
    openapi_extra=KEEPERS,
)
def withdraw_name(
    request: Request, caller: SignedIn, id: IdPath, body: WithdrawNameBody
) -> Response:
    """Runs made from now on do not use it; runs that did keep their outcomes."""
    return write(
        request,
        caller,
        lambda work: Answer(200, _name(spellings.withdraw(work, caller, id, body.reason))),
    )


@router.get("/contract-terms", summary="List contract terms", openapi_extra=KEEPERS)
def list_contracts(request: Request, caller: SignedIn) -> ContractTerms:
    """Your organisation's set that stands."""
    found = door_of(request).read(lambda work: terms_loading.contracts_of(work, caller))
    names = ContractTermDocument.model_fields
    return ContractTerms(
        terms=[ContractTermDocument(**{name: row[name] for name in names}) for row in found]
    )


@router.post(
    "/contract-terms",
    summary="Load contract terms",
    response_model=LoadedDocument,
    responses=refusals(409),
    dependencies=[NAMED],
    openapi_extra=KEEPERS,
)
def load_contracts(
    request: Request, caller: SignedIn, desk: ThisDesk, body: ContractTerms
) -> Response:
    """Puts the whole set in place of the one that stands. Only pass-through is recoverable."""
    rows = [each.model_dump() for each in body.terms]
    return write(
        request,
        caller,
        lambda work: loaded(terms_loading.put_contracts(work, caller, desk.dictionary, rows)),
    )


@router.get(
    "/responsible-commissioners", summary="List responsible commissioners", openapi_extra=KEEPERS
)
def list_responsible(request: Request, caller: SignedIn) -> ResponsibleRows:
    """Your organisation's table that stands."""
    found = door_of(request).read(lambda work: terms_loading.payers_of(work, caller))
    names = ResponsibleDocument.model_fields
    return ResponsibleRows(
        rows=[ResponsibleDocument(**{name: row[name] for name in names}) for row in found]
    )


@router.post(
    "/responsible-commissioners",
    summary="Load responsible commissioners",
    response_model=LoadedDocument,
    responses=refusals(409),
    dependencies=[NAMED],
    openapi_extra=KEEPERS,
)
def load_responsible(
    request: Request, caller: SignedIn, desk: ThisDesk, body: ResponsibleRows
) -> Response:
    """Puts the whole table in place of the old one. A mismatch proposes; it refuses nothing."""
    rows = [each.model_dump() for each in body.rows]
    return write(
        request,
        caller,
        lambda work: loaded(terms_loading.put_payers(work, caller, desk.dictionary, rows)),
    )


def loaded(count: int) -> Answer:
    """The answer to a set that was loaded."""
    return Answer(200, LoadedDocument(rows=count))


def _name(row: RowMapping) -> DrugNameDocument:
    return DrugNameDocument(**{name: row[name] for name in DrugNameDocument.model_fields})


def _unknown(name: UnknownName) -> UnknownNameDocument:
    return UnknownNameDocument(
        example=name.example,
        lines=name.lines,
        total=name.total,
        suggestions=[SuggestionDocument(drug=s.drug, score=s.score) for s in name.suggestions],
    )
