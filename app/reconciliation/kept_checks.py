"""The result of checking a draft file, kept until the file goes: what was found, and as of when.

It tells what stood at the check, and is never brought up to date: whoever shows it says of when it
is, and offers to check again. Whose it is, and how long it is there, is said in `kept_results`.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.approvals import objecting
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import kept_results, returned_file
from app.reconciliation.advice import Advice
from app.reconciliation.checking_supplies import Checked
from app.reconciliation.kept_results import ROWS_A_PART, Kept
from app.reconciliation.model import LineOutcome
from app.reconciliation.returned import encoding_of
from app.reconciliation.service import Desk
from app.reconciliation.staging import Waits
from app.reconciliation.summary import Bucket

#: Bytes of the file to take away in each of its parts.
_PIECE: Final = 1 << 20
_WAITS: Final = Waits.CHECKED_ONLY


@dataclass(frozen=True, slots=True)
class ChallengedRow:
    """A line that would be challenged. It names no patient. Money in pounds."""

    row: int
    day: dt.date | None
    drug: str | None
    total: Decimal | None
    queried: Decimal
    outcome: LineOutcome
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class KeptCheck:
    """What a check found. `elsewhere` lines have an approval that another provider holds."""

    id: str
    at: dt.datetime
    file_name: str
    encoding: str
    notes: tuple[str, ...]
    whole: Bucket
    outcomes: tuple[Bucket, ...]
    challenged: int
    elsewhere: int
    _kept: Kept

    def rows(self, after: int) -> tuple[ChallengedRow, ...]:
        """The next hundred challenged lines after so many, a multiple of a hundred."""
        at, between = divmod(after, ROWS_A_PART)
        if between or after >= self.challenged:
            return ()
        return tuple(_row(*each) for each in kept_results.rows_of(self._kept.part(at)))

    def file(self) -> bytes:
        """The draft with reference, outcome and remedy appended to each line, as it was found."""
        first, pieces = -(-self.challenged // ROWS_A_PART), self._kept.head["pieces"]
        return b"".join(self._kept.part(first + n) for n in range(pieces))


def keep(
    desk: Desk, caller: Caller, name: str, checked: Checked, check_id: str, at: dt.datetime
) -> None:
    """Keep what a check of a staged file found. RunNotFound where the file is gone meanwhile."""
    challenged = [each for each in checked.advice if each.challenged]
    rows = [
        kept_results.as_rows(map(_values, challenged[at : at + ROWS_A_PART]))
        for at in range(0, len(challenged), ROWS_A_PART)
    ]
    file = returned_file(checked.submission, checked.matched, safe=True)
    pieces = [file[start : start + _PIECE] for start in range(0, len(file), _PIECE)]
    head = {
        "id": check_id,
        "at": at.isoformat(),
        "file_name": checked.submission.file_name,
        "encoding": encoding_of(checked.submission),
        "notes": checked.submission.notes,
        "whole": _sums(checked.summary.grand),
        "outcomes": [_sums(each) for each in checked.summary.by_outcome],
        "challenged": len(challenged),
        "elsewhere": sum(each.elsewhere for each in checked.advice),
        "pieces": len(pieces),
    }
    kept_results.keep(desk, caller, name, _WAITS, head, [*rows, *pieces])


@contextmanager
def opened(desk: Desk, caller: Caller, name: str) -> Iterator[KeptCheck | None]:
    """The caller's own newest check of a staged file; None before there is one."""
    with kept_results.opened(desk, caller, name, _WAITS) as kept:
        yield None if kept is None else _check(kept)


def may_be_told(work: Work, kept: KeptCheck) -> bool:
    """Whether nobody objected since to being shown, where the check tells of other providers.

    Of whom it tells is not kept, so any patient's objection counts.
    """
    return not kept.elsewhere or not objecting.any_since(work, kept.at)


def _check(kept: Kept) -> KeptCheck:
    head = kept.head
    return KeptCheck(
        id=head["id"],
        at=dt.datetime.fromisoformat(head["at"]),
        file_name=head["file_name"],
        encoding=head["encoding"],
        notes=tuple(head["notes"]),
        whole=_bucket(head["whole"]),
        outcomes=tuple(map(_bucket, head["outcomes"])),
        challenged=head["challenged"],
        elsewhere=head["elsewhere"],
        _kept=kept,
    )


def _sums(each: Bucket) -> list[Any]:
    return [each.key, each.lines, each.unreadable, *map(str, _amounts(each))]


def _amounts(each: Bucket) -> Sequence[Decimal]:
    return each.total, each.accepted, each.queried


def _bucket(said: Sequence[Any]) -> Bucket:
    key, lines, unreadable, *amounts = said
    return Bucket(key, lines, unreadable, *map(Decimal, amounts))


def _values(advice: Advice) -> list[Any]:
    item = advice.item
    day, total = item.line.supply_date, item.line.total_cost
    return [
        item.line.row,
        None if day is None else day.isoformat(),
        item.recognition.drug,
        None if total is None else str(total),
        str(item.queried),
        item.outcome.value,
        item.reason,
        item.remedy,
    ]


def _row(
    row: int,
    day: str | None,
    drug: str | None,
    total: str | None,
    queried: str,
    outcome: str,
    reason: str,
    remedy: str,
) -> ChallengedRow:
    return ChallengedRow(
        row,
        None if day is None else dt.date.fromisoformat(day),
        drug,
        None if total is None else Decimal(total),
        Decimal(queried),
        LineOutcome(outcome),
        reason,
        remedy,
    )
