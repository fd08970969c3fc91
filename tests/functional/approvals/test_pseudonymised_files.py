"""A file whose identities were replaced by pseudonyms matches the same lines as the identified."""

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from app.cli import app as command_line
from app.reconciliation import challenging, deciding_lines
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.model import DecisionKind
from app.reconciliation.run_lines import open_run
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.reference_data.pseudonyms import Pseudonyms
from app.settings import DEMONSTRATION_PSEUDONYM_KEY
from tests.functional.approvals.api import Api, good
from tests.functional.approvals.scene import HOSPITAL_NUMBER, SUBMISSION_ROW, Scene, upload
from tests.functional.approvals.test_privacy import reconciled
from tests.world import COMMISSIONER as PAYER

LOCAL = "LOCAL PATIENT IDENTIFIER (EXTENDED)"
ROW = SUBMISSION_ROW | {LOCAL: "", "PATIENT NAME": "Somebody"}
#: Found by number, by hospital number, twice billed, of nobody known, withheld, unreadable.
ROWS = (
    ROW,
    ROW | {"NHS NUMBER": "", LOCAL: HOSPITAL_NUMBER.lower(), "TOTAL COST": "10.00"},
    ROW,
    ROW | {"NHS NUMBER": invented_nhs_number(77)},
    ROW | {"NHS NUMBER": "", LOCAL: "", "TOTAL COST": "11.00"},
    ROW | {"NHS NUMBER": invented_nhs_number(2), "DRUG NAME": "Adalimumab", "TOTAL COST": "12.00"},
)
COMPARED = ("row", "outcome", "accepted", "queried", "reference", "found_by", "reason")
runner = CliRunner()


def as_csv(rows: Any) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The rows without identities, as the command line writes them with the key alone."""
    for name in [name for name in os.environ if name.startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    key = runner.invoke(command_line, ["pseudonyms", "key", "--commissioner", "DEMQ1"])
    assert key.exit_code == 0
    source, kept, made = tmp_path / "in.csv", tmp_path / "key.txt", tmp_path / "out.csv"
    source.write_bytes(as_csv(ROWS))
    kept.write_text(key.stdout)
    told = ["pseudonyms", "compute", str(source), "-o", str(made), "--key-file", str(kept)]
    assert runner.invoke(command_line, told).exit_code == 0
    return made.read_bytes()


def lines(api: Api, run: str) -> list[dict[str, Any]]:
    found = good(api.get(f"/v1/runs/{run}/lines"))["lines"]
    return [{name: line[name] for name in COMPARED} for line in found]


def test_the_file_carries_pseudonyms_and_no_identity(bare: bytes) -> None:
    key = Pseudonyms(DEMONSTRATION_PSEUDONYM_KEY.encode()).key_of("DEMQ1")
    assert key is not None
    text = bare.decode()
    assert key.of_nhs_number(invented_nhs_number(1)) in text
    assert key.of_local_id(HOSPITAL_NUMBER) in text
    for mark in (*(invented_nhs_number(n) for n in (1, 2, 77)), HOSPITAL_NUMBER, "Somebody"):
        assert mark.lower() not in text.lower()
    assert "1970-01-01" not in text


def test_the_same_lines_are_matched_as_in_the_identified_file(
    people: Mapping[str, Api], scene: Scene, application: FastAPI, bare: bytes
) -> None:
    payer = people["commissioner"]
    identified = lines(payer, reconciled(payer, application, as_csv(ROWS)))
    pseudonymised = lines(payer, reconciled(payer, application, bare))
    assert pseudonymised == identified
    assert [line["found_by"] for line in identified[:2]] == [
        "NHS number",
        "local patient identifier",
    ]
    assert len({line["outcome"] for line in identified}) >= 4


def test_pseudonyms_of_another_commissioner_match_nothing(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    key = Pseudonyms(DEMONSTRATION_PSEUDONYM_KEY.encode()).key_of("DEMQ2")
    assert key is not None
    row = {name: value for name, value in ROW.items() if name not in ("NHS NUMBER", LOCAL)}
    row["NHS NUMBER PSEUDONYM"] = key.of_nhs_number(invented_nhs_number(1))
    payer = people["commissioner"]
    found = lines(payer, reconciled(payer, application, as_csv([row])))
    assert [line["outcome"] for line in found] == ["no approval"]


def test_a_line_whose_number_and_pseudonym_differ_is_known_by_neither(
    people: Mapping[str, Api], scene: Scene, application: FastAPI
) -> None:
    key = Pseudonyms(DEMONSTRATION_PSEUDONYM_KEY.encode()).key_of("DEMQ1")
    assert key is not None
    row = ROW | {"NHS NUMBER PSEUDONYM": key.of_nhs_number(invented_nhs_number(2))}
    payer = people["commissioner"]
    found = lines(payer, reconciled(payer, application, as_csv([row])))
    assert [line["outcome"] for line in found] == ["cannot be read"]


def test_a_trust_cannot_match_a_commissioners_pseudonyms(
    people: Mapping[str, Api], scene: Scene, bare: bytes
) -> None:
    reply = upload(people["pharmacist"], "/v1/submissions", bare)
    assert reply.status_code == 422
    assert "only that commissioner can match them" in reply.json()["detail"]


def test_a_file_that_is_not_held_in_memory_is_matched_by_pseudonyms_too(
    people: Mapping[str, Api], scene: Scene, application: FastAPI, bare: bytes
) -> None:
    payer, small = people["commissioner"], application.state.desk
    door = application.state.door.acting_for("DEMQ1")
    large = replace(small, matching=replace(small.matching, most_lines=0))
    key = Pseudonyms(DEMONSTRATION_PSEUDONYM_KEY.encode()).key_of("DEMQ1")
    assert key is not None
    one, other = (key.of_nhs_number(invented_nhs_number(n)) for n in (1, 2))
    named = "NHS NUMBER PSEUDONYM"
    # By number, by pseudonym, by both, by two that differ; and charged by the one and given back
    # by the other.
    mixed = as_csv(
        [
            ROW | {named: ""},
            ROW | {"NHS NUMBER": "", named: one, "TOTAL COST": "10.00"},
            ROW | {named: one, "TOTAL COST": "11.00"},
            ROW | {named: other, "TOTAL COST": "12.00"},
            ROW | {named: "", "TOTAL COST": "77.00"},
            ROW | {"NHS NUMBER": "", named: one, "TOTAL COST": "-77.00"},
        ]
    )
    for data in (bare, mixed):
        found = []
        for desk in (small, large):
            application.state.desk = desk
            run = reconciled(payer, application, data)
            opened = door.read(lambda work, run=run, desk=desk: open_run(work, desk, PAYER, run))
            assert isinstance(opened, LargeLines) is (desk is large)
            assert opened.carries_pseudonyms
            told = lines(payer, run)
            ways = [
                good(payer.get(f"/v1/runs/{run}/lines/{line['row']}"))["passes"] for line in told
            ]
            drafts = door.read(
                lambda work, run=run, desk=desk: challenging.load_for_draft(work, desk, PAYER, run)
            )
            related = decided(door, desk, run)
            found.append((told, ways, drafts.taken_back, [m.line for m in drafts.matched], related))
        (told, ways, back, queried, related), of_files = found
        assert of_files[0] == told
        assert of_files[1] == ways
        assert of_files[2] == back
        # Lines of files come without their cells, which nothing here looks at.
        assert set(of_files[3]) <= {replace(line, raw=()) for line in queried}
        assert of_files[4] == related
        assert {line["outcome"] for line in told} >= {"matched"}
        assert (data is bare) or back == {5, 6}
    application.state.desk = small
    assert "its number and its pseudonym are not one patient's" in told[3]["reason"]


def decided(door: Any, desk: Any, run: str) -> Any:
    """What accepting the first line by hand would rest on."""
    seen = door.read(
        lambda work: deciding_lines.look(work, desk, PAYER, run, 1, DecisionKind.ACCEPT)
    )
    return deciding_lines.draft(desk, PAYER, seen, 1, DecisionKind.ACCEPT, None)
