"""What a browser sends of a form's questions becomes answers, and comes back as typed."""

import datetime as dt

import pytest

from app.policy import Question, QuestionType
from app.web.form.fields import question_fields
from app.web.form.typed import day_parts, typed_answers, typed_day

DRUG = Question("drug", QuestionType.TEXT, "Drug")
TRIED = Question("tried", QuestionType.LIST, "Tried", fields={"drug": DRUG})
SCORE = Question("score", QuestionType.NUMBER, "Score", measured=True)


def test_a_long_list_loses_no_row_on_its_way_through_a_page() -> None:
    rows = [{"drug": f"drug {number}"} for number in range(120)]
    (field,) = question_fields([TRIED], {"tried": rows})
    posted = {cell.name: cell.value for row in field.rows for cell in row}
    assert typed_answers((TRIED,), posted) == {"tried": rows}


def test_none_to_record_is_an_answer_and_an_open_list_is_not() -> None:
    assert typed_answers((TRIED,), {"a.tried.none": "yes"}) == {"tried": []}
    assert typed_answers((TRIED,), {}) == {"tried": None}
    both = {"a.tried.none": "yes", "a.tried.0.drug": "x"}
    assert typed_answers((TRIED,), both) == {"tried": [{"drug": "x"}]}


@pytest.mark.parametrize(
    ("boxes", "kept"),
    [
        (("1", "2", "2026"), "2026-02-01"),
        (("31", "2", "2026"), "31/2/2026"),
        (("", "", ""), None),
        (("x", "", "2026"), "x//2026"),
        (("١", "2", "2026"), "١/2/2026"),
    ],
)
def test_a_day_is_kept_as_typed_where_it_is_none(
    boxes: tuple[str, str, str], kept: str | None
) -> None:
    parts = dict(zip(("day", "month", "year"), boxes, strict=True))
    assert typed_day("on", {f"on-{part}": value for part, value in parts.items()}) == kept
    if kept is not None:
        assert day_parts(kept) == parts


@pytest.mark.parametrize(
    ("text", "kept"), [("1,250", "1250"), ("1,5", "1,5"), ("1250.5", "1250.5"), ("abc", "abc")]
)
def test_commas_of_thousands_go_and_a_decimal_comma_is_left_to_be_refused(
    text: str, kept: str
) -> None:
    assert typed_answers((SCORE,), {"a.score": text}) == {"score": kept}


def test_a_measurement_keeps_its_day() -> None:
    posted = {"a.score": "5", "a.score.on-day": "1", "a.score.on-month": "2"}
    posted |= {"a.score.on-year": "2026"}
    measured = {"value": "5", "measured_on": dt.date(2026, 2, 1).isoformat()}
    assert typed_answers((SCORE,), posted) == {"score": measured}
