"""What a hand-over of treatments is about in pounds: of the newest runs, and proposing it so."""

from app.approvals import handing
from app.approvals.handing import Asked, Charged, HandOver
from app.approvals.reassigning import Effect
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation.charged_pounds import charged_of
from app.reconciliation.service import Desk


def preview(work: Work, desk: Desk, caller: Caller, asked: Asked) -> tuple[Effect, Charged | None]:
    """What a hand-over would touch, and the pounds of its days as the newest runs have them."""
    effect = handing.preview(work, caller, asked)
    pounds = charged_of(work, desk, caller, effect.treatment_ids, asked.from_day)
    return effect, pounds


def propose(work: Work, desk: Desk, caller: Caller, asked: Asked) -> HandOver:
    """Propose a hand-over with what it is about as of now; see `handing.propose`."""
    effect, pounds = preview(work, desk, caller, asked)
    return handing.propose(work, caller, asked, effect, pounds)
