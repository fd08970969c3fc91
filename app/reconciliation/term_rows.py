"""A commissioner's file of terms, as CSV: every fault at once, and nothing loaded with a fault.

Contract terms: `provider,drug,basis,from,to,demonstration,source`. Responsible commissioners:
`drug,among,responsible,from,to,demonstration,source`, with `among` parted by semicolons. A row
needs its source; `demonstration` is true for invented ones.
"""

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from app.reconciliation.errors import TermsNotAccepted
from app.reconciliation.terms_model import EVERY_DRUG, Basis

CONTRACT_COLUMNS = ("provider", "drug", "basis", "from", "to", "demonstration", "source")
PAYER_COLUMNS = ("drug", "among", "responsible", "from", "to", "demonstration", "source")
MOST_ROWS = 5_000
_CODE = re.compile("[A-Z0-9]{3,9}")
_LONGEST_SOURCE = 300

Row = dict[str, Any]


def read_contracts(text: str) -> list[Row]:
    """The rows of a file of contract terms. Raises TermsNotAccepted with every fault."""
    return _read(text, CONTRACT_COLUMNS, _contract)


def read_payers(text: str) -> list[Row]:
    """The rows of a file of responsible commissioners. Raises TermsNotAccepted, as above."""
    return _read(text, PAYER_COLUMNS, _payer)


def check_contracts(rows: Sequence[Row], drugs: Collection[str]) -> None:
    """Raise TermsNotAccepted, with every fault, unless the rows make sense."""
    _check(rows, lambda row: _check_row(row, {EVERY_DRUG, *drugs}))


def check_payers(rows: Sequence[Row], drugs: Collection[str]) -> None:
    """Raise TermsNotAccepted, with every fault, unless the rows make sense."""

    def check(row: Row) -> None:
        _check_row(row, drugs)
        if row["responsible"] not in row["among"]:
            raise ValueError("responsible must be one of the commissioners in among")

    _check(rows, check)


def _check(rows: Sequence[Row], check: Callable[[Row], None]) -> None:
    faults = []
    for number, row in enumerate(rows, start=1):
        try:
            check(row)
        except ValueError as error:
            faults.append(f"row {number}: {error}")
    if faults:
        raise TermsNotAccepted(faults)


def _check_row(row: Row, drugs: Collection[str]) -> None:
    if row["drug"] not in drugs:
        raise ValueError("drug must be a key of the drug dictionary, such as adalimumab")
    first, last = row["from_day"], row["to_day"]
    if first is not None and last is not None and last < first:
        raise ValueError("to is before from")


def _read(text: str, columns: tuple[str, ...], make: Callable[[dict[str, str]], Row]) -> list[Row]:
    lines = (line for line in text.lstrip("\ufeff").splitlines() if not line.startswith("#"))
    try:
        table = list(csv.reader(io.StringIO("\n".join(lines)), strict=True))
    except csv.Error:
        raise TermsNotAccepted(["the file is no CSV: a quote is not closed"]) from None
    if not table or tuple(table[0]) != columns:
        raise TermsNotAccepted([f"the first row must be {','.join(columns)}"])
    if len(table) - 1 > MOST_ROWS:
        raise TermsNotAccepted([f"it has more than {MOST_ROWS} rows: load them in one smaller set"])
    rows, faults = [], []
    for number, cells in enumerate(table[1:], start=1):
        try:
            if len(cells) != len(columns):
                raise ValueError(f"{len(cells)} cells, not {len(columns)}")
            stated = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
            rows.append(make(stated))
        except ValueError as error:
            faults.append(f"row {number}: {error}")
    if faults:
        raise TermsNotAccepted(faults)
    return rows


def _contract(cells: dict[str, str]) -> Row:
    if cells["basis"] not in set(Basis):
        raise ValueError(f"basis must be one of {', '.join(Basis)}")
    return {
        "provider": _code(cells["provider"], "provider"),
        "drug": cells["drug"],
        "basis": cells["basis"],
        **_dated(cells),
    }


def _payer(cells: dict[str, str]) -> Row:
    return {
        "drug": cells["drug"],
        "among": sorted({_code(code.strip(), "among") for code in cells["among"].split(";")}),
        "responsible": _code(cells["responsible"], "responsible"),
        **_dated(cells),
    }


def _dated(cells: dict[str, str]) -> Row:
    if cells["demonstration"] not in ("true", "false"):
        raise ValueError("demonstration must be true or false")
    if not 0 < len(cells["source"]) <= _LONGEST_SOURCE:
        raise ValueError(f"source must name where the row is from, in {_LONGEST_SOURCE} characters")
    return {
        "from_day": _day(cells["from"], "from"),
        "to_day": _day(cells["to"], "to"),
        "demonstration": cells["demonstration"] == "true",
        "source": cells["source"],
    }


def _code(text: str, name: str) -> str:
    if _CODE.fullmatch(text) is None:
        raise ValueError(f"{name} must be an organisation's code, such as RRK")
    return text


def _day(text: str, name: str) -> dt.date | None:
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name} must be a day as 2026-04-01, or empty") from None
