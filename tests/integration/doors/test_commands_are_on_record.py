"""Who reads a patient's record at the command line is on record, like anybody else."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer
from typer.testing import CliRunner

from app.audit import READING
from app.cli import app
from app.commands.at_the_line import system_user
from app.db.tables import audit_event
from tests.unit.reconciliation.builders import cells, csv_bytes

runner = CliRunner()
PAYER = ("--commissioner", "DEMQ1")
#: A command that tells of patients, or of lines that are theirs → its call, and its event.
READS: dict[str, tuple[tuple[str, ...], str]] = {
    "runs export": (("{run}", "--organisation", "DEMQ1", "-o", "{folder}/a.xlsx"), "run exported"),
    "runs outcomes": (("{run}", "--organisation", "DEMQ1", "-o", "{folder}/b"), "run exported"),
    "runs line": (("{run}", "1", "--organisation", "DEMQ1"), "run line read"),
    "challenges show": (("{challenge}", *PAYER), "challenge read"),
    "linkage propose": (("{run}", *PAYER), "linkage proposals read"),
    "linkage list": (("{run}", *PAYER), "linkage proposals read"),
    "slices deltas": (("--organisation", "DEMQ1"), "deltas read"),
    "worklist": (("not-started", *PAYER), "worklist read"),
    "supply-check": (
        ("Humira 40mg", "--provider", "DEMO1", "--on", "2026-06-15"),
        "supplies checked before invoicing",
    ),
    "reconcile": (
        ("{folder}/lines.csv", "--organisation", "DEMQ1", "--output", "{folder}/c.csv"),
        "run file read",
    ),
}
#: Tried elsewhere: an act of its own in the log, and readings that need stored requests.
ELSEWHERE = {"audit export", "policies explain", "policies replay"}
#: What tells of no patient: acts, which are events themselves; counts, totals, ids and policies.
NOTHING_OF_PATIENTS = """
audit checkpoint-key, audit erase, audit open-epoch, audit seal, audit verify
backup, restore, serve, worker, openapi, db grant, db upgrade, demo, demo year
callers add, callers revoke, clients add, clients add-key, clients list, clients remove-key
clients revoke, people add, people grant, people list, people revoke, people tie, people untie
people withdraw, organisations set, organisations settings, settings check, settings show
challenges answer, challenges credit, challenges draft, challenges list, challenges raise
challenges uphold, challenges withdraw, linkage accept, linkage refuse
runs match, runs override, runs undo, slices, slices calendar, slices empty, slices figures
slices months, drugs accept, drugs coverage, drugs review, drugs withdraw
terms contracts, terms hand-over
terms prices, terms responsible, terms supplies, pseudonyms compute, pseudonyms key
records due, records erase, report best-value, report break-glass, report changed-answers
report identifier-access, report overrides
policies adopt, policies affected, policies check, policies diff, policies end-adoption
policies form, policies import, policies lift, policies lock, policies new, policies overview
policies prove, policies publish, policies schema, policies show, policies suspend, policies test
"""


def commands(group: Any, name: str = "") -> Iterator[str]:
    """Every command of the command line, by its whole name."""
    inner = getattr(group, "commands", None)
    if inner is None or getattr(group, "invoke_without_command", False):
        yield name
    for each, command in (inner or {}).items():
        yield from commands(command, f"{name} {each}".strip())


def called(*arguments: str) -> Any:
    result = runner.invoke(app, [*arguments])
    assert result.exit_code == 0, f"{arguments}: {result.output}"
    return result


@pytest.fixture
def names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lay_database: Callable[[Path], None]
) -> dict[str, str]:
    """A folder, a run of DEMQ1 over a line that nothing covers, and its challenge."""
    for name in [name for name in os.environ if name.startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ASSENT_AUDIT_KEY", "a key of the tests, of 32 characters or more")
    lay_database(tmp_path / "data")
    lines = tmp_path / "lines.csv"
    lines.write_bytes(csv_bytes([cells()]))
    told = called("reconcile", str(lines), "--organisation", "DEMQ1").stderr
    (run,) = re.findall(r"Run: (\S+)", told)
    drafted = called("challenges", "draft", run, *PAYER).stdout
    (challenge,) = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", drafted)
    return {"run": run, "challenge": challenge, "folder": str(tmp_path)}


def events(names: dict[str, str]) -> list[Any]:
    engine = sa.create_engine(f"sqlite:///{names['folder']}/data/assent.db")
    with engine.connect() as connection:
        return list(connection.execute(sa.select(audit_event).order_by(audit_event.c.id)))


def test_every_command_reads_on_record_or_tells_of_no_patient() -> None:
    told = {each.strip() for each in re.split("[,\n]", NOTHING_OF_PATIENTS) if each.strip()}
    every = list(commands(typer.main.get_command(app)))
    assert sorted(every) == sorted({*READS, *ELSEWHERE, *told})


@pytest.mark.parametrize("command", READS)
def test_a_command_that_reads_leaves_its_event(names: dict[str, str], command: str) -> None:
    arguments, action = READS[command]
    before = len(events(names))
    called(*command.split(), *(each.format(**names) for each in arguments))
    found = [each for each in events(names)[before:] if each.object_type == READING]
    assert [each.action for each in found] == [action]
    assert found[0].actor == system_user()


def test_no_file_is_written_where_the_reading_cannot_be_kept(
    names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise sa.exc.OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr("app.commands.reading.record_reading", broken)
    out = Path(names["folder"]) / "out.xlsx"
    asked = ["runs", "export", names["run"], "--organisation", "DEMQ1", "-o", str(out)]
    assert runner.invoke(app, asked).exit_code != 0
    assert not out.exists()


def test_each_run_of_the_command_line_is_one_call_by_the_systems_user(
    names: dict[str, str],
) -> None:
    found = events(names)
    assert {each.actor for each in found} == {system_user()}
    assert {each.client for each in found} == {"assent command line"}
    # Two commands ran, each with a correlation id for all that it did.
    assert len({each.correlation_id for each in found}) == 2


@pytest.mark.parametrize("by_setting", [False, True])
def test_a_name_that_is_given_stands_beside_the_systems_user(
    names: dict[str, str], monkeypatch: pytest.MonkeyPatch, by_setting: bool
) -> None:
    if by_setting:
        monkeypatch.setenv("ASSENT_OPERATOR", "A. Finance")
    first = [] if by_setting else ["--as", "A. Finance"]
    called(*first, "worklist", "not-started", *PAYER)
    last = events(names)[-1]
    assert last.actor == "A. Finance"
    assert last.client == f"assent command line, run by {system_user()}"
    monkeypatch.delenv("ASSENT_OPERATOR", raising=False)
    called("worklist", "not-started", *PAYER)
    assert events(names)[-1].actor == system_user()  # the next run is not by that name


@pytest.mark.parametrize("name", ["", " ", "x" * 37, "a\nb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    result = runner.invoke(app, ["--as", name, "openapi"])
    assert result.exit_code == 2
    assert "names who acts" in result.stderr


# --- organisations' settings ----------------------------------------------------------------------


def test_an_organisations_setting_is_changed_from_a_day_on_and_on_record(
    names: dict[str, str],
) -> None:
    day = ("--from", "2199-01-01")
    called("organisations", "set", "DEMO1", "pharmacist_authorisation", "true", *day)
    called("organisations", "set", "DEMQ1", "panel", "DEMP1", *day)
    shown = called("organisations", "settings", "DEMO1").stdout
    assert "pharmacist_authorisation: (never set)" in shown
    shown = called("organisations", "settings", "DEMO1", "--on", "2199-01-01").stdout
    assert "pharmacist_authorisation: true" in shown
    made = [each for each in events(names) if each.action == "change setting"]
    assert [(each.object_id, each.actor) for each in made] == [
        ("DEMO1", system_user()),
        ("DEMQ1", system_user()),
    ]


@pytest.mark.parametrize(
    ("setting", "value", "day", "why"),
    [
        ("pharmacist", "true", "2199-01-01", "Name one of"),
        ("pharmacist_authorisation", "yes", "2199-01-01", "send true where"),
        ("pharmacist_authorisation", "true", "2020-01-01", "That day is past"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    names: dict[str, str], setting: str, value: str, day: str, why: str
) -> None:
    result = runner.invoke(app, ["organisations", "set", "DEMO1", setting, value, "--from", day])
    assert result.exit_code == 3
    assert why in result.stderr
