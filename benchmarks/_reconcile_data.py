"""Invented lines and approvals for the benchmark of matching, made by DuckDB from a seed.

The tables are those that `app/reconciliation/engines/tables.py` makes of a submission and a
snapshot; every choice is a hash of a row's number, a name and the seed, so that a seed always gives
the same rows.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.parquet as pq

from app.reference_data.drugs import load_drugs
from tests.unit.reconciliation.builders import CLEAN, SHORT

DRUGS, PROVIDERS, PAYERS = 12, 150, 40
_CREDIT, _RESTATED = 100, 200  # one line in so many
AT_A_TIME: Final = 1_000_000
_SPELLED = ("{}", "{} 300 mg in 15 ml", "HOMECARE {}", "  {}  ", "{} PRE-FILLED PEN (2)")


def generate(folder: Path, lines: int, approvals: int, seed: int) -> None:
    """Write one Parquet file a table into the folder."""
    with duckdb.connect(config={"preserve_insertion_order": False}) as connection:
        connection.execute(
            "CREATE MACRO pick(i, name, n) AS "
            f"CAST(hash(i, name, {seed}) % CAST(n AS UBIGINT) AS BIGINT)"
        )
        connection.execute(_NHS_NUMBER)
        drugs = sorted(load_drugs().drugs)[:DRUGS]
        connection.execute("CREATE TABLE names AS SELECT ? AS drugs", [drugs])
        connection.execute(_coverages(approvals))
        connection.execute(_lines(lines, approvals))
        for name, statement in _SELECTS.items():
            connection.execute(f"COPY ({statement}) TO '{folder}/{name}.parquet'")


def _coverages(approvals: int) -> str:
    """Two approvals in three are of a patient's own drug; a tenth are short, inside longer ones."""
    return f"""
    CREATE TABLE cover AS
    WITH numbered AS (
        SELECT
            i AS cov,
            pick(i, 'patient', {max(approvals * 2 // 3, 1)}) AS patient,
            i % 10 = 0 AS short
        FROM range({approvals}) AS made(i)
    )
    SELECT
        *,
        CASE WHEN pick(cov, 'own', 10) < 9 THEN patient % {DRUGS}
            ELSE pick(cov, 'drug', {DRUGS}) END + 1 AS drug_number,
        DATE '2024-04-01' + CAST(pick(cov, 'from', 540) AS INTEGER) AS from_day,
        CASE WHEN short THEN 28 ELSE 365 END AS days,
        CASE WHEN pick(cov, 'moved', 20) = 0 THEN pick(cov, 'provider', {PROVIDERS})
            ELSE patient % {PROVIDERS} END AS provider_number
    FROM numbered
    """


def _lines(lines: int, approvals: int) -> str:
    """`k` is the line that a credit reverses or a restatement repeats; else the line's own."""
    return f"""
    CREATE TABLE made_line AS
    SELECT
        made.i AS pos,
        CASE
            WHEN made.i % {_CREDIT} = 7 THEN made.i - 3
            WHEN made.i % {_RESTATED} = 11 THEN made.i - 5
            ELSE made.i
        END AS k,
        made.i % {_CREDIT} = 7 AS credit,
        CASE WHEN pick(k, 'covered', 100) < 92 THEN pick(k, 'cover', {approvals}) END AS j,
        pick(k, 'patient', {max(approvals * 2 // 3, 1)}) AS other_patient,
        1 + pick(k, 'quantity', 3) AS quantity,
        DATE '2025-04-01' + CAST(pick(k, 'day', 365) AS INTEGER) AS other_day
    FROM range({lines}) AS made(i)
    """


#: A number of its own for each patient, with the check digit that its first nine ask for (the rule
#: stands in `app/reference_data/nhs_number.py`). They count down from 999 999 99…; the ninth is
#: 1 where 0 leaves no check digit. All begin with 9, and the first 100,000 with 999.
_WEIGHED = " + ".join(f"({99_999_999} - n) // {10**k} % 10 * {k + 3}" for k in range(8))
_NHS_NUMBER = f"""
CREATE MACRO weighed(n) AS {_WEIGHED};
CREATE MACRO ninth(n) AS CASE WHEN weighed(n) % 11 = 1 THEN 1 ELSE 0 END;
CREATE MACRO nhs_number(n) AS CAST(
    ({99_999_999} - n) * 100 + ninth(n) * 10 + (11 - (weighed(n) + 2 * ninth(n)) % 11) % 11
    AS VARCHAR
);
"""
_LINE = """
WITH told AS (
    SELECT
        made_line.*,
        coalesce(cover.patient, made_line.other_patient) AS patient,
        coalesce(cover.drug_number, 1 + made_line.other_patient % 12) AS drug_number,
        coalesce(cover.provider_number, made_line.other_patient % 150) AS provider_number,
        CASE WHEN pick(k, 'late', 20) = 0 THEN other_day
            ELSE coalesce(
                cover.from_day + CAST(pick(k, 'on', cover.days) AS INTEGER), other_day
            ) END AS supply_date,
        cover.cov AS cov,
        700 + pick(k, 'price', 150) AS unit_price
    FROM made_line
    LEFT JOIN cover ON cover.cov = made_line.j
)
SELECT
    pos,
    CASE WHEN credit THEN 'credit or rebate' WHEN pick(k, 'fee', 50) = 0 THEN 'fee or delivery'
        ELSE 'drug' END AS kind,
    FALSE AS shifted,
    sha256(CAST(k AS VARCHAR) || CASE WHEN credit THEN 'c' ELSE '' END) AS content_hash,
    CAST('0x' || left(content_hash, 15) AS BIGINT) AS content_key,
    CASE
        WHEN pick(k, 'number', 100) < 5 THEN NULL
        WHEN pick(k, 'number', 100) < 7 THEN CAST(8880000000 + pick(k, 'typo', 1000000) AS VARCHAR)
        ELSE nhs_number(patient)
    END AS nhs_number,
    CASE WHEN pick(k, 'local', 100) < 80 THEN 'L' || patient END AS local_id,
    nhs_number IS NOT NULL OR local_id IS NOT NULL AS has_identity,
    pick(k, 'withheld', 200) = 0 AS withheld,
    DATE '1950-01-01' + CAST(patient % 20000 AS INTEGER) AS birth_date,
    names.drugs[drug_number] AS drug,
    CAST(NULL AS VARCHAR) AS product,
    CASE
        WHEN pick(k, 'route', 100) < 30 THEN 47625008
        WHEN pick(k, 'route', 100) < 31 THEN 34206005
    END AS route,
    CASE WHEN pick(k, 'indication', 100) < 30 THEN 'I' || drug_number END AS indication,
    'DEMP' || lpad(CAST(CASE WHEN pick(k, 'elsewhere', 100) < 4 THEN pick(k, 'where', 150)
        ELSE provider_number END AS VARCHAR), 3, '0') AS provider,
    'DEMQ' || lpad(CAST(patient % 40 AS VARCHAR), 2, '0') AS commissioner,
    CASE WHEN pick(k, 'quotes', 100) < 50 THEN 'PA' || lpad(CAST(
        CASE WHEN pick(k, 'wrong', 100) < 3 THEN k ELSE cov END AS VARCHAR), 9, '0') END
        AS reference,
    CASE WHEN pick(k, 'no day', 100) > 0 THEN supply_date END AS supply_date,
    coalesce(supply_date, date_trunc('month', told.supply_date))::DATE AS first_day,
    CASE WHEN pick(k, 'no day', 100) > 0 THEN told.supply_date
        ELSE last_day(told.supply_date) END AS last_day,
    pick(k, 'no day', 100) = 0 AS month_only,
    0 AS after_stop,
    0 AS after_death,
    FALSE AS no_pass_through,
    CAST(CASE WHEN credit THEN -1 ELSE 1 END * unit_price * quantity AS DECIMAL(38, 8)) AS total,
    CAST(0 AS DECIMAL(38, 8)) AS home_delivery,
    CAST(quantity AS DECIMAL(38, 8)) AS quantity,
    'vial' AS unit,
    CAST(unit_price AS DECIMAL(38, 8)) AS unit_price,
    pick(k, 'vat', 3) = 0 AS vat_charged,
    FALSE AS has_agreed,
    CAST(NULL AS DECIMAL(38, 8)) AS agreed_least,
    CAST(NULL AS DECIMAL(38, 8)) AS agreed_most,
    CAST(NULL AS DECIMAL(38, 8)) AS agreed_price,
    FALSE AS stated_before,
    FALSE AS homecare,
    CAST(NULL AS DECIMAL(38, 8)) AS delivery_least,
    CAST(NULL AS DECIMAL(38, 8)) AS delivery_most,
    CAST(0 AS DECIMAL(38, 8)) AS tolerance
FROM told, names
"""
_COVERAGE = """
SELECT
    cov,
    'T' || lpad(CAST(cov AS VARCHAR), 9, '0') AS treatment_id,
    'PA' || lpad(CAST(cov AS VARCHAR), 9, '0') AS approval_reference,
    approval_reference AS reference_key,
    names.drugs[drug_number] AS drug,
    CASE WHEN pick(cov, 'number', 50) > 0 THEN nhs_number(patient) END AS nhs_number,
    DATE '1950-01-01' + CAST(patient % 20000 AS INTEGER) AS birth_date,
    from_day,
    from_day + CAST(days + 28 AS INTEGER) AS last_day,
    CAST(NULL AS DATE) AS stop_day,
    CAST(NULL AS DATE) AS died_on,
    CAST(days AS BIGINT) AS width,
    pick(cov, 'status', 100) > 2 AS usable,
    'DEMP' || lpad(CAST(provider_number AS VARCHAR), 3, '0') AS provider,
    CAST(NULL AS BIGINT) AS provider_set,
    'DEMQ' || lpad(CAST(patient % 40 AS VARCHAR), 2, '0') AS commissioner,
    'I' || drug_number AS indication,
    CASE WHEN pick(cov, 'route', 10) < 8 THEN 47625008 END AS route,
    CASE WHEN pick(cov, 'begun', 10) < 2 THEN from_day + 90 END AS start_by,
    pick(cov, 'begun late', 20) = 0 AS began_late,
    CAST(NULL AS VARCHAR) AS product,
    CAST(NULL AS BIGINT) AS product_set,
    TRUE AS interchangeable,
    pick(cov, 'funding', 200) > 0 AS funded,
    pick(cov, 'late', 20) = 0 AS late,
    pick(cov, 'query', 50) = 0 AS under_query,
    CASE WHEN pick(cov, 'due', 20) = 0 THEN from_day + CAST(days + 28 AS INTEGER) END
        AS overdue_after,
    FALSE AS submitted,
    CASE WHEN pick(cov, 'price', 10) < 3 THEN CAST(800 AS DECIMAL(38, 8)) END AS price_cap,
    'vial' AS price_unit,
    CASE WHEN pick(cov, 'cap', 10) < 3 THEN CAST(12 AS DECIMAL(38, 8)) END AS quantity_cap,
    'vial' AS quantity_unit,
    cov AS allowance,
    CAST(0 AS DECIMAL(38, 8)) AS used_before,
    CAST(NULL AS BIGINT) AS dose_set,
    FALSE AS has_length
FROM cover, names
"""
_LOCAL = f"""
WITH coverage AS ({_COVERAGE})
SELECT
    coverage.cov, coverage.provider AS org, 'L' || cover.patient AS local_id, coverage.drug,
    coverage.nhs_number, coverage.birth_date, coverage.from_day, coverage.last_day,
    coverage.stop_day, coverage.usable
FROM coverage
INNER JOIN cover ON cover.cov = coverage.cov
WHERE pick(coverage.cov, 'has local', 10) < 8
"""


def _none(columns: str) -> str:
    parts = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in _pairs(columns))
    return f"SELECT {parts} WHERE FALSE"


def _pairs(columns: str) -> list[list[str]]:
    return [column.split(":") for column in columns.split()]


_SELECTS = {
    "line": _LINE,
    "coverage": _COVERAGE,
    "coverage_local": _LOCAL,
    "coverage_legacy": _none("cov:BIGINT reference:VARCHAR"),
    "coverage_pause": f"SELECT cov, from_day + 40 AS from_day, from_day + 60 AS to_day "
    f"FROM ({_COVERAGE}) WHERE pick(cov, 'pause', 100) = 0",
    "product_set": _none("set_id:BIGINT product:VARCHAR"),
    "provider_set": _none("set_id:BIGINT provider:VARCHAR"),
    "dose_set": _none(
        "set_id:BIGINT largest_first:BIGINT from_day:DATE to_day:DATE unit:VARCHAR "
        "most:DECIMAL(38,8)"
    ),
    "dose_tolerated": _none(
        "set_id:BIGINT largest_first:BIGINT percent:DECIMAL(38,8) most:DECIMAL(38,8)"
    ),
    "cap_tolerated": _none("cov:BIGINT percent:DECIMAL(38,8) most:DECIMAL(38,8)"),
    "undebited": _none("pos:BIGINT"),
    "taken": _none("pos:BIGINT"),
    "freed": _none("pos:BIGINT"),
    "capped_allowance": f"SELECT allowance FROM ({_COVERAGE}) WHERE quantity_cap IS NOT NULL",
    "pending": f"SELECT cov AS pending, cov AS place, nhs_number, drug, provider, "
    f"'initiation' AS kind, TRUE AS gives_cover FROM ({_COVERAGE}) "
    f"WHERE NOT usable AND pick(cov, 'again', 3) = 0",
    "pending_local": _none("pending:BIGINT org:VARCHAR local_id:VARCHAR"),
    "named_by_hand": _none("pos:BIGINT cov:BIGINT"),
    "override": _none("pos:BIGINT accepts:BOOLEAN outcome:VARCHAR"),
    "policy": "SELECT unnest(drugs) AS drug, CAST(NULL AS VARCHAR) AS commissioner, "
    "DATE '2020-01-01' AS from_day, DATE '9999-12-31' AS to_day, TRUE AS approval_required "
    "FROM names",
}


def write_submission(folder: Path, lines: int) -> None:
    """The first lines as a provider would send them, drugs spelled in several ways."""
    cells = {name: f"'{text}'" for name, text in CLEAN.items()} | {
        SHORT[short]: expression for short, expression in _CELLS.items()
    }
    (folder / "lines.parquet").unlink(missing_ok=True)
    columns = ", ".join(f'{expression} AS "{name}"' for name, expression in cells.items())
    part = folder / "part.csv"
    written: pq.ParquetWriter | None = None
    with duckdb.connect() as connection, (folder / "lines.csv").open("wb") as out:
        # Piece by piece: sorting 40 million lines at once had not ended after half an hour.
        for first in range(0, lines, AT_A_TIME):
            end = min(first + AT_A_TIME, lines)
            piece = connection.sql(
                f"SELECT {columns} FROM '{folder}/line.parquet' AS line "
                f"WHERE pos >= {first} AND pos < {end} ORDER BY pos"
            ).to_arrow_table()
            written = written or pq.ParquetWriter(folder / "lines.parquet", piece.schema)
            written.write_table(piece)
            head = "HEADER" if first == 0 else "HEADER false"
            connection.register("piece", piece)
            connection.execute(f"COPY (FROM piece) TO '{part}' ({head}, DELIMITER ',')")
            with part.open("rb") as said:
                shutil.copyfileobj(said, out)
    if written is not None:
        written.close()


_DRUG = "CASE content_key % 5 " + " ".join(
    f"WHEN {n} THEN replace('{text}', '{{}}', drug)" for n, text in enumerate(_SPELLED)
) + " END"  # fmt: skip
_YEAR = "CAST(year(first_day - INTERVAL 3 MONTH) AS INTEGER)"
#: What a provider's file states of a line, as SQL. Of an indication it states none: the approvals'
#: are no real codes.
_CELLS = {
    "month": "CAST(month(first_day - INTERVAL 3 MONTH) AS VARCHAR)",
    "year": f"{_YEAR} || lpad(CAST(({_YEAR} + 1) % 100 AS VARCHAR), 2, '0')",
    "provider": "provider",
    "payer": "commissioner",
    "withheld": "CASE WHEN withheld THEN '02' ELSE '' END",
    "given": "coalesce(CAST(route AS VARCHAR), '')",
    "vat": "CASE WHEN vat_charged THEN 'Y' ELSE 'N' END",
    "nhs": "coalesce(nhs_number, '')",
    "local": "coalesce(local_id, '')",
    "born": "CAST(birth_date AS VARCHAR)",
    "date": "coalesce(CAST(supply_date AS VARCHAR), '')",
    "drug": "CASE WHEN kind = 'fee or delivery' THEN 'Dispensing fee' "
    f"WHEN content_key % 2 = 1 THEN upper({_DRUG}) ELSE {_DRUG} END",
    "quantity": "CAST(CAST(quantity AS BIGINT) AS VARCHAR)",
    "reference": "coalesce(reference, '')",
    "price": "CAST(CAST(unit_price AS DECIMAL(18, 2)) AS VARCHAR)",
    "total": "'£' || CAST(CAST(total AS DECIMAL(18, 2)) AS VARCHAR)",
}
