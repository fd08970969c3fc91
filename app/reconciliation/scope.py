"""Which part of approvals an organisation's submissions are matched against, as SQL conditions.

A treatment in scope may still have parts that are not: coverage that another commissioner pays
for, or what a hospital that handed the treatment over may no longer see.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, not_, or_, select, true
from sqlalchemy.orm import aliased

from app.approvals.lifecycle import RequestState
from app.approvals.permissions import PAYER_ROLES
from app.approvals.scope import visible_requests, visible_treatments
from app.auth.model import Caller
from app.db.tables import approval, request, segment, treatment

#: The organisation of an operator at the command line: every organisation's approvals.
ALL_ORGANISATIONS = "*"


@dataclass(frozen=True, slots=True)
class Scope:
    """Conditions on `treatment`, `segment`, `approval` and `request`, each beside its treatment.

    `commissioner` is whose exemptions count for every line; None: those of the commissioner that
    each line names.
    """

    treatments: ColumnElement[bool]
    segments: ColumnElement[bool]
    approvals: ColumnElement[bool]
    requests: ColumnElement[bool]
    commissioner: str | None


def scope_of(caller: Caller) -> Scope:
    """What this caller's organisation may match a submission against."""
    own = caller.organisation
    if own == ALL_ORGANISATIONS:
        return Scope(true(), true(), true(), true(), None)
    if caller.role in PAYER_ROLES:
        return Scope(
            treatments=visible_treatments(caller),
            segments=segment.c.commissioner == own,
            approvals=approval.c.commissioner == own,
            requests=visible_requests(caller),
            commissioner=own,
        )
    whole = or_(treatment.c.provider == own, _asked_and_new(own))
    return Scope(
        # What it supplies for another is reconciled by whoever prescribes and by who pays.
        treatments=visible_treatments(caller, supplied=False),
        segments=or_(segment.c.provider == own, whole),
        approvals=or_(approval.c.provider == own, whole),
        requests=visible_requests(caller),
        commissioner=None,
    )


def _asked_and_new(own: str) -> ColumnElement[bool]:
    """A hospital that is asked to take the treatment over, and never had it, sees all of it."""
    asked, had = aliased(request), aliased(segment)
    is_asked = select(asked.c.id).where(
        and_(
            asked.c.treatment_id == treatment.c.id,
            asked.c.counterparty == own,
            asked.c.state == RequestState.AWAITING_CONSENT,
        )
    )
    once_had = select(had.c.id).where(
        and_(had.c.treatment_id == treatment.c.id, had.c.provider == own)
    )
    return and_(exists(is_asked.correlate(treatment)), not_(exists(once_had.correlate(treatment))))
