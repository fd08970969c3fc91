"""A large run's file comes back byte for byte as that of the same run in memory."""

from collections.abc import Sequence
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.reconciliation import (
    MatchedLine,
    Submission,
    TotalsDoNotTie,
    UnreadableSubmission,
    match_submission,
    returned_file,
    summarise,
)
from app.reconciliation import large_lines as module
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.hidden_columns import (
    Everybody,
    ThoseWhoObject,
    hide_identities,
    hide_those_who_object,
)
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.large_returned import parts_of, write_returned
from app.reconciliation.model import ContractLine
from app.reconciliation.outcome_files import to_parquet
from app.reconciliation.store import RunRecord
from app.reconciliation.stored_lines import read_file
from tests.unit.reconciliation.builders import (
    DRUGS_AND_ORGANISATIONS,
    FOLD,
    OTHER_PATIENT,
    PATIENT,
    cells,
    coverage,
    csv_bytes,
    snapshot,
)
from tests.unit.reconciliation.earlier_files import KEY
from tests.unit.reconciliation.test_end_to_end import MIXED, RAGGED
from tests.unit.reconciliation.test_read_columns import as_csv, tables
from tests.workbooks import workbook

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
#: Bytes of no encoding, cells that a spreadsheet would run, a preamble, ragged and blank rows.
ODD = RAGGED.replace("natalizumab", "=natalizumab", 1).encode().replace(b"Apr", b"Apr\x81\xa3\x9d")
FILES = {
    "mixed.csv": csv_bytes(MIXED),
    "ragged.csv": RAGGED.encode(),
    "marked.csv": RAGGED.encode("utf-16"),
    "odd.csv": ODD,
    "tabs.csv": RAGGED.replace(",", "\t").encode("utf-8-sig"),
    "book.xlsx": workbook({"Lines": [list(cells()), *(list(row.values()) for row in MIXED)]}),
}


def both(folder: Path, data: bytes, name: str) -> tuple[Submission, list[MatchedLine], LargeLines]:
    """A file matched in memory, and the two files that a large run of it has."""
    read = read_file(data, name)
    assert read.as_rows is not None
    rows, outcomes = folder / "rows.parquet", folder / "outcomes.parquet"
    rows.write_bytes(read.as_rows)
    matched = match_submission(read.lines, snapshot(coverage()), *DRUGS_AND_ORGANISATIONS)
    outcomes.write_bytes(to_parquet(matched))
    run = record_of(matched)
    return read, list(matched), LargeLines(run, cast(Any, None), rows, outcomes, Machine())


def record_of(matched: Sequence[MatchedLine]) -> RunRecord:
    grand = summarise(matched, FOLD).grand
    figures = {name: getattr(grand, name) for name in ("lines", "total", "accepted", "queried")}
    return RunRecord(**cast(dict[str, Any], {f.name: None for f in fields(RunRecord)} | figures))


def with_lines(matched: Sequence[MatchedLine], lines: Sequence[ContractLine]) -> list[MatchedLine]:
    return [replace(item, line=line) for item, line in zip(matched, lines, strict=True)]


def compare(folder: Path, data: bytes, name: str) -> bytes:
    """Every way in which a file goes back, made both ways; the plainest is returned."""
    read, matched, large = both(folder, data, name)
    everybody = Everybody.of(read.columns, KEY)
    numbers, local_ids = frozenset({PATIENT}), frozenset({"L001"})
    bare = hide_identities(read, KEY)
    told = hide_those_who_object(read, KEY, numbers, local_ids)
    ways = (
        (None, read),
        (everybody, bare),
        (ThoseWhoObject(everybody, numbers, local_ids), told),
    )
    for safe in (True, False):
        for hider, shown in ways:
            small = returned_file(shown, with_lines(matched, shown.lines), safe=safe)
            assert b"".join(parts_of(large, hider, safe=safe)) == small
    return returned_file(read, matched)


@pytest.mark.parametrize("name", FILES)
def test_a_nasty_file_comes_back_the_same_to_the_byte(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_A_TIME", 2)  # or all would be one piece
    once = compare(tmp_path, FILES[name], name)
    assert b"ASSENT OUTCOME" in once or name == "marked.csv"
    # What came back is sent in again, with columns of ours: they are replaced in both ways.
    assert compare(tmp_path, once, name.replace("xlsx", "csv")) == once


@SLOW
@given(table=tables(), delimiter=st.sampled_from(",;\t|"), newline=st.sampled_from(["\n", "\r\n"]))
def test_any_file_that_can_be_read_comes_back_the_same(
    table: list[list[str]], delimiter: str, newline: str
) -> None:
    with TemporaryDirectory() as folder:
        try:
            compare(Path(folder), as_csv(table, delimiter, newline).encode(), "lines.csv")
        except UnreadableSubmission:
            return


def test_a_payers_file_names_nobody(tmp_path: Path) -> None:
    read, _, large = both(tmp_path, csv_bytes([cells(), cells(nhs=OTHER_PATIENT)]), "lines.csv")
    text = b"".join(parts_of(large, Everybody.of(read.columns, KEY), safe=False)).decode()
    assert PATIENT not in text
    assert OTHER_PATIENT not in text
    assert KEY.of_nhs_number(PATIENT) in text


def test_what_does_not_come_to_the_run_is_not_written(tmp_path: Path) -> None:
    _, matched, large = both(tmp_path, csv_bytes([cells(), cells(total="3.00")]), "lines.csv")
    back = tmp_path / "back.csv"
    write_returned(large, back, None, safe=False)
    assert back.read_bytes().count(b"\r\n") == 3
    for spoilt in ({"accepted": Decimal(7)}, {"lines": 3}, {"total": Decimal("1003.01")}):
        wrong = replace(large, run=replace(large.run, **cast(Any, spoilt)))
        with pytest.raises(TotalsDoNotTie):
            write_returned(wrong, back, None, safe=False)
        assert not back.exists()
    large.outcomes.write_bytes(to_parquet(matched[:1]))
    with pytest.raises(StoredFileDamaged):
        write_returned(large, back, None, safe=False)
    assert not back.exists()
