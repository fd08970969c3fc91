"""One row of cells to a ContractLine: every cell read or null with its raw text and reason."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    parse_pseudonym,
    parse_quantity,
    parse_reference,
    parse_text,
    parse_withheld_reason,
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
# Days that tell of a supply. Where one is legible, the stated month is not part of what is said.
DATED = ("supply_date", "delivery_date", "invoice_date")
# Fields whose cells have a form of their own: the witnesses of a shifted row.
TYPED = (
    "financial_month",
    "financial_year",
    "nhs_number",
    "birth_date",
    *DATED,
    "quantity",
    "unit_price_supplier",
    "unit_price",
    "home_delivery_charge",
    "vat_charged",
    "total_cost",
)
FEWEST_WITNESSES = 3
_REMEMBERED = 100_000  # texts of a field; beyond, all are forgotten, so that memory stays

Parser = Callable[[str], Reading[Any]]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A cell as read: the values it sets, why it was not read, and what it says, for hashing."""

    values: tuple[tuple[str, Any], ...] = ()
    why: str | None = None
    said: str = ""


ABSENT = Parsed()


@dataclass(frozen=True, slots=True)
class LineReader:
    """How to read each field of a row: its parser and its columns, best first.

    A row must reach the last named column (`narrowest`), and hold nothing from `widest` on.
    """

    parsers: Mapping[str, Callable[[str], Parsed]]
    columns: Mapping[str, tuple[int, ...]]
    narrowest: int
    widest: int


CONTRADICTED = Parsed(why=WHY_STATED_TWICE, said=WHY_STATED_TWICE)


def line_reader(
    columns: Mapping[str, tuple[int, ...]],
    narrowest: int,
    widest: int,
    supply: DateRule = SUPPLY,
    birth: DateRule = BIRTH,
) -> LineReader:
    """A reader for one file. It remembers what it has parsed: drop it with the file."""
    by_field = {name: _remembering(name, p) for name, p in parsers(supply, birth).items()}
    return LineReader(by_field, columns, narrowest, widest)


def _remembering(name: str, parser: Parser) -> Callable[[str], Parsed]:
    """The parser of a field, run once for each text: most cells of a file repeat."""
    seen: dict[str, Parsed] = {}

    def parse(raw: str) -> Parsed:
        parsed = seen.get(raw)
        if parsed is None:
            if len(seen) >= _REMEMBERED:
                seen.clear()
            parsed = seen[raw] = _parse(name, parser, raw)
        return parsed

    return parse


def _parse(name: str, parser: Parser, raw: str) -> Parsed:
    value, why = parser(raw)
    if name == "indication" and why is not None:
        # Free text is common here, and not a fault.
        name, value, why = "indication_text", clean(raw), None
    elif name == "indication":
        name = "indication_code"
    if why is not None:
        return Parsed(why=why, said=f"{name}?{clean(raw)}")
    return (
        ABSENT if value is None else Parsed(((name, value),), None, f"{name}={_canonical(value)}")
    )


def parsers(supply: DateRule = SUPPLY, birth: DateRule = BIRTH) -> dict[str, Parser]:
    """The parser of every field."""
    money = dict.fromkeys(
        ("unit_price_supplier", "unit_price", "home_delivery_charge", "total_cost"), parse_money
    )
    organisation = dict.fromkeys(
        ("provider", "site", "commissioner", "gp_practice"), parse_organisation
    )
    text = dict.fromkeys(
        ("drug_name", "route", "strength", "volume", "pack_size", "unit",
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
        "nhs_pseudonym": parse_pseudonym,
        "local_pseudonym": parse_pseudonym,
        "withheld_reason": parse_withheld_reason,
        "birth_date": lambda cell: parse_date(cell, birth),
        **dict.fromkeys(DATED, lambda cell: parse_date(cell, supply)),
        "indication": parse_clinical_code,
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
    said: list[str] = []
    witnesses = 0
    for name, indexes in reader.columns.items():
        own = [cells[i] if i < len(cells) else "" for i in indexes]
        raw = own[0] if len(own) == 1 else coalesced(name, own)
        parsed = CONTRADICTED if raw is None else reader.parsers[name](raw)
        if parsed is ABSENT:
            continue
        said.append(parsed.said)
        values.update(parsed.values)
        witnesses += name in TYPED
        if parsed.why is not None:
            faults.append(FieldFault(name, together(own), parsed.why))
    if _misplaced(faults, witnesses):
        return shifted_line(row, cells, f"{WHY_SHIFTED}: most cells do not fit their columns")
    return ContractLine(row, _content_hash(said, values), cells, faults=tuple(faults), **values)


def shifted_line(row: int, cells: tuple[str, ...], why: str) -> ContractLine:
    """A line of which nothing is trusted, since its cells do not stand under their headers."""
    digest = _digest(("shifted", *cells))
    return ContractLine(row, digest, cells, shifted=True, faults=(FieldFault("row", "", why),))


def _width_fits(cells: Sequence[str], reader: LineReader) -> bool:
    whole = len(cells) >= reader.narrowest and NO_CELL not in cells
    return whole and not any(map(clean, cells[reader.widest :]))


def coalesced(name: str, cells: Sequence[str]) -> str | None:
    """The first filled cell of a field with several columns; None where they contradict."""
    stated = [cell for cell in cells if not is_absent(cell)]
    if name not in COALESCED and len({clean(raw) for raw in stated}) > 1:
        return None
    return stated[0] if stated else ""


def together(cells: Iterable[str]) -> str:
    """What a field's cells state, as it is kept of one that could not be read."""
    return " | ".join(cell for cell in cells if not is_absent(cell))


def _misplaced(faults: Sequence[FieldFault], witnesses: int) -> bool:
    wrong = sum(1 for f in faults if f.field in TYPED and f.why != WHY_STATED_TWICE)
    return wrong >= FEWEST_WITNESSES and wrong * 2 > witnesses


def _content_hash(said: Sequence[str], values: Mapping[str, Any]) -> str:
    """SHA-256 over what the line says, in a canonical form and order.

    The stated month counts only where there is no day: the same supply billed in two
    months is the same content.
    """
    if any(name in values for name in DATED):
        said = [text for text in said if not text.startswith("financial_")]
    return _digest(sorted(said))


def _canonical(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value).casefold() if isinstance(value, str) else _number(value)


def _number(value: object) -> str:
    text = f"{value:f}" if not isinstance(value, (bool, int)) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
