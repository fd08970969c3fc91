"""Whether a treatment stands covered: computed from its approvals and segments, never stored.

Asked of treatments of any provider, since a person has one live approval for a drug and indication;
callers of the service learn no more than the answer.
"""

import datetime as dt

from app.approvals import added, store
from app.approvals.lifecycle import ApprovalState
from app.approvals.model import TreatmentRecord
from app.db.work import Work

#: Approvals that count: whether one still covers a day follows from its segments.
STANDING = frozenset({ApprovalState.LIVE, ApprovalState.UNDER_QUERY})


def has_standing(work: Work, treatment_id: str) -> bool:
    """Whether any approval of the treatment was neither ended nor taken back; it may be past."""
    with added.beyond_scope_of(work, treatment_id):
        return any(a.state in STANDING for a in store.approvals_of(work, treatment_id))


def phase_clock(work: Work, treatment_id: str, first_dose: dt.date | None) -> dt.date | None:
    """The day from which phases count: the first dose, else the first day ever covered."""
    if first_dose is not None:
        return first_dose
    return min((a.covers_from for a in store.approvals_of(work, treatment_id)), default=None)


def covered_to(work: Work, treatment_id: str) -> tuple[bool, dt.date | None]:
    """Whether the treatment has standing coverage at all, and its last covered day (None: open)."""
    with added.beyond_scope_of(work, treatment_id):
        approvals = store.approvals_of(work, treatment_id)
        segments = store.segments_of(work, treatment_id)
    standing = {a.id for a in approvals if a.state in STANDING}
    days = [s.to_day for s in segments if s.kind == "coverage" and s.approval_id in standing]
    if not days:
        return False, None
    return True, None if None in days else max(d for d in days if d is not None)


def is_live(work: Work, treatment: TreatmentRecord, on: dt.date) -> bool:
    """Whether an approval of the treatment still covers a day or one after it."""
    found, to_day = covered_to(work, treatment.id)
    return found and treatment.stopped_on is None and (to_day is None or to_day >= on)
