"""Every journey through the pages, as data: who goes, from where, to do what, and the walk itself.

A walk acts only through its visitors, so that `test_journeys.py` can make it in each variant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.browser.variants import EACH, Variant
from tests.browser.visitor import Visitor


@dataclass(frozen=True)
class Ground:
    """What a walk stands on. `number` gives a number that no other walk has had."""

    enter: Callable[[str], Visitor]
    number: Callable[[], int]
    folder: Path


@dataclass(frozen=True)
class Journey:
    """One journey: the first of `who` begins it at `start`; the others have a part in it.

    `variants` are fewer where another journey, of another product or role, takes the same way.
    """

    who: tuple[str, ...]
    what: str
    start: str
    walk: Callable[[Ground], None]
    variants: tuple[Variant, ...] = EACH
