"""From a decision to the days that it covers, at the edges."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.approvals.coverage import (
    Cover,
    add_months,
    check_first_dose,
    continuation_cover,
    course_cover,
    initiation_cover,
    last_day,
    restarted_cover,
)
from app.approvals.errors import DetailsNotAccepted
from app.clock import london_day
from app.policy import ApprovalTerms, Course, Span

D = dt.date
days = st.dates(D(2000, 1, 1), D(2090, 1, 1))


def terms(**changes: Any) -> ApprovalTerms:
    values: dict[str, Any] = {
        "pattern": "rolling",
        "lasts_months": 12,
        "lasts_days": None,
        "start_within_days": 90,
        "grace_days": 28,
        "retrospective_reasons": {"urgent": "Could not wait"},
        "retrospective_days": 14,
        "max_dose": None,
        "products": (),
        "interchangeable": True,
        "source": "made_up",
        "evidence": "verified",
    }
    fields = {name: None for name in ApprovalTerms.__dataclass_fields__}
    return ApprovalTerms(**{**fields, **values, **changes})


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (D(2026, 1, 31), 1, D(2026, 2, 28)),
        (D(2024, 1, 31), 1, D(2024, 2, 29)),
        (D(2024, 2, 29), 12, D(2025, 2, 28)),
        (D(2024, 2, 29), 48, D(2028, 2, 29)),
        (D(2026, 8, 31), 6, D(2027, 2, 28)),
        (D(2026, 12, 31), 2, D(2027, 2, 28)),
        (D(2026, 6, 15), 12, D(2027, 6, 15)),
        (D(2026, 6, 15), -6, D(2025, 12, 15)),
        (D(2026, 3, 31), -1, D(2026, 2, 28)),
    ],
)
def test_months_clamp_to_the_end_of_the_month(day: dt.date, months: int, expected: dt.date) -> None:
    assert add_months(day, months) == expected


@pytest.mark.parametrize(
    ("from_day", "changes", "expected"),
    [
        (D(2026, 6, 15), {"lasts_months": 6}, D(2026, 12, 14)),
        (D(2026, 1, 31), {"lasts_months": 1}, D(2026, 2, 27)),
        (D(2024, 2, 29), {"lasts_months": 12}, D(2025, 2, 27)),
        (D(2026, 6, 15), {"lasts_months": None, "lasts_days": 28}, D(2026, 7, 12)),
        (D(2026, 6, 15), {"lasts_months": None, "lasts_days": 1}, D(2026, 6, 15)),
        (D(2026, 3, 28), {"lasts_months": None, "lasts_days": 2}, D(2026, 3, 29)),  # clocks forward
        (D(2026, 10, 24), {"lasts_months": None, "lasts_days": 2}, D(2026, 10, 25)),  # and back
        (D(2026, 6, 15), {"lasts_months": None}, None),
    ],
)
def test_the_last_covered_day_counts_both_ends(
    from_day: dt.date, changes: dict[str, Any], expected: dt.date | None
) -> None:
    assert last_day(from_day, terms(**changes)) == expected


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (dt.datetime(2026, 3, 29, 0, 59, tzinfo=dt.UTC), D(2026, 3, 29)),
        (dt.datetime(2026, 3, 28, 23, 59, tzinfo=dt.UTC), D(2026, 3, 28)),
        (dt.datetime(2026, 6, 15, 23, 0, tzinfo=dt.UTC), D(2026, 6, 16)),
        (dt.datetime(2026, 10, 24, 23, 30, tzinfo=dt.UTC), D(2026, 10, 25)),
        (dt.datetime(2026, 10, 25, 23, 30, tzinfo=dt.UTC), D(2026, 10, 25)),
    ],
)
def test_days_are_london_days_around_the_change_of_the_clocks(
    instant: dt.datetime, day: dt.date
) -> None:
    assert london_day(instant) == day


SUBMITTED = D(2026, 6, 15)


@pytest.mark.parametrize(
    ("first_dose", "reason", "decided_on", "expected"),
    [
        (None, None, None, Cover(SUBMITTED, D(2027, 6, 14), D(2026, 9, 13), late=False)),
        # a planned first dose starts the clock, coverage starts with the form
        (D(2026, 7, 1), None, None, Cover(SUBMITTED, D(2027, 6, 30), D(2026, 9, 13), late=False)),
        # a dose before the form without a reason is not covered
        (D(2026, 6, 1), None, None, Cover(SUBMITTED, D(2027, 6, 14), D(2026, 9, 13), late=False)),
        # a permitted reason: from the first dose on, marked late, to the very edge
        (D(2026, 6, 14), "urgent", None, Cover(D(2026, 6, 14), D(2027, 6, 13), None, late=True)),
        (D(2026, 6, 1), "urgent", None, Cover(D(2026, 6, 1), D(2027, 5, 31), None, late=True)),
        # the days are counted from the form, however long its decision takes
        (
            D(2026, 6, 1),
            "urgent",
            D(2026, 7, 20),
            Cover(D(2026, 6, 1), D(2027, 5, 31), None, late=True),
        ),
        # answers that came in later are covered from then on
        (
            None,
            None,
            D(2026, 7, 1),
            Cover(D(2026, 7, 1), D(2027, 6, 30), D(2026, 9, 29), late=False),
        ),
        (
            D(2026, 6, 20),
            None,
            D(2026, 7, 1),
            Cover(D(2026, 7, 1), D(2027, 6, 30), D(2026, 9, 29), late=False),
        ),
        (SUBMITTED, "urgent", None, Cover(SUBMITTED, D(2027, 6, 14), D(2026, 9, 13), late=False)),
    ],
)
def test_a_first_approval_covers(
    first_dose: dt.date | None, reason: str | None, decided_on: dt.date | None, expected: Cover
) -> None:
    assert initiation_cover(terms(), SUBMITTED, first_dose, reason, decided_on) == expected


@pytest.mark.parametrize(
    ("first_dose", "reason", "field"),
    [
        (D(2026, 5, 31), "urgent", "first_dose"),  # one day too many
        (D(2026, 6, 14), "forgot", "retrospective_reason"),
        (None, "urgent", "retrospective_reason"),
        (D(2026, 9, 14), None, "first_dose"),  # planned for later than the approval would last
    ],
)
def test_a_first_dose_out_of_bounds_is_refused_when_the_form_comes_in(
    first_dose: dt.date | None, reason: str | None, field: str
) -> None:
    with pytest.raises(DetailsNotAccepted) as refusal:
        check_first_dose(terms(), SUBMITTED, first_dose, reason)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("first_dose", "reason"),
    [
        (None, None),
        (D(2026, 6, 1), "urgent"),
        (D(2026, 9, 13), None),
        (D(2020, 1, 1), None),
        (SUBMITTED, "urgent"),
    ],
)
def test_a_first_dose_within_bounds_is_accepted(
    first_dose: dt.date | None, reason: str | None
) -> None:
    check_first_dose(terms(), SUBMITTED, first_dose, reason)


@given(first_dose=days, submitted=days, decided_later=st.integers(0, 400))
def test_coverage_never_reaches_back_without_a_reason(
    first_dose: dt.date, submitted: dt.date, decided_later: int
) -> None:
    decided = submitted + dt.timedelta(days=decided_later)
    cover = initiation_cover(terms(), submitted, first_dose, None, decided)
    assert cover.from_day == decided
    assert not cover.late


COVERED_TO = D(2026, 12, 14)


@pytest.mark.parametrize(
    ("submitted", "grace", "from_day", "late"),
    [
        (D(2026, 10, 1), 0, D(2026, 12, 15), False),
        (D(2026, 12, 14), 0, D(2026, 12, 15), False),
        (D(2026, 12, 15), 0, D(2026, 12, 15), False),
        (D(2026, 12, 16), 0, D(2026, 12, 16), False),  # a gap of a day
        (D(2026, 12, 16), 28, D(2026, 12, 15), True),
        (D(2027, 1, 11), 28, D(2026, 12, 15), True),  # the last day of grace
        (D(2027, 1, 12), 28, D(2027, 1, 12), False),
    ],
)
def test_a_continuation_joins_or_starts_anew(
    submitted: dt.date, grace: int, from_day: dt.date, late: bool
) -> None:
    cover = continuation_cover(terms(grace_days=grace), submitted, COVERED_TO)
    assert cover.from_day == from_day
    assert cover.late is late
    assert cover.to_day == add_months(from_day, 12) - dt.timedelta(days=1)


def test_a_continuation_sent_in_time_joins_however_long_its_decision_takes() -> None:
    in_time = continuation_cover(terms(), D(2026, 12, 1), COVERED_TO, D(2027, 2, 1))
    assert in_time.from_day == D(2026, 12, 15)
    too_late = continuation_cover(terms(), D(2027, 1, 15), COVERED_TO, D(2027, 2, 1))
    assert too_late.from_day == D(2027, 2, 1)


@given(submitted=days, covered_to=days, grace=st.integers(0, 60), wait=st.integers(0, 100))
def test_a_continuation_never_covers_a_day_twice(
    submitted: dt.date, covered_to: dt.date, grace: int, wait: int
) -> None:
    decided = submitted + dt.timedelta(days=wait)
    cover = continuation_cover(terms(grace_days=grace), submitted, covered_to, decided)
    assert cover.from_day > covered_to


@pytest.mark.parametrize(
    ("first_dose", "to_day"),
    [
        (D(2026, 6, 15), D(2027, 6, 14)),
        (D(2026, 8, 1), D(2027, 7, 31)),
        (D(2026, 1, 1), D(2027, 6, 14)),  # never before the approval begins
    ],
)
def test_the_first_dose_starts_the_clock(first_dose: dt.date, to_day: dt.date) -> None:
    assert restarted_cover(terms(), SUBMITTED, first_dose).to_day == to_day


FOUR_THEN_TWELVE = {"lasts_months": 4, "then_lasts": Span(months=12)}


def test_the_first_approval_runs_to_the_assessment_and_a_continuation_longer() -> None:
    first = initiation_cover(terms(**FOUR_THEN_TWELVE), D(2026, 1, 10), None, None)
    assert (first.from_day, first.to_day) == (D(2026, 1, 10), D(2026, 5, 9))
    then = continuation_cover(terms(**FOUR_THEN_TWELVE), D(2026, 5, 1), first.to_day)
    assert (then.from_day, then.to_day) == (D(2026, 5, 10), D(2027, 5, 9))
    late = continuation_cover(terms(**FOUR_THEN_TWELVE), D(2026, 9, 1), first.to_day)
    assert (late.from_day, late.to_day) == (D(2026, 9, 1), D(2027, 8, 31))


def test_the_clock_from_the_first_dose_keeps_the_length_of_the_first_approval() -> None:
    restarted = restarted_cover(terms(**FOUR_THEN_TWELVE), D(2026, 1, 10), D(2026, 2, 1))
    assert (restarted.from_day, restarted.to_day) == (D(2026, 1, 10), D(2026, 5, 31))


COURSES = (
    Course("first", Span(days=60), None, None),
    Course("second", Span(days=30), Span(months=10), Span(months=18)),
)


@pytest.mark.parametrize(
    ("number", "starts", "from_day", "to_day", "why"),
    [
        (2, D(2026, 5, 1), D(2026, 11, 1), D(2026, 11, 30), None),  # waits for its window
        (2, D(2026, 11, 1), D(2026, 11, 1), D(2026, 11, 30), None),
        (2, D(2027, 7, 1), D(2027, 7, 1), D(2027, 7, 30), None),  # the last day of it
        (2, D(2027, 7, 2), D(2027, 7, 2), D(2027, 7, 31), "begins within 18 months"),
        (3, D(2027, 2, 1), D(2027, 2, 1), D(2027, 3, 2), "funds 2 courses"),
    ],
)
def test_a_later_course_begins_in_its_window_and_none_follows_the_last_without_a_panel(
    number: int, starts: dt.date, from_day: dt.date, to_day: dt.date, why: str | None
) -> None:
    fixed = terms(pattern="fixed course", courses=COURSES, grace_days=0)
    cover, reason = course_cover(fixed, number, D(2026, 1, 1), starts)
    assert (cover.from_day, cover.to_day) == (from_day, to_day)
    assert (reason is None) is (why is None)
    assert why is None or why in str(reason)
