"""Scores as courses: which answers are scores, which values are one reading, what it is called."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.approvals.courses import Course, Form, courses_of, title_of
from app.policy import PolicyVersion, QuestionType
from tests.policies.library import packaged_library

RA, MS, IG = "adalimumab-ra-severe", "natalizumab-rrms-res", "immunoglobulin-itp"
FIRST, SECOND, THIRD = (dt.date(2026, month, 10) for month in (1, 7, 12))
PAIRED = ("_at_start", "_now")


def version_of(policy: str) -> PolicyVersion:
    return packaged_library().versions(policy)[-1]


def answer(value: Any, on: str | None = None, origin: str = "typed") -> dict[str, Any]:
    return {"value": value, "unit": None, "measured_on": on, "origin": origin}


def form(policy: str, day: dt.date, answers: Mapping[str, Any]) -> Form:
    return Form(f"request of {day}", "treatment", day, version_of(policy), answers)


def told(course: Course) -> list[tuple[str, dt.date, bool]]:
    return [(str(each.value), each.day, each.is_dated) for each in course.scores]


def test_the_first_value_and_later_ones_are_one_course_in_order_of_time() -> None:
    (course,) = courses_of(
        [
            form(RA, FIRST, {"das28_at_start": answer("6.1", "2026-01-02")}),
            form(RA, THIRD, {"das28_now": answer("3.0")}),
            form(RA, SECOND, {"das28_now": answer("4.2", "2026-07-01")}),
        ]
    )

    assert (course.name, course.title, course.unit) == ("das28", "DAS28", None)
    assert told(course) == [
        ("6.1", dt.date(2026, 1, 2), True),
        ("4.2", dt.date(2026, 7, 1), True),
        ("3.0", THIRD, False),
    ]


@pytest.mark.parametrize(
    ("again", "values"),
    [
        (answer("6.1", "2026-01-02", "carried forward"), ["6.1"]),
        (answer("6.1", "2026-01-02"), ["6.1"]),  # typed again: the same reading
        (answer("6.1", "2026-02-02"), ["6.1", "6.1"]),  # the same value another day
        (answer("5.9", "2026-01-02"), ["6.1", "5.9"]),  # stated otherwise: both are told
    ],
)
def test_a_reading_that_is_stated_again_counts_once(
    again: dict[str, Any], values: list[str]
) -> None:
    first = form(RA, FIRST, {"das28_at_start": answer("6.1", "2026-01-02")})
    (course,) = courses_of([first, form(RA, SECOND, {"das28_at_start": again})])
    assert [str(each.value) for each in course.scores] == values


def test_what_is_carried_without_a_day_counts_once_and_what_is_typed_again_does_not() -> None:
    first = form(RA, FIRST, {"das28_at_start": answer("6.1")})
    carried = form(RA, SECOND, {"das28_at_start": answer("6.1", None, "carried forward")})
    typed = form(RA, SECOND, {"das28_now": answer("6.1")})
    assert len(courses_of([first, carried])[0].scores) == 1
    assert len(courses_of([first, carried, typed])[0].scores) == 2


def test_the_value_before_a_treatment_is_one_however_often_its_forms_state_it() -> None:
    first = form(RA, FIRST, {"das28_at_start": answer("6.0")})
    again = form(RA, SECOND, {"das28_at_start": answer("6.0"), "das28_now": answer("2.5")})
    (course,) = courses_of([first, again])
    assert told(course) == [("6.0", FIRST, False), ("2.5", SECOND, False)]

    begun_anew = replace(form(RA, THIRD, {"das28_at_start": answer("6.0")}), treatment_id="next")
    (course,) = courses_of([first, again, begun_anew])
    assert [str(each.value) for each in course.scores] == ["6.0", "2.5", "6.0"]


@pytest.mark.parametrize("measured", [None, "2026-07-01"])
def test_of_one_day_the_value_before_the_treatment_comes_first(measured: str | None) -> None:
    both = {"das28_now": answer("2.5", measured), "das28_at_start": answer("6.0", measured)}
    (course,) = courses_of([form(RA, SECOND, both)])
    assert [str(each.value) for each in course.scores] == ["6.0", "2.5"]


def test_relapses_are_counted_and_doses_and_choices_are_no_scores() -> None:
    relapses = [{"began_on": "2025-10-01", "disabling": True}, {"began_on": "2025-12-01"}]
    found = courses_of(
        [
            form(
                MS,
                FIRST,
                {"relapses": answer(relapses), "edss": answer("3.5"), "gone_now": answer("1")},
            ),
            form(RA, SECOND, {"dose_mg": answer("40"), "ra_diagnosis": answer(True)}),
            form(IG, SECOND, {"platelets": answer("12")}),
        ]
    )

    by_title = {each.title: [score.value for score in each.scores] for each in found}
    assert by_title == {
        "Expanded Disability Status Scale (EDSS)": [Decimal("3.5")],
        "Platelet count before this dose": [12],
        "Relapses (number stated)": [2],
    }
    assert {each.title: each.unit for each in found}["Platelet count before this dose"] == "10*9/L"


def test_erased_answers_give_no_course() -> None:
    assert courses_of([form(RA, FIRST, {})]) == ()


@pytest.mark.parametrize(
    ("labels", "title"),
    [
        (["DAS28 before treatment", "DAS28 now"], "DAS28"),
        (["Abscesses together, before the treatment", "Abscesses together, now"],
         "Abscesses together"),
        (["Spinal pain before treatment (scale)", "Spinal pain now (scale)"], "Spinal pain"),
        (["Trough IgG"], "Trough IgG"),
        (["Before", "After"], "After"),
    ],
)  # fmt: skip
def test_a_course_is_called_by_what_its_questions_share(labels: list[str], title: str) -> None:
    assert title_of(labels) == title


def test_the_packaged_policies_name_the_first_and_later_values_so() -> None:
    """The rule that joins two questions holds in every packaged version: same unit, same type."""
    seen = 0
    for version in packaged_library().all_versions():
        for name, question in version.questions.items():
            other = version.questions.get(name.replace(*PAIRED)) if PAIRED[0] in name else None
            if question.measured and other is not None:
                seen += 1
                assert question.type in (QuestionType.NUMBER, QuestionType.INTEGER)
                assert (question.unit, question.type) == (other.unit, other.type), name
                assert other.measured, f"{version.policy}: {other.name} is no measurement"
    assert seen > 100
