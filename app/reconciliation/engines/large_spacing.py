"""Supplies that follow each other too soon, in a file whose lines are not held in memory.

The plain functions say how long each distinct quantity lasts at each distinct dose; SQL finds the
supply before each, of which `spacing.told_after` says what it says of any. Nothing is done where no
commissioner agreed how early a supply may be.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Final

import duckdb
import pyarrow as pa

from app.reconciliation.engines.duckdb import InDuckDB
from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.engines.spacing import lasts
from app.reconciliation.engines.sql_fees import Hold, Read
from app.reconciliation.sql import steps_before
from app.reconciliation.terms_model import SupplyTermKind

Connection = duckdb.DuckDBPyConnection

_SUPPLIES: Final = """
CREATE TABLE spaced AS
SELECT
    line.pos, coverage.treatment_id, line.supply_date AS day, line.early, coverage.dose_set,
    line.quantity, line.unit
FROM result
INNER JOIN line ON line.pos = result.pos
INNER JOIN coverage ON coverage.cov = result.within_cov
ANTI JOIN (SELECT other_pos AS pos FROM result WHERE step = 'reversal') AS back
    ON back.pos = result.pos
ANTI JOIN taken ON taken.pos = result.pos
WHERE result.step = 'found'
    AND result.outcome IN ('matched', 'approved late', 'over price', 'over quantity')
    AND line.supply_date IS NOT NULL
    AND coverage.dose_set IS NOT NULL
"""
_TESTS: Final = """
CREATE TABLE spacing_test AS
WITH supply AS (
    SELECT spaced.treatment_id, spaced.day, lasting.days
    FROM spaced
    LEFT JOIN dosed ON dosed.pos = spaced.pos
    LEFT JOIN lasting
        ON lasting.quantity = dosed.quantity
        AND lasting.amount_text = dosed.amount_text
        AND lasting.days_text = dosed.days_text
    UNION ALL
    SELECT treatment_id, day, days FROM spaced_before
),

by_day AS (
    SELECT
        treatment_id, day, CASE WHEN count(*) = count(days) THEN sum(days) END AS days
    FROM supply
    GROUP BY treatment_id, day
),

following AS (
    SELECT
        treatment_id, day,
        lag(day) OVER (PARTITION BY treatment_id ORDER BY day) AS last_day,
        lag(days) OVER (PARTITION BY treatment_id ORDER BY day) AS last_days
    FROM by_day
)

SELECT
    spaced.pos, spaced.early, spaced.day, following.last_day, following.last_days
FROM spaced
INNER JOIN following
    ON following.treatment_id = spaced.treatment_id AND following.day = spaced.day
WHERE spaced.early IS NOT NULL
"""


def hold_spacing(connection: Connection, index: SnapshotIndex, released: Collection[int]) -> None:
    """Make the table `spacing_test`; `released` are earlier charges that credits give back."""
    kind = SupplyTermKind.DAYS_EARLY
    if not any(row.kind is kind for rows in index.supplies.values() for row in rows):
        connection.execute(
            "CREATE TABLE spacing_test (pos BIGINT, early DECIMAL(38, 8), day DATE, "
            "last_day DATE, last_days BIGINT)"
        )
        return
    before = [each for each in index.earlier.spaced if each.charge not in released]
    held = {
        "treatment_id": pa.array([each.treatment_id for each in before], pa.string()),
        "day": pa.array([each.day for each in before], pa.date32()),
        "days": pa.array([each.lasts for each in before], pa.int64()),
    }
    connection.register("spaced_before", pa.table(held))
    connection.execute(_SUPPLIES)
    running = InDuckDB(connection)
    running.make(steps_before()["dosed"])
    hold_lasting(running.hold, running.read)
    connection.execute(_TESTS)


def hold_lasting(hold: Hold, read: Read) -> None:
    """Hold `lasting`: for how many days each distinct quantity in `dosed` lasts at its dose."""
    known = read("SELECT DISTINCT quantity, amount_text, days_text FROM dosed")
    days = [
        lasts(quantity, Decimal(amount), Decimal(each))
        for quantity, amount, each in zip(*known.to_pydict().values(), strict=True)
    ]
    hold("lasting", known.append_column("days", pa.array(days, pa.int64())))
