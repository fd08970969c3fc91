"""A receiving trust claims a treatment: approval, dates and baseline, and the holder is told."""

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI

from app.approvals.claiming import CLAIMED, TOLD_FOR, claims_of_own
from app.approvals.erasing import erase_patient
from app.auth.model import Role
from app.db import tables
from app.db.work import Work
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.scene import Scene
from tests.functional.approvals.test_outsiders import EXISTENCE
from tests.functional.conftest import ADMINISTRATOR
from tests.patience import tries
from tests.world import person

NAME = "5e0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
CLAIM = EXISTENCE | {"nhs_number": initiation(1)["patient"]["nhs_number"]}


def test_the_claimant_sees_approval_dates_and_baseline_and_no_more(
    people: Mapping[str, Api], scene: Scene
) -> None:
    reply = people["third pharmacist"].post("/v1/treatment-claims", CLAIM)
    told = good(reply)
    assert (told["found"], told["reference"]) == (True, scene.reference)
    assert told["covers_from"] is not None
    assert told["baseline"]["das28_at_start"]["value"] == "6.0"
    assert set(told["baseline"]) < set(initiation(1)["answers"])
    for hidden in (scene.request, scene.treatment, scene.patient, "DEMO1", "DEMQ1"):
        assert hidden not in reply.text
    at = f"/v1/treatments/{scene.treatment}"
    assert people["third pharmacist"].get(at).status_code == 404


def test_the_holder_is_told_by_its_change_feed_and_the_claimant_is_not(
    people: Mapping[str, Api], scene: Scene
) -> None:
    good(people["third pharmacist"].post("/v1/treatment-claims", CLAIM))
    claims: list[Any] = []
    for _ in tries():  # on PostgreSQL the feed waits for older transactions, another test's too
        changes = good(people["clinician"].get("/v1/changes", limit=500))["changes"]
        claims = [each for each in changes if each["action"].startswith("treatment claimed")]
        if claims:
            break
    assert [(each["organisation"], each["treatment_id"]) for each in claims] == [
        ("DEMO3", scene.treatment)
    ]
    assert good(people["third pharmacist"].get("/v1/changes"))["changes"] == []


def test_a_wrong_birth_date_learns_nothing_and_tells_nobody(
    people: Mapping[str, Api], scene: Scene
) -> None:
    wrong = CLAIM | {"birth_date": "1970-01-02"}
    told = good(people["third pharmacist"].post("/v1/treatment-claims", wrong))
    assert (told["found"], told["reference"], told["baseline"]) == (False, None, {})


def test_ones_own_treatment_is_not_claimed(people: Mapping[str, Api], scene: Scene) -> None:
    assert good(people["pharmacist"].post("/v1/treatment-claims", CLAIM))["found"] is False


def at_once(*sends: Callable[[], Any]) -> list[Any]:
    """What each is told, when all are sent together."""
    together = threading.Barrier(len(sends))

    def send(each: Callable[[], Any]) -> Any:
        together.wait()
        return each()

    with ThreadPoolExecutor(len(sends)) as pool:
        return list(pool.map(send, sends))


def told_of(application: FastAPI, treatment: str) -> list[str]:
    """Which organisation the holder was told of, claim by claim."""
    event = tables.audit_event.c
    query = sa.select(event.organisation).where(
        event.treatment_id == treatment, event.action == CLAIMED
    )

    def read(work: Work) -> list[str]:
        with work.beyond_scope():
            return list(work.connection.scalars(query.order_by(event.id)))

    found: list[str] = application.state.door.read(read)
    return found


def listed_for(application: FastAPI, holder: str) -> list[str]:
    """Which organisations claimed a treatment, as its holder's list tells."""
    who = person(Role.CLINICIAN, holder)
    door = application.state.door.acting_for(holder)
    found = door.read(lambda work: claims_of_own(work, who, 10))
    return [each.organisation for each in found]


def test_a_repeat_with_the_same_id_gets_the_very_same_reply_and_claims_once(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    api = people["third pharmacist"]
    replies = at_once(*[lambda: api.post("/v1/treatment-claims", CLAIM, request_id=NAME)] * 4)
    replies.append(api.post("/v1/treatment-claims", CLAIM, request_id=NAME))
    assert {(each.status_code, each.content) for each in replies} == {(200, replies[0].content)}
    assert replies[0].json()["reference"] == scene.reference
    assert told_of(application, scene.treatment) == ["DEMO3"]
    other = api.post("/v1/treatment-claims", CLAIM | {"care_reason": "Else."}, request_id=NAME)
    assert (other.status_code, other.json()["code"]) == (409, "request-id-reused")


def test_the_same_claim_under_other_ids_is_the_one_that_stands(
    people: Mapping[str, Api], scene: Scene, application: FastAPI, clock: Clock
) -> None:
    both = [people["third pharmacist"], people["third clinician"]]
    sends = [lambda api=api: good(api.post("/v1/treatment-claims", CLAIM)) for api in both * 2]
    told = at_once(*sends)
    clock.instant += TOLD_FOR
    told.append(good(both[1].post("/v1/treatment-claims", CLAIM)))
    assert {each["reference"] for each in told} == {scene.reference}
    assert len({each["claimed_at"] for each in told}) == 1
    assert told_of(application, scene.treatment) == ["DEMO3"]
    clock.instant += dt.timedelta(seconds=1)  # it stands no more: the holder is told anew
    again = good(both[0].post("/v1/treatment-claims", CLAIM))
    assert again["claimed_at"] > told[0]["claimed_at"]
    assert told_of(application, scene.treatment) == ["DEMO3", "DEMO3"]


def test_each_hospital_claims_for_itself(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    for who in ("third pharmacist", "other pharmacist", "other clinician", "third clinician"):
        good(people[who].post("/v1/treatment-claims", CLAIM))
    assert told_of(application, scene.treatment) == ["DEMO3", "DEMO2"]


def test_whoever_took_the_treatment_over_is_told_by_a_claim_of_its_own(
    people: Mapping[str, Api], scene: Scene, application: FastAPI, clock: Clock
) -> None:
    claims = CLAIM | {"nhs_number": initiation(2)["patient"]["nhs_number"]}
    first = good(people["third pharmacist"].post("/v1/treatment-claims", claims))
    consent = f"/v1/requests/{scene.transfer}/consent"
    good(people["other clinician"].post(consent, version=scene.versions[scene.transfer]))
    assert listed_for(application, "DEMO2") == []
    clock.instant += dt.timedelta(days=1)
    again = good(people["third pharmacist"].post("/v1/treatment-claims", claims))
    assert again["claimed_at"] > first["claimed_at"]
    assert told_of(application, scene.moving) == ["DEMO3", "DEMO3"]
    assert listed_for(application, "DEMO2") == ["DEMO3"]
    assert listed_for(application, "DEMO1") == []
    third = good(people["third clinician"].post("/v1/treatment-claims", claims))
    assert third["claimed_at"] == again["claimed_at"], "told once, it stands"


def test_an_erasure_takes_the_stored_reply_and_a_repeat_is_not_carried_out(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    api, body = people["third pharmacist"], tables.idempotent_answer.c.body
    good(api.post("/v1/treatment-claims", CLAIM, request_id=NAME))
    asked = sa.select(body).where(tables.idempotent_answer.c.request_id == NAME)
    assert scene.reference in application.state.door.read(
        lambda work: work.connection.scalar(asked)
    )
    application.state.door.transact(
        lambda work: erase_patient(work, ADMINISTRATOR, scene.patient, "Asked.")
    )
    assert application.state.door.read(lambda work: work.connection.scalar(asked)) is None
    assert api.post("/v1/treatment-claims", CLAIM, request_id=NAME).status_code == 410
    assert told_of(application, scene.treatment) == ["DEMO3"]


def test_an_approval_under_query_is_told_of_while_it_stands(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    approval = tables.approval
    put = sa.update(approval).where(approval.c.reference == scene.reference)
    application.state.door.transact(
        lambda work: work.connection.execute(put.values(state="under query"))
    )
    told = good(people["third pharmacist"].post("/v1/treatment-claims", CLAIM))
    assert (told["found"], told["reference"]) == (True, scene.reference)
