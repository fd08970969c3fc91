"""One table: every refusal that leaves the service → HTTP status, code and title (RFC 9457).

The rooms raise plain exceptions whose message says what, why and what to do next, without patient
data; the doors look the exception up here. What is not in the table is a fault of ours: 500, with
no detail. 422 means that the message cannot be read as the API describes; a refusal on policy or
permission never is 422.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.approvals import errors as approvals
from app.approvals.import_errors import ImportNotAccepted
from app.audit.errors import InvalidCursor
from app.auth.errors import AssertionRefused, CallerNotAccepted, NotAllowed, NotSignedIn
from app.db.errors import AnswerForgotten, InvalidRequestId, RequestIdReused
from app.policy.errors import AnswerFaults
from app.reconciliation import errors as reconciliation
from app.reference_data.errors import InvalidNhsNumber

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:assent:problem:"
RETRY_SECONDS = "5"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its HTTP status, its stable code and its title."""

    status: int
    code: str
    title: str

    @property
    def type(self) -> str:
        """The problem's type URI."""
        return TYPE_PREFIX + self.code


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault inside a message: where it is, what is wrong, and how to mend it."""

    where: str
    message: str
    mend: str


class DoorProblem(Exception):
    """A refusal that only a door can find, such as a missing header."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        faults: tuple[Fault, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.faults = faults
        self.headers = dict(headers or {})


# --- what only a door finds ----------------------------------------------------------------------

MALFORMED_JSON = Kind(400, "malformed-json", "The body is not well-formed JSON")
HEADER_NOT_ACCEPTED = Kind(400, "header-not-accepted", "A header is missing or malformed")
BAD_REQUEST = Kind(400, "bad-request", "The request cannot be read")
NOT_SIGNED_IN = Kind(401, "not-signed-in", "No valid token")
NOT_ALLOWED = Kind(403, "not-allowed", "Not allowed")
NO_SUCH_ADDRESS = Kind(404, "no-such-address", "No such address")
METHOD_NOT_ALLOWED = Kind(405, "method-not-allowed", "This address does not take that method")
NOT_ACCEPTABLE = Kind(406, "not-acceptable", "No representation of that media type")
ANSWER_FORGOTTEN = Kind(410, "answer-no-longer-kept", "Its answer is no longer kept")
CHANGED_SINCE = Kind(412, "changed-since", "It changed since you read it")
BODY_TOO_LARGE = Kind(413, "body-too-large", "The body is too large")
WRONG_MEDIA_TYPE = Kind(415, "wrong-media-type", "The body's media type is not accepted")
NOT_AS_DESCRIBED = Kind(422, "not-as-described", "Part of the message is not as described")
IF_MATCH_NEEDED = Kind(428, "if-match-needed", "If-Match is needed")
TOO_MANY_REQUESTS = Kind(429, "too-many-requests", "Too many requests")
FAULT_OF_OURS = Kind(500, "fault-of-ours", "Something went wrong on our side")
NOT_READY = Kind(503, "not-ready", "The service cannot answer at the moment")

BY_STATUS: dict[int, Kind] = {
    kind.status: kind
    for kind in (
        BAD_REQUEST,
        NOT_SIGNED_IN,
        NOT_ALLOWED,
        NO_SUCH_ADDRESS,
        METHOD_NOT_ALLOWED,
        NOT_ACCEPTABLE,
        ANSWER_FORGOTTEN,
        CHANGED_SINCE,
        BODY_TOO_LARGE,
        WRONG_MEDIA_TYPE,
        NOT_AS_DESCRIBED,
        IF_MATCH_NEEDED,
        TOO_MANY_REQUESTS,
        FAULT_OF_OURS,
        NOT_READY,
    )
}

# --- what the rooms raise ------------------------------------------------------------------------

#: Looked up along the exception's own classes, most special first.
TABLE: dict[type[Exception], Kind] = {
    NotSignedIn: NOT_SIGNED_IN,
    NotAllowed: NOT_ALLOWED,
    AssertionRefused: Kind(401, "invalid-client", "No token is given"),
    CallerNotAccepted: Kind(422, "caller-not-accepted", "The caller cannot be registered so"),
    RequestIdReused: Kind(409, "request-id-reused", "X-Request-ID already used"),
    AnswerForgotten: ANSWER_FORGOTTEN,
    InvalidRequestId: HEADER_NOT_ACCEPTED,
    AnswerFaults: Kind(422, "answers-not-accepted", "Some answers cannot be read"),
    approvals.AnswersNotAccepted: Kind(422, "answers-not-accepted", "Some answers cannot be read"),
    approvals.DetailsNotAccepted: Kind(422, "details-not-accepted", "A detail cannot be accepted"),
    approvals.NotFound: Kind(404, "not-found", "Not found"),
    approvals.UnknownPolicy: Kind(404, "policy-not-found", "No such policy or version"),
    approvals.PolicyNotUsable: Kind(
        503, "policy-not-usable", "The policy's text cannot be relied on"
    ),
    approvals.NoPolicyInForce: Kind(422, "no-policy-in-force", "No policy version decides this"),
    approvals.PatientContradiction: Kind(
        409, "patient-contradiction", "The patient's identity contradicts the record"
    ),
    approvals.AlreadyApproved: Kind(409, "already-approved", "Already approved"),
    approvals.RequestAlreadyOpen: Kind(409, "request-already-open", "A request is already open"),
    approvals.TransitionNotAllowed: Kind(409, "step-not-possible", "That step is not possible now"),
    approvals.VersionMismatch: CHANGED_SINCE,
    approvals.VersionNotStated: IF_MATCH_NEEDED,
    approvals.NotWaivable: Kind(409, "not-waivable", "That criterion cannot be waived"),
    ImportNotAccepted: Kind(422, "import-not-accepted", "The file cannot be imported"),
    InvalidCursor: Kind(422, "cursor-not-accepted", "The cursor is not one of the feed's"),
    InvalidNhsNumber: Kind(422, "nhs-number-not-accepted", "The NHS number cannot be used"),
    reconciliation.SubmissionTooLarge: BODY_TOO_LARGE,
    reconciliation.UnreadableSubmission: Kind(
        422, "submission-unreadable", "The submission cannot be read"
    ),
    reconciliation.NotYourSubmission: Kind(
        409, "not-your-submission", "The submission holds another provider's lines"
    ),
    reconciliation.SettingNotAccepted: Kind(
        422, "setting-not-accepted", "A row of the settings cannot be read"
    ),
    reconciliation.RunNotFound: Kind(404, "not-found", "Not found"),
    reconciliation.ExportTooLarge: Kind(
        409, "export-too-large", "The export does not fit into a workbook"
    ),
    reconciliation.ExportNotWritten: Kind(
        409, "export-not-written", "The export is not written yet"
    ),
    reconciliation.TooManyLines: Kind(
        409, "too-many-lines", "The file has too many lines for that"
    ),
    reconciliation.RowsNotKept: Kind(409, "rows-not-kept", "The lines cannot be read now"),
    reconciliation.EngineRanOut: Kind(
        409, "reconciliation-ran-out", "The reconciliation ran out of memory or disk"
    ),
    reconciliation.StoredFileEnded: Kind(
        409, "lines-no-longer-kept", "The lines are no longer kept"
    ),
    reconciliation.StepNotPossible: Kind(409, "step-not-possible", "That step is not possible now"),
    reconciliation.SpellingNotFound: Kind(404, "not-found", "Not found"),
    reconciliation.SpellingNotAccepted: Kind(
        409, "drug-name-not-accepted", "The drug name cannot be taken so"
    ),
    reconciliation.TermsNotAccepted: Kind(409, "terms-not-accepted", "The terms have faults"),
    approvals.TooManyDeclarations: TOO_MANY_REQUESTS,
    approvals.TooManyGuesses: TOO_MANY_REQUESTS,
    approvals.BreakGlassOver: Kind(409, "break-glass-over", "The break-glass access is over"),
    approvals.PatientObjects: Kind(409, "patient-objects", "The patient objects to being shown"),
    approvals.PatientDied: Kind(409, "patient-died", "The record says that the patient died"),
    approvals.RecordEnded: Kind(409, "record-ended", "The patient's record is no longer kept"),
    approvals.AlreadyLinked: Kind(409, "link-not-possible", "The records cannot be linked so"),
}

#: The database cannot be reached, or is too busy. Its own message stays inside.
UNAVAILABLE: tuple[type[Exception], ...] = (OperationalError, InterfaceError, PoolTimeout)
UNAVAILABLE_DETAIL = (
    "The database cannot be reached or is too busy. Nothing you were told is lost. Send the same "
    "call again after a few seconds, with the same X-Request-ID."
)
FAULT_DETAIL = (
    "Nothing was saved unless an earlier answer said so. Send the same call again with the same "
    "X-Request-ID; if it fails again, give the correlation id to the service's support."
)


def kind_of(error: Exception) -> Kind:
    """The kind of problem that an exception is; FAULT_OF_OURS when the table does not say."""
    if isinstance(error, DoorProblem):
        return error.kind
    if isinstance(error, UNAVAILABLE):
        return NOT_READY
    if isinstance(error, AssertionRefused):
        status = 401 if error.error == "invalid_client" else 400
        return Kind(status, error.error.replace("_", "-"), "No token is given")
    for cls in type(error).__mro__:
        found = TABLE.get(cls)
        if found is not None:
            return found
    return FAULT_OF_OURS


def detail_of(error: Exception) -> str:
    """What may be said of an exception outside: its own message only if the table knows it."""
    kind = kind_of(error)
    if kind is NOT_READY and not isinstance(error, DoorProblem):
        return UNAVAILABLE_DETAIL
    if kind is FAULT_OF_OURS and not isinstance(error, DoorProblem):
        return FAULT_DETAIL
    return str(error)


def faults_of(error: Exception) -> tuple[Fault, ...]:
    """The faults that an exception lists one by one."""
    if isinstance(error, DoorProblem):
        return error.faults
    if isinstance(error, AnswerFaults | approvals.AnswersNotAccepted):
        return tuple(Fault(f"answers.{f.question}", f.message, f.mend) for f in error.faults)
    if isinstance(error, approvals.DetailsNotAccepted):
        return (Fault(error.field, str(error), "Correct it and send again"),)
    return ()


def headers_of(error: Exception) -> dict[str, str]:
    """The headers that belong to an exception's reply."""
    if isinstance(error, DoorProblem) and error.headers:
        return error.headers
    kind = kind_of(error)
    if isinstance(error, approvals.TooManyDeclarations | approvals.TooManyGuesses):
        return {"Retry-After": "600"}
    if kind.status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if kind.status in (429, 503):
        return {"Retry-After": RETRY_SECONDS}
    return {}


def document(
    kind: Kind, detail: str, correlation_id: str, faults: tuple[Fault, ...] = ()
) -> dict[str, Any]:
    """The problem+json document."""
    body: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        "correlation_id": correlation_id,
    }
    if faults:
        body["errors"] = [
            {"where": fault.where, "message": fault.message, "mend": fault.mend} for fault in faults
        ]
    return body
