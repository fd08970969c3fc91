"""`assent policies …`: each command of the bench, from the command line to its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.approvals import submitting
from app.approvals.library_files import load_library
from app.approvals.office import Office
from app.cli import app
from app.commands.doors import door_or_exit
from app.commands.policies.parts import policies_folder
from app.db import tables
from tests.unit.authoring.test_forms import csv_form
from tests.unit.policy.makers import policy_text
from tests.world import CLINICIAN, initiation

runner = CliRunner()
NTZ = "natalizumab-rrms-res"


@pytest.fixture(autouse=True)
def _demonstration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path / "data"))


def run(*arguments: str, code: int = 0) -> str:
    result = runner.invoke(app, ["policies", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def draft(tmp_path: Path, name: str = "draft.yaml", **changes: object) -> str:
    path = tmp_path / name
    changes.setdefault("drug", "natalizumab")
    path.write_text(policy_text(**changes), encoding="utf-8")
    return str(path)


def test_check_finds_no_fault_in_the_library() -> None:
    assert "no fault" in run("check")


def test_check_of_a_draft_prints_faults_and_advice(tmp_path: Path) -> None:
    output = run("check", draft(tmp_path, start=["flag", "NOT flag"]), code=1)
    assert "contradict each other" in output
    assert "advice" in output
    assert "advice" not in run("check", "--no-advice", draft(tmp_path, start=["flag"]), code=1)
    assert "there is no such file" in run("check", "none.yaml", code=1)


def test_test_prints_coverage() -> None:
    output = run("test", "--coverage", NTZ)
    assert "0 failed" in output
    assert "criterion" in output


def test_prove_of_a_draft_that_cannot_be_approved_exits_with_1(tmp_path: Path) -> None:
    output = run("prove", draft(tmp_path, start=["flag", "NOT flag"]), code=1)
    assert "contradict each other" in output


def test_prove_against_an_earlier_version_shows_the_patient(tmp_path: Path) -> None:
    before = draft(tmp_path, start=["score >= 4"])
    after = draft(tmp_path, "after.yaml", start=["score >= 5"])
    output = run("prove", after, "--against", before)
    assert "only tightens" in output
    assert "Passes before, not after:" in output


PSO = "secukinumab-psoriasis"


def test_prove_of_an_overlay_says_that_it_only_tightens() -> None:
    output = run("prove", PSO, "--overlay", "DEMQ1", "--no-patients")
    assert "with DEMQ1 2024-01-01 against" in output
    assert "proven: nobody passes with the overlay who does not pass without it." in output
    file = next(policies_folder().glob(f"*/{PSO}/overlay-DEMQ1-*.yaml"))
    assert run("prove", PSO, "--overlay", str(file), "--no-patients") == output
    assert "It has: DEMQ1@2024-01-01" in run("prove", PSO, "--overlay", "DEMQ9", code=2)


def test_replay_of_forms_with_an_overlay_asks_for_its_answers(tmp_path: Path) -> None:
    forms = tmp_path / "forms.csv"
    forms.write_text(
        "id,decision_to_treat,outcome,local_tnf_result\nf1,2026-06-01,approved,responding\n"
    )
    arguments = ("replay", "--forms", str(forms), "--version", PSO)
    assert "DEMQ1-1" not in run(*arguments)
    assert "DEMQ1-1: 1" in run(*arguments, "--overlay", "DEMQ1")


def test_diff_names_what_changed_and_can_prove_it(tmp_path: Path) -> None:
    before = draft(tmp_path, start=["score >= 4"])
    after = draft(tmp_path, "after.yaml", start=["score >= 5"])
    output = run("diff", before, after, "--prove")
    assert "was: score >= 4" in output
    assert "only tightens" in output
    assert "Criteria to start" in run("diff", f"{NTZ}@2018-09-04", NTZ)


def test_explain_decides_a_form_by_the_version_of_its_day(tmp_path: Path) -> None:
    form = tmp_path / "form.json"
    form.write_text(
        json.dumps(
            {"policy": NTZ, "decision_to_treat": "2019-01-01", "answers": {"ms_course": "rrms"}}
        )
    )
    output = run("explain", str(form))
    assert "version 2018-09-04" in output
    assert "version 2024-05-01" in run("explain", str(form), "--version", NTZ)
    form.write_text("{}")
    assert "no `answers`" in run("explain", str(form), code=2)


def test_explain_takes_the_overlay_of_a_commissioner(tmp_path: Path) -> None:
    form = tmp_path / "form.json"
    secukinumab = {"policy": "secukinumab-psoriasis", "decision_to_treat": "2026-10-01"}
    form.write_text(json.dumps({**secukinumab, "answers": {}}))
    assert "of DEMQ1 2024-01-01" not in run("explain", str(form))
    output = run("explain", str(form), "--commissioner", "DEMQ1")
    assert "With the overlay of DEMQ1 2024-01-01" in output
    assert "DEMQ1-1 (of DEMQ1 2024-01-01)" in output
    form.write_text(json.dumps({**secukinumab, "commissioner": "DEMQ1", "answers": {}}))
    assert "DEMQ1-1 (of DEMQ1 2024-01-01)" in run("explain", str(form))


def test_explain_of_a_stored_request_says_whose_and_who_reads(tmp_path: Path) -> None:
    assert "either a form's file or --request" in run("explain", code=2)
    assert "either --commissioner or --provider" in run("explain", "--request", "x", code=2)
    assert "who reads" in run("explain", "--request", "x", "--provider", "DEMO1", code=2)
    assert "leave --version out" in run("explain", "--request", "x", "--version", NTZ, code=2)


def test_explain_puts_the_reading_of_a_stored_request_on_record(tmp_path: Path) -> None:
    assert runner.invoke(app, ["db", "upgrade"]).exit_code == 0
    door = door_or_exit()
    office = Office(load_library(policies_folder(), None), demonstration=True)
    view = door.transact(
        lambda work: submitting.submit_initiation(work, office, CLINICIAN, initiation())
    )
    id_ = view.request.id
    whose = ("--provider", CLINICIAN.organisation, "--by", "Ann")
    output = run("explain", "--request", id_, *whose)
    assert f"Request {id_}" in output
    assert "the same findings (1 checked)" in output
    column = tables.audit_event.c
    events = door.read(
        lambda work: work.connection.execute(
            sa.select(column.actor, column.request_id).where(column.action == "request explained")
        ).all()
    )
    assert [tuple(each) for each in events] == [("Ann", id_)]
    stranger = ("--provider", "DEMO2", "--by", "Ann")
    assert id_ not in run("explain", "--request", id_, *stranger, code=2)


def test_new_and_import_write_files_that_check_accepts(tmp_path: Path) -> None:
    made = tmp_path / "new.yaml"
    run("new", "natalizumab", "an invented condition", "--from", "2026-11-22", "--out", str(made))
    assert "no fault" in run("check", str(made))
    again = run("new", "natalizumab", "x", "--out", str(made), code=2)
    assert "not overwritten" in again

    form = tmp_path / "form.csv"
    form.write_bytes(csv_form("The disease is severe", "Used only if:"))
    output = run("import", str(form), "--from", "2026-11-22", "--out", str(tmp_path / "drafts"))
    assert "statement 2: broken" in output
    written = next((tmp_path / "drafts").glob("*/2026-11-22.yaml"))
    assert "no fault" in run("check", str(written))


def test_a_draft_brought_over_is_checked_with_its_gaps_listed(tmp_path: Path) -> None:
    form = tmp_path / "form.csv"
    form.write_bytes(csv_form("The disease is severe", "Used only if:"))
    run("import", str(form), "--from", "2026-11-22", "--out", str(tmp_path / "drafts"))
    output = run("check", str(next((tmp_path / "drafts").glob("*/2026-11-22.yaml"))))
    assert "to be decided: it ends where a list should follow" in output
    assert "no fault" in output


def test_a_draft_with_marks_is_not_published(tmp_path: Path) -> None:
    form = tmp_path / "form.csv"
    form.write_bytes(csv_form("The disease is severe"))
    run("import", str(form), "--from", "2026-11-22", "--out", str(tmp_path / "drafts"))
    path = str(next((tmp_path / "drafts").glob("*/2026-11-22.yaml")))
    output = run("publish", path, "--by", "A", "--seconded-by", "B", code=2)
    assert "3 marks are still to be decided" in output
    assert "take its mark out" in output


def test_a_folder_of_forms_is_brought_over_with_a_summary(tmp_path: Path) -> None:
    folder, out = tmp_path / "forms", tmp_path / "drafts"
    (folder / "more").mkdir(parents=True)
    (folder / "a.csv").write_bytes(csv_form("The disease is severe"))
    assert "needs --out" in run("import", str(folder), code=2)
    assert "1 forms brought over as drafts, 0 not." in run("import", str(folder), "--out", str(out))
    (folder / "more" / "b.xlsx").write_bytes(b"broken")
    output = run("import", str(folder), "--out", str(out), code=1)
    assert "its draft is there already and is kept" in output
    assert "more/b.xlsx" in output
    assert "not XLSX" in output
    assert (out / "SUMMARY.md").read_text(encoding="utf-8") == output


def test_a_form_of_100_mb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    form = tmp_path / "form.csv"
    with form.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    assert "over 64 MB. Split it" in run("import", str(form), code=2)


def test_a_new_file_points_its_editor_at_the_schema_without_a_network(tmp_path: Path) -> None:
    made = tmp_path / "deep" / "er" / "new.yaml"
    run("new", "natalizumab", "an invented condition", "--out", str(made))
    _, _, place = made.read_text(encoding="utf-8").split("\n")[0].partition("$schema=")
    assert (made.parent / place).read_text(encoding="utf-8").rstrip() == run("schema").rstrip()


def test_the_body_of_a_request_is_explained_as_it_is() -> None:
    request = Path(__file__).parents[3] / "examples" / "request-natalizumab-not-met.json"
    output = run("explain", str(request))
    assert "NTZ-4 is not met" in output
    assert "NB700203" not in output


def test_import_of_a_form_for_an_unknown_drug_asks_for_it(tmp_path: Path) -> None:
    form = tmp_path / "form.csv"
    form.write_bytes(csv_form("The disease is severe", title="A form for a new drug"))
    assert "Say --drug KEY" in run("import", str(form), code=2)


def test_show_in_three_formats(tmp_path: Path) -> None:
    assert "## The form to start" in run("show", NTZ)
    assert "<!doctype html>" in run("show", NTZ, "2018-09-04", "--format", "html")
    out = tmp_path / "policy.pdf"
    run("show", NTZ, "--format", "pdf", "--out", str(out))
    assert out.read_bytes().startswith(b"%PDF-")
    assert "needs a file" in run("show", NTZ, "--format", "pdf", code=2)
    assert "one of: md, html, pdf" in run("show", NTZ, "--format", "odt", code=2)


def test_replay_of_a_csv_prints_the_matrix(tmp_path: Path) -> None:
    forms = tmp_path / "forms.csv"
    forms.write_text(
        "id,decision_to_treat,outcome,flag,other,spend\n"
        "f1,2026-06-01,approved,true,false,10.50\n"
        "f2,2026-06-01,approved,true,true,1\n"
    )
    output = run(
        "replay", "--forms", str(forms), "--version", draft(tmp_path, start=["flag", "other"])
    )
    assert "2 forms decided again by DuckDB; 1 would change." in output
    assert "f1: approved → criteria not met by C-2" in output
    assert "would not be given: 10.50" in output


def test_replay_without_a_database_says_what_to_do() -> None:
    assert "assent db upgrade" in run("replay", "--version", NTZ, code=2)


def test_replay_says_when_no_submission_has_been_reconciled(tmp_path: Path) -> None:
    assert runner.invoke(app, ["db", "upgrade"]).exit_code == 0
    output = run("replay", "--version", draft(tmp_path, start=["flag"]))
    assert "No submission has been reconciled yet" in output
    assert "Affected: 0 people." in output


def test_publish_needs_a_second_person_and_affected_a_correction() -> None:
    output = run("publish", NTZ, "--by", "Ann", "--seconded-by", "Ann", code=2)
    assert "two people" in output
    assert "is not a correction" in run("affected", f"{NTZ}@2018-09-04", code=2)


def test_overview_prints_the_table() -> None:
    assert f"`{NTZ}`" in run("overview")


def test_show_and_explain_tell_the_notices_issued_into_the_database(tmp_path: Path) -> None:
    form = tmp_path / "form.json"
    started = {"policy": NTZ, "decision_to_treat": "2026-10-01", "answers": {"ms_course": "rrms"}}
    form.write_text(json.dumps({**started, "today": "2026-10-01"}))
    assert "Only the packaged safety notices" in run("explain", str(form))
    assert "Only the packaged safety notices" in run("show", NTZ)

    assert runner.invoke(app, ["db", "upgrade"]).exit_code == 0
    people = ("--by", "Ann", "--seconded-by", "Ben")
    why = ("--title", "Made up", "--reason", "It is looked into", "--source", "Made up for tests")
    run("suspend", "made-up", "--drug", "natalizumab", "--from", "2026-01-01", *why, *people)
    assert "Safety notice made-up" in run("explain", str(form))
    shown = run("show", NTZ)
    assert "Made up" in shown
    assert "Only the packaged" not in shown

    run("lift", "made-up", "--on", "2026-02-01", *people)
    assert "Safety notice made-up" not in run("explain", str(form))
    assert "Made up" not in run("show", NTZ)


def test_suspend_and_lift_take_two_people_and_known_keys() -> None:
    assert runner.invoke(app, ["db", "upgrade"]).exit_code == 0
    people = ("--by", "Ann", "--seconded-by", "Ben")
    why = ("--title", "Made up", "--reason", "It is looked into", "--source", "Made up for tests")
    assert "no-such-drug" in run(
        "suspend", "made-up", "--drug", "no-such-drug", *why, *people, code=2
    )
    alone = ("--by", "Ann", "--seconded-by", "ann")
    assert "two people" in run("suspend", "made-up", "--drug", "natalizumab", *why, *alone, code=2)
    said = run("suspend", "made-up", "--drug", "natalizumab", *why, *people)
    assert "new starts of natalizumab are suspended" in said
    assert "lifted" in run("lift", "made-up", *people)
    assert "No notice of that name" in run("lift", "made-up", *people, code=2)
