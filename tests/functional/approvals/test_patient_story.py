"""The export of one patient holds every look at them, also where they stood among others."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.approvals.erasing import erase_patient
from app.audit import READING, Reading, record_reading
from app.db import tables
from app.reference_data.nhs_number import format_nhs_number
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.story import ERASED, NO_RECORD, NOT_KEPT, NOT_SAID, Story, as_lines, story_of
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import (
    HOSPITAL_NUMBER,
    IMPORT_ROW,
    SUBMISSION_ROW,
    Scene,
    run_of,
    table,
    upload,
)
from tests.functional.approvals.test_readings import READINGS, call
from tests.functional.conftest import ADMINISTRATOR

NUMBER = invented_nhs_number(1)
#: Readings that show nothing of the scene's first patient, and why.
OF_OTHERS = {
    "GET /v1/challenges/{id}": "its one line is another patient's",
    "GET /v1/imports/{id}": "its one row is another patient's",
    "GET /v1/worklists/{name}": "whoever was approved lately is not late to start",
    "GET /v1/slice-deltas": "no month is closed",
    "GET /v1/slice-deltas/export": "no month is closed",
}


@pytest.fixture
def tell(application: FastAPI) -> Callable[[str], Story]:
    """The story of a patient as the command line tells it."""

    def run(patient: str) -> Story:
        files = application.state.desk.files
        found: Story = application.state.door.read(lambda work: story_of(work, files, patient))
        return found

    return run


@pytest.fixture
def newest(application: FastAPI) -> Callable[[], int]:
    """The id of the log's newest reading."""
    c = tables.audit_event.c
    query = sa.select(sa.func.max(c.id)).where(c.object_type == READING)
    return lambda: int(
        application.state.door.read(lambda work: work.connection.execute(query).scalar_one())
    )


def events(story: Story) -> set[int]:
    return {each.entry.id for each in story.told}


def shows(reply: Any, scene: Scene) -> bool:
    """Whether a reply holds any mark of the scene's first patient."""
    marks = (scene.request, scene.treatment, scene.patient, scene.reference, HOSPITAL_NUMBER)
    return any(each in reply.text for each in (*marks, NUMBER, format_nhs_number(NUMBER)))


def test_whatever_showed_the_patient_is_in_the_story_of_the_patient(
    people: Mapping[str, Api],
    scene: Scene,
    tell: Callable[[str], Story],
    newest: Callable[[], int],
) -> None:
    shown: set[str] = set()
    left: dict[str, int] = {}
    for operation, (who, body, _) in READINGS.items():
        reply = call(people[who], scene, operation, body)
        left[operation] = newest()
        if shows(reply, scene):
            shown.add(operation)
    held = events(tell(scene.patient))

    told = {operation for operation, event in left.items() if event in held}
    assert shown <= told
    assert set(READINGS) - told == set(OF_OTHERS)
    assert shown.isdisjoint(OF_OTHERS)
    assert len(shown) > len(READINGS) / 2
    assert not events(tell("a record that is not there"))


def test_a_look_at_another_patient_is_not_in_the_story(
    people: Mapping[str, Api],
    scene: Scene,
    application: FastAPI,
    tell: Callable[[str], Story],
    newest: Callable[[], int],
) -> None:
    other = {"NHS NUMBER": invented_nhs_number(800), "TOTAL COST": "77.00"}
    run = run_of(people["commissioner"], application, table(SUBMISSION_ROW | other))
    draft = good(people["delegate"].post("/v1/drafts", {"kind": "initiation", "form": {}}), 201)
    looks = []
    for who, path in (
        ("commissioner", f"/v1/runs/{run}/lines"),
        ("commissioner", f"/v1/runs/{run}/lines/1"),
        ("commissioner", f"/v1/runs/{run}/file"),
        ("commissioner", f"/v1/treatments/{scene.moving}"),
        ("delegate", f"/v1/drafts/{draft['id']}"),
        ("pharmacist", f"/v1/imports/{scene.imported}"),
    ):
        assert people[who].get(path).status_code == 200
        looks.append(newest())
    assert events(tell(scene.patient)).isdisjoint(looks)


def test_what_is_told_only_through_other_things_is_in_the_story(
    people: Mapping[str, Api],
    scene: Scene,
    application: FastAPI,
    tell: Callable[[str], Story],
    newest: Callable[[], int],
) -> None:
    looks = {}
    # A challenge of a line that names her, which no approval was found for.
    payer = people["commissioner"]
    run = run_of(payer, application, table(SUBMISSION_ROW | {"DRUG NAME": "TYSABRI 300mg"}))
    (drafted,) = good(payer.post("/v1/challenges", {"run": run}), 201)["challenges"]
    good(payer.get(f"/v1/challenges/{drafted['id']}"))
    looks["challenge"] = newest()
    good(payer.get(f"/v1/runs/{run}/lines/1"))
    looks["line"] = newest()
    # A search by identifiers is two readings of one call.
    asked = {"nhs_number": NUMBER, "reason": "A bill names her."}
    good(people["invoice validation"].post("/v1/searches", asked))
    looks["hits"], looks["identifiers"] = newest(), newest() - 1
    # A draft that nobody sent, known by the number that is typed in it.
    typed = {"kind": "initiation", "form": {"patient": {"nhs_number": NUMBER}}}
    draft = good(people["delegate"].post("/v1/drafts", typed), 201)
    good(people["delegate"].get(f"/v1/drafts/{draft['id']}"))
    looks["draft"] = newest()
    # An import's row, before it is accepted and after.
    row = {"Blueteq ID": "BLQ-77", "NHS No": NUMBER, "Hospital No": HOSPITAL_NUMBER}
    row["Form name"] = "Adalimumab for severe plaque psoriasis (TA146)"
    pharmacist = people["pharmacist"]
    made = good(upload(pharmacist, "/v1/imports", table(IMPORT_ROW | row)), 201)
    good(pharmacist.get(f"/v1/imports/{made['id']}"))
    looks["import"] = newest()

    held = events(tell(scene.patient))

    assert {name for name, event in looks.items() if event not in held} == set()


def test_a_linked_record_is_the_same_person(
    people: Mapping[str, Api],
    scene: Scene,
    application: FastAPI,
    tell: Callable[[str], Story],
    newest: Callable[[], int],
) -> None:
    other = good(people["clinician"].post("/v1/requests", initiation(7)), 201)
    treatment = good(people["clinician"].get(f"/v1/treatments/{other['treatment_id']}"))
    looked = newest()
    linked = sa.update(tables.patient).where(tables.patient.c.id == treatment["patient"]["id"])
    assert looked not in events(tell(scene.patient))

    application.state.door.transact(
        lambda work: work.connection.execute(linked.values(linked_to=scene.patient))
    )

    # By whichever of the records.
    assert looked in events(tell(scene.patient))
    assert events(tell(scene.patient)) == events(tell(treatment["patient"]["id"]))


def test_what_cannot_be_placed_is_counted_with_its_reason(
    people: Mapping[str, Api],
    scene: Scene,
    application: FastAPI,
    tell: Callable[[str], Story],
) -> None:
    def of_before(work: Any) -> None:
        """Readings as an earlier release left them, and one of a run whose file is gone."""
        for reading in (
            Reading("worklist read", names={"worklist": "not-started"}),
            Reading("deltas read"),
            Reading("checked file read", names={"check": "c-1"}),
            Reading("run lines read", names={"run": "no such run"}),
            Reading("import read", names={"import": "no such import"}),
            Reading("checked without submitting", names={"policy": "p"}),
        ):
            record_reading(work, ADMINISTRATOR, reading)

    before = dict(tell(scene.patient).untraced)
    application.state.door.transact(of_before)
    story = tell(scene.patient)

    assert {key: n for key, n in story.untraced.items() if before.get(key) != n} == {
        ("worklist read", NOT_SAID): 1,
        ("deltas read", NOT_SAID): 1,
        ("checked file read", NOT_SAID): 1,
        ("run lines read", NOT_KEPT): 1,
        ("import read", NOT_KEPT): 1,
        ("checked without submitting", NO_RECORD): 1,
    }
    assert "1 of “worklist read” may have shown the patient: " in "\n".join(as_lines(story))


def test_after_an_erasure_the_looks_are_still_there_without_their_words(
    people: Mapping[str, Api],
    scene: Scene,
    application: FastAPI,
    tell: Callable[[str], Story],
    newest: Callable[[], int],
) -> None:
    good(people["clinician"].get(f"/v1/requests/{scene.request}"))
    read = newest()
    good(people["delegate"].post("/v1/searches", {}))
    searched = newest()
    application.state.door.transact(
        lambda work: erase_patient(work, ADMINISTRATOR, scene.patient, "Asked.")
    )

    story = tell(scene.patient)

    # A search's payload holds ids of several patients and stays.
    assert {read, searched} <= events(story)
    assert not [key for key in story.untraced if key[1] == ERASED]
