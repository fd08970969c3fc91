"""Reports over the requests that the caller's organisation may see."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import PlausibleDay, PolicyField
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import ThisOffice
from app.api.types import Day, ExactNumber
from app.approvals.best_value import ProductChoice, product_choices
from app.approvals.identifiers import access_counts
from app.approvals.permissions import Action
from app.approvals.reporting import FEWEST, OverrideRate, override_rates
from app.auth.model import Caller
from app.db.work import Work

router = APIRouter(prefix="/v1/reports", tags=["reports"], route_class=StrictRoute)


class OverrideRateDocument(Document):
    """How often one criterion was overridden at one provider."""

    policy: str
    criterion: str
    provider: str
    reason: str | None = Field(description="null: all reasons together")
    requests: int = Field(description="Requests that this criterion decided")
    overridden: int = Field(description="Requests with an override of it")
    relied_on: int = Field(description="Of these, how many decisions needed the override")
    rate: ExactNumber | None = Field(
        description=f"Relied on per request, in per cent; null below {FEWEST} requests"
    )


class OverrideReport(Document):
    """Overrides in requests submitted in a period, withdrawn and mistaken ones left out."""

    from_: Day = Field(serialization_alias="from")
    to: Day
    rows: list[OverrideRateDocument]


@router.get(
    "/overrides",
    summary="Report how often criteria are overridden",
    openapi_extra=for_roles(Action.REPORT),
)
def report_overrides(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    first: Annotated[PlausibleDay, Query(alias="from", description="The first day submitted")],
    last: Annotated[PlausibleDay, Query(alias="to", description="The last day submitted")],
    policy: Annotated[PolicyField | None, Query(description="Only this policy")] = None,
) -> OverrideReport:
    """By policy, criterion, provider and reason; within what your organisation may see.

    Counts may be small: the report is for people who may open each request, not for publishing.
    """

    def read(work: Work) -> OverrideReport:
        rates = override_rates(work, office.library_at(work), caller, first, last, policy)
        return OverrideReport(from_=first, to=last, rows=[_row(rate) for rate in rates])

    return door_of(request).read(read)


class ProductChoiceDocument(Document):
    """One product with one reason, at one provider under one policy."""

    policy: str
    provider: str
    product: str | None = Field(description="null: none was named, so any may be supplied")
    best_value: bool = Field(description="Whether it was one that the policy asked for first")
    first: list[str] = Field(description="The products that the policy asked for first")
    reason: str | None = Field(description="A key of the policy's reasons; null: none given")
    said: str | None = Field(description="The policy's words for that reason")
    requests: int
    approved: int = Field(description="Of these, how many ended in an approval")


class BestValueReport(Document):
    """Products in requests submitted in a period, withdrawn and mistaken ones left out."""

    from_: Day = Field(serialization_alias="from")
    to: Day
    rows: list[ProductChoiceDocument]


@router.get(
    "/best-value",
    summary="Report which products are taken, and why not the best-value ones",
    openapi_extra=for_roles(Action.REPORT),
)
def report_best_value(
    request: Request,
    caller: SignedIn,
    office: ThisOffice,
    first: Annotated[PlausibleDay, Query(alias="from", description="The first day submitted")],
    last: Annotated[PlausibleDay, Query(alias="to", description="The last day submitted")],
    policy: Annotated[PolicyField | None, Query(description="Only this policy")] = None,
) -> BestValueReport:
    """By policy, provider, product and reason; within what your organisation may see.

    Only requests under a policy that named products to be used first on the day of submission.
    Counts may be small: the report is for people who may open each request, not for publishing.
    """

    def read(work: Work) -> BestValueReport:
        found = product_choices(work, office.library_at(work), caller, first, last, policy)
        return BestValueReport(from_=first, to=last, rows=[_product(each) for each in found])

    return door_of(request).read(read)


class IdentifierAccessRow(Document):
    """How often one caller learnt identities in one way."""

    way: str = Field(description="By a treatment, a run's file or a search")
    by: str = Field(description="The caller's id")
    role: str
    times: int


class IdentifierAccessReport(Document):
    """How often people outside a care team learnt who a patient is."""

    from_: Day = Field(serialization_alias="from")
    to: Day
    rows: list[IdentifierAccessRow]


@router.get(
    "/identifier-access",
    summary="Report how often identifiers were shown",
    openapi_extra=for_roles(Action.REPORT_IDENTIFIERS),
)
def report_identifier_access(
    request: Request,
    caller: SignedIn,
    first: Annotated[PlausibleDay, Query(alias="from", description="The first day")],
    last: Annotated[PlausibleDay, Query(alias="to", description="The last day")],
) -> IdentifierAccessReport:
    """Each time that your organisation's people saw who a patient is, by way and caller.

    The reason that they gave is in the audit log.
    """

    def read(work: Work) -> IdentifierAccessReport:
        return identifier_access(work, caller, first, last)

    return door_of(request).read(read)


def identifier_access(
    work: Work, caller: Caller, first: dt.date, last: dt.date
) -> IdentifierAccessReport:
    """How often the caller's organisation learnt identities in a period, as a document."""
    names = IdentifierAccessRow.model_fields
    rows = [
        IdentifierAccessRow(**{name: getattr(each, name) for name in names})
        for each in access_counts(work, caller, first, last)
    ]
    return IdentifierAccessReport(from_=first, to=last, rows=rows)


def _row(rate: OverrideRate) -> OverrideRateDocument:
    names = OverrideRateDocument.model_fields
    return OverrideRateDocument(**{name: getattr(rate, name) for name in names})


def _product(choice: ProductChoice) -> ProductChoiceDocument:
    names = ProductChoiceDocument.model_fields.keys() - {"first"}
    said = {name: getattr(choice, name) for name in names}
    return ProductChoiceDocument(**said, first=list(choice.first))
