"""Before and after a patient of another provider is named: the limit of guesses a person has."""

from app.approvals.errors import TooManyGuesses
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


def not_known(work: Work, caller: Caller, limits: GuessLimits) -> None:
    """Count that somebody was not known; that the limit is reached is put on record.

    Later calls are refused without an event each: this one says from when on.
    """
    if spend(work, caller, limits):
        names = {"person": limits.person, "system": limits.system}
        record_reading(work, caller.actor(), Reading(REACHED, names=names))
