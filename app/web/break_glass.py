"""Break-glass on pages: declare it, read what it opens while it is open, and end it.

What it opens is shown by the API's own documents, is read only, and each reading is reported. The
patient's number goes by POST, so that none stands in an address.
"""

from typing import Any, Final

from fastapi import APIRouter, Query, Request, Response

from app.api.break_glass import (
    BreakGlassBody,
    RecordDocument,
    limits_of,
    record_document,
)
from app.approvals import break_glass
from app.approvals.break_glass_model import BreakGlassReason, Grant
from app.approvals.permissions import Action, can, check_can
from app.audit import Reading
from app.auth.sessions import Session
from app.db.work import Work
from app.reference_data.drugs import load_drugs
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.web.acting import act_once, body_of, fresh_name
from app.web.callers import caller_of, read_recorded, this_office
from app.web.decision import patient_words, state_colour, state_words
from app.web.form import about
from app.web.form.about import Entry
from app.web.form.fields import errors_of
from app.web.pages import PageRoute, check_csrf, door_of
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath
from app.web.words import duration_words, first_upper

router = APIRouter(prefix="/break-glass", route_class=PageRoute, include_in_schema=False)

_NUMBER: Final = "Enter the 10 digits of the NHS number. The last digit checks the others."
_FAULTS: Final = {
    "nhs_number": _NUMBER,
    "birth_date": "Enter the date of birth, such as 15 3 1984.",
    "reason": "Choose the reason.",
    "words": "Say in your own words why the patient's safety needs it.",
}
_ENTRIES: Final = (
    Entry(("nhs_number",), "text", "NHS number", "10 digits. Spaces do not matter."),
    Entry(("birth_date",), "day", "Date of birth", "For example, 15 3 1984. Both must fit."),
    Entry(
        ("reason",),
        "one of",
        "Why the patient's safety needs it",
        options=tuple((each.value, first_upper(each.value)) for each in BreakGlassReason),
    ),
)


@router.get("")
def ask(
    request: Request,
    session: SignedInBrowser,
    found: str = Query(default="", pattern="^(no)?$"),
) -> Response:
    """The declaration, and what of one's own is open."""
    return _asked(request, session, {}, {}, nothing=found == "no")


@router.post("")
def declare(request: Request, session: SignedInBrowser, form: FormFields) -> Response:
    """Declare it, once; the record follows, where another provider holds one."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.BREAK_GLASS)
    typed = about.put({}, _ENTRIES, form) | {"words": form.get("words", "").strip()}
    body, unread = body_of(BreakGlassBody, typed)
    wrong = {name: _FAULTS[name] for name in unread if name in _FAULTS}
    if body is not None:
        try:
            parse_nhs_number(body.nhs_number)
        except InvalidNhsNumber:
            wrong["nhs_number"] = _NUMBER
    if body is None or wrong:
        return _asked(request, session, typed, wrong)

    def run(work: Work) -> str:
        who = (body.nhs_number, body.birth_date)
        limits = limits_of(request)
        grant = break_glass.declare(work, limits, caller, *who, body.reason, body.words)
        return "/break-glass?found=no" if grant is None else f"/break-glass/{grant.id}"

    return act_once(request, session, form, run)


@router.get("/{id}")
def read_record(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """What other providers hold, for whoever declared it, while it is open."""
    caller, office = caller_of(request, session), this_office(request)

    def read(work: Work) -> tuple[RecordDocument, tuple[Reading, ...]]:
        return break_glass.read_under_grant(
            work, caller, id, lambda opened: record_document(work, office, caller, opened)
        )

    document = read_recorded(request, caller, read)
    return page(
        request,
        "break_glass_record.html",
        session=session,
        document=document,
        treatments=[
            (each, [one for one in document.requests if one.treatment_id == each.id])
            for each in document.treatments
        ],
        patient=patient_words(document.patient),
        drugs={key: drug.name for key, drug in load_drugs().drugs.items()},
        state_words=state_words,
        state_colour=state_colour,
        once=fresh_name(request),
    )


@router.post("/{id}/end")
def end(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """End it before its time: whoever declared it, or the auditor from the report of it."""
    caller = caller_of(request, session)
    check_can(caller, Action.END_BREAK_GLASS)

    def run(work: Work) -> str:
        break_glass.end(work, caller, id)
        return "/" if can(caller, Action.BREAK_GLASS) else "/reports/break-glass"

    return act_once(request, session, form, run)


def _asked(
    request: Request,
    session: Session,
    typed: dict[str, Any],
    wrong: dict[str, str],
    *,
    nothing: bool = False,
) -> Response:
    caller = caller_of(request, session)
    check_can(caller, Action.BREAK_GLASS)

    def read(work: Work) -> tuple[Grant, ...]:
        return break_glass.open_now(work, caller)

    fields = about.fields(_ENTRIES, typed, wrong)
    errors = errors_of(fields)
    if "words" in wrong:
        errors.append({"text": wrong["words"], "href": "#words"})
    limits = limits_of(request)
    return page(
        request,
        "break_glass.html",
        status=422 if wrong else 200,
        session=session,
        fields=fields,
        words=typed.get("words", ""),
        wrong=wrong,
        errors=errors,
        nothing=nothing,
        open_grants=door_of(request).read(read),
        open_for=duration_words(limits.minutes),
        once=fresh_name(request),
    )
