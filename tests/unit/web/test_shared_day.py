"""One day for several measurements of a visit: what it fills, and what it leaves alone."""

import datetime as dt

import pytest

from app.policy import Question
from app.web.form.shared_day import NAME, members, read_day, shown, with_shared
from tests.policies.library import POLICIES, versions

DAY = {"day": "4", "month": "3", "year": "2026"}
NAMED = {"dated.last_review_on": "1", "dated.edss": "1"}
SCORED = {"a.edss": "3.5"}


def questions(policy: str = "natalizumab-rrms-res") -> tuple[Question, ...]:
    held = versions(POLICIES / "multiple-sclerosis" / policy)
    newest = max(held.values(), key=lambda each: (each.in_force.from_, each.version))
    return tuple(newest.questions.values())


def boxes(form: dict[str, str], name: str) -> dict[str, str]:
    return {part: form[f"a.{name}-{part}"] for part in DAY if f"a.{name}-{part}" in form}


def test_the_day_stands_beside_each_value_as_if_it_was_typed_there() -> None:
    form, wrong = with_shared(questions(), {NAME: "4/3/2026", **NAMED, **SCORED})
    assert (boxes(form, "last_review_on"), boxes(form, "edss.on"), wrong) == (DAY, DAY, {})


def test_a_day_that_is_given_beside_a_value_counts_for_that_one() -> None:
    own = {"a.edss.on-day": "1", "a.edss.on-month": "2", "a.edss.on-year": "2026"}
    form, wrong = with_shared(questions(), {NAME: "4/3/2026", **NAMED, **SCORED, **own})
    assert boxes(form, "last_review_on") == DAY
    assert boxes(form, "edss.on") == {"day": "1", "month": "2", "year": "2026"}
    assert wrong == {}


@pytest.mark.parametrize("own", ["a.edss.on.decided", "a.edss.on-month"])
def test_what_is_ticked_or_half_typed_beside_a_value_is_not_overwritten(own: str) -> None:
    form, _ = with_shared(questions(), {NAME: "4/3/2026", **NAMED, **SCORED, own: "yes"})
    assert form.get("a.edss.on-day") is None


def test_a_review_that_was_chosen_from_its_list_keeps_its_day() -> None:
    chosen = {"a.last_review_on.recent": "2026-11-23"}
    form, _ = with_shared(questions(), {NAME: "4/3/2026", **NAMED, **SCORED, **chosen})
    assert boxes(form, "last_review_on") == {}


def test_a_measurement_that_is_left_open_gets_no_day() -> None:
    form, _ = with_shared(questions(), {NAME: "4/3/2026", **NAMED, "a.edss": " "})
    assert boxes(form, "edss.on") == {}


def test_a_question_that_the_page_did_not_name_gets_no_day() -> None:
    form, _ = with_shared(questions(), {NAME: "4/3/2026", "dated.edss": "1", **SCORED})
    assert boxes(form, "last_review_on") == {}
    assert boxes(form, "edss.on") == DAY


def test_a_day_for_nothing_is_asked_about() -> None:
    _, wrong = with_shared(questions(), {NAME: "4/3/2026", "dated.edss": "1"})
    assert list(wrong) == [NAME]


def test_half_a_day_is_asked_about_once_the_page_is_sent() -> None:
    posted = {NAME: "4/3/20", **NAMED, **SCORED}
    form, wrong = with_shared(questions(), posted)
    assert (form, list(wrong)) == (posted, [NAME])
    assert with_shared(questions(), posted, halfway=True) == (posted, {})
    again = shown(questions(), posted, wrong)
    assert again is not None
    assert (again.value, again.error) == ("4/3/20", wrong[NAME])


@pytest.mark.parametrize(
    "text",
    [
        "4/3/2026", "04.03.2026", "4-3-2026", " 4 3  2026 ", "2026-03-04", "4 March 2026",
        "4th mar 2026", "4 MARCH, 2026",
    ],
)  # fmt: skip
def test_a_day_is_read_with_the_day_first(text: str) -> None:
    assert read_day(text) == dt.date(2026, 3, 4)


@pytest.mark.parametrize(
    "text",
    ["4/3/26", "4/3/202", "31/2/2026", "4 ma 2026", "March 2026", "4/13/2026", "today", "٤/3/2026"],
)
def test_what_is_no_whole_day_is_not_guessed(text: str) -> None:
    assert read_day(text) is None


def test_one_day_alone_has_its_own_boxes() -> None:
    assert [each.name for each in members(questions())] == ["edss", "last_review_on"]
    one = [each for each in questions() if each.name == "last_review_on"]
    assert (members(one), shown(one)) == ((), None)
