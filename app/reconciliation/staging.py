"""Files that were uploaded to be looked at and are not accepted; kept for a day at most.

They wait to be accepted, or a trust checks them before it invoices: each kind has its own folder.

A staged file lies in its organisation's own folder under a name that is the SHA-256 of what was
sent, so nobody finds it without the file, and nobody of another organisation at all. What was
worked out of it (`kept_results`) lies beside it and goes with it.
"""

import datetime as dt
from enum import StrEnum
from typing import Final

from app.approvals.permissions import Action, check_can
from app.auth.model import Caller
from app.reconciliation.errors import RunNotFound, StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.service import Desk


class Waits(StrEnum):
    """What a file was uploaded for: the folder that it lies in."""

    TO_BE_ACCEPTED = "staged"
    CHECKED_ONLY = "checked"

    @property
    def results(self) -> str:
        """The folder of what was worked out of such files."""
        return f"{self.value}-results"


_ACTIONS: Final = {
    Waits.TO_BE_ACCEPTED: Action.RECONCILE,
    Waits.CHECKED_ONLY: Action.CHECK_SUPPLY,
}
_SOUGHT: Final = {
    Waits.TO_BE_ACCEPTED: "upload that waits to be accepted",
    Waits.CHECKED_ONLY: "checked file",
}
KEPT: Final = dt.timedelta(days=1)
#: A result's name begins as its file's does, so far: 128 bits, which nobody guesses.
ALIKE: Final = 32
_END_OF_NAME: Final = b"\n"


def stage(
    desk: Desk,
    caller: Caller,
    data: bytes,
    file_name: str,
    waits: Waits = Waits.TO_BE_ACCEPTED,
) -> str:
    """Keep a file for a day; returns the name to ask for it by."""
    check_can(caller, _ACTIONS[waits])
    kept = file_name.encode() + _END_OF_NAME + data
    name = desk.files.digest(kept)
    desk.files.save(caller.organisation, waits, name, kept)
    return name


def staged(
    desk: Desk, caller: Caller, name: str, waits: Waits = Waits.TO_BE_ACCEPTED
) -> tuple[bytes, str]:
    """The bytes and file name of a staged file; RunNotFound once it is accepted or a day old."""
    check_can(caller, _ACTIONS[waits])
    try:
        kept = desk.files.read(caller.organisation, waits, name, name)
    except StoredFileDamaged:
        raise gone(waits) from None
    file_name, _, data = kept.partition(_END_OF_NAME)
    return data, file_name.decode()


def discard(desk: Desk, caller: Caller, name: str, waits: Waits = Waits.TO_BE_ACCEPTED) -> None:
    """Erase a staged file, where it is there."""
    check_can(caller, _ACTIONS[waits])
    desk.files.erase(caller.organisation, waits, name)
    desk.files.erase_all(caller.organisation, waits.results, name[:ALIKE])


def is_staged(desk: Desk, caller: Caller, name: str, waits: Waits) -> bool:
    """Whether the file waits still."""
    check_can(caller, _ACTIONS[waits])
    return desk.files.has(caller.organisation, waits, name)


def gone(waits: Waits) -> RunNotFound:
    """What is said of a file that does not wait, or waits no longer."""
    return RunNotFound(_SOUGHT[waits])


def forget_staged(files: FileStore, now: dt.datetime) -> int:
    """Erase what nobody accepted within a day, with its results; returns how many files waited."""
    erased = sum(files.erase_older(waits, now - KEPT) for waits in Waits)
    for waits in Waits:
        files.erase_left(waits.results, waits, ALIKE)
    return erased
