"""100,000 lines of a month may change at a time, in a file that is not held; not one more."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.errors import TooManyLines
from app.reconciliation.large_deltas import MOST, LargeFile
from app.reconciliation.line_columns import SCHEMA, batch_of
from app.reconciliation.slices import SliceKey
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import cells, submission

KEY = SliceKey("DEMO1", "DEMQ1", "202526", 3)
FOLD = load_organisations().fold
LINES = MOST + 1


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of one month, one more than may change, with the outcomes of two runs and of a third
    that leaves the last line as it was."""
    folder = tmp_path_factory.mktemp("large")
    (line,) = submission(cells(total="10.00")).lines
    with duckdb.connect() as connection:
        held = duckdb.from_arrow(_table(line), connection=connection)
        held.create_view("one")
        made = f"range(1, {LINES + 1}) AS made(n)"
        columns = "* REPLACE (n AS row, n - 1 AS pos, sha256(CAST(n AS VARCHAR)) AS content_hash)"
        connection.execute(f"COPY (SELECT {columns} FROM one, {made}) TO '{folder}/rows'"
                           " (FORMAT parquet)")  # fmt: skip
        for name, kept in (("was", LINES + 1), ("now", 0), ("less", 1)):
            accepts = f"CASE WHEN n > {LINES} - {kept} THEN '10' ELSE '0' END"
            connection.execute(
                f"COPY (SELECT n AS row, sha256(CAST(n AS VARCHAR)) AS content_hash, "
                f"{accepts} AS accepted, CASE WHEN {accepts} = '10' THEN '0' ELSE '10' END "
                f"AS queried, {_REST} FROM {made}) TO '{folder}/{name}' (FORMAT parquet)"
            )
    return folder


_REST = (
    "'drug' AS kind, 'natalizumab' AS drug, CAST(NULL AS VARCHAR) AS drug_product, "
    "'2025-06-10' AS supplied_on, 'name' AS recognised_by, 'matched' AS outcome, "
    "'DEMO1' AS provider, CAST(NULL AS VARCHAR) AS reference, "
    "CAST(NULL AS VARCHAR) AS treatment_id, '' AS found_by, '[]' AS tests, 'Why.' AS reason, "
    "'' AS remedy, CAST(NULL AS VARCHAR) AS proposed_commissioner"
)


def _table(line: object) -> object:
    import pyarrow as pa

    return pa.Table.from_batches([batch_of([line])], SCHEMA)  # type: ignore[list-item]


def differing(files: Path, now: str) -> int:
    large = LargeFile(files / "rows", Machine(threads=2), FOLD)
    found = large.differing(files / "was", files / now, KEY, ()).lines
    assert {(was.accepted, item.accepted) for was, item, _ in found} == {(Decimal(10), Decimal(0))}
    assert len({key for _, _, key in found}) == len(found)
    return len(found)


def test_one_more_than_may_change_is_refused_with_what_to_do(files: Path) -> None:
    with pytest.raises(TooManyLines, match=r"100,001 lines.*freeze to a later day"):
        differing(files, "now")


@pytest.mark.slow
def test_as_many_as_may_change_are_told_each_with_a_key_of_its_own(files: Path) -> None:
    assert differing(files, "less") == MOST
