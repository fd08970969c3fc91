"""What an uploaded file would change, kept beside it; or the job that works it out.

Whose it is, and how long it is there, is said in `kept_results`. What is kept is a head, which
holds the whole but the rows, and the rows that would change, a hundred to a part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.auth.model import Caller
from app.reconciliation import kept_results
from app.reconciliation.accepting import CORRECTS, FIRST, REPLACES, UNCHANGED, SliceChange
from app.reconciliation.errors import RunNotFound
from app.reconciliation.kept_results import ROWS_A_PART
from app.reconciliation.preview import Preview, SliceRows
from app.reconciliation.service import Desk
from app.reconciliation.staging import Waits, is_staged

WAITS: Final = Waits.TO_BE_ACCEPTED
#: Slices that change something that stands come first.
_ORDER: Final = (CORRECTS, REPLACES, FIRST, UNCHANGED)


@dataclass(frozen=True, slots=True)
class OwnUpload:
    """A file of the caller's that waits. `job`: what works out what it would change; empty where
    that is done."""

    name: str
    file_name: str
    job: str


def keep(desk: Desk, caller: Caller, name: str, file_name: str, sha256: str, told: Preview) -> None:
    """Keep what an upload would change, in place of what was kept before.

    RunNotFound where the file was erased meanwhile.
    """
    pairs = sorted(
        zip(told.accepted.changes, told.rows, strict=True),
        key=lambda pair: _ORDER.index(pair[0].how),
    )
    rows = _changed_rows(pairs)
    head = {
        "name": name,
        "file_name": file_name,
        "sha256": sha256,
        "rests_on": told.rests_on,
        "changed": len(rows),
        "document": _document(told, pairs),
    }
    parts = [
        kept_results.as_rows(rows[at : at + ROWS_A_PART]) for at in range(0, len(rows), ROWS_A_PART)
    ]
    kept_results.keep(desk, caller, name, WAITS, head, parts)


def keep_job(desk: Desk, caller: Caller, name: str, file_name: str, job: str) -> None:
    """Keep which job works it out. RunNotFound where the file is gone."""
    head = {"name": name, "file_name": file_name, "job": job}
    kept_results.keep(desk, caller, name, WAITS, head, ())


def job_of(desk: Desk, caller: Caller, name: str) -> str | None:
    """The job that works out what the caller's upload would change, if one was the last asked."""
    with kept_results.opened(desk, caller, name, WAITS) as kept:
        return None if kept is None else kept.head.get("job")


def file_name_of(desk: Desk, caller: Caller, name: str) -> str:
    """What the caller called an upload; empty once it is gone, and to everybody else."""
    try:
        with kept_results.opened(desk, caller, name, WAITS) as kept:
            return "" if kept is None else str(kept.head["file_name"])
    except RunNotFound:
        return ""


def own_uploads(desk: Desk, caller: Caller) -> tuple[OwnUpload, ...]:
    """The files that the caller sent in and has neither accepted nor discarded, by their names."""
    heads = kept_results.own_heads(desk, caller, WAITS)
    found = [
        OwnUpload(head["name"], head["file_name"], head.get("job", ""))
        for head in heads
        if "name" in head and is_staged(desk, caller, head["name"], WAITS)
    ]
    return tuple(sorted(found, key=lambda each: (each.file_name, each.name)))


Pairs = Sequence[tuple[SliceChange, SliceRows]]


def _changed_rows(pairs: Pairs) -> list[tuple[Any, ...]]:
    """The rows that would change, slice by slice in the order of the page.

    The first statement of a slice adds every row: that is no news, row by row.
    """
    return [
        (n, row.kind, row.was_row, row.row, row.fields, _text(row.was_total), _text(row.total))
        for n, (change, rows) in enumerate(pairs)
        if change.how != FIRST
        for row in rows.rows
    ]


def _document(told: Preview, pairs: Pairs) -> Mapping[str, Any]:
    """The preview without its rows, as the API's document of one is written."""
    return {
        "received_before": None if told.received is None else told.received.id,
        "layout": told.layout,
        "lines": told.lines,
        "skipped": told.skipped,
        "notes": list(told.notes),
        "slices": [_slice(change, rows.against) for change, rows in pairs],
        "unplaced_lines": told.accepted.unplaced_lines,
        "unplaced_total": _text(told.accepted.unplaced_total),
        "not_restated": [key._asdict() for key in told.accepted.not_restated],
    }


def _slice(change: SliceChange, against: str | None) -> Mapping[str, Any]:
    closed = change.frozen_on
    return change.key._asdict() | {
        "how": change.how,
        "closed_since": None if closed is None else closed.isoformat(),
        "against": against,
        "was_lines": change.was_lines,
        "was_total": _text(change.was_total),
        "lines": change.lines,
        "total": _text(change.total),
        "rows": [],
        "rows_left_out": 0,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
