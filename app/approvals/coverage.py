"""From a positive decision to the days it covers. Pure: dates in, dates out.

Coverage is counted in Europe/London days, both ends included. An approval that ends says nothing
about stopping treatment: it says from when a continuation is due.
"""

import calendar
import datetime as dt
from dataclasses import dataclass

from app.approvals.errors import DetailsNotAccepted
from app.policy import ApprovalTerms, Span

#: Days ahead for which a first dose may be planned where the policy names no limit.
LONGEST_WAIT = 366


@dataclass(frozen=True, slots=True)
class Cover:
    """The days an approval covers, and whether its form came after the first dose."""

    from_day: dt.date
    to_day: dt.date | None
    start_by: dt.date | None
    late: bool


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day some months on, clamped to the end of the month (31 Jan + 1 → 28 Feb)."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return dt.date(year, month + 1, min(day.day, last))


def after(day: dt.date, span: Span) -> dt.date:
    """The day a length after another: whole months by the calendar, or days."""
    return add_months(day, span.months) + dt.timedelta(days=span.days)


def last_day(
    from_day: dt.date, terms: ApprovalTerms, *, renewed: bool = False, course: int = 1
) -> dt.date | None:
    """The last covered day when coverage starts on a day; None when the terms set no length.

    `renewed`: the approval continues an earlier one. `course` counts the courses of a fixed
    number from 1; beyond them the last one's length stands.
    """
    span = terms.then_lasts if renewed and terms.then_lasts else terms.lasts
    if terms.courses:
        span = terms.courses[min(course, len(terms.courses)) - 1].lasts or span
    return after(from_day, span) - dt.timedelta(days=1) if span is not None else None


def initiation_cover(
    terms: ApprovalTerms,
    submitted_on: dt.date,
    first_dose: dt.date | None,
    retrospective_reason: str | None,
    decided_on: dt.date | None = None,
) -> Cover:
    """Coverage of a first approval.

    A first dose before the form is covered only for a reason that the policy permits and within
    its days, counted from the form; it is then marked late. Anything else is covered from the day
    on which the answers that were approved came in, or the panel decided: `decided_on`, by default
    the day of the form.
    """
    if retrospective_reason is not None and first_dose is not None and first_dose < submitted_on:
        check_retrospective(terms, submitted_on, first_dose, retrospective_reason)
        return Cover(first_dose, last_day(first_dose, terms), None, late=True)
    from_day = decided_on or submitted_on
    start_by = (
        from_day + dt.timedelta(days=terms.start_within_days)
        if terms.start_within_days is not None
        else None
    )
    starts = from_day if first_dose is None else max(from_day, first_dose)
    return Cover(from_day, last_day(starts, terms), start_by, late=False)


def check_first_dose(
    terms: ApprovalTerms,
    submitted_on: dt.date,
    first_dose: dt.date | None,
    retrospective_reason: str | None,
) -> None:
    """Raise DetailsNotAccepted when the first dose is too far ahead, or back without permission.

    Checked when the form comes in: a reason that is not permitted would otherwise only surface
    when somebody approves, when nobody can mend it.
    """
    if first_dose is None:
        if retrospective_reason is not None:
            raise DetailsNotAccepted(
                "retrospective_reason",
                "A reason for a form after the first dose needs the day of that dose. Give "
                "'first_dose', or leave the reason out.",
            )
        return
    if retrospective_reason is not None and first_dose < submitted_on:
        check_retrospective(terms, submitted_on, first_dose, retrospective_reason)
    days_ahead = LONGEST_WAIT if terms.start_within_days is None else terms.start_within_days
    if (first_dose - submitted_on).days > days_ahead:
        raise DetailsNotAccepted(
            "first_dose",
            f"The first dose is planned more than {days_ahead} days ahead. Submit nearer to it, "
            "so that the criteria are judged on findings of that time.",
        )


def check_retrospective(
    terms: ApprovalTerms,
    submitted_on: dt.date,
    first_dose: dt.date,
    reason: str,
    field: str = "first_dose",
) -> None:
    """Raise DetailsNotAccepted when the policy does not permit this reason or so many days."""
    if reason not in terms.retrospective_reasons:
        permitted = ", ".join(sorted(terms.retrospective_reasons)) or "none"
        raise DetailsNotAccepted(
            "retrospective_reason",
            f"The policy does not permit that reason for a form after the first dose "
            f"(permitted: {permitted}). Leave it out to be covered from the day of the form.",
        )
    days = (submitted_on - first_dose).days
    if days > terms.retrospective_days:
        raise DetailsNotAccepted(
            field,
            f"The first dose was {days} days before the form; the policy covers at most "
            f"{terms.retrospective_days}. Leave the reason out to be covered from the day of the "
            "form, or ask the commissioner for an individual funding request.",
        )


def continuation_cover(
    terms: ApprovalTerms,
    submitted_on: dt.date,
    covered_to: dt.date | None,
    decided_on: dt.date | None = None,
) -> Cover:
    """Coverage of a continuation: it joins the running one, or starts anew after a gap.

    A form that comes by the day after the last covered day, or within the policy's days of grace
    after it, joins without a gap, however long its decision takes. A later one is covered from
    `decided_on`, by default the day of the form.
    """
    starts_anew = decided_on or submitted_on
    if covered_to is not None:
        joins = covered_to + dt.timedelta(days=1)
        late_by = (submitted_on - covered_to).days
        if late_by <= max(terms.grace_days, 1):
            return Cover(joins, last_day(joins, terms, renewed=True), None, late=late_by > 1)
    return Cover(starts_anew, last_day(starts_anew, terms, renewed=True), None, late=False)


def course_cover(
    terms: ApprovalTerms, number: int, before_from: dt.date, starts: dt.date
) -> tuple[Cover, str | None]:
    """Coverage of a later course of a fixed number, and why people must decide it, if they must.

    It begins on `starts`, or on the first day of its window after `before_from`, the first day of
    the course before. It never joins the course before: a course that is over does not go on.
    """
    if number > len(terms.courses):
        last = last_day(starts, terms, course=number)
        return Cover(starts, last, None, late=False), (
            f"The policy funds {len(terms.courses)} courses, and this would be number {number}, so "
            "the panel decides."
        )
    course = terms.courses[number - 1]
    first = starts if course.after is None else max(starts, after(before_from, course.after))
    cover = Cover(first, last_day(first, terms, course=number), None, late=False)
    if course.within is not None and first > after(before_from, course.within):
        return cover, (
            f"The course “{course.name}” begins within {course.within} of the one before, which "
            f"began on {before_from:%-d %B %Y}, so the panel decides a later one."
        )
    return cover, None


def restarted_cover(terms: ApprovalTerms, cover_from: dt.date, first_dose: dt.date) -> Cover:
    """Coverage once the first dose is known: the clock runs from the first dose.

    It never reaches back before the day that the approval already covers from.
    """
    return Cover(cover_from, last_day(max(cover_from, first_dose), terms), None, late=False)
