"""One file from its bytes to its summary and to what goes back to the provider."""

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from app.reconciliation import (
    LineOutcome,
    MatchedLine,
    Submission,
    TotalsDoNotTie,
    as_csv,
    as_json,
    as_text,
    match_submission,
    read_submission,
    returned_file,
    summarise,
)
from app.reconciliation.line_columns import facts_told
from app.reconciliation.report import summary_figures, summary_told
from app.reconciliation.returned import COLUMNS, safe_cell
from app.reconciliation.summary import check_tie
from app.reconciliation.untested import Untested
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import (
    FOLD,
    OTHER_PATIENT,
    PATIENT,
    cells,
    coverage,
    csv_bytes,
    snapshot,
    submission,
)

SNAPSHOT = snapshot(coverage())
MIXED = (
    cells(),
    cells(),
    cells(nhs=OTHER_PATIENT, local="X", total="£2,000.005"),
    cells(provider="DEMO2", date="2025-07-01", month="4"),
    cells(drug="ADALIMUMAB (FOC)", total="0"),
    cells(total="TBC"),
    cells(drug="Frobnicab", total="33.10", month="", year="", date=""),
    cells(total="-12.50", date="2025-06-12"),
)


def match(read: Submission) -> tuple[MatchedLine, ...]:
    """The lines matched against one approval."""
    return match_submission(read.lines, SNAPSHOT, load_drugs(), load_organisations())


def rows_of(data: bytes) -> list[list[str]]:
    """The cells of a returned file."""
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def test_a_clean_line_under_an_approval_is_matched_whole() -> None:
    (line,) = match(submission(cells()))
    assert line.outcome is LineOutcome.MATCHED
    assert (line.accepted, line.queried) == (Decimal("1000.00"), Decimal(0))
    assert (line.reference, line.found_by) == ("PA0000000000001X", "NHS number")


def test_the_summary_adds_up_to_the_file_exactly_in_every_breakdown() -> None:
    matched = match(submission(*MIXED))
    summary = summarise(matched, FOLD)
    assert list(summary.breakdowns()) == ["outcome", "provider", "drug", "commissioner", "month"]
    assert summary.grand.total == Decimal("5020.605")
    assert (summary.grand.lines, summary.grand.unreadable) == (8, 1)
    for buckets in summary.breakdowns().values():
        assert sum(bucket.total for bucket in buckets) == Decimal("5020.605")
        assert sum(bucket.accepted + bucket.queried for bucket in buckets) == Decimal("5020.605")
    assert [b.key for b in summary.by_month] == ["202526 M03", "202526 M04", "(not stated)"]
    assert [b.key for b in summary.by_provider] == ["DEMO1", "DEMO2"]
    assert summary.by_commissioner is not None
    assert [b.key for b in summary.by_commissioner] == ["DEMQ1"]
    assert [b.key for b in summary.by_drug] == ["adalimumab", "natalizumab", "(not stated)"]
    assert [b.key for b in summary.by_outcome][:2] == ["matched", "no approval"]


@pytest.mark.parametrize(
    "spoil",
    [
        {"accepted": Decimal("999.99")},
        {"queried": Decimal("0.00000001")},
        {"accepted": Decimal(0)},
    ],
)
def test_a_line_that_does_not_add_up_stops_the_run(spoil: dict[str, Decimal]) -> None:
    (line,) = match(submission(cells()))
    with pytest.raises(TotalsDoNotTie):
        summarise([replace(line, **spoil)], FOLD)


def test_a_breakdown_that_lacks_a_commissioner_stops_the_run() -> None:
    """Every breakdown is asserted to be the whole, that by commissioner too."""
    matched = match(submission(cells(), cells(payer="DEMQ2", date="2025-06-11")))
    summary = summarise(matched, FOLD)
    assert summary.by_commissioner is not None
    assert [b.key for b in summary.by_commissioner] == ["DEMQ1", "DEMQ2"]
    check_tie(summary, 2)
    spoilt = replace(summary, by_commissioner=summary.by_commissioner[:1])
    with pytest.raises(TotalsDoNotTie, match="commissioner"):
        check_tie(spoilt, 2)


def test_what_was_accepted_untested_is_told_in_each_form() -> None:
    matched = match(submission(*MIXED))
    untested = summarise(matched, FOLD).untested
    tests = {"contract", "indication", "route"}
    assert untested == Untested(Decimal("1000.00"), dict.fromkeys(tests, Decimal("1000.00")))
    summary = summarise(matched, FOLD)
    assert "£1,000.00 was accepted of lines with a test that could not be made" in as_text(summary)
    told = json.loads(as_json(summary))["untested"]
    assert told["accepted"] == "1000.00"
    assert {each["test"] for each in told["by_test"]} == tests
    table = list(csv.reader(io.StringIO(as_csv(summary))))
    rows = [row for row in table if row[0] == "accepted, and not tested"]
    assert [row[1] for row in rows] == [*sorted(tests), "any test"]
    assert {tuple(row[2:]) for row in rows} == {("", "", "", "1000.00", "")}
    assert summary_told(summary_figures(summary)) == summary


def test_a_summary_of_before_says_that_it_does_not_know() -> None:
    """Older runs kept no breakdown by commissioner, and not what was accepted untested."""
    figures = summary_figures(summarise(match(submission(*MIXED)), FOLD))
    older = {name: figures[name] for name in figures if name not in ("by_commissioner", "untested")}
    summary = summary_told(older)
    assert summary.untested is None
    assert list(summary.breakdowns()) == ["outcome", "provider", "drug", "month"]
    assert "not known" in as_text(summary)
    assert "not tested" not in as_csv(summary)
    assert summary_figures(summary) == older


def test_an_amount_on_a_line_without_a_total_stops_the_run() -> None:
    (line,) = match(submission(cells(total="TBC")))
    with pytest.raises(TotalsDoNotTie):
        summarise([replace(line, accepted=Decimal(1), queried=Decimal(-1))], FOLD)


def test_amounts_of_many_digits_are_not_rounded_in_the_sum() -> None:
    big, small = "999999999999999999", "0.00000001"
    summary = summarise(
        match(submission(cells(total=big), cells(total=small, date="2025-06-11"))), FOLD
    )
    assert str(summary.grand.total) == f"{big}{small[1:]}"
    assert f'"total": "{big}{small[1:]}"' in as_json(summary)


def test_the_summary_is_told_as_text_json_and_csv() -> None:
    read = submission(*MIXED)
    summary = summarise(match(read), FOLD)
    text = as_text(summary)
    assert "5,020.61" in text
    assert "duplicate line" in text
    assert "1 line(s) state no legible total" in text
    body = json.loads(as_json(summary, facts_told(read), read.skipped))
    assert body["total"]["total"] == "5020.605"
    assert body["submission"]["sha256"] == read.sha256
    assert sum(Decimal(b["total"]) for b in body["by_outcome"]) == Decimal("5020.605")
    table = list(csv.reader(io.StringIO(as_csv(summary))))
    whole = [row for row in table if row[0] == "all"]
    assert whole == [["all", "total", "8", "1", "5020.605", "987.50", "4033.105"]]


# --- the returned file ----------------------------------------------------------------------------


def test_the_file_comes_back_with_every_value_and_our_columns_appended() -> None:
    data = csv_bytes(MIXED)
    read = read_submission(data, "lines.csv")
    original, returned = rows_of(data), rows_of(returned_file(read, match(read)))
    assert len(returned) == len(original)
    assert [row[: len(original[0])] for row in returned] == original
    assert tuple(returned[0][len(original[0]) :]) == COLUMNS
    assert returned[1][-6:] == [
        "PA0000000000001X", "matched", "1000.00", "0.00", "Covered by an approval.", ""
    ]  # fmt: skip
    assert returned[6][-6:-2] == ["", "cannot be read", "", ""]
    assert returned[8][-6:-2] == ["", "credit without its debit", "-12.50", "0.00"]


def test_reading_the_same_file_twice_changes_nothing() -> None:
    data = csv_bytes(MIXED)
    first, second = (read_submission(data, "lines.csv") for _ in range(2))
    assert first == second
    assert match(first) == match(second)
    assert returned_file(first, match(first)) == returned_file(second, match(second))


RAGGED = (
    "Drugs April,,,,\n"
    "NHS Number,Drug Name,Total Cost,Supply Date,Provider Code\n"
    f"{PATIENT},natalizumab,10.00,10/06/2025,DEMO1\n"
    f"{PATIENT},natalizumab,10.00\n"
    f"{PATIENT},natalizumab,10.00,11/06/2025,DEMO1,extra,more\n"
    "\n"
    "Total,,30.00,,\n"
)


def test_a_ragged_file_comes_back_with_our_columns_under_their_headers() -> None:
    read = read_submission(RAGGED.encode(), "lines.csv")
    returned = rows_of(returned_file(read, match(read)))
    place = returned[1].index("ASSENT OUTCOME")
    assert [row[place] if len(row) > place else "" for row in returned] == [
        "",
        "ASSENT OUTCOME",
        "matched",
        "cannot be read",
        "cannot be read",
        "not a line",
        "not a line",
    ]
    assert returned[4][:7] == [PATIENT, "natalizumab", "10.00", "11/06/2025", "DEMO1", "extra",
                               "more"]  # fmt: skip


def test_appended_amounts_have_their_pence_and_no_zeros_that_say_nothing() -> None:
    read = submission(cells(total="1000"), cells(total="7.5000", date="2025-07-01", month="4"))
    returned = rows_of(returned_file(read, match(read)))
    assert [row[-5:-2] for row in returned[1:]] == [
        ["matched", "1000.00", "0.00"],
        ["matched", "7.50", "0.00"],
    ]


@pytest.mark.parametrize("data", [csv_bytes(MIXED), RAGGED.encode(), RAGGED.encode("utf-16")])
def test_a_returned_file_sent_in_again_gives_the_same_and_no_second_set_of_columns(
    data: bytes,
) -> None:
    first = read_submission(data, "lines.csv")
    once = returned_file(first, match(first))
    again = read_submission(once, "lines.csv")
    assert [m.outcome for m in match(again)] == [m.outcome for m in match(first)]
    assert summarise(match(again), FOLD) == summarise(match(first), FOLD)
    assert [s.why for s in again.skipped] == [s.why for s in first.skipped]
    assert returned_file(again, match(again)) == once


def test_bytes_that_no_encoding_explains_come_back_as_they_were() -> None:
    data = RAGGED.encode().replace(b"natalizumab", b"natalizumab \x81\xa3\x9d\xff")
    read = read_submission(data, "lines.csv")
    assert read.encoding == "cp1252"
    assert returned_file(read, match(read)).count(b"natalizumab \x81\xa3\x9d\xff") == 3


def test_our_words_fit_the_encoding_of_the_file() -> None:
    read = read_submission(csv_bytes([cells(drug="TYSABRI £")]).replace(b"\xc2", b""), "lines.csv")
    snap = snapshot(coverage(approval_reference="Ω1"))
    matched = match_submission(read.lines, snap, load_drugs(), load_organisations())
    assert b",?1,matched," in returned_file(read, matched)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+441", "+441"),
        ("+cmd", "'+cmd"),
        ("-12.50", "-12.50"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1", "' =1"),
        ("\t=1", "'\t=1"),
        ("natalizumab", "natalizumab"),
        ("", ""),
    ],
)
def test_a_cell_that_would_run_as_a_formula_is_made_safe(text: str, safe: str) -> None:
    assert safe_cell(text) == safe


def test_our_cells_are_always_safe_and_original_ones_only_on_request() -> None:
    read = submission(cells(local='=HYPERLINK("x")', total="-5.00"))
    snap = snapshot(coverage(approval_reference="=CMD"))
    approved = submission(cells())
    matched = match_submission(approved.lines, snap, load_drugs(), load_organisations())
    assert b"'=CMD" in returned_file(approved, matched)
    plain, safe = returned_file(read, match(read)), returned_file(read, match(read), safe=True)
    assert b"'=HYPERLINK" not in plain
    assert b"'=HYPERLINK" in safe
    assert b"'-5.00" not in safe


def test_lines_of_another_file_are_not_returned() -> None:
    with pytest.raises(TotalsDoNotTie):
        returned_file(submission(cells(), cells()), match(submission(cells())))
