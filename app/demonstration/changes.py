"""Everything that is reported of what befell a patient on treatment."""

from app.approvals.model import Dose, RequestDetails, StopReason
from app.demonstration.answering import Days, Story, until_answered
from app.demonstration.chance import Chance
from app.demonstration.clerk import Case
from app.demonstration.habits import Content, Habits
from app.policy import Kind


def changes_of(case: Case, habits: Habits, draw: Chance) -> Story:
    """Everything that is reported of what befell the patient, by day."""
    course = case.course
    if not habits.tells:
        return
    if course.change is not None:
        yield from _change(case, draw)
    if course.move is not None:
        yield from _move(case, draw)
    if course.pause is not None:
        yield from _pause(case)
    if course.ending is not None and course.ending.reason is not StopReason.OTHER:
        yield course.ending.day + Days(draw.between(0, 12))
        case.follow(
            Kind.STOP,
            RequestDetails(from_day=course.ending.day, stop_reason=course.ending.reason),
        )


def _change(case: Case, draw: Chance) -> Story:
    change, course = case.course.change, case.course
    assert change is not None
    yield change.day - Days(draw.between(0, 10))
    if not case.is_covered:
        return
    from_day = max(change.day, case.clerk.today)
    if change.product is not None:
        case.follow(Kind.SWITCH, RequestDetails(product=change.product, from_day=from_day))
    else:
        dose = Dose(change.amount or course.amount, "mg", change.every_days or course.every_days)
        case.follow(Kind.DOSE_CHANGE, RequestDetails(dose=dose, from_day=from_day))
    yield from until_answered(case, Habits(content=Content.PANEL_APPROVES), draw, {})


def _move(case: Case, draw: Chance) -> Story:
    move = case.course.move
    assert move is not None
    yield move.day - Days(draw.between(3, 20))
    if not case.is_covered:
        return
    case.follow(Kind.TRANSFER, RequestDetails(to_provider=move.to, from_day=move.day))
    yield case.clerk.today + Days(draw.between(2, 14))
    if draw.below(0.75):
        case.consented(move.to)


def _pause(case: Case) -> Story:
    pause = case.course.pause
    assert pause is not None
    yield pause.first
    case.follow(Kind.PAUSE, RequestDetails(from_day=pause.first, to_day=pause.last))
    yield pause.last + Days(1)
    resumed = max(pause.last + Days(1), case.clerk.today)
    case.follow(Kind.RESUME, RequestDetails(from_day=resumed))
