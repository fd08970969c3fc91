"""Erasing a patient takes drafts, stored answers and words with the log's payloads, and no more."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.approvals.erasing import ERASED, Erasure, erase_patient, known_as
from app.audit import Keyring, verify_rows
from app.db import tables
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.reconciliation.erasing import LineWords, erase_line_words, find_lines
from app.reconciliation.known_lines import FoundLines
from tests.architecture.test_patient_data import told
from tests.conftest import AUDIT_KEY
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import (
    HOSPITAL_NUMBER,
    IMPORT_ROW,
    MISTYPED,
    SUBMISSION_ROW,
    Scene,
    run_of,
    table,
    upload,
    work_off,
)
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


#: Stands in everything that somebody writes about the patient in these tests.
MARK = "Mrs Marked"
REASON = {"reason": f"{MARK} rang."}


@pytest.fixture
def written_about(people: Mapping[str, Api], scene: Scene, application: FastAPI) -> Scene:
    """The scene's first patient in a waiting import, and named in words about invoiced lines."""
    payer, trust = people["commissioner"], people["pharmacist"]
    row = {
        "Blueteq ID": "BLQ-77",
        "NHS No": NUMBER,
        "Hospital No": HOSPITAL_NUMBER,
        "Form name": "Adalimumab for severe plaque psoriasis (TA146)",
    }
    assert good(upload(trust, "/v1/imports", table(IMPORT_ROW | row)), 201)["new"] == 1

    run = run_of(payer, application, table(SUBMISSION_ROW | {"DRUG NAME": "TYSABRI 300mg"}))
    (drafted,) = good(payer.post("/v1/challenges", {"run": run}), 201)["challenges"]
    at = f"/v1/challenges/{drafted['id']}"
    day = {"respond_by": "2026-07-31"}
    raised = good(payer.post(f"{at}/raise", day, version=drafted["version"]))
    words = {"evidence": f"{MARK}, {NUMBER}, had it on the ward."}
    answered = good(trust.post(f"{at}/answer", words, version=raised["version"]))
    good(payer.post(f"{at}/uphold", REASON, version=answered["version"]))

    other = run_of(payer, application, table(SUBMISSION_ROW | {"TOTAL COST": "310.00"}))
    by_hand = {"kind": "query", **REASON}
    good(payer.post(f"/v1/runs/{other}/lines/1/override", by_hand), 201)
    found = {"approval_reference": scene.reference, **REASON}
    good(payer.post(f"/v1/linkage-proposals/{scene.proposal}/accept", found))
    good(people["clinician"].post(f"/v1/patients/{scene.patient}/objection", REASON))
    return scene


@pytest.fixture
def erase(
    application: FastAPI,
) -> Callable[[str], tuple[Erasure, LineWords]]:
    """Erase a patient as the command line does."""

    def run(patient: str) -> tuple[Erasure, LineWords]:
        door, files = application.state.door, application.state.desk.files
        known = door.read(lambda work: known_as(work, patient))
        found = door.read(lambda work: find_lines(work, files, known))
        assert found.unread == 0
        done: tuple[Erasure, LineWords] = door.transact(
            lambda work: (
                erase_patient(work, ADMINISTRATOR, patient, "Asked."),
                erase_line_words(work, ADMINISTRATOR, patient, known, found, "Asked."),
            )
        )
        return done

    return run


def holding(database: Database, moment: Moment, *texts: str) -> set[str]:
    """Every column of the database that holds one of these."""
    return {
        f"{each.name}.{column.name}"
        for each in tables.metadata.sorted_tables
        for column in each.columns
        for row in stored(database, moment, each, column.name)
        if any(text in str(tuple(row)) for text in texts)  # a row's own words are cut short
    }


def test_nothing_of_the_patient_is_left_but_what_is_said_to_be_kept(
    people: Mapping[str, Api],
    written_about: Scene,
    database: Database,
    moment: Moment,
    erase: Callable[[str], tuple[Erasure, LineWords]],
) -> None:
    before = holding(database, moment, MARK, NUMBER, HOSPITAL_NUMBER)
    assert {
        "approval_import.rows",
        "challenge.evidence",
        "challenge.reason",
        "line_decision.reason",
        "linkage_proposal.reason",
        "audit_payload.body",
    } <= before

    done, lines = erase(written_about.patient)

    assert (done.import_rows, lines.challenges) == (1, 1)
    assert lines.others >= 2
    after = holding(database, moment, MARK, NUMBER, HOSPITAL_NUMBER)
    kept = told()["kept"]
    left = {name for name in after if name not in kept and f"{name.split('.')[0]}.*" not in kept}
    assert left == set()
    assert "approval_import.rows" not in after
    keys = Keyring.of(AUDIT_KEY)
    assert database.read(lambda work: list(verify_rows(work, keys)), moment=moment) == []


def test_what_was_decided_and_owed_stays_and_anothers_words_do_too(
    people: Mapping[str, Api],
    written_about: Scene,
    erase: Callable[[str], tuple[Erasure, LineWords]],
) -> None:
    payer = people["commissioner"]
    before = good(payer.get("/v1/challenges"))["challenges"]
    mine = next(each for each in before if each["state"] == "upheld")
    at = f"/v1/challenges/{written_about.challenge}"
    words = {"evidence": "Of somebody else."}
    version = good(payer.get(at))["challenge"]["version"]
    good(people["pharmacist"].post(f"{at}/answer", words, version=version))

    erase(written_about.patient)

    shown = good(payer.get(f"/v1/challenges/{mine['id']}"))
    assert (shown["evidence"], shown["challenge"]["reason"]) == (ERASED, ERASED)
    assert shown["challenge"] == mine | {"reason": ERASED}
    assert good(payer.get(at))["evidence"] == "Of somebody else."


def test_an_erased_row_of_an_import_is_not_imported(
    people: Mapping[str, Api],
    written_about: Scene,
    erase: Callable[[str], tuple[Erasure, LineWords]],
    database: Database,
    moment: Moment,
) -> None:
    erase(written_about.patient)
    rows = stored(database, moment, tables.approval_import, "id", "rows")
    theirs = next(row for row in rows if row.id != written_about.imported)
    done = good(people["pharmacist"].post(f"/v1/imports/{theirs.id}/accept"))
    assert (done["accepted"], done["rejected"]) == (0, 1)
    assert "was erased" in str(done)
    assert "candidate" in str(next(row for row in rows if row.id == written_about.imported))


# --- lines with a mistyped number -----------------------------------------------------------------


def challenged_line(
    payer: Api, trust: Api, app: FastAPI, row: Mapping[str, str]
) -> tuple[str, str]:
    """A run over one line, and a challenge of it that the provider answered with MARK."""
    run = run_of(payer, app, table(row))
    (drafted,) = good(payer.post("/v1/challenges", {"run": run}), 201)["challenges"]
    at = f"/v1/challenges/{drafted['id']}"
    day = {"respond_by": "2026-07-31"}
    raised = good(payer.post(f"{at}/raise", day, version=drafted["version"]))
    words = {"evidence": f"{MARK} had it on the ward."}
    good(trust.post(f"{at}/answer", words, version=raised["version"]))
    return run, at


def by_hand(payer: Api, app: FastAPI, run: str, scene: Scene) -> None:
    """Somebody finds out whose line it is."""
    found = {"approval_reference": scene.reference, "reason": "The number was mistyped."}
    good(payer.post(f"/v1/runs/{run}/lines/1/match", found), 201)
    work_off(app)


def by_linkage(payer: Api, app: FastAPI, run: str, scene: Scene) -> None:
    """The service proposes whose it is, and somebody takes that."""
    good(payer.post(f"/v1/runs/{run}/linkage-proposals", None), 202)
    work_off(app)
    (proposal,) = good(payer.get(f"/v1/runs/{run}/linkage-proposals"))["proposals"]
    found = {"approval_reference": scene.reference, "reason": "The same birth date."}
    good(payer.post(f"/v1/linkage-proposals/{proposal['id']}/accept", found))
    work_off(app)


def by_another_file(payer: Api, app: FastAPI, run: str, scene: Scene) -> None:
    """It is matched in a later file that states it again, by the decision on the line itself."""
    by_hand(payer, app, run, scene)
    more = SUBMISSION_ROW | MISTYPED | {"TOTAL COST": "77.00", "FINANCIAL MONTH": "2"}
    run_of(payer, app, table(more))


@pytest.mark.parametrize("found", [by_hand, by_linkage, by_another_file])
def test_words_about_a_line_with_a_mistyped_number_go_once_it_is_known_whose_it_is(
    people: Mapping[str, Api],
    scene: Scene,
    application: FastAPI,
    erase: Callable[[str], tuple[Erasure, LineWords]],
    found: Callable[[Api, FastAPI, str, Scene], None],
) -> None:
    payer, trust = people["commissioner"], people["pharmacist"]
    # Before it was found out: no approval is named by the challenge, and the number is nobody's.
    row = SUBMISSION_ROW | MISTYPED | {"TOTAL COST": "333.00"}
    run, at = challenged_line(payer, trust, application, row)
    stranger = SUBMISSION_ROW | {"NHS NUMBER": OTHER[:9] + "0", "TOTAL COST": "334.00"}
    _, left = challenged_line(payer, trust, application, stranger)
    found(payer, application, run, scene)

    erase(scene.patient)

    assert good(payer.get(at))["evidence"] == ERASED
    assert good(payer.get(left))["evidence"] == f"{MARK} had it on the ward."


def test_a_line_that_nobody_found_out_about_and_another_payers_stay(
    people: Mapping[str, Api],
    scene: Scene,
    application: FastAPI,
    erase: Callable[[str], tuple[Erasure, LineWords]],
) -> None:
    """A decision that was taken back tells no more whose the line is."""
    payer, trust = people["commissioner"], people["pharmacist"]
    row = SUBMISSION_ROW | MISTYPED | {"TOTAL COST": "333.00"}
    run, at = challenged_line(payer, trust, application, row)
    other = row | {"ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)": "DEMQ2"}
    _, theirs = challenged_line(people["other commissioner"], trust, application, other)
    found = {"approval_reference": scene.reference, "reason": "The number was mistyped."}
    made = good(payer.post(f"/v1/runs/{run}/lines/1/match", found), 201)
    good(payer.post(f"/v1/line-decisions/{made['id']}/undo", {"reason": "It was not."}))
    work_off(application)

    erase(scene.patient)

    assert good(payer.get(at))["evidence"] == f"{MARK} had it on the ward."
    assert good(people["other commissioner"].get(theirs))["evidence"].startswith(MARK)


def test_a_line_is_known_by_the_treatment_that_its_standing_run_came_to(
    scene: Scene, application: FastAPI
) -> None:
    """However it was found: neither by a number of the record, nor by an approval that is named."""
    door, files = application.state.door, application.state.desk.files

    def find(*treatments: str) -> tuple[set[str], int]:
        def look(work: Work) -> FoundLines:
            known = known_as(work, scene.patient)
            only = replace(known, nhs_numbers=(), local_ids=(), references=())
            return find_lines(work, files, replace(only, treatments=treatments))

        found = door.read(look)
        assert found.lines == frozenset()
        return {organisation for organisation, _ in found.keys}, len(found.keys)

    assert find(scene.treatment) == ({"DEMQ1"}, 1)  # two files state it
    assert find(scene.moving) == find() == (set(), 0)
