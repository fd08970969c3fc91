"""The type checker: families, units, options, did-you-mean, and what can never be meant."""

import pytest

from app.policy import PolicyFileFaults
from tests.unit.policy.makers import BASE, make_policy


def faults_of(**changes):
    with pytest.raises(PolicyFileFaults) as refused:
        make_policy(**changes)
    return refused.value.faults


COMPLAINTS = [
    ("scor >= 1", "unknown-name", "Did you mean score?"),
    ("Score >= 1", "unknown-name", "Did you mean score?"),
    ("NOT diagnosis", "unknown-name", "Known here"),
    ("score > 'iv'", "type", "like with like"),
    ("score", "not-a-test", "compare"),
    ("NOT score", "not-a-test", "compare"),
    ("route", "not-a-test", "compare"),
    ("score + 1", "not-a-test", "compare"),
    ("tested_on > 3", "type", "like with like"),
    ("flag > 1", "type", "like with like"),
    ("flag > other", "order", "use = or <>"),
    ("route > 'iv'", "order", "use = or <>"),
    ("route = 'ivv'", "option", "Did you mean iv?"),
    ("route IN ('iv', 'sk')", "option", "sc"),
    ("sex = 'men'", "option", "male"),
    ("sex = route", "option", "IN"),
    ("flag IN (1)", "type", "name the question"),
    ("score IN ('iv')", "type", "like with like"),
    ("score BETWEEN tested_on AND 3", "type", "like with like"),
    ("flag BETWEEN 1 AND 2", "order", "use = or IN"),
    ("score BETWEEN 3 AND 2", "empty-range", "lower"),
    ("tested_on BETWEEN DATE '2025-01-02' AND DATE '2025-01-01'", "empty-range", "lower"),
    ("1 = 1", "constant", "name the question"),
    ("1 BETWEEN 0 AND 2", "constant", "name the question"),
    ("'iv' IN ('iv')", "constant", "name the question"),
    ("1 + 1 = 2 OR flag", "constant", "name the question"),
    ("DATE '2024-01-01' < DATE '2024-01-02'", "constant", "name the question"),
    ("TRUE", "constant", "name what is tested"),
    ("flag OR TRUE", "constant", "name what is tested"),
    ("score = score", "itself", "name what was meant"),
    ("flag AND flag", "repeated", "take the repeat out"),
    ("AT_LEAST(2, flag, flag, other)", "repeated", "take the repeat out"),
    ("weight >= dose", "unit", "like units"),
    ("weight >= score", "unit", "like units"),
    ("weight + dose > 3", "unit", "like units"),
    ("weight * 2 >= weight", "unit", "derive"),
    ("weight BETWEEN 1 AND dose", "unit", "like units"),
    ("DAYS_BETWEEN(tested_on, first_dose) > age", "unit", "like units"),
    ("dose_per_kg > weight", "unit", "like units"),
    ("tested_on - first_dose > 3", "date-arithmetic", "DAYS_BETWEEN"),
    ("tested_on + 3 > first_dose", "date-arithmetic", "ADD_MONTHS"),
    ("flag + 1 > 2", "type", "numbers only"),
    ("-route = 'iv'", "type", "negate numbers only"),
    ("DAYS_BETWEEN(score, tested_on) > 3", "type", "date"),
    ("ADD_MONTHS(score, 3) > tested_on", "type", "date"),
    ("score / 0 > 1", "zero", "divide by"),
    ("(flag AND other) = TRUE", "not-a-value", "join tests"),
    ("score < 1 < 2", "not-a-value", "join tests"),
    ("recent * 2 > 1", "count", "compare the count"),
    ("recent / score > 1", "count", "compare the count"),
    ("relapses > 1", "unusable", "derive"),
    ("note = 'x'", "unusable", "never tested"),
    ("disabling", "unknown-name", "Known here"),
]


@pytest.mark.parametrize(("expression", "code", "mend"), COMPLAINTS)
def test_what_cannot_be_meant_is_complained_of(expression, code, mend):
    faults = faults_of(start=[expression])
    assert code in [fault.code for fault in faults]
    fault = next(fault for fault in faults if fault.code == code)
    assert mend in fault.mend
    assert fault.criterion == "C-1"


SOUND = [
    "flag = TRUE",
    "flag <> other",
    "TRUE = flag",
    "'iv' = route",
    "sex = 'female'",
    "weight >= 40.5",
    "40 <= weight",
    "weight + 3 > weight - 3 OR flag",
    "dose / weight <= 5",
    "dose_per_kg * weight <= dose",
    "score / 2 > score - 1",
    "age >= 18 AND age <= 65.5",
    "recent + 1 >= 2 AND recent IN (1, 2)",
    "either AND NOT recent >= 2",
    "DAYS_BETWEEN(ADD_MONTHS(birth_date, 216), decision_to_treat) >= 0",
    "DAYS_BETWEEN(tested_on, first_dose) > DAYS_BETWEEN(tested_on, decision_to_treat)",
]


@pytest.mark.parametrize("expression", SOUND)
def test_what_makes_sense_is_accepted(expression):
    assert make_policy(start=[expression]).start[0].met_when == expression


DERIVED = [
    ({"x": {"value": "dose / weight", "unit": "mg"}}, "unit"),
    ({"x": {"value": "weight * 1000"}}, "unit"),
    ({"x": {"value": "flag AND other", "unit": "kg"}}, "unit"),
    ({"x": {"value": "1 + 1"}}, "constant"),
    ({"x": {"value": "scor + 1"}}, "unknown-name"),
    ({"x": {"value": "y + 1"}, "y": {"value": "score + 1"}}, "unusable"),
    ({"x": {"value": "x + 1"}}, "unusable"),
    ({"x": {"value": "score >"}}, "unreadable"),
    ({"x": {"count": "relapse"}}, "count"),
    ({"x": {"count": "score"}}, "count"),
    ({"x": {"count": "relapses", "where": "flag"}}, "count"),
    ({"x": {"count": "relapses", "where": "on"}}, "not-a-test"),
    ({"x": {"count": "relapses", "where": "remark = 'a'"}}, "unusable"),
    ({"x": {"count": "relapses", "where": "o >= tested_on"}}, "unknown-name"),
    ({"score": {"value": "dose + 1"}}, "name-taken"),
    ({"on": {"value": "dose + 1"}}, "name-taken"),
    ({"sex": {"value": "dose + 1"}}, "name-taken"),
    ({"between": {"value": "dose + 1"}}, "reserved"),
]


@pytest.mark.parametrize(("derive", "code"), DERIVED)
def test_a_derived_value_that_makes_no_sense_is_complained_of(derive, code):
    assert code in [fault.code for fault in faults_of(derive=derive)]


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("dose / weight", "mg/kg"),
        ("dose / weight * weight", "mg"),
        ("dose / dose", None),
        ("weight * 1000", "g"),
        ("dose * weight", "kg*mg"),
        ("DAYS_BETWEEN(tested_on, first_dose)", "days"),
    ],
)
def test_units_combine_as_text(value, unit):
    stated = {} if unit is None else {"unit": unit}
    version = make_policy(derive={"x": {"value": value, **stated}})
    assert version.derived["x"].unit == unit


def test_a_broken_question_does_not_breed_faults_in_the_expressions_that_use_it():
    questions = {**BASE["questions"], "score": {"type": "numbre", "label": "Score"}}
    faults = faults_of(questions=questions, start=["score > 1", "scor > 1"])
    assert [fault.code for fault in faults] == ["value", "unknown-name"]
