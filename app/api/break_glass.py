"""Break-glass: open what other providers hold of a patient, for their safety; and its report."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, Field

from app.api.callers import SignedIn, door_of
from app.api.documents import Document
from app.api.fields import IdPath, NhsNumber, PlausibleDay, Reason
from app.api.openapi import refusals
from app.api.reading import read_recorded
from app.api.request_bodies import EXAMPLE_PATIENT, example
from app.api.requests_model import RequestDocument, request_document
from app.api.roles import for_roles
from app.api.routing import StrictRoute
from app.api.steps import ThisOffice, shown
from app.api.treatments_model import (
    PatientDocument,
    TreatmentDocument,
    patient_document,
    treatment_document,
)
from app.api.types import Day
from app.api.veil import Veil
from app.api.writing import NAMED, Answer, write
from app.approvals import break_glass
from app.approvals.break_glass import GrantLine, Opened
from app.approvals.break_glass_model import BreakGlassLimits, BreakGlassReason, Grant, GrantState
from app.approvals.office import Office
from app.approvals.permissions import Action
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work

router = APIRouter(prefix="/v1", tags=["break-glass"], route_class=StrictRoute)

NOTHING = (
    "No other provider's record fits. Check the NHS number and the birth date; search your own "
    "treatments for what your organisation holds."
)
READ_NEXT = (
    "Read it at /v1/break-glass/{id}/record. The providers that hold it have been told, and each "
    "reading is reported. End it as soon as you do not need it any more."
)


class BreakGlassBody(Document):
    """Whose record, and why. Both the code and the words are kept and reported."""

    model_config = example(
        {
            "nhs_number": EXAMPLE_PATIENT["nhs_number"],
            "birth_date": EXAMPLE_PATIENT["birth_date"],
            "reason": "emergency",
            "words": "Unconscious in the emergency department; the sister says a biologic.",
        }
    )

    nhs_number: NhsNumber
    birth_date: PlausibleDay
    reason: Annotated[BreakGlassReason, Field(strict=False)]
    words: Reason


class GrantDocument(Document):
    """One break-glass declaration. Expiry is worked out as of now."""

    id: str
    state: GrantState
    reason: BreakGlassReason
    opened_at: AwareDatetime
    expires_at: AwareDatetime
    ended_at: AwareDatetime | None


class DeclarationDocument(Document):
    """What a declaration opened, if anything."""

    found: bool
    grant: GrantDocument | None
    advice: str


class RecordDocument(Document):
    """What other providers hold of the patient. To be read; nothing can be changed through it."""

    grant: GrantDocument
    patient: PatientDocument
    treatments: list[TreatmentDocument]
    requests: list[RequestDocument] = Field(description="Every request on these, with decisions")


class BreakGlassLine(Document):
    """One declaration as the report tells it."""

    id: str
    state: GrantState
    opened_by_us: bool = Field(description="false: another organisation opened what yours holds")
    organisation: str
    opened_by: str = Field(description="The caller's id")
    role: str
    reason: BreakGlassReason
    words: str = Field(description="The patient's own identifiers are hidden")
    opened_at: AwareDatetime
    expires_at: AwareDatetime
    ended_at: AwareDatetime | None
    times_read: int


class BreakGlassReport(Document):
    """Break-glass declarations of a period."""

    from_: Day = Field(serialization_alias="from")
    to: Day
    rows: list[BreakGlassLine] = Field(description="Oldest first")


def limits_of(request: Request) -> BreakGlassLimits:
    """How long one declaration lasts and how many are taken in an hour, as the operator set it."""
    settings = request.app.state.settings
    return BreakGlassLimits(settings.break_glass_minutes, settings.break_glass_per_hour)


TheseLimits = Annotated[BreakGlassLimits, Depends(limits_of)]


@router.post(
    "/break-glass",
    summary="Open what other providers hold of a patient",
    response_model=DeclarationDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.BREAK_GLASS),
)
def declare(
    request: Request, caller: SignedIn, limits: TheseLimits, body: BreakGlassBody
) -> Response:
    """For the patient's safety only. Opens it to you, for reading, for a limited time.

    The providers that hold it are told, and your organisation's auditor reads who did so and why.
    A birth date that does not fit the NHS number learns nothing. Few declarations are taken in an
    hour.
    """

    def run(work: Work) -> Answer:
        who = (body.nhs_number, body.birth_date)
        grant = break_glass.declare(work, limits, caller, *who, body.reason, body.words)
        if grant is None:
            return Answer(200, DeclarationDocument(found=False, grant=None, advice=NOTHING))
        advice = READ_NEXT.format(id=grant.id)
        made = DeclarationDocument(found=True, grant=_grant(work, grant), advice=advice)
        return Answer(200, made)

    return write(request, caller, run)


@router.get(
    "/break-glass/{id}/record",
    summary="Read what a break-glass declaration opened",
    response_model=RecordDocument,
    responses=refusals(409),  # the access is over
    openapi_extra=for_roles(Action.BREAK_GLASS),
)
def read_record(request: Request, caller: SignedIn, office: ThisOffice, id: IdPath) -> Response:
    """Treatments, approvals and decisions at other providers, for whoever made the declaration.

    Each reading is audited and names the declaration. Prices stay with those who agreed them.
    """

    def read(work: Work) -> tuple[Response, tuple[Reading, ...]]:
        return break_glass.read_under_grant(
            work, caller, id, lambda opened: shown(record_document(work, office, caller, opened))
        )

    return read_recorded(request, caller, read)


@router.post(
    "/break-glass/{id}/end",
    summary="End break-glass access early",
    response_model=GrantDocument,
    dependencies=[NAMED],
    openapi_extra=for_roles(Action.END_BREAK_GLASS),
)
def end(request: Request, caller: SignedIn, id: IdPath) -> Response:
    """For whoever made the declaration, and the auditor of the same organisation.

    Nothing can be read through it from now on.
    """

    def run(work: Work) -> Answer:
        return Answer(200, _grant(work, break_glass.end(work, caller, id)))

    return write(request, caller, run)


@router.get(
    "/reports/break-glass",
    summary="Report who opened records by break-glass",
    openapi_extra=for_roles(Action.REPORT_BREAK_GLASS),
)
def report_break_glass(
    request: Request,
    caller: SignedIn,
    first: Annotated[PlausibleDay, Query(alias="from", description="The first day opened")],
    last: Annotated[PlausibleDay, Query(alias="to", description="The last day opened")],
) -> BreakGlassReport:
    """What your organisation's people opened, and what others opened that yours holds."""

    def read(work: Work) -> BreakGlassReport:
        return report_document(work, caller, first, last)

    return door_of(request).read(read)


def report_document(work: Work, caller: Caller, first: dt.date, last: dt.date) -> BreakGlassReport:
    """The declarations of a period, with the patients' own identifiers hidden."""
    lines = break_glass.report(work, caller, first, last)
    rows = [_line(work, caller, each) for each in lines]
    return BreakGlassReport(from_=first, to=last, rows=rows)


def _grant(work: Work, grant: Grant) -> GrantDocument:
    return GrantDocument(
        id=grant.id,
        state=grant.state(work.moment.instant),
        reason=grant.reason,
        opened_at=grant.opened_at,
        expires_at=grant.expires_at,
        ended_at=grant.ended_at,
    )


def record_document(work: Work, office: Office, caller: Caller, opened: Opened) -> RecordDocument:
    """What a declaration opened, as a document."""
    return RecordDocument(
        grant=_grant(work, opened.grant),
        patient=patient_document(work, office, caller, opened.patient),
        treatments=[treatment_document(work, office, caller, each) for each in opened.treatments],
        requests=[request_document(work, office, caller, each) for each in opened.requests],
    )


def _line(work: Work, caller: Caller, line: GrantLine) -> BreakGlassLine:
    grant = line.grant
    same = ("id", "organisation", "opened_by", "role", "reason", "words", "opened_at")
    document = BreakGlassLine(
        **{name: getattr(grant, name) for name in same},
        state=line.state,
        opened_by_us=line.own,
        expires_at=grant.expires_at,
        ended_at=grant.ended_at,
        times_read=line.times_read,
    )
    hidden: BreakGlassLine = Veil.over_patient(work, caller, grant.patient_id).over(document)
    return hidden
