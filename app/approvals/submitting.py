"""Submitting a first request or a continuation."""

import datetime as dt
from dataclasses import replace
from typing import Any

from app.approvals import issuing, patients, store
from app.approvals.answering import as_typed, carry_forward, context_of, read_answers
from app.approvals.conversion import check_conversion, judged_day
from app.approvals.coverage import check_first_dose
from app.approvals.deaths import check_decided_in_life, late_for_people
from app.approvals.deciding import (
    Case,
    add_revision,
    conclude,
    decide_revision,
    hold,
    person_of,
)
from app.approvals.details import (
    check_commissioner,
    check_details,
    details_to_json,
)
from app.approvals.downtime import check_paper, note_back_entry
from app.approvals.emergency import check_emergency
from app.approvals.errors import DetailsNotAccepted, RequestAlreadyOpen
from app.approvals.guessing import check_may_meet, naming_on_a_form
from app.approvals.lifecycle import RequestEvent, RequestState
from app.approvals.model import (
    FollowUpCommand,
    InitiationCommand,
    PatientDetails,
    PatientRecord,
    RequestRecord,
    RequestView,
    RevisionRecord,
    Route,
    TreatmentRecord,
)
from app.approvals.office import Office, expect_authorisation, expect_text
from app.approvals.opening import check_days, new_request, treatment_for
from app.approvals.overriding import accepted
from app.approvals.panel_word import new_form_for_people
from app.approvals.patterns import check_may_continue, first_for_people, next_for_people
from app.approvals.permissions import Action, check_acts_for, check_can
from app.approvals.standing import STANDING, has_standing
from app.approvals.succeeding import continuing_version
from app.audit import recorded_together
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Context, Kind, PolicyVersion


def submit_initiation(
    work: Work, office: Office, caller: Caller, command: InitiationCommand
) -> RequestView:
    """Submit a first request and decide it, in one transaction.

    Raises AlreadyApproved, RequestAlreadyOpen, PatientContradiction, NoPolicyInForce,
    AnswersNotAccepted or DetailsNotAccepted; then nothing is stored.
    """
    with recorded_together(work):
        return _submit_initiation(work, office, caller, command)


def _submit_initiation(
    work: Work, office: Office, caller: Caller, command: InitiationCommand
) -> RequestView:
    check_can(caller, Action.SUBMIT)
    version, case_answers = _read_initiation(work, office, command)
    overrides = accepted(caller, version, Kind.INITIATION, command.overrides)
    details = patients.check_details(command.patient, work.moment.day)
    expect_text(work, version)
    with naming_on_a_form(work, caller, office.guesses, details):
        patient = patients.lock_person(work, patients.identify(work, caller, details))
    check_may_meet(work, caller, patient, office.guesses, details)
    check_decided_in_life(work, patient, command.decision_to_treat)
    today = work.moment.day
    issuing.check_none_live(
        work,
        patient,
        version.drug,
        version.indication.key,
        caller.organisation,
        today,
        supersedes=version.approval.supersedes,
    )
    treatment = treatment_for(work, caller, patient, version, command.commissioner)
    request = new_request(
        work,
        caller,
        treatment,
        version,
        kind=Kind.INITIATION,
        route=command.route,
        decision_to_treat=command.decision_to_treat,
        first_dose=command.first_dose,
        retrospective_reason=command.retrospective_reason,
        details={**details_to_json(command.details), **_local_codes(details)},
    )
    # The form's own sex, where the record's is not known: it is what the clinician decided on.
    context = first_context(replace(patient, sex=details.sex), version, command)
    if command.details.paper is not None:
        note_back_entry(work, caller.actor(), request, command.details.paper)
    case = Case(
        version,
        Kind.INITIATION,
        case_answers,
        context,
        command.route,
        command.details,
        overrides,
        command.decision_to_treat,
        late_for_people(work, patient)
        + new_form_for_people(work, patient, version, Kind.INITIATION, caller.organisation)
        + first_for_people(
            work, patient, version, caller.organisation, command.details, command.first_dose
        ),
    )
    return _submit(work, office, caller, treatment, request, case)


def submit_continuation(
    work: Work, office: Office, caller: Caller, command: FollowUpCommand
) -> RequestView:
    """Submit a continuation: measurements of earlier requests are carried forward.

    An imported treatment has none, so its baseline is asked for once, here.
    """
    with recorded_together(work):
        return _submit_continuation(work, office, caller, command)


def _submit_continuation(
    work: Work, office: Office, caller: Caller, command: FollowUpCommand
) -> RequestView:
    treatment = hold(work, caller, command.treatment_id)
    check_acts_for(caller, Action.SUBMIT, treatment.provider)
    person = person_of(work, treatment)
    _check_birth_date(person, command.birth_date)
    _check_continues(work, treatment)
    today = work.moment.day
    check_days(command.decision_to_treat, None, today)
    check_decided_in_life(work, person, command.decision_to_treat)
    version = continuing_version(
        office.library_at(work), treatment, command.policy, command.decision_to_treat
    )
    check_may_continue(version)
    raw = carry_forward(
        version, Kind.CONTINUATION, command.answers, earlier_revisions(work, treatment)
    )
    answers = read_answers(
        version,
        Kind.CONTINUATION,
        raw,
        decision_to_treat=command.decision_to_treat,
        today=today,
    )
    overrides = accepted(caller, version, Kind.CONTINUATION, command.overrides)
    check_details(command.details, Kind.CONTINUATION, version, today)
    check_paper(
        command.details,
        command.kind,
        command.decision_to_treat,
        work.moment.instant,
        office.back_entry_days,
    )
    check_conversion(command.details, Kind.CONTINUATION, command.decision_to_treat, None)
    _check_reason(version, command.retrospective_reason)
    check_emergency(
        command.details, command.kind, command.retrospective_reason, None, work.moment.instant
    )
    request = new_request(
        work,
        caller,
        treatment,
        version,
        kind=Kind.CONTINUATION,
        route=command.route,
        decision_to_treat=command.decision_to_treat,
        first_dose=treatment.first_dose,
        retrospective_reason=command.retrospective_reason,
        details=details_to_json(command.details),
    )
    if command.details.paper is not None:
        note_back_entry(work, caller.actor(), request, command.details.paper)
    context = context_of(person, command.decision_to_treat, treatment.first_dose)
    case = Case(
        version,
        Kind.CONTINUATION,
        answers,
        context,
        command.route,
        command.details,
        overrides,
        for_people=late_for_people(work, person)
        + new_form_for_people(work, person, version, Kind.CONTINUATION, treatment.provider)
        + next_for_people(work, treatment, version),
    )
    return _submit(work, office, caller, treatment, request, case)


def earlier_revisions(work: Work, treatment: TreatmentRecord) -> tuple[RevisionRecord, ...]:
    """The latest answers of each earlier request on the treatment: what to carry forward from.

    Those that an approval rests on come last, for they go first. Requests that were withdrawn or
    entered in error give nothing. After a transfer the receiving provider is given the baseline,
    so this reads every request of the treatment, not only those that the caller may open.
    """
    waiting: list[RevisionRecord] = []
    approved: list[RevisionRecord] = []
    for request in store.all_requests_of(work, treatment.id):
        if request.state in (RequestState.ENTERED_IN_ERROR, RequestState.WITHDRAWN):
            continue
        side = approved if request.state is RequestState.APPROVED else waiting
        side.append(store.revisions_of(work, request.id)[-1])
    return (*waiting, *approved)


# --- parts of a submission ----------------------------------------------------------------------


def _read_initiation(
    work: Work, office: Office, command: InitiationCommand
) -> tuple[PolicyVersion, Any]:
    today = work.moment.day
    check_days(command.decision_to_treat, command.first_dose, today)
    check_commissioner(command.commissioner)
    version = office.library_at(work).deciding(
        command.policy, Kind.INITIATION, command.decision_to_treat, command.commissioner
    )
    check_details(command.details, Kind.INITIATION, version, today)
    check_paper(
        command.details,
        Kind.INITIATION,
        command.decision_to_treat,
        work.moment.instant,
        office.back_entry_days,
    )
    check_emergency(
        command.details,
        Kind.INITIATION,
        command.retrospective_reason,
        command.first_dose,
        work.moment.instant,
    )
    check_conversion(
        command.details, Kind.INITIATION, command.decision_to_treat, command.first_dose
    )
    if command.route is Route.POLICY:
        check_first_dose(version.approval, today, command.first_dose, command.retrospective_reason)
    answers = read_answers(
        version,
        Kind.INITIATION,
        as_typed(command.answers),
        decision_to_treat=judged_day(version, command.details, command.decision_to_treat),
        today=today,
    )
    return version, answers


def first_context(
    person: PatientRecord, version: PolicyVersion, command: InitiationCommand
) -> Context:
    """What a first request's criteria look at: for a conversion, as of the start of treatment."""
    day = judged_day(version, command.details, command.decision_to_treat)
    return context_of(person, day, command.details.started_on or command.first_dose)


def _submit(
    work: Work,
    office: Office,
    caller: Caller,
    treatment: TreatmentRecord,
    request: RequestRecord,
    case: Case,
) -> RequestView:
    """Decide a new request; the view is of what was stored, not read anew.

    The request is its caller's own, and new: it has one revision and one decision.
    """
    check_can(caller, Action.READ)
    revision = add_revision(work, caller, request, "submitted", case, None)
    expect_authorisation(work, request.provider)
    stored, overrides = decide_revision(work, office, caller, treatment, request, case)
    moved = conclude(work, caller, treatment, request, RequestEvent.SUBMIT, case.version, stored)
    return RequestView(
        request=moved,
        revision=revision,
        overrides=overrides,
        decisions=(stored,),
        approval=store.approval_of_request(work, request.id, treatment.id),
        treatment=store.kept_treatment(work, treatment.id),
    )


def _check_birth_date(person: PatientRecord, birth_date: dt.date | None) -> None:
    if birth_date is not None and birth_date != person.birth_date:
        raise patients.contradiction()


def _check_continues(work: Work, treatment: TreatmentRecord) -> None:
    if treatment.stopped_on is not None:
        raise DetailsNotAccepted(
            "treatment_id",
            "The treatment was recorded as stopped. Send a new initiation to start it again.",
        )
    if not has_standing(work, treatment.id):
        raise DetailsNotAccepted(
            "treatment_id",
            "The treatment has no standing approval to continue. Send an initiation first.",
        )
    if store.open_request(work, treatment.id, Kind.CONTINUATION) is not None:
        raise RequestAlreadyOpen(
            "A continuation of this treatment is still waiting. Amend or withdraw that one."
        )
    if _is_continued(work, treatment):
        raise RequestAlreadyOpen(
            "A continuation of this treatment is approved already and has not begun yet. Send the "
            "next one once it has, so that the criteria are judged on findings of that time."
        )


def _is_continued(work: Work, treatment: TreatmentRecord) -> bool:
    """Whether the next approval is issued already and lies ahead."""
    return any(
        approval.state in STANDING and approval.covers_from > work.moment.day
        for approval in store.approvals_of(work, treatment.id)
    )


def _check_reason(version: PolicyVersion, reason: str | None) -> None:
    if reason is not None and reason not in version.approval.retrospective_reasons:
        raise DetailsNotAccepted(
            "retrospective_reason",
            "The policy does not permit that reason for a late form. Leave it out.",
        )


def _local_codes(details: PatientDetails) -> dict[str, str]:
    """The hospital number and practice as this form gave them; both may change later."""
    codes = {"local_id": details.local_id, "gp_practice": details.gp_practice}
    return {name: code for name, code in codes.items() if code is not None}
