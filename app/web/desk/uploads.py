"""An uploaded file before it is accepted: what it would change, kept beside it.

What a file would change is worked out when it is uploaded. A page shows a hundred rows of that, and
works it out anew where anything that it rests on has changed, so that none tells of what is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request

from app.api.slices_model import PreviewDocument
from app.api.submissions import desk_of
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import kept_results, service, staging
from app.reconciliation.kept_results import ROWS_A_PART, Kept
from app.reconciliation.model import Submission
from app.reconciliation.preview import Preview, rests_on
from app.reconciliation.slices import SliceKey
from app.reconciliation.staging import Waits
from app.web.desk.preview_view import PreviewShown, changed_rows, of_slices, preview_shown
from app.web.pages import door_of

_WAITS: Final = Waits.TO_BE_ACCEPTED


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that waits to be accepted, with a page of what it would change."""

    file_name: str
    preview: PreviewShown


def keep_preview(
    request: Request, caller: Caller, name: str, submission: Submission, file_name: str
) -> None:
    """Work out what an uploaded file would change, and keep it beside the file."""
    desk = desk_of(request)

    def read(work: Work) -> Preview:
        return service.preview_submission(work, desk, caller, submission)

    told = door_of(request).read(read)
    document = of_slices(told)
    rows = changed_rows(told, document)
    head = {
        "file_name": file_name,
        "sha256": submission.sha256,
        "rests_on": told.rests_on,
        "changed": len(rows),
        "document": document.model_dump(mode="json"),
    }
    parts = [
        kept_results.as_rows(rows[at : at + ROWS_A_PART]) for at in range(0, len(rows), ROWS_A_PART)
    ]
    kept_results.keep(desk, caller, name, _WAITS, head, parts)


def waiting(request: Request, caller: Caller, name: str, after: int) -> Waiting:
    """The file with its preview, worked out anew where that which is kept holds no longer.

    RunNotFound once the file is accepted, discarded or a day old.
    """
    found = _kept(request, caller, name, after)
    if found is None:
        desk = desk_of(request)
        data, file_name = staging.staged(desk, caller, name)
        submission = service.read_own(desk, caller, data, file_name)
        keep_preview(request, caller, name, submission, file_name)
        found = _kept(request, caller, name, after)
    if found is None:  # what it rests on changed once more, at this very moment
        raise staging.gone(_WAITS)
    return found


def _kept(request: Request, caller: Caller, name: str, after: int) -> Waiting | None:
    with kept_results.opened(desk_of(request), caller, name, _WAITS) as kept:
        if kept is None:
            return None
        document = PreviewDocument.model_validate(kept.head["document"])
        keys = [
            SliceKey(x.provider, x.commissioner, x.financial_year, x.financial_month)
            for x in document.slices
        ]

        def read(work: Work) -> str:
            return rests_on(work, caller, keys, kept.head["sha256"])

        if door_of(request).read(read) != kept.head["rests_on"]:
            return None
        shown = preview_shown(document, _rows(kept, after), kept.head["changed"], after)
        return Waiting(kept.head["file_name"], shown)


def _rows(kept: Kept, after: int) -> Sequence[Sequence[Any]]:
    at, between = divmod(after, ROWS_A_PART)
    return () if between else kept_results.rows_of(kept.part(at))
