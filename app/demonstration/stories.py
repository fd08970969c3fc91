"""What is sent for each treatment, and when: a story yields the next day on which it has to act.

A story knows what happened (the course) and how well the hospital does its paperwork (the habits).
It looks at the service's answers as a hospital does: to see what is asked for next.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from app.approvals.lifecycle import ApprovalEvent
from app.approvals.model import (
    Dose,
    InitiationCommand,
    NoNumberReason,
    PatientDetails,
    RequestDetails,
    Route,
)
from app.demonstration import answers
from app.demonstration.answering import Days, Story, until_answered
from app.demonstration.chance import Chance
from app.demonstration.changes import changes_of
from app.demonstration.clerk import Case
from app.demonstration.clinic import Course, Illness
from app.demonstration.habits import Afterwards, Content, Form, Habits, Identity, Review
from app.demonstration.people import emergency_id
from app.policy import Kind

_REFERRED_CONTENTS: Final = frozenset(
    {Content.PANEL_APPROVES, Content.PANEL_DECLINES, Content.PANEL_RETURNS, Content.PANEL_WAITS}
)


def tell(case: Case, habits: Habits, draw: Chance) -> Story:
    """The whole story of one treatment's paperwork."""
    course = case.course
    if habits.form is Form.NEVER or course.illness not in answers.POLICIES:
        return
    given = _given(course, habits, answers.first_form(course, draw))
    yield _sent_on(course, habits, draw)
    held_back = _held_back(course, habits)
    case.begin(_command(case, habits, {k: v for k, v in given.items() if k not in held_back}))
    if habits.identity is Identity.LATER:
        yield case.clerk.today + Days(draw.between(3, 12))
        case.number_found(course.person.nhs_number)
    yield from until_answered(case, habits, draw, given)
    if not case.approvals:
        return
    yield from _beginning(case, habits, draw)
    yield from _later(case, habits, draw)


# --- the first form -----------------------------------------------------------------------------


def _sent_on(course: Course, habits: Habits, draw: Chance) -> dt.date:
    first = course.first_dose
    if habits.form is Form.LATE and first is not None:
        return first + Days(draw.between(12, 50))
    if habits.form is Form.URGENT and first is not None:
        return first + Days(draw.between(1, 9))
    return course.decided_on + Days(0 if course.illness is Illness.ITP else draw.between(1, 5))


def _given(course: Course, habits: Habits, good: Mapping[str, Any]) -> dict[str, Any]:
    if habits.content in (Content.FAILS, Content.INDIVIDUAL):
        return answers.failing(course, dict(good))
    if habits.content in _REFERRED_CONTENTS:
        return answers.for_people(course, dict(good))
    return dict(good)


def _held_back(course: Course, habits: Habits) -> frozenset[str]:
    if habits.content in (Content.ASKED_AND_ANSWERED, Content.ASKED_AND_SILENT):
        return frozenset({answers.LEFT_OPEN[course.illness]})
    return frozenset()


def _command(case: Case, habits: Habits, given: Mapping[str, Any]) -> InitiationCommand:
    course, today = case.course, case.clerk.today
    begun = course.first_dose is not None and course.first_dose < today
    urgent = habits.form is Form.URGENT and begun
    return InitiationCommand(
        policy=answers.POLICIES[course.illness],
        commissioner=course.payer(today),
        patient=_patient(course, habits),
        decision_to_treat=course.decided_on,
        answers=given,
        first_dose=course.first_dose if begun else None,
        details=_details(course, habits),
        retrospective_reason="urgent" if urgent else None,
        route=Route.INDIVIDUAL_FUNDING if habits.content is Content.INDIVIDUAL else Route.POLICY,
    )


def _patient(course: Course, habits: Habits) -> PatientDetails:
    person = course.person
    named = PatientDetails(
        birth_date=person.birth_date,
        sex=person.sex,
        nhs_number=person.nhs_number,
        local_id=person.local_ids[course.provider],
        gp_practice=person.practice,
    )
    if habits.identity is Identity.NUMBER:
        return named
    unknown = replace(named, nhs_number=None, no_nhs_number_reason=NoNumberReason.UNREGISTERED)
    if habits.identity is Identity.LATER:
        return replace(unknown, local_id=emergency_id(person, course.provider))
    return unknown


def _details(course: Course, habits: Habits) -> RequestDetails:
    units = {Illness.ITP: Dose(course.amount, "g"), Illness.PBC: Dose(course.amount, "mg", 1)}
    usual = Dose(course.amount, "mg", course.every_days)
    spoke = (course.infused_at,) if course.infused_at is not None and habits.tells else ()
    return RequestDetails(
        product=course.product,
        dose=units.get(course.illness, usual),
        supplying_providers=spoke,
        funding_origin=habits.funding,
    )


# --- once approved ------------------------------------------------------------------------------


def _beginning(case: Case, habits: Habits, draw: Chance) -> Story:
    """The first dose, or that there was none; and what turns out wrong with the form."""
    course, approval = case.course, case.approvals[0]
    if course.first_dose is None:
        yield approval.covers_from + Days(draw.between(60, 110))
        if habits.tells:
            case.not_started("The patient decided against it (demonstration).")
        return
    recorded = case.treatment.first_dose is not None
    if not recorded and habits.tells and course.first_dose >= approval.covers_from:
        yield course.first_dose + Days(draw.between(1, 14))
        if approval.start_by is None or course.first_dose <= approval.start_by:
            case.started(course.first_dose)
    if habits.afterwards is not Afterwards.NOTHING:
        yield from _put_right(case, habits, draw)


def _put_right(case: Case, habits: Habits, draw: Chance) -> Story:
    yield case.clerk.today + Days(draw.between(20, 60))
    if habits.afterwards is Afterwards.IN_ERROR:
        case.enter_in_error("The form was filled in for another patient (demonstration).")
        yield case.clerk.today + Days(draw.between(10, 40))
        case.resolve(ApprovalEvent.ENTER_IN_ERROR, "Confirmed by the trust (demonstration).")
        return
    wrong = answers.failing(case.course, {})
    case.correct(wrong, "A result was copied from another visit (demonstration).")
    if habits.afterwards is Afterwards.CORRECTED or not _under_query(case):
        return
    yield case.clerk.today + Days(draw.between(10, 40))
    if habits.afterwards is Afterwards.UPHELD:
        case.resolve(ApprovalEvent.UPHOLD, "Other evidence supports it (demonstration).")
    else:
        case.resolve(ApprovalEvent.WITHDRAW, "The criteria were not met (demonstration).")


def _under_query(case: Case) -> bool:
    return case.approvals[-1].state.value == "under query"


def _later(case: Case, habits: Habits, draw: Chance) -> Story:
    """Changes, reviews and the end, in the order of their days."""
    changes = changes_of(case, habits, draw)
    upcoming = next(changes, None)
    for day in _review_days(case, habits, draw):
        while upcoming is not None and upcoming <= day:
            yield upcoming
            upcoming = next(changes, None)
        if case.treatment.stopped_on is not None or _gone(case, habits, day):
            break
        yield day
        if not case.stands:
            break  # the approval was taken back: there is nothing to continue
        yield from _review(case, habits, draw)
    while upcoming is not None:
        yield upcoming
        upcoming = next(changes, None)


def _gone(case: Case, habits: Habits, day: dt.date) -> bool:
    """Whether nobody would send a review any more: the patient has left or treatment has ended."""
    course = case.course
    ended = course.ending is not None and course.ending.day <= day
    left = course.move is not None and course.move.day <= day and not habits.tells
    return ended or left or course.first_dose is None


def _review_days(case: Case, habits: Habits, draw: Chance) -> Story:
    """The day of each continuation's form, for as long as each is approved."""
    if case.course.illness is Illness.ITP:
        yield from _repeat_days(case)
        return
    first_late = True
    while habits.review is not Review.NEVER:
        due, before = case.covered_to, len(case.approvals)
        if due is None:
            return
        if habits.review is Review.LATE and first_late:
            first_late = False
            yield due + Days(draw.between(12, 60))
        else:
            yield due - Days(draw.between(2, 24))
        if len(case.approvals) == before:
            return


def _repeat_days(case: Case) -> Story:
    """The form for an episode's second dose, on its day."""
    course = case.course
    if course.repeats and course.first_dose is not None:
        yield course.first_dose + Days(course.repeats[0])


def _review(case: Case, habits: Habits, draw: Chance) -> Story:
    course = case.course
    given = answers.review(course, case.clerk.today, draw)
    open_question = answers.REVIEW_LEFT_OPEN[course.illness]
    incomplete = habits.review is Review.INCOMPLETE
    sent = {k: v for k, v in given.items() if not (incomplete and k == open_question)}
    case.follow(Kind.CONTINUATION, answers=sent)
    content = Content.ASKED_AND_SILENT if incomplete else Content.PANEL_APPROVES
    yield from until_answered(case, replace(habits, content=content), draw, given)
