"""A commissioner's file of terms, as CSV: every fault at once, and nothing loaded with a fault.

Contract terms: `provider,drug,basis,from,to,demonstration,source`. Responsible commissioners:
`drug,among,responsible,from,to,demonstration,source`, with `among` parted by semicolons. Agreed
prices: `provider,drug,drug_code,product,strength,framework,unit,price,from,to,run_off_days,
tolerance_percent,tolerance_pence,demonstration,source`, where an empty cell of the first five but
drug means all. Supply terms: `kind,provider,drug,amount,from,to,demonstration,source`, in pounds
for a *home delivery*, *dispensing fee* or *service fee*, per cent for a *quantity tolerance* and
days for *fee days*, *days early*, *last deliveries after a stop*, *last deliveries after a death*
and *invoice days*, which are of every drug. A row needs its source; `demonstration` is true for
invented ones.
"""

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.reconciliation.errors import TermsNotAccepted
from app.reconciliation.terms_model import EVERY_DRUG, Basis, SupplyTermKind

CONTRACT_COLUMNS = ("provider", "drug", "basis", "from", "to", "demonstration", "source")
PAYER_COLUMNS = ("drug", "among", "responsible", "from", "to", "demonstration", "source")
PRICE_COLUMNS = (
    *("provider", "drug", "drug_code", "product", "strength", "framework", "unit", "price"),
    *("from", "to", "run_off_days", "tolerance_percent", "tolerance_pence", "demonstration"),
    "source",
)
SUPPLY_COLUMNS = ("kind", "provider", "drug", "amount", "from", "to", "demonstration", "source")
MOST_ROWS = 5_000
LONGEST_RUN_OFF = 731  # days
_MOST_DAYS = 31
_IN_DAYS = frozenset(
    {
        SupplyTermKind.FEE_DAYS,
        SupplyTermKind.DAYS_EARLY,
        SupplyTermKind.AFTER_STOP,
        SupplyTermKind.AFTER_DEATH,
        SupplyTermKind.INVOICE_DAYS,
    }
)
_PLACES = 8
_CODE = re.compile("[A-Z0-9]{3,9}")
_EXACT = re.compile("[0-9]{1,15}([.][0-9]{1,8})?")
_WHOLE = re.compile("[0-9]{1,3}")
_DM_D = re.compile("[0-9]{6,20}")
_LONGEST_SOURCE = 300
_LONGEST = {"framework": 80, "unit": 100, "strength": 100, "product": 80}

Row = dict[str, Any]


def read_contracts(text: str) -> list[Row]:
    """The rows of a file of contract terms. Raises TermsNotAccepted with every fault."""
    return _read(text, CONTRACT_COLUMNS, _contract)


def read_payers(text: str) -> list[Row]:
    """The rows of a file of responsible commissioners. Raises TermsNotAccepted, as above."""
    return _read(text, PAYER_COLUMNS, _payer)


def read_prices(text: str) -> list[Row]:
    """The rows of a file of agreed prices. Raises TermsNotAccepted, as above."""
    return _read(text, PRICE_COLUMNS, _price)


def read_supplies(text: str) -> list[Row]:
    """The rows of a file of supply terms. Raises TermsNotAccepted, as above."""
    return _read(text, SUPPLY_COLUMNS, _supply)


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


def check_prices(rows: Sequence[Row], products: Mapping[str, Collection[str]]) -> None:
    """Raise TermsNotAccepted, with every fault, unless the rows make sense.

    `products` are the drugs of the dictionary with their products. No fault names a price.
    """

    def check(row: Row) -> None:
        _check_row(row, products)
        if row["product"] is not None and row["product"] not in products[row["drug"]]:
            raise ValueError("product must be a product of the drug in the dictionary, or empty")
        for name in ("price", "tolerance_percent", "tolerance_pence"):
            if row[name] < 0 or row[name] != round(row[name], _PLACES):
                raise ValueError(f"{name} must be 0 or more, with at most {_PLACES} places")
        if row["tolerance_percent"] > 100:
            raise ValueError("tolerance_percent must be at most 100")
        if row["run_off_days"] and row["to_day"] is None:
            raise ValueError("run_off_days follow the last day: a price without to has none")

    _check(rows, check)


def check_supplies(rows: Sequence[Row], drugs: Collection[str]) -> None:
    """Raise TermsNotAccepted, as above; no fault names an amount."""

    def check(row: Row) -> None:
        _check_row(row, {None, *drugs})
        if row["amount"] < 0 or row["amount"] != round(row["amount"], _PLACES):
            raise ValueError(f"amount must be 0 or more, with at most {_PLACES} places")
        if row["kind"] in _IN_DAYS and row["amount"] not in range(_MOST_DAYS + 1):
            raise ValueError(f"{row['kind']} must be whole days, at most {_MOST_DAYS}")
        if row["kind"] == SupplyTermKind.INVOICE_DAYS and row["drug"] is not None:
            raise ValueError("invoice days are of every drug: leave drug empty")
        if row["kind"] == SupplyTermKind.QUANTITY_TOLERANCE and row["amount"] > 100:
            raise ValueError("a quantity tolerance must be at most 100 per cent")

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


def _check_row(row: Row, drugs: Collection[str | None]) -> None:
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


def _price(cells: dict[str, str]) -> Row:
    for name, longest in _LONGEST.items():
        if len(cells[name]) > longest:
            raise ValueError(f"{name} is longer than {longest} characters")
    if not cells["framework"] or not cells["unit"]:
        raise ValueError("framework and unit must be stated")
    code, days = cells["drug_code"], cells["run_off_days"] or "0"
    if code and _DM_D.fullmatch(code) is None:
        raise ValueError("drug_code must be a dm+d code, or empty")
    if _WHOLE.fullmatch(days) is None or int(days) > LONGEST_RUN_OFF:
        raise ValueError(f"run_off_days must be whole days, at most {LONGEST_RUN_OFF}")
    return {
        "provider": _code(cells["provider"], "provider") if cells["provider"] else None,
        "drug": cells["drug"],
        "drug_code": code or None,
        "product": cells["product"] or None,
        "strength": cells["strength"] or None,
        "framework": cells["framework"],
        "unit": cells["unit"],
        "price": _number(cells["price"], "price"),
        "run_off_days": int(days),
        "tolerance_percent": _number(cells["tolerance_percent"] or "0", "tolerance_percent"),
        "tolerance_pence": _number(cells["tolerance_pence"] or "0", "tolerance_pence"),
        **_dated(cells),
    }


def _supply(cells: dict[str, str]) -> Row:
    if cells["kind"] not in set(SupplyTermKind):
        raise ValueError(f"kind must be one of {', '.join(SupplyTermKind)}")
    return {
        "kind": cells["kind"],
        "provider": _code(cells["provider"], "provider") if cells["provider"] else None,
        "drug": cells["drug"] or None,
        "amount": _number(cells["amount"], "amount"),
        **_dated(cells),
    }


def _number(text: str, name: str) -> Decimal:
    if _EXACT.fullmatch(text) is None:
        raise ValueError(f"{name} must be a number as 316.93")
    return Decimal(text)


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
