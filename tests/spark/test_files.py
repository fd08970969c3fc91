"""From file to file with the steps on Spark: what the plain engine gives."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from app.reconciliation import match_submission, summarise
from app.reconciliation.engines.duckdb import Machine
from app.reconciliation.engines.out_of_core import match_rows
from app.reconciliation.engines.spark import Cluster
from app.reconciliation.outcome_files import from_parquet
from tests.spark.standalone import left_behind
from tests.unit.reconciliation import nasty
from tests.unit.reconciliation.builders import DRUGS_AND_ORGANISATIONS, FOLD
from tests.unit.reconciliation.test_out_of_core import said, stored

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_random_submissions_come_to_what_the_plain_engine_makes_of_them(
    spark_is_here: None, tmp_path: Path
) -> None:
    lines, snap = nasty.packed(random.Random(20265), 30)
    lines = tuple(replace(line, row=row) for row, line in enumerate(lines, 1))
    plain = match_submission(lines, snap, *DRUGS_AND_ORGANISATIONS)
    cluster = Cluster(tmp_path / "spark", partitions=2)
    outcomes = tmp_path / "outcomes.parquet"
    decided = match_rows(
        stored(tmp_path, lines),
        outcomes,
        snap,
        *DRUGS_AND_ORGANISATIONS,
        Machine("1GB"),
        cluster,
    )
    matched = from_parquet(outcomes.read_bytes(), lines)
    assert [said(each) for each in matched] == [said(each) for each in plain]
    assert decided.summary == summarise(plain, FOLD)
    assert left_behind(tmp_path / "spark") == []
