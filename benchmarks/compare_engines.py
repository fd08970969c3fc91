"""Compare the engines on many random submissions: `python -m … FIRST LAST [duckdb|spark]`.

FIRST and LAST are seeds. Of each, 100 submissions are packed into one run of DuckDB, or 2,000 into
one of Spark, and every field of every line is compared with what the plain engine gives.
"""

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from app.reconciliation.engines import duckdb, plain, spark
from app.reconciliation.engines.choice import Matcher
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.nasty import packed


@contextmanager
def in_duckdb() -> Iterator[tuple[Matcher, int]]:
    """What matches, and how many submissions to pack into a run."""
    yield duckdb.match_submission, 100


@contextmanager
def in_spark() -> Iterator[tuple[Matcher, int]]:
    """As `in_duckdb`, in one session."""
    with (
        tempfile.TemporaryDirectory() as folder,
        spark.running(spark.Cluster(Path(folder))) as on,
    ):
        yield partial(spark.match_submission, on=on), 2_000


ENGINES: dict[str, Callable[[], AbstractContextManager[tuple[Matcher, int]]]] = {
    "duckdb": in_duckdb,
    "spark": in_spark,
}


def main(first: int, last: int, engine: str = "duckdb") -> int:
    """Print how many submissions and lines were compared, and each outcome; how many differ."""
    lines, differ, seen = 0, 0, Counter[str]()
    known = load_drugs(), load_organisations()
    with ENGINES[engine]() as (matcher, cases):
        for seed in range(first, last):
            case = packed(random.Random(seed), cases)
            expected = plain.match_submission(*case, *known)
            found = matcher(*case, *known)
            lines += len(expected)
            differ += sum(one != other for one, other in zip(expected, found, strict=True))
            seen.update(f"{one.outcome}, {one.found_by or 'no pass'}" for one in expected)
    print(f"{(last - first) * cases} submissions, {lines} lines, {differ} differ")
    for name, count in seen.most_common():
        print(f"{count:>9}  {name}")
    return differ


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]) else 0)
