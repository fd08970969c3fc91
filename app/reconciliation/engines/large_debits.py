"""The debits of credits in a file whose lines are not held in memory.

Only the credits are read, and the charges of their amounts that name the same patient or reference:
few lines, which the plain functions then compare.
"""

from collections.abc import Mapping
from typing import Final

import duckdb

from app.reconciliation.engines.debits import Debits
from app.reconciliation.engines.index import SnapshotIndex
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.engines.told import told_of
from app.reconciliation.line_columns import lines_of
from app.reconciliation.model import ContractLine

Connection = duckdb.DuckDBPyConnection

_CREDITED: Final = """
WITH sum AS (
    SELECT pos, kind, nhs_number, local_id, reference, abs(total) AS amount
    FROM line
    WHERE NOT shifted AND total <> 0 AND kind IN ('credit or rebate', 'drug', 'fee or delivery')
),

credit AS (SELECT * FROM sum WHERE kind = 'credit or rebate'),

found AS (
    SELECT pos FROM credit
    UNION
    SELECT pos FROM sum SEMI JOIN credit
        ON credit.nhs_number = sum.nhs_number AND credit.amount = sum.amount
    UNION
    SELECT pos FROM sum SEMI JOIN credit
        ON credit.local_id = sum.local_id AND credit.amount = sum.amount
    UNION
    SELECT pos FROM sum SEMI JOIN credit
        ON credit.reference = sum.reference AND credit.amount = sum.amount
)

SELECT read.* FROM read SEMI JOIN found USING (pos) ORDER BY pos
"""


def credited_lines(connection: Connection) -> dict[int, ContractLine]:
    """The credits, and the charges of their amounts that they may give back, by their places."""
    rows = connection.sql(_CREDITED).to_arrow_table()
    return dict(zip(rows.column("pos").to_pylist(), lines_of(rows), strict=True))


def debits_of(prepared: Mapping[int, Prepared], index: SnapshotIndex) -> Debits:
    """What those credits give back, by the lines' places in the file."""
    places = list(prepared)
    found = told_of(list(prepared.values()), index).debits
    tests = {places[n]: test for n, test in found.tests.items()}
    return Debits(
        tests,
        frozenset(places[n] for n in found.taken),
        found.released,
        frozenset(places[n] for n in found.fees_taken),
        found.fees_released,
        found.freed,
    )
