"""Before and after a patient of another provider is named: the limit of guesses a person has.

Calls that come at one moment must not each look before any of them is counted, so a guess is
counted before its answer is known, and given back where it was none. Where the answer goes out with
the transaction that looked, the bucket is held in it; a refused form's transaction is undone, so
its guess is set aside in one of its own beforehand (ADR 109).
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from app.approvals.errors import PatientContradiction, TooManyGuesses
from app.approvals.identity import same_person
from app.approvals.model import PatientDetails, PatientRecord
from app.approvals.store import all_treatments_of
from app.audit import Reading, record_reading
from app.auth.guesses import Bucket, GuessLimits, give_back, hold, is_again, spend
from app.auth.model import Caller
from app.auth.rates import PARTS
from app.db.work import Work
from app.refusals import Reserve, ReserveFirst

REACHED = "limit of patients not known reached"
_SET_ASIDE: Final = "guess set aside"


@dataclass(slots=True)
class ReservedGuess(Reserve):
    """A guess of the caller's, counted before anything is looked at.

    `guess`: what comes again, page by page, while one form is filled; made again within the hour
    it costs nothing. None: each costs one.
    """

    caller: Caller
    limits: GuessLimits
    guess: str | None = None
    spent: Bucket | None = None
    was_last: bool = field(default=False)

    def take(self, work: Work) -> None:
        """Count it. Raises TooManyGuesses."""
        self.spent, self.was_last = None, False  # when the transaction is tried again
        bucket = may_name(work, self.caller, self.limits)
        if self.guess is None or not is_again(work, self.caller, self.guess):
            self.was_last = spend(work, bucket)
            self.spent = bucket

    def enter(self, work: Work) -> None:
        """Let `naming_on_a_form` go on."""
        work.read_once[_SET_ASIDE] = self.guess

    def give_back(self, work: Work) -> None:
        """Somebody was known, or it was no guess."""
        if self.spent is not None:
            give_back(work, self.spent)

    def use(self, work: Work) -> None:
        """Nobody was known: it stays counted, and that it was the last is put on record."""
        if self.was_last:
            _record_last(work, self.caller, self.limits)

    def settle(self, work: Work, refused: Exception) -> None:
        """A contradiction that was told used it; any other refusal did not."""
        if isinstance(refused, PatientContradiction) and refused.was_guess:
            self.use(work)
        else:
            self.give_back(work)


def may_name(work: Work, caller: Caller, limits: GuessLimits) -> Bucket:
    """The caller's guesses, held; TooManyGuesses for one who named too many who are not known."""
    bucket = hold(work, caller, limits)
    wait = bucket.seconds_to_wait
    if wait:
        raise TooManyGuesses(
            "You named too many patients within an hour whom nobody knows by that NHS number and "
            f"birth date. Check both against the patient's record, and wait {wait} seconds."
        )
    return bucket


@dataclass(slots=True)
class GuessesOfFile:
    """Those that the rows of one file make, in a transaction that holds the caller's bucket.

    A row is told that it contradicts another provider's patient, or fits one, while fewer were
    contradicted than the caller has guesses left.
    """

    caller: Caller
    limits: GuessLimits
    bucket: Bucket
    made: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, work: Work, caller: Caller, limits: GuessLimits) -> "GuessesOfFile":
        """None made yet; whoever else draws on the caller's guesses waits from here on."""
        return cls(caller, limits, hold(work, caller, limits))

    def may_tell(self, work: Work, patient: PatientRecord) -> bool:
        """Whether a row may be told of this patient: the caller's own, or guesses are left."""
        return is_own(work, self.caller, patient) or len(self.made) < self.bucket.left // PARTS

    def told(self, work: Work, patient: PatientRecord, named: PatientDetails) -> None:
        """Note that a row was told that it contradicts this patient."""
        if not is_own(work, self.caller, patient):
            self.made.add(guess_of(named.nhs_number or named.local_id or "", named.birth_date))

    def count(self, work: Work) -> None:
        """Count what was told: after what is taken back of the file, and before the commit."""
        for guess in sorted(self.made):
            not_known(work, self.caller, self.limits, self.bucket, guess)
            self.bucket = hold(work, self.caller, self.limits)


@contextmanager
def naming_on_a_form(
    work: Work, caller: Caller, limits: GuessLimits, named: PatientDetails
) -> Iterator[None]:
    """Around what looks for a form's patient: a birth date that does not fit may be a guess.

    It counts where the patient is not the caller's own organisation's, although the form is
    refused; from the limit on, such a form is refused as one that names too many. A form that is
    looked at and then sent is one guess. Raises ReserveFirst before any of it is told.
    """
    try:
        yield
    except PatientContradiction as refused:
        if refused.patient is not None and not is_own(work, caller, refused.patient):
            _set_aside(work, caller, limits, named)
            refused.was_guess = True
        raise


def check_may_meet(
    work: Work,
    caller: Caller,
    patient: PatientRecord | None,
    limits: GuessLimits,
    named: PatientDetails,
) -> None:
    """Let a form go on whose birth date fits only with a guess set aside, as if it did not fit.

    A patient of the caller's own organisation, or one whom nobody knew, is no guess. Raises
    ReserveFirst.
    """
    if patient is not None and not is_own(work, caller, patient):
        _set_aside(work, caller, limits, named)


def _set_aside(work: Work, caller: Caller, limits: GuessLimits, named: PatientDetails) -> None:
    guess = guess_of(named.nhs_number or named.local_id or "", named.birth_date)
    if work.read_once.get(_SET_ASIDE) != guess:
        raise ReserveFirst(ReservedGuess(caller, limits, guess))


def is_own(work: Work, caller: Caller, patient: PatientRecord) -> bool:
    if patient.registered_by == caller.organisation:
        return True
    theirs = all_treatments_of(work, same_person(work, patient.canonical_id))
    return any(each.provider == caller.organisation for each in theirs)


def guess_of(number: str, birth_date: dt.date) -> str:
    """What a form or its first page guesses: the same pair is the same guess."""
    return f"{number} {birth_date}"


def not_known(
    work: Work, caller: Caller, limits: GuessLimits, bucket: Bucket, guess: str | None = None
) -> None:
    """Count, in the transaction that holds the bucket, that somebody was not known.

    That the limit is reached is put on record; later calls are refused without an event each: this
    one says from when on. `guess`: as of a ReservedGuess.
    """
    if guess is not None and is_again(work, caller, guess):
        return
    if spend(work, bucket):
        _record_last(work, caller, limits)


def _record_last(work: Work, caller: Caller, limits: GuessLimits) -> None:
    names: dict[str, Any] = {"person": limits.person, "system": limits.system}
    record_reading(work, caller.actor(), Reading(REACHED, names=names))
