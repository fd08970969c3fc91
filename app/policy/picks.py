"""Picks over a list's rows: the latest, earliest, highest or lowest, three-valued.

A pick is known only where every way of filling in what is missing gives the same value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Candidate = tuple[bool | None, Any, Any]
"""A row that may count: its `where` (True, or None for unknown), what orders it, its value."""


def possible(candidates: Sequence[Candidate], smallest: bool) -> list[int]:
    """The places of the rows that could be the pick, in some filling-in of what is missing.

    A row that surely counts bounds the others: one that lies before the sure latest cannot be the
    latest. A row whose order is unknown could always be it.
    """
    sure = [order for counts, order, _ in candidates if counts and order is not None]
    if not sure:
        return list(range(len(candidates)))
    bound = min(sure) if smallest else max(sure)
    return [
        place
        for place, (_, order, _) in enumerate(candidates)
        if order is None or (order <= bound if smallest else order >= bound)
    ]


def picked(candidates: Sequence[Candidate], smallest: bool) -> Any:
    """The value of the pick, or None where it is unknown.

    Unknown where no row surely counts, and where the rows that could be the pick have an unknown
    value or different values: two rows of one date with different values are unknown too.
    """
    if not any(counts for counts, _, _ in candidates):
        return None
    found = [candidates[place][2] for place in possible(candidates, smallest)]
    return found[0] if all(value == found[0] for value in found) else None
