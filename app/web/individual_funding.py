"""From a refused request to one for individual funding: a draft with everything but its case.

A refused first request leads to another first request; a refused continuation to a continuation of
the same treatment, so that what is funded stands on it. The commissioner decides it outside the
policy; the answers and the refused criteria go with it, and the evidence is attached to the request
once it is sent.
"""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.requests_model import RequestDocument, request_document
from app.api.treatments_model import PatientDocument, patient_document
from app.approvals import drafting, patients, store
from app.approvals.errors import TransitionNotAllowed
from app.approvals.lifecycle import RequestState
from app.approvals.model import Route
from app.approvals.permissions import Action, can, check_acts_for, check_can
from app.approvals.views import request_view
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind
from app.web.acting import act_once
from app.web.callers import caller_of, this_office
from app.web.correction import stored
from app.web.pages import PageRoute, check_csrf, go, in_role
from app.web.sign_in import FormFields, SignedInBrowser
from app.web.starting import IdPath

router = APIRouter(prefix="/requests", route_class=PageRoute, include_in_schema=False)

_REFUSED: Final = frozenset({RequestState.CRITERIA_NOT_MET, RequestState.DECLINED})
_KINDS: Final = frozenset({Kind.INITIATION, Kind.CONTINUATION})
#: Of the refused request's details, those that the new one asks for too.
_CARRIED: Final = frozenset(
    {
        "product",
        "route_of_administration",
        "dose",
        "supplying_providers",
        "registry_id",
        "product_reason",
        "switching_from",
        "started_under",
        "started_on",
    }
)
LONGEST: Final = 2000


def may_ask(caller: Caller, document: RequestDocument) -> bool:
    """Whether the reader's own refused request may be asked for individually."""
    return (
        document.provider == caller.organisation
        and document.kind in _KINDS
        and document.state in _REFUSED
        and can(caller, Action.PREPARE)
    )


@router.post("/{id}/individual-funding")
def begin(request: Request, session: SignedInBrowser, id: IdPath, form: FormFields) -> Response:
    """Prepare the request for individual funding, once; a clinician looks it through and sends."""
    check_csrf(session, form)
    caller, office = caller_of(request, session), this_office(request)
    check_can(caller, Action.PREPARE)
    case = form.get("case", "").strip()
    if not case:
        in_role(request, session, lambda work: store.find_request(work, caller, id))
        return go(f"/requests/{id}#individual-funding")

    def run(work: Work) -> str:
        view = request_view(work, caller, id)
        check_acts_for(caller, Action.PREPARE, view.request.provider)
        document = request_document(work, office, caller, view)
        if not may_ask(caller, document):
            raise TransitionNotAllowed(
                "Only a first request or a continuation that was refused is asked for "
                "individually. Look at the request again: it may have been decided since."
            )
        if document.kind is Kind.CONTINUATION:
            return f"/drafts/{_continuation(work, caller, document, case).id}/check"
        treatment = store.find_treatment(work, caller, document.treatment_id)
        patient = patient_document(
            work, office, caller, patients.patient(work, treatment.patient_id)
        )
        made = drafting.prepare(
            work,
            caller,
            kind=Kind.INITIATION,
            policy=document.policy.policy,
            treatment_id=None,
            form=_form(document, patient, case, work.moment.day.isoformat()),
            answers=stored(document),
        )
        return f"/drafts/{made.id}/check"

    return act_once(request, session, form, run)


def _continuation(
    work: Work, caller: Caller, document: RequestDocument, case: str
) -> drafting.DraftRecord:
    """The draft of a continuation of the same treatment, outside the policy."""
    typed: dict[str, Any] = {
        "decision_to_treat": work.moment.day.isoformat(),
        "route": Route.INDIVIDUAL_FUNDING.value,
        "details": _details(document, case),
        "retrospective_reason": document.retrospective_reason,
    }
    return drafting.prepare(
        work,
        caller,
        kind=Kind.CONTINUATION,
        policy=document.policy.policy,
        treatment_id=document.treatment_id,
        form={name: value for name, value in typed.items() if value is not None},
        answers=stored(document),
    )


def _details(document: RequestDocument, case: str) -> dict[str, Any]:
    """What the new request says beside its answers, with the case for it."""
    carried = {name: value for name, value in document.details.items() if name in _CARRIED}
    return {**carried, "note": case[:LONGEST]}


def _form(
    document: RequestDocument, patient: PatientDocument, case: str, today: str
) -> dict[str, Any]:
    """The body of the new request, as far as the refused one says it."""
    who = {
        "nhs_number": patient.nhs_number,
        "no_nhs_number_reason": None if patient.nhs_number else patient.no_nhs_number_reason,
        "local_id": patient.local_id,
        "sex": patient.sex,
        "birth_date": patient.birth_date.isoformat() if patient.birth_date else None,
    }
    first_dose = document.first_dose.isoformat() if document.first_dose else None
    typed = {
        "patient": {name: value for name, value in who.items() if value is not None},
        "commissioner": document.commissioner,
        # A first dose that was given already fixes the day of the decision before it.
        "decision_to_treat": document.decision_to_treat.isoformat() if first_dose else today,
        "first_dose": first_dose,
        "retrospective_reason": document.retrospective_reason,
        "route": Route.INDIVIDUAL_FUNDING.value,
        "details": _details(document, case),
    }
    return {name: value for name, value in typed.items() if value is not None}
