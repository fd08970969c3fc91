"""Amending, withdrawing and escalating a request that still waits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from app.approvals import begun_answers, store
from app.approvals.answering import as_typed, context_of, read_answers
from app.approvals.changed_answers import is_failure
from app.approvals.conversion import judged_day
from app.approvals.deaths import late_for_people
from app.approvals.deciding import (
    Case,
    add_opinion,
    conclude,
    decide_and_store,
    hold,
    move,
    person_of,
)
from app.approvals.details import (
    details_from_json,
)
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.lifecycle import RequestEvent, RequestState, next_states
from app.approvals.model import (
    DecisionRecord,
    OverrideGiven,
    PatientRecord,
    RequestDetails,
    RequestRecord,
    RequestView,
    TreatmentRecord,
)
from app.approvals.office import Office, panel_of
from app.approvals.overriding import accepted, standing
from app.approvals.panel_word import new_form_for_people, revised_for_people
from app.approvals.patterns import first_for_people, next_for_people
from app.approvals.permissions import Action, check_acts_for, check_can
from app.approvals.replaying import version_of_request
from app.approvals.views import request_view
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind, PolicyVersion

#: Who sends a request on whose criteria are not met, or takes it back, and what that is called
#: beside decisions, where whoever reads the request finds why.
PROVIDER: Final = "provider"
ESCALATED: Final = "escalated"
WITHDRAWN: Final = RequestState.WITHDRAWN.value
IN_ERROR: Final = RequestState.ENTERED_IN_ERROR.value


def amend(
    work: Work,
    office: Office,
    caller: Caller,
    request_id: str,
    answers: Mapping[str, Any],
    expected_version: int | None,
    overrides: tuple[OverrideGiven, ...] | None = None,
) -> RequestView:
    """Answer what was missing, or what the panel or pharmacist asked; earlier answers stand.

    The request keeps the policy version of its first submission. An answer of null takes the
    earlier one back. `overrides` replace the earlier ones; None leaves them standing.
    """
    check_can(caller, Action.AMEND)
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, Action.AMEND, request.provider)
    store.check_version(request.version, expected_version)
    if request.kind not in (Kind.INITIATION, Kind.CONTINUATION):
        raise DetailsNotAccepted(
            "answers", f"A {request.kind} has no answers to amend. Withdraw it and send it again."
        )
    treatment = hold(work, caller, request.treatment_id)
    case = revised_case(work, office, treatment, request, answers)
    if overrides is not None:
        case = replace(case, overrides=accepted(caller, case.version, request.kind, overrides))
    amended = replace(request, revision=request.revision + 1)
    stored = decide_and_store(work, office, caller, treatment, amended, case, "amended")
    conclude(
        work,
        caller,
        treatment,
        request,
        RequestEvent.AMEND,
        case.version,
        stored,
        {"revision": amended.revision},
    )
    return request_view(work, caller, request_id)


def withdraw(
    work: Work, caller: Caller, request_id: str, reason: str, expected_version: int | None
) -> RequestView:
    """Withdraw a request that is still waiting; it stays on record, and why."""
    check_can(caller, Action.WITHDRAW)
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, Action.WITHDRAW, request.provider)
    store.check_version(request.version, expected_version)
    treatment = hold(work, caller, request.treatment_id)
    add_opinion(work, caller, request, treatment, PROVIDER, WITHDRAWN, reason)
    move(
        work,
        caller,
        treatment,
        request,
        RequestEvent.WITHDRAW,
        RequestState.WITHDRAWN,
        reason=reason,
    )
    begun_answers.end(work, request)
    return request_view(work, caller, request_id)


def may_be_waived(decisions: Sequence[DecisionRecord]) -> bool:
    """Whether a panel may waive every criterion that the last decision found not met."""
    failed = [f for each in decisions[-1:] for f in each.findings if is_failure(f)]
    return bool(failed) and all(f["waivable"] for f in failed)


def escalate(
    work: Work, caller: Caller, request_id: str, reason: str, expected_version: int | None
) -> RequestView:
    """Send a request whose criteria are not met to the panel, where all failures are waivable."""
    check_can(caller, Action.ESCALATE)
    request = store.find_request(work, caller, request_id, lock=True)
    check_acts_for(caller, Action.ESCALATE, request.provider)
    store.check_version(request.version, expected_version)
    treatment = hold(work, caller, request.treatment_id)
    # Before its decision is looked at: a transfer or a pause has none.
    next_states(request.state, RequestEvent.ESCALATE)
    if not may_be_waived(store.decisions_of(work, request_id)):
        raise TransitionNotAllowed(
            "What the request fails on cannot be waived, so the panel cannot approve this "
            "request. Correct it, or ask the commissioner for an individual funding request."
        )
    panel = panel_of(work, request.commissioner, request.policy, work.moment.day)
    # Whoever decides it next reads why; the log alone would keep it from them.
    add_opinion(work, caller, request, treatment, PROVIDER, ESCALATED, reason)
    move(
        work,
        caller,
        treatment,
        request,
        RequestEvent.ESCALATE,
        RequestState.REFERRED,
        {"panel": panel},
        reason,
    )
    return request_view(work, caller, request_id)


# --- shared with corrections --------------------------------------------------------------------


def revised_case(
    work: Work,
    office: Office,
    treatment: TreatmentRecord,
    request: RequestRecord,
    answers: Mapping[str, Any],
) -> Case:
    """The request's case with changed answers, under its original version, dates and sex."""
    version = version_of_request(work, office.library_at(work), request)
    latest = store.revisions_of(work, request.id)[-1]
    merged = {**latest.answers, **as_typed(answers)}
    today = work.moment.day
    details = details_from_json(request.details)
    judged = judged_day(version, details, request.decision_to_treat)
    typed = read_answers(version, request.kind, merged, decision_to_treat=judged, today=today)
    first_dose = request.first_dose
    if request.kind is not Kind.INITIATION:
        first_dose = treatment.first_dose or first_dose  # it may have been recorded since
    person = person_of(work, treatment)
    context = context_of(person, judged, details.started_on or first_dose)
    context = replace(context, sex=latest.context["sex"])
    for_people = _for_people(work, treatment, person, version, request, details)
    return Case(
        version,
        request.kind,
        typed,
        context,
        request.route,
        details,
        standing(work, request),
        request.decision_to_treat,
        for_people,
        runs_already=request.state is RequestState.APPROVED,
    )


def _for_people(
    work: Work,
    treatment: TreatmentRecord,
    person: PatientRecord,
    version: PolicyVersion,
    request: RequestRecord,
    details: RequestDetails,
) -> tuple[str, ...]:
    """Why people must decide an amended or corrected request; one approved has its own course."""
    if request.state is RequestState.APPROVED:
        return ()
    spoken = revised_for_people(work, request) or new_form_for_people(
        work, person, version, request.kind, request.provider
    )
    late = spoken + late_for_people(work, person)
    if request.kind is Kind.INITIATION:
        return late + first_for_people(
            work, person, version, request.provider, details, request.first_dose
        )
    return late + next_for_people(work, treatment, version)
