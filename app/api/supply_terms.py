"""Charges, tolerances and days of supplies that a commissioner agreed."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import Key, StoredNumber
from app.api.openapi import refusals
from app.api.request_bodies import example
from app.api.routing import StrictRoute
from app.api.submissions import ThisDesk
from app.api.terms import KEEPERS, Dated, LoadedDocument, loaded
from app.api.types import OrganisationCode
from app.api.writing import NAMED, write
from app.reconciliation import terms_loading
from app.reconciliation.term_rows import MOST_ROWS
from app.reconciliation.terms_model import SupplyTermKind

router = APIRouter(prefix="/v1", tags=["terms"], route_class=StrictRoute)


class SupplyTermDocument(Dated):
    """A charge, a tolerance, or days: a fee from its supply, a supply before it is due, a last
    homecare delivery after a stop or a death, or an invoice of homecare from its supply.

    Without a drug or a provider it is said of all.
    """

    kind: SupplyTermKind = Field(strict=False)
    amount: StoredNumber = Field(
        description="Pounds for a home delivery, dispensing fee or service fee; per cent for a "
        "quantity tolerance; whole days, at most 31, for all other kinds"
    )
    provider: OrganisationCode | None = None
    drug: Key | None = None


class SupplyTerms(Document):
    """The whole set of a commissioner's supply terms."""

    model_config = example(
        {
            "terms": [
                {
                    "kind": "home delivery",
                    "amount": "30.00",
                    "from_day": "2026-04-01",
                    "source": "Invented for this example",
                    "demonstration": True,
                },
                {
                    "kind": "quantity tolerance",
                    "amount": "5",
                    "drug": "natalizumab",
                    "source": "Invented for this example",
                    "demonstration": True,
                },
            ]
        }
    )

    terms: Annotated[list[SupplyTermDocument], Field(max_length=MOST_ROWS)]


@router.get("/supply-terms", summary="List supply terms", openapi_extra=KEEPERS)
def list_terms(request: Request, caller: SignedIn) -> SupplyTerms:
    """Your organisation's set that stands. Charges may be confidential: nobody else reads them."""
    found = door_of(request).read(lambda work: terms_loading.supplies_of(work, caller))
    names = SupplyTermDocument.model_fields
    return SupplyTerms(
        terms=[SupplyTermDocument(**{name: row[name] for name in names}) for row in found]
    )


@router.post(
    "/supply-terms",
    summary="Load supply terms",
    response_model=LoadedDocument,
    responses=refusals(409),
    dependencies=[NAMED],
    openapi_extra=KEEPERS,
)
def load_terms(request: Request, caller: SignedIn, desk: ThisDesk, body: SupplyTerms) -> Response:
    """Puts the whole set in place of the one that stands."""
    rows = [dict(each) for each in body.terms]  # a dump would make texts of the amounts
    return write(
        request,
        caller,
        lambda work: loaded(terms_loading.put_supplies(work, caller, desk.dictionary, rows)),
    )
