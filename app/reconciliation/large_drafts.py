"""What is drafted of a run: where its files are kept, those of its lines that matter.

Only lines of which something is queried, or which the file itself takes back, are
read; the others are counted and summed where they lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.auth.model import Caller
from app.reconciliation.challenge_drafting import NOTHING_QUERIED, LeftOut, reversed_rows
from app.reconciliation.errors import TooManyLines
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.large_queries import QUERIED, Reading
from app.reconciliation.line_filter import EVERY_LINE, LineFilter, fitting
from app.reconciliation.line_keys import keys_of
from app.reconciliation.model import ContractLine, MatchedLine, Snapshot
from app.reconciliation.pseudonymised import as_pseudonyms
from app.reconciliation.service import Desk, Reconciled, key_of
from app.reconciliation.slices import Fold
from app.reconciliation.store import RunRecord
from app.reference_data.pseudonyms import PseudonymKey

#: Lines that one act challenges: each becomes a row of the database, held in memory meanwhile.
MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class ToDraft:
    """Lines of a run with their keys, and which rows the file itself takes back.

    `others` are lines that were asked for and not read, as nothing is queried of them.
    """

    run: RunRecord
    matched: Sequence[MatchedLine]
    keys: Sequence[str]
    taken_back: frozenset[int]
    others: LeftOut | None = None


def of_memory(loaded: Reconciled, back: frozenset[int], asked: LineFilter, fold: Fold) -> ToDraft:
    """Of a run whose lines are in memory."""
    keyed = zip(loaded.matched, keys_of([item.line for item in loaded.matched]), strict=True)
    wanted = [(item, key) for item, key in keyed if fitting(item, asked, fold)]
    return ToDraft(loaded.run, [item for item, _ in wanted], [key for _, key in wanted], back)


def of_files(desk: Desk, caller: Caller, opened: LargeLines, asked: LineFilter) -> ToDraft:
    """Of a run whose lines lie in files. Raises TooManyLines where more than MOST are to be
    drafted."""
    key = key_of(desk, caller) if opened.carries_pseudonyms else None
    with opened.reading() as reading:
        reading.compare_by(key)
        back = _taken_back(desk, opened, reading, key)
        if asked != EVERY_LINE:
            reading.narrow(asked, desk.organisations.fold)
        matter = f"{QUERIED} > 0"
        if back:
            matter += f" OR row IN ({', '.join(map(str, sorted(back)))})"
        read, whole = reading.figures(matter), reading.figures()
        if read.lines > MOST:
            raise TooManyLines(
                read.lines,
                f"to be challenged in one go, which takes {MOST:,} of which something is queried",
                "Draft by outcome, provider, commissioner, drug or month, one after the other",
            )
        rows = reading.rows_where(matter)
        matched, keys = reading.lines(rows), reading.keys(rows)
    rest = whole.lines - read.lines, whole.queried - read.queried
    others = LeftOut(NOTHING_QUERIED, *rest) if rest[0] else None
    return ToDraft(opened.run, matched, keys, back, others)


def _taken_back(
    desk: Desk, opened: LargeLines, reading: Reading, key: PseudonymKey | None
) -> frozenset[int]:
    """As `reversed_rows` of every line: only sums that stand with both signs are looked at."""
    lines: Sequence[ContractLine] = reading.stating_both_signs()
    nothing = Snapshot((), (), (), opened.run.as_at)
    if key is not None:
        lines, nothing = as_pseudonyms(lines, nothing, key)
    return reversed_rows(lines, nothing, desk.dictionary, desk.organisations)
