"""Before and after a patient of another provider is named: the limit of guesses a person has."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from app.approvals.errors import PatientContradiction, TooManyGuesses
from app.approvals.identity import same_person
from app.approvals.model import PatientDetails, PatientRecord
from app.approvals.store import all_treatments_of
from app.audit import Reading, record_reading
from app.auth.guesses import GuessLimits, is_again, seconds_to_wait, spend
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
def naming_on_a_form(
    work: Work, caller: Caller, limits: GuessLimits, named: PatientDetails
) -> Iterator[None]:
    """Around what looks for a form's patient: a birth date that does not fit may be a guess.

    It counts where the patient is not the caller's own organisation's, although the form is
    refused; from the limit on, such a form is refused as one that names too many. A form that is
    looked at and then sent is one guess.
    """
    try:
        yield
    except PatientContradiction as refused:
        if refused.patient is not None and not _is_own(work, caller, refused.patient):
            check_may_name(work, caller, limits)
            guess = guess_of(named.nhs_number or named.local_id or "", named.birth_date)
            refused.count = partial(not_known, caller=caller, limits=limits, guess=guess)
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


def guess_of(number: str, birth_date: dt.date) -> str:
    """What a form or its first page guesses: the same pair is the same guess."""
    return f"{number} {birth_date}"


def not_known(work: Work, caller: Caller, limits: GuessLimits, guess: str | None = None) -> None:
    """Count that somebody was not known; that the limit is reached is put on record.

    Later calls are refused without an event each: this one says from when on. `guess`: what comes
    again, page by page, while one form is filled; made again within the hour it costs nothing.
    """
    if guess is not None and is_again(work, caller, guess):
        return
    if spend(work, caller, limits):
        names = {"person": limits.person, "system": limits.system}
        record_reading(work, caller.actor(), Reading(REACHED, names=names))
