"""The committed example forms get, over HTTP, the decision that their names promise."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db.transaction import Database
from app.demonstration.organisations import register
from app.main import create_app
from app.settings import REPOSITORY, Settings
from tests.integration.demonstration.conftest import MOMENT

OUTCOMES = {
    "approved": "approved",
    "more-information": "more information needed",
    "not-met": "criteria not met",
    "referred": "referred",
}
FORMS = sorted((REPOSITORY / "examples").glob("request-*.json"))


def promised(path: Path) -> str:
    return next(o for words, o in OUTCOMES.items() if path.stem.endswith(words))


@pytest.fixture
def clinician(
    sqlite_database: Database, ids: Callable[[], str], random_bytes: Callable[[int], bytes]
) -> TestClient:
    sqlite_database.transact(register, moment=MOMENT, new_id=ids, random_bytes=random_bytes)
    app = create_app(
        Settings(demonstration=True), database=sqlite_database, now=lambda: MOMENT.instant
    )
    return TestClient(app, headers={"Authorization": "Bearer demo-demo1-clinician"})


def post(clinician: TestClient, path: Path, to: str = "/v1/requests") -> Any:
    name = uuid.uuid5(uuid.NAMESPACE_URL, path.name)
    return clinician.post(
        to,
        json=json.loads(path.read_text(encoding="utf-8")),
        headers={"X-Request-ID": str(uuid.UUID(int=name.int, version=4))},
    )


def test_each_policy_has_three_examples() -> None:
    assert len(FORMS) == 12


def test_an_example_is_decided_as_its_name_says(clinician: TestClient) -> None:
    for path in FORMS:
        answer = post(clinician, path)
        assert answer.status_code == 201, (path.name, answer.text)
        assert answer.json()["state"] == promised(path), path.name


def test_what_was_measured_for_one_drug_is_proposed_for_the_next(clinician: TestClient) -> None:
    examples = REPOSITORY / "examples"
    given = post(clinician, examples / "request-natalizumab-approved.json").json()
    form = examples / "known-answers-ocrelizumab.json"

    (question,) = post(clinician, form, "/v1/known-answers").json()["questions"]

    assert question["name"] == "edss"
    (answer,) = question["answers"]
    assert (answer["value"], answer["origin"]) == ("3.5", "carried forward")
    assert (answer["policy"], answer["request_id"]) == ("natalizumab-rrms-res", given["id"])
