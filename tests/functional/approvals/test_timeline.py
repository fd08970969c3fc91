"""A patient's timeline over HTTP: what it tells, to whom, and what it tells nobody."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app import ending
from app.approvals.erasing import erase_patient
from app.audit import READING
from app.db.tables import audit_event
from app.db.transaction import Database
from app.db.work import Moment
from app.reconciliation import awaited_store
from tests.functional.approvals.api import Api, Clock, continuation, good, initiation
from tests.functional.approvals.scene import HOSPITAL_NUMBER, SUBMISSION_ROW, run_of
from tests.functional.approvals.test_challenges import as_csv
from tests.functional.approvals.test_ending_records import LONG_AFTER, WORKER, YEARS
from tests.functional.approvals.test_handing_over import FIRST, hand_over
from tests.functional.approvals.test_objection_and_death import died, object_
from tests.functional.approvals.test_reviews import transfer
from tests.functional.conftest import ADMINISTRATOR

DAY = "CLINICAL INTERVENTION DATE (DRUG DISPENSED)"
NUMBER = initiation(1)["patient"]["nhs_number"]
MEASURED = {"value": "6.0", "measured_on": "2026-06-01"}
#: The same patient's other drug: half a form is a treatment already.
OTHER_DRUG = initiation(1, policy="etanercept-ra-severe", answers={"das28_at_start": "5.5"})
SUPPLIES = [
    SUBMISSION_ROW | {DAY: "2026-06-15", "QUANTITY": "2", "UNIT OF MEASUREMENT": "pens"},
    SUBMISSION_ROW | {DAY: "2026-07-15"},
]


def told(api: Api, treatment: str) -> Any:
    return good(api.get(f"/v1/treatments/{treatment}/timeline"))


def values(document: Any, name: str = "das28") -> list[tuple[str, str]]:
    """The days and values of one course; none where it is not told."""
    found = [each["scores"] for each in document["courses"] if each["name"] == name]
    return [(each["day"], each["value"]) for each in found[0]] if found else []


def whats(document: Any) -> list[str]:
    return [each["what"] for each in document["entries"]]


@pytest.fixture
def treated(people: Mapping[str, Api], clock: Clock) -> dict[str, Any]:
    """A treatment that began on 15 June and was continued twice, each time with a DAS28."""
    form = initiation(1, first_dose="2026-06-15")
    form["answers"]["das28_at_start"] = MEASURED
    first = good(people["clinician"].post("/v1/requests", form), 201)
    at = f"/v1/treatments/{first['treatment_id']}/requests"
    for day, score in (("2026-11-20", "4.2"), ("2027-05-20", "3.0")):
        clock.on(day)
        again = continuation(day)
        again["answers"]["das28_now"] = {"value": score, "measured_on": day}
        good(people["clinician"].post(at, again), 201)
    return dict(first)


@pytest.fixture
def invoiced(
    treated: dict[str, Any], people: Mapping[str, Api], application: FastAPI
) -> dict[str, Any]:
    """The same, with supplies that the payer and the trust reconciled, and the worker's lists."""
    for who in ("commissioner", "pharmacist"):
        run_of(people[who], application, as_csv(*SUPPLIES))
    keep_lists(application)
    return treated


def keep_lists(application: FastAPI) -> None:
    door, desk = application.state.door, application.state.desk
    for caller in door.read(awaited_store.keepers):
        door.transact(partial(awaited_store.keep, desk=desk, caller=caller))


def test_it_tells_what_happened_in_order_and_the_scores_as_a_course(
    people: Mapping[str, Api], treated: dict[str, Any]
) -> None:
    document = told(people["clinician"], treated["treatment_id"])

    assert whats(document) == [
        *("request sent", "request decided", "approval", "first dose"),
        *("request sent", "request decided", "approval") * 2,
    ]
    days = [each["day"] for each in document["entries"]]
    assert days == sorted(days)
    sent, decided, approval, dose = document["entries"][:4]
    assert (sent["request_id"], sent["request_kind"]) == (treated["id"], "initiation")
    assert (sent["policy"], sent["drug"]) == ("adalimumab-ra-severe", "adalimumab")
    assert (decided["outcome"], decided["by"]) == ("approved", "policy")
    assert approval["reference"] == treated["approval"]["reference"]
    assert (dose["day"], dose["stated_by"], dose["by"]) == ("2026-06-15", "DEMO1", "clinician")
    (course,) = [each for each in document["courses"] if each["name"] == "das28"]
    assert course["title"] == "DAS28"
    assert values(document) == [
        ("2026-06-01", "6.0"), ("2026-11-20", "4.2"), ("2027-05-20", "3.0")
    ]  # fmt: skip
    labels = [each["label"] for each in course["scores"]]
    assert labels == ["DAS28 before adalimumab", "DAS28 now", "DAS28 now"]
    assert all(each["is_dated"] for each in course["scores"])


def test_a_pause_that_nobody_ended_is_over_with_the_treatment(
    people: Mapping[str, Api], treated: dict[str, Any], clock: Clock
) -> None:
    at = f"/v1/treatments/{treated['treatment_id']}/requests"
    clock.on("2027-07-01")
    paused = {
        "kind": "pause",
        "decision_to_treat": "2027-07-01",
        "details": {"from_day": "2027-07-01"},
    }
    good(people["clinician"].post(at, paused), 201)
    (pause,) = _pauses(told(people["clinician"], treated["treatment_id"]))
    assert (pause["day"], pause["to_day"]) == ("2027-07-01", None)

    clock.on("2027-08-01")
    stopped = {
        "kind": "stop",
        "decision_to_treat": "2027-08-01",
        "details": {"from_day": "2027-08-01", "stop_reason": "remission"},
    }
    good(people["clinician"].post(at, stopped), 201)
    (pause,) = _pauses(told(people["clinician"], treated["treatment_id"]))
    assert (pause["day"], pause["to_day"]) == ("2027-07-01", "2027-08-01")


def _pauses(document: Any) -> list[Any]:
    return [each for each in document["entries"] if each["what"] == "paused"]


def test_what_was_entered_in_error_is_told_and_its_values_are_not(
    people: Mapping[str, Api], treated: dict[str, Any]
) -> None:
    whole = told(people["clinician"], treated["treatment_id"])
    last = [each["request_id"] for each in whole["entries"] if each["what"] == "request sent"][-1]
    version = good(people["clinician"].get(f"/v1/requests/{last}"))["version"]
    at = f"/v1/requests/{last}/enter-in-error"
    good(people["clinician"].post(at, {"reason": "Wrong."}, version=version))
    document = told(people["clinician"], treated["treatment_id"])

    assert [value for _, value in values(document)] == ["6.0", "4.2"]
    sent = [each for each in document["entries"] if each["what"] == "request sent"]
    assert {each["request_id"]: each["request_state"] for each in sent}[last] == "entered in error"


def test_supplies_are_those_of_ones_own_runs_and_amounts_for_who_reconciles(
    people: Mapping[str, Api], invoiced: dict[str, Any]
) -> None:
    treatment = invoiced["treatment_id"]
    payer, trust = told(people["commissioner"], treatment), told(people["pharmacist"], treatment)
    for document in (payer, trust):
        assert document["supplies_state"] == "listed"
        first, second = document["supplies"]
        assert (first["day"], second["day"]) == ("2026-06-15", "2026-07-15")
        assert (first["product"], first["drug"]) == ("humira", "adalimumab")
        assert (first["quantity"], first["unit"], first["amount"]) == ("2", "pens", "300")
        assert (second["quantity"], second["unit"]) == (None, None)
        assert first["outcome"] == "matched"
    assert payer["supplies"][0]["run"] != trust["supplies"][0]["run"]
    line = payer["supplies"][0]
    good(people["commissioner"].get(f"/v1/runs/{line['run']}/lines/{line['row']}"))

    (seen, _) = told(people["clinician"], treatment)["supplies"]

    assert (seen["quantity"], seen["outcome"]) == ("2", "matched")
    assert (seen["amount"], seen["run"], seen["row"]) == (None, None, None)
    auditor = told(people["auditor"], treatment)
    assert (auditor["supplies"], auditor["supplies_state"]) == ([], "not shown")


def test_a_run_that_the_worker_has_not_been_through_is_said_to_be_missing(
    people: Mapping[str, Api], invoiced: dict[str, Any], application: FastAPI
) -> None:
    more = SUBMISSION_ROW | {DAY: "2026-08-15", "FINANCIAL MONTH": "5"}
    run_of(people["commissioner"], application, as_csv(more))
    before = told(people["commissioner"], invoiced["treatment_id"])
    assert (len(before["supplies"]), before["supplies_state"]) == (2, "not all listed yet")

    keep_lists(application)

    after = told(people["commissioner"], invoiced["treatment_id"])
    assert (len(after["supplies"]), after["supplies_state"]) == (3, "listed")


def test_other_organisations_find_nothing_and_payers_no_identity(
    people: Mapping[str, Api], invoiced: dict[str, Any]
) -> None:
    at = f"/v1/treatments/{invoiced['treatment_id']}/timeline"
    for who in ("other clinician", "other commissioner", "panel member", "third pharmacist"):
        assert people[who].get(at).status_code == 404, who
    assert people["policy author"].get(at).status_code == 403
    for who in ("commissioner", "invoice validation", "auditor"):
        reply = people[who].get(at)
        for secret in (NUMBER, HOSPITAL_NUMBER, "1970-01-01"):
            assert secret not in reply.text, who
        assert good(reply)["patient"]["pseudonym"] or who == "auditor"
        assert values(good(reply)), who


def test_several_treatments_stand_together_as_far_as_the_reader_may_see_each(
    people: Mapping[str, Api], treated: dict[str, Any], database: Database, moment: Moment
) -> None:
    second = good(people["clinician"].post("/v1/requests", OTHER_DRUG), 201)
    elsewhere = good(
        people["other clinician"].post(
            "/v1/requests", OTHER_DRUG | {"policy": "golimumab-ra-severe", "commissioner": "DEMQ2"}
        ),
        201,
    )
    own = {treated["treatment_id"], second["treatment_id"]}

    document = told(people["clinician"], second["treatment_id"])

    assert document["treatment_id"] == second["treatment_id"]
    assert {each["id"] for each in document["treatments"]} == own
    assert {each["drug"] for each in document["entries"]} == {"adalimumab", "etanercept"}
    assert {each["drug"] for each in document["courses"][0]["scores"]} == {
        "adalimumab", "etanercept"
    }  # fmt: skip
    assert elsewhere["treatment_id"] not in str(document)
    assert "golimumab" not in str(document)
    other = told(people["other clinician"], elsewhere["treatment_id"])
    assert [each["id"] for each in other["treatments"]] == [elsewhere["treatment_id"]]
    assert "adalimumab" not in str(other)
    read = sa.select(audit_event.c.treatment_id).where(
        audit_event.c.object_type == READING,
        audit_event.c.action == "timeline read",
        audit_event.c.organisation == "DEMO1",
    )
    noted = database.read(lambda w: list(w.connection.execute(read).scalars()), moment=moment)
    assert set(noted) == own


def test_of_one_who_objects_others_are_told_no_other_treatment(
    people: Mapping[str, Api], treated: dict[str, Any]
) -> None:
    second = good(people["clinician"].post("/v1/requests", OTHER_DRUG), 201)
    payer = people["commissioner"]
    assert len(told(payer, treated["treatment_id"])["treatments"]) == 2
    held = good(people["clinician"].get(f"/v1/treatments/{second['treatment_id']}"))
    object_(people, held)

    assert len(told(payer, treated["treatment_id"])["treatments"]) == 1
    own = told(people["clinician"], treated["treatment_id"])
    assert (len(own["treatments"]), own["patient"]["objects_to_display"]) == (2, True)


def test_a_death_is_the_care_team_s_to_know(
    people: Mapping[str, Api], treated: dict[str, Any], clock: Clock
) -> None:
    clock.on("2027-06-20")
    held = good(people["clinician"].get(f"/v1/treatments/{treated['treatment_id']}"))
    died(people, held, "2027-06-12")

    entries = told(people["clinician"], treated["treatment_id"])["entries"]
    (death,) = [each for each in entries if each["what"] == "patient died"]
    assert (death["day"], death["drug"]) == ("2027-06-12", None)
    assert (
        "2027-06-12"
        not in people["commissioner"].get(f"/v1/treatments/{treated['treatment_id']}/timeline").text
    )


def test_after_a_transfer_each_hospital_sees_its_own_part(
    people: Mapping[str, Api], treated: dict[str, Any], clock: Clock
) -> None:
    clock.on("2027-06-01")
    treatment = treated["treatment_id"]
    moving: dict[str, Any] = transfer(
        people["clinician"], f"/v1/treatments/{treatment}", day="2027-06-10"
    )
    asked = told(people["other pharmacist"], treatment)
    assert values(asked) == []  # its requests are the other hospital's: they tell of no score
    good(
        people["other pharmacist"].post(
            f"/v1/requests/{moving['id']}/consent", version=moving["version"]
        )
    )
    clock.on("2027-07-01")
    again = continuation("2027-07-01")
    again["answers"]["das28_now"] = {"value": "2.2", "measured_on": "2027-06-30"}
    at = f"/v1/treatments/{treatment}/requests"
    good(people["other clinician"].post(at, again), 201)

    old, new = told(people["clinician"], treatment), told(people["other clinician"], treatment)

    assert [value for _, value in values(old)] == ["6.0", "4.2", "3.0"]
    assert "2.2" in [value for _, value in values(new)]
    assert "4.2" not in [value for _, value in values(new)]
    (turn,) = [each for each in new["entries"] if each["what"] == "transferred"]
    assert (turn["day"], turn["before"], turn["provider"]) == ("2027-06-10", "DEMO1", "DEMO2")
    payer = told(people["commissioner"], treatment)
    assert [value for _, value in values(payer)] == ["6.0", "4.2", "3.0", "2.2"]


def test_after_a_hand_over_each_payer_sees_its_own_days(
    people: Mapping[str, Api], clock: Clock
) -> None:
    made = good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    clock.on(FIRST)
    hand_over(people)
    treatment = made["treatment_id"]

    trust = told(people["clinician"], treatment)
    giver, receiver = (
        told(people[who], treatment) for who in ("commissioner", "other commissioner")
    )

    (turn,) = [each for each in trust["entries"] if each["what"] == "payer changed"]
    assert (turn["before"], turn["commissioner"]) == ("DEMQ1", "DEMQ2")
    assert "payer changed" not in whats(giver) + whats(receiver)
    assert "DEMQ2" not in str(giver["entries"])
    assert whats(receiver) == ["approval"]
    assert values(giver)
    assert not values(receiver)


def test_of_an_erased_patient_no_value_is_told(
    people: Mapping[str, Api], invoiced: dict[str, Any], application: FastAPI
) -> None:
    treatment = invoiced["treatment_id"]
    held = good(people["clinician"].get(f"/v1/treatments/{treatment}"))
    application.state.door.transact(
        lambda work: erase_patient(work, ADMINISTRATOR, held["patient"]["id"], "Asked.")
    )
    for who in ("clinician", "pharmacist", "commissioner"):
        document = told(people[who], treatment)
        assert (document["courses"], document["supplies"]) == ([], []), who
        assert document["values_erased"] is True
        assert "4.2" not in str(document)


def test_when_retention_is_over_no_value_is_told_and_no_other_treatment(
    people: Mapping[str, Api], invoiced: dict[str, Any], application: FastAPI, clock: Clock
) -> None:
    good(people["clinician"].post("/v1/requests", OTHER_DRUG), 201)
    clock.instant = LONG_AFTER.replace(year=2037)
    state = application.state
    ending.end(state.door, state.desk, WORKER, YEARS)

    document = told(people["commissioner"], invoiced["treatment_id"])

    assert document["patient"]["birth_year"] is None
    assert (document["courses"], document["supplies"]) == ([], [])
    assert len(document["treatments"]) == 1
    assert document["values_erased"] is True


def test_more_than_the_bounds_is_left_out_and_said(
    people: Mapping[str, Api], treated: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    good(people["clinician"].post("/v1/requests", OTHER_DRUG), 201)
    monkeypatch.setattr("app.approvals.timeline.MOST_ENTRIES", 3)
    monkeypatch.setattr("app.approvals.timeline.MOST_TREATMENTS", 1)

    document = told(people["clinician"], treated["treatment_id"])

    assert (len(document["entries"]), document["entries_left_out"]) == (3, True)
    assert (len(document["treatments"]), document["treatments_left_out"]) == (1, True)
