"""Slices of a submission (provider, commissioner, financial year, month), and what changes. Pure.

A slice is what a submission states whole: a newer submission that states it replaces it, and
nothing is ever summed across versions of one slice.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal, localcontext
from functools import cache
from typing import Any, NamedTuple

from app.reconciliation.engines.limits import EXACT_DIGITS
from app.reconciliation.model import ContractLine
from app.reconciliation.parse_dates import financial_month_of, financial_period

Fold = Callable[[str, dt.date | None], str]
ZERO = Decimal(0)


class SliceKey(NamedTuple):
    """Codes as folded to their parent on the month's last day; month 1 is April."""

    provider: str
    commissioner: str
    financial_year: str
    financial_month: int


@dataclass(frozen=True, slots=True)
class Placed:
    """The lines of a submission by slice, and those that do not say to which they belong."""

    slices: Mapping[SliceKey, Sequence[ContractLine]]
    unplaced: Sequence[ContractLine]


def place(lines: Iterable[ContractLine], fold: Fold) -> Placed:
    """Each line in its slice. A month that is not stated is the supply date's.

    A line without provider, commissioner or any month belongs to no slice: it could not be
    replaced by a later version, so it is counted beside them and never summed.
    """
    folded = cache(fold)
    slices: dict[SliceKey, list[ContractLine]] = defaultdict(list)
    unplaced: list[ContractLine] = []
    for line in lines:
        key = slice_of(line, folded)
        (unplaced if key is None else slices[key]).append(line)
    return Placed({key: tuple(slices[key]) for key in sorted(slices)}, tuple(unplaced))


def slice_of(line: ContractLine, fold: Fold) -> SliceKey | None:
    """The slice of a line; None where the line does not say."""
    codes = (line.provider, line.commissioner)
    return slice_stated((*codes, line.financial_year, line.financial_month, line.supply_date), fold)


#: Provider, commissioner, financial year and month, and the day of supply, as a line states them.
Stated = tuple[str | None, str | None, str | None, int | None, dt.date | None]


def slice_stated(stated: Stated, fold: Fold) -> SliceKey | None:
    """The same of what a line states."""
    provider, commissioner, year, month, supplied = stated
    if (year is None or month is None) and supplied is not None:
        year, month = financial_month_of(supplied)
    if provider is None or commissioner is None or year is None or month is None:
        return None
    _, last = financial_period(year, month)
    return SliceKey(fold(provider, last), fold(commissioner, last), year, month)


class CountedLines(Sequence[ContractLine]):
    """Lines that lie in a file, counted and summed; they are read only where one looks at them."""

    def __init__(
        self, count: int, total: Decimal, load: Callable[[], Sequence[ContractLine]]
    ) -> None:
        self._count, self.total, self._load = count, total, load

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        return self._load()[at]

    def __iter__(self) -> Iterator[ContractLine]:
        return iter(self._load())


def total_of(lines: Iterable[ContractLine]) -> Decimal:
    """Pounds, exactly: every line whose total is legible."""
    if isinstance(lines, CountedLines):
        return lines.total
    with localcontext(prec=EXACT_DIGITS):
        return sum((line.total_cost or ZERO for line in lines), ZERO)


# --- what a newer version changes -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row that a newer version adds, removes or changes. No value that tells of a patient.

    `was_row` counts in the older submission, `row` in the newer. `fields` names what differs.
    """

    kind: str  # added | removed | changed
    was_row: int | None
    row: int | None
    fields: tuple[str, ...]
    was_total: Decimal | None
    total: Decimal | None


Pair = tuple[ContractLine | None, ContractLine | None]


def unequal(
    was: Sequence[ContractLine], now: Sequence[ContractLine]
) -> tuple[list[ContractLine], list[ContractLine]]:
    """The lines that only the older version states, and those that only the newer does.

    Lines of equal content pair off one to one, wherever they stand in either file.
    """
    common = Counter(x.content_hash for x in was) & Counter(x.content_hash for x in now)
    return _beyond(was, common), _beyond(now, common)


def _beyond(lines: Sequence[ContractLine], common: Mapping[str, int]) -> list[ContractLine]:
    left = dict(common)
    beyond = []
    for line in lines:
        if left.get(line.content_hash, 0):
            left[line.content_hash] -= 1
        else:
            beyond.append(line)
    return beyond


def row_changes(was: Sequence[ContractLine], now: Sequence[ContractLine]) -> tuple[RowChange, ...]:
    """Row by row what the newer version of a slice changes.

    A removed and an added line of one patient, drug and supply date, or at least of two of these,
    are shown as one changed line.
    """
    gone, new = unequal(was, now)
    pairs: list[Pair] = []
    for same in (_patient_drug_day, _patient_drug, _patient_day):
        found, gone, new = _paired(gone, new, same)
        pairs += found
    pairs += [(line, None) for line in gone] + [(None, line) for line in new]
    return tuple(sorted(map(_change, pairs), key=_place))


def _patient(line: ContractLine) -> Hashable:
    return line.nhs_number or line.nhs_pseudonym or line.local_patient_id or line.local_pseudonym


def _drug(line: ContractLine) -> Hashable:
    return line.drug_code or (line.drug_name or "").casefold() or None


def _patient_drug_day(line: ContractLine) -> tuple[Hashable, ...]:
    return _patient(line), _drug(line), line.supply_date


def _patient_drug(line: ContractLine) -> tuple[Hashable, ...]:
    return _patient(line), _drug(line)


def _patient_day(line: ContractLine) -> tuple[Hashable, ...]:
    return _patient(line), line.supply_date


def _paired(
    gone: Sequence[ContractLine],
    new: Sequence[ContractLine],
    same: Callable[[ContractLine], tuple[Hashable, ...]],
) -> tuple[list[Pair], list[ContractLine], list[ContractLine]]:
    waiting: dict[Hashable, list[ContractLine]] = defaultdict(list)
    for line in reversed(new):
        if None not in same(line):
            waiting[same(line)].append(line)
    pairs: list[Pair] = []
    for line in gone:
        if waiting.get(same(line)):
            pairs.append((line, waiting[same(line)].pop()))
    taken = {id(line) for pair in pairs for line in pair}
    return (
        pairs,
        [line for line in gone if id(line) not in taken],
        [line for line in new if id(line) not in taken],
    )


_NOT_COMPARED = {"row", "content_hash", "raw", "faults", "shifted"}
_COMPARED = tuple(f.name for f in fields(ContractLine) if f.name not in _NOT_COMPARED)


def _change(pair: Pair) -> RowChange:
    was, now = pair
    kind = "added" if was is None else "removed" if now is None else "changed"
    return RowChange(
        kind,
        None if was is None else was.row,
        None if now is None else now.row,
        tuple(_differing(was, now)) if was is not None and now is not None else (),
        None if was is None else was.total_cost,
        None if now is None else now.total_cost,
    )


def _differing(was: ContractLine, now: ContractLine) -> Iterator[str]:
    for name in _COMPARED:
        unread = was.why_unread(name) != now.why_unread(name)
        if unread or getattr(was, name) != getattr(now, name):
            yield name


def _place(change: RowChange) -> tuple[int, int]:
    return change.row or change.was_row or 0, change.was_row or 0
