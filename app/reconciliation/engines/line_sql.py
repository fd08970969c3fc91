"""The table `line` out of a submission's kept rows, which are not held in memory.

What `prepare` works out line by line is worked out here for each distinct combination of what it
depends on, by the same plain functions, and joined to the lines in SQL: the drug and the kind of
charge, the time of supply, what its date means, providers and commissioners folded to their
parents, contract and responsible commissioner.
"""

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from app.reconciliation.classify import classify, fee_sort
from app.reconciliation.contract import check_contract, check_payer
from app.reconciliation.engines.agreed import Priced, agreed_on
from app.reconciliation.engines.index import Folder, SnapshotIndex
from app.reconciliation.engines.known import NotTabular
from app.reconciliation.engines.last_deliveries import Given, days_given, given_of
from app.reconciliation.engines.limits import unit_key
from app.reconciliation.engines.prepare import invoiced_period
from app.reconciliation.engines.supply_terms import (
    HOMECARE,
    days_early_on,
    delivery_on,
    tolerance_on,
)
from app.reconciliation.engines.tables import AMOUNT, route_number
from app.reconciliation.model import ContractLine, LineKind, Snapshot, TestResult
from app.reconciliation.parse_dates import financial_period
from app.reconciliation.period import Basis, Period
from app.reference_data.drugs import DrugDictionary
from app.reference_data.kinds import load_kind_words
from app.reference_data.routes import code_stated

Connection = duckdb.DuckDBPyConnection
_TEXT, _DAY, _FLAG, _NUMBER = pa.string(), pa.date32(), pa.bool_(), pa.int32()
_PLACES = 8

#: The lines, without the rows that were skipped.
_READ = "CREATE VIEW read AS SELECT * FROM stored WHERE why_skipped IS NULL"
_DATED = """
CREATE VIEW dated AS
SELECT
    read.*,
    coalesce(read.supply_date, read.delivery_date) AS day,
    coalesce(read.supply_date, read.delivery_date, month.first_day, invoiced.first_day)
        AS first_day,
    coalesce(read.supply_date, read.delivery_date, month.last_day, invoiced.last_day) AS last_day,
    coalesce(read.supply_date, read.delivery_date) IS NULL
        AND coalesce(month.first_day, invoiced.first_day) IS NOT NULL AS month_only,
    coalesce(starts_with(read.total_cost, '-'), FALSE) AS gives_back
FROM read
LEFT JOIN month
    ON month.financial_year = read.financial_year
    AND month.financial_month = read.financial_month
LEFT JOIN invoiced
    ON invoiced.invoice_date = read.invoice_date
    AND invoiced.dispensing_route IS NOT DISTINCT FROM read.dispensing_route
    AND invoiced.commissioner IS NOT DISTINCT FROM read.commissioner
    AND invoiced.provider IS NOT DISTINCT FROM read.provider
"""
_PLACED = """
CREATE VIEW placed AS
SELECT
    dated.*,
    era.era,
    provider.folded AS folded_provider,
    commissioner.folded AS folded_commissioner
FROM dated
LEFT JOIN era ON era.last_day IS NOT DISTINCT FROM dated.last_day
LEFT JOIN provider
    ON provider.code = dated.provider
    AND provider.last_day IS NOT DISTINCT FROM dated.last_day
LEFT JOIN commissioner
    ON commissioner.code = dated.commissioner
    AND commissioner.last_day IS NOT DISTINCT FROM dated.last_day
"""
_TOLD = """
CREATE VIEW told AS
SELECT placed.*, named.drug, named.product, named.how, named.kind, named.fee_sort
FROM placed
INNER JOIN named
    ON named.drug_code IS NOT DISTINCT FROM placed.drug_code
    AND named.drug_name IS NOT DISTINCT FROM placed.drug_name
    AND named.era IS NOT DISTINCT FROM placed.era
    AND named.gives_back = placed.gives_back
    AND named.point_of_delivery IS NOT DISTINCT FROM placed.point_of_delivery
"""
_LINE = """
SELECT
    told.pos,
    told.row,
    told.kind,
    told.fee_sort,
    told.shifted,
    told.content_hash,
    CAST('0x' || left(told.content_hash, 15) AS BIGINT) AS content_key,
    coalesce(told.content_hash IN (SELECT stated.content_hash FROM stated), FALSE)
        AS stated_before,
    told.nhs_number,
    told.local_patient_id AS local_id,
    told.nhs_number IS NOT NULL OR told.local_patient_id IS NOT NULL AS has_identity,
    told.withheld_reason IS NOT NULL AS withheld,
    told.birth_date,
    told.drug,
    told.product,
    told.how AS recognised_by,
    told.indication_code AS indication,
    route.number AS route,
    told.folded_provider AS provider,
    told.folded_commissioner AS commissioner,
    told.reference,
    told.day AS supply_date,
    told.supply_date AS stated_day,
    told.first_day,
    told.last_day,
    told.month_only,
    coalesce(basis.after_stop, 0) AS after_stop,
    coalesce(basis.after_death, 0) AS after_death,
    coalesce(contract.said = 'failed', FALSE) AS no_pass_through,
    contract.said AS contract_said,
    payer.said AS payer_said,
    payer.proposed,
    coalesce(payer.silent, TRUE) AS payer_silent,
    CAST(told.total_cost AS DECIMAL(38, 8)) AS total,
    CAST(told.home_delivery_charge AS DECIMAL(38, 8)) AS home_delivery,
    CAST(told.quantity AS DECIMAL(38, 8)) AS quantity,
    unit.key AS unit,
    CAST(told.unit_price AS DECIMAL(38, 8)) AS unit_price,
    told.vat_charged,
    coalesce(told.folded_commissioner IN (SELECT keeper.code FROM keeper), FALSE) AS has_agreed,
    agreed.least AS agreed_least,
    agreed.most AS agreed_most,
    agreed.price AS agreed_price,
    coalesce(told.dispensing_route = '4', FALSE) AS homecare,
    supplied.least AS delivery_least,
    supplied.most AS delivery_most,
    coalesce(supplied.tolerance, 0) AS tolerance,
    supplied.early,
    told.provider AS own_provider,
    told.commissioner AS own_commissioner,
    told.financial_year,
    told.financial_month{beside}
FROM told
LEFT JOIN unit ON unit.unit = told.unit
LEFT JOIN route ON route.route = told.route
LEFT JOIN basis
    ON basis.dispensing_route = told.dispensing_route
    AND basis.folded_commissioner = told.folded_commissioner
    AND basis.folded_provider IS NOT DISTINCT FROM told.folded_provider
    AND basis.drug IS NOT DISTINCT FROM told.drug
    AND basis.first_day = told.first_day
    AND basis.last_day = told.last_day
LEFT JOIN contract
    ON contract.folded_provider IS NOT DISTINCT FROM told.folded_provider
    AND contract.folded_commissioner IS NOT DISTINCT FROM told.folded_commissioner
    AND contract.drug IS NOT DISTINCT FROM told.drug
    AND contract.first_day = told.first_day
    AND contract.last_day = told.last_day
LEFT JOIN payer
    ON payer.drug = told.drug
    AND payer.folded_commissioner = told.folded_commissioner
    AND payer.first_day = told.first_day
    AND payer.last_day = told.last_day
LEFT JOIN agreed
    ON agreed.folded_provider IS NOT DISTINCT FROM told.folded_provider
    AND agreed.folded_commissioner = told.folded_commissioner
    AND agreed.drug = told.drug
    AND agreed.product IS NOT DISTINCT FROM told.product
    AND agreed.drug_code IS NOT DISTINCT FROM told.drug_code
    AND agreed.strength IS NOT DISTINCT FROM told.strength
    AND agreed.unit IS NOT DISTINCT FROM told.unit
    AND agreed.first_day = told.first_day
    AND agreed.last_day = told.last_day
LEFT JOIN supplied
    ON supplied.folded_commissioner = told.folded_commissioner
    AND supplied.folded_provider IS NOT DISTINCT FROM told.folded_provider
    AND supplied.drug IS NOT DISTINCT FROM told.drug
    AND supplied.first_day = told.first_day
    AND supplied.last_day = told.last_day
"""


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
    connection.execute(_READ)
    _check_digits(connection)
    _months(connection)
    _invoices(connection, known)
    connection.execute(_DATED)
    _eras(connection, known.dictionary)
    for column in ("provider", "commissioner"):
        _folded(connection, column, known)
    connection.execute(_PLACED)
    _named(connection, known.dictionary)
    connection.execute(_TOLD)
    _units(connection)
    _routes(connection)
    _basis(connection, given_of(known.snapshot.terms.supplies))
    _contracts(connection, known.index)
    _payers(connection, known.index)
    _prices(connection, known.index)
    _supplies(connection, known.index)
    stated = ((digest,) for digest in sorted(known.index.earlier.stated))
    _hold(connection, "stated", {"content_hash": _TEXT}, stated)
    file = folder / "line.parquet"
    more = "".join(f",\n    told.{name}" for name in beside)
    connection.sql(_LINE.format(beside=more)).write_parquet(str(file))
    connection.read_parquet(str(file)).create_view("line")


def _check_digits(connection: Connection) -> None:
    """Amounts of money have 8 places at most; a quantity may have more."""
    found = connection.sql(
        "SELECT count(*) FROM read WHERE "
        f"length(rtrim(split_part(quantity, '.', 2), '0')) > {_PLACES}"
    ).fetchall()[0]
    if found[0]:
        raise NotTabular


Columns = Mapping[str, pa.DataType]


def _hold(
    connection: Connection, name: str, columns: Columns, rows: Iterable[Sequence[Any]]
) -> None:
    """Hold a small table of what plain functions made of distinct values."""
    values: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) or [()] * len(columns)
    pairs = zip(columns.values(), values, strict=True)
    arrays = [pa.array(column, kind) for kind, column in pairs]
    connection.register(f"{name}_held", pa.Table.from_arrays(arrays, list(columns)))
    connection.execute(f"CREATE TABLE {name} AS FROM {name}_held")
    connection.unregister(f"{name}_held")


def _distinct(connection: Connection, columns: str, view: str, where: str = "TRUE") -> list[Any]:
    return connection.sql(f"SELECT DISTINCT {columns} FROM {view} WHERE {where}").fetchall()


def _months(connection: Connection) -> None:
    stated = _distinct(
        connection,
        "financial_year, financial_month",
        "read",
        "financial_year IS NOT NULL AND financial_month IS NOT NULL",
    )
    rows = ((year, month, *financial_period(year, month)) for year, month in stated)
    columns = {"financial_year": _TEXT, "financial_month": pa.int8()}
    _hold(connection, "month", {**columns, "first_day": _DAY, "last_day": _DAY}, rows)


def _invoices(connection: Connection, known: Reference) -> None:
    """The days among which what was invoiced can have been supplied, where that is agreed."""
    key = ("invoice_date", "dispensing_route", "commissioner", "provider")
    given = given_of(known.snapshot.terms.supplies)
    rows = []
    for said in _distinct(connection, ", ".join(key), "read", "invoice_date IS NOT NULL"):
        line = ContractLine(row=0, content_hash="", raw=(), **dict(zip(key, said, strict=True)))
        period = invoiced_period(line, given, known.fold)
        if period is not None:
            rows.append((*said, period.first, period.last))
    columns = dict(zip(key, (_DAY, _TEXT, _TEXT, _TEXT), strict=True))
    _hold(connection, "invoiced", {**columns, "first_day": _DAY, "last_day": _DAY}, rows)


def _eras(connection: Connection, dictionary: DrugDictionary) -> None:
    """Days between which no word of a drug or kind begins or ends are alike: one is for all."""
    changes = sorted({*dictionary.changes(), *load_kind_words().changes()})
    of: dict[int, dt.date] = {}
    rows = []
    for (day,) in sorted(_distinct(connection, "last_day", "dated", "last_day IS NOT NULL")):
        rows.append((day, of.setdefault(bisect_right(changes, day), day)))
    _hold(connection, "era", {"last_day": _DAY, "era": _DAY}, [*rows, (None, None)])


def _folded(connection: Connection, column: str, known: Reference) -> None:
    stated = _distinct(connection, f"{column}, last_day", "dated", f"{column} IS NOT NULL")
    as_at = known.snapshot.as_at
    rows = ((code, day, known.fold(code, day or as_at)) for code, day in stated)
    _hold(connection, column, {"code": _TEXT, "last_day": _DAY, "folded": _TEXT}, rows)


def _named(connection: Connection, dictionary: DrugDictionary) -> None:
    """The drug and the kind of charge of each distinct text, with what else tells the kind."""
    key = ("drug_code", "drug_name", "era", "gives_back", "point_of_delivery")
    rows = []
    for said in _distinct(connection, ", ".join(key), "placed"):
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
    _hold(connection, "named", {**dict(zip(key, kinds, strict=True)), **told}, rows)


def _units(connection: Connection) -> None:
    stated = _distinct(connection, "unit", "read", "unit IS NOT NULL")
    _hold(connection, "unit", {"unit": _TEXT, "key": _TEXT}, ((u, unit_key(u)) for (u,) in stated))


def _routes(connection: Connection) -> None:
    """The codes among the routes of administration that lines state."""
    stated = _distinct(connection, "route", "read", "route IS NOT NULL")
    rows = ((text, route_number(code_stated(text))) for (text,) in stated)
    _hold(connection, "route", {"route": _TEXT, "number": pa.int64()}, rows)


def _basis(connection: Connection, given: Given) -> None:
    """Days after a stop or a death of homecare, of the commissioners that give any."""
    _hold(connection, "giver", {"code": _TEXT}, ((code,) for code in given))
    where = (
        f"first_day IS NOT NULL AND dispensing_route = '{HOMECARE}' AND "
        "folded_commissioner IN (SELECT giver.code FROM giver)"
    )
    key = "dispensing_route, folded_commissioner, folded_provider, drug, first_day, last_day"
    rows = []
    for said in _distinct(connection, key, "told", where):
        route, payer, provider, drug, first, last = said
        time = _period(first, last)
        rows.append((*said, *days_given(given, route, payer, provider, drug, time)))
    columns = dict.fromkeys(key.split(", ")[:4], _TEXT)
    columns |= dict.fromkeys(("first_day", "last_day"), _DAY)
    _hold(connection, "basis", {**columns, "after_stop": _NUMBER, "after_death": _NUMBER}, rows)


def _contracts(connection: Connection, index: SnapshotIndex) -> None:
    """What the contract says, between those providers and commissioners that have terms."""
    pairs = {"folded_provider": _TEXT, "folded_commissioner": _TEXT}
    _hold(connection, "held_between", pairs, index.contracts)
    between = (
        "EXISTS (SELECT 1 FROM held_between WHERE "
        "held_between.folded_provider IS NOT DISTINCT FROM told.folded_provider AND "
        "held_between.folded_commissioner IS NOT DISTINCT FROM told.folded_commissioner)"
    )
    key = "folded_provider, folded_commissioner, drug, first_day, last_day"
    rows = []
    for said in _distinct(connection, key, "told", f"first_day IS NOT NULL AND {between}"):
        provider, payer, drug, first, last = said
        held = index.contracts.get((provider, payer), ())
        rows.append((*said, _result(check_contract(held, drug or "", _period(first, last)).result)))
    columns = {**pairs, "drug": _TEXT, "first_day": _DAY, "last_day": _DAY, "said": _TEXT}
    _hold(connection, "contract", columns, rows)


def _payers(connection: Connection, index: SnapshotIndex) -> None:
    _hold(connection, "paid_drug", {"drug": _TEXT}, ((drug,) for drug in index.payers))
    key = "drug, folded_commissioner, first_day, last_day"
    where = "first_day IS NOT NULL AND drug IN (SELECT paid_drug.drug FROM paid_drug)"
    rows = []
    for said in _distinct(connection, key, "told", where):
        drug, payer, first, last = said
        found = check_payer(index.payers.get(drug, ()), payer, _period(first, last))
        rows.append((*said, _result(found.test.result), found.proposed, found.silent))
    columns = {"drug": _TEXT, "folded_commissioner": _TEXT, "first_day": _DAY, "last_day": _DAY}
    columns |= {"said": _TEXT, "proposed": _TEXT, "silent": _FLAG}
    _hold(connection, "payer", columns, rows)


_PRICED: Columns = {
    **dict.fromkeys(("folded_provider", "folded_commissioner", "drug", "product"), _TEXT),
    **dict.fromkeys(("drug_code", "strength", "unit"), _TEXT),
    **dict.fromkeys(("first_day", "last_day"), _DAY),
}


def _prices(connection: Connection, index: SnapshotIndex) -> None:
    """What was agreed for each distinct combination of what chooses among a drug's prices."""
    _hold(connection, "keeper", {"code": _TEXT}, ((code,) for code in sorted(_keepers(index))))
    kept = {"folded_commissioner": _TEXT, "drug": _TEXT}
    _hold(connection, "kept_price", kept, index.prices)
    where = (
        "first_day IS NOT NULL AND EXISTS (SELECT 1 FROM kept_price WHERE "
        "kept_price.folded_commissioner = told.folded_commissioner "
        "AND kept_price.drug = told.drug)"
    )
    rows = []
    for said in _distinct(connection, ", ".join(_PRICED), "told", where):
        provider, payer, drug, product, code, strength, unit, first, last = said
        priced = Priced(provider, drug, product, code, strength, unit)
        found = agreed_on(index.prices[payer, drug], priced, _period(first, last))
        rows.append((*said, found.least, found.most, found.price))
    limits = dict.fromkeys(("least", "most", "price"), AMOUNT)
    _hold(connection, "agreed", {**_PRICED, **limits}, rows)


def _supplies(connection: Connection, index: SnapshotIndex) -> None:
    """The agreed charge for a delivery, and the tolerance of quantity, of those who agreed any."""
    _hold(connection, "supply_keeper", {"code": _TEXT}, ((code,) for code in index.supplies))
    where = (
        "first_day IS NOT NULL AND "
        "folded_commissioner IN (SELECT supply_keeper.code FROM supply_keeper)"
    )
    key = "folded_commissioner, folded_provider, drug, first_day, last_day"
    rows = []
    for said in _distinct(connection, key, "told", where):
        payer, provider, drug, first, last = said
        held = index.supplies[payer], provider, drug, _period(first, last)
        agreed = delivery_on(*held)
        rows.append((*said, agreed.least, agreed.most, tolerance_on(*held), days_early_on(*held)))
    columns = dict.fromkeys(("folded_commissioner", "folded_provider", "drug"), _TEXT)
    columns |= dict.fromkeys(("first_day", "last_day"), _DAY)
    columns |= dict.fromkeys(("least", "most", "tolerance", "early"), AMOUNT)
    _hold(connection, "supplied", columns, rows)


def _keepers(index: SnapshotIndex) -> set[str]:
    return {code for code in index.keep_prices if code is not None}


def _period(first: dt.date, last: dt.date) -> Period:
    """A time of supply: neither of these two tests looks at what its date means."""
    return Period(first, last, Basis.DATE if first == last else Basis.MONTH)


def _result(result: TestResult) -> str:
    return result.value
