"""A stored request with the decision that its policy gave, for the bench to explain."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.approvals.library import Library
from app.approvals.model import DecisionRecord, RequestRecord
from app.approvals.replaying import check_replays, version_of_request
from app.approvals.views import request_view
from app.audit import Reading
from app.auth.model import Caller
from app.db.work import Work
from app.policy import PolicyDecision, PolicyVersion, decision_from_json
from app.policy.notices import notice_from_json


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request, the version and overlay it was decided under, and its decisions as stored.

    `decided` is the policy's newest decision, None where there is none, and `decision` what it
    says; `later` are the decisions that people took after it. `replayed` counts those that were
    decided again and came out the same.
    """

    request: RequestRecord
    version: PolicyVersion
    decided: DecisionRecord | None
    decision: PolicyDecision | None
    later: tuple[DecisionRecord, ...]
    replayed: int


def read_request(
    work: Work, library: Library, caller: Caller, request_id: str
) -> tuple[StoredRequest, Reading]:
    """A request of the caller's organisation, and the reading of it to put on record.

    Raises NotFound outside the caller's scope, and StoredDecisionDiffers where deciding it again
    would give other findings.
    """
    view = request_view(work, caller, request_id)
    request = view.request
    version = version_of_request(work, library, request)
    replayed = check_replays(work, library, caller, request_id)
    by_policy = [each for each in view.decisions if each.made_by == "policy"]
    decided = by_policy[-1] if by_policy else None
    later = tuple(
        each for each in view.decisions if decided is None or each.number > decided.number
    )
    decision = None if decided is None else _decision(decided)
    stored = StoredRequest(request, version, decided, decision, later, replayed)
    reading = Reading(
        "request explained", request.treatment_id, request_id, policy_hash=request.policy_hash
    )
    return stored, reading


def _decision(record: DecisionRecord) -> PolicyDecision:
    """The decision as it was stored, the safety notices of that day included."""
    found = decision_from_json(
        {
            "outcome": record.outcome,
            "findings": record.findings,
            "missing": record.missing,
            "reasons": record.reasons,
            "waived": record.waived,
            "overridden": record.overridden or (),
        }
    )
    return replace(found, notices=tuple(notice_from_json(each) for each in record.notices or ()))
