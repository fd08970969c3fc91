"""Erasing a patient takes drafts, stored answers and words with the log's payloads, and no more."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from app.approvals.erasing import ERASED, erase_patient
from app.audit import Keyring, verify_rows
from app.db import tables
from app.db.transaction import Database
from app.db.work import Moment
from tests.conftest import AUDIT_KEY
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import HOSPITAL_NUMBER, Scene
from tests.functional.conftest import ADMINISTRATOR

NUMBER = initiation(1)["patient"]["nhs_number"]
OTHER = initiation(2)["patient"]["nhs_number"]


def stored(database: Database, moment: Moment, table: sa.Table, *names: str) -> list[Any]:
    query = sa.select(*(table.c[name] for name in names))
    return database.read(lambda work: list(work.connection.execute(query)), moment=moment)


def test_erasing_takes_what_stands_beside_the_record_and_leaves_the_rest(
    people: Mapping[str, Api],
    scene: Scene,
    database: Database,
    moment: Moment,
    ids: Callable[[], str],
    random_bytes: Callable[[int], bytes],
) -> None:
    delegate, name = people["delegate"], "3f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
    for number in (NUMBER, OTHER):
        typed = {"kind": "initiation", "form": {"patient": {"nhs_number": number}}}
        good(delegate.post("/v1/drafts", typed), 201)
    at = f"/v1/patients/{scene.patient}/objection"
    good(people["clinician"].post(at, {"reason": "Her words."}, request_id=name))

    done = database.transact(
        lambda work: erase_patient(work, ADMINISTRATOR, scene.patient, "Asked."),
        moment=moment,
        new_id=ids,
        random_bytes=random_bytes,
    )

    assert done.payloads > 0
    assert (done.drafts, done.words) == (2, 2)  # by number and by hospital number
    drafts = [str(row) for row in stored(database, moment, tables.draft, "form", "answers")]
    assert not any(NUMBER in text or HOSPITAL_NUMBER in text for text in drafts)
    assert any(OTHER in text for text in drafts)
    answers = [row.body or "" for row in stored(database, moment, tables.idempotent_answer, "body")]
    assert not any(scene.patient in text or scene.treatment in text for text in answers)
    assert any(scene.moving in text for text in answers)
    (objection,) = stored(database, moment, tables.patient_objection, "words")
    (opened,) = stored(database, moment, tables.break_glass, "words", "reason")
    assert objection.words == opened.words == ERASED
    assert opened.reason == "emergency"
    # The evidence of payment stays, and the log stays sound.
    kept = good(people["clinician"].get(f"/v1/requests/{scene.request}"))
    assert kept["answers"]["das28_at_start"]["value"] == "6.0"
    assert kept["approval"]["reference"] == scene.reference
    keys = Keyring.of(AUDIT_KEY)
    assert database.read(lambda work: list(verify_rows(work, keys)), moment=moment) == []
    # A repeat of the erased answer is not carried out again.
    repeat = people["clinician"].post(at, {"reason": "Her words."}, request_id=name)
    assert repeat.status_code == 410
