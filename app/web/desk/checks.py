"""A trust's check before it invoices: one planned supply, or a draft file, on a page.

The same engine and the same words as `/v1/supply-checks`. Of a planned supply nothing is stored
but the audit entries. A draft file waits for a day at most, with the result of its last check: that
is what the page shows and what is taken away, until somebody has it checked again.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from app.auth.model import Caller
from app.auth.sessions import Session
from app.db.work import Work
from app.reconciliation import checking_supplies, kept_checks, staging
from app.reconciliation.errors import NotYourSubmission, UnreadableSubmission
from app.reconciliation.kept_checks import KeptCheck
from app.reconciliation.staging import Waits
from app.reference_data.drugs import load_drugs
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.reference_data.organisations import commissioners
from app.web.acting import UploadedForm, body_of
from app.web.callers import caller_of, read_recorded, this_office
from app.web.desk.checks_view import (
    FAULTS,
    Verdict,
    as_body,
    entries,
    file_verdict,
    verdict_of,
)
from app.web.form import about
from app.web.form.fields import apart, errors_of
from app.web.pages import PageRoute, check_csrf, door_of, go, largest_file
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
    checked = check_and_keep(
        door_of(request), desk, caller, submission, body.care_reason, restates=False
    )
    (advice,) = checked.advice
    return _asked(request, session, typed, verdict=verdict_of(advice))


@router.post("/files", openapi_extra=UPLOAD)
def check_file(request: Request, session: SignedInBrowser, sent: UploadedForm) -> Response:
    """Keep the draft for a day, and see what would come of it. Nothing is accepted."""
    form, data, file_name, over = sent
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.CHECK_SUPPLY)
    if over:
        largest = largest_file(request.app.state.settings.max_upload_bytes)
        return _asked(request, session, {}, {"file": largest.words}, status=413)
    if not data:
        return _asked(request, session, {}, {"file": _CHOOSE})
    try:
        name = _check(request, caller, data, file_name)
    except (UnreadableSubmission, NotYourSubmission) as error:
        return _asked(request, session, {}, {"file": str(error)})
    return go(f"/supply-check/files/{name}")


@router.get("/files/{name}")
def show_file(
    request: Request,
    session: SignedInBrowser,
    name: KeptPath,
    after: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> Response:
    """What would have been challenged of the draft when it was checked, and what to do about it."""
    with _kept(request, session, name, {"after": after}) as kept:
        return page(
            request,
            "desk/check_file.html",
            session=session,
            name=name,
            verdict=None if kept is None else file_verdict(kept, after),
        )


@router.get("/files/{name}/checked.csv")
def take_file(request: Request, session: SignedInBrowser, name: KeptPath) -> Response:
    """The draft with reference, outcome and remedy appended to each line, as it was checked."""
    with _kept(request, session, name, {"taken": True}) as kept:
        if kept is None:
            return go(f"/supply-check/files/{name}")
        return Response(
            kept.file(),
            headers={
                "Content-Type": f"text/csv; charset={kept.encoding}",
                "Content-Disposition": 'attachment; filename="checked.csv"',
            },
        )


@router.post("/files/{name}/check")
def check_again(
    request: Request, session: SignedInBrowser, name: KeptPath, form: FormFields
) -> Response:
    """Check the draft against what stands now. Sent twice it is checked twice, which is harmless:
    each check is on record, and the newest is shown."""
    check_csrf(session, form)
    caller, desk = caller_of(request, session), desk_of(request)
    data, file_name = staging.staged(desk, caller, name, Waits.CHECKED_ONLY)
    _check(request, caller, data, file_name)
    return go(f"/supply-check/files/{name}")


@router.post("/files/{name}/discard")
def discard_file(
    request: Request, session: SignedInBrowser, name: KeptPath, form: FormFields
) -> Response:
    """Erase the draft; nothing was stored of it."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    staging.discard(desk_of(request), caller, name, Waits.CHECKED_ONLY)
    return go("/supply-check")


def _check(request: Request, caller: Caller, data: bytes, file_name: str) -> str:
    """Check a draft as things stand and keep what was found beside it; the name to ask for it by.

    The check is on record before anything of it can be shown.
    """
    desk, door = desk_of(request), door_of(request)
    submission = checking_supplies.read_draft(desk, caller, data, file_name)
    check_id, at = door.new_id(), door.moment().instant
    why = checking_supplies.SUPPLIED
    checked = check_and_keep(door, desk, caller, submission, why, restates=True, check_id=check_id)
    name = staging.stage(desk, caller, data, file_name, Waits.CHECKED_ONLY)
    kept_checks.keep(desk, caller, name, checked, check_id, at)
    return name


@contextmanager
def _kept(
    request: Request, session: Session, name: str, how: Mapping[str, Any]
) -> Iterator[KeptCheck | None]:
    """The caller's own check of a file, that it is shown put on record; None: check it first."""
    caller = caller_of(request, session)
    with kept_checks.opened(desk_of(request), caller, name) as kept:

        def read(work: Work) -> tuple[bool, tuple[Reading, ...]]:
            if kept is None or not kept_checks.may_be_told(work, kept):
                return False, ()
            return True, (Reading("checked file read", names={"check": kept.id, **how}),)

        yield kept if read_recorded(request, caller, read) else None


def _asked(
    request: Request,
    session: Session,
    typed: dict[str, Any],
    wrong: dict[str, str] | None = None,
    verdict: Verdict | None = None,
    status: int = 422,
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
        status=status if wrong else 200,
        session=session,
        fields=apart(fields),
        errors=errors,
        file_wrong=wrong.get("file"),
        largest_file=largest_file(request.app.state.settings.max_upload_bytes),
        verdict=verdict,
    )
