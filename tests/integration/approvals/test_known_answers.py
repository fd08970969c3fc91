"""An answer given for one drug serves the next, as a proposal; on both databases."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.approvals import amending, correcting, patients
from app.approvals.errors import DetailsNotAccepted, NoPolicyInForce
from app.approvals.known_answers import KnownAnswers, KnownQuery, known_answers, serves
from app.approvals.library import Library
from app.approvals.office import Office
from app.auth.errors import NotAllowed
from app.auth.model import Caller
from app.policy import Kind, load_overlay, load_policy
from app.reconciliation.files import FileStore
from app.reference_data.drugs import load_drugs
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.story import story_of
from tests.world import (
    ADALIMUMAB,
    CLINICIAN,
    COMMISSIONER,
    DELEGATE,
    OTHER_CLINICIAN,
    TRIAL_POLICY,
    TRIAL_TEXT,
    World,
    patient,
)

TREATED = dt.date(2026, 6, 10)
LISTS = """
  attacks:
    type: list
    label: Attacks
    of: {on: {type: date, label: On}, severe: {type: boolean, label: Severe}}
  edss: {type: number, label: EDSS, minimum: 0, maximum: 10, decimals: 1, measured: true}
  dose_mg: {type: number, label: Dose, minimum: 0, maximum: 900, decimals: 0, measured: true}
  note: {type: text, label: Note}
"""
ATTACKS = [{"on": "2026-03-01", "severe": True}, {"on": "2026-01-09", "severe": None}]
FIRST, NEXT = "first-policy", "next-policy"


def policy(key: str, drug: str, indication: str = "invented", **words: str) -> Any:
    """The invented policy of the tests with more questions, for another drug or in other words."""
    text = TRIAL_TEXT.replace("questions:\n", f"questions:{LISTS}")
    changes = {
        f"policy: {TRIAL_POLICY}": f"policy: {key}",
        "drug: natalizumab": f"drug: {drug}",
        "{key: invented": f"{{key: {indication}",
        "products: [tysabri]": "products: []",
        **words,
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return load_policy(text, f"{key}.yaml", load_drugs().keys())


@pytest.fixture
def two(world: World) -> World:
    """A world of two invented policies, for two drugs in one indication."""
    world.office = Office(
        Library([policy(FIRST, "natalizumab"), policy(NEXT, "ocrelizumab")]), demonstration=True
    )
    return world


ANSWERS: dict[str, Any] = {
    "score": "6.0",
    "risk": False,
    "usual": True,
    "attacks": ATTACKS,
    "edss": {"value": "4.5", "measured_on": "2026-06-01"},
    "dose_mg": {"value": "300", "measured_on": "2026-06-01"},
    "note": "Seen twice.",
}


def ask(world: World, caller: Caller = CLINICIAN, **changes: Any) -> KnownAnswers:
    query = KnownQuery(
        policy=NEXT,
        kind=Kind.INITIATION,
        decision_to_treat=TREATED,
        birth_date=dt.date(1970, 1, 1),
        nhs_number=invented_nhs_number(1),
    )
    wanted = replace(query, **changes)
    return world.do(lambda w: known_answers(w, world.office, caller, wanted))


def told(found: KnownAnswers) -> dict[str, list[Any]]:
    return {
        each.question.name: [known.answer["value"] for known in each.answers]
        for each in found.questions
    }


def give(world: World, **changes: Any) -> Any:
    return world.submit(**{"policy": FIRST, "answers": ANSWERS, **changes})


def test_a_history_and_a_dated_measurement_serve_the_next_drug_with_their_origin(
    two: World,
) -> None:
    given = give(two)

    found = ask(two)

    assert told(found) == {"attacks": [ATTACKS], "edss": ["4.5"]}
    edss = found.questions[1].answers[0]
    assert (edss.request.id, edss.version.policy) == (given.request.id, FIRST)
    assert edss.answer["measured_on"] == "2026-06-01"
    assert not edss.baseline


def test_the_same_treatment_gives_every_answer_but_a_dose_and_marks_the_baseline(
    two: World,
) -> None:
    give(two)

    found = ask(two, policy=FIRST)

    assert set(told(found)) == {"score", "risk", "usual", "attacks", "edss", "note"}
    baseline = {each.question.name: each.answers[0].baseline for each in found.questions}
    assert [name for name, is_baseline in baseline.items() if is_baseline] == ["score"]


@pytest.mark.parametrize(
    "words",
    [
        {"label: EDSS": "label: EDSS score"},
        {"minimum: 0, maximum: 10, decimals: 1, measured": "minimum: 0, decimals: 1, measured"},
        {"edss: {": "edss_now: {"},
        {"label: EDSS,": "label: EDSS, help: Of today,"},
    ],
)
def test_a_question_in_other_words_is_another_question(world: World, words: dict[str, str]) -> None:
    other = policy(NEXT, "ocrelizumab", **words)
    world.office = Office(Library([policy(FIRST, "natalizumab"), other]), demonstration=True)
    give(world)
    assert set(told(ask(world))) == {"attacks"}


def test_another_indication_is_another_treatment(world: World) -> None:
    other = policy(NEXT, "natalizumab", "another")
    world.office = Office(Library([policy(FIRST, "natalizumab"), other]), demonstration=True)
    give(world)
    assert set(told(ask(world))) == {"attacks", "edss"}


def test_the_newest_answer_comes_first_and_a_repeat_is_told_once(two: World) -> None:
    two.on(dt.date(2026, 6, 10))
    give(two, decision_to_treat=dt.date(2026, 6, 1))
    two.on(dt.date(2026, 7, 1))
    newer = {**ANSWERS, "edss": {"value": "5.0", "measured_on": "2026-06-20"}}
    give(two, policy=NEXT, answers=newer, decision_to_treat=dt.date(2026, 6, 25))

    found = ask(two, decision_to_treat=dt.date(2026, 7, 1), policy=FIRST)

    assert told(found)["edss"] == ["5.0", "4.5"]
    assert told(found)["attacks"] == [ATTACKS]


def test_a_baseline_of_the_treatment_wins_over_a_newer_one_of_a_continuation(
    two: World,
) -> None:
    given = give(two)
    two.first_dose(given.request.treatment_id, dt.date(2026, 6, 15))
    two.on(dt.date(2027, 6, 1))
    answers = {"score": "9.0", "score_now": "3.0"}
    two.carry_on(given.request.treatment_id, answers=answers)

    day = dt.date(2027, 6, 1)
    found = ask(two, policy=FIRST, kind=Kind.CONTINUATION, decision_to_treat=day)

    assert told(found)["score"] == ["6.0", "9.0"]
    score = next(each for each in found.questions if each.question.name == "score")
    assert [known.baseline for known in score.answers] == [True, False]


def test_a_copy_of_a_baseline_is_told_once_with_the_request_that_it_was_measured_for(
    two: World,
) -> None:
    given = give(two)
    two.first_dose(given.request.treatment_id, dt.date(2026, 6, 15))
    day = dt.date(2027, 6, 1)
    two.on(day)
    two.carry_on(given.request.treatment_id)

    found = ask(two, policy=FIRST, kind=Kind.CONTINUATION, decision_to_treat=day)

    (score,) = (each for each in found.questions if each.question.name == "score")
    assert [known.request.id for known in score.answers] == [given.request.id]


def test_the_packaged_policies_share_what_was_tried_before(world: World) -> None:
    world.submit()
    found = ask(world, policy="adalimumab-ra-severe")
    assert told(found)["csdmards"] == [ADALIMUMAB["csdmards"]]
    assert "dose_mg" not in told(found)


# --- who, and from which requests ---------------------------------------------------------------


def test_another_organisation_is_told_nothing_and_no_more_than_of_a_stranger(two: World) -> None:
    give(two)
    assert ask(two, OTHER_CLINICIAN).questions == ()
    assert ask(two, nhs_number=invented_nhs_number(2)).questions == ()
    assert ask(two, birth_date=dt.date(1971, 1, 1)).questions == ()
    assert told(ask(two, DELEGATE)) == told(ask(two)) != {}


def test_only_the_own_answers_are_told_where_two_hospitals_have_treated(two: World) -> None:
    give(two)
    theirs = {**ANSWERS, "edss": {"value": "1.0", "measured_on": "2026-06-05"}}
    give(
        two,
        caller=OTHER_CLINICIAN,
        policy=NEXT,
        answers=theirs,
        patient=patient(1, local_id="X1"),
    )
    assert told(ask(two))["edss"] == ["4.5"]
    assert told(ask(two, OTHER_CLINICIAN, policy=FIRST))["edss"] == ["1.0"]


def test_a_commissioner_may_not_ask(two: World) -> None:
    with pytest.raises(NotAllowed):
        ask(two, COMMISSIONER)


def test_a_hospital_number_will_do_and_is_the_own_organisations_only(two: World) -> None:
    give(two)
    by_hospital_number = {"nhs_number": None, "local_id": "H000001"}
    assert set(told(ask(two, **by_hospital_number))) == {"attacks", "edss"}
    assert ask(two, OTHER_CLINICIAN, **by_hospital_number).questions == ()
    with pytest.raises(DetailsNotAccepted, match="or else your organisation's hospital number"):
        ask(two, nhs_number=None)


def test_a_withdrawn_request_and_one_entered_in_error_give_nothing(two: World) -> None:
    waiting = give(two, answers={**ANSWERS, "score": None})
    assert set(told(ask(two))) == {"attacks", "edss"}
    two.do(
        lambda w: amending.withdraw(
            w, CLINICIAN, waiting.request.id, "Sent twice.", waiting.request.version
        )
    )
    assert told(ask(two)) == {}

    approved = give(two)
    assert set(told(ask(two))) == {"attacks", "edss"}
    two.do(
        lambda w: correcting.enter_in_error(
            w, CLINICIAN, approved.request.id, "Wrong patient.", approved.request.version
        )
    )
    assert told(ask(two)) == {}


def test_linked_records_are_one_person(two: World) -> None:
    no_number = patient(5, nhs_number=None, no_nhs_number_reason="unregistered", local_id="H000005")
    given = give(two, patient=no_number)
    assert told(ask(two)) == {}

    known = two.treatment(given.request.treatment_id).patient.id
    number = invented_nhs_number(1)
    two.do(lambda w: patients.record_nhs_number(w, CLINICIAN, known, number, "Traced."))

    assert set(told(ask(two))) == {"attacks", "edss"}


def test_a_day_before_the_policy_is_refused_as_a_submission_would_be(two: World) -> None:
    with pytest.raises(NoPolicyInForce):
        ask(two, decision_to_treat=dt.date(2019, 12, 31))


def test_the_look_up_is_audited_as_a_read_of_the_patients_record(two: World) -> None:
    given = give(two)
    found = ask(two)
    ask(two, OTHER_CLINICIAN)
    person = two.treatment(given.request.treatment_id).patient.id

    read = [
        each.entry
        for each in two.do(lambda w: story_of(w, FileStore(Path()), person)).told
        if each.entry.action == "known answers read"
    ]

    assert [(each.object_type, each.actor.organisation) for each in read] == [("reading", "DEMO1")]
    assert read[0].after is not None
    assert read[0].after["questions"] == [each.question.name for each in found.questions]
    assert "4.5" not in str(read[0].after)


@pytest.mark.parametrize("same_treatment", [True, False])
def test_a_dose_is_never_proposed(same_treatment: bool) -> None:
    version = policy(FIRST, "natalizumab")
    assert not serves(version.questions["dose_mg"], same_treatment=same_treatment)
    assert serves(version.questions["edss"], same_treatment=same_treatment)


# --- overlays and successors --------------------------------------------------------------------

LOCAL_QUESTION = """
policy: next-policy
language: 1
commissioner: DEMQ1
in_force: {from: 2026-01-01}
what_changed: A local history.
sources: {local: {title: Made up for tests}}
questions:
  local_scans: {type: list, label: Scans, of: {on: {type: date, label: On}}}
start:
  - {id: LOCAL, text: A scan, met_when: scans >= 1, source: local, evidence: verified}
derive: {scans: {count: local_scans}}
"""
SCANS = [{"on": "2026-02-01"}]


def test_an_overlays_questions_are_part_of_its_commissioners_form(world: World) -> None:
    next_ = load_overlay(LOCAL_QUESTION, "next.yaml")
    first = load_overlay(LOCAL_QUESTION.replace(NEXT, FIRST), "first.yaml")
    versions = [policy(FIRST, "natalizumab"), policy(NEXT, "ocrelizumab")]
    world.office = Office(Library(versions, [first, next_]), demonstration=True)
    give(world, answers={**ANSWERS, "local_scans": SCANS})

    assert told(ask(world, commissioner="DEMQ1"))["local_scans"] == [SCANS]
    assert "local_scans" not in told(ask(world, commissioner="DEMQ2"))
    assert "local_scans" not in told(ask(world))


@pytest.mark.parametrize(
    ("drug", "succeeds", "same"),
    [
        ("natalizumab", f"succeeds: [{FIRST}]\n", True),
        ("natalizumab", "", False),
        ("natalizumab", "succeeds: [another-policy]\n", False),
    ],
)
def test_a_treatment_under_the_policy_that_this_one_succeeds_is_the_same_treatment(
    world: World, drug: str, succeeds: str, same: bool
) -> None:
    adult = policy(NEXT, drug, "adult", **{"language: 1\n": f"language: 2\n{succeeds}"})
    world.office = Office(
        Library([policy(FIRST, "natalizumab", "child"), adult]), demonstration=True
    )
    give(world)

    found = told(ask(world, kind=Kind.CONTINUATION))

    assert ("score" in found) is same  # a baseline: only of this very treatment
    assert ("attacks" in told(ask(world))) is True
