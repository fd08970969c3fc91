"""A month that had lines is stated to have none: the slice is replaced, or corrected to nothing.

No file can say it, since a file without lines may as well be a mistake. So it is an act of its own:
it names the slice and the lines and pounds that stand, and is refused where others stand by then.
"""

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal

from app.approvals.permissions import Action, check_can
from app.audit import Event, record
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import slice_store, store
from app.reconciliation.accepting import CORRECTS, SliceChange, frozen_on, plan, restate
from app.reconciliation.errors import RunNotFound, StepNotPossible
from app.reconciliation.parse_dates import financial_period
from app.reconciliation.preview import SliceRows
from app.reconciliation.service import SUBMISSIONS, Desk, stored_by
from app.reconciliation.slice_store import Head
from app.reconciliation.slices import ZERO, SliceKey, row_changes
from app.reconciliation.standing import mark_later, take_back
from app.reconciliation.store import SubmissionRecord

#: What a submission record names as its layout when it is a statement and no file.
STATEMENT_OF_NONE = "none"


@dataclass(frozen=True, slots=True)
class Emptying:
    """What stating the month empty does, or would do, and the rows that go."""

    change: SliceChange
    rows: SliceRows


def folded_key(desk: Desk, key: SliceKey) -> SliceKey:
    """The key with its codes folded as those of lines are, on the month's last day."""
    _, last = financial_period(key.financial_year, key.financial_month)
    fold = desk.organisations.fold
    return key._replace(
        provider=fold(key.provider, last), commissioner=fold(key.commissioner, last)
    )


def preview_empty(work: Work, desk: Desk, caller: Caller, key: SliceKey) -> Emptying:
    """What it would do, row by row; within `Database.read`. Stores nothing.

    Raises NotAllowed, RunNotFound where the organisation never received anything for the slice, and
    StepNotPossible where the month is empty already.
    """
    key = _check(desk, caller, key)
    found = slice_store.heads(work, caller.organisation, [key])
    return _emptying(work, desk, found[0] if found else None, key)


def state_empty(
    work: Work,
    desk: Desk,
    caller: Caller,
    key: SliceKey,
    *,
    lines: int,
    total: Decimal,
    reason: str,
) -> Emptying:
    """State that a month has no lines. `lines` and `total` are what the caller saw to stand.

    Raises as `preview_empty`, and StepNotPossible where something else stands: never by mistake.
    """
    key = _check(desk, caller, key)
    if not slice_store.heads(work, caller.organisation, [key]):
        raise RunNotFound("slice")
    store.take_turns(work, caller.organisation)  # in the order of locks in which files are accepted
    head = slice_store.locked_head(work, caller.organisation, key)
    told = _emptying(work, desk, head, key)
    if (told.change.was_lines, told.change.was_total) != (lines, total):
        raise StepNotPossible(
            f"{told.change.was_lines} line(s) of £{told.change.was_total:f} stand for that month, "
            f"not {lines} of £{total:f}. Look at what stands, and state it again if it should go."
        )
    submission = _record_statement(work, desk, caller, head, reason)
    change = restate(work, stored_by(desk), caller, submission, head, (), told.change)
    if change.how == CORRECTS:
        take_back(work, stored_by(desk), caller, key)
    if head.current is not None:
        mark_later(work, submission, [head.current.id])
    _tell(work, caller, submission, change)
    return Emptying(change, told.rows)


def _check(desk: Desk, caller: Caller, key: SliceKey) -> SliceKey:
    check_can(caller, Action.KEEP_CALENDAR)
    return folded_key(desk, key)


def _emptying(work: Work, desk: Desk, head: Head | None, key: SliceKey) -> Emptying:
    if head is None or head.newest is None:
        raise RunNotFound("slice")
    if head.newest.lines == 0:
        raise StepNotPossible("That month is stated as empty already. Nothing needs to be done.")
    organisation = head.newest.organisation
    calendar = slice_store.calendar_of(work, organisation)
    change = plan(key, head.newest, (), frozen_on(calendar, key, work.moment.day))
    was = stored_by(desk).slice_lines(work, head).lines
    return Emptying(change, SliceRows(key, head.newest.submission_id, row_changes(was, ())))


def _record_statement(
    work: Work, desk: Desk, caller: Caller, head: Head, reason: str
) -> SubmissionRecord:
    """The statement as a submission of no lines, kept as its own words.

    It names the version that it replaces, so that the same month may be stated empty again after
    lines came for it in between.
    """
    assert head.newest is not None
    said = {
        **head.key._asdict(),
        "stated": "no lines",
        "replaces": head.newest.id,
        "reason": reason,
    }
    data = json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    desk.files.save(caller.organisation, SUBMISSIONS, digest, data)
    named = SubmissionRecord(
        id=work.new_id(),
        organisation=caller.organisation,
        sha256=digest,
        file_name=f"no-lines-{'-'.join(map(str, head.key))}.json",
        size=len(data),
        layout=STATEMENT_OF_NONE,
        lines=0,
        skipped=0,
        total=ZERO,
        received_at=work.moment.instant,
        received_by=caller.id,
    )
    return store.add_submission(work, named, caller.actor())


def _tell(work: Work, caller: Caller, submission: SubmissionRecord, change: SliceChange) -> None:
    event = Event(
        action="month stated as empty",
        object_type="submission",
        object_id=submission.id,
        before={"lines": change.was_lines, "total": f"{change.was_total:f}"},
        after={
            "slice": "-".join(map(str, change.key)),
            "how": change.how,
            "lines": 0,
            "total": "0",
        },
    )
    record(work, caller.actor(), event)
