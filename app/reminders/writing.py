"""Write today's digests into the outbox, for those who asked and still hold their role."""

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.auth.model import Caller, Role
from app.auth.people import Seat, active_person, granted
from app.db.tables import person_role, reminder_address, session
from app.db.work import Work
from app.reminders import outbox
from app.reminders.counting import what_waits
from app.reminders.wording import body_of, subject_of

#: No digest is written before this hour in London.
FROM_HOUR: Final = 7
#: A role that the provider gives is known from signing in. Who has not for so long gets no more.
SEEN_WITHIN: Final = dt.timedelta(days=60)
_LONDON: Final = ZoneInfo("Europe/London")


def organisations(work: Work) -> tuple[str, ...]:
    """Those at which somebody asked for reminders; none before the hour."""
    if work.moment.instant.astimezone(_LONDON).hour < FROM_HOUR:
        return ()
    query = sa.select(reminder_address.c.organisation).distinct()
    return tuple(sorted(work.connection.execute(query).scalars()))


def write_digests(work: Work, organisation: str, home: str, page: str) -> int:
    """Write the digests of one organisation that today has none of yet; returns how many.

    `home` and `page` are the addresses of the worklist and of the reminders' page. Where nothing
    waits nothing is written: it is looked at again as long as the day lasts.
    """
    c = reminder_address.c
    asked = work.connection.execute(
        sa.select(reminder_address)
        .where(c.organisation == organisation, c.refused_at.is_(None))
        .order_by(c.id)
    ).all()
    written = 0
    for row in asked:
        role = Role(row.role)
        if outbox.has(work, organisation, row.person_id):
            continue
        if not still_holds(work, row.person_id, Seat(organisation, role)):
            continue
        counts = what_waits(work, _reader(row.person_id, organisation, role))
        if counts:
            subject = subject_of(organisation, counts)
            body = body_of(organisation, role, work.moment.day, counts, home=home, page=page)
            written += outbox.put(work, organisation, row.person_id, row.address, subject, body)
    return written


def still_holds(work: Work, person_id: str, seat: Seat) -> bool:
    """Whether a person may still act in a role, as far as it is known without them.

    A role granted here is known at once. One that the provider names is known from the sessions
    that it opened; where it was granted here as well and taken back, nobody is reminded.
    """
    if active_person(work, person_id) is None:
        return False
    if seat in granted(work, person_id):
        return True
    c = person_role.c
    withdrawn = sa.select(c.id).where(
        c.person_id == person_id,
        c.organisation == seat.organisation,
        c.role == seat.role.value,
        c.revoked_at.is_not(None),
    )
    if work.connection.execute(withdrawn).first() is not None:
        return False
    since = work.moment.instant - SEEN_WITHIN
    offered = sa.select(session.c.choices).where(
        session.c.person_id == person_id, session.c.created_at >= since
    )
    wanted = seat.as_json()
    return any(wanted in choices for choices in work.connection.execute(offered).scalars())


def _reader(person_id: str, organisation: str, role: Role) -> Caller:
    return Caller(
        id=person_id,
        name="",
        kind="system",
        organisation=organisation,
        role=role,
        client="reminders",
        correlation_id="reminders",
    )
