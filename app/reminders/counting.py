"""What waits for somebody of a role at an organisation, as counts. No patient is in them.

Counted is what the home page lists, without what no reminder is about: treatments that have ended
and patients who have died (ADR 38).
"""

import datetime as dt
from collections.abc import Iterator
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select

from app.approvals.deaths import has_died
from app.approvals.due import SOON, WITHIN, count_due, count_lapsing
from app.approvals.lifecycle import RequestState
from app.approvals.model import Route
from app.approvals.permissions import Action, can, check_can
from app.approvals.waiting import count_waiting
from app.auth.model import Caller, Role
from app.db.tables import draft, request, treatment
from app.db.work import Work
from app.reminders.model import Count, Reason

_DAY: Final = dt.timedelta(days=1)


_S = RequestState
#: Role → what waits for it, in which states, and whether of its own organisation only.
QUEUES: Final[dict[Role, tuple[tuple[Reason, tuple[RequestState, ...], bool], ...]]] = {
    Role.CLINICIAN: (
        (Reason.ANSWER, (_S.MORE_INFORMATION_NEEDED, _S.RETURNED), True),
        (Reason.CONSENT, (_S.AWAITING_CONSENT,), False),
    ),
    Role.DELEGATE: ((Reason.ANSWER, (_S.MORE_INFORMATION_NEEDED, _S.RETURNED), True),),
    Role.PHARMACIST: (
        (Reason.AUTHORISE, (_S.AWAITING_AUTHORISATION,), True),
        (Reason.ANSWER, (_S.MORE_INFORMATION_NEEDED, _S.RETURNED), True),
        (Reason.CONSENT, (_S.AWAITING_CONSENT,), False),
    ),
    Role.PANEL_MEMBER: ((Reason.PANEL, (_S.REFERRED,), False),),
    Role.COMMISSIONER: ((Reason.PAYER, (_S.REFERRED,), False),),
}


def what_waits(work: Work, caller: Caller) -> tuple[Count, ...]:
    """Every reason for which something waits for the caller's role, with how many. None is zero.

    Raises NotAllowed for a role that is reminded of nothing.
    """
    check_can(caller, Action.REMIND)
    return tuple(each for each in _counted(work, caller) if each.number)


def _counted(work: Work, caller: Caller) -> Iterator[Count]:
    for reason, states, own in QUEUES[caller.role]:
        which = _goes_on()
        if reason is Reason.CONSENT:
            which = and_(which, request.c.counterparty == caller.organisation)
        elif reason is Reason.PAYER:  # what a panel is asked waits for the panel
            asked = or_(request.c.panel.is_(None), request.c.route != Route.POLICY)
            which = and_(which, asked)
        yield Count(reason, count_waiting(work, caller, states, which, own=own))
    if not can(caller, Action.PREPARE):
        return
    yield Count(Reason.DRAFTS, _prepared(work, caller))
    today = work.moment.day
    for reason, first, last in (
        (Reason.ENDED, today - WITHIN, today - _DAY),
        (Reason.SOON, today, today + SOON),
        (Reason.LATER, today + SOON + _DAY, today + WITHIN),
    ):
        yield Count(reason, count_due(work, caller, first, last, _goes_on()))
    lapsing = count_lapsing(work, caller, today, today + SOON, _goes_on())
    yield Count(Reason.LAPSES, lapsing)


def _goes_on() -> ColumnElement[bool]:
    """Condition on `treatment`: it may be told of in a message.

    Also where the patient objects to display: a number shows nobody, and an approval that lapses
    unseen is the worse harm (ADR 58).
    """
    return and_(
        treatment.c.stopped_on.is_(None),
        treatment.c.not_started_on.is_(None),
        ~has_died(treatment.c.patient_id),
    )


def _prepared(work: Work, caller: Caller) -> int:
    """The organisation's open forms that somebody else changed last. Whose a first form is, is not
    known before it is sent."""
    goes_on = select(treatment.c.id).where(_goes_on())
    query = (
        select(func.count())
        .select_from(draft)
        .where(
            draft.c.organisation == caller.organisation,
            draft.c.submitted_request.is_(None),
            draft.c.discarded_at.is_(None),
            draft.c.changed_by != caller.id,
            or_(draft.c.treatment_id.is_(None), draft.c.treatment_id.in_(goes_on)),
        )
    )
    return int(work.connection.execute(query).scalar_one())
