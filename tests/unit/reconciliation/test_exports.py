"""Exports: the same lines in each kind of file, numbers as text, formulas disarmed, exact."""

import csv
import datetime as dt
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

from app.reconciliation import MatchedLine, export_book, summarise
from app.reconciliation.challenge_model import Challenge, ChallengeState
from app.reconciliation.errors import ExportTooLarge
from app.reconciliation.export_table import Reader
from app.reconciliation.exports import Export, ExportFormat, export, write_export
from app.reconciliation.model import LineOutcome
from app.reconciliation.report import summary_figures, summary_told
from app.reference_data.pseudonyms import Pseudonyms
from tests.unit.reconciliation.builders import FOLD, PATIENT, cells, coverage, run, snapshot

NOW = dt.datetime(2026, 7, 1, 9, 0, tzinfo=dt.UTC)
TRUST = Reader(payer=False)
KEY = Pseudonyms(b"a key of the tests, of 32 bytes or more").key_of("DEMQ1")
PAYER = Reader(payer=True, key=KEY)
CHALLENGE = Challenge(
    "C1", "DEMQ1", "DEMO1", "R1", LineOutcome.NO_APPROVAL, "natalizumab", None,
    ChallengeState.RAISED, 1, Decimal("10.50"), NOW, "1", respond_by=dt.date(2026, 7, 31),
)  # fmt: skip
FORMULAS = ("=1+1", "+A1", "-cmd|'/c calc'!A0", "@SUM(A1)", "\tx", "\rx")
ROWS = (
    cells(),
    cells(total="12345678901234.56789"),
    cells(nhs="", local="", total="-12.50", date="2024-01-01"),
    *(cells(unit=text, total=f"{n}.01") for n, text in enumerate(FORMULAS, 1)),
    cells(total="99.00"),
)


def content(reader: Reader = TRUST, matched: Sequence[MatchedLine] | None = None) -> Export:
    lines = run(snapshot(coverage()), *ROWS) if matched is None else matched
    return Export("R1", NOW, summarise(lines, FOLD), lines, (CHALLENGE,), reader)


def book(data: bytes) -> dict[str, list[list[Any]]]:
    found = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return {name: found.get_sheet_by_name(name).to_python() for name in found.sheet_names}


def test_a_workbook_holds_the_summary_each_outcome_and_the_challenges() -> None:
    made = content()
    sheets = book(export(made, ExportFormat.XLSX))
    outcomes = [o.value.capitalize() for o in LineOutcome if any(
        m.outcome is o for m in made.matched)]  # fmt: skip
    assert list(sheets) == ["Summary", *outcomes, "Challenges"]
    assert sum(len(sheets[name]) - 1 for name in outcomes) == len(ROWS)
    assert sheets["Challenges"][1][:4] == ["C1", "raised", "DEMO1", "no approval"]
    assert sheets["Summary"][-1][:2] == ["all", "total"]
    untested = {r[1]: r[5] for r in sheets["Summary"] if r[0] == "accepted, and not tested"}
    kept = summarise(made.matched, FOLD).untested
    assert kept is not None
    assert Decimal(str(untested["any test"])) == kept.amount  # as text: it has too many digits
    assert set(untested) == {*kept.by_test, "any test"}
    assert "commissioner" in {r[0] for r in sheets["Summary"]}


def test_an_nhs_number_stays_text_and_an_amount_stays_exact() -> None:
    made = content()
    sheets = book(export(made, ExportFormat.XLSX))
    rows = [
        dict(zip(sheet[0], row, strict=True))
        for name, sheet in sheets.items()
        if name not in ("Summary", "Challenges")
        for row in sheet[1:]
    ]
    by_row = {int(row["ROW"]): row for row in rows}
    for item in made.matched:
        told = by_row[item.line.row]
        assert told["NHS NUMBER"] == (item.line.nhs_number or "")
        assert Decimal(str(told["TOTAL COST"])) == item.line.total_cost
    assert by_row[2]["TOTAL COST"] == "12345678901234.56789"  # too long for a spreadsheet's number
    assert by_row[3]["TOTAL COST"] == -12.5


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_a_workbook_or_csv_is_a_formula(text: str) -> None:
    (line,) = run(snapshot(coverage()), cells())
    spoilt = [replace(line, line=replace(line.line, unit=text))]
    made = content(matched=spoilt)
    data = export(made, ExportFormat.XLSX)
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        pages = [parts.read(name) for name in parts.namelist() if "worksheets" in name]
    assert not any(b"<f>" in page or b"hyperlink" in page for page in pages)
    (row,) = csv.DictReader(io.StringIO(export(made, ExportFormat.CSV).decode("utf-8-sig")))
    assert row["UNIT"] == f"'{text}"
    sheets = book(data)
    header, told = next(sheet for name, sheet in sheets.items() if name == "Matched")
    assert told[header.index("UNIT")].startswith("'")


def test_each_kind_of_file_holds_the_same_lines() -> None:
    made = content()
    as_json = json.loads(export(made, ExportFormat.JSON))["lines"]
    as_parquet = pq.read_table(io.BytesIO(export(made, ExportFormat.PARQUET))).to_pylist()
    text = export(made, ExportFormat.CSV).decode("utf-8-sig")
    as_csv = list(csv.DictReader(io.StringIO(text)))
    assert len(as_json) == len(as_parquet) == len(as_csv) == len(ROWS)
    for item, one, two, three in zip(made.matched, as_json, as_parquet, as_csv, strict=True):
        assert one["outcome"] == two["OUTCOME"] == three["OUTCOME"] == item.outcome.value
        for name in ("queried", "accepted"):
            assert Decimal(one[name]) == getattr(item, name)
            assert one[name] == two[name.upper()] == three[name.upper()]
        assert two["SUPPLY DATE"] == item.line.supply_date


@pytest.mark.parametrize("format", ExportFormat)
def test_a_payer_reads_pseudonyms_in_every_kind_of_file(format: ExportFormat) -> None:
    assert KEY is not None
    named = cells(drug=f"NATALIZUMAB 300 mg for {PATIENT}")
    made = content(PAYER, run(snapshot(coverage()), named))
    data = export(made, format)
    text = str(book(data)) if format is ExportFormat.XLSX else data.decode("latin-1")
    if format is ExportFormat.PARQUET:
        text = str(pq.read_table(io.BytesIO(data)).to_pylist())
    assert PATIENT not in text
    assert "L001" not in text
    assert KEY.of_nhs_number(PATIENT) in text


def test_the_same_run_gives_the_same_bytes() -> None:
    for format in ExportFormat:
        assert export(content(), format) == export(content(), format), format


def test_lines_that_a_worksheet_cannot_hold_go_on_in_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = book(export(content(), ExportFormat.XLSX))
    monkeypatch.setattr(export_book, "LARGEST_SHEET", 4)
    parted = book(export(content(), ExportFormat.XLSX))
    assert len(whole["Matched"]) > 4
    assert parted["Matched"] + parted["Matched (2)"][1:] == whole["Matched"][: 1 + 2 * 3]
    assert parted["Matched"][0] == parted["Matched (2)"][0]


def test_more_lines_than_a_workbook_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_book, "LARGEST_BOOK", len(ROWS) - 1)
    with pytest.raises(ExportTooLarge, match="CSV or Parquet"):
        export(content(), ExportFormat.XLSX)
    assert export(content(), ExportFormat.CSV)
    monkeypatch.setattr(export_book, "LARGEST_BOOK", len(ROWS))
    assert export(content(), ExportFormat.XLSX)


@pytest.mark.parametrize("format", ExportFormat)
def test_written_to_a_file_it_holds_the_same(tmp_path: Path, format: ExportFormat) -> None:
    path = tmp_path / "export"
    write_export(content(), format, path, tmp_path)
    written, made = path.read_bytes(), export(content(), format)
    if format is ExportFormat.XLSX:  # put together otherwise
        assert book(written) == book(made)
    else:
        assert written == made
    assert list(tmp_path.iterdir()) == [path]


def test_a_summary_is_told_again_by_its_figures() -> None:
    assert summary_told(summary_figures(content().summary)) == content().summary
