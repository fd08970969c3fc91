"""Spark gives what the table says and what the plain engine gives, line for line."""

import os
import random
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, localcontext

import pytest

from app.reconciliation import MatchedLine
from app.reconciliation.engines import plain, spark
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.spark.table import check_table
from tests.unit.reconciliation.nasty import Case, packed

pytestmark = [pytest.mark.spark, pytest.mark.slow]
KNOWN = load_drugs(), load_organisations()
SUBMISSIONS = 3_000
#: The same in every run, so that a change is judged by what it changed, unless one is given.
SEED = int(os.environ.get("ASSENT_SPARK_SEED", "20251128"))


def test_spark_gives_what_the_table_says(local: spark.Running) -> None:
    check_table(local)


@pytest.fixture(scope="module")
def nasty() -> tuple[Case, tuple[MatchedLine, ...]]:
    """Thousands of random submissions as one, and what the plain engine makes of it."""
    drawn = packed(random.Random(SEED), SUBMISSIONS)
    return drawn, plain.match_submission(*drawn, *KNOWN)


def test_spark_says_the_same_of_every_line_of_thousands_of_nasty_submissions(
    local: spark.Running, nasty: tuple[Case, tuple[MatchedLine, ...]]
) -> None:
    (lines, snap), expected = nasty
    found = spark.match_submission(lines, snap, *KNOWN, on=local)
    differing = [pair for pair in zip(expected, found, strict=True) if pair[0] != pair[1]]
    assert differing == [], f"ASSENT_SPARK_SEED={SEED} draws them again"
    assert _in_and_out(found) == (len(lines), sum(_totals(found), Decimal(0)))
    assert len(Counter(each.outcome for each in found)) >= 15  # nearly every outcome was drawn


def _totals(matched: Sequence[MatchedLine]) -> list[Decimal]:
    return [each.line.total_cost or Decimal(0) for each in matched]


def _in_and_out(matched: Sequence[MatchedLine]) -> tuple[int, Decimal]:
    with localcontext(prec=60):
        return len(matched), sum((each.accepted + each.queried for each in matched), Decimal(0))
