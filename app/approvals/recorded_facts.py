"""What the approved requests of a treatment say of it, for a continuation to confirm by one choice.

Facts only (`lasting`): no response, no measurement, no count of a recent time; and what is counted
from the one course that a treatment has on record (`recorded_course`). As with the dose nothing is
filled in: whoever fills in the form says that it is all still so, or gives it anew.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.approvals import store
from app.approvals.known_answers import is_same_question
from app.approvals.lasting import EVENTS, Approved, Standing, standing_of
from app.approvals.lifecycle import RequestState
from app.approvals.model import RequestRecord, TreatmentRecord
from app.approvals.office import Office
from app.approvals.recorded_course import counted, course_begun, is_of_the_course
from app.approvals.recorded_dose import recorded_dose
from app.approvals.replaying import version_of_request
from app.auth.model import Caller
from app.clock import london_day
from app.db.work import Work
from app.policy import Kind, PolicyVersion, Question, questions_for

_WITH_ANSWERS: Final = (Kind.INITIATION, Kind.CONTINUATION)
_PARTS: Final = ("value", "unit")


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One answer of an approved request, as a draft holds it; or one that is counted `since` a
    recorded first dose."""

    answer: Mapping[str, Any]
    request: RequestRecord
    since: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What may be confirmed by one choice, by question: the dose, where it is known, facts, and
    what is counted from the course on record to the day of the decision."""

    dose: Mapping[str, RecordedAnswer] = field(default_factory=dict)
    facts: Mapping[str, RecordedAnswer] = field(default_factory=dict)
    course: Mapping[str, RecordedAnswer] = field(default_factory=dict)
    day: dt.date | None = None

    @property
    def answers(self) -> Mapping[str, RecordedAnswer]:
        """All of it."""
        return {**self.dose, **self.facts, **self.course}


def may_be_confirmed(question: Question) -> bool:
    """Whether an answer that was approved may be confirmed by one choice: a fact, or a list
    of dated events to which there is none to add."""
    if question.name in EVENTS:
        return True
    return standing_of(question, Kind.CONTINUATION) is Standing.FACT


def recorded_answers(
    work: Work,
    office: Office,
    caller: Caller,
    treatment: TreatmentRecord,
    version: PolicyVersion,
    decision_to_treat: dt.date,
) -> Recorded:
    """The dose and the facts of a treatment's approved requests, of the caller's organisation.

    Of each fact the newest approved request counts that answered the same question, word for word.
    A list that was empty tells nothing of later.
    """
    dose = recorded_dose(work, office, caller, treatment, version)
    asked = [e for e in questions_for(version, Kind.CONTINUATION) if may_be_confirmed(e)]
    facts: dict[str, RecordedAnswer] = {}
    for request in _approved(work, caller, treatment) if asked else ():
        under = version_of_request(work, office.library_at(work), request)
        given = store.revisions_of(work, request.id)[-1].answers
        for question in asked:
            answer = given.get(question.name)
            if question.name in facts or answer is None or answer.get("value") == []:
                continue
            if is_same_question(question, under.questions.get(question.name)):
                held = {part: answer[part] for part in _PARTS if answer.get(part) is not None}
                facts[question.name] = RecordedAnswer(held, request)
    ordered = {each.name: facts[each.name] for each in asked if each.name in facts}
    course = _counted(work, caller, treatment, version, decision_to_treat)
    if dose is None:
        return Recorded({}, ordered, course, decision_to_treat)
    doses = {name: RecordedAnswer(each, dose.request) for name, each in dose.answers.items()}
    return Recorded(doses, ordered, course, decision_to_treat)


def _counted(
    work: Work, caller: Caller, treatment: TreatmentRecord, version: PolicyVersion, day: dt.date
) -> dict[str, RecordedAnswer]:
    """What the form asks that is counted from the one course on record, where there is one."""
    asked = [e for e in questions_for(version, Kind.CONTINUATION) if is_of_the_course(e)]
    begun = course_begun(work, caller, treatment, day) if asked else None
    if begun is None:
        return {}
    return {
        each.name: RecordedAnswer(counted(each, begun, day), begun.request, begun.first_dose)
        for each in asked
    }


def approved_until_now(work: Work, caller: Caller, treatment: TreatmentRecord) -> Approved | None:
    """The last day of which any approved request of the treatment can tell; None without one."""
    days: list[dt.date] = []
    for request in store.requests_of(work, caller, treatment.id):
        if request.state is RequestState.APPROVED:
            answered = london_day(store.revisions_of(work, request.id)[-1].made_at)
            days += [request.decision_to_treat, answered]
    return Approved(max(days)) if days else None


def _approved(work: Work, caller: Caller, treatment: TreatmentRecord) -> tuple[RequestRecord, ...]:
    """The approved requests with a form that the caller's organisation made, newest first."""
    return tuple(
        each
        for each in reversed(store.requests_of(work, caller, treatment.id))
        if each.state is RequestState.APPROVED
        and each.kind in _WITH_ANSWERS
        and each.provider == caller.organisation
    )
