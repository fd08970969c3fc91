"""What must hold of every submission, on as many random ones as the surroundings ask for.

Of each: every line has one outcome, its buckets add up to its total, and the order of its rows
changes neither what any line comes to nor what is accepted of it; on both engines, which agree.
Several are matched in one run, with patients and approvals of their own. `make submissions
CASES=10000` asks for many and prints what was drawn.
"""

import os
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from itertools import pairwise

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.reconciliation import ContractLine, LineOutcome, MatchedLine, Snapshot, summarise
from app.reconciliation.engines import duckdb, plain
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.unit.reconciliation.builders import FOLD
from tests.unit.reconciliation.nasty import one_case, packed_of, tied_case

KNOWN = load_drugs(), load_organisations()
CASES = int(os.environ.get("ASSENT_SUBMISSIONS", "200"))
TOGETHER = min(-(-CASES // 2), 200)  # submissions in one run
NO_POUND = Decimal(0)
#: What must have been drawn, or the order of rows would not have been tried.
TRIED = ("duplicate", "credit", "over quantity", "on a day that others share")


def test_random_submissions_add_up_and_the_order_of_their_rows_changes_nothing() -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=-(-CASES // TOGETHER),
        phases=[Phase.generate],  # a seed has nothing to shrink
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.integers(0, 2**64))
    def hold(seed: int) -> None:
        seen.update(_checked(random.Random(seed)))

    hold()
    sys.stdout.write(", ".join(f"{n:,} {what}" for what, n in sorted(seen.items())) + "\n")
    assert seen["submissions"] >= CASES
    assert [what for what in TRIED if not seen[what]] == []


def _checked(source: random.Random) -> Counter[str]:
    """Draw some submissions and hold them against what must be; returns what was drawn."""
    cases = [source.choice((one_case, tied_case))(source) for _ in range(TOGETHER)]
    lines, snap = packed_of(source, cases)
    lines = _numbered(lines)
    matched = _on_both(lines, snap)
    bounds = [0]
    for drawn, _ in cases:
        bounds.append(bounds[-1] + len(drawn))
    for begin, end in pairwise(bounds):
        _check_adds_up(lines[begin:end], matched[begin:end])
    other = _on_both(_numbered(source.sample(lines, len(lines))), snap)
    assert _told(other) == _told(matched)
    return _drawn(matched) + Counter({"submissions": TOGETHER})


def _numbered(lines: Sequence[ContractLine]) -> tuple[ContractLine, ...]:
    """The lines as the rows of a file that states them in this order."""
    return tuple(replace(line, row=row) for row, line in enumerate(lines, 1))


def _on_both(lines: Sequence[ContractLine], snap: Snapshot) -> tuple[MatchedLine, ...]:
    matched = plain.match_submission(lines, snap, *KNOWN)
    assert duckdb.match_submission(lines, snap, *KNOWN) == matched
    return matched


def _check_adds_up(lines: Sequence[ContractLine], matched: Sequence[MatchedLine]) -> None:
    assert [each.line for each in matched] == list(lines)  # one outcome for each line
    buckets: dict[LineOutcome, Decimal] = {}
    with localcontext(prec=60):
        for each in matched:
            held = buckets.get(each.outcome, NO_POUND)
            buckets[each.outcome] = held + each.accepted + each.queried
        total = sum((line.total_cost or NO_POUND for line in lines), NO_POUND)
        assert sum(buckets.values(), NO_POUND) == total
    summary = summarise(matched, FOLD)  # which asserts its own
    assert summary.grand.total == total
    assert {each.key: each.total for each in summary.by_outcome} == buckets
    assert sum(each.lines for each in summary.by_outcome) == len(lines)


def _told(matched: Sequence[MatchedLine]) -> Counter[tuple[object, ...]]:
    """What each content came to, however many lines have it and wherever they stand."""
    return Counter(
        (each.line.content_hash, each.outcome, each.accepted, each.queried, each.treatment_id)
        for each in matched
    )


def _drawn(matched: Sequence[MatchedLine]) -> Counter[str]:
    days = Counter(
        (each.reference, each.line.supply_date)
        for each in matched
        if each.reference and each.line.supply_date
    )
    return Counter(
        {
            "lines": len(matched),
            "duplicate": sum(x.outcome is LineOutcome.DUPLICATE_LINE for x in matched),
            "credit": sum((x.line.total_cost or NO_POUND) < 0 for x in matched),
            "over quantity": sum(x.outcome is LineOutcome.OVER_QUANTITY for x in matched),
            "on a day that others share": sum(n for n in days.values() if n > 1),
        }
    )
