"""Forms, readable policies, and decisions as JSON."""

import json
from datetime import date
from decimal import Decimal

import pytest

from app.policy import (
    Answer,
    Context,
    Kind,
    decide,
    decision_from_json,
    decision_to_json,
    form,
    label_of,
    questions_for,
    readable,
)
from app.policy.calendar import add_months
from tests.unit.policy.makers import BASE, make_policy

VERSION = make_policy(
    start=["either AND (recent >= 2 OR dose_per_kg <= 4) AND age / 2 > 9",
           "route IN ('iv') AND tested_on <= decision_to_treat AND score <> 1.5"],
    stop=[{"met_when": "third", "evidence": "unverified", "on_failure": "refer"}],
)  # fmt: skip
VALUES = {
    "flag": True,
    "relapses": ({"on": date(2026, 1, 1), "disabling": True}, {"on": None}),
    "dose": Decimal("300.10"),
    "weight": Decimal(7),
    "age": 21,
    "route": "iv",
    "tested_on": date(2024, 2, 29),
}


@pytest.mark.parametrize("values", [VALUES, {}, {"flag": False, "other": False}])
def test_a_decision_survives_json_unchanged(values):
    answers = {name: Answer(value) for name, value in values.items()}
    decision = decide(VERSION, Kind.INITIATION, answers, Context(date(2026, 5, 31)))
    data = decision_to_json(decision)
    assert decision_from_json(json.loads(json.dumps(data))) == decision
    assert not any(isinstance(value, float) for value in _leaves(data))


def _leaves(data):
    if isinstance(data, dict | list):
        for each in data.values() if isinstance(data, dict) else data:
            yield from _leaves(each)
    else:
        yield data


def test_json_of_another_shape_is_not_taken_for_a_decision():
    with pytest.raises((KeyError, ValueError)):
        decision_from_json({"outcome": "perhaps"})


def test_a_form_asks_what_its_kind_of_request_can_look_at_in_file_order():
    names = [question.name for question in questions_for(VERSION, Kind.INITIATION)]
    assert names == [name for name in BASE["questions"] if name not in ("third",)]
    assert [each.name for each in questions_for(VERSION, Kind.STOP)] == ["third"]
    assert questions_for(VERSION, Kind.PAUSE) == ()


def test_a_form_is_json_with_exact_numbers():
    data = json.loads(json.dumps(form(VERSION, Kind.INITIATION)))
    by_name = {question["name"]: question for question in data["questions"]}
    assert by_name["score"]["maximum"] == "10"
    assert by_name["route"]["options"] == [
        {"key": "iv", "label": "Vein"},
        {"key": "sc", "label": "Skin"},
    ]
    assert [each["name"] for each in by_name["relapses"]["fields"]] == ["on", "disabling", "remark"]
    assert by_name["dose"]["unit"] == "mg"
    assert data["hash"] == VERSION.hash


def test_a_readable_policy_says_everything_that_decides():
    text = readable(VERSION)
    for words in (
        "# A policy",
        "**Draft: check before clinical use.**",
        "`either AND (recent >= 2 OR dose_per_kg <= 4) AND age / 2 > 9`",
        "## When to stop",
        "Lasts 12 months",
        "A source",
        "If this fails, the request is referred",
        VERSION.hash,
        *(question["label"] for question in BASE["questions"].values()),
    ):
        assert words in text, words


def test_a_policy_file_cannot_smuggle_markup_into_its_readable_text():
    text = readable(make_policy(title="<script>alert(1)</script> [x](javascript:y)\n# Another"))
    assert "<script>" not in text.replace("\\<", "")
    assert "\n# Another" not in text
    assert "](javascript" not in text.replace("\\]", "")


@pytest.mark.parametrize(
    ("name", "label"), [("score", "Score"), ("first_dose", "First dose"), ("odd", "odd")]
)
def test_names_have_labels(name, label):
    assert label_of(VERSION, name) == label


MONTHS = [
    (date(2026, 1, 31), 1, date(2026, 2, 28)),
    (date(2024, 1, 31), 1, date(2024, 2, 29)),
    (date(2024, 2, 29), 12, date(2025, 2, 28)),
    (date(2024, 2, 29), -12, date(2023, 2, 28)),
    (date(2024, 2, 29), 48, date(2028, 2, 29)),
    (date(2024, 2, 29), -300, date(1999, 2, 28)),
    (date(2026, 3, 31), -1, date(2026, 2, 28)),
    (date(2025, 12, 31), 2, date(2026, 2, 28)),
    (date(2026, 1, 1), -1, date(2025, 12, 1)),
    (date(2026, 1, 31), 0, date(2026, 1, 31)),
    (date(9999, 12, 1), 1, None),
    (date(1, 1, 1), -1, None),
]


@pytest.mark.parametrize(("day", "months", "expected"), MONTHS)
def test_months_are_added_with_the_day_clamped_to_the_end_of_the_month(day, months, expected):
    assert add_months(day, months) == expected
