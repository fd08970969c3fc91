"""Choosing lines of a run by outcome, drug, provider and month, page by page. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from app.api.submissions_model import LineDocument, line_document
from app.reconciliation import MatchedLine
from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.summary import NOT_STATED, ZERO, month_of


@dataclass(frozen=True, slots=True)
class LineFilter:
    """What the lines have in common, in the words of the run's summary; None is anything."""

    outcome: str | None = None
    drug: str | None = None
    provider: str | None = None
    month: str | None = None

    def wants(self, item: MatchedLine) -> bool:
        """Whether a line is one of them."""
        return (
            self.outcome in (None, item.outcome.value)
            and self.drug in (None, item.recognition.drug or NOT_STATED)
            and self.provider in (None, item.provider or NOT_STATED)
            and self.month in (None, month_of(item))
        )


@dataclass(frozen=True, slots=True)
class LinesChosen:
    """A page of lines, with the count and the pounds of all that were chosen.

    `next` is the row number to go on after; None at the end.
    """

    lines: tuple[LineDocument, ...]
    next: int | None
    count: int
    total: Decimal
    accepted: Decimal
    queried: Decimal


def choose_lines(
    matched: Sequence[MatchedLine], asked: LineFilter, after: int, limit: int
) -> LinesChosen:
    """The lines after a row of the file, in its order; the sums are of every page, exact."""
    wanted = [item for item in matched if asked.wants(item)]
    rest = [item for item in wanted if item.line.row > after]
    shown = rest[:limit]
    with localcontext(prec=EXACT_DIGITS):
        return LinesChosen(
            lines=tuple(line_document(item) for item in shown),
            next=shown[-1].line.row if len(rest) > limit else None,
            count=len(wanted),
            total=sum((item.line.total_cost or ZERO for item in wanted), ZERO),
            accepted=sum((item.accepted for item in wanted), ZERO),
            queried=sum((item.queried for item in wanted), ZERO),
        )
