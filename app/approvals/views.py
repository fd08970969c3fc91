"""What callers are shown of a request, a treatment or an approval, and what is logged of it."""

from dataclasses import replace

from app.approvals import patients, store
from app.approvals.model import RequestView, TreatmentRecord, TreatmentView
from app.approvals.permissions import Action, check_can
from app.approvals.scope import is_former
from app.auth.model import Caller
from app.db.work import Work


def request_view(work: Work, caller: Caller, request_id: str) -> RequestView:
    """A request with its latest answers and its decisions; NotFound outside the caller's scope."""
    check_can(caller, Action.READ)
    request = store.find_request(work, caller, request_id)
    revision = store.revisions_of(work, request_id)[-1]
    return RequestView(
        request=request,
        revision=revision,
        overrides=store.overrides_of(work, request_id, revision.revision),
        decisions=store.decisions_of(work, request_id),
        approval=store.approval_of_request(work, request_id),
    )


def treatment_view(work: Work, caller: Caller, treatment_id: str) -> TreatmentView:
    """A treatment with its segments, and the requests and approvals that the caller may see."""
    check_can(caller, Action.READ)
    treatment = store.find_treatment(work, caller, treatment_id)
    view = TreatmentView(
        treatment=treatment,
        patient=patients.patient(work, treatment.patient_id),
        segments=store.segments_of(work, treatment_id),
        requests=store.requests_of(work, caller, treatment_id),
        approvals=store.approvals_of(work, treatment_id),
    )
    return own_part(view, caller) if handed_over(work, caller, treatment) else view


def handed_over(work: Work, caller: Caller, treatment: TreatmentRecord) -> bool:
    """Whether the caller's hospital once prescribed the treatment and no longer does."""
    every = store.segments_of(work, treatment.id, superseded=True)
    return is_former(caller, treatment, {segment.provider for segment in every})


def own_part(view: TreatmentView, caller: Caller) -> TreatmentView:
    """What a hospital keeps of a treatment that it handed over: nothing of what came after."""
    own = caller.organisation
    return replace(
        view,
        treatment=replace(view.treatment, not_started_on=None, stopped_on=None, stop_reason=None),
        segments=tuple(s for s in view.segments if s.provider == own),
        approvals=tuple(a for a in view.approvals if a.provider == own),
    )
