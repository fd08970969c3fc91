"""The dry run: would this be approved, what is missing, is approval needed, is there one already?

Nothing is stored but an audit event that a check was made.
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Literal

from app.approvals import issuing, patients, store
from app.approvals.answering import as_typed, carry_forward, context_of, read_answers
from app.approvals.conversion import check_conversion, judged_day
from app.approvals.coverage import check_first_dose
from app.approvals.deaths import check_decided_in_life
from app.approvals.deciding import Case, decide_case
from app.approvals.details import check_details
from app.approvals.downtime import check_paper
from app.approvals.elsewhere import TOLD, live_elsewhere
from app.approvals.emergency import check_emergency
from app.approvals.errors import AlreadyApproved, DetailsNotAccepted
from app.approvals.guessing import check_may_meet, guess_of, naming_on_a_form, not_known
from app.approvals.model import (
    FollowUpCommand,
    InitiationCommand,
    PatientDetails,
    PatientRecord,
    Route,
    TreatmentRecord,
)
from app.approvals.office import APPROVAL_NOT_REQUIRED, Office, setting
from app.approvals.opening import check_days
from app.approvals.overriding import accepted
from app.approvals.panel_word import new_form_for_people
from app.approvals.patterns import (
    check_may_continue,
    first_for_people,
    next_for_people,
    would_end,
)
from app.approvals.permissions import Action, check_acts_for, check_can
from app.approvals.submitting import earlier_revisions, first_context
from app.approvals.succeeding import continuing_version
from app.audit import Reading, record_reading
from app.auth.guesses import GuessLimits, hold
from app.auth.model import Caller
from app.db.work import Work
from app.policy import Kind, PolicyDecision, PolicyVersion


@dataclass(frozen=True, slots=True)
class Need:
    """Whether a drug needs an approval on a day, and which policies are held for it.

    `exempt`: the commissioner that was named pays for it without one.
    """

    drug: str
    on: dt.date
    required: bool
    reason: str
    policies: tuple[PolicyVersion, ...]
    exempt: bool = False

    @property
    def answer(self) -> Literal["yes", "no", "not known"]:
        """In a word. Without a policy, only an exemption makes it a plain no."""
        if self.required:
            return "yes"
        return "no" if self.exempt or self.policies else "not known"


@dataclass(frozen=True, slots=True)
class DryRun:
    """What submitting this would have given."""

    version: PolicyVersion
    kind: Kind
    decision: PolicyDecision
    already_approved: str | None  # in words; never another provider's details
    ends: tuple[str, ...] = ()  # in words, the provider's own approvals that approving it ends


def approval_needed(
    work: Work, office: Office, drug: str, commissioner: str | None, on: dt.date
) -> Need:
    """Whether the drug needs an approval on a day, as far as the library and settings tell."""
    held = office.library_at(work).for_drug(drug, on)
    exempt = setting(work, commissioner, APPROVAL_NOT_REQUIRED, on) if commissioner else None
    if isinstance(exempt, list) and drug in exempt:
        reason = "The commissioner pays for this drug without prior approval on that day."
        return Need(drug, on, False, reason, held, exempt=True)
    if not held:
        reason = "The library holds no policy for this drug on that day: ask the commissioner."
        return Need(drug, on, False, reason, held)
    if all(version.mechanism == "notification" for version in held):
        reason = "The policy asks for a notification only."
        return Need(drug, on, False, reason, held)
    reason = "A policy with criteria is in force for this drug on that day."
    return Need(drug, on, True, reason, held)


def check_initiation(
    work: Work, office: Office, caller: Caller, command: InitiationCommand
) -> DryRun:
    """Decide a first request without storing it."""
    check_can(caller, Action.CHECK)
    today = work.moment.day
    check_days(command.decision_to_treat, command.first_dose, today)
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
    details = patients.check_details(command.patient, today)
    with naming_on_a_form(work, caller, office.guesses, details):
        found = patients.find_existing(work, caller, details)
    check_may_meet(work, caller, found, office.guesses, details)
    if found is not None:
        check_decided_in_life(work, found, command.decision_to_treat)
    person = found or _unknown_person(caller, details)
    context = first_context(replace(person, sex=details.sex), version, command)
    case = Case(
        version,
        Kind.INITIATION,
        answers,
        context,
        command.route,
        command.details,
        accepted(caller, version, Kind.INITIATION, command.overrides),
        command.decision_to_treat,
        new_form_for_people(work, found, version, Kind.INITIATION, caller.organisation)
        + first_for_people(
            work, found, version, caller.organisation, command.details, command.first_dose
        ),
    )
    decision = decide_case(work, office, case, command.commissioner)
    already = _already(work, caller, found, version) if found else None
    ends = would_end(work, found, version, caller.organisation, command.details, command.first_dose)
    _log(work, caller, version, decision, found)
    return DryRun(version, Kind.INITIATION, decision, already, ends)


def check_follow_up(work: Work, office: Office, caller: Caller, command: FollowUpCommand) -> DryRun:
    """Decide a continuation or describe a stop without storing it."""
    treatment = store.find_treatment(work, caller, command.treatment_id)
    check_acts_for(caller, Action.CHECK, treatment.provider)
    if command.kind not in (Kind.CONTINUATION, Kind.STOP):
        raise DetailsNotAccepted("kind", f"A {command.kind} has no criteria to check.")
    today = work.moment.day
    check_days(command.decision_to_treat, None, today)
    if command.kind is Kind.CONTINUATION:
        version = continuing_version(
            office.library_at(work), treatment, command.policy, command.decision_to_treat
        )
        check_may_continue(version)
        person = patients.patient(work, treatment.patient_id)
        for_people = new_form_for_people(
            work, person, version, Kind.CONTINUATION, treatment.provider
        ) + next_for_people(work, treatment, version)
    else:
        version = office.library_at(work).deciding(
            treatment.policy, command.kind, command.decision_to_treat, treatment.commissioner
        )
        for_people = ()
    raw = carry_forward(version, command.kind, command.answers, earlier_revisions(work, treatment))
    answers = read_answers(
        version,
        command.kind,
        raw,
        decision_to_treat=command.decision_to_treat,
        today=today,
    )
    person = patients.patient(work, treatment.patient_id)
    context = context_of(person, command.decision_to_treat, treatment.first_dose)
    case = Case(
        version,
        command.kind,
        answers,
        context,
        command.route,
        command.details,
        overrides=accepted(caller, version, command.kind, command.overrides),
        for_people=for_people,
    )
    decision = decide_case(work, office, case, treatment.commissioner)
    _log(work, caller, version, decision, person, treatment)
    return DryRun(version, command.kind, decision, None)


def is_elsewhere(
    work: Work,
    caller: Caller,
    drug: str,
    nhs_number: str,
    birth_date: dt.date,
    guesses: GuessLimits,
) -> bool:
    """Whether another provider holds a live approval of the patient for the drug.

    For whoever begins a form for them, as the dry run of that form would tell. Nothing is found of
    a patient who objects, nor where the birth date does not fit. What is told is on record.

    A birth date that does not fit a number that is known counts as a guess; to whoever made too
    many of them nothing is told. A number that nobody has is that of a new patient, as most are.
    """
    check_can(caller, Action.CHECK)
    if not patients.has_number(work, nhs_number):
        return False
    bucket = hold(work, caller, guesses)  # before it is looked at, and until it is counted
    if bucket.seconds_to_wait:
        return False
    person = patients.known_by(work, nhs_number, birth_date)
    if person is None:
        not_known(work, caller, guesses, bucket, guess_of(nhs_number, birth_date))
        return False
    found = live_elsewhere(work, caller, {person.canonical_id: {drug}})
    for treatment in found.values():
        told = Reading(TOLD, treatment_id=treatment.id, patient_id=treatment.patient_id)
        record_reading(work, caller.actor(), told)
    return bool(found)


def _already(
    work: Work, caller: Caller, person: PatientRecord, version: PolicyVersion
) -> str | None:
    try:
        issuing.check_none_live(
            work,
            person,
            version.drug,
            version.indication.key,
            caller.organisation,
            work.moment.day,
            supersedes=version.approval.supersedes,
        )
    except AlreadyApproved as refusal:
        return str(refusal)
    return None


def _unknown_person(caller: Caller, details: PatientDetails) -> PatientRecord:
    return PatientRecord(
        id="",
        nhs_number=details.nhs_number,
        no_nhs_number_reason=details.no_nhs_number_reason,
        registered_by=caller.organisation,
        birth_date=details.birth_date,
        sex=details.sex,
        linked_to=None,
    )


def _log(
    work: Work,
    caller: Caller,
    version: PolicyVersion,
    decision: PolicyDecision,
    person: PatientRecord | None,
    treatment: TreatmentRecord | None = None,
) -> None:
    reading = Reading(
        "checked without submitting",
        treatment_id=treatment.id if treatment else None,
        patient_id=person.id if person and person.id else None,
        policy_hash=version.hash,
        names={"policy": version.policy, "version": version.version, "outcome": decision.outcome},
    )
    record_reading(work, caller.actor(), reading)
