"""The intake by columns gives what the intake row by row gives: every field, fault and refusal."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.reconciliation import (
    Submission,
    UnreadableSubmission,
    read_columns,
    read_line,
    read_submission,
)
from app.reconciliation.line_columns import submission_in
from app.reconciliation.model import ContractLine
from app.reconciliation.source import Source, in_memory, on_disk
from tests.unit.reconciliation.builders import CLEAN, PATIENT, SHORT, cells, csv_bytes
from tests.workbooks import workbook

SLOW = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
Told = Submission | tuple[type, str]


def by_row(data: bytes, name: str) -> Told:
    try:
        return read_submission(data, name)
    except UnreadableSubmission as error:
        return type(error), str(error)


def by_columns(source: Source, name: str) -> Told:
    out = io.BytesIO()
    try:
        facts = read_columns.read_columns(source, name, out)
    except UnreadableSubmission as error:
        return type(error), str(error)
    read = submission_in(io.BytesIO(out.getvalue()), name)
    assert (facts.lines, facts.skipped) == (len(read.lines), len(read.skipped))
    return read


def by_columns_of(data: bytes, name: str) -> Told:
    """The same of a file in memory."""
    return by_columns(in_memory(data), name)


def agree(data: bytes, name: str = "lines.csv") -> Told:
    """Both readings, which must be the same to the last character."""
    one, other = by_row(data, name), by_columns(in_memory(data), name)
    assert one == other
    if isinstance(one, Submission) and isinstance(other, Submission):
        assert repr(one) == repr(other)  # 1.50 is not 1.5: outcomes are stored as written
        rows = sorted(each.row for each in (*other.lines, *other.skipped))
        assert rows == list(range(1, len(rows) + 1))
        assert _places(data, name) == list(range(len(other.lines)))
    return one


def _places(data: bytes, name: str) -> list[int]:
    out = io.BytesIO()
    read_columns.read_columns(in_memory(data), name, out)
    places = pq.read_table(io.BytesIO(out.getvalue())).column("pos").to_pylist()
    return [place for place in places if place is not None]


# --- nasty files ----------------------------------------------------------------------------------

NASTY = (
    *(
        "",
        " ",
        "-",
        "NULL",
        "n/a",
        "TBC",
        "£",
        "Total",
        "grand total:",
        "End of report",
        "(no cell)",
    ),
    *("1", "01", "13", "M03", "April", "202526", "2025/26", "2025-26", "2025", "400", "1E+09"),
    *("2025-06-10", "10/06/2025", "06/25/2025", "25/06/2025", "45748", "10-Jun-25", "3/4/2025 1PM"),
    *("2025-06-10T23:30:00Z", "31/02/2025", "1980-02-03", "03/02/80", "29221"),
    *("£1,234.56", "(1,234.56)", "-12.50", "12.50-", "Â£5", "1000.00", "1e3", "0.123456789"),
    *("1000", "999999999999999999", "9999999999999999999", "0.00", "--3", "7.", ".5", "-0"),
    *(PATIENT, f"{PATIENT}.0", f" {PATIENT[:3]} {PATIENT[3:]}", "1111111111", "9.99E+09", "L001"),
    *("DEMO1", "demo1 ", "RX1!!", "426373005", "426373005.0", "426373004", "MS", "Y", "n", "maybe"),
    *("NATALIZUMAB 300 mg", "tysabri", "Total parenteral nutrition", "'apostrophe", "\ufeffBOM"),
    *("a,b", 'say "x"', "two\nlines", "a,b,c,d,e\r\nf,g", "line\rbreak", "naïve ☃", "ÿ", "\x85"),
)
HEADS = (
    *CLEAN,
    *(
        "Cost",
        "Drug",
        "NHS No",
        "Supply Date",
        "Commissioner Code",
        "GP PRACTICE",
        "#",
        "",
        "Notes",
    ),
    *("ASSENT OUTCOME", "(beyond the header)", "NHS PSEUDONYM", "TOTAL COST", "DRUG NAME"),
    *("NHS NUMBER", "CLINICAL INTERVENTION DATE (DRUG DISPENSED)", "STRENGTH", "ROUTE"),
)
CLEAN_OR_NASTY = {name: (text, text, text, *NASTY) for name, text in CLEAN.items()}


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header of known, unknown and repeated columns above rows of every kind."""
    chosen = draw(st.lists(st.sampled_from(HEADS), min_size=2, max_size=14))
    header = [*draw(st.permutations([*chosen, "TOTAL COST", "DRUG NAME", "NHS NUMBER"]))]
    cell = st.one_of(st.sampled_from(NASTY), st.text(max_size=6))
    rows: list[list[str]] = []
    for _ in range(draw(st.integers(0, 9))):
        kind = draw(st.sampled_from(("clean", "clean", "nasty", "blank", "header", "any", "wide")))
        if kind == "any":
            rows.append(draw(st.lists(cell, max_size=len(header) + 3)))
        elif kind == "blank":
            rows.append(draw(st.sampled_from([[], [""], [""] * len(header), [" "] * 3])))
        elif kind == "header":
            rows.append([*header[: draw(st.integers(1, len(header)))]])
        else:
            chances = 1 if kind == "nasty" else 12
            rows.append([_cell(draw, name, chances) for name in header])
            rows[-1] += [draw(cell)] if kind == "wide" else []
    rows += draw(st.lists(st.sampled_from(rows), max_size=3)) if rows else []
    titles = draw(st.lists(st.lists(cell, max_size=3), max_size=2))
    return [*titles, header, *rows]


def _cell(draw: st.DrawFn, name: str, chances: int) -> str:
    if name in CLEAN and draw(st.integers(0, chances)):
        return CLEAN[name]
    return draw(st.sampled_from(NASTY))


def as_csv(table: list[list[str]], delimiter: str, newline: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=newline).writerows(table)
    return out.getvalue()


@pytest.fixture(params=[3, 1_000], ids=["many chunks", "one chunk"])
def _chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_columns, "_ROWS", request.param)


@pytest.mark.usefixtures("_chunks")
@SLOW
@given(
    tables(),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\r\n", "\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
)
def test_nasty_text_is_read_the_same(
    table: list[list[str]], delimiter: str, newline: str, encoding: str
) -> None:
    agree(as_csv(table, delimiter, newline).encode(encoding, "replace"))


@pytest.mark.usefixtures("_chunks")
@SLOW
@given(tables())
def test_a_nasty_workbook_is_read_the_same(table: list[list[str]]) -> None:
    clean = [["".join(c for c in cell if c.isprintable()) for cell in row] for row in table]
    agree(workbook({"Lines": clean}), "lines.xlsx")


@pytest.mark.usefixtures("_chunks")
@SLOW
@given(tables())
def test_a_nasty_parquet_file_is_read_the_same(table: list[list[str]]) -> None:
    header, *rows = table[-1:] if len(table) == 1 else table
    width = len(header)
    names = [f"{name}" for name in header]
    squared = [[*row[:width], *[""] * (width - len(row))] for row in rows]
    columns = list(zip(*squared, strict=True)) if squared else [()] * width
    out = io.BytesIO()
    made = pa.Table.from_arrays([pa.array(column, pa.string()) for column in columns], names)
    pq.write_table(made, out)
    agree(out.getvalue(), "lines.parquet")


@pytest.mark.usefixtures("_chunks")
@SLOW
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_the_same(data: bytes) -> None:
    agree(data)
    agree(codecs.BOM_UTF16_LE + data)


@pytest.mark.usefixtures("_chunks")
@SLOW
@given(st.data())
def test_a_damaged_file_is_read_or_refused_the_same(data: st.DataObject) -> None:
    good = csv_bytes([CLEAN] * 5)
    at = data.draw(st.integers(0, len(good)))
    noise = data.draw(
        st.one_of(st.binary(max_size=20), st.sampled_from([b'"', b"\0", b"\n", b","]))
    )
    agree(good[:at] + noise + good[at + data.draw(st.integers(0, 40)) :])


# --- cases that must be there ---------------------------------------------------------------------


@pytest.mark.usefixtures("_chunks")
def test_every_kind_of_row_was_compared() -> None:
    """What the drawing above is meant to reach, once for certain."""
    names = list(CLEAN)
    rows = [
        cells(),
        cells(total="TBC", quantity="2.50"),
        {name: "" for name in names},
        {name: name for name in names},
        {**{name: "" for name in names}, names[0]: "Total", SHORT["total"]: "1000"},
        {name: "wrong" for name in names},
        cells(date="", month="3"),
        cells(indication="relapsing MS"),
        cells(drug="a,b,c,d,e\nf"),
    ]
    told = agree(csv_bytes(rows) + b"short,row\r\n" + b"," * 40 + b"x\r\n")
    assert isinstance(told, Submission)
    assert {each.why for each in told.skipped} == {
        "blank row",
        "repeated header",
        "total or footer row",
    }
    assert sum(line.shifted for line in told.lines) == 4
    assert [f.field for f in told.lines[1].faults] == ["total_cost"]
    assert str(told.lines[1].quantity) == "2.50"


def test_one_cell_of_each_nasty_kind_in_each_column_is_read_the_same() -> None:
    columns = (*CLEAN, "DRUG DELIVERY DATE", "INVOICE DATE")
    rows = [{**CLEAN, name: text} for name in columns for text in NASTY]
    told = agree(csv_bytes(rows))
    assert isinstance(told, Submission)
    assert told.rows == len(rows)


def test_columns_that_stand_twice_are_read_the_same() -> None:
    header = [*CLEAN, "TOTAL COST", "DRUG NAME", "CLINICAL INTERVENTION DATE (DRUG DISPENSED)"]
    first = list(CLEAN.values())
    seconds = (("1000.00", "other", ""), ("999", "", "2025-06-11"), ("", "TYSABRI", "TBC"))
    told = agree(as_csv([header, *([*first, *more] for more in seconds)], ",", "\n").encode())
    assert isinstance(told, Submission)
    assert [len(line.faults) for line in told.lines] == [1, 1, 1]


def test_a_file_on_a_disk_is_read_as_one_in_memory(tmp_path: Path) -> None:
    data = csv_bytes([cells(total=str(n)) for n in range(50)])
    path = tmp_path / "lines.csv"
    path.write_bytes(data)
    assert by_columns(on_disk(path), "lines.csv") == by_row(data, "lines.csv")


@pytest.mark.parametrize("read", [by_row, by_columns_of], ids=["by row", "by columns"])
def test_each_distinct_text_of_a_column_is_parsed_once_by_the_plain_function(
    read: Callable[[bytes, str], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over several chunks, with rows among them that are read one by one."""
    calls: Counter[tuple[str, str]] = Counter()
    whole = read_line.parsers

    def counted(*rules: Any) -> dict[str, read_line.Parser]:
        def counting(name: str, parser: read_line.Parser) -> read_line.Parser:
            def parse(text: str) -> Any:
                calls[name, text] += 1
                return parser(text)

            return parse

        return {name: counting(name, parser) for name, parser in whole(*rules).items()}

    monkeypatch.setattr(read_line, "parsers", counted)
    monkeypatch.setattr(read_columns, "_ROWS", 7)
    rows = [cells(local=f"L{n % 5}", quantity=str(n % 3), total=f"{n % 4}.00") for n in range(60)]
    rows[20] = {**CLEAN, SHORT["date"]: "TBC", SHORT["quantity"]: "?", SHORT["total"]: "??"}
    rows[41] = dict(rows[20])
    found = read(csv_bytes(rows), "lines.csv")
    assert isinstance(found, Submission)
    assert len(found.lines) == 60
    assert [text for text, times in calls.items() if times > 1] == []
    expected = {("quantity", row[SHORT["quantity"]]) for row in rows}
    expected |= {("total_cost", row[SHORT["total"]]) for row in rows}
    expected |= {("local_patient_id", row[SHORT["local"]]) for row in rows}
    assert {each for each in calls if each[0] in dict(expected)} == expected


def test_what_was_stored_by_another_intake_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    read_columns.read_columns(in_memory(csv_bytes([CLEAN])), "lines.csv", out)
    monkeypatch.setattr("app.reconciliation.line_columns.INTAKE_VERSION", 999)
    with pytest.raises(ValueError, match="another version"):
        submission_in(io.BytesIO(out.getvalue()), "lines.csv")


@pytest.mark.parametrize("field", ContractLine.__dataclass_fields__)
def test_a_field_that_was_read_otherwise_would_be_noticed(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison covers every field of a line: spoil one on its way back, and it tells."""

    def spoilt(*values: Any, **named: Any) -> ContractLine:
        line = ContractLine(*values, **named)
        object.__setattr__(line, field, "spoilt")
        return line

    monkeypatch.setattr("app.reconciliation.line_columns.ContractLine", spoilt)
    data = csv_bytes([CLEAN])
    with pytest.raises((AssertionError, TypeError)):
        agree(data)
