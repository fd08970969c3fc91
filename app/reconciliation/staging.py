"""Files that were uploaded to be previewed and are not accepted yet; kept for a day at most.

A staged file lies in its organisation's own folder under a name that is the SHA-256 of what was
sent, so nobody finds it without the file, and nobody of another organisation at all.
"""

import datetime as dt
from typing import Final

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.reconciliation.errors import RunNotFound, StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.service import Desk

STAGED: Final = "staged"
KEPT: Final = dt.timedelta(days=1)
_END_OF_NAME: Final = b"\n"


def stage(desk: Desk, caller: Caller, data: bytes, file_name: str) -> str:
    """Keep a file until it is accepted; returns the name to ask for it by."""
    check_can(caller, Action.RECONCILE)
    kept = file_name.encode() + _END_OF_NAME + data
    name = desk.files.digest(kept)
    desk.files.save(caller.organisation, STAGED, name, kept)
    return name


def staged(desk: Desk, caller: Caller, name: str) -> tuple[bytes, str]:
    """The bytes and file name of a staged file; RunNotFound once it is accepted or a day old."""
    check_can(caller, Action.RECONCILE)
    try:
        kept = desk.files.read(caller.organisation, STAGED, name, name)
    except StoredFileDamaged:
        raise RunNotFound("upload that waits to be accepted") from None
    file_name, _, data = kept.partition(_END_OF_NAME)
    return data, file_name.decode()


def discard(desk: Desk, caller: Caller, name: str) -> None:
    """Erase a staged file, where it is there."""
    desk.files.erase(caller.organisation, STAGED, name)


def forget_staged(files: FileStore, now: dt.datetime) -> int:
    """Erase what nobody accepted within a day; returns how many files."""
    return files.erase_older(STAGED, now - KEPT)
