"""Answers that change after a refusal are recorded, and can be reported; nothing is refused."""

import datetime as dt
from typing import Any

import pytest

from app.approvals import amending, correcting
from app.approvals.changed_answers import (
    ACTION,
    ChangedAnswers,
    Place,
    changed_answers,
    changed_questions,
    newest_changed,
    place_of,
)
from app.approvals.errors import DetailsNotAccepted
from app.approvals.lifecycle import RequestState
from app.audit import erase, request_trail
from app.auth.errors import NotAllowed
from app.auth.model import Caller
from app.commands.reports import changed_lines
from tests.world import (
    ADALIMUMAB,
    AUTHOR,
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    OTHER_COMMISSIONER,
    TRIAL_ANSWERS,
    World,
    patient,
)

LOW = {**TRIAL_ANSWERS, "score": "4.0"}
FIRST, LAST = dt.date(2026, 1, 1), dt.date(2026, 12, 31)


def report(world: World, caller: Caller = COMMISSIONER, **more: Any) -> tuple[ChangedAnswers, ...]:
    return world.do(lambda work: changed_answers(work, caller, FIRST, LAST, **more))


def test_a_new_request_with_another_answer_to_what_failed_is_recorded(wide: World) -> None:
    refused = wide.trial(answers=LOW)
    assert refused.request.state is RequestState.CRITERIA_NOT_MET
    again = wide.trial()

    trail = wide.do(lambda work: request_trail(work, again.request.id))
    (entry,) = [each for each in trail if each.action == ACTION]
    assert entry.after == {
        "refused_request": refused.request.id,
        "criteria": ["T-1"],
        "questions": ["score"],
        "outcome": "approved",
    }
    assert again.request.state is RequestState.APPROVED
    (row,) = report(wide)
    assert (row.request_id, row.refused_request) == (again.request.id, refused.request.id)
    assert (row.policy, row.provider, row.by) == ("trial-policy", "DEMO1", CLINICIAN.id)
    assert (row.criteria, row.questions, row.outcome) == (("T-1",), ("score",), "approved")


def test_the_answers_themselves_are_neither_recorded_nor_told(wide: World) -> None:
    wide.trial(answers=LOW)
    wide.trial(answers={**TRIAL_ANSWERS, "score": "9.7"})
    lines = changed_lines(report(wide))

    assert "changed: score" in lines[0]
    assert "9.7" not in lines[0]
    assert "4.0" not in lines[0]


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(LOW, id="the same answers"),
        pytest.param({**LOW, "usual": False}, id="another answer to what was met"),
    ],
)
def test_answers_that_do_not_differ_in_what_failed_are_not_recorded(
    wide: World, answers: dict[str, Any]
) -> None:
    wide.trial(answers=LOW)
    wide.trial(answers=answers)
    assert report(wide) == ()


def test_a_correction_after_a_refusal_is_recorded_too(wide: World) -> None:
    refused = wide.trial(answers=LOW).request
    wide.do(
        lambda work: correcting.correct(
            work,
            wide.office,
            CLINICIAN,
            refused.id,
            {"score": "6.5"},
            frozenset(),
            "Read off the wrong visit.",
            refused.version,
        )
    )
    (row,) = report(wide)
    assert (row.request_id, row.refused_request) == (refused.id, refused.id)


def test_taking_the_answer_away_first_does_not_hide_the_change(wide: World) -> None:
    refused = wide.trial(answers=LOW)
    unanswered = {name: value for name, value in TRIAL_ANSWERS.items() if name != "score"}
    asked = wide.trial(answers=unanswered).request
    assert asked.state is RequestState.MORE_INFORMATION_NEEDED
    wide.do(
        lambda work: amending.amend(
            work, wide.office, CLINICIAN, asked.id, {"score": "6.0"}, asked.version
        )
    )
    found = report(wide)
    assert [row.outcome for row in found] == ["more information needed", "approved"]
    assert {row.refused_request for row in found} == {refused.request.id}


def test_a_change_is_recorded_once_and_not_again_after_an_approval(wide: World) -> None:
    wide.trial(answers=LOW)
    wide.on(dt.date(2026, 6, 16))
    approved = wide.trial().request
    wide.on(dt.date(2026, 6, 17))
    wide.do(
        lambda work: correcting.correct(
            work,
            wide.office,
            CLINICIAN,
            approved.id,
            {"score": "7.0"},
            frozenset(),
            "Measured again.",
            approved.version,
        )
    )
    assert len(report(wide)) == 1


def test_the_newest_come_first_and_go_on_behind_a_place_under_one_total(wide: World) -> None:
    for number in range(1, 4):  # all at one instant
        wide.trial(answers=LOW, patient=patient(number))
        wide.trial(patient=patient(number))

    def newest(most: int, caller: Caller = COMMISSIONER, **more: Any) -> tuple[list[int], int]:
        found, many = wide.do(
            lambda work: newest_changed(work, caller, FIRST, LAST, None, most, **more)
        )
        return [each.event for each in found], many

    whole, many = newest(10)
    assert whole == sorted(whole, reverse=True)
    assert many == len(whole) == 3
    first, of_all = newest(2)
    assert (first, of_all) == (whole[:2], 3)
    last = report(wide)[-2]
    assert newest(2, after=Place(*place_of(last))) == (whole[2:], 3)
    assert [each.event for each in report(wide)] == whole[::-1]
    for stranger in (OTHER_COMMISSIONER, OTHER_CLINICIAN):
        assert newest(10, stranger) == ([], 0)


def test_a_list_that_a_failed_count_was_made_of_is_found(world: World) -> None:
    failed_one = [{"drug": "methotrexate", "in_combination": True, "responded": True}]
    refused = world.submit(answers={**ADALIMUMAB, "csdmards": failed_one})
    assert refused.request.state is RequestState.CRITERIA_NOT_MET
    world.submit()
    (row,) = report(world)
    assert row.questions == ("csdmards",)


def test_a_first_request_and_another_patients_are_not_recorded(wide: World) -> None:
    wide.trial(answers=LOW)
    other = wide.trial(patient=patient(2))
    assert other.request.state is RequestState.APPROVED
    assert report(wide) == ()


def test_each_organisation_is_told_of_its_own_only(wide: World) -> None:
    wide.trial(answers=LOW)
    wide.trial()
    assert len(report(wide, CLINICIAN)) == len(report(wide, COMMISSIONER)) == 1
    assert report(wide, OTHER_CLINICIAN) == report(wide, OTHER_COMMISSIONER) == ()
    with pytest.raises(NotAllowed):
        report(wide, AUTHOR)


def test_the_report_keeps_to_its_policy_and_its_days(wide: World) -> None:
    wide.trial(answers=LOW)
    wide.trial()
    assert report(wide, policy="adalimumab-ra-severe") == ()
    assert len(report(wide, policy="trial-policy")) == 1
    day = dt.date(2026, 6, 14)
    assert wide.do(lambda work: changed_answers(work, COMMISSIONER, day, day)) == ()
    with pytest.raises(DetailsNotAccepted, match="before it begins"):
        wide.do(lambda work: changed_answers(work, COMMISSIONER, LAST, FIRST))


def test_an_erased_patients_row_stays_without_its_details(wide: World) -> None:
    wide.trial(answers=LOW)
    treatment = wide.treatment(wide.trial().request.treatment_id)
    wide.do(
        lambda work: erase(
            work, CLINICIAN.actor(), patient_id=treatment.patient.id, reason="Asked for."
        )
    )
    (row,) = report(wide)
    assert (row.questions, row.criteria, row.refused_request) == (None, None, None)
    assert "details erased" in changed_lines((row,))[0]


def finding(result: str, *names: str, **more: Any) -> dict[str, Any]:
    part = {"parts": [], "looked_at": [{"name": name} for name in names]}
    return {
        "criterion": "C",
        "section": "start",
        "result": result,
        "on_failure": "not met",
        "overridden": None,
        "part": {"parts": [part], "looked_at": []},
        **more,
    }


def answer(value: Any) -> dict[str, Any]:
    return {"value": value, "unit": None, "measured_on": None, "origin": "typed"}


@pytest.mark.parametrize(
    ("findings", "before", "after", "expected"),
    [
        ([finding("not met", "a")], {"a": 1}, {"a": 2}, ("a",)),
        ([finding("not met", "a")], {"a": 1}, {"a": 1}, ()),
        ([finding("not met", "a")], {"a": 1}, {}, ("a",)),
        ([finding("not met", "a")], {}, {"a": 1}, ("a",)),
        ([finding("not met", "a")], {"a": 1, "b": 1}, {"a": 1, "b": 2}, ()),
        ([finding("met", "a")], {"a": 1}, {"a": 2}, ()),
        ([finding("met", "a", section="stop")], {"a": 1}, {"a": 2}, ("a",)),
        ([finding("not met", "a", on_failure="refer")], {"a": 1}, {"a": 2}, ()),
        ([finding("not met", "a", overridden={"by": "x"})], {"a": 1}, {"a": 2}, ()),
        ([finding("not met", "count")], {"l": [1], "a": 1}, {"l": [2], "a": 2}, ("l",)),
        ([finding("not met", "a")], {"l": [1], "a": 1}, {"l": [2], "a": 1}, ()),
    ],
)
def test_only_questions_that_a_failed_criterion_looked_at_count(
    findings: list[Any], before: dict[str, Any], after: dict[str, Any], expected: tuple[str, ...]
) -> None:
    old = {name: answer(value) for name, value in before.items()}
    new = {name: answer(value) for name, value in after.items()}
    assert changed_questions(findings, old, new) == expected
