"""An adoption ends from a day on: what was decided stays, later forms are referred to people."""

import datetime as dt
import json

import pytest
import sqlalchemy as sa

from app.approvals import amending
from app.approvals.ending_adoption import end_adoption
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.library import Library
from app.approvals.lifecycle import RequestState
from app.approvals.office import Office, adopt, adopted
from app.db.tables import adoption, audit_event, audit_payload
from app.policy import load_policy
from app.reference_data.drugs import load_drugs
from tests.world import CLINICIAN, TRIAL_ANSWERS, TRIAL_POLICY, TRIAL_TEXT, World, patient

TODAY = dt.date(2026, 6, 15)  # the day of the fixtures
LONG_AGO = dt.date(2026, 1, 1)
DAY = dt.timedelta(days=1)


@pytest.fixture
def office(bare: World) -> World:
    """Outside the demonstration, with the trial policy adopted by DEMQ1."""
    version = load_policy(TRIAL_TEXT, "trial.yaml", load_drugs().keys())
    bare.office = Office(Library([version]), demonstration=False)
    bare.do(lambda w: adopt(w, version, "DEMQ1", LONG_AGO, "A. One", "B. Two"))
    return bare


def end(
    world: World,
    day: dt.date = TODAY,
    by: str = "A. One",
    second: str = "C. Three",
    commissioner: str = "DEMQ1",
) -> None:
    version = world.office.library.versions(TRIAL_POLICY)[0]
    world.do(lambda w: end_adoption(w, version, commissioner, day, by, second))


def holds(world: World, day: dt.date, commissioner: str = "DEMQ1") -> bool:
    version = world.office.library.versions(TRIAL_POLICY)[0]
    return world.do(lambda w: adopted(w, version, commissioner, day))


def test_what_was_decided_stays_and_a_later_form_is_referred(office: World) -> None:
    before = office.trial(decision_to_treat=TODAY)
    assert before.request.state is RequestState.APPROVED
    end(office)
    after = office.trial(decision_to_treat=TODAY, patient=patient(2))
    assert after.request.state is RequestState.REFERRED
    assert after.approval is None
    assert any("has not adopted" in each for each in after.decisions[-1].reasons)
    kept = office.request(before.request.id)
    assert kept.request.state is RequestState.APPROVED
    assert kept.approval is not None
    assert kept.approval.state == "live"


def test_it_holds_to_the_day_before_and_no_longer(office: World) -> None:
    end(office, TODAY + 10 * DAY)
    assert holds(office, TODAY + 9 * DAY)
    assert not holds(office, TODAY + 10 * DAY)
    view = office.trial(decision_to_treat=TODAY)
    assert view.request.state is RequestState.APPROVED


def test_a_form_that_comes_late_is_judged_by_the_day_of_its_decision_to_treat(
    office: World,
) -> None:
    end(office)
    view = office.trial(decision_to_treat=TODAY - DAY)
    assert view.request.state is RequestState.APPROVED


def test_what_would_not_be_met_is_not_refused_by_it_either(office: World) -> None:
    end(office)
    view = office.trial(decision_to_treat=TODAY, answers=TRIAL_ANSWERS | {"risk": True})
    assert view.request.state is RequestState.REFERRED


def test_an_answer_to_what_was_missing_does_not_revive_it(office: World) -> None:
    end(office)
    (first, *_) = TRIAL_ANSWERS
    view = office.trial(
        decision_to_treat=TODAY,
        answers={k: v for k, v in TRIAL_ANSWERS.items() if k != first},
    )
    amended = office.do(
        lambda w: amending.amend(
            w,
            office.office,
            CLINICIAN,
            view.request.id,
            {first: TRIAL_ANSWERS[first]},
            view.request.version,
        )
    )
    assert amended.request.state is RequestState.REFERRED


@pytest.mark.parametrize("second", ["A. One", "a. one", " A.  One ", ""])
def test_it_takes_two_people(office: World, second: str) -> None:
    with pytest.raises(DetailsNotAccepted, match="two people"):
        end(office, second=second)
    assert holds(office, TODAY)


def test_no_day_that_is_past_is_taken_back(office: World) -> None:
    with pytest.raises(DetailsNotAccepted, match="stays decided"):
        end(office, TODAY - DAY)
    assert holds(office, TODAY - DAY)


def test_another_commissioner_ends_nothing_of_ours(office: World) -> None:
    version = office.office.library.versions(TRIAL_POLICY)[0]
    with pytest.raises(TransitionNotAllowed, match="none to end"):
        end(office, commissioner="DEMQ2")
    office.do(lambda w: adopt(w, version, "DEMQ2", LONG_AGO, "A. One", "B. Two"))
    end(office, commissioner="DEMQ2")
    assert holds(office, TODAY)
    assert not holds(office, TODAY, "DEMQ2")


def test_it_ends_once_and_is_adopted_again_from_a_later_day(office: World) -> None:
    end(office)
    with pytest.raises(TransitionNotAllowed, match="none to end"):
        end(office)
    version = office.office.library.versions(TRIAL_POLICY)[0]
    office.do(lambda w: adopt(w, version, "DEMQ1", TODAY + DAY, "A. One", "B. Two"))
    assert not holds(office, TODAY)
    assert holds(office, TODAY + DAY)


def test_one_that_was_ended_on_its_first_day_begins_again_on_another(office: World) -> None:
    version = office.office.library.versions(TRIAL_POLICY)[0]
    office.do(lambda w: adopt(w, version, "DEMQ3", TODAY, "A. One", "B. Two"))
    end(office, commissioner="DEMQ3")
    with pytest.raises(TransitionNotAllowed, match="later day"):
        office.do(lambda w: adopt(w, version, "DEMQ3", TODAY, "A. One", "B. Two"))
    office.do(lambda w: adopt(w, version, "DEMQ3", TODAY + DAY, "A. One", "B. Two"))
    assert holds(office, TODAY + DAY, "DEMQ3")


def test_one_that_has_not_begun_never_does(office: World) -> None:
    version = office.office.library.versions(TRIAL_POLICY)[0]
    later = TODAY + 30 * DAY
    office.do(lambda w: adopt(w, version, "DEMQ3", later, "A. One", "B. Two"))
    end(office, TODAY + DAY, commissioner="DEMQ3")
    assert not any(holds(office, later + n * DAY, "DEMQ3") for n in (-1, 0, 1, 400))


def test_an_earlier_end_takes_the_place_of_a_later_one(office: World) -> None:
    end(office, TODAY + 30 * DAY)
    end(office, TODAY + 5 * DAY)
    assert not holds(office, TODAY + 5 * DAY)
    with pytest.raises(TransitionNotAllowed):
        end(office, TODAY + 40 * DAY)  # that would lengthen it
    days = office.do(lambda w: w.connection.execute(sa.select(adoption.c.to_day)).scalars().all())
    assert days == [TODAY + 4 * DAY]


def test_it_is_audited_with_both_people(office: World) -> None:
    end(office)
    query = (
        sa.select(audit_payload.c.body)
        .join(audit_event, audit_event.c.payload_id == audit_payload.c.id)
        .where(audit_event.c.action == "adoption ended")
    )
    (told,) = office.do(lambda w: w.connection.execute(query).scalars().all())
    said = json.dumps(json.loads(told))
    for words in ("A. One", "C. Three", "2026-06-14"):
        assert words in said, words
