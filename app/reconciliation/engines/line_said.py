"""What the words of some lines rest on beside the line and its approval, made once for a file.

Of every line with an approval that its words speak of, `approved` has what they say of that one,
in the order of the file, so that whoever looks at some lines reads of no other approval. The others
are of few lines, and each lies in a table of its own:
- `lies`: how a line's time lies to an approval that is not its own, as `period.fit` says it;
- `misquote`: why the reference that a line quotes is not its approval's, as far as
  `passes.why_reference_fails` tells more than that;
- `waits`: the undecided request that a line's reason speaks of;
- `debit_told`: the test of a credit, which the plain functions have made and worded already.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from app.reconciliation.engines.duckdb import as_written
from app.reconciliation.model import Test

#: A line's approval with what its words state of it. The approvals are looked up once for the whole
#: file: for some lines at a time that would be all of them each time.
_APPROVED: Final = """
SELECT
    told.pos, coverage.cov, coverage.approval_reference, coverage.treatment_id, coverage.drug,
    coverage.provider, coverage.commissioner, coverage.product, coverage.product_set,
    coverage.interchangeable, coverage.route, coverage.from_day, coverage.stop_day,
    coverage.died_on, coverage.late, coverage.under_query, coverage.price_cap, coverage.price_unit,
    coverage.quantity_cap, coverage.quantity_unit, coverage.dose_set, said.status, said.to_day,
    said.start_by, said.first_dose, said.origin, said.continuation_due, said.longest,
    said.cap_said, said.before_said
FROM result AS told
INNER JOIN coverage ON coverage.cov = coalesce(told.within_cov, told.cov)
INNER JOIN coverage_said AS said ON said.cov = coalesce(told.within_cov, told.cov)
ORDER BY told.pos
"""
#: The approval that a line's words speak of where no pass found one, and the first of those that it
#: quotes wrongly: the places of coverages are their order.
_LOOKED: Final = """
CREATE TABLE looked_at AS
WITH quoting AS (
    SELECT pos, reference FROM outcome_told
    WHERE step IN ('found', 'diagnosed') AND NOT test_reference
),

quoted AS (
    SELECT quoting.pos, coverage.cov
    FROM coverage
    INNER JOIN quoting ON quoting.reference = coverage.reference_key
    UNION ALL
    SELECT quoting.pos, coverage_legacy.cov
    FROM coverage_legacy
    INNER JOIN quoting ON quoting.reference = coverage_legacy.reference
)

SELECT pos, min(cov) AS cov, TRUE AS quoted FROM quoted GROUP BY pos
UNION ALL
SELECT pos, cov, FALSE AS quoted FROM outcome_told WHERE step = 'diagnosed' AND cov IS NOT NULL
"""
#: What stands after a JOIN is small: the few lines, with what is read of them once.
_FOUND: Final = """
CREATE TABLE looked AS
WITH asked AS (
    SELECT
        line.pos, line.has_identity, line.nhs_number, line.local_id, line.birth_date, line.drug,
        line.provider, line.first_day, line.last_day, line.after_stop, looked_at.cov,
        looked_at.quoted
    FROM line
    INNER JOIN looked_at ON looked_at.pos = line.pos
)

SELECT
    asked.*, coverage.drug AS approved_drug, coverage.nhs_number AS approved_number,
    coverage.birth_date AS patient_born, coverage.usable, coverage.provider AS approved_provider,
    coverage.from_day, greatest(coverage.last_day, coverage.stop_day + asked.after_stop) AS until
FROM coverage
INNER JOIN asked ON asked.cov = coverage.cov
"""
_LIES: Final = """
CREATE TABLE lies_all AS
WITH paused AS (
    SELECT
        looked.pos, looked.cov,
        bool_or(
            coverage_pause.from_day <= looked.first_day AND coverage_pause.to_day >= looked.last_day
        ) AS whole
    FROM coverage_pause
    INNER JOIN looked
        ON looked.cov = coverage_pause.cov
        AND coverage_pause.from_day <= looked.last_day
        AND coverage_pause.to_day >= looked.first_day
    GROUP BY looked.pos, looked.cov
)

SELECT
    looked.pos,
    looked.quoted,
    CASE
        WHEN looked.first_day IS NULL THEN 'no time'
        WHEN looked.last_day < looked.from_day THEN 'before'
        WHEN looked.first_day > looked.until THEN 'after'
        WHEN paused.whole THEN 'paused'
        WHEN paused.pos IS NOT NULL THEN 'partly'
        WHEN looked.first_day < looked.from_day OR looked.last_day > looked.until THEN 'partly'
        ELSE 'within'
    END AS state
FROM looked
LEFT JOIN paused ON paused.pos = looked.pos AND paused.cov = looked.cov
"""
_LIES_TO_ANOTHER: Final = (
    "CREATE TABLE lies AS SELECT pos, state FROM lies_all WHERE NOT quoted",
    """
    CREATE TABLE misquote AS
    WITH local AS (
        SELECT DISTINCT looked.pos
        FROM coverage_local
        INNER JOIN looked
            ON looked.cov = coverage_local.cov
            AND looked.provider = coverage_local.org
            AND looked.local_id = coverage_local.local_id
        WHERE looked.quoted
    ),

    told AS (
        SELECT
            looked.*,
            CASE
                WHEN looked.nhs_number IS NOT NULL AND looked.approved_number IS NOT NULL
                    THEN looked.nhs_number = looked.approved_number
                ELSE coalesce(looked.birth_date = looked.patient_born, TRUE)
                    AND local.pos IS NOT NULL
            END AS same_patient
        FROM looked
        LEFT JOIN local ON local.pos = looked.pos
        WHERE looked.quoted
    )

    SELECT
        told.pos,
        CASE
            WHEN NOT told.has_identity THEN 'no patient'
            WHEN NOT told.same_patient THEN 'another patient'
            WHEN told.approved_drug IS DISTINCT FROM told.drug THEN 'drug ' || told.approved_drug
            WHEN NOT told.usable THEN 'status ' || said.status
            WHEN lies_all.state <> 'within' THEN 'time'
            ELSE 'provider ' || told.approved_provider
        END AS why
    FROM coverage_said AS said
    INNER JOIN told ON told.cov = said.cov
    INNER JOIN lies_all ON lies_all.pos = told.pos AND lies_all.quoted
    """,
    """
    CREATE TABLE waits AS
    SELECT waiting.pos, pending.kind, pending.submitted_on
    FROM pending
    INNER JOIN waiting ON waiting.pending = pending.pending
    """,
    *(f"DROP TABLE {name}" for name in ("looked_at", "looked", "lies_all")),
)

#: Tests of one line → their text as outcomes hold it, and those that could not be made.
TestsTold = Callable[[Iterable[Test]], tuple[str | None, str | None]]


def hold_approved(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Make the view `approved` once the steps have decided every line; its file is in `folder`."""
    file = folder / "approved.parquet"
    with as_written(connection):
        connection.execute(f"COPY ({_APPROVED}) TO '{file}' (ROW_GROUP_SIZE 65536)")
    connection.read_parquet(str(file)).create_view("approved")


def hold_said(
    connection: duckdb.DuckDBPyConnection, debits: Mapping[int, Test], told: TestsTold
) -> None:
    """Make the tables of what some lines' words rest on, once the steps have decided every line."""
    with as_written(connection):
        for statement in (_LOOKED, _FOUND, _LIES, *_LIES_TO_ANOTHER):
            connection.execute(statement)
    said = [(place, *told((test,))) for place, test in debits.items()]
    columns: Sequence[Sequence[object]] = list(zip(*said, strict=True)) or [()] * 3
    kinds = (("pos", pa.int64()), ("told", pa.string()), ("lacking", pa.string()))
    pairs = zip(kinds, columns, strict=True)
    held = pa.table({name: pa.array(column, kind) for (name, kind), column in pairs})
    connection.register("debit_told", held)
