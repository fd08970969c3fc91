"""A large run's own file, back with what was found for each line: made part by part."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Context
from pathlib import Path

from app.reconciliation.engines.limits import EXACT_DIGITS, ZERO
from app.reconciliation.engines.progress import Progress, untold
from app.reconciliation.errors import TotalsDoNotTie
from app.reconciliation.hidden_columns import Hider, hidden_rows
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.model import MatchedLine, Skipped
from app.reconciliation.returned import returned_parts


def parts_of(
    opened: LargeLines, hider: Hider | None, *, safe: bool, written: Progress = untold
) -> Iterator[bytes]:
    """The same bytes as `returned_file`, with identities hidden where there is a `hider`.

    Raises StoredFileDamaged, and TotalsDoNotTie at the end where lines and pounds are not the
    run's: whoever keeps what was made takes it back then.
    """
    facts = opened.facts()
    head = facts if hider is None else hider.head(facts)
    with closing(opened.every_row()) as stored:
        rows = tied(stored, opened, written)
        shown = rows if hider is None else hidden_rows(rows, hider)
        yield from returned_parts(head, shown, opened.widest(), safe=safe)


def write_returned(
    opened: LargeLines,
    path: Path,
    hider: Hider | None,
    *,
    safe: bool,
    written: Progress = untold,
) -> None:
    """The same into a file; of one that cannot be made whole nothing is left."""
    try:
        with path.open("wb") as out:
            out.writelines(parts_of(opened, hider, safe=safe, written=written))
    except BaseException:
        if path.is_file():
            path.unlink()
        raise


def tied(
    rows: Iterator[MatchedLine | Skipped], opened: LargeLines, written: Progress = untold
) -> Iterator[MatchedLine | Skipped]:
    """The rows, whose lines and pounds, accepted and queried, must come to the run's."""
    lines, total, accepted, queried = 0, ZERO, ZERO, ZERO
    exactly = Context(prec=EXACT_DIGITS).add
    for row in rows:
        if isinstance(row, MatchedLine):
            lines += 1
            total = exactly(total, row.line.total_cost or ZERO)
            accepted = exactly(accepted, row.accepted)
            queried = exactly(queried, row.queried)
        yield row
        written(lines)
    run = opened.run
    wanted = (run.lines, run.total, run.accepted, run.queried)
    if (lines, total, accepted, queried) != wanted:
        raise TotalsDoNotTie("The returned file", wanted, (lines, total, accepted, queried))
