"""One row of cells to a ContractLine: every cell read or null with its raw text and reason."""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.reconciliation.model import ContractLine, FieldFault
from app.reconciliation.parse import (
    Reading,
    clean,
    is_absent,
    parse_boolean,
    parse_clinical_code,
    parse_identifier,
    parse_money,
    parse_nhs,
    parse_organisation,
    parse_quantity,
    parse_reference,
    parse_text,
)
from app.reconciliation.parse_dates import (
    BIRTH,
    SUPPLY,
    DateRule,
    parse_date,
    parse_financial_month,
    parse_financial_year,
)

WHY_SHIFTED = "columns are shifted"
NO_CELL = "(no cell)"  # written by `returned` where a short row had no cell
WHY_STATED_TWICE = "two columns state it differently"

# Old and new names of these stand side by side in one feed: the first that is filled counts.
COALESCED = frozenset({"route", "unit", "supply_date", "reference", "indication"})
# Fields whose cells have a form of their own: the witnesses of a shifted row.
TYPED = (
    "financial_month",
    "financial_year",
    "nhs_number",
    "birth_date",
    "supply_date",
    "quantity",
    "unit_price_supplier",
    "unit_price",
    "home_delivery_charge",
    "vat_charged",
    "total_cost",
)
_FEWEST_WITNESSES = 3

Parser = Callable[[str], Reading[Any]]


@dataclass(frozen=True, slots=True)
class LineReader:
    """How to read each field of a row: its parser and its columns, best first.

    A row must reach the last named column (`narrowest`), and hold nothing from `widest` on.
    """

    parsers: Mapping[str, Parser]
    columns: Mapping[str, tuple[int, ...]]
    narrowest: int
    widest: int


def parsers(supply: DateRule = SUPPLY, birth: DateRule = BIRTH) -> dict[str, Parser]:
    """The parser of every field but the indication, which is a code or free text."""
    money = dict.fromkeys(
        ("unit_price_supplier", "unit_price", "home_delivery_charge", "total_cost"), parse_money
    )
    organisation = dict.fromkeys(
        ("provider", "site", "commissioner", "gp_practice"), parse_organisation
    )
    text = dict.fromkeys(
        ("withheld_reason", "drug_name", "route", "strength", "volume", "pack_size", "unit",
         "dispensing_route", "point_of_delivery"), parse_text
    )  # fmt: skip
    return {
        **money,
        **organisation,
        **text,
        "financial_month": parse_financial_month,
        "financial_year": parse_financial_year,
        "nhs_number": parse_nhs,
        "local_patient_id": parse_identifier,
        "birth_date": lambda cell: parse_date(cell, birth),
        "supply_date": lambda cell: parse_date(cell, supply),
        "drug_code": parse_clinical_code,
        "quantity": parse_quantity,
        "reference": parse_reference,
        "vat_charged": parse_boolean,
    }


def read_line(row: int, cells: tuple[str, ...], reader: LineReader) -> ContractLine:
    """The line in these cells; `row` counts data rows from 1."""
    if not _width_fits(cells, reader):
        return shifted_line(row, cells, f"{WHY_SHIFTED}: its number of cells is not the header's")
    values: dict[str, Any] = {}
    faults: list[FieldFault] = []
    witnesses = 0
    for name, indexes in reader.columns.items():
        raw, why = _cell(name, cells, indexes)
        if why is None and raw:
            if name == "indication":
                _read_indication(raw, values)
                continue
            witnesses += name in TYPED
            values[name], why = reader.parsers[name](raw)
        if why is not None:
            faults.append(FieldFault(name, raw, why))
    if _misplaced(faults, witnesses):
        return shifted_line(row, cells, f"{WHY_SHIFTED}: most cells do not fit their columns")
    return ContractLine(row, content_hash(values, faults), cells, faults=tuple(faults), **values)


def shifted_line(row: int, cells: tuple[str, ...], why: str) -> ContractLine:
    """A line of which nothing is trusted, since its cells do not stand under their headers."""
    digest = _digest(("shifted", *cells))
    return ContractLine(row, digest, cells, shifted=True, faults=(FieldFault("row", "", why),))


def _width_fits(cells: Sequence[str], reader: LineReader) -> bool:
    whole = len(cells) >= reader.narrowest and NO_CELL not in cells
    return whole and not any(map(clean, cells[reader.widest :]))


def _cell(name: str, cells: tuple[str, ...], indexes: tuple[int, ...]) -> tuple[str, str | None]:
    """The raw text of a field, and why it is not used where its columns contradict each other."""
    if len(indexes) == 1:
        raw = cells[indexes[0]]
        return ("" if is_absent(raw) else raw), None
    stated = [cells[i] for i in indexes if not is_absent(cells[i])]
    if not stated:
        return "", None
    if name not in COALESCED and len({clean(raw) for raw in stated}) > 1:
        return " | ".join(stated), WHY_STATED_TWICE
    return stated[0], None


def _read_indication(raw: str, values: dict[str, Any]) -> None:
    """A code where the cell is one; otherwise its text is kept, since free text is common here."""
    code, _ = parse_clinical_code(raw)
    values["indication_code"] = code
    if code is None:
        values["indication_text"] = clean(raw)


def _misplaced(faults: Sequence[FieldFault], witnesses: int) -> bool:
    wrong = sum(1 for f in faults if f.field in TYPED and f.why != WHY_STATED_TWICE)
    return wrong >= _FEWEST_WITNESSES and wrong * 2 > witnesses


def content_hash(values: Mapping[str, Any], faults: Sequence[FieldFault]) -> str:
    """SHA-256 over what the line states, in a canonical form.

    The stated month counts only where there is no supply date: the same supply billed in two
    months is the same content.
    """
    left_out = {"financial_year", "financial_month"} if values.get("supply_date") else set()
    stated = [
        f"{name}={_canonical(value)}"
        for name, value in sorted(values.items())
        if value is not None and name not in left_out
    ]
    unread = sorted(f"{f.field}?{clean(f.raw)}" for f in faults if f.field not in left_out)
    return _digest((*stated, *unread))


def _canonical(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value).casefold() if isinstance(value, str) else _number(value)


def _number(value: object) -> str:
    text = f"{value:f}" if not isinstance(value, (bool, int)) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
