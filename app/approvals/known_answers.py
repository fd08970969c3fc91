"""What is on record already for a form: an answer given for one drug serves the next.

A proposal that a form shows with where each answer comes from. Nothing is filled in: an answer
counts once the clinician has sent it.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from app.approvals import patients, store
from app.approvals.answering import CARRIED
from app.approvals.errors import DetailsNotAccepted
from app.approvals.lasting import is_of_a_dose
from app.approvals.lifecycle import RequestState
from app.approvals.model import PatientRecord, RequestRecord, TreatmentRecord
from app.approvals.office import Office
from app.approvals.permissions import Action, check_can
from app.approvals.replaying import version_of_request
from app.approvals.scope import visible_requests
from app.audit import Reading, record_reading
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import Kind, PolicyVersion, Question, QuestionType, questions_for
from app.reference_data.errors import InvalidNhsNumber
from app.reference_data.nhs_number import parse_nhs_number

MOST_ANSWERS = 5
"""How many answers to one question are told: the newest say most, and a form has little room."""


@dataclass(frozen=True, slots=True)
class KnownQuery:
    """For whom, and for which form. One of the two numbers is enough; the birth date must fit."""

    policy: str
    kind: Kind
    decision_to_treat: dt.date
    birth_date: dt.date
    nhs_number: str | None = None
    local_id: str | None = None
    commissioner: str | None = None  # whose overlay's questions the form asks too


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """One answer on record, as it was stored, and the request that it was given on.

    `baseline`: it was measured before this very treatment, so it goes before newer ones.
    """

    answer: Mapping[str, Any]
    request: RequestRecord
    version: PolicyVersion
    baseline: bool


@dataclass(frozen=True, slots=True)
class KnownQuestion:
    """A question of the form with its answers on record, the one to propose first."""

    question: Question
    answers: tuple[KnownAnswer, ...]


@dataclass(frozen=True, slots=True)
class KnownAnswers:
    """The questions of a form that are answered on record already, in the form's order."""

    version: PolicyVersion
    kind: Kind
    questions: tuple[KnownQuestion, ...]


def known_answers(work: Work, office: Office, caller: Caller, query: KnownQuery) -> KnownAnswers:
    """The answers that the caller's own organisation has on record and that fit a form.

    The form is that of the commissioner's overlay, where one is in force and it is named. Only
    answers to the same question count: the same name and, word for word, the same definition;
    from another treatment only what `serves`. A treatment under a policy that this one succeeds
    (child to adult) is the same treatment. Withdrawn requests and those entered in
    error give nothing. A patient who is not known, or has another birth date, has nothing on
    record. The look-up is audited.
    """
    check_can(caller, Action.CHECK)
    version = office.library_at(work).deciding(
        query.policy, query.kind, query.decision_to_treat, query.commissioner
    )
    person = _find(work, caller, query)
    given = [] if person is None else _requests(work, caller, person)
    found = _fitting(work, office, version, query.kind, given)
    _log(work, caller, version, person if given else None, found)
    return KnownAnswers(version, query.kind, found)


# --- the patient and the requests ---------------------------------------------------------------


def _find(work: Work, caller: Caller, query: KnownQuery) -> PatientRecord | None:
    """The patient of that number, if the birth date is the record's."""
    patient, identifier = tables.patient.c, tables.patient_identifier.c
    which: ColumnElement[bool]
    if query.nhs_number is not None:
        try:
            which = patient.nhs_number == parse_nhs_number(query.nhs_number)
        except InvalidNhsNumber as error:
            raise DetailsNotAccepted("nhs_number", str(error)) from None
    elif query.local_id is not None:
        which = patient.id.in_(
            select(identifier.patient_id).where(
                and_(
                    identifier.organisation == caller.organisation,
                    identifier.local_id == query.local_id,
                )
            )
        )
    else:
        raise DetailsNotAccepted(
            "nhs_number", "Give the NHS number, or else your organisation's hospital number."
        )
    rows = work.connection.execute(
        select(tables.patient).where(and_(which, patient.birth_date == query.birth_date))
    ).mappings()
    return next((store.as_record(PatientRecord, row) for row in rows), None)


def _requests(
    work: Work, caller: Caller, person: PatientRecord
) -> list[tuple[RequestRecord, TreatmentRecord]]:
    """The person's requests that the caller's organisation made and may see, newest first."""
    request, treatment = tables.request.c, tables.treatment.c
    everyone = patients.same_person(work, person.canonical_id)
    query = (
        select(tables.request)
        .join(tables.treatment, treatment.id == request.treatment_id)
        .where(
            and_(
                treatment.patient_id.in_(everyone),
                request.provider == caller.organisation,
                visible_requests(caller),
                request.state.not_in([RequestState.WITHDRAWN, RequestState.ENTERED_IN_ERROR]),
            )
        )
        .order_by(request.decision_to_treat.desc(), request.submitted_at.desc(), request.id)
    )
    found = [
        store.as_record(RequestRecord, row) for row in work.connection.execute(query).mappings()
    ]
    return [(each, store.treatment_of(work, each.treatment_id)) for each in found]


# --- the same question --------------------------------------------------------------------------


def _fitting(
    work: Work,
    office: Office,
    version: PolicyVersion,
    kind: Kind,
    given: Iterable[tuple[RequestRecord, TreatmentRecord]],
) -> tuple[KnownQuestion, ...]:
    asked = questions_for(version, kind)
    known: dict[str, list[KnownAnswer]] = {question.name: [] for question in asked}
    for request, treatment in given:
        answered_under = version_of_request(work, office.library_at(work), request)
        answers = store.revisions_of(work, request.id)[-1].answers
        for question in asked:
            answer = answers.get(question.name)
            other = answered_under.questions.get(question.name)
            if answer is None or not is_same_question(question, other):
                continue
            same = is_same_treatment(version, treatment)
            if serves(question, same_treatment=same):
                baseline = same and question.carried and request.kind is Kind.INITIATION
                known[question.name].append(KnownAnswer(answer, request, answered_under, baseline))
    return tuple(
        KnownQuestion(question, _ranked(known[question.name]))
        for question in asked
        if known[question.name]
    )


def is_same_question(asked: Question, other: Question | None) -> bool:
    """Whether two questions are one and the same: name, words, type, unit, bounds, options, fields.

    Which kinds of request ask it is not part of the question.
    """
    if other is None:
        return False
    return replace(asked, kinds=frozenset()) == replace(other, kinds=frozenset())


def serves(question: Question, *, same_treatment: bool) -> bool:
    """Whether an answer to the question may be proposed on another form.

    A dose is never proposed. From another treatment come only histories and dated measurements,
    for they are of the patient: a yes, a choice or a plain number may be of the treatment
    ("adverse effects are intolerable", "the least expensive suitable product"), and a baseline
    ("before treatment") is.
    """
    if is_of_a_dose(question.name):
        return False
    if same_treatment:
        return True
    return not question.carried and (question.measured or question.type is QuestionType.LIST)


def is_same_treatment(version: PolicyVersion, treatment: TreatmentRecord) -> bool:
    """Whether a treatment is the one that the version speaks of, be it under an older policy.

    One under a policy that the version succeeds goes on under it by a continuation, though the
    two may name the indication differently (a child's and an adult's).
    """
    if treatment.drug != version.drug:
        return False
    return treatment.indication == version.indication.key or treatment.policy in version.succeeds


def _ranked(found: list[KnownAnswer]) -> tuple[KnownAnswer, ...]:
    """Baselines of this very treatment, then what was typed or measured, then copies of it.

    Among each, those of approved requests first for a baseline, else the newest; the same answer
    is told once, with the request that it was first met on in that order.
    """

    def rank(each: KnownAnswer) -> tuple[bool, bool, bool]:
        approved = each.request.state is RequestState.APPROVED
        return (
            not each.baseline,
            each.baseline and not approved,
            each.answer["origin"] == CARRIED,
        )

    told: list[KnownAnswer] = []
    for each in sorted(found, key=rank):  # stable: newest first within a rank
        if not any(_is_repeat(each, known) for known in told):
            told.append(each)
    return tuple(told[:MOST_ANSWERS])


def _is_repeat(each: KnownAnswer, known: KnownAnswer) -> bool:
    parts = ("value", "unit", "measured_on")
    return all(each.answer[part] == known.answer[part] for part in parts)


def _log(
    work: Work,
    caller: Caller,
    version: PolicyVersion,
    person: PatientRecord | None,
    found: tuple[KnownQuestion, ...],
) -> None:
    """A read of the patient's record; where nothing of hers is the caller's, only that it asked."""
    questions = [each.question.name for each in found]
    reading = Reading(
        "known answers read",
        patient_id=None if person is None else person.id,
        policy_hash=version.hash,
        names={"policy": version.policy, "version": version.version, "questions": questions},
    )
    record_reading(work, caller.actor(), reading)
