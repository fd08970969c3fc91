"""What callers are shown of a request, a treatment or an approval, and what is logged of it."""

from app.approvals import patients, store
from app.approvals.model import RequestView, TreatmentView
from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.db.work import Work


def request_view(work: Work, caller: Caller, request_id: str) -> RequestView:
    """A request with its latest answers and its decisions; NotFound outside the caller's scope."""
    check_can(caller, Action.READ)
    request = store.find_request(work, caller, request_id)
    return RequestView(
        request=request,
        revision=store.revisions_of(work, request_id)[-1],
        decisions=store.decisions_of(work, request_id),
        approval=store.approval_of_request(work, request_id),
    )


def treatment_view(work: Work, caller: Caller, treatment_id: str) -> TreatmentView:
    """A treatment with its segments, and the requests and approvals that the caller may see."""
    check_can(caller, Action.READ)
    treatment = store.find_treatment(work, caller, treatment_id)
    return TreatmentView(
        treatment=treatment,
        patient=patients.patient(work, treatment.patient_id),
        segments=store.segments_of(work, treatment_id),
        requests=store.requests_of(work, caller, treatment_id),
        approvals=store.approvals_of(work, treatment_id),
    )
