"""How the matching of many lines tells how far it has come, while it works."""

from collections.abc import Callable
from typing import Final

#: Told how many lines have come to their outcome so far.
Progress = Callable[[int], None]

#: How many lines held in memory come to their outcome between one telling and the next. Each is a
#: transaction of its own; lines that are not held in memory tell of as many as are worded together.
LINES_BETWEEN: Final = 8_192
#: Told how many are done so far, and of how many: first none, once their number is known.
PartOf = Callable[[int, int], None]


def untold(_lines: int) -> None:
    """Tells nobody: where nobody waits at a page."""


def unwatched(_done: int, _of: int) -> None:
    """Tells nobody."""


def seldom(tell: Progress) -> Progress:
    """Tells of more lines only when it is LINES_BETWEEN since the last telling, or more."""
    told = 0

    def so_far(lines: int) -> None:
        nonlocal told
        if lines >= told + LINES_BETWEEN:
            told = lines
            tell(lines)

    return so_far
