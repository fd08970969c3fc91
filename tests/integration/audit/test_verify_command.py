"""`assent audit verify` finds each form of tampering, as an operator runs it, on both databases."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.audit.erasing import erase
from app.cli import app
from app.db.transaction import Database
from app.settings import DEMONSTRATION_AUDIT_KEY
from tests.integration.audit.rows import PHARMACIST, drop_triggers, note
from tests.integration.db.run import Run

GONE = "body = NULL, salt = NULL, erased_at = '2026-01-01 00:00:00'"
THE_FIRST = "id = (SELECT payload_id FROM audit_event WHERE id = 1)"
LIST = "id = (SELECT payload_id FROM audit_event WHERE action = 'erase audit payloads')"
#: What an intruder does who owns the tables → the words of the first fault.
TAMPERED = {
    "a row changed": (
        ["UPDATE audit_event SET actor = 'x' WHERE id = 1"],
        "row 1 (request r-1, its event 1): the row is not as it was signed",
    ),
    "a row removed": (["DELETE FROM audit_event WHERE id = 1"], "row 1 of seal 1 is missing"),
    "a row slipped in": (
        ["CREATE TABLE copied AS SELECT * FROM audit_event WHERE id = 1",
         "UPDATE copied SET id = 1000, object_id = 'r-9'",
         "INSERT INTO audit_event SELECT * FROM copied"],
        "row 1000 (request r-9, its event 1): the row is not as it was signed",
    ),
    "a payload changed": (
        [f"UPDATE audit_payload SET body = '{{}}' WHERE {THE_FIRST}"],
        "row 1 (request r-1, its event 1): the payload is not as it was recorded",
    ),
    "a payload removed": (
        [f"DELETE FROM audit_payload WHERE {THE_FIRST}"],
        "row 1 (request r-1, its event 1): the payload is missing",
    ),
    "a payload destroyed as an erasure would": (
        [f"UPDATE audit_payload SET {GONE} WHERE {THE_FIRST}"],
        "row 1 (request r-1, its event 1): the payload was destroyed, by no erasure on record",
    ),
    "a payload given to another patient": (
        [f"UPDATE audit_payload SET patient_id = 'p-9' WHERE {THE_FIRST}"],
        "row 1 (request r-1, its event 1): the payload is not of the patient and organisation",
    ),
    "the list of an erasure destroyed": (
        [f"UPDATE audit_payload SET {GONE} WHERE {LIST}"],
        "row 3 (request r-2, its event 1): the payload was destroyed, by no erasure on record",
    ),
    "a seal changed": (
        ["UPDATE audit_seal SET events = 7 WHERE number = 1"],
        "seal 1: the seal is not as it was made",
    ),
    "the end cut off": (
        ["DELETE FROM audit_event", "DELETE FROM audit_payload", "DELETE FROM audit_seal"],
        "seal 1: the log is cut off",
    ),
}  # fmt: skip


def verify() -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["audit", "verify"])
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("form", TAMPERED)
def test_each_form_of_tampering_is_named_by_the_command(
    scratch_database: Database,
    run: Run,
    settle: Callable[[Database], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    form: str,
) -> None:
    engine = scratch_database.engine
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ASSENT_CHECKPOINTS_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("ASSENT_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    database = Database(engine, DEMONSTRATION_AUDIT_KEY.encode())
    for name, patient in (("r-1", "p-1"), ("r-1", "p-1"), ("r-2", "p-2")):
        run.on(database, lambda work, a=name, b=patient: note(work, a, b))
    run.on(database, lambda work: erase(work, PHARMACIST, patient_id="p-2", reason="Asked."))
    settle(database)
    assert CliRunner().invoke(app, ["audit", "seal"]).exit_code == 0
    assert verify()[0] == 0, verify()
    statements, words = TAMPERED[form]
    drop_triggers(engine)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)

    code, _, told = verify()

    assert code == 3
    assert words in told.splitlines()[0]
