"""What a caller's organisation may see, as SQL conditions. Every query of the stores uses one.

A provider sees the treatments that it prescribes or once prescribed (then only its own part, see
`views`), and the requests it made or is asked to consent to, the treatment of these only for as
long as it is asked; a commissioner those it pays for; a panel those referred to it. Everything
else is not found. A policy author and an administrator see no patient's record at all.
"""

from sqlalchemy import ColumnElement, and_, exists, false, or_, select

from app.approvals.lifecycle import RequestState
from app.approvals.model import TreatmentRecord
from app.approvals.permissions import PAYER_ROLES, WITHOUT_PATIENTS
from app.auth.model import Caller, Role
from app.db.tables import request, segment, treatment


def visible_requests(caller: Caller) -> ColumnElement[bool]:
    """Condition on `request`: what this caller's organisation may see."""
    own = caller.organisation
    if caller.role in WITHOUT_PATIENTS:
        return false()
    if caller.role is Role.PANEL_MEMBER:
        return request.c.panel == own
    if caller.role in PAYER_ROLES:
        return request.c.commissioner == own
    if caller.role is Role.AUDITOR:
        return or_(request.c.provider == own, request.c.commissioner == own)
    return or_(request.c.provider == own, request.c.counterparty == own)


#: A column that holds a treatment's id, and a condition on the table of that column.
Way = tuple[ColumnElement[str], ColumnElement[bool]]


def ways_to_see(caller: Caller) -> list[Way]:
    """Each way in which this caller's organisation may come to see a treatment; any is enough.

    Each is answered by an index on the organisation and the treatment, so that a page of a search
    never walks past other organisations' treatments.
    """
    own = caller.organisation
    t, s, r = treatment.c, segment.c, request.c
    if caller.role in WITHOUT_PATIENTS:
        return []
    if caller.role is Role.PANEL_MEMBER:
        return [(r.treatment_id, r.panel == own)]
    if caller.role in PAYER_ROLES:
        return [(t.id, t.commissioner == own), (s.treatment_id, s.commissioner == own)]
    asked = and_(r.counterparty == own, r.state == RequestState.AWAITING_CONSENT)
    provided: list[Way] = [
        (t.id, t.provider == own),
        (s.treatment_id, s.provider == own),
        (r.treatment_id, asked),
    ]
    if caller.role is Role.AUDITOR:
        return [*provided, (t.id, t.commissioner == own)]
    return provided


def visible_treatments(caller: Caller) -> ColumnElement[bool]:
    """Condition on `treatment`: what this caller's organisation may see."""
    return or_(
        false(),
        *(
            condition if column is treatment.c.id else _leads_here(column, condition)
            for column, condition in ways_to_see(caller)
        ),
    )


def is_former(caller: Caller, treatment: TreatmentRecord, providers: set[str]) -> bool:
    """Whether the caller's hospital handed the treatment over: it sees only its own part then.

    `providers` are those of the treatment's segments, superseded ones included.
    """
    if caller.role is Role.PANEL_MEMBER or caller.role in PAYER_ROLES:
        return False
    own = caller.organisation
    return own not in (treatment.provider, treatment.commissioner) and own in providers


def _leads_here(column: ColumnElement[str], condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Some row that names the treatment fits. Correlated to the treatment alone, so that the
    condition means the same in a query that reads that table itself."""
    return exists(select(column).where(column == treatment.c.id, condition).correlate(treatment))
