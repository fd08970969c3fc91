"""What a caller's organisation may see, as SQL conditions. Every query of the stores uses one.

A provider sees the treatments that it prescribes or once prescribed (then only its own part, see
`views`), and the requests it made or is asked to consent to, the treatment of these only for as
long as it is asked; a commissioner those it pays for; a panel those referred to it. Everything
else is not found. A policy author sees no patient's record at all.
"""

from sqlalchemy import ColumnElement, and_, exists, false, or_, select

from app.approvals.lifecycle import RequestState
from app.approvals.model import TreatmentRecord
from app.approvals.permissions import PAYER_ROLES
from app.auth.model import Caller, Role
from app.db.tables import request, segment, treatment


def visible_requests(caller: Caller) -> ColumnElement[bool]:
    """Condition on `request`: what this caller's organisation may see."""
    own = caller.organisation
    if caller.role is Role.POLICY_AUTHOR:
        return false()
    if caller.role is Role.PANEL_MEMBER:
        return request.c.panel == own
    if caller.role in PAYER_ROLES:
        return request.c.commissioner == own
    if caller.role is Role.AUDITOR:
        return or_(request.c.provider == own, request.c.commissioner == own)
    return or_(request.c.provider == own, request.c.counterparty == own)


def visible_treatments(caller: Caller) -> ColumnElement[bool]:
    """Condition on `treatment`: what this caller's organisation may see."""
    own = caller.organisation
    if caller.role is Role.POLICY_AUTHOR:
        return false()
    if caller.role is Role.PANEL_MEMBER:
        return _asked(request.c.panel == own)
    if caller.role in PAYER_ROLES:
        return or_(treatment.c.commissioner == own, _covered(segment.c.commissioner == own))
    provided = or_(
        treatment.c.provider == own,
        _covered(segment.c.provider == own),
        _asked(
            and_(
                request.c.counterparty == own,
                request.c.state == RequestState.AWAITING_CONSENT,
            )
        ),
    )
    if caller.role is Role.AUDITOR:
        return or_(provided, treatment.c.commissioner == own)
    return provided


def is_former(caller: Caller, treatment: TreatmentRecord, providers: set[str]) -> bool:
    """Whether the caller's hospital handed the treatment over: it sees only its own part then.

    `providers` are those of the treatment's segments, superseded ones included.
    """
    if caller.role is Role.PANEL_MEMBER or caller.role in PAYER_ROLES:
        return False
    own = caller.organisation
    return own not in (treatment.provider, treatment.commissioner) and own in providers


def _covered(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Some segment of the treatment fits. Correlated to the treatment alone, so that the
    condition means the same in a query that reads segments itself."""
    inner = select(segment.c.id).where(and_(segment.c.treatment_id == treatment.c.id, condition))
    return exists(inner.correlate(treatment))


def _asked(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Some request on the treatment fits."""
    inner = select(request.c.id).where(and_(request.c.treatment_id == treatment.c.id, condition))
    return exists(inner.correlate(treatment))
