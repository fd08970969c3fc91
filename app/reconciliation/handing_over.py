"""What a hand-over of treatments is about in pounds: of the newest runs, and proposing it so."""

from collections.abc import Iterable
from decimal import Decimal

from app.approvals import handing
from app.approvals.handing import Asked, Charged, HandOver
from app.approvals.reassigning import Effect
from app.auth.model import Caller
from app.db.work import Work
from app.reconciliation import charged
from app.reconciliation.errors import TooManyLines
from app.reconciliation.service import Desk


def preview(work: Work, desk: Desk, caller: Caller, asked: Asked) -> tuple[Effect, Charged | None]:
    """What a hand-over would touch, and the pounds of its days as the newest runs have them."""
    effect = handing.preview(work, caller, asked)
    return effect, _charged(work, desk, caller, asked, effect)


def propose(work: Work, desk: Desk, caller: Caller, asked: Asked) -> HandOver:
    """Propose a hand-over with what it is about as of now; see `handing.propose`."""
    effect, pounds = preview(work, desk, caller, asked)
    return handing.propose(work, caller, asked, effect, pounds)


def _charged(
    work: Work, desk: Desk, caller: Caller, asked: Asked, effect: Effect
) -> Charged | None:
    """None where a run is too large to be read line by line."""
    gone = frozenset(effect.treatment_ids)
    try:
        found = charged.amounts(work, desk, caller)
    except TooManyLines:
        return None
    return _sum(
        (accepted, queried)
        for treatment, day, accepted, queried in found
        if treatment in gone and day >= asked.from_day
    )


def _sum(pounds: Iterable[tuple[Decimal, Decimal]]) -> Charged:
    lines, accepted, queried = 0, Decimal(0), Decimal(0)
    for one, other in pounds:
        lines, accepted, queried = lines + 1, accepted + one, queried + other
    return Charged(lines, accepted, queried)
