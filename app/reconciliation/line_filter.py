"""What lines of a run have in common, in the words of the run's summary. Pure."""

from dataclasses import dataclass
from typing import Final

from app.reconciliation.model import MatchedLine
from app.reconciliation.slices import Fold
from app.reconciliation.summary import NOT_STATED, commissioner_of, month_of
from app.reconciliation.untested import ANY_TEST, untested_tests

#: What `total` asks for.
NOT_LEGIBLE: Final = "not legible"


@dataclass(frozen=True, slots=True)
class LineFilter:
    """What the lines have in common, in the words of the run's summary; None is anything.

    `untested` is a test that could not be made on what was accepted, or ANY_TEST. `total` is
    NOT_LEGIBLE, for lines that state no legible total and so count as nothing.
    """

    outcome: str | None = None
    drug: str | None = None
    provider: str | None = None
    month: str | None = None
    commissioner: str | None = None
    untested: str | None = None
    total: str | None = None


EVERY_LINE: Final = LineFilter()


def fitting(item: MatchedLine, asked: LineFilter, fold: Fold | None = None) -> bool:
    """Whether a line is among those that are asked for; by commissioner it takes the fold."""
    drug, provider = item.recognition.drug or NOT_STATED, item.provider or NOT_STATED
    told = (item.outcome.value, drug, provider, month_of(item))
    wanted = (asked.outcome, asked.drug, asked.provider, asked.month)
    if not all(want in (None, has) for want, has in zip(wanted, told, strict=True)):
        return False
    if (
        asked.commissioner is not None
        and commissioner_of(item, folding(fold)) != asked.commissioner
    ):
        return False
    if asked.total is not None and item.line.total_cost is not None:
        return False
    if asked.untested is None:
        return True
    lacking = untested_tests(item)
    return bool(lacking) if asked.untested == ANY_TEST else asked.untested in lacking


def folding(fold: Fold | None) -> Fold:
    """The fold that a choice by commissioner takes."""
    assert fold is not None, "a commissioner is told by its folded code"
    return fold
