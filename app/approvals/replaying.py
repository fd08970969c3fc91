"""Deciding a stored request again: same answers, same version, same decision."""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import select

from app.approvals import retention, store
from app.approvals.answering import context_from_json, read_answers
from app.approvals.details import details_from_json
from app.approvals.errors import PolicyNotUsable, StoredDecisionDiffers, UnknownPolicy
from app.approvals.library import Library
from app.approvals.model import ApprovalRecord, DecisionRecord, RequestRecord, Route
from app.approvals.office import stored_overlay, stored_version
from app.approvals.standing import phase_clock
from app.approvals.terms import decide_change
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work
from app.policy import (
    Kind,
    Outcome,
    Overlay,
    PolicyDecision,
    PolicyVersion,
    decide,
    decision_to_json,
    from_resolved,
    overlay_from_resolved,
    with_defaults,
)
from app.policy.notices import notice_from_json

#: Texts that the library no longer holds, of which a process keeps what it read: the last ones.
_KEPT: Final = 64
DECIDED_BY_CRITERIA = frozenset({Kind.INITIATION, Kind.CONTINUATION, Kind.STOP})


def version_of_request(work: Work, library: Library, request: RequestRecord) -> PolicyVersion:
    """The version that decides a request, with the overlay of its first submission."""
    return version_of(work, library, request.policy_hash, request.overlay_hash)


def version_of_approval(
    work: Work, library: Library, approval: ApprovalRecord, request: RequestRecord | None = None
) -> PolicyVersion | None:
    """The version that an approval rests on, its overlay included; None where none decided it."""
    if approval.policy_hash is None:
        return None
    if request is not None and request.id == approval.request_id:
        return version_of(work, library, approval.policy_hash, request.overlay_hash)
    column = tables.request.c
    overlay = work.connection.execute(
        select(column.overlay_hash).where(column.id == approval.request_id)
    ).scalar_one_or_none()
    return version_of(work, library, approval.policy_hash, overlay)


def version_of(
    work: Work, library: Library, digest: str, overlay_hash: str | None = None
) -> PolicyVersion:
    """The policy version of a hash: from the library, else from the text stored with decisions.

    With an overlay's hash, that overlay lies on top of it. UnknownPolicy where either is lost.
    """
    version = _national(work, library, digest)
    if overlay_hash is None:
        return version
    overlay = library.overlay_by_hash(overlay_hash)
    if overlay is None:
        resolved = stored_overlay(work, overlay_hash)
        if resolved is None:
            raise UnknownPolicy(
                "The overlay that this request was decided under is neither in the library nor "
                "stored. Restore the library that the service ran with."
            )
        overlay = _overlay_of(resolved)
        _check_hash(overlay.hash, overlay_hash)
    return library.merged(version, overlay)


def _national(work: Work, library: Library, digest: str) -> PolicyVersion:
    known = library.by_hash(digest)
    if known is not None:
        return known
    resolved = stored_version(work, digest)
    if resolved is None:
        raise UnknownPolicy(
            "The policy version that decided this request is neither in the library nor stored. "
            "Restore the library that the service ran with."
        )
    version = _version_of(resolved)
    _check_hash(version.hash, digest)
    return version


# To read a text takes longer than a report may, which asks for it once for each of its rows. Known
# by the very text, which is asked of the database each time: one that was changed is read anew.


@lru_cache(maxsize=_KEPT)
def _version_of(resolved: str) -> PolicyVersion:
    return from_resolved(resolved)


@lru_cache(maxsize=_KEPT)
def _overlay_of(resolved: str) -> Overlay:
    return overlay_from_resolved(resolved)


def _check_hash(found: str, digest: str) -> None:
    if found != digest:
        raise PolicyNotUsable(
            "The stored text that decided this request was changed: its hash differs. Nothing "
            "more is decided on it. Put the text back from a backup."
        )


def replay(
    work: Work,
    library: Library,
    request: RequestRecord,
    revision_number: int,
    waived: frozenset[str] = frozenset(),
) -> PolicyDecision:
    """The decision that the criteria give on one stored set of answers of a request."""
    version = version_of_request(work, library, request)
    revision = store.revisions_of(work, request.id)[revision_number - 1]
    context, read_on = context_from_json(revision.context)
    answers = read_answers(
        version,
        request.kind,
        revision.answers,
        decision_to_treat=context.decision_to_treat,
        today=read_on,
    )
    overrides = [each.as_given() for each in store.overrides_of(work, request.id, revision_number)]
    return decide(version, request.kind, answers, context, waived, overrides)


def check_replays(work: Work, library: Library, caller: Caller, request_id: str) -> int:
    """Replay every decision of a request that the policy gave, and the panel's findings.

    Raises StoredDecisionDiffers on the first that differs in any finding, reason or outcome.
    Returns how many were replayed.
    """
    return _check(work, library, store.find_request(work, caller, request_id))


def replay_everything(
    work: Work, library: Library, after: str = "", to: str | None = None
) -> tuple[int, list[str]]:
    """Replay every stored decision of every organisation, after a restore or an upgrade.

    `after` and `to` keep it to the requests of a stretch of ids (`app/backup/replays.py`).
    Returns how many gave the same answers, and a sentence for each request with one that did not.
    """
    replayed, faults = 0, []
    for request in store.every_request(work, after, to):
        try:
            replayed += _check(work, library, request)
        except (StoredDecisionDiffers, UnknownPolicy, PolicyNotUsable) as error:
            faults.append(f"request {request.id}: {error}")
    return replayed, faults


def _check(work: Work, library: Library, request: RequestRecord) -> int:
    if retention.is_over(work, request.treatment_id):
        return 0  # what was decided on is erased
    replayed = 0
    for stored in store.decisions_of(work, request.id):
        if stored.made_by == "policy":
            same = _replays(work, library, request, stored)
        elif stored.made_by == "panel" and stored.findings:
            again = _findings(work, library, request, stored)
            same = again["findings"] == with_defaults(stored.findings)
        else:
            continue
        if not same:
            raise StoredDecisionDiffers(
                f"Decision {stored.number} of request {request.id} does not replay: its findings "
                "differ. Check the audit log of the request and the version of the engine."
            )
        replayed += 1
    return replayed


def _replays(work: Work, library: Library, request: RequestRecord, stored: DecisionRecord) -> bool:
    if request.kind in DECIDED_BY_CRITERIA:
        again = _findings(work, library, request, stored)
    else:
        version = version_of_request(work, library, request)
        details = details_from_json(request.details)
        clock = phase_clock(work, request.treatment_id, request.first_dose)
        outcome, why = decide_change(version, request.kind, details, clock)
        again = {
            "findings": [],
            "missing": [],
            "outcome": outcome.value,
            "reasons": [why],
            "overridden": [],
        }
    told = again["reasons"]
    return (
        again["findings"] == with_defaults(stored.findings)
        and again["overridden"] == (stored.overridden or [])
        and again["missing"] == stored.missing
        and stored.reasons[: len(told)] == told
        and _same_outcome(again["outcome"], len(told), request, stored)
    )


def _findings(
    work: Work, library: Library, request: RequestRecord, stored: DecisionRecord
) -> dict[str, Any]:
    waived = frozenset(stored.waived)
    return decision_to_json(replay(work, library, request, stored.revision, waived))


def _same_outcome(
    again: str, reasons_told: int, request: RequestRecord, stored: DecisionRecord
) -> bool:
    """Equal; or referred, for a further reason, because the policy did not decide by itself.

    It does not decide a request that asks the commissioner, nor one that it would have approved
    or refused where it has no authority (`office.limit_authority`) or where the dose is above its
    own (`terms.dose_to_refer`). A safety notice refers, or refuses, besides.
    """
    if again == stored.outcome:
        return True
    if stored.outcome == Outcome.CRITERIA_NOT_MET:
        return any(notice_from_json(each).refuses for each in stored.notices or ())
    if stored.outcome != Outcome.REFERRED or len(stored.reasons) == reasons_told:
        return False
    return request.route is not Route.POLICY or again in (
        Outcome.APPROVED,
        Outcome.CRITERIA_NOT_MET,
    )
