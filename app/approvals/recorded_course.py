"""The one course that a treatment has on record, for the form of the next to confirm by one choice.

How many courses there were, and how long ago the last one was, are asked of now. The service knows
it only of a treatment that began here, whose first dose is on record, and of which nothing on
record tells of another course. Then it says what it counted and from which day; whoever fills in
the form says that it is so, or gives it anew. In any other case it says nothing.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, exists, select

from app.approvals import patients, store
from app.approvals.lifecycle import RequestState
from app.approvals.model import RequestRecord, TreatmentRecord
from app.auth.model import Caller
from app.clock import london_day
from app.db import tables
from app.db.work import Work
from app.policy import Kind, Question

COURSES, DAYS = "courses_so_far", "days_to_next_course"
#: What is counted, by its name and words: one that is worded otherwise may mean something else.
ASKED: Final[Mapping[str, str]] = {
    COURSES: "Courses of immunoglobulin already given for this illness",
    DAYS: "Days from the last course to this one",
}
#: A course of immunoglobulin is given over 2 to 5 days (NHS England's policy of 2021): what is
#: supplied later is of another course.
LONGEST: Final = dt.timedelta(days=5)
#: The answer of a first request that says that the treatment was begun before it.
_STAGE, _ESTABLISHED = "treatment_stage", "established"


@dataclass(frozen=True, slots=True)
class CourseBegun:
    """The first request of the treatment, and the recorded day of its first dose."""

    request: RequestRecord
    first_dose: dt.date


def is_of_the_course(question: Question) -> bool:
    """Whether a question asks for what can be counted from one course on record."""
    return ASKED.get(question.name) == question.label


def counted(question: Question, begun: CourseBegun, decision_to_treat: dt.date) -> dict[str, Any]:
    """The answer to one of these questions, for a course on the day of the decision."""
    if question.name == COURSES:
        return {"value": 1}
    return {"value": (decision_to_treat - begun.first_dose).days, "unit": "days"}


def course_begun(
    work: Work, caller: Caller, treatment: TreatmentRecord, decision_to_treat: dt.date
) -> CourseBegun | None:
    """The treatment's only course; None wherever what is on record leaves any doubt of it.

    It has one approval, that of the caller's own first request, which does not tell of treatment
    before it; the day of its first dose was recorded once it had been given, and the course is
    over; no supply of a later course was charged for; and the organisation has no other approved
    treatment of the patient with the drug for the indication.
    """
    first_dose = treatment.first_dose
    if first_dose is None or first_dose + LONGEST >= decision_to_treat:
        return None
    request = _only_approved(work, caller, treatment)
    if request is None or _began_before(work, request) or _was_planned(request, first_dose):
        return None
    if _supplied_later(work, caller, treatment, first_dose) or _has_another(
        work, caller, treatment
    ):
        return None
    return CourseBegun(request, first_dose)


def _only_approved(work: Work, caller: Caller, treatment: TreatmentRecord) -> RequestRecord | None:
    """The first request of the caller's organisation, where all that was approved is of it."""
    approvals = store.approvals_of(work, treatment.id)
    found = [
        each
        for each in store.requests_of(work, caller, treatment.id)
        if each.state is RequestState.APPROVED
        and each.kind is Kind.INITIATION
        and each.provider == caller.organisation
    ]
    if len(found) != 1 or {each.request_id for each in approvals} != {found[0].id}:
        return None
    return found[0]


def _began_before(work: Work, request: RequestRecord) -> bool:
    """Whether the first request says that the treatment is older than it."""
    stage = store.revisions_of(work, request.id)[-1].answers.get(_STAGE) or {}
    return stage.get("value") == _ESTABLISHED or request.details.get("started_on") is not None


def _was_planned(request: RequestRecord, first_dose: dt.date) -> bool:
    """Whether the day was stated while it was ahead, and nobody has recorded another since."""
    return request.first_dose == first_dose and first_dose > london_day(request.submitted_at)


def _supplied_later(
    work: Work, caller: Caller, treatment: TreatmentRecord, first_dose: dt.date
) -> bool:
    """Whether the organisation's newest runs hold a supply of after the course."""
    supply = tables.listed_supply.c
    later = and_(
        supply.organisation == caller.organisation,
        supply.pays.is_(False),
        supply.treatment_id == treatment.id,
        supply.day > first_dose + LONGEST,
    )
    return bool(work.connection.execute(select(exists().where(later))).scalar())


def _has_another(work: Work, caller: Caller, treatment: TreatmentRecord) -> bool:
    """Whether the organisation has another treatment of the patient that may have been given."""
    person = patients.patient(work, treatment.patient_id)
    other, approval = tables.treatment.c, tables.approval.c
    same = and_(
        other.patient_id.in_(patients.same_person(work, person.canonical_id)),
        other.id != treatment.id,
        other.provider == caller.organisation,
        other.drug == treatment.drug,
        other.indication == treatment.indication,
        exists().where(approval.treatment_id == other.id),
    )
    return bool(work.connection.execute(select(exists().where(same))).scalar())
