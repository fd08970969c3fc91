"""A receiving trust claims a treatment: approval, dates and baseline, and the holder is told."""

import time
from collections.abc import Mapping
from typing import Any

from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import Scene
from tests.functional.approvals.test_outsiders import EXISTENCE

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
    for _ in range(100):  # on PostgreSQL the feed waits for older transactions, another test's too
        changes = good(people["clinician"].get("/v1/changes", limit=500))["changes"]
        claims = [each for each in changes if each["action"].startswith("treatment claimed")]
        if claims:
            break
        time.sleep(0.1)
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
