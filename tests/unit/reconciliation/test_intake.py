"""Files as providers send them: every row becomes a line or is skipped, or the file is refused."""

import codecs
import csv
import datetime as dt
from decimal import Decimal

import pytest

from app.reconciliation import Submission, UnreadableSubmission, read_submission
from app.reconciliation import decode as decode_module
from app.reconciliation.errors import LayoutFault
from app.reconciliation.layouts import LAYOUT_FILES, _check_one_meaning, layouts, variants
from app.reconciliation.source import in_memory
from tests.unit.reconciliation.builders import CLEAN, PATIENT, cells, csv_bytes, submission

HEADER = "NHS Number,Drug Name,Total Cost,Supply Date,Provider Code"
ROW = f"{PATIENT},natalizumab,£10.00,01/04/2025,DEMO1"


def read(text: str, encoding: str = "utf-8") -> Submission:
    """A file of this text, read."""
    return read_submission(text.encode(encoding), "lines.csv")


def totals(read: Submission) -> list[Decimal | None]:
    """The total of each line."""
    return [line.total_cost for line in read.lines]


# --- encodings and delimiters ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (f"{HEADER}\n{ROW}\n".encode(), "utf-8"),
        (codecs.BOM_UTF8 + f"{HEADER}\n{ROW}\n".encode(), "utf-8-sig"),
        (f"{HEADER}\n{ROW}\n".encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + f"{HEADER}\n{ROW}\n".encode("utf-16-be"), "utf-16"),
        (f"{HEADER}\n{ROW}\n".encode("cp1252"), "cp1252"),
        (f"{HEADER}\n{ROW}\n".encode().replace(b"nat", b"\x81\x9d"), "utf-8"),
    ],
)
def test_encodings_are_told_apart(data: bytes, encoding: str) -> None:
    if b"\x81" in data:
        encoding = "cp1252"  # bytes that no encoding explains do not stop the reading
    found = read_submission(data, "lines.csv")
    assert found.encoding == encoding
    assert totals(found) == [Decimal("10.00")]
    said = [note for note in found.notes if "stated month" not in note]
    assert bool(said) == (encoding == "cp1252")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_told_apart(delimiter: str, newline: str) -> None:
    text = f"{HEADER}\n{ROW}\n".replace(",", delimiter).replace("\n", newline)
    found = read(text)
    assert found.delimiter == delimiter
    assert [line.supply_date for line in found.lines] == [dt.date(2025, 4, 1)]


def test_quoted_cells_may_hold_delimiters_quotes_and_line_breaks() -> None:
    found = read(
        f'{HEADER}\n{PATIENT},"natalizumab, ""Tysabri""\n300 mg","£1,234.50",,DEMO1\n{ROW}'
    )
    assert totals(found) == [Decimal("1234.50"), Decimal("10.00")]
    assert found.lines[0].drug_name == 'natalizumab, "Tysabri" 300 mg'


# --- headers --------------------------------------------------------------------------------------


def test_columns_may_stand_in_any_order() -> None:
    forward = submission(cells()).lines[0]
    names = list(reversed(CLEAN))
    text = ",".join(f'"{n}"' for n in names) + "\n" + ",".join(f'"{CLEAN[n]}"' for n in names)
    backward = read(text).lines[0]
    assert backward.content_hash == forward.content_hash
    assert backward.total_cost == forward.total_cost
    assert not backward.faults


@pytest.mark.parametrize(
    "header",
    [
        HEADER.upper(),
        HEADER.replace(" ", "_").lower(),
        HEADER.replace(" ", ""),
        "NHS_NO, drug description ,TOTAL COST (GBP),Date of Supply,ORG CODE",
        "PATIENT NHS NUMBER,HIGH COST DRUG NAME,Total Price,Dispensed Date,%",
    ],
)
def test_common_header_names_are_known(header: str) -> None:
    (line,) = read(f"{header}\n{ROW}\n").lines
    assert (line.nhs_number, line.total_cost) == (PATIENT, Decimal("10.00"))
    assert (line.drug_name, line.supply_date) == ("natalizumab", dt.date(2025, 4, 1))


def test_every_name_of_each_layout_is_recognised_under_it() -> None:
    for layout in layouts():
        for field, names in layout.fields.items():
            assert names, field
    assert {layout.name for layout in layouts()} == {"drplcm-v1", "drplcm-v3"}
    local = {"invoice_date"}  # of no layout: local feeds have it
    assert set(variants()) == local | {field for layout in layouts() for field in layout.fields}
    assert LAYOUT_FILES[0] == "drplcm-v3.yaml"  # the newest wins a tie


def test_a_header_name_may_not_mean_two_things() -> None:
    with pytest.raises(LayoutFault, match="stands under"):
        _check_one_meaning("x.yaml", {"unit": ["uom"], "route": ["uom"]})


def test_titles_above_the_header_are_kept_apart() -> None:
    found = read(f"Trust X,,,,\nDrugs April 2025,,,,\n\n{HEADER}\n{ROW}\n")
    assert len(found.preamble) == 3
    assert [line.row for line in found.lines] == [1]


def test_old_and_new_names_side_by_side_are_coalesced() -> None:
    header = f"{HEADER},UNIT OF MEASUREMENT (SNOMED CT DM+D),UOM"
    first, second = read(f"{header}\n{ROW},,vial\n{ROW},mg,vial\n").lines
    assert (first.unit, second.unit) == ("vial", "mg")


def test_two_columns_that_disagree_on_the_total_leave_it_unread() -> None:
    same, other = read(f"{HEADER},TOTAL PRICE\n{ROW},£10.00\n{ROW},£11.00\n").lines
    assert same.total_cost == Decimal("10.00")
    assert other.total_cost is None
    assert other.why_unread("total_cost") == "two columns state it differently"


def test_the_reference_may_come_in_an_agreed_column() -> None:
    text = f"{HEADER},CONTRACT MONITORING ADDITIONAL DETAIL FIRST\n{ROW},PA1\n"
    assert read(text).lines[0].reference is None
    carrier = ("CONTRACT MONITORING ADDITIONAL DETAIL FIRST",)
    found = read_submission(text.encode(), "lines.csv", reference_headers=carrier)
    assert found.lines[0].reference == "PA1"


# --- rows -----------------------------------------------------------------------------------------


def test_rows_that_are_no_lines_are_skipped_with_their_reason() -> None:
    found = read(
        f"{HEADER}\n{ROW}\n,,,,\n\n{HEADER}\n{ROW}\nTotal,,20.00,,\n,Grand total,20.00,,\n"
        ",,20.00,,Total cost\nEnd of report,,,,\nPage 1 of 1\n"
    )
    assert [(s.row, s.why) for s in found.skipped] == [
        (2, "blank row"),
        (3, "blank row"),
        (4, "repeated header"),
        *[(row, "total or footer row") for row in range(6, 11)],
    ]
    assert [line.row for line in found.lines] == [1, 5]
    assert len(found.lines) + len(found.skipped) == found.rows == 10


@pytest.mark.parametrize(
    "row",
    [
        ",Total parenteral nutrition,5.00,01/04/2025,DEMO1",
        f"{PATIENT},Total,5.00,01/04/2025,DEMO1",
        ",natalizumab total dose 300mg,5.00,01/04/2025,DEMO1",
        ",natalizumab,5.00,01/04/2025,Total",
        ",,5.00,,",
    ],
)
def test_a_line_with_a_patient_or_a_drug_is_never_taken_for_a_total(row: str) -> None:
    found = read(f"{HEADER}\n{row}\n")
    assert totals(found) == [Decimal("5.00")]


@pytest.mark.parametrize(
    "row",
    [
        f"{PATIENT},natalizumab,10.00,01/04/2025",
        f"{PATIENT},natalizumab,10.00,01/04/2025,DEMO1,extra",
        f"natalizumab,{PATIENT},DEMO1,10.00,01/04/2025",
        f"x,{PATIENT},natalizumab,10.00,01/04/2025",
    ],
)
def test_a_shifted_row_is_kept_and_nothing_of_it_is_trusted(row: str) -> None:
    first, shifted = read(f"{HEADER}\n{ROW}\n{row}\n").lines
    assert not first.shifted
    assert shifted.shifted
    assert shifted.total_cost is shifted.nhs_number is None
    assert "columns are shifted" in (shifted.why_unread("row") or "")
    assert shifted.raw == tuple(row.split(","))


def test_empty_cells_beyond_the_header_shift_nothing() -> None:
    assert totals(read(f"{HEADER},,\n{ROW}\n{ROW},,,,\n")) == [Decimal("10.00")] * 2


def test_a_stray_quotation_mark_that_swallows_rows_is_seen() -> None:
    text = f'{HEADER}\n{PATIENT},"natalizumab,1,,\n{ROW}\n{PATIENT},nat",5.00,,DEMO1\n{ROW}\n'
    swallowed, whole = read(text).lines
    assert swallowed.shifted
    assert "quotation mark" in (swallowed.why_unread("row") or "")
    assert whole.total_cost == Decimal("10.00")


def test_a_cell_that_cannot_be_read_keeps_its_raw_text_and_reason() -> None:
    (line,) = submission(cells(total="TBC", date="31/04/2025")).lines
    assert {(f.field, f.raw) for f in line.faults} == {
        ("total_cost", "TBC"),
        ("supply_date", "31/04/2025"),
    }
    assert line.raw[list(CLEAN).index("TOTAL COST")] == "TBC"


def test_a_column_of_dates_written_both_ways_is_noted() -> None:
    def row(date: str) -> str:
        return ROW.replace("01/04/2025", date)

    found = read(f"{HEADER}\n{row('03/04/2025')}\n{row('25/04/2025')}\n{row('04/25/2025')}\n")
    assert [line.supply_date for line in found.lines] == [None, dt.date(2025, 4, 25), None]
    assert "supply date" in found.notes[0]


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("total", "1000.00", "£1,000.000"),
        ("date", "2025-06-10", "10-Jun-25"),
        ("drug", "NATALIZUMAB", " natalizumab"),
        ("month", "3", "4"),
    ],
)
def test_the_content_hash_is_over_what_is_said(field: str, one: str, other: str) -> None:
    first, second = submission(cells(**{field: one}), cells(**{field: other})).lines
    assert first.content_hash == second.content_hash


@pytest.mark.parametrize("field", ["nhs", "local", "drug", "provider", "quantity", "total", "unit"])
def test_the_content_hash_differs_where_the_content_does(field: str) -> None:
    first, second = submission(cells(), cells(**{field: "7"})).lines
    assert first.content_hash != second.content_hash


# --- refused files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (codecs.BOM_UTF8, "empty"),
        (csv_bytes([]), "no lines"),
        (csv_bytes([]) + b",,,\r\n\r\n", "no lines"),
        (b"PK\x03\x04rest of a workbook", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "spreadsheet"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"<html><table>", "web page"),
        (b"NHS Number,Drug Name,Total Cost," * 300_000 + b"\n1,2,3\n", "cells"),
        (b"hello, world\n1,2\n", "No header"),
        (b"NHS Number,Drug Name,Supply Date\n1,2,3\n", "TOTAL COST"),
        (b"NHS Number,Total Cost,Supply Date\n1,2,3\n", "DRUG NAME"),
        (f"{HEADER}\n{ROW}\n".encode("utf-16-le"), "NUL"),
        (f"{HEADER}\n{ROW}\n\0".encode(), "NUL"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\x41", "damaged"),
        (b"x" * 10_000_000, "does not end within 131,072 characters"),
        (f"{HEADER}\n{'x' * 200_000},natalizumab,1,,\n".encode(), "has over 32,767 characters"),
        (f"{HEADER}\n{'x' * 40_000},natalizumab,1,,\n".encode(), "has over 32,767 characters"),
        (b"x" * 200_000, "does not end within 131,072 characters"),
        (b"1234," * 50_000, "does not end within 131,072 characters"),
        (f'{HEADER}\n{PATIENT},"natalizumab,1,,\n{ROW}\n{ROW}\n'.encode(), "quotation mark"),
        (f"{HEADER}\n{'1,' * 2000}\n".encode(), "cells"),
        (f"{HEADER}\n".encode() + b'"' + f"{ROW}\n".encode() * 60 + b'",\n', "quotation mark"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_what_why_and_what_next(
    data: bytes, says: str
) -> None:
    with pytest.raises(UnreadableSubmission) as refused:
        read_submission(data, "lines.csv")
    error = refused.value
    assert says in str(error)
    assert error.what
    assert error.why
    assert error.next
    assert PATIENT not in str(error)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_no_more_of_a_row_without_an_end_is_held_than_a_row_may_have(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read whole, a row of 2 GB took 4.5 GB of memory before it was refused."""
    monkeypatch.setattr(decode_module, "MAX_LINE", 2_000)
    endless = f"{HEADER}\n{ROW}\n{'1234,é,' * 50_000}".encode(encoding)
    text = decode_module.text_file(in_memory(endless)).lines()
    assert [next(text), next(text)] == [f"{HEADER}\n", f"{ROW}\n"]
    with pytest.raises(UnreadableSubmission, match=r"A row of the file has over 2,000 characters"):
        next(text)
    with pytest.raises(UnreadableSubmission, match="line breaks may be missing"):
        read_submission(endless, "lines.csv")
    assert len(read(f"{HEADER}\n{ROW}{' ' * (2_000 - len(ROW) - 1)}\n").lines) == 1


def test_reading_leaves_the_csv_module_as_it_was() -> None:
    before = csv.field_size_limit()
    read(f"{HEADER}\n{ROW}\n")
    assert csv.field_size_limit() == before
