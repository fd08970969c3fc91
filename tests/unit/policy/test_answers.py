"""Raw answers: what is typed, and what is refused with which words."""

from datetime import date
from decimal import Decimal

import pytest

from app.policy import AnswerFaults, Kind, parse_answers
from tests.unit.policy.makers import BASE, make_policy

TODAY = date(2026, 5, 31)
QUESTIONS = {
    **BASE["questions"],
    "edss": {"type": "number", "label": "EDSS", "decimals": 1, "measured": True},
}
VERSION = make_policy(
    questions=QUESTIONS,
    start=["flag AND score > 1 AND age > 1 AND tested_on < first_dose AND route = 'iv'",
           "recent >= 1 AND dose_per_kg > 1 AND edss > 1"],
    stop=["third"],
)  # fmt: skip


def parsed(raw, kind=Kind.INITIATION):
    return parse_answers(VERSION, kind, raw, decision_to_treat=TODAY, today=TODAY)


def faults_of(raw, kind=Kind.INITIATION):
    with pytest.raises(AnswerFaults) as refused:
        parsed(raw, kind)
    return refused.value.faults


GOOD = [
    ("flag", True, True),
    ("flag", {"value": False}, False),
    ("score", 6, Decimal(6)),
    ("score", "6.4", Decimal("6.4")),
    ("score", Decimal("6.40"), Decimal("6.40")),
    ("score", "+6.4", Decimal("6.4")),
    ("score", 0, Decimal(0)),
    ("score", Decimal("1E+1"), Decimal(10)),
    ("age", {"value": 18, "unit": "years"}, 18),
    ("age", {"value": "18", "unit": "years"}, 18),
    ("age", {"value": "18.0", "unit": "years"}, 18),
    ("dose", {"value": "300", "unit": "mg"}, Decimal(300)),
    ("tested_on", "2024-02-29", date(2024, 2, 29)),
    ("tested_on", TODAY, TODAY),
    ("route", "iv", "iv"),
    ("note", "Zoë said\n“yes”", "Zoë said\n“yes”"),
    ("relapses", [], ()),
    ("relapses", [{"on": "2026-01-01", "disabling": None}, {}],
     ({"on": date(2026, 1, 1), "disabling": None}, {})),
]  # fmt: skip


@pytest.mark.parametrize(("name", "raw", "value"), GOOD)
def test_a_good_answer_is_typed(name, raw, value):
    answer = parsed({name: raw})[name]
    assert answer.value == value
    assert type(answer.value) is type(value)


def test_a_null_answer_is_not_an_answer():
    assert parsed({"flag": None, "score": {"value": None}, "relapses": None}) == {}


def test_an_answer_keeps_its_unit_its_date_and_its_origin():
    raw = {"value": "3.5", "measured_on": "2026-05-01", "origin": "supplied by a system"}
    answer = parsed({"edss": raw})["edss"]
    assert answer.measured_on == date(2026, 5, 1)
    assert answer.origin == "supplied by a system"
    assert parsed({"dose": {"value": 1, "unit": "mg"}})["dose"].unit == "mg"


BAD = [
    ("flagg", True, "no such question", "Did you mean flag?"),
    ("flags", "male", "no such question", "Did you mean flag"),
    ("third", True, "not asked at initiation", "Leave it out"),
    ("flag", "yes", "not true or false", "true or false"),
    ("flag", 1, "not true or false", "true or false"),
    ("flag", "true", "not true or false", "true or false"),
    ("flag", {"val": True}, "unknown shape", "value"),
    ("flag", {"value": True, "units": "kg"}, "unknown shape", "value"),
    ("flag", {}, "unknown shape", "value"),
    ("flag", {"value": True, "origin": "guessed"}, "origin", "typed"),
    ("flag", {"value": True, "origin": ["typed"]}, "origin", "typed"),
    ("flag", {"value": True, "unit": "kg"}, "no unit", "Leave"),
    ("flag", {"value": True, "measured_on": "2026-01-01"}, "no date", "Leave"),
    ("score", True, "not a number", "digits"),
    ("score", 6.4, "not a number", "6.4"),
    ("score", "", "plain digits", "digits"),
    ("score", "six", "plain digits", "digits"),
    ("score", "6,4", "plain digits", "digits"),
    ("score", " 6.4", "plain digits", "digits"),
    ("score", "6.4\n", "plain digits", "digits"),
    ("score", "٦", "plain digits", "digits"),
    ("score", "６", "plain digits", "digits"),
    ("score", "6_4", "plain digits", "digits"),
    ("score", "NaN", "plain digits", "digits"),
    ("score", "Infinity", "plain digits", "digits"),
    ("score", "1e3", "plain digits", "digits"),
    ("score", "1e999999", "plain digits", "digits"),
    ("score", "9" * 10_000, "plain digits", "digits"),
    ("score", Decimal("NaN"), "not a number", "6.4"),
    ("score", Decimal("sNaN"), "not a number", "6.4"),
    ("score", Decimal("-Infinity"), "not a number", "6.4"),
    ("score", Decimal("1e999999"), "too many digits", "12"),
    ("score", Decimal("1e-999999"), "too many digits", "8"),
    ("score", 10**5000, "too large", "digits"),
    ("score", "6.45", "over 1 decimal", "at most 1"),
    ("score", "-0.1", "below", "0 or more"),
    ("score", "10.1", "above", "10 or less"),
    ("score", [6], "not a number", "digits"),
    ("age", {"value": "18.5", "unit": "years"}, "whole number", "whole"),
    ("age", {"value": 18.0, "unit": "years"}, "not a number", "digits"),
    ("dose", 300, "unit is missing", "mg"),
    ("dose", {"value": 300}, "unit is missing", "mg"),
    ("dose", {"value": 300, "unit": "g"}, "not the one asked for", "mg"),
    ("dose", {"value": 300, "unit": 3}, "not the one asked for", "mg"),
    ("tested_on", "2026-06-01", "future", "not after today"),
    ("tested_on", "2023-02-29", "calendar", "day and month"),
    ("tested_on", "29/02/2024", "not a date", "YYYY-MM-DD"),
    ("tested_on", "2024-2-9", "not a date", "YYYY-MM-DD"),
    ("tested_on", "٢٠٢٤-٠١-٠١", "not a date", "YYYY-MM-DD"),
    ("tested_on", "20240101", "not a date", "YYYY-MM-DD"),
    ("tested_on", "1899-12-31", "before 1900", "year"),
    ("tested_on", 20240101, "not a date", "YYYY-MM-DD"),
    ("edss", {"value": 3, "measured_on": "2026-06-01"}, "future", "today"),
    ("edss", {"value": 3, "measured_on": 3}, "not a date", "YYYY-MM-DD"),
    ("route", "vi", "options", "iv, sc"),
    ("route", ["iv"], "options", "iv, sc"),
    ("note", 3, "not text", "words"),
    ("note", "x" * 5000, "over 4000", "Shorten"),
    ("note", "a\x00b", "cannot be stored", "again"),
    ("note", "a\ud800b", "cannot be stored", "again"),
    ("relapses", "none", "not a list", "empty list"),
    ("relapses", {"value": {}}, "not a list", "empty list"),
    ("relapses", [{}] * 10_000, "over 200 rows", "rows"),
]
PLACED = [
    ([3], "relapses[1]", "not a mapping"),
    ([{}, {"onn": "2026-01-01"}], "relapses[2].onn", "no such field"),
    ([{"on": "2026-06-01"}], "relapses[1].on", "future"),
    ([{"disabling": "no"}], "relapses[1].disabling", "true or false"),
    ([{"disabling": {"value": True, "unit": "kg"}}], "relapses[1].disabling", "no unit"),
    ([{3: 1}], "relapses[1].a name that is not text", "no such field"),
]


@pytest.mark.parametrize(
    ("name", "raw", "message", "mend"), BAD, ids=[f"{n} {row[2]}" for n, row in enumerate(BAD)]
)
def test_a_bad_answer_is_refused_with_what_to_do(name, raw, message, mend):
    (fault,) = faults_of({name: raw})
    assert fault.question == name
    assert message in fault.message
    assert mend in fault.mend


@pytest.mark.parametrize(("rows", "place", "message"), PLACED)
def test_a_bad_row_is_named_by_its_number_and_field(rows, place, message):
    (fault,) = faults_of({"relapses": rows})
    assert fault.question == place
    assert message in fault.message


def test_every_fault_is_reported_at_once():
    faults = faults_of(
        {"flag": "yes", "scor": 3, "score": "x", "relapses": [{"on": 1, "disabling": 2}]}
    )
    assert [fault.question for fault in faults] == [
        "flag", "scor", "score", "relapses[1].on", "relapses[1].disabling",
    ]  # fmt: skip


@pytest.mark.parametrize("raw", ["SECRET", {"value": "SECRET"}, ["SECRET"], {"SECRET": 1}])
def test_no_message_repeats_the_answer(raw):
    for name in ("flag", "score", "tested_on", "route", "dose", "edss"):
        assert "SECRET" not in str(faults_of({name: raw})[0])


def test_an_answer_of_another_kind_of_request_is_refused():
    assert parsed({"third": True}, Kind.CONTINUATION)["third"].value is True
    (fault,) = faults_of({"flag": True}, Kind.STOP)
    assert "not asked" in fault.message
