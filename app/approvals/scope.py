"""What a caller's organisation may see, as SQL conditions. Every query of the stores uses one.

A provider sees the treatments that it prescribes, once prescribed or supplies for another (the
latter two only in its own part, see `views`), and the requests it made or is asked to consent to,
the treatment of these only for as long as it is asked; a commissioner those it pays for; a panel
those referred to it; an auditor those its organisation held or pays for. Everything else is not
found. A policy author and an administrator see no patient's record at all.
"""

from typing import Final

from sqlalchemy import ColumnElement, and_, exists, false, or_, select

from app.approvals.lifecycle import RequestState
from app.approvals.model import TreatmentRecord
from app.approvals.permissions import PAYER_ROLES, WITHOUT_PATIENTS
from app.auth.model import Caller, Role
from app.db.tables import audit_event, request, segment, supply, treatment


def visible_requests(caller: Caller) -> ColumnElement[bool]:
    """Condition on `request`: what this caller's organisation may see."""
    return or_(false(), *ways_to_requests(caller))


def ways_to_requests(caller: Caller) -> list[ColumnElement[bool]]:
    """Each way in which this caller's organisation may come to see a request; any is enough.

    Each is answered by an index on the organisation, the state and the treatment.
    """
    own = caller.organisation
    if caller.role in WITHOUT_PATIENTS:
        return []
    if caller.role is Role.PANEL_MEMBER:
        return [request.c.panel == own]
    if caller.role in PAYER_ROLES:
        return [request.c.commissioner == own]
    if caller.role is Role.AUDITOR:
        return [request.c.provider == own, request.c.commissioner == own]
    return [request.c.provider == own, request.c.counterparty == own]


def ways_to_sent_requests(caller: Caller) -> list[ColumnElement[bool]]:
    """As `ways_to_requests`, without transfers, and no request in two of them.

    A counterparty is the receiver of a transfer and of nothing else, so that whoever leaves
    transfers out needs no way by it.
    """
    own = caller.organisation
    ways = ways_to_requests(caller)
    if caller.role is Role.AUDITOR:
        provided, paid = ways
        return [provided, and_(paid, request.c.provider != own)]
    if caller.role in (*PAYER_ROLES, Role.PANEL_MEMBER):
        return ways
    return [way for way in ways if way.compare(request.c.provider == own)]


def ways_to_counts(
    caller: Caller, provider: ColumnElement[str], commissioner: ColumnElement[str]
) -> list[ColumnElement[bool]]:
    """As `ways_to_sent_requests`, on rows that say of requests only whose they are.

    A panel has none: whose it is, such a row does not say.
    """
    own = caller.organisation
    if caller.role in WITHOUT_PATIENTS or caller.role is Role.PANEL_MEMBER:
        return []
    if caller.role in PAYER_ROLES:
        return [commissioner == own]
    if caller.role is Role.AUDITOR:
        return [provider == own, and_(commissioner == own, provider != own)]
    return [provider == own]


def replayed_requests(caller: Caller) -> ColumnElement[bool]:
    """Condition on `request`: what a replay of this caller's organisation decides again.

    An author sees no request; of what its organisation made or pays for it is told counts.
    """
    own = caller.organisation
    if caller.role is Role.COMMISSIONER:
        return request.c.commissioner == own
    if caller.role is Role.PHARMACIST:
        return request.c.provider == own
    return or_(request.c.provider == own, request.c.commissioner == own)


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
    provided: list[Way] = [(t.id, t.provider == own), (s.treatment_id, s.provider == own)]
    if caller.role is Role.AUDITOR:  # of what is asked of its trust, or supplied, it audits nothing
        return [*provided, (t.id, t.commissioner == own), (s.treatment_id, s.commissioner == own)]
    asked = and_(r.counterparty == own, r.state == RequestState.AWAITING_CONSENT)
    return [*provided, (r.treatment_id, asked), (supply.c.treatment_id, supplied_by(own))]


def supplied_by(own: str) -> ColumnElement[bool]:
    """Condition on `supply`: a segment in force that this provider supplies for another."""
    in_force = select(segment.c.id).where(
        segment.c.id == supply.c.segment_id, segment.c.superseded_at.is_(None)
    )
    return and_(supply.c.provider == own, exists(in_force.correlate(supply)))


def visible_treatments(caller: Caller, supplied: bool = True) -> ColumnElement[bool]:
    """Condition on `treatment`: what this caller's organisation may see.

    Without `supplied`: of these, not what it sees only because it supplies the drug for another.
    """
    return or_(
        false(),
        *(
            condition if column is treatment.c.id else _leads_here(column, condition)
            for column, condition in ways_to_see(caller)
            if supplied or column is not supply.c.treatment_id
        ),
    )


def followed_treatments(caller: Caller) -> ColumnElement[bool]:
    """Condition on `treatment`: those of which this caller's organisation sees every change.

    Whoever handed a treatment over, or only supplies it, is not told what others do with it.
    """
    if caller.role is Role.PANEL_MEMBER or caller.role in PAYER_ROLES:
        return visible_treatments(caller)
    own = caller.organisation
    asked = and_(request.c.counterparty == own, request.c.state == RequestState.AWAITING_CONSENT)
    whole = [treatment.c.provider == own]
    if caller.role is Role.AUDITOR:
        whole.append(treatment.c.commissioner == own)
    else:
        whole.append(_leads_here(request.c.treatment_id, asked))
    return and_(visible_treatments(caller), or_(*whole))


#: What may end or bring back days that another provider supplies. Whoever supplies them hears of
#: it, and of no other step. The database says the same: `0033_suppliers_hear_of_stops.py`.
TOLD_TO_SUPPLIERS: Final = (
    "treatment stopped",
    "treatment no longer stopped",
    "treatment not started",
    "treatment transferred",
)


def told_as_supplier(caller: Caller) -> ColumnElement[bool]:
    """Condition on `audit_event`: a step on a treatment that cut days which the caller's provider
    supplied, or brought them back; by the very act, so that a supplier of earlier days hears of
    nothing that came after them.
    """
    if caller.role in (*WITHOUT_PATIENTS, *PAYER_ROLES, Role.PANEL_MEMBER, Role.AUDITOR):
        return false()
    e, u = audit_event.c, supply.c
    own = and_(u.treatment_id == e.treatment_id, u.provider == caller.organisation)
    same_act = or_(u.superseded_at == e.at, u.recorded_at == e.at)
    return and_(
        e.action.in_(TOLD_TO_SUPPLIERS),
        e.object_type == "treatment",
        exists(select(u.segment_id).where(own, same_act).correlate(audit_event)),
    )


def is_elsewhere(caller: Caller, treatment: TreatmentRecord) -> bool:
    """Whether a provider's caller meets a treatment that its own hospital does not hold."""
    if caller.role is Role.PANEL_MEMBER or caller.role in PAYER_ROLES:
        return False
    return caller.organisation not in (treatment.provider, treatment.commissioner)


def _leads_here(column: ColumnElement[str], condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Some row that names the treatment fits. Correlated to the treatment alone, so that the
    condition means the same in a query that reads that table itself."""
    return exists(select(column).where(column == treatment.c.id, condition).correlate(treatment))
