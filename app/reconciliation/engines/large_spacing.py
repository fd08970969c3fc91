"""Supplies that follow each other too soon, in a file whose lines are not held in memory.

The plain functions say how long each distinct quantity lasts at each distinct dose; the rest is
SQL, which says of each line what `spacing.too_soon` says of it. Nothing is done where no
commissioner agreed how early a supply may be.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Final

import duckdb
import pyarrow as pa

from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.engines.spacing import lasts
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
_DOSED: Final = """
CREATE TABLE dosed AS
SELECT pos, quantity, amount_text, days_text
FROM (
    SELECT
        spaced.pos, spaced.quantity, dose_set.amount_text, dose_set.days_text,
        row_number() OVER (PARTITION BY spaced.pos ORDER BY dose_set.largest_first) AS place,
        min(CASE WHEN dose_set.unit = spaced.unit THEN 1 ELSE 0 END)
            OVER (PARTITION BY spaced.pos) AS same_unit
    FROM spaced
    INNER JOIN dose_set ON dose_set.set_id = spaced.dose_set
    WHERE dose_set.from_day <= spaced.day AND dose_set.to_day >= spaced.day
)
WHERE place = 1 AND same_unit = 1 AND quantity IS NOT NULL
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
    spaced.pos,
    CASE
        WHEN following.last_day IS NULL THEN TRUE
        ELSE following.last_days - date_diff('day', following.last_day, following.day)
            <= spaced.early
    END AS passed
FROM spaced
INNER JOIN following
    ON following.treatment_id = spaced.treatment_id AND following.day = spaced.day
WHERE spaced.early IS NOT NULL
"""


def hold_spacing(connection: Connection, index: SnapshotIndex, released: Collection[int]) -> None:
    """Make the table `spacing_test`; `released` are earlier charges that credits give back."""
    kind = SupplyTermKind.DAYS_EARLY
    if not any(row.kind is kind for rows in index.supplies.values() for row in rows):
        connection.execute("CREATE TABLE spacing_test (pos BIGINT, passed BOOLEAN)")
        return
    before = [each for each in index.earlier.spaced if each.charge not in released]
    held = {
        "treatment_id": pa.array([each.treatment_id for each in before], pa.string()),
        "day": pa.array([each.day for each in before], pa.date32()),
        "days": pa.array([each.lasts for each in before], pa.int64()),
    }
    connection.register("spaced_before", pa.table(held))
    connection.execute(_SUPPLIES)
    connection.execute(_DOSED)
    cases = connection.sql("SELECT DISTINCT quantity, amount_text, days_text FROM dosed")
    known = cases.to_arrow_table()
    days = [
        lasts(quantity, Decimal(amount), Decimal(each))
        for quantity, amount, each in zip(*known.to_pydict().values(), strict=True)
    ]
    connection.register("lasting", known.append_column("days", pa.array(days, pa.int64())))
    connection.execute(_TESTS)
