"""Whose lines a file states: a provider may reconcile its own only."""

import datetime as dt
from functools import cache

from app.approvals.permissions import PAYER_ROLES
from app.auth.model import Caller
from app.reconciliation.errors import NotYourSubmission
from app.reconciliation.model import Submission
from app.reconciliation.slices import Fold

_SITE_SUFFIX = 2


def check_own_lines(fold: Fold, caller: Caller, submission: Submission) -> None:
    """Raise NotYourSubmission where a provider's file names another provider."""
    if caller.role in PAYER_ROLES:
        return
    folded = cache(fold)
    others = sum(
        line.provider is not None and not is_own(folded, caller, line.provider, line.supply_date)
        for line in submission.lines
    )
    if others:
        raise NotYourSubmission(others)


def is_own(fold: Fold, caller: Caller, code: str, day: dt.date | None) -> bool:
    """Whether a line's provider is the caller's own code, or that of a site of its own.

    A site's code is its trust's and two characters more (ODS). The directory folds the sites of
    the trusts that it knows; one that it does not know is told by the code alone.
    """
    named, own = fold(code, day), caller.organisation
    return named == own or (len(named) == len(own) + _SITE_SUFFIX and named.startswith(own))
