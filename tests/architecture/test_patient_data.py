"""`docs/assurance/patient-data.yaml` speaks of every table and column, and of no other."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
import yaml

from app.db.tables import metadata
from app.db.types import Document

PAGE: Final = Path(__file__).parents[2] / "docs" / "assurance" / "patient-data.yaml"
PARTS: Final = ("erased", "kept", "no_patient")
#: A shorter text is a code, a name of ours or a digest.
LONG: Final = 100


def told() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = yaml.safe_load(PAGE.read_text(encoding="utf-8"))
    return found


def is_wordy(column: sa.Column[object]) -> bool:
    """Whether a column may hold whatever somebody writes."""
    kind = column.type
    if isinstance(kind, sa.Text | sa.JSON):
        return True
    return isinstance(kind, sa.String) and (kind.length or LONG) >= LONG


def wanted() -> set[str]:
    columns = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if is_wordy(column)
    }
    return columns | {f"{table.name}.*" for table in metadata.sorted_tables}


def test_every_table_and_column_is_told_of_once() -> None:
    page = told()
    assert tuple(page) == PARTS
    named = [name for part in PARTS for name in page[part]]
    assert len(named) == len(set(named))
    real = {f"{t.name}.{c.name}" for t in metadata.sorted_tables for c in t.columns} | wanted()
    assert set(named) <= real, "no such column"
    missing = sorted(wanted() - set(named))
    assert missing == [], "decide what erasing a patient does to these, and write it there"


def test_each_says_why() -> None:
    assert all(reason and reason.strip() for part in PARTS for reason in told()[part].values())


def test_a_new_column_of_words_would_be_missed() -> None:
    assert is_wordy(sa.Column("words", sa.Text))
    assert is_wordy(sa.Column("why", sa.String(500)))
    assert is_wordy(sa.Column("said", Document))
    assert not is_wordy(sa.Column("code", sa.String(40)))
