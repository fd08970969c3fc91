"""A trust's check before it invoices: one planned supply, or a draft file, on a page.

The same engine and the same words as `/v1/supply-checks`. Of a planned supply nothing is stored
but the audit entries; a draft file waits for a day at most, so that it can be taken away.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.fields import ID_PATTERN
from app.api.routing import UPLOAD
from app.api.submissions import desk_of
from app.api.supply_checks import SupplyBody, check_and_keep, planned_supply
from app.api.treatments_model import treatment_document
from app.approvals.permissions import Action, check_can
from app.approvals.views import treatment_view
from app.audit import Reading
from app.auth.sessions import Session
from app.db.work import Work
from app.reconciliation import checking_supplies, returned_file, staging
from app.reconciliation.checking_supplies import Checked
from app.reconciliation.errors import NotYourSubmission, UnreadableSubmission
from app.reconciliation.returned import encoding_of
from app.reconciliation.staging import Waits
from app.reference_data.drugs import load_drugs
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.web.acting import UploadedForm, body_of
from app.web.callers import caller_of, read_recorded, this_office
from app.web.desk.checks_view import (
    FAULTS,
    MOST_LISTED,
    Verdict,
    as_body,
    entries,
    file_verdict,
    verdict_of,
)
from app.web.draft_parts import commissioners
from app.web.form import about
from app.web.form.fields import errors_of
from app.web.pages import PageRoute, check_csrf, door_of, go
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser

router = APIRouter(prefix="/supply-check", route_class=PageRoute, include_in_schema=False)

KeptPath = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
_CHOOSE: Final = "Choose a file: CSV, an Excel workbook (XLSX) or Parquet."
_NOBODY: Final = "Enter the NHS number, or the hospital number."


@router.get("")
def ask(
    request: Request,
    session: SignedInBrowser,
    treatment: Annotated[str | None, Query(pattern=ID_PATTERN)] = None,
) -> Response:
    """The two forms; from a treatment's page, with what is on record of it."""
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.CHECK_SUPPLY)
    typed: dict[str, Any] = {"supply_date": door_of(request).moment().day.isoformat()}
    if treatment is not None:

        def read(work: Work) -> tuple[dict[str, Any], Reading]:
            found = treatment_document(
                work, office, caller, treatment_view(work, caller, treatment)
            )
            known = load_drugs().drugs.get(found.drug)
            birth_date = found.patient.birth_date
            on_record = {
                "drug": known.name if known else found.drug,
                "nhs_number": found.patient.nhs_number,
                "local_id": found.patient.local_id,
                "birth_date": birth_date.isoformat() if birth_date else None,
                "commissioner": found.commissioner,
            }
            return on_record, Reading("treatment read", treatment)

        typed |= read_recorded(request, caller, read)
    return _asked(request, session, typed)


@router.post("")
def check_one(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """What would come of one planned supply, above the form as it was typed."""
    check_csrf(session, form)
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.CHECK_SUPPLY)
    typed = about.put({}, entries(()), form)
    body, unread = body_of(SupplyBody, as_body(typed))
    wrong = {name: FAULTS[name] for name in unread if name in FAULTS}
    if not (typed.get("nhs_number") or typed.get("local_id")):
        wrong["nhs_number"] = _NOBODY
    elif body is not None and body.nhs_number is not None:
        try:
            parse_nhs_number(body.nhs_number)
        except InvalidNhsNumber:
            wrong["nhs_number"] = FAULTS["nhs_number"] + " The last digit checks the others."
    if body is None or wrong:
        return _asked(request, session, typed, wrong)
    submission = checking_supplies.as_submission(caller, planned_supply(body))
    checked = check_and_keep(request, desk, caller, submission, body.care_reason, restates=False)
    (advice,) = checked.advice
    return _asked(request, session, typed, verdict=verdict_of(advice))


@router.post("/files", openapi_extra=UPLOAD)
def check_file(request: Request, session: SignedInBrowser, sent: UploadedForm) -> Response:
    """Keep the draft for a day, and see what would come of it. Nothing is accepted."""
    form, data, file_name = sent
    check_csrf(session, form)
    caller, desk = caller_of(request, session), desk_of(request)
    check_can(caller, Action.CHECK_SUPPLY)
    if not data:
        return _asked(request, session, {}, {"file": _CHOOSE})
    try:
        checking_supplies.read_draft(desk, caller, data, file_name)
    except (UnreadableSubmission, NotYourSubmission) as error:
        return _asked(request, session, {}, {"file": str(error)})
    return go(
        f"/supply-check/files/{staging.stage(desk, caller, data, file_name, Waits.CHECKED_ONLY)}"
    )


@router.get("/files/{name}")
def show_file(request: Request, session: SignedInBrowser, name: KeptPath) -> Response:
    """What would be challenged of the draft today, and what to do about it."""
    checked = _checked(request, session, name)
    return page(
        request,
        "desk/check_file.html",
        session=session,
        name=name,
        file_name=checked.submission.file_name,
        notes=checked.submission.notes,
        verdict=file_verdict(checked),
        most=MOST_LISTED,
    )


@router.get("/files/{name}/checked.csv")
def take_file(request: Request, session: SignedInBrowser, name: KeptPath) -> Response:
    """The draft with reference, outcome and remedy appended to each line."""
    checked = _checked(request, session, name)
    return Response(
        returned_file(checked.submission, checked.matched, safe=True),
        headers={
            "Content-Type": f"text/csv; charset={encoding_of(checked.submission)}",
            "Content-Disposition": 'attachment; filename="checked.csv"',
        },
    )


@router.post("/files/{name}/discard")
def discard_file(
    request: Request, session: SignedInBrowser, name: KeptPath, form: FormFields
) -> Response:
    """Erase the draft; nothing was stored of it."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    staging.discard(desk_of(request), caller, name, Waits.CHECKED_ONLY)
    return go("/supply-check")


def _checked(request: Request, session: Session, name: str) -> Checked:
    caller, desk = caller_of(request, session), desk_of(request)
    data, file_name = staging.staged(desk, caller, name, Waits.CHECKED_ONLY)
    submission = checking_supplies.read_draft(desk, caller, data, file_name)
    why = checking_supplies.SUPPLIED
    return check_and_keep(request, desk, caller, submission, why, restates=True)


def _asked(
    request: Request,
    session: Session,
    typed: dict[str, Any],
    wrong: dict[str, str] | None = None,
    verdict: Verdict | None = None,
) -> Response:
    wrong = wrong or {}
    payers = commissioners(door_of(request).moment().day)
    fields = about.fields(entries(payers), typed, wrong)
    errors = errors_of(fields)
    if "file" in wrong:
        errors.append({"text": wrong["file"], "href": "#file"})
    return page(
        request,
        "desk/check_supply.html",
        status=422 if wrong else 200,
        session=session,
        fields=fields,
        errors=errors,
        file_wrong=wrong.get("file"),
        verdict=verdict,
    )
