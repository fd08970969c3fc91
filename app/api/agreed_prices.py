"""The prices that a commissioner agreed. Only it reads them: they may be confidential."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import WORDS_PATTERN, Key, StoredNumber
from app.api.openapi import refusals
from app.api.request_bodies import example
from app.api.routing import StrictRoute
from app.api.submissions import ThisDesk
from app.api.terms import KEEPERS, Dated, LoadedDocument, loaded
from app.api.types import OrganisationCode
from app.api.writing import NAMED, write
from app.reconciliation import terms_loading
from app.reconciliation.term_rows import LONGEST_RUN_OFF, MOST_ROWS

router = APIRouter(prefix="/v1", tags=["terms"], route_class=StrictRoute)
Words80 = Annotated[str, Field(max_length=80, pattern=WORDS_PATTERN)]
Words100 = Annotated[str, Field(max_length=100, pattern=WORDS_PATTERN)]


class AgreedPriceDocument(Dated):
    """What one unit of a drug costs at most. What is left out is said of all."""

    framework: Words80
    drug: Key
    unit: Words100 = Field(description="The unit of measurement that lines must state")
    price: StoredNumber = Field(description="Pounds for one unit, exactly")
    provider: OrganisationCode | None = None
    drug_code: Annotated[str, Field(pattern="^[0-9]{6,20}$")] | None = Field(
        default=None, description="The dm+d code that lines state"
    )
    product: Key | None = None
    strength: Words100 | None = Field(default=None, description="As lines write it")
    run_off_days: int = Field(
        default=0,
        ge=0,
        le=LONGEST_RUN_OFF,
        description="Days after the last for which stock bought before may be charged at it",
    )
    tolerance_percent: StoredNumber = Field(
        default=Decimal(0), description="Of the price; the larger of the two tolerances counts"
    )
    tolerance_pence: StoredNumber = Decimal(0)


class AgreedPrices(Document):
    """The whole set of a commissioner's agreed prices."""

    model_config = example(
        {
            "prices": [
                {
                    "framework": "Invented framework",
                    "drug": "natalizumab",
                    "product": "tysabri",
                    "unit": "vial",
                    "price": "950.00",
                    "from_day": "2026-04-01",
                    "to_day": "2027-03-31",
                    "run_off_days": 28,
                    "tolerance_percent": "1",
                    "source": "Invented for this example",
                    "demonstration": True,
                }
            ]
        }
    )

    prices: Annotated[list[AgreedPriceDocument], Field(max_length=MOST_ROWS)]


@router.get("/agreed-prices", summary="List agreed prices", openapi_extra=KEEPERS)
def list_prices(request: Request, caller: SignedIn) -> AgreedPrices:
    """Your organisation's set that stands. Prices may be confidential: nobody else reads them."""
    found = door_of(request).read(lambda work: terms_loading.prices_of(work, caller))
    names = AgreedPriceDocument.model_fields
    return AgreedPrices(
        prices=[AgreedPriceDocument(**{name: row[name] for name in names}) for row in found]
    )


@router.post(
    "/agreed-prices",
    summary="Load agreed prices",
    response_model=LoadedDocument,
    responses=refusals(409),
    dependencies=[NAMED],
    openapi_extra=KEEPERS,
)
def load_prices(request: Request, caller: SignedIn, desk: ThisDesk, body: AgreedPrices) -> Response:
    """Puts the whole set in place of the one that stands."""
    rows = [dict(each) for each in body.prices]  # a dump would make texts of the amounts
    return write(
        request,
        caller,
        lambda work: loaded(terms_loading.put_prices(work, caller, desk.dictionary, rows)),
    )
