"""Before and after a patient of another provider is named: the limit of guesses a person has."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from app.approvals.errors import PatientContradiction, TooManyGuesses
from app.approvals.identity import same_person
from app.approvals.model import PatientRecord
from app.approvals.store import all_treatments_of
from app.audit import Reading, record_reading
from app.auth.guesses import GuessLimits, seconds_to_wait, spend
from app.auth.model import Caller
from app.db.work import Work

REACHED = "limit of patients not known reached"


def check_may_name(work: Work, caller: Caller, limits: GuessLimits) -> None:
    """Raise TooManyGuesses for one who named too many patients who are not known."""
    wait = seconds_to_wait(work, caller, limits)
    if wait:
        raise TooManyGuesses(
            "You named too many patients within an hour whom nobody knows by that NHS number and "
            f"birth date. Check both against the patient's record, and wait {wait} seconds."
        )


@contextmanager
def naming_on_a_form(work: Work, caller: Caller, limits: GuessLimits) -> Iterator[None]:
    """Around what looks for a form's patient: a birth date that does not fit may be a guess.

    It counts where the patient is not the caller's own organisation's, although the form is
    refused; from the limit on, such a form is refused as one that names too many.
    """
    try:
        yield
    except PatientContradiction as refused:
        if refused.patient is not None and not _is_own(work, caller, refused.patient):
            check_may_name(work, caller, limits)
            refused.count = partial(not_known, caller=caller, limits=limits)
        raise


def check_may_meet(
    work: Work, caller: Caller, patient: PatientRecord | None, limits: GuessLimits
) -> None:
    """Raise TooManyGuesses where the guess that fits may be the one after too many.

    A patient of the caller's own organisation, or one whom nobody knew, is no guess.
    """
    if patient is not None and not _is_own(work, caller, patient):
        check_may_name(work, caller, limits)


def _is_own(work: Work, caller: Caller, patient: PatientRecord) -> bool:
    if patient.registered_by == caller.organisation:
        return True
    theirs = all_treatments_of(work, same_person(work, patient.canonical_id))
    return any(each.provider == caller.organisation for each in theirs)


def not_known(work: Work, caller: Caller, limits: GuessLimits) -> None:
    """Count that somebody was not known; that the limit is reached is put on record.

    Later calls are refused without an event each: this one says from when on.
    """
    if spend(work, caller, limits):
        names = {"person": limits.person, "system": limits.system}
        record_reading(work, caller.actor(), Reading(REACHED, names=names))
