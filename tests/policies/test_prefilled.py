"""What a continuation under each packaged policy fills in: never how the patient is now."""

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.approvals.lasting import Approved, Standing, still_serves
from app.approvals.recorded_facts import may_be_confirmed
from app.policy import Kind, PolicyVersion, Question, questions_for
from tests.policies.library import folders, versions

LISTED = Path(__file__).parent / "prefilled.txt"
APPROVED = dt.date(2026, 6, 1)
DECIDED = dt.date(2026, 12, 1)
#: Whoever reads these words of a question looks at the patient as they are.
_NOW = (" now", "last six months", "last four weeks", "present dose", "intolerable", "clinical benefit")


def continued() -> Iterator[tuple[str, PolicyVersion]]:
    for folder in folders():
        held = versions(folder).values()
        version = max(held, key=lambda each: (each.in_force.from_, each.version))
        if questions_for(version, Kind.CONTINUATION):
            yield folder.name, version


def filled_in(version: PolicyVersion, question: Question, measured_on: dt.date | None) -> bool:
    """Whether an answer of the last approved form is put into the field."""
    answer: dict[str, object] = {"value": [{}] if question.fields else "1"}
    if question.measured and measured_on is not None:
        answer["measured_on"] = measured_on.isoformat()
    found = still_serves(
        version, question, Kind.CONTINUATION, answer, Approved(APPROVED), DECIDED
    )
    return found is Standing.LASTS


def is_as_of_now(question: Question) -> bool:
    """Judged by the question alone, not by the code that is tested."""
    if question.carried:
        return False
    words = f" {question.label.lower()}"
    return question.measured or any(each in words for each in _NOW)


def line(name: str, version: PolicyVersion) -> str:
    asked = questions_for(version, Kind.CONTINUATION)
    put_in = [each.name for each in asked if filled_in(version, each, None)]
    confirmed = [each.name for each in asked if may_be_confirmed(each)]
    anew = [each.name for each in asked if each.name not in (*put_in, *confirmed)]
    parts = (("filled in", put_in), ("may be confirmed", confirmed), ("asked anew", anew))
    return f"{name}: " + "; ".join(f"{words}: {', '.join(names) or '-'}" for words, names in parts)


def test_what_each_continuation_fills_in_is_the_list_that_was_looked_through() -> None:
    found = "".join(f"{line(name, version)}\n" for name, version in continued())
    if "ASSENT_WRITE_GUIDES" in os.environ:
        LISTED.write_text(found, encoding="utf-8")
    assert found == LISTED.read_text(encoding="utf-8")


@pytest.mark.parametrize("measured_on", [None, dt.date(2020, 1, 1), APPROVED])
def test_no_continuation_fills_in_a_measurement_of_before_its_last_approval(
    measured_on: dt.date | None,
) -> None:
    looked_at = 0
    for name, version in continued():
        for question in questions_for(version, Kind.CONTINUATION):
            if is_as_of_now(question):
                looked_at += 1
                assert not filled_in(version, question, measured_on), (name, question.name)
                assert not may_be_confirmed(question), (name, question.name)
    assert looked_at > 300


def test_a_measurement_that_was_taken_after_the_approval_is_filled_in() -> None:
    day = APPROVED + dt.timedelta(days=1)
    for name, version in continued():
        for question in questions_for(version, Kind.CONTINUATION):
            if question.measured and not question.carried:
                dose = "dose" in question.name.split("_")
                assert filled_in(version, question, day) is not dose, (name, question.name)
                after = DECIDED + dt.timedelta(days=1)
                assert not filled_in(version, question, after), "it is of after the decision"


def test_height_and_weight_serve_the_repeat_in_the_same_episode_and_nothing_else_does() -> None:
    seen = set()
    for name, version in continued():
        lasts = version.approval.lasts_days
        for question in questions_for(version, Kind.CONTINUATION):
            if not question.measured or question.carried or lasts is None:
                continue
            approved = Approved(DECIDED)
            for days, inside in ((lasts, True), (lasts + 1, False)):
                on = DECIDED - dt.timedelta(days=days)
                answer = {"value": "1", "measured_on": on.isoformat()}
                found = still_serves(
                    version, question, Kind.CONTINUATION, answer, approved, DECIDED
                )
                body = question.name in ("height_cm", "weight_kg")
                wanted = body and inside and version.approval.pattern == "episode"
                assert (found is Standing.LASTS) is wanted, (name, question.name, days)
                seen.add(wanted)
    assert seen == {True, False}


#: Born so many years before the decision, less a day for whoever is a day short of it.
_GROWN = DECIDED.replace(year=DECIDED.year - 18)


@pytest.mark.parametrize(
    ("birth_date", "measured_on", "stands"),
    [
        (_GROWN, DECIDED, True),
        (_GROWN, DECIDED - dt.timedelta(days=1), False),  # measured the day before the birthday
        (_GROWN + dt.timedelta(days=1), DECIDED, False),
        (dt.date(1970, 5, 5), dt.date(2019, 1, 1), True),
        (dt.date(1970, 5, 5), dt.date(1988, 5, 4), False),
        (dt.date(2008, 2, 29), dt.date(2026, 3, 1), True),
        (dt.date(2008, 2, 29), dt.date(2026, 2, 28), False),
        (dt.date(1970, 5, 5), DECIDED + dt.timedelta(days=1), False),
        (dt.date(1970, 5, 5), None, False),
        (None, dt.date(2019, 1, 1), False),
    ],
)
def test_of_all_that_is_measured_only_the_height_of_a_grown_person_stands(
    birth_date: dt.date | None, measured_on: dt.date | None, stands: bool
) -> None:
    day = {} if measured_on is None else {"measured_on": measured_on.isoformat()}
    looked_at = 0
    for name, version in continued():
        if version.approval.pattern == "episode":
            version = replace(version, approval=replace(version.approval, pattern="rolling"))
        for question in questions_for(version, Kind.CONTINUATION):
            if not question.measured or question.carried:
                continue
            found = still_serves(
                version,
                question,
                Kind.CONTINUATION,
                {"value": "1", **day},
                Approved(DECIDED + dt.timedelta(days=2)),
                DECIDED,
                birth_date,
            )
            height = question.name == "height_cm"
            looked_at += height
            assert (found is Standing.LASTS) is (stands and height), (name, question.name)
    assert looked_at > 20


def test_no_height_stands_on_a_first_request_or_before_anything_was_approved() -> None:
    adult, answer = dt.date(1970, 5, 5), {"value": "180", "measured_on": "2026-01-01"}
    for _, version in continued():
        question = version.questions.get("height_cm")
        if question is None:
            continue
        for kind, approved in ((Kind.INITIATION, Approved(DECIDED)), (Kind.CONTINUATION, None)):
            found = still_serves(version, question, kind, answer, approved, DECIDED, adult)
            assert found is Standing.NOW


def test_a_list_that_was_empty_is_never_filled_in() -> None:
    for name, version in continued():
        for kind in (Kind.INITIATION, Kind.CONTINUATION):
            for question in questions_for(version, kind):
                if question.fields:
                    found = still_serves(
                        version, question, kind, {"value": []}, Approved(APPROVED), DECIDED
                    )
                    assert found is Standing.NOW, (name, question.name)
