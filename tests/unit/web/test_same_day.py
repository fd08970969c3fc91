"""A day that is given by one choice: of the decision, or of the weeks before it."""

import datetime as dt

import pytest

from app.policy import Question
from app.web.form.fields import question_fields
from app.web.form.same_day import days_before, offered, with_day
from app.web.rendering import _templates
from tests.policies.library import POLICIES, versions

DAY = dt.date(2026, 11, 30)
NAME = "a.last_review_on"


def review() -> Question:
    held = versions(POLICIES / "multiple-sclerosis" / "natalizumab-rrms-res")
    newest = max(held.values(), key=lambda each: (each.in_force.from_, each.version))
    return newest.questions["last_review_on"]


def boxes(form: dict[str, str]) -> list[str]:
    return [form.get(f"{NAME}-{part}", "") for part in ("day", "month", "year")]


def test_a_review_of_the_last_weeks_is_one_choice_of_the_days_before_the_decision() -> None:
    question = review()
    (field,) = offered(question_fields((question,), {}, ()), (question,), DAY)
    assert field.recent[0] == ("2026-11-29", "Sunday 29 November 2026")
    assert len(field.recent) == 28
    form, wrong = with_day((question,), {f"{NAME}.recent": "2026-11-23"}, DAY)
    assert (boxes(form), wrong) == (["23", "11", "2026"], {})


@pytest.mark.parametrize(
    "posted",
    [
        {},
        {f"{NAME}.recent": ""},
        {f"{NAME}.recent": "2026-11-30"},  # the decision's own is the tick's
        {f"{NAME}.recent": "2026-10-01"},
        {f"{NAME}.recent": "tomorrow"},
    ],
)
def test_nobodys_day_is_assumed(posted: dict[str, str]) -> None:
    form, wrong = with_day((review(),), posted, DAY)
    assert (boxes(form), wrong) == (["", "", ""], {})


@pytest.mark.parametrize(
    "beside",
    [
        {f"{NAME}.decided": "yes"},
        {f"{NAME}-day": "22", f"{NAME}-month": "11", f"{NAME}-year": "2026"},
    ],
)
def test_two_days_are_asked_about_and_neither_is_taken(beside: dict[str, str]) -> None:
    form, wrong = with_day((review(),), {f"{NAME}.recent": "2026-11-23"} | beside, DAY)
    assert list(wrong) == [f"{NAME}-day"]
    assert boxes(form)[0] in ("", "22")


def test_the_same_day_twice_is_one() -> None:
    same = {f"{NAME}-day": "23", f"{NAME}-month": "11", f"{NAME}-year": "2026"}
    form, wrong = with_day((review(),), same | {f"{NAME}.recent": "2026-11-23"}, DAY)
    assert (boxes(form), wrong) == (["23", "11", "2026"], {})
    assert days_before(DAY)[-1] == dt.date(2026, 11, 2)


def test_the_list_of_days_stands_beside_the_boxes_and_is_named_for_its_question() -> None:
    question = review()
    fields = offered(question_fields((question,), {}, ()), (question,), DAY)
    template = _templates.from_string(
        '{% from "parts/fields.html" import show %}'
        "{% for each in fields %}{{ show(each) }}{% endfor %}"
    )
    shown = template.render(fields=fields)
    assert f'<label class="nhsuk-label nhsuk-body-s" for="{NAME}.recent">' in shown
    assert f'<select class="nhsuk-select" id="{NAME}.recent" name="{NAME}.recent">' in shown
    assert '<option value="2026-11-23">Monday 23 November 2026</option>' in shown
    assert shown.count("<option") == 29
    assert "selected" not in shown, "nobody's day is assumed"
