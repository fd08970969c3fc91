"""Sending a continuation from the page of its questions, where nothing is left to look at.

The page has every question of the form, the patient, and the day of the decision. It is sent from
there only if nothing has to be read first and the policy would approve it as it stands, or leaves
it to its panel for no other reason than that the panel decides every request under it, which the
page says. Else the page on which answers are checked says what there is.
"""

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from app.approvals.checking import DryRun
from app.approvals.errors import ApprovalsError
from app.auth.model import Caller
from app.policy import Kind, Outcome
from app.web import filling
from app.web.callers import this_office
from app.web.filling import Filling
from app.web.form import paper, urgent
from app.web.form.check import given_overrides
from app.web.pages import door_of


def may_be_sent_from(found: Filling, step: str) -> bool:
    """Whether the page is the only one of a continuation, so that all of it is in sight."""
    told_elsewhere = paper.is_paper(found.draft.form) or urgent.is_urgent(found.draft.form)
    only = len(found.steps) == 1 and found.steps[0].key == step
    return found.kind is Kind.CONTINUATION and only and not told_elsewhere


def nothing_is_left(request: Request, caller: Caller, found: Filling) -> bool:
    """Whether the form as it stands would be approved, or is the panel's alone, with nothing to
    read before it is sent."""
    office = this_office(request)
    if found.faults or found.missing() or given_overrides(found.draft.form):
        return False
    if not all(each.within for each in found.doses):
        return False
    if door_of(request).read(lambda work: filling.about_faults(work, office, found.draft)):
        return False
    try:
        run = door_of(request).transact(
            lambda work: filling.dry_run(work, office, caller, found.draft)
        )
    except (ApprovalsError, RequestValidationError):
        return False  # the check page says why
    expected = run.decision.outcome is Outcome.APPROVED or is_the_panels_alone(run)
    return expected and not run.already_approved and not run.ends


def is_the_panels_alone(run: DryRun) -> bool:
    """Whether people decide for the one reason that a panel decides every request.

    A criterion that sends it to people, another route or a term of the approval is a second reason.
    """
    panel = run.version.mechanism == "panel" and run.decision.outcome is Outcome.REFERRED
    return panel and len(run.decision.reasons) == 1
