"""The supplies that the newest runs matched to some treatments, from what the worker keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.approvals.permissions import PAYER_ROLES, PROVIDER_ROLES
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import awaited_store, charged, listed_store
from app.reconciliation.worklists import Supplied

#: So many supplies of a patient are told, the newest.
MOST_SUPPLIES: Final = 200
#: Whose own runs tell of supplies: a hospital's care team and whoever pays. Nobody else's do.
READERS: Final = PROVIDER_ROLES | PAYER_ROLES


@dataclass(frozen=True, slots=True)
class SuppliesTold:
    """Supplies, oldest first. `is_current`: they are of the newest runs; otherwise a run came that
    the worker has not been through, or a stored file is damaged."""

    supplies: tuple[Supplied, ...]
    is_current: bool
    left_out: bool


def supplies_of(work: Work, caller: Caller, treatments: Sequence[str]) -> SuppliesTold | None:
    """What the caller's organisation was invoiced for these treatments, or invoiced itself.

    The caller must have found each of them. None for a role that is told of no supplies.
    """
    if caller.role not in READERS:
        return None
    mark = awaited_store.mark_of(work, caller)
    is_current = mark is not None and mark.runs == charged.which_runs(work, caller.organisation)
    found = listed_store.supplies_told(work, caller, treatments, MOST_SUPPLIES + 1)
    return SuppliesTold(found[-MOST_SUPPLIES:], is_current, len(found) > MOST_SUPPLIES)
