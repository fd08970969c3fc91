"""The whole demonstration: what is in it, and what its reconciliation finds."""

import csv
import io
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.cli import app
from app.db import tables
from app.demonstration.clinic import make_courses
from app.demonstration.dirt import WAYS
from app.demonstration.habits import make_habits
from app.demonstration.invoice import (
    CODE,
    DRUG,
    HEADER,
    INDICATION,
    NHS,
    PROVIDER,
    QUANTITY,
    REFERENCE,
    ROUTE,
    TOTAL,
    UNIT,
)
from app.reconciliation.model import LineOutcome
from app.reconciliation.parse import parse_money
from app.reference_data.nhs_number import is_test_range
from app.settings import REPOSITORY
from tests.integration.demonstration.conftest import DAY, Demonstration, rows_of

pytestmark = pytest.mark.slow

O = LineOutcome  # noqa: E741


def cells(demonstration: Demonstration, name: str) -> list[str]:
    place = HEADER.index(name)
    lines = demonstration.run("*").submission.lines
    return [line.raw[place].strip() for line in lines if not line.shifted]


def count(demonstration: Demonstration, column: sa.Column[str]) -> Counter[str]:
    with demonstration.database.engine.connect() as connection:
        return Counter(connection.execute(sa.select(column)).scalars())


def test_no_step_of_any_story_is_refused(demonstration: Demonstration) -> None:
    assert demonstration.loaded.refused == ()


def test_sixteen_outcomes_occur_and_the_exempt_drugs_in_the_board_s_own_part(
    demonstration: Demonstration,
) -> None:
    whole = {item.outcome for item in demonstration.run("*").matched}
    own = {item.outcome for item in demonstration.run("DEMQ1").matched}

    assert whole >= set(O) - {O.APPROVAL_NOT_REQUIRED, O.IDENTITY_WITHHELD}
    assert O.APPROVAL_NOT_REQUIRED in own


def test_every_pound_of_the_file_is_accounted_for(demonstration: Demonstration) -> None:
    found = demonstration.run("*")
    legible = [parse_money(text)[0] for text in cells(demonstration, TOTAL)]
    total = sum((amount for amount in legible if amount is not None), Decimal(0))

    assert found.summary.grand.total == total == found.run.total
    assert found.run.accepted + found.run.queried == total
    assert Decimal("0.4") < found.run.accepted / total < Decimal("0.85")


def test_the_parts_are_lines_of_the_whole(demonstration: Demonstration) -> None:
    whole = demonstration.run("*")
    parts = [demonstration.run(code) for code in ("DEMQ1", "DEMQ2")]

    assert 0.95 * whole.run.lines < sum(part.run.lines for part in parts) < whole.run.lines
    assert all(part.run.total < whole.run.total for part in parts)


def test_nobody_in_it_could_be_real(demonstration: Demonstration) -> None:
    stored = [n for n in count(demonstration, tables.patient.c.nhs_number) if n is not None]
    written = [re.sub(r"\D", "", text) for text in cells(demonstration, NHS)]

    assert len(stored) > 150
    assert all(is_test_range(number) for number in stored)
    assert all(text.startswith("999") for text in written if text)


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (
            tables.request.c.kind,
            {"initiation", "continuation", "switch", "dose change", "transfer", "pause", "resume",
             "stop"},
        ),
        (
            tables.request.c.state,
            {"approved", "criteria not met", "more information needed", "referred", "declined",
             "entered in error", "recorded", "awaiting consent"},
        ),
        (
            tables.decision.c.made_by,
            {"policy", "panel", "pharmacist", "commissioner", "receiving provider"},
        ),
        (
            tables.approval.c.state,
            {"live", "ended", "under query", "withdrawn", "entered in error", "never started"},
        ),
        (tables.approval.c.basis, {"policy", "panel", "individual funding", "imported"}),
        (tables.approval.c.retrospective_reason, {"urgent"}),
        (tables.segment.c.funding_origin, {"NHS", "free of charge"}),
        (tables.caller.c.role, {"clinician", "delegate", "pharmacist", "panel member",
                                "commissioner", "policy author", "auditor"}),
    ],
)  # fmt: skip
def test_everything_that_can_happen_happens(
    demonstration: Demonstration, column: sa.Column[str], wanted: set[str]
) -> None:
    assert set(count(demonstration, column)) >= wanted


def test_it_is_large_enough_to_look_around_in(demonstration: Demonstration) -> None:
    assert demonstration.loaded.treatments >= 150
    assert 800 <= demonstration.run("*").run.lines <= 1400
    with demonstration.database.engine.connect() as connection:
        linked = connection.execute(
            sa.select(sa.func.count()).where(tables.patient.c.linked_to.is_not(None))
        ).scalar_one()
    assert linked >= 3


def test_every_caller_is_marked_as_the_demonstration_s(demonstration: Demonstration) -> None:
    assert set(count(demonstration, tables.caller.c.demonstration)) == {True}


def test_a_quarter_or_more_of_the_patients_have_a_fault_in_their_paperwork() -> None:
    courses = make_courses(1, DAY)
    habits = make_habits(1, courses)

    assert sum(one.at_fault for one in habits.values()) * 4 >= len(courses)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [(CODE, 0.35, 0.52), (INDICATION, 0.60, 0.80), (UNIT, 0.65, 0.88), (ROUTE, 0.35, 0.60),
     (QUANTITY, 0.04, 0.11), (DRUG, 0.004, 0.03), (TOTAL, 0.0, 0.01)],
)  # fmt: skip
def test_cells_are_missing_about_as_often_as_in_released_lines(
    demonstration: Demonstration, name: str, least: float, most: float
) -> None:
    found = cells(demonstration, name)

    assert least <= sum(not text for text in found) / len(found) <= most


def test_few_lines_carry_a_reference_and_providers_are_written_as_sites_too(
    demonstration: Demonstration,
) -> None:
    references = cells(demonstration, REFERENCE)
    providers = cells(demonstration, PROVIDER)

    assert 0.02 <= sum(bool(text) for text in references) / len(references) <= 0.10
    assert sum(len(text) > 5 for text in providers) > 50
    assert {text.upper()[:5] for text in providers} == set(WAYS)


def test_what_is_skipped_is_the_furniture_of_the_file(demonstration: Demonstration) -> None:
    found = Counter(skipped.why for skipped in demonstration.run("*").submission.skipped)

    assert found == {"blank row": 2, "repeated header": 2, "total or footer row": 1}


def test_supplies_are_invented_without_looking_at_approvals(demonstration: Demonstration) -> None:
    never = [i for i in demonstration.run("*").matched if i.outcome is O.NO_APPROVAL]

    assert sum(item.treatment_id is None for item in never) > 50


def test_the_committed_excerpt_is_of_this_file(demonstration: Demonstration) -> None:
    """A row may differ in its reference, which is drawn with the ids."""
    text = (REPOSITORY / "examples" / "submission.csv").read_text(encoding="utf-8")
    place = HEADER.index(REFERENCE)

    def without(row: list[str] | tuple[str, ...]) -> tuple[str, ...]:
        return (*row[:place], *row[place + 1 :])

    header, *rows = csv.reader(io.StringIO(text))
    made = {without(row) for row in demonstration.invoices.rows if len(row) == len(HEADER)}
    stale = [row for row in rows if len(row) == len(HEADER) and without(row) not in made]

    assert tuple(header) == HEADER
    assert 30 <= len(rows) <= 60
    assert not stale, "run: python -m tests.integration.demonstration.write_example"


def test_a_second_start_finds_it_and_changes_nothing(
    demonstration: Demonstration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSENT_DATA_DIR", str(demonstration.folder))
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    before = rows_of(demonstration.database)

    first = CliRunner().invoke(app, ["demo", "--no-serve"])
    written = (Path(demonstration.folder) / "demonstration" / "submission.csv").read_bytes()
    second = CliRunner().invoke(app, ["demo", "--no-serve"])

    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    assert "By outcome" in first.output
    assert "demo-demq1-commissioner" in first.output
    assert first.stdout == second.stdout
    assert written == demonstration.invoices.whole
    assert rows_of(demonstration.database) == before


def test_another_day_is_not_loaded_over_it(
    demonstration: Demonstration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSENT_DATA_DIR", str(demonstration.folder))
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")

    result = CliRunner().invoke(app, ["demo", "--no-serve", "--day", "2026-06-02"])

    assert result.exit_code == 2
    assert "delete the database" in result.output
