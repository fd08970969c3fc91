"""What the care team records of a patient as a person: an objection to being shown, a death.

The page is reached from a treatment, and its address names that treatment only.
"""

from typing import Final

from fastapi import APIRouter, Request, Response

from app.api.patients import DeathBody
from app.api.request_bodies import ReasonBody
from app.api.treatments_model import PatientDocument, patient_document
from app.approvals import deaths, objecting, patients, store
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import TreatmentRecord
from app.approvals.permissions import Action, can, check_can
from app.audit import Reading
from app.auth.sessions import Session
from app.db.work import Work
from app.web.acting import act_once, body_of, fresh_name
from app.web.callers import caller_of, read_recorded, this_office
from app.web.decision import patient_words
from app.web.form.typed import day_parts, typed_day
from app.web.pages import PageRoute, check_csrf
from app.web.rendering import page
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath

router = APIRouter(
    prefix="/treatments/{id}/patient", route_class=PageRoute, include_in_schema=False
)

READ: Final = "patient record read"
_NO_DAY: Final = "Enter the day of death, such as 15 3 2026."
_NO_OBJECTION: Final = "Say what the patient objects to, in a few words."
_NO_WITHDRAWAL: Final = "Say how the patient took it back, in a few words."
_NO_REASON: Final = "Say why the record of the death is wrong."


@router.get("")
def show(request: Request, session: SignedInBrowser, id: IdPath) -> Response:
    """Whether the patient objects or has died, and the forms that say so or take it back."""
    return _shown(request, session, id)


@router.post("/objection")
def record_objection(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Record that the patient objects to being shown."""
    return _said_why(request, session, id, form, "objection", _NO_OBJECTION)


@router.post("/objection/withdraw")
def withdraw_objection(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Record that the patient takes the objection back."""
    return _said_why(request, session, id, form, "withdraw", _NO_WITHDRAWAL)


@router.post("/death/take-back")
def take_back_death(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Take a wrong record of the death back."""
    return _said_why(request, session, id, form, "take-back", _NO_REASON)


@router.post("/death")
def record_death(
    request: Request, session: SignedInBrowser, id: IdPath, form: FormFields
) -> Response:
    """Record the day of the patient's death."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    check_can(caller, Action.RECORD_DEATH)
    typed = {"died_on": typed_day("died_on", form) or ""}
    body, _ = body_of(DeathBody, typed)
    if body is None:
        return _shown(request, session, id, typed, {"died_on": _NO_DAY})

    def run(work: Work) -> str:
        treatment = store.find_treatment(work, caller, id)
        deaths.record_death(work, caller, treatment.patient_id, body.died_on)
        return _at(id)

    try:
        return act_once(request, session, form, run)
    except DetailsNotAccepted as error:
        return _shown(request, session, id, typed, {"died_on": str(error)})


_ACTS: Final = {
    "objection": (Action.RECORD_OBJECTION, objecting.record_objection),
    "withdraw": (Action.RECORD_OBJECTION, objecting.withdraw_objection),
    "take-back": (Action.RECORD_DEATH, deaths.take_back_death),
}


def _said_why(
    request: Request, session: Session, id: str, form: dict[str, str], name: str, missing: str
) -> Response:
    """An act that takes words and nothing else. `name` is the act's, and its field's id."""
    check_csrf(session, form)
    caller = caller_of(request, session)
    action, act = _ACTS[name]
    check_can(caller, action)
    said = form.get("reason", "").strip()
    body, _ = body_of(ReasonBody, {"reason": said})
    if body is None:
        return _shown(request, session, id, {name: said}, {name: missing})

    def run(work: Work) -> str:
        treatment = store.find_treatment(work, caller, id)
        act(work, caller, treatment.patient_id, body.reason)
        return _at(id)

    return act_once(request, session, form, run)


def _at(id: str) -> str:
    return f"/treatments/{id}/patient"


def _shown(
    request: Request,
    session: Session,
    id: str,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
) -> Response:
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.RECORD_OBJECTION)

    def read(work: Work) -> tuple[tuple[TreatmentRecord, PatientDocument], Reading]:
        treatment = store.find_treatment(work, caller, id)
        record = patients.own_record(work, caller, treatment.patient_id)
        return (treatment, patient_document(work, office, caller, record)), Reading(READ, id)

    treatment, document = read_recorded(request, caller, read)
    given, faults = typed or {}, wrong or {}
    ids = {"died_on": "died_on-day"}
    return page(
        request,
        "patient_record.html",
        status=422 if faults else 200,
        session=session,
        treatment=treatment,
        patient=document,
        who=patient_words(document),
        may_stop=can(caller, Action.SUBMIT),
        typed=given,
        wrong=faults,
        day=day_parts(given.get("died_on")),
        once=fresh_name(request),
        errors=[{"text": text, "href": f"#{ids.get(name, name)}"} for name, text in faults.items()],
    )
