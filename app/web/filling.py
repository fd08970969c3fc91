"""A draft as it stands: its form's pages, what is wrong, what is missing, what is on record."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi.exceptions import RequestValidationError

from app.api.drafts import command_of
from app.approvals import checking, known_answers, store
from app.approvals.answering import context_of
from app.approvals.downtime import check_paper
from app.approvals.drafting import DraftRecord
from app.approvals.emergency import check_emergency
from app.approvals.errors import ApprovalsError, DetailsNotAccepted
from app.approvals.known_answers import KnownAnswers, KnownQuery, KnownQuestion
from app.approvals.lasting import Approved, Standing, rows_before, still_serves
from app.approvals.lifecycle import RequestState
from app.approvals.model import InitiationCommand, PatientRecord, TreatmentRecord
from app.approvals.office import Office
from app.approvals.opening import check_days
from app.approvals.patients import local_id_of, patient
from app.approvals.recorded_facts import approved_until_now
from app.approvals.succeeding import continuing_version
from app.auth.model import Caller
from app.db.work import Work
from app.policy import (
    Answer,
    AnswerFault,
    AnswerFaults,
    Context,
    Kind,
    PolicyVersion,
    Question,
    open_questions,
    parse_answers,
)
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number
from app.web.form import about
from app.web.form.doses import DoseCheck, dose_checks
from app.web.form.fields import Known, answer_words
from app.web.form.scales import scale_faults
from app.web.form.steps import Step, steps_of
from app.web.words import day_words

_BEFORE: Final = "the measures and their scores before treatment. The scores since are asked anew"


@dataclass(frozen=True, slots=True)
class Filling:
    """A draft under the version that will decide it, as of today.

    `open` are the questions that can still matter; `faults` what can't be read of the answers,
    or is no step of its scale; `doses` the doses held against the weight. `local_id` is the
    patient's number at the hospital that treats.
    """

    draft: DraftRecord
    version: PolicyVersion
    treatment: TreatmentRecord | None
    steps: tuple[Step, ...]
    faults: tuple[AnswerFault, ...]
    open: frozenset[str]
    day: dt.date
    today: dt.date
    doses: tuple[DoseCheck, ...] = ()
    patient: PatientRecord | None = None  # of a treatment that goes on
    local_id: str | None = None
    approved: Approved | None = None  # what a continuation goes on from
    context: Context | None = None

    @property
    def kind(self) -> Kind:
        return self.draft.kind

    def missing(self) -> tuple[Question, ...]:
        """The questions still to answer, in the form's order."""
        asked = [question for step in self.steps for question in step.questions]
        return tuple(each for each in asked if each.name in self.open)

    def open_with(self, more: Mapping[str, Any]) -> frozenset[str]:
        """The questions that could still matter if these were answered too."""
        if self.context is None:
            return self.open
        typed = {**self.draft.answers, **more}
        answers, _ = readable_answers(self.version, self.kind, typed, self.day, self.today)
        return frozenset(open_questions(self.version, self.kind, answers, self.context))


def fill(work: Work, office: Office, caller: Caller, draft: DraftRecord) -> Filling:
    """Read a draft as far as it goes. Raises what the version's choice raises (NoPolicyInForce)."""
    library, today = office.library_at(work), work.moment.day
    day = as_day(draft.form.get("decision_to_treat")) or today
    treatment = person = local_id = approved = None
    if draft.treatment_id is not None:
        treatment = store.find_treatment(work, caller, draft.treatment_id)
        person = patient(work, treatment.patient_id)
        local_id = local_id_of(work, treatment.provider, treatment.patient_id)
        approved = approved_until_now(work, caller, treatment)
        version = continuing_version(library, treatment, draft.policy, day)
        context = context_of(person, day, treatment.first_dose)
    else:
        payer = draft.form.get("commissioner")
        version = library.deciding(
            draft.policy or "", draft.kind, day, payer if isinstance(payer, str) else None
        )
        context = _typed_context(draft.form, day)
    answers, faults = readable_answers(version, draft.kind, draft.answers, day, today)
    return Filling(
        draft=draft,
        version=version,
        treatment=treatment,
        steps=steps_of(version, draft.kind),
        faults=(*faults, *graded_wrong(version, draft.answers, faults)),
        open=frozenset(open_questions(version, draft.kind, answers, context)),
        day=day,
        today=today,
        doses=dose_checks(version, draft.kind, answers, context),
        patient=person,
        local_id=local_id,
        approved=approved,
        context=context,
    )


def graded_wrong(
    version: PolicyVersion, typed: Mapping[str, Any], faults: Sequence[AnswerFault]
) -> tuple[AnswerFault, ...]:
    """What the version asks for as a step of a scale and is none, where nothing else is wrong."""
    told = {each.question for each in faults}
    return tuple(
        each
        for each in scale_faults(typed)
        if each.question in version.questions and each.question not in told
    )


def check_grades(filling: Filling) -> None:
    """Raise DetailsNotAccepted where an answer is to be a step of a scale and is none."""
    for each in graded_wrong(filling.version, filling.draft.answers, ()):
        label = filling.version.questions[each.question].label
        raise DetailsNotAccepted(each.question, f"{label}: {each.message}. {each.mend}.")


def readable_answers(
    version: PolicyVersion,
    kind: Kind,
    typed: Mapping[str, Any],
    decision_to_treat: dt.date,
    today: dt.date,
) -> tuple[dict[str, Answer], tuple[AnswerFault, ...]]:
    """The answers that can be read, and what is wrong with the others."""
    days = {"decision_to_treat": decision_to_treat, "today": today}
    try:
        return parse_answers(version, kind, typed, **days), ()
    except AnswerFaults as error:
        wrong = {place.partition("[")[0] for place in (each.question for each in error.faults)}
        kept = {name: answer for name, answer in typed.items() if name not in wrong}
        return parse_answers(version, kind, kept, **days), error.faults


def as_day(typed: Any) -> dt.date | None:
    """A day as stored in a draft; None for nothing, and for what is no day."""
    try:
        return dt.date.fromisoformat(typed) if isinstance(typed, str) else None
    except ValueError:
        return None


def _typed_context(form: Mapping[str, Any], day: dt.date) -> Context:
    patient_typed = form.get("patient")
    given = patient_typed if isinstance(patient_typed, Mapping) else {}
    sex = given.get("sex")
    return Context(
        decision_to_treat=day,
        first_dose=as_day(form.get("first_dose")),
        birth_date=as_day(given.get("birth_date")),
        sex=sex if sex in ("male", "female") else None,
    )


# --- what is wrong beside the answers ------------------------------------------------------------


def about_faults(work: Work, office: Office, draft: DraftRecord) -> dict[str, str]:
    """What can't be taken of the patient and the treatment, by the name of its field.

    An empty field that is needed is among them.
    """
    try:
        command = command_of(work, office, draft)
    except RequestValidationError as error:
        return dict(_fault(each) for each in error.errors() if "answers" not in each["loc"])
    except DetailsNotAccepted as error:
        return {error.field: _sentence(str(error))}
    try:
        check_paper(
            command.details,
            draft.kind,
            command.decision_to_treat,
            work.moment.instant,
            office.back_entry_days,
        )
        first = command.first_dose if isinstance(command, InitiationCommand) else None
        if command.details.emergency is not None:
            check_days(command.decision_to_treat, first, work.moment.day)
        check_emergency(
            command.details,
            draft.kind,
            command.retrospective_reason,
            first,
            work.moment.instant,
        )
    except DetailsNotAccepted as error:
        return {error.field: _sentence(str(error))}
    if isinstance(command, InitiationCommand) and command.patient.nhs_number is not None:
        try:
            parse_nhs_number(command.patient.nhs_number)
        except InvalidNhsNumber as error:
            return {"patient.nhs_number": _sentence(str(error))}
    return {}


def _fault(found: Mapping[str, Any]) -> tuple[str, str]:
    """A fault of the body in a form-filler's words."""
    name = ".".join(str(part) for part in found["loc"])
    kind = str(found["type"])
    if kind == "missing":
        return name, "Fill this in."
    if "date" in kind or "day" in kind or "a day of the calendar" in str(found["msg"]):
        return name, "Enter a real day, such as 15 3 1984."
    if kind in ("enum", "literal_error"):
        return name, "Choose one of the list."
    message = str(found["msg"]).removeprefix("Value error, ")
    return name, _sentence(message)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


# --- what is on record ---------------------------------------------------------------------------


def on_record(work: Work, office: Office, caller: Caller, filling: Filling) -> KnownAnswers | None:
    """The answers on record that fit the form; None while the patient isn't known. Audited."""
    query = _query(filling)
    if query is None:
        return None
    try:
        return known_answers.known_answers(work, office, caller, query)
    except ApprovalsError:
        return None  # a number that can't be read, say: the form shows that itself


def _query(filling: Filling) -> KnownQuery | None:
    draft, treatment = filling.draft, filling.treatment
    common: dict[str, Any] = {
        "policy": filling.version.policy,
        "kind": draft.kind,
        "decision_to_treat": filling.day,
    }
    if treatment is not None and filling.patient is not None:
        record, identifier = filling.patient, filling.local_id
        if record.nhs_number is None and identifier is None:
            return None
        return KnownQuery(
            **common,
            birth_date=record.birth_date,
            nhs_number=record.nhs_number,
            local_id=None if record.nhs_number else identifier,
            commissioner=treatment.commissioner,
        )
    given = draft.form.get("patient")
    typed = given if isinstance(given, Mapping) else {}
    born = as_day(typed.get("birth_date"))
    number, local_id = typed.get("nhs_number"), typed.get("local_id")
    if born is None or not (number or local_id):
        return None
    payer = draft.form.get("commissioner")
    return KnownQuery(
        **common,
        birth_date=born,
        nhs_number=number or None,
        local_id=None if number else local_id,
        commissioner=payer if isinstance(payer, str) and payer else None,
    )


def proposals(
    known: KnownAnswers | None,
    filling: Filling,
    *,
    all_of_them: bool = False,
) -> tuple[dict[str, Any], dict[str, Known]]:
    """What to put into open fields, and what to tell beside each, by question.

    Put in is what lasts (`lasting`): baselines and histories, and a measurement only that was taken
    after the approval which goes on. A fact is put in for a clinician who asks for the facts. What
    the form asks as of now is told, with its day, and left open.
    """
    filled: dict[str, Any] = {}
    told: dict[str, Known] = {}
    for each in known.questions if known is not None else ():
        question, first = each.question, each.answers[0]
        if filling.draft.answers.get(question.name) is not None:
            continue
        if (begun := _begun_before(each, filling)) is not None:
            filled[question.name], told[question.name] = begun
            continue
        answer = {
            part: first.answer[part]
            for part in ("value", "unit", "measured_on")
            if first.answer.get(part) is not None
        }
        standing = still_serves(
            filling.version,
            question,
            filling.kind,
            answer,
            filling.approved,
            filling.day,
            None if filling.patient is None else filling.patient.birth_date,
        )
        put_in = standing is Standing.LASTS or (all_of_them and standing is Standing.FACT)
        if put_in:
            filled[question.name] = answer
        source = (
            f"the {first.request.kind} request of {day_words(first.request.decision_to_treat)}, "
            f"{first.version.title}"
        )
        words = answer_words(question, answer)
        if question.measured and "measured_on" not in answer:
            words = f"{words}, without a day of measurement"
        told[question.name] = Known(words, source, put_in, now=standing is Standing.NOW)
    return filled, told


def _begun_before(known: KnownQuestion, filling: Filling) -> tuple[dict[str, Any], Known] | None:
    """A list of which an approved request of this treatment settled a part before it began."""
    for each in known.answers:
        own = filling.treatment is not None and each.request.treatment_id == filling.treatment.id
        if not own or each.request.state is not RequestState.APPROVED:
            continue
        rows = rows_before(known.question, filling.kind, each.answer)
        if rows:
            day = day_words(each.request.decision_to_treat)
            source = f"the {each.request.kind} request of {day}"
            return {"value": rows}, Known("", source, put_in=True, part=_BEFORE)
    return None


# --- the dry run ---------------------------------------------------------------------------------


def dry_run(work: Work, office: Office, caller: Caller, draft: DraftRecord) -> checking.DryRun:
    """What submitting the draft now would give; it raises what submitting would."""
    command = command_of(work, office, draft)
    if isinstance(command, InitiationCommand):
        return checking.check_initiation(work, office, caller, command)
    return checking.check_follow_up(work, office, caller, command)


def entries_of(
    filling: Filling,
    step: str,
    commissioners: Sequence[tuple[str, str]],
    products: Mapping[str, str],
    drugs: Mapping[str, str],
) -> tuple[about.Entry, ...]:
    """The fields of the patient's or the treatment's page."""
    if step == about.PATIENT:
        return about.patient_entries()
    return about.treatment_entries(filling.version, filling.kind, commissioners, products, drugs)
