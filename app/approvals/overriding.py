"""A clinician's overrides of criteria: accepted as the policy allows, and stored as decided on."""

from collections.abc import Iterable
from dataclasses import replace

from app.approvals import store
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import OverrideGiven, OverrideRecord, RequestRecord
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import Kind, Override, PolicyDecision, PolicyVersion, override_fault


def accepted(
    caller: Caller, version: PolicyVersion, kind: Kind, given: Iterable[OverrideGiven]
) -> tuple[OverrideGiven, ...]:
    """The overrides with the caller who gives them.

    Raises DetailsNotAccepted for a criterion that the version does not let a clinician override,
    for a reason that is not in its list, for two of one criterion, and for one without words.
    """
    found: dict[str, OverrideGiven] = {}
    for place, each in enumerate(given):
        field = f"overrides.{place}"
        fault = override_fault(version, kind, Override(each.criterion, each.reason))
        if fault is not None:
            raise DetailsNotAccepted(field, f"This override is not accepted: {fault}.")
        if each.criterion in found:
            raise DetailsNotAccepted(field, "A criterion is overridden twice. Send one override.")
        if not each.words.strip():
            raise DetailsNotAccepted(
                f"{field}.words", "An override needs the clinician's own words. Say why."
            )
        found[each.criterion] = replace(each, by=caller.id)
    return tuple(found.values())


def standing(work: Work, request: RequestRecord) -> tuple[OverrideGiven, ...]:
    """The overrides of the request's latest answers, each with the caller who gave it."""
    return tuple(
        OverrideGiven(each.criterion, each.reason, each.words, each.made_by)
        for each in store.overrides_of(work, request.id, request.revision)
    )


def for_policy(given: Iterable[OverrideGiven]) -> tuple[Override, ...]:
    """The overrides as the policy room takes them: without the words."""
    return tuple(Override(each.criterion, each.reason, each.by) for each in given)


def add_overrides(
    work: Work,
    caller: Caller,
    request: RequestRecord,
    given: Iterable[OverrideGiven],
    decision: PolicyDecision,
) -> tuple[OverrideRecord, ...]:
    """Store each override of the request's revision, and return them by criterion.

    The decision's event is their audit entry.
    """
    sections = {each.criterion: each.section for each in decision.findings}
    stored = []
    for each in given:
        row = OverrideRecord(
            request_id=request.id,
            revision=request.revision,
            criterion=each.criterion,
            section=sections[each.criterion],
            reason=each.reason,
            words=each.words.strip(),
            relied_on=each.criterion in decision.overridden,
            made_by=each.by or caller.id,
            made_at=work.moment.instant,
        )
        store.add(work, tables.request_override, row, None, None)
        stored.append(row)
    return tuple(sorted(stored, key=lambda row: row.criterion))


def for_audit(decision: PolicyDecision) -> list[dict[str, object]]:
    """What the audit log keeps of overrides: criterion, reason, by whom, relied on; no words."""
    return [
        {
            "criterion": each.criterion,
            "reason": each.overridden.reason,
            "by": each.overridden.by,
            "relied_on": each.overridden.relied_on,
        }
        for each in decision.findings
        if each.overridden is not None
    ]
