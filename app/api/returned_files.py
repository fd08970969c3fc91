"""The submission back with each line's outcome, of a run of any size."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from fastapi import Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from app.api.callers import door_of
from app.approvals import identifiers, objecting
from app.approvals.permissions import PAYER_ROLES, Action, check_can
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import encoding_of, exporting, returned_file, service
from app.reconciliation.hidden_columns import (
    Everybody,
    ThoseWhoObject,
    hidden,
    hide_those_who_object,
)
from app.reconciliation.large_lines import LargeLines
from app.reconciliation.large_returned import parts_of
from app.reconciliation.returned import FileHead
from app.reconciliation.service import Desk, Reconciled


class Recorded(Protocol):
    """Reads as a door does, and keeps on record what was read."""

    def __call__(
        self, request: Request, caller: Caller, fn: Callable[[Work], tuple[Any, Reading]], /
    ) -> Any:
        """What `fn` gives beside its reading."""


def file_of(
    request: Request, caller: Caller, desk: Desk, run: str, read: Recorded, *, safe: bool
) -> Response:
    """The file back: made at once, or as the worker has written it of a large run."""

    def look(work: Work) -> tuple[Reconciled | tuple[Path, FileHead], Reading]:
        reading = Reading("run file read", names={"run": run})
        if exporting.must_be_written(work, desk, caller, run):
            path = exporting.written(work, desk, caller, run, exporting.RETURNED[safe])
            return (path, exporting.open_back(work, desk, caller, run).facts()), reading
        return service.load_run(work, desk, caller, run), reading

    found = read(request, caller, look)
    if not isinstance(found, Reconciled):
        path, head = found
        return FileResponse(path, headers=_headers(head))
    submission, matched = found.submission, found.matched
    if caller.role in PAYER_ROLES:
        key = desk.office.pseudonyms.key_of(caller.organisation)
        submission, matched = hidden(submission, matched, key)
    return Response(returned_file(submission, matched, safe=safe), headers=_headers(submission))


def identified_file_of(
    request: Request, caller: Caller, desk: Desk, run: str, reason: str, *, safe: bool
) -> Response:
    """The file with its patients' identities, but of those who object; on record with the reason.

    Of a large run it is made while it is sent: nothing of it lies on a disk meanwhile.
    """
    check_can(caller, Action.SEE_IDENTIFIERS)

    def load(work: Work) -> Reconciled | LargeLines:
        if exporting.must_be_written(work, desk, caller, run):
            return exporting.open_back(work, desk, caller, run)
        return service.load_run(work, desk, caller, run)

    loaded = door_of(request).read(load)

    def tell(work: Work) -> tuple[frozenset[str], frozenset[str]]:
        identifiers.record_run(work, caller, run, loaded.run.lines, reason)
        return objecting.identities(work)

    numbers, local_ids = door_of(request).transact(tell)
    key = desk.office.pseudonyms.key_of(caller.organisation)
    if isinstance(loaded, LargeLines):
        facts = loaded.facts()
        hider = ThoseWhoObject(Everybody.of(facts.columns, key), numbers, local_ids)
        return StreamingResponse(parts_of(loaded, hider, safe=safe), headers=_headers(facts))
    shown = hide_those_who_object(loaded.submission, key, numbers, local_ids)
    lines = zip(loaded.matched, shown.lines, strict=True)
    matched = tuple(replace(item, line=line) for item, line in lines)
    return Response(returned_file(shown, matched, safe=safe), headers=_headers(shown))


def _headers(head: FileHead) -> dict[str, str]:
    return {
        "Content-Type": f"text/csv; charset={encoding_of(head)}",
        "Content-Disposition": 'attachment; filename="outcomes.csv"',
    }
