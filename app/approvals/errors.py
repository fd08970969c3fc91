"""What the approvals room refuses, in words that say what, why and what to do next.

No message carries patient data: objects are named by kind, never by NHS number, name or date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.policy import AnswerFault

if TYPE_CHECKING:
    from app.approvals.model import PatientRecord


class ApprovalsError(Exception):
    """A refusal of this room. The doors translate each kind in one table (`app/problems.py`)."""


#: What a hospital can be given by another.
_TRANSFERRED = frozenset({"treatment", "request", "approval"})


class NotFound(ApprovalsError):
    """Nothing of that kind with that id is visible to the caller's organisation."""

    def __init__(self, what: str) -> None:
        ask = f"; if the {what} belongs to another organisation, ask it for a transfer"
        super().__init__(
            f"No such {what} is visible to your organisation. Check the id"
            f"{ask if what in _TRANSFERRED else ''}."
        )


class UnknownPolicy(ApprovalsError):
    """The library holds no policy of that key."""


class PolicyNotUsable(ApprovalsError):
    """A policy's stored text is not the one that was published, so nothing is decided under it."""


class NoPolicyInForce(ApprovalsError):
    """The policy has no version that decides this kind of request on that day."""


class AnswersNotAccepted(ApprovalsError):
    """Some answers cannot be read as the policy's questions ask; every fault is listed."""

    def __init__(self, faults: tuple[AnswerFault, ...]) -> None:
        self.faults = faults
        super().__init__("Some answers cannot be read. Correct each one listed and send again.")


class DetailsNotAccepted(ApprovalsError):
    """Part of a request other than its answers is missing or contradicts another part."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class PatientContradiction(ApprovalsError):
    """The identity given contradicts the record that the identifiers lead to.

    `patient`: that record, where it is the birth date that differs. Never told. `was_guess`: it is
    another provider's, so that this refusal used up a guess.
    """

    def __init__(self, message: str, patient: PatientRecord | None = None) -> None:
        self.patient = patient
        self.was_guess = False
        super().__init__(message)


class AlreadyApproved(ApprovalsError):
    """The patient already has a live approval for this drug and indication."""


class RequestAlreadyOpen(ApprovalsError):
    """A request of this kind on this treatment is still waiting for an answer."""


class TransitionNotAllowed(ApprovalsError):
    """The lifecycle has no such step from the state that the object is in."""


class VersionMismatch(ApprovalsError):
    """The object changed since the caller last read it."""


class VersionNotStated(ApprovalsError):
    """The caller did not say which version of the object it read."""


class NotWaivable(ApprovalsError):
    """The policy does not call that criterion waivable, or it did not fail."""


class AlreadyLinked(ApprovalsError):
    """The two patient records cannot be linked, or unlinked, as they stand."""


class RecordEnded(ApprovalsError):
    """Who the patient was is no longer kept, so nothing more is recorded of them."""

    def __init__(self) -> None:
        super().__init__(
            "The period for which this patient's record is kept is over: nobody knows any more "
            "who it is of. For a new treatment send a first request that names the patient."
        )


class TooManyDeclarations(ApprovalsError):
    """The caller declared break-glass access too often within an hour."""


class TooManyGuesses(ApprovalsError):
    """The caller named patients who are not known too often within an hour."""


class BreakGlassOver(ApprovalsError):
    """The break-glass access was ended, or its time is over."""


class PatientObjects(ApprovalsError):
    """The patient objects to being shown to the caller."""


class PatientDied(ApprovalsError):
    """The record says that the patient died before what is asked for."""


class StoredDecisionDiffers(ApprovalsError):
    """Replaying a stored request gave another decision: the record or the engine is damaged."""
