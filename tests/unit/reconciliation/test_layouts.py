"""Each layout as dated data, and the same lines whatever a provider does to its file."""

import csv
import datetime as dt
import io
import random
from decimal import Decimal

import pytest

from app.reconciliation import Submission, read_submission
from app.reconciliation.layouts import LAYOUT_FILES, layouts, packaged, recognise_header, variants
from tests.unit.reconciliation.builders import PATIENT
from tests.workbooks import workbook

#: Ways to write each value, which all say the same.
VALUES: dict[str, list[str]] = {
    "financial_month": ["3", "03", "M03", "3.0", "June", " 3 "],
    "financial_year": ["202526", "2025/26", "2025-26", "2025 26", "2025-2026"],
    "provider": ["DEMO1", " demo1 "],
    "nhs_number": [PATIENT, f"{PATIENT[:3]} {PATIENT[3:6]} {PATIENT[6:]}", f"'{PATIENT}"],
    "birth_date": ["1980-02-03", "03/02/1980", "03-Feb-1980"],
    "supply_date": ["2025-06-25", "25/06/2025", "25-Jun-25", "45833", "2025/06/25 00:00:00"],
    "drug_name": ["NATALIZUMAB 300 mg", "NATALIZUMAB  300\u00a0mg "],
    "total_cost": ["-1234.56", "(1,234.56)", "-£1,234.56", "(\u00c2\u00a31,234.56)", "£1,234.56-"],
    "unit_price": ["TBC", "tbc"],
    "vat_charged": ["Y", "yes", "TRUE"],
}
LAYOUTS = {
    layout.name: packaged(file) for layout, file in zip(layouts(), LAYOUT_FILES, strict=True)
}


def all_names(layout: str) -> dict[str, str]:
    """Every element of a layout by its official name, with the field where it is read."""
    data = LAYOUTS[layout]
    read = {names[0]: field for field, names in data["fields"].items()}
    return read | dict.fromkeys(data["not_read"], "")


def table(layout: str, draw: random.Random, lines: int = 4) -> list[list[str]]:
    """A header in any order with its lines, written in any of the ways; names vary too."""
    named = list(all_names(layout).items())
    draw.shuffle(named)
    header = [
        draw.choice([name, name.title(), name.replace(" ", "_").lower()]) for name, _ in named
    ]
    rows = [[draw.choice(VALUES.get(field, [""])) for _, field in named] for _ in range(lines)]
    return [header, *rows]


def messy(rows: list[list[str]], draw: random.Random) -> list[list[str]]:
    """The table with a title, blank rows, its header again, a footer and a shifted row."""
    header, *body = rows
    width = len(header)
    shifted = [*body[0][1:], *["stray"] * 4]
    footer = ["Total", *[""] * (width - 1)]
    at = draw.randrange(len(body))
    body = [*body[:at], [""] * width, header, *body[at:]]
    return [["Drugs report"], [], header, *body, shifted, footer]


def as_csv(rows: list[list[str]], delimiter: str, encoding: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(encoding)


def said(found: Submission) -> list[tuple[object, ...]]:
    return [
        (x.financial_year, x.financial_month, x.provider, x.nhs_number, x.birth_date, x.supply_date,
         x.drug_name, x.total_cost, x.unit_price, x.why_unread("unit_price"), x.vat_charged)
        for x in found.lines if not x.shifted
    ]  # fmt: skip


EXPECTED = (
    "202526", 3, "DEMO1", PATIENT, dt.date(1980, 2, 3), dt.date(2025, 6, 25),
    "NATALIZUMAB 300 mg", Decimal("-1234.56"), None, "it is not an amount in figures", True,
)  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(12))
def test_a_file_says_the_same_in_any_order_and_spelling(layout: str, seed: int) -> None:
    draw = random.Random(seed)
    rows = messy(table(layout, draw), draw)
    delimiter, encoding = draw.choice(",;\t|"), draw.choice(["utf-8", "utf-8-sig", "utf-16"])
    for data, name in (
        (as_csv(rows, delimiter, encoding), "lines.csv"),
        (workbook({"Lines": rows}), "lines.xlsx"),
    ):
        found = read_submission(data, name)
        assert found.layout == layout
        assert said(found) == [EXPECTED] * 4
        assert [x.shifted for x in found.lines] == [False] * 4 + [True]
        assert sorted(s.why for s in found.skipped) == [
            "blank row", "repeated header", "total or footer row"
        ]  # fmt: skip
        assert found.rows == len(rows) - 3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_element_of_a_layout_is_known_and_dated(layout: str) -> None:
    names = list(all_names(layout))
    header = recognise_header(names)
    assert (header.layout, header.recognised) == (layout, len(names))
    assert LAYOUTS[layout]["in_force"]["from"]
    assert LAYOUTS[layout]["source"]


def test_the_first_version_has_its_fifty_elements_as_read_or_not_read() -> None:
    # 50 elements, where the sheet counts the five local pairs as ten.
    assert len(all_names("drplcm-v1")) == 50


def test_each_layout_follows_the_one_before_it() -> None:
    newest, oldest = layouts()
    assert oldest.to is not None
    assert newest.to is None
    assert newest.from_ == oldest.to + dt.timedelta(days=1)


def test_a_variant_is_no_official_name_of_another_field() -> None:
    official = {n: field for layout in layouts() for field, ns in layout.fields.items() for n in ns}
    wrong = [n for field, ns in variants().items() for n in ns if official.get(n, field) != field]
    assert wrong == []


@pytest.mark.parametrize(("layout", "told"), [("drplcm-v1", True), ("drplcm-v3", False)])
def test_months_that_a_layout_was_not_made_for_are_told(layout: str, told: bool) -> None:
    rows = table(layout, random.Random(1))
    found = read_submission(as_csv(rows, ",", "utf-8"), "lines.csv")
    assert any("lie outside" in note for note in found.notes) == told
