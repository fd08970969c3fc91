"""Which slices a change of what policies ask of a drug touches.

What is held for the time of supply decides between "no approval", "approval not required" and "no
policy held": a version that is published, and a commissioner's list of drugs that need no approval.
Adopting a version decides who answers a form and changes no line.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from app.approvals.office import APPROVAL_NOT_REQUIRED, stored_version
from app.approvals.permissions import PAYER_ROLES
from app.audit import TrailEntry
from app.db.work import Work
from app.reconciliation import standing_store
from app.reconciliation.standing_store import Mark
from app.reconciliation.touches import ANY_POLICY, of_drug

PUBLISHED: Final = "policy version published"
SET: Final = "change setting"


def of_policies(work: Work, events: Sequence[TrailEntry]) -> Iterable[Mark]:
    """A mark for each current slice with a line of a drug of which policies ask otherwise now."""
    seen: set[tuple[str, int]] = set()
    for event in events:
        drugs = _drugs(work, event)
        keys = {of_drug(drug) for drug in drugs}
        touched = standing_store.versions_touched(work, {*keys, ANY_POLICY}) if keys else ()
        for _, version, submission, organisation in touched:
            if (version, event.id) not in seen and _concerns(work, event, organisation, submission):
                seen.add((version, event.id))
                yield Mark(
                    id=work.new_id(),
                    organisation=organisation,
                    version_id=version,
                    submission_id=submission,
                    event_id=event.id,
                    action=event.action,
                    changed_at=event.at,
                    treatment_id=None,
                    line_key=None,
                    marked_at=work.moment.instant,
                )


def _concerns(work: Work, event: TrailEntry, organisation: str, submission: str) -> bool:
    """Whether it may count for a submission: a commissioner's list is for its own lines."""
    if event.action != SET or organisation == event.object_id:
        return True
    last = standing_store.last_standing(work, organisation, submission)
    return last is None or last.role not in {role.value for role in PAYER_ROLES}


def _drugs(work: Work, event: TrailEntry) -> frozenset[str]:
    """The drugs of which a change may say something new."""
    if event.object_type == "policy" and event.action == PUBLISHED and event.policy_hash:
        resolved = stored_version(work, event.policy_hash)
        drug = None if resolved is None else json.loads(resolved).get("drug")
        return frozenset({drug}) if isinstance(drug, str) else frozenset()
    if event.action == SET and (event.after or {}).get("setting") == APPROVAL_NOT_REQUIRED:
        # A drug that stays on the list may have another first day.
        return _listed(event.before) | _listed(event.after)
    return frozenset()


def _listed(said: Mapping[str, Any] | None) -> frozenset[str]:
    value = (said or {}).get("value") or ()
    return frozenset(each for each in value if isinstance(each, str))
