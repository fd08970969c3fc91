"""Compare the engines on many random submissions: `python -m … FIRST LAST`, seeds of 100 each."""

import random
import sys
from collections import Counter

from app.reconciliation.engines import duckdb, plain
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.nasty import packed

CASES = 100


def main(first: int, last: int) -> int:
    """Print how many submissions and lines were compared, and each outcome; how many differ."""
    lines, differ, seen = 0, 0, Counter[str]()
    known = load_drugs(), load_organisations()
    for seed in range(first, last):
        case = packed(random.Random(seed), CASES)
        expected = plain.match_submission(*case, *known)
        found = duckdb.match_submission(*case, *known)
        lines += len(expected)
        differ += sum(one != other for one, other in zip(expected, found, strict=True))
        seen.update(f"{one.outcome}, {one.found_by or 'no pass'}" for one in expected)
    print(f"{(last - first) * CASES} submissions, {lines} lines, {differ} differ")
    for name, count in seen.most_common():
        print(f"{count:>9}  {name}")
    return differ


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]), int(sys.argv[2])) else 0)
