"""Submissions as XLSX and Parquet: the same lines as from CSV, or a clear refusal."""

import csv
import datetime as dt
import io
import struct
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.reconciliation import (
    Submission,
    UnreadableSubmission,
    match_submission,
    read_submission,
    returned_file,
)
from app.reconciliation.errors import SubmissionTooLarge
from app.workbooks import Bounds, WorkbookRefused, cell_text, sheets_of
from tests.unit.reconciliation.builders import (
    CLEAN,
    DRUGS_AND_ORGANISATIONS,
    SHORT,
    cells,
    coverage,
    csv_bytes,
    snapshot,
)
from tests.workbooks import MAIN, Cell, Raw, packed, parts, workbook

NAMES = list(CLEAN)
NUMBERS = {"month", "nhs", "quantity", "price", "delivery", "total"}


def row(**changes: Cell) -> list[Cell]:
    """A clean row as cells of a sheet, with changes by short name."""
    named: dict[str, Cell] = {**CLEAN, **{SHORT[key]: value for key, value in changes.items()}}
    return [named[name] for name in NAMES]


def read(*rows: list[Cell], **more: Any) -> Submission:
    """A workbook of one sheet of these rows, read."""
    return read_submission(workbook({"Lines": [NAMES, *rows]}, **more), "lines.xlsx")


def typed(**changes: Cell) -> list[Cell]:
    """A row whose numbers and days are typed as such, as a person at a spreadsheet does."""
    numbers: dict[str, Cell] = {name: Raw(CLEAN[SHORT[name]]) for name in NUMBERS}
    days: dict[str, Cell] = {"date": dt.date(2025, 6, 10), "born": dt.date(1980, 2, 3)}
    return row(**numbers, **days, **changes)


def refusal(data: bytes, name: str = "lines.xlsx") -> UnreadableSubmission:
    with pytest.raises(UnreadableSubmission) as refused:
        read_submission(data, name)
    return refused.value


def test_a_typed_workbook_says_what_the_csv_says() -> None:
    told = read_submission(csv_bytes([cells()]), "lines.csv").lines[0]
    line = read(typed()).lines[0]
    assert line.content_hash == told.content_hash
    assert (line.faults, line.total_cost) == ((), Decimal(1000))


@pytest.mark.parametrize(
    ("written", "pounds"),
    [
        ("1234.5599999999999", "1234.56"),  # how Excel writes 1234.56 into the file
        ("0.30000000000000004", "0.3"),  # 0.1 + 0.2 by formula
        ("1000.1", "1000.1"),
        ("-12.5", "-12.5"),
        ("1E-2", "0.01"),
        ("999999999999.99", "999999999999.99"),
        ("12345678.12345678", "12345678.1234568"),  # 16 digits: the last is noise
        ("1E+15", None),
        ("12345678901234567", None),
    ],
)
def test_money_is_what_was_typed_and_never_a_binary_fraction(
    written: str, pounds: str | None
) -> None:
    line = read(row(total=Raw(written))).lines[0]
    assert line.total_cost == (None if pounds is None else Decimal(pounds))
    assert (line.why_unread("total_cost") is None) == (pounds is not None)


@pytest.mark.parametrize(
    "typed_day",
    [dt.date(2025, 6, 10), Raw("45818"), "10/06/2025", "2025-06-10", "10-Jun-25", Raw("45818.5")],
)
def test_a_day_is_read_however_it_was_typed(typed_day: Cell) -> None:
    assert read(row(date=typed_day)).lines[0].supply_date == dt.date(2025, 6, 10)


def test_a_code_that_a_spreadsheet_took_for_a_number_has_lost_digits() -> None:
    line = read(row(code=Raw("36030311000001108"))).lines[0]
    assert line.drug_code is None
    assert "lost digits" in (line.why_unread("drug_code") or "")


def test_an_error_in_a_cell_is_kept_as_its_text() -> None:
    files = parts({"Lines": [NAMES, row(total=Raw("1"))]})
    name = "xl/worksheets/sheet1.xml"
    files[name] = files[name].replace("><v>1</v>", ' t="e"><v>#DIV/0!</v>')
    line = read_submission(packed(files), "lines.xlsx").lines[0]
    assert [(f.field, f.raw) for f in line.faults] == [("total_cost", "#DIV/0!")]


def test_titles_blank_rows_footers_and_repeated_headers_are_no_lines() -> None:
    total: list[Cell] = ["Total", *[None] * (len(NAMES) - 2), Raw("2000")]
    rows = [["Drugs, June"], [], NAMES, row(), [], NAMES, row(quantity=Raw("2")), total]
    found = read_submission(workbook({"Lines": rows}), "lines.xlsx")
    assert [line.row for line in found.lines] == [1, 4]
    assert [s.why for s in found.skipped] == ["blank row", "repeated header", "total or footer row"]
    assert found.rows == len(found.lines) + len(found.skipped)


def test_a_cell_beyond_the_header_shifts_its_row_and_empty_ones_do_not() -> None:
    found = read([*row(), "", ""], [*row(), "astray"])
    assert [line.shifted for line in found.lines] == [False, True]


@pytest.mark.parametrize("hidden", ["", "Notes"])
def test_the_sheet_with_the_header_is_read_and_the_others_are_named(hidden: str) -> None:
    sheets = {"Notes": [["Made by finance"]], "Lines": [NAMES, row()], "Empty": []}
    found = read_submission(workbook(sheets, frozenset({hidden})), "lines.xlsx")
    assert len(found.lines) == 1
    (note,) = found.notes
    assert "Notes" in note
    assert ("hidden" in note) == bool(hidden)
    assert "Empty" not in note


def test_a_hidden_sheet_that_is_read_is_told() -> None:
    sheets = {"Front": [["See the other sheet"]], "Lines": [NAMES, row()]}
    found = read_submission(workbook(sheets, frozenset({"Lines"})), "lines.xlsx")
    assert "was read is hidden: “Lines”" in found.notes[0]


@pytest.mark.parametrize("hidden", [frozenset(), frozenset({"May"})])
def test_two_sheets_of_lines_are_an_error_and_never_a_choice(hidden: frozenset[str]) -> None:
    told = refusal(workbook({"May": [NAMES, row()], "June": [NAMES, row()]}, hidden))
    assert ("2 sheets" in told.what, "“May”" in told.why, "“June”" in told.why) == (True,) * 3


ENCRYPTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
GOOD = workbook({"Lines": [NAMES, row()]})


def _far(cell: str) -> bytes:
    files = parts({"Lines": [NAMES, row()]})
    name = "xl/worksheets/sheet1.xml"
    files[name] = files[name].replace("</sheetData>", f"{cell}</sheetData>")
    return packed(files)


def _claiming(size: int) -> bytes:
    """A workbook whose directory gives the sheet of five megabytes another size."""
    files = parts({"Lines": [NAMES, row()]})
    data = bytearray(packed({**files, "xl/worksheets/sheet1.xml": b" " * 5_000_000}))
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x05\x06"))
    struct.pack_into("<L", data, at + 24, size)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (_claiming(600 << 20), "lines.xlsx", "over 512 MB unpacked"),
        (_claiming(100), "lines.xlsx", "damaged"),
        (_far('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), "lines.xlsx", "too far"),
        (_far("<row r='900000'><c r = 'ZZ900000'><v>1</v></c></row>"), "lines.xlsx", "too far"),
        (_far('<row r="9000000"><c t=">"><v>1</v></c></row>'), "lines.xlsx", "too far"),
        (
            _far("<row>" + "<c><v>1</v></c>" * 9_000 + "</row>" * 2 + "<row/>" * 999),
            "x.xlsx",
            "far",
        ),
        (ENCRYPTED, "lines.xlsx", "only with a password"),
        (ENCRYPTED[:8] + b"Workbook", "lines.xls", "old spreadsheet"),
        (packed({"word/document.xml": "<a/>"}), "lines.xlsx", "holds no workbook"),
        (packed({"xl/workbook.xml": "<a/>", "xl/vbaProject.bin": "x"}), "lines.xlsx", "macros"),
        (packed({"a.csv": csv_bytes([cells()])}), "lines.xlsx", "holds no workbook"),
        (GOOD[: len(GOOD) // 2], "lines.xlsx", "cut short"),
        (b"PK\x03\x04" + b"\0" * 400, "lines.xlsx", "damaged"),
        (GOOD, "lines.csv", "named as text"),
        (csv_bytes([cells()]), "lines.xlsx", "named as a spreadsheet"),
        (csv_bytes([cells()]), "lines.parquet", "named as a Parquet file"),
        (workbook({}), "lines.xlsx", "."),
        (workbook({"Lines": [["Only", "words"]]}), "lines.xlsx", "No header"),
        (workbook({"Lines": [NAMES]}), "lines.xlsx", "no lines"),
    ],
)
def test_a_workbook_that_cannot_be_read_is_refused_with_what_why_and_what_next(
    data: bytes, name: str, says: str
) -> None:
    told = refusal(data, name)
    assert says in str(told)
    assert all((told.what, told.why, told.next))


def test_what_is_checked_is_what_is_read() -> None:
    """Two parts of one name: one reader would take the first, another the last."""
    out = io.BytesIO(GOOD)
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("xl/worksheets/sheet1.xml", f'<worksheet xmlns="{MAIN}"/>')
    with pytest.raises(WorkbookRefused, match="too large"):
        sheets_of(out.getvalue(), Bounds(1 << 20, 1000))


def test_the_file_comes_back_as_csv_with_its_outcomes_and_reads_the_same_again() -> None:
    found = read(typed(), row(drug="=1+1", total="TBC"))
    matched = match_submission(found.lines, snapshot(coverage()), *DRUGS_AND_ORGANISATIONS)
    back = returned_file(found, matched)
    rows = list(csv.DictReader(io.StringIO(back.decode("utf-8-sig"))))
    assert [r["ASSENT OUTCOME"] for r in rows] == ["matched", "cannot be read"]
    assert rows[0]["NHS NUMBER"] == CLEAN["NHS NUMBER"]
    again = read_submission(back, "back.csv")
    assert [line.content_hash for line in again.lines] == [x.content_hash for x in found.lines]


# --- Parquet --------------------------------------------------------------------------------------


def parquet(columns: dict[str, Any], **more: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **more)
    return out.getvalue()


def columns(**changes: Any) -> dict[str, Any]:
    """Two clean lines by column, with changed columns by short name."""
    return {**{k: [v] * 2 for k, v in CLEAN.items()}, **{SHORT[k]: v for k, v in changes.items()}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"total": [Decimal("1000.00")] * 2, "date": [dt.date(2025, 6, 10)] * 2},
        {"total": [1000.0] * 2, "month": [3] * 2, "nhs": [int(CLEAN["NHS NUMBER"])] * 2},
        {"date": pa.array([1749598200 * 10**9] * 2, pa.timestamp("ns"))},
        {"date": [dt.datetime(2025, 6, 9, 23, 30, tzinfo=dt.UTC)] * 2},  # half past midnight
        {"drug": pa.array([CLEAN["DRUG NAME"]] * 2).dictionary_encode(), "withheld": [None] * 2},
    ],
)
def test_a_parquet_file_says_what_the_csv_says(changes: dict[str, Any]) -> None:
    told = read_submission(csv_bytes([cells()] * 2), "lines.csv")
    found = read_submission(parquet(columns(**changes)), "lines.parquet")
    assert [x.content_hash for x in found.lines] == [x.content_hash for x in told.lines]
    assert found.lines[0].faults == ()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (parquet(columns())[:-300], "damaged"),
        (b"PAR1" + b"\0" * 90 + b"PAR1", "damaged"),
        (parquet(columns(total=pa.array([1.1, 2.2], pa.float32()))), "of a type that is not read"),
        (parquet(columns(total=[[1], [2]])), "of a type that is not read"),
        (parquet({"a": ["b"]}), "No header"),
        (parquet({k: v[:0] for k, v in columns().items()}), "."),
        (parquet(columns(drug=["x" * 200_000] * 2)), "far too long"),
    ],
)
def test_a_parquet_file_that_cannot_be_read_is_refused(data: bytes, says: str) -> None:
    assert says in str(refusal(data, "lines.parquet"))


def test_a_parquet_file_that_unfolds_too_far_is_refused_before_it_does() -> None:
    bomb = parquet({name: pa.nulls(61_000_000 // 21, pa.string()) for name in NAMES})
    assert len(bomb) < 1 << 20
    with pytest.raises(SubmissionTooLarge):
        read_submission(bomb, "lines.parquet")


def test_a_cell_is_the_text_that_was_typed() -> None:
    assert [cell_text(x) for x in (None, True, 2, 2.5, dt.time(9, 30), 0.0, -0.0)] == [
        "", "TRUE", "2", "2.5", "09:30:00", "0", "0"
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["a file of this machine", "a text that doubles itself"])
def test_an_entity_in_a_workbook_is_not_resolved(tmp_path: Path, what: str) -> None:
    """Its XML may not read a file here, nor grow to a thousand million letters."""
    secret = tmp_path / "secret"
    secret.write_text("Zephaniah")
    doubled = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    declared = {
        "a file of this machine": f'<!ENTITY e SYSTEM "{secret.as_uri()}">',
        "a text that doubles itself": f'<!ENTITY e0 "aaaaaaaaaa">{doubled}<!ENTITY e "&e9;">',
    }[what]
    files = parts({"Lines": [NAMES, row(reference="HERE")]})
    at = "xl/worksheets/sheet1.xml"
    files[at] = f"<!DOCTYPE worksheet [{declared}]>" + files[at].replace("HERE", "&e;")
    assert "&e;" in files[at]

    told = str(refusal(packed(files)))

    assert "Zephaniah" not in told
    assert "aaaaaaaaaa" not in told
    plain = parts({"Lines": [NAMES, row(reference="HERE")]})
    assert "HERE" in repr(read_submission(packed(plain), "lines.xlsx").lines)
