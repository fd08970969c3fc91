"""The decision rule, missing answers, and named edge dates."""

import dataclasses
from datetime import date
from decimal import Decimal

import pytest

from app.policy import Answer, Context, Count, Kind, Outcome, Result, decide
from tests.unit.policy.makers import BASE, make_policy

TODAY = date(2026, 5, 31)
CONTEXT = Context(decision_to_treat=TODAY)


def decided(version, kind=Kind.INITIATION, waived=(), context=CONTEXT, **values):
    answers = {name: Answer(value) for name, value in values.items()}
    return decide(version, kind, answers, context, frozenset(waived))


REFER = {"met_when": "other", "on_failure": "refer"}
STARTS = {
    "refer": {"decide": "refer", "reason": "Ask", "source": "src", "evidence": "verified"},
    "refuse": {"decide": "refuse", "reason": "Withdrawn", "source": "src", "evidence": "verified"},
}
NOT_MET, MORE = Outcome.CRITERIA_NOT_MET, Outcome.MORE_INFORMATION_NEEDED
APPROVED, REFERRED = Outcome.APPROVED, Outcome.REFERRED

INITIATIONS = [
    ({}, {"flag": True, "other": True}, APPROVED),
    ({}, {"flag": False, "other": True}, NOT_MET),
    ({}, {"flag": False}, NOT_MET),
    ({}, {"flag": False, "other": False}, NOT_MET),
    ({}, {"flag": True}, MORE),
    ({}, {"other": False}, MORE),
    ({}, {}, MORE),
    ({}, {"flag": True, "other": False}, REFERRED),
    ({"mechanism": "panel"}, {"flag": True, "other": True}, REFERRED),
    ({"mechanism": "panel"}, {"flag": True}, MORE),
    ({"mechanism": "panel"}, {"flag": False}, NOT_MET),
    ({"mechanism": "notification"}, {"flag": True, "other": True}, APPROVED),
    ({"new_starts": STARTS["refer"]}, {"flag": True, "other": True}, REFERRED),
    ({"new_starts": STARTS["refer"]}, {"flag": False, "other": True}, NOT_MET),
    ({"new_starts": STARTS["refer"]}, {"flag": True}, MORE),
    ({"new_starts": STARTS["refuse"]}, {"flag": True, "other": True}, NOT_MET),
    ({"new_starts": STARTS["refuse"]}, {}, NOT_MET),
]


@pytest.mark.parametrize(("changes", "values", "outcome"), INITIATIONS)
def test_an_initiation_follows_the_decision_rule(changes, values, outcome):
    version = make_policy(start=["flag", REFER], **changes)
    decision = decided(version, **values)
    assert decision.outcome is outcome
    assert decision.reasons
    assert (decision.missing != ()) == (outcome is MORE)


CONTINUATIONS = [
    ({"flag": True, "other": False, "third": False}, APPROVED),
    ({"flag": False, "other": False, "third": False}, NOT_MET),
    ({"flag": True, "other": True, "third": False}, NOT_MET),
    ({"flag": True, "other": False, "third": True}, REFERRED),
    ({"flag": True, "other": True, "third": True}, NOT_MET),
    ({"flag": True, "other": False}, MORE),
    ({"flag": True, "third": True}, MORE),
    ({"other": True}, NOT_MET),
]


@pytest.mark.parametrize(("values", "outcome"), CONTINUATIONS)
def test_a_continuation_needs_every_criterion_and_no_reason_to_stop(values, outcome):
    stop = ["other", {"met_when": "third", "on_failure": "refer"}]
    changes = {"continue": ["flag"], "stop": stop, "new_starts": STARTS["refuse"]}
    assert decided(make_policy(**changes), Kind.CONTINUATION, **values).outcome is outcome


def test_a_continuation_without_any_criteria_is_for_people_to_decide():
    assert decided(make_policy(), Kind.CONTINUATION).outcome is REFERRED
    told = make_policy(mechanism="notification")
    assert decided(told, Kind.CONTINUATION).outcome is APPROVED


@pytest.mark.parametrize("values", [{}, {"flag": True}, {"flag": False}])
def test_a_stop_is_recorded_and_never_refused(values):
    decision = decided(make_policy(stop=["flag"]), Kind.STOP, **values)
    assert decision.outcome is APPROVED
    assert len(decision.findings) == 1
    assert decision.missing == ()


@pytest.mark.parametrize(
    "kind", [Kind.SWITCH, Kind.DOSE_CHANGE, Kind.TRANSFER, Kind.PAUSE, Kind.RESUME]
)
def test_kinds_without_criteria_are_not_decided_here(kind):
    with pytest.raises(ValueError, match="approval terms"):
        decided(make_policy(), kind)


def test_a_waived_criterion_counts_as_satisfied_and_keeps_its_finding():
    version = make_policy(start=["flag", {"met_when": "other", "waivable": True}])
    failed = decided(version, waived=["C-2"], flag=True, other=False)
    assert failed.outcome is APPROVED
    assert failed.findings[1].result is Result.NOT_MET
    assert failed.waived == ("C-2",)
    unanswered = decided(version, waived=["C-2"], flag=True)
    assert unanswered.outcome is APPROVED
    assert unanswered.findings[1].result is Result.NOT_ANSWERED


@pytest.mark.parametrize("waived", [["C-1"], ["C-9"], ["C-1", "C-2"]])
def test_only_a_waivable_criterion_of_this_kind_can_be_waived(waived):
    version = make_policy(start=["flag", {"met_when": "other", "waivable": True}])
    with pytest.raises(ValueError, match="not waivable"):
        decided(version, waived=waived, flag=True)


ROWS = ({"on": date(2026, 1, 1), "disabling": True}, {"disabling": True}, {"on": date(2020, 1, 1)})

MISSING = [
    ("flag AND other", {"other": True}, ("flag",)),
    ("flag AND other", {}, ("flag", "other")),
    ("flag OR other", {"flag": False}, ("other",)),
    ("(flag AND other) OR third", {"flag": False}, ("third",)),
    ("(flag AND other) OR (third AND score > 1)", {"flag": True, "third": False}, ("other",)),
    ("NOT (flag OR other)", {"flag": False}, ("other",)),
    ("AT_LEAST(2, flag, other, third)", {"flag": True}, ("other", "third")),
    ("AT_LEAST(2, flag, other, third)", {"flag": True, "third": False}, ("other",)),
    ("AT_LEAST(1, flag AND other, third)", {"other": True, "third": False}, ("flag",)),
    ("score > 1 OR age > 1", {"score": Decimal(1)}, ("age",)),
    ("dose / weight > 1", {"dose": Decimal(1)}, ("weight",)),
    ("dose_per_kg > 1", {"weight": Decimal(1)}, ("dose",)),
    ("dose_per_kg > 1", {"weight": Decimal(0), "dose": Decimal(1)}, ("weight",)),
    ("dose_per_kg > 1", {"weight": Decimal(0)}, ("dose", "weight")),
    ("either AND third", {"other": False, "third": True}, ("flag",)),
    ("weight BETWEEN 1 AND 2", {}, ("weight",)),
    ("tested_on BETWEEN first_dose AND decision_to_treat", {"tested_on": TODAY}, ("first_dose",)),
    ("sex = 'female'", {}, ("sex",)),
    ("recent >= 2", {}, ("relapses",)),
    ("recent >= 2", {"relapses": ROWS}, ("relapses",)),
    ("recent >= 2 OR flag", {"relapses": ROWS[:1]}, ("flag",)),
]


@pytest.mark.parametrize(("expression", "values", "missing"), MISSING)
def test_only_questions_in_a_still_unknown_part_are_named(expression, values, missing):
    decision = decided(make_policy(start=[expression]), **values)
    assert decision.outcome is MORE
    assert decision.missing == missing


@pytest.mark.parametrize(("expression", "values", "missing"), MISSING)
def test_each_named_question_stands_in_the_reasons_by_its_label(expression, values, missing):
    reasons = " ".join(decided(make_policy(start=[expression]), **values).reasons)
    assert all(f"“{label}”" in reasons for label in _labels(missing))


def _labels(names):
    built_in = {"first_dose": "First dose", "sex": "Sex"}
    return [built_in.get(name) or BASE["questions"][name]["label"] for name in names]


def test_a_list_row_that_decides_is_named_by_its_row_and_field():
    decision = decided(make_policy(start=["recent >= 2"]), relapses=ROWS)
    assert decision.missing == ("relapses",)
    assert decision.reasons == ("C-1 needs an answer to “Relapses” (relapses[2].on).",)


def test_a_zero_that_is_divided_by_is_said_so():
    values = {"weight": Decimal(0), "dose": Decimal(1)}
    reasons = decided(make_policy(start=["dose_per_kg > 1"]), **values).reasons
    assert reasons == ("C-1 cannot be worked out while “Weight” is zero.",)


def test_a_date_beyond_the_calendar_is_unknown_and_does_not_crash():
    version = make_policy(start=["ADD_MONTHS(tested_on, 1200) > decision_to_treat"])
    decision = decided(version, tested_on=date(9999, 1, 1))
    assert decision.outcome is MORE
    assert "check the dates" in decision.reasons[0]


def test_a_finding_is_a_tree_with_the_values_looked_at():
    version = make_policy(start=["either AND (recent >= 2 OR dose_per_kg <= 4)"])
    values = {"flag": True, "relapses": ROWS, "dose": Decimal(300), "weight": Decimal(60)}
    finding = decided(version, **values).findings[0]
    assert finding.result is Result.NOT_ANSWERED
    assert finding.part.text == "either AND (recent >= 2 OR dose_per_kg <= 4)"
    either, choice = finding.part.parts
    assert either.looked_at == (("either", True),)
    assert [part.result for part in either.parts[0].parts] == [Result.MET, Result.NOT_ANSWERED]
    counted, ratio = choice.parts
    assert counted.looked_at == (("recent", Count(1, 2)),)
    assert ratio.looked_at == (
        ("dose_per_kg", Decimal(5)),
        ("dose", Decimal(300)),
        ("weight", Decimal(60)),
    )
    assert ratio.result is Result.NOT_MET


def test_division_is_exact_to_34_digits_whatever_the_callers_arithmetic():
    version = make_policy(start=["score / 3 * 3 >= 1"])
    assert decided(version, score=Decimal(3)).outcome is APPROVED
    looked = decided(make_policy(start=["dose_per_kg > 0"]), dose=Decimal(1), weight=Decimal(3))
    assert looked.findings[0].part.looked_at[0] == ("dose_per_kg", Decimal("0." + "3" * 34))


def test_whole_numbers_are_divided_exactly():
    version = make_policy(start=["age / 2 > 10.4"])
    assert decided(version, age=21).outcome is APPROVED


def test_a_result_does_not_depend_on_an_earlier_form():
    version = make_policy(start=["flag AND recent >= 1"])
    first = decided(version, flag=True, relapses=ROWS)
    decided(version, flag=False, relapses=())
    assert decided(version, flag=True, relapses=ROWS) == first


WINDOW = "tested_on >= ADD_MONTHS(decision_to_treat, {0}) AND tested_on <= decision_to_treat"
EDGES = [
    ("the first day of the window", date(2026, 5, 31), -12, date(2025, 5, 31), True),
    ("one day before the window", date(2026, 5, 31), -12, date(2025, 5, 30), False),
    ("the last day of the window", date(2026, 5, 31), -12, date(2026, 5, 31), True),
    ("one day after the window", date(2026, 5, 30), -12, date(2026, 5, 31), False),
    ("31 March less a month is 28 February", date(2026, 3, 31), -1, date(2026, 2, 28), True),
    ("and 27 February is outside", date(2026, 3, 31), -1, date(2026, 2, 27), False),
    ("31 March less a month in a leap year", date(2024, 3, 31), -1, date(2024, 2, 29), True),
    ("and 28 February is outside then", date(2024, 3, 31), -1, date(2024, 2, 28), False),
    ("29 February less a year is 28 February", date(2024, 2, 29), -12, date(2023, 2, 28), True),
    ("29 February less four years", date(2024, 2, 29), -48, date(2020, 2, 29), True),
    ("and 28 February is outside after all", date(2024, 2, 29), -48, date(2020, 2, 28), False),
    ("31 January less two months", date(2026, 1, 31), -2, date(2025, 11, 30), True),
    ("and 29 November is outside", date(2026, 1, 31), -2, date(2025, 11, 29), False),
    ("over new year", date(2026, 1, 1), -1, date(2025, 12, 1), True),
    ("366 days in a leap year", date(2017, 1, 31), -12, date(2016, 1, 31), True),
]


@pytest.mark.parametrize(
    ("treated", "months", "tested", "inside"), [pytest.param(*row[1:], id=row[0]) for row in EDGES]
)
def test_a_window_includes_its_edges(treated, months, tested, inside):
    version = make_policy(start=[WINDOW.format(months)])
    decision = decided(version, context=Context(treated), tested_on=tested)
    assert (decision.outcome is APPROVED) == inside


def test_a_version_is_compiled_once_and_kept():
    version = make_policy()
    assert dataclasses.replace(version, title="Another").compiled is version.compiled


def test_a_float_is_never_decided_upon():
    with pytest.raises(ValueError, match="float"):
        decided(make_policy(start=["score > 1"]), score=1.5)
