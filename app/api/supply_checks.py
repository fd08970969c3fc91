"""A trust's check before it invoices: one planned supply, or a whole draft file."""

from contextlib import nullcontext
from dataclasses import fields
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import Amount, LocalId, NhsNumber, PlausibleDay, Reason, Unit
from app.api.openapi import refusals
from app.api.request_bodies import EXAMPLE_PATIENT, example
from app.api.roles import for_roles
from app.api.routing import UPLOAD, StrictRoute
from app.api.submissions import MEDIA_TYPES, FileName, ThisDesk, read_upload
from app.api.submissions_model import LineDocument, line_document
from app.api.types import Day, ExactNumber, OrganisationCode
from app.api.writing import NAMED
from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.door import Door
from app.policy import Kind
from app.reconciliation import Submission, checking_supplies, returned_file
from app.reconciliation.advice import Advice
from app.reconciliation.checking_supplies import Checked, PlannedSupply
from app.reconciliation.returned import encoding_of
from app.reconciliation.service import Desk

router = APIRouter(prefix="/v1", tags=["reconciliation"], route_class=StrictRoute)

CHECKERS = for_roles(Action.CHECK_SUPPLY)


class SupplyBody(Document):
    """One supply that your organisation plans to invoice. Leave out what is not known yet."""

    model_config = example(
        {
            "drug": "Humira 40mg pen",
            "supply_date": "2026-06-20",
            "nhs_number": EXAMPLE_PATIENT["nhs_number"],
            "birth_date": EXAMPLE_PATIENT["birth_date"],
            "commissioner": "DEMQ1",
            "total": "352.14",
            "care_reason": "Seen in our clinic; their drug is supplied here from now on.",
        }
    )

    drug: Annotated[
        str,
        Field(
            pattern="^[A-Za-z0-9][A-Za-z0-9 .,/%()+-]{0,254}$",
            description="Its name as your pharmacy writes it, or its dm+d code",
        ),
    ]
    supply_date: PlausibleDay
    commissioner: OrganisationCode | None = None
    nhs_number: NhsNumber | None = None
    local_id: LocalId | None = None
    birth_date: PlausibleDay | None = None
    indication_code: Annotated[str, Field(pattern="^[0-9]{6,18}$")] | None = None
    reference: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9 -]{0,16}$")] | None = None
    quantity: Amount | None = None
    unit: Unit | None = None
    strength: Annotated[str, Field(pattern="^[0-9A-Za-z][0-9A-Za-z .,/%]{0,99}$")] | None = None
    unit_price: Amount | None = None
    homecare: bool = Field(default=False, description="It is dispensed as homecare")
    home_delivery_charge: Amount | None = Field(
        default=None, description="Pounds, within the total"
    )
    vat_charged: bool | None = Field(default=None, description="VAT is in the price")
    total: Amount | None = Field(default=None, description="Pounds")
    care_reason: Reason | None = Field(
        default=None,
        description="Why you care for the patient; without it no other provider is asked. Kept "
        "and audited",
    )


class SupplyCheckDocument(Document):
    """What would come of the supply if it were invoiced today. Nothing is stored."""

    challenged: bool = Field(description="A commissioner would query it")
    form: Kind | None = Field(description="The form that would mend it, if one would")
    continuation_due: Day | None = Field(description="When its approval is next to be continued")
    approval_elsewhere: bool = Field(description="Another provider holds one; no more is told")
    queried: ExactNumber
    line: LineDocument


@router.post(
    "/supply-checks",
    summary="Check one planned supply before it is invoiced",
    response_model=SupplyCheckDocument,
    dependencies=[NAMED],
    openapi_extra=CHECKERS,
)
def check_supply(
    request: Request, caller: SignedIn, desk: ThisDesk, body: SupplyBody
) -> SupplyCheckDocument:
    """Will it be challenged, and what is to be done: which form is missing, which is due.

    It counts what your organisation has charged already: as its commissioners hold your files, and
    as you hold them yourself where those do not. It is tested against the agreed prices, charges
    and tolerances that your organisation may see; where it may not, the test says so.

    Whether another provider holds an approval is told to who declares that they care for the
    patient. Who names too many patients who are not known within an hour is refused.
    """
    submission = checking_supplies.as_submission(caller, planned_supply(body))
    checked = check_and_keep(
        door_of(request), desk, caller, submission, body.care_reason, restates=False
    )
    (advice,) = checked.advice
    return _document(advice)


def may_check(caller: SignedIn) -> Caller:
    """The caller, if its role may check supplies; NotAllowed otherwise."""
    check_can(caller, Action.CHECK_SUPPLY)
    return caller


async def draft_file(request: Request, _caller: Annotated[Caller, Depends(may_check)]) -> bytes:
    """The draft as the body's bytes, read after the caller is known."""
    return await read_upload(request)


@router.post(
    "/submission-checks",
    summary="Check a draft submission before it is sent",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **refusals(400, 409, 413, 415, 422),
    },
    dependencies=[NAMED],
    openapi_extra={
        **UPLOAD,
        **CHECKERS,
        "requestBody": {
            "required": True,
            "content": {
                name: {"schema": {"type": "string", "format": "binary"}} for name in MEDIA_TYPES
            },
        },
    },
)
def check_submission(
    request: Request,
    caller: SignedIn,
    desk: ThisDesk,
    file_name: FileName,
    data: Annotated[bytes, Depends(draft_file)],
) -> Response:
    """The file back with reference, outcome and remedy appended to each line; nothing is stored.

    For a trust's own lines. A month that the file states is checked as if it were sent anew; what
    stands of other months counts. Of an approval at another provider it says that there is one, no
    more; that the trust supplied the patient is kept as its declaration of care. A number with
    several birth dates is not asked after.
    """
    submission = checking_supplies.read_draft(desk, caller, data, file_name)
    why = checking_supplies.SUPPLIED
    checked = check_and_keep(door_of(request), desk, caller, submission, why, restates=True)
    return Response(
        returned_file(submission, checked.matched, safe=True),
        headers={
            "Content-Type": f"text/csv; charset={encoding_of(submission)}",
            "Content-Disposition": 'attachment; filename="checked.csv"',
        },
    )


def check_and_keep(
    door: Door,
    desk: Desk,
    caller: Caller,
    submission: Submission,
    why: str | None,
    *,
    restates: bool,
    check_id: str | None = None,
) -> Checked:
    """Check on one snapshot, keep what was declared, asked and told, then let it be told.

    Raises TooManyGuesses.
    """
    guess = None if why is None else checking_supplies.guess_of(desk, caller)
    with nullcontext() if guess is None else door.reserving(guess):
        checked, readings = door.read(
            lambda work: checking_supplies.check(
                work, desk, caller, submission, why, restates=restates, check_id=check_id
            )
        )
        door.transact(lambda work: checking_supplies.keep(work, caller, checked, readings, guess))
    return checked


def planned_supply(body: SupplyBody) -> PlannedSupply:
    """The body as the room takes it."""
    return PlannedSupply(**{each.name: getattr(body, each.name) for each in fields(PlannedSupply)})


def _document(advice: Advice) -> SupplyCheckDocument:
    return SupplyCheckDocument(
        challenged=advice.challenged,
        form=advice.form,
        continuation_due=advice.due,
        approval_elsewhere=advice.elsewhere,
        queried=advice.item.queried,
        line=line_document(advice.item),
    )
