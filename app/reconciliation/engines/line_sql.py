"""The table `line` out of a submission's kept rows, which are not held in memory.

What `prepare` works out line by line is worked out here for each distinct combination of what it
depends on, by the same plain functions, and joined to the lines in SQL: the drug and the kind of
charge, the time of supply, what its date means, providers and commissioners folded to their
parents, contract and responsible commissioner.
"""

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from app.reconciliation.classify import classify, fee_sort
from app.reconciliation.contract import check_contract, check_payer
from app.reconciliation.engines.agreed import Priced, agreed_on
from app.reconciliation.engines.distinct import (
    Columns,
    distinct,
    hold,
    told_by_turn,
    turns_of,
)
from app.reconciliation.engines.duckdb import as_written
from app.reconciliation.engines.index import Folder, SnapshotIndex
from app.reconciliation.engines.known import NotTabular
from app.reconciliation.engines.last_deliveries import Given, days_given, given_of
from app.reconciliation.engines.limits import unit_key
from app.reconciliation.engines.line_views import DATED, LINE, PLACED, READ, TOLD
from app.reconciliation.engines.prepare import invoiced_period
from app.reconciliation.engines.supply_terms import (
    HOMECARE,
    days_early_on,
    delivery_on,
    tolerance_on,
)
from app.reconciliation.engines.table_columns import AMOUNT, route_number
from app.reconciliation.model import ContractLine, LineKind, Snapshot, TestResult
from app.reconciliation.parse_dates import financial_period
from app.reconciliation.period import Basis, Period
from app.reference_data.drugs import DrugDictionary
from app.reference_data.kinds import load_kind_words
from app.reference_data.routes import code_stated

Connection = duckdb.DuckDBPyConnection
_TEXT, _DAY, _FLAG, _NUMBER = pa.string(), pa.date32(), pa.bool_(), pa.int32()
_PLACES = 8


@dataclass(frozen=True, slots=True)
class Reference:
    """What the plain functions look at beside the lines."""

    snapshot: Snapshot
    index: SnapshotIndex
    dictionary: DrugDictionary
    fold: Folder


def hold_lines(
    connection: Connection, known: Reference, folder: Path, beside: Sequence[str] = ()
) -> None:
    """Make the view `line` of the rows in the view `stored`; its file is written into `folder`.

    Columns `beside` those of a submission's rows are kept as they are. Raises NotTabular where a
    number has more digits than the tables hold.
    """
    with as_written(connection):
        file = _written(connection, known, folder, beside)
    connection.read_parquet(str(file)).create_view("line")


def _written(connection: Connection, known: Reference, folder: Path, beside: Sequence[str]) -> Path:
    """The file of the lines. What stands after a JOIN here is small, and the lines never do."""
    connection.execute(READ)
    _check_digits(connection)
    _months(connection)
    _invoices(connection, known)
    connection.execute(DATED)
    _eras(connection, known)
    for column in ("provider", "commissioner"):
        _folded(connection, column, known)
    connection.execute(PLACED)
    _named(connection, known.dictionary)
    connection.execute(TOLD)
    _units(connection)
    _routes(connection)
    _basis(connection, given_of(known.snapshot.terms.supplies))
    _contracts(connection, known.index)
    _payers(connection, known.index)
    _prices(connection, known.index)
    _supplies(connection, known.index)
    stated = ((digest,) for digest in sorted(known.index.earlier.stated))
    hold(connection, "stated", {"content_hash": _TEXT}, stated)
    file = folder / "line.parquet"
    more = "".join(f",\n    told.{name}" for name in beside)
    connection.sql(LINE.format(beside=more)).write_parquet(str(file))
    return file


def _check_digits(connection: Connection) -> None:
    """Amounts of money have 8 places at most; a quantity may have more."""
    found = connection.sql(
        "SELECT count(*) FROM read WHERE "
        f"length(rtrim(split_part(quantity, '.', 2), '0')) > {_PLACES}"
    ).fetchall()[0]
    if found[0]:
        raise NotTabular


def _months(connection: Connection) -> None:
    stated = distinct(
        connection,
        "financial_year, financial_month",
        "read",
        "financial_year IS NOT NULL AND financial_month IS NOT NULL",
    )
    rows = ((year, month, *financial_period(year, month)) for year, month in stated)
    columns = {"financial_year": _TEXT, "financial_month": pa.int8()}
    hold(connection, "month", {**columns, "first_day": _DAY, "last_day": _DAY}, rows)


def _invoices(connection: Connection, known: Reference) -> None:
    """The days among which what was invoiced can have been supplied, where that is agreed."""
    key = ("invoice_date", "dispensing_route", "commissioner", "provider")
    given = given_of(known.snapshot.terms.supplies)

    def rows() -> Iterator[tuple[Any, ...]]:
        for said in distinct(connection, ", ".join(key), "read", "invoice_date IS NOT NULL"):
            line = ContractLine(row=0, content_hash="", raw=(), **dict(zip(key, said, strict=True)))
            period = invoiced_period(line, given, known.fold)
            if period is not None:
                yield (*said, period.first, period.last)

    columns = dict(zip(key, (_DAY, _TEXT, _TEXT, _TEXT), strict=True))
    hold(connection, "invoiced", {**columns, "first_day": _DAY, "last_day": _DAY}, rows())


def _eras(connection: Connection, known: Reference) -> None:
    """Days between which no word of a drug or kind begins or ends are alike: one is for all.

    So are those, of organisations, between which none of them does, by number.
    """
    changes = sorted({*known.dictionary.changes(), *load_kind_words().changes()})
    turn, as_at = known.fold.turn, known.snapshot.as_at
    of: dict[int, dt.date] = {}
    rows = []
    for (day,) in sorted(distinct(connection, "last_day", "dated", "last_day IS NOT NULL")):
        rows.append((day, of.setdefault(bisect_right(changes, day), day), turn(day)))
    columns = {"last_day": _DAY, "era": _DAY, "turn": _NUMBER}
    hold(connection, "era", columns, [*rows, (None, None, turn(as_at))])


def _folded(connection: Connection, column: str, known: Reference) -> None:
    of_turns = (
        f"(SELECT dated.{column}, era.turn, min(dated.last_day) AS day FROM dated INNER JOIN era "
        "ON era.last_day IS NOT DISTINCT FROM dated.last_day "
        f"WHERE dated.{column} IS NOT NULL GROUP BY ALL)"
    )
    stated, as_at = distinct(connection, "*", of_turns), known.snapshot.as_at
    rows = ((code, turn, known.fold(code, day or as_at)) for code, turn, day in stated)
    hold(connection, column, {"code": _TEXT, "turn": _NUMBER, "folded": _TEXT}, rows)


def _named(connection: Connection, dictionary: DrugDictionary) -> None:
    """The drug and the kind of charge of each distinct text, with what else tells the kind."""
    key = ("drug_code", "drug_name", "era", "gives_back", "point_of_delivery")
    rows = []
    for said in distinct(connection, ", ".join(key), "placed"):
        code, name, day, gives_back, delivered = said
        found = dictionary.recognise(code, name, day)
        line = ContractLine(
            row=0,
            content_hash="",
            raw=(),
            drug_name=name,
            point_of_delivery=delivered,
            total_cost=Decimal(-1) if gives_back else None,
        )
        kind = classify(line, found, day)
        sort = fee_sort(name, day) if kind is LineKind.FEE else None
        rows.append((*said, found.drug or None, found.product, found.how, kind.value, sort))
    kinds = (_TEXT, _TEXT, _DAY, _FLAG, _TEXT)
    told = dict.fromkeys(("drug", "product", "how", "kind", "fee_sort"), _TEXT)
    hold(connection, "named", {**dict(zip(key, kinds, strict=True)), **told}, rows)


def _units(connection: Connection) -> None:
    stated = distinct(connection, "unit", "read", "unit IS NOT NULL")
    hold(connection, "unit", {"unit": _TEXT, "key": _TEXT}, ((u, unit_key(u)) for (u,) in stated))


def _routes(connection: Connection) -> None:
    """The codes among the routes of administration that lines state."""
    stated = distinct(connection, "route", "read", "route IS NOT NULL")
    rows = ((text, route_number(code_stated(text))) for (text,) in stated)
    hold(connection, "route", {"route": _TEXT, "number": pa.int64()}, rows)


def _basis(connection: Connection, given: Given) -> None:
    """Days after a stop or a death of homecare, of the commissioners that give any."""
    hold(connection, "giver", {"code": _TEXT}, ((code,) for code in given))
    where = (
        f"first_day IS NOT NULL AND dispensing_route = '{HOMECARE}' AND "
        "folded_commissioner IN (SELECT giver.code FROM giver)"
    )
    key = "dispensing_route, folded_commissioner, folded_provider, drug, first_day, last_day"

    def rows() -> Iterator[tuple[Any, ...]]:
        for said in distinct(connection, key, "told", where):
            route, payer, provider, drug, first, last = said
            time = _period(first, last)
            yield (*said, *days_given(given, route, payer, provider, drug, time))

    columns = dict.fromkeys(key.split(", ")[:4], _TEXT)
    columns |= dict.fromkeys(("first_day", "last_day"), _DAY)
    hold(connection, "basis", {**columns, "after_stop": _NUMBER, "after_death": _NUMBER}, rows())


def _contracts(connection: Connection, index: SnapshotIndex) -> None:
    """What the contract says, between those providers and commissioners that have terms."""
    pairs = {"folded_provider": _TEXT, "folded_commissioner": _TEXT}
    hold(connection, "held_between", pairs, index.contracts)
    between = (
        "EXISTS (SELECT 1 FROM held_between WHERE "
        "held_between.folded_provider IS NOT DISTINCT FROM told.folded_provider AND "
        "held_between.folded_commissioner IS NOT DISTINCT FROM told.folded_commissioner)"
    )

    def say(
        provider: str | None, payer: str | None, drug: str | None, first: dt.date, last: dt.date
    ) -> tuple[str, str]:
        held = index.contracts.get((provider, payer), ())
        found = check_contract(held, drug or "", _period(first, last))
        return _result(found.result), found.detail

    turns = turns_of(chain.from_iterable(index.contracts.values()))
    key, told = {**pairs, "drug": _TEXT}, {"said": _TEXT, "why": _TEXT}
    told_by_turn(connection, "contract", key, between, turns, told, say)


def _payers(connection: Connection, index: SnapshotIndex) -> None:
    hold(connection, "paid_drug", {"drug": _TEXT}, ((drug,) for drug in index.payers))

    def say(
        drug: str, payer: str | None, first: dt.date, last: dt.date
    ) -> tuple[str, str | None, bool]:
        found = check_payer(index.payers.get(drug, ()), payer, _period(first, last))
        return _result(found.test.result), found.proposed, found.silent

    turns = turns_of(chain.from_iterable(index.payers.values()))
    key = {"drug": _TEXT, "folded_commissioner": _TEXT}
    told = {"said": _TEXT, "proposed": _TEXT, "silent": _FLAG}
    where = "drug IN (SELECT paid_drug.drug FROM paid_drug)"
    told_by_turn(connection, "payer", key, where, turns, told, say)


_PRICED: Columns = {
    **dict.fromkeys(("folded_provider", "folded_commissioner", "drug", "product"), _TEXT),
    **dict.fromkeys(("drug_code", "strength", "unit"), _TEXT),
    **dict.fromkeys(("first_day", "last_day"), _DAY),
}


def _prices(connection: Connection, index: SnapshotIndex) -> None:
    """What was agreed for each distinct combination of what chooses among a drug's prices."""
    hold(connection, "keeper", {"code": _TEXT}, ((code,) for code in sorted(_keepers(index))))
    kept = {"folded_commissioner": _TEXT, "drug": _TEXT}
    hold(connection, "kept_price", kept, index.prices)
    where = (
        "first_day IS NOT NULL AND EXISTS (SELECT 1 FROM kept_price WHERE "
        "kept_price.folded_commissioner = told.folded_commissioner "
        "AND kept_price.drug = told.drug)"
    )

    def rows() -> Iterator[tuple[Any, ...]]:
        for said in distinct(connection, ", ".join(_PRICED), "told", where):
            provider, payer, drug, product, code, strength, unit, first, last = said
            priced = Priced(provider, drug, product, code, strength, unit)
            found = agreed_on(index.prices[payer, drug], priced, _period(first, last))
            yield (*said, found.least, found.most, found.price, found.why)

    limits = dict.fromkeys(("least", "most", "price"), AMOUNT)
    hold(connection, "agreed", {**_PRICED, **limits, "why": _TEXT}, rows())


def _supplies(connection: Connection, index: SnapshotIndex) -> None:
    """The agreed charge for a delivery, and the tolerance of quantity, of those who agreed any."""
    hold(connection, "supply_keeper", {"code": _TEXT}, ((code,) for code in index.supplies))
    where = (
        "first_day IS NOT NULL AND "
        "folded_commissioner IN (SELECT supply_keeper.code FROM supply_keeper)"
    )
    key = "folded_commissioner, folded_provider, drug, first_day, last_day"

    def rows() -> Iterator[tuple[Any, ...]]:
        for said in distinct(connection, key, "told", where):
            payer, provider, drug, first, last = said
            held = index.supplies[payer], provider, drug, _period(first, last)
            told = tolerance_on(*held), days_early_on(*held)
            agreed = delivery_on(*held)
            yield (*said, agreed.least, agreed.most, *told, agreed.why)

    columns = dict.fromkeys(("folded_commissioner", "folded_provider", "drug"), _TEXT)
    columns |= dict.fromkeys(("first_day", "last_day"), _DAY)
    columns |= dict.fromkeys(("least", "most", "tolerance", "early"), AMOUNT)
    hold(connection, "supplied", {**columns, "why": _TEXT}, rows())


def _keepers(index: SnapshotIndex) -> set[str]:
    return {code for code in index.keep_prices if code is not None}


def _period(first: dt.date, last: dt.date) -> Period:
    """A time of supply: neither of these two tests looks at what its date means."""
    return Period(first, last, Basis.DATE if first == last else Basis.MONTH)


def _result(result: TestResult) -> str:
    return result.value
