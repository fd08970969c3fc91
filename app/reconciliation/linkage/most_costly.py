"""The proposals that one search keeps: no more than people can go through, the most costly. Pure.

What is left comes in the next search, once those before it are accepted or refused.
"""

import heapq
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from app.reconciliation.linkage.model import Found, Proposed, Why

#: Proposals of one search, which are written in one transaction.
MOST_KEPT: Final = 10_000


class MostCostly:
    """Takes proposals and counts one by one, and holds no more than so many proposals."""

    def __init__(self, most: int | None = None) -> None:
        self.most = MOST_KEPT if most is None else most
        self._heap: list[tuple[Decimal, int, Proposed]] = []
        self._counts: Counter[Why] = Counter()

    def add(self, found: Found) -> None:
        """Take what was found for some of the lines."""
        self._counts.update(found.counts)
        for each in found.proposals:
            # Of one cost the line that comes first; a row is there once, so no two are alike.
            entry = (abs(Decimal(each.total or 0)), -each.row, each)
            if len(self._heap) < self.most:
                heapq.heappush(self._heap, entry)
                continue
            *_, left = heapq.heappushpop(self._heap, entry)
            self._counts[Why.AMBIGUOUS if left.ambiguous else Why.PROPOSED] -= 1
            self._counts[Why.NOT_KEPT] += 1

    def found(self, model: str) -> Found:
        """All of it: the proposals in order of row, and how every line ended."""
        kept = sorted((each for *_, each in self._heap), key=lambda each: each.row)
        return Found(model, tuple(kept), {why: n for why, n in self._counts.items() if n})


def most_costly(found: Iterable[Found], model: str, most: int | None = None) -> Found:
    """What is kept of these."""
    kept = MostCostly(most)
    for each in found:
        kept.add(each)
    return kept.found(model)
