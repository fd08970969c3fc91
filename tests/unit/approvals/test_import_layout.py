"""Columns are found by their names as data, wherever the header stands and however it is parted."""

import pytest

from app.approvals.import_errors import ImportColumnsAmbiguous, ImportColumnsNotKnown
from app.approvals.import_layout import Standing, load_layout, parse_layout, read_sheet

HEADER = "Unique ID|NHS Number|D.O.B|Provider Code|ICB code|Medicine|NICE TA|STATUS|Approval date"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_header_is_found_below_title_lines_under_any_delimiter(delimiter: str) -> None:
    lines = ["All forms", "", HEADER.replace("|", delimiter), delimiter.join("abcdefghi"), ""]
    sheet = read_sheet("\r\n".join(lines), load_layout())
    assert sheet.width == 9
    ((number, cells),) = sheet.rows
    assert number == 4
    assert sheet.cell(cells, "birth_date") == "c"
    assert sheet.cell(cells, "commissioner") == "e"
    assert sheet.cell(cells, "product") == ""


def test_every_column_that_is_missing_is_named() -> None:
    text = HEADER.replace("D.O.B", "Born").replace("|Medicine", "|X")
    with pytest.raises(ImportColumnsNotKnown) as refused:
        read_sheet(text.replace("|", ","), load_layout())
    assert refused.value.columns == ("DoB", "Drug")


def test_two_columns_for_one_thing_are_not_chosen_between() -> None:
    with pytest.raises(ImportColumnsAmbiguous) as refused:
        read_sheet(f"{HEADER}|Approved on".replace("|", ","), load_layout())
    assert refused.value.columns == ("Date approved",)


@pytest.mark.parametrize(
    ("word", "standing"),
    [
        ("approved", Standing.APPROVED),
        ("treatmentcomplete", Standing.COMPLETE),
        ("treatmentstopped", Standing.STOPPED),
        ("treatmentnotstarted", Standing.NO_COVERAGE),
        ("notapproved", Standing.NO_COVERAGE),
    ],
)
def test_a_status_means_one_thing_for_coverage(word: str, standing: Standing) -> None:
    assert load_layout().statuses[word] is standing


@pytest.mark.parametrize(
    "text",
    [
        "fields: {a: [X], b: [x]}\nnot_read: []\nstatuses: {}",
        "fields: {a: [X]}\nnot_read: [x]\nstatuses: {}",
        "fields: {}\nnot_read: []\nstatuses: {approved: [Done], stopped: ['DONE ']}",
    ],
)
def test_a_name_that_means_two_things_is_a_fault_of_the_data(text: str) -> None:
    with pytest.raises(ValueError, match="Keep one"):
        parse_layout(text)
