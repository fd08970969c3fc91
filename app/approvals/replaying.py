"""Deciding a stored request again: same answers, same version, same decision."""

from app.approvals import store
from app.approvals.answering import context_from_json, read_answers
from app.approvals.errors import StoredDecisionDiffers, UnknownPolicy
from app.approvals.library import Library
from app.approvals.model import RequestRecord
from app.approvals.office import stored_version
from app.auth.model import Caller
from app.db.work import Work
from app.policy import (
    Kind,
    Outcome,
    PolicyDecision,
    PolicyVersion,
    decide,
    decision_to_json,
    from_resolved,
)

DECIDED_BY_CRITERIA = frozenset({Kind.INITIATION, Kind.CONTINUATION, Kind.STOP})


def version_of(work: Work, library: Library, digest: str) -> PolicyVersion:
    """The policy version of a hash: from the library, else from the text stored with decisions."""
    known = library.by_hash(digest)
    if known is not None:
        return known
    resolved = stored_version(work, digest)
    if resolved is None:
        raise UnknownPolicy(
            "The policy version that decided this request is neither in the library nor stored. "
            "Restore the library that the service ran with."
        )
    return from_resolved(resolved)


def replay(
    work: Work, library: Library, request: RequestRecord, revision_number: int
) -> PolicyDecision:
    """The decision that the criteria give on one stored set of answers of a request."""
    version = version_of(work, library, request.policy_hash)
    revision = store.revisions_of(work, request.id)[revision_number - 1]
    context, read_on = context_from_json(revision.context)
    answers = read_answers(
        version,
        request.kind,
        revision.answers,
        decision_to_treat=context.decision_to_treat,
        today=read_on,
    )
    return decide(version, request.kind, answers, context)


def check_replays(work: Work, library: Library, caller: Caller, request_id: str) -> int:
    """Replay every stored policy decision of a request; StoredDecisionDiffers on the first that
    differs in any finding. Returns how many were replayed."""
    request = store.find_request(work, caller, request_id)
    replayed = 0
    for stored in store.decisions_of(work, request_id):
        if stored.made_by != "policy" or request.kind not in DECIDED_BY_CRITERIA:
            continue
        again = decision_to_json(replay(work, library, request, stored.revision))
        same = again["findings"] == stored.findings and again["missing"] == stored.missing
        if not same or not _same_outcome(again["outcome"], stored.outcome):
            raise StoredDecisionDiffers(
                f"Decision {stored.number} of request {request_id} does not replay: its findings "
                "differ. Check the audit log of the request and the version of the engine."
            )
        replayed += 1
    return replayed


def _same_outcome(again: str, stored: str) -> bool:
    """Equal, or referred because the version had no authority to decide, or no route but people."""
    limited = stored == Outcome.REFERRED
    return again == stored or limited
