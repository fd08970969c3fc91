"""Ending an adoption: from a day on, a version no longer decides for its commissioner.

The version that decides is that of the decision to treat (`office.adopted`), so the last day of an
adoption is a last day of decisions to treat. What was decided stays decided. A later form finds
the version unadopted and is referred to people: it is never approved by it, nor refused.
"""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.office import adopted_number, check_two_adopt, operator
from app.audit import Actor, Event, record
from app.db.tables import adoption
from app.db.work import Work
from app.policy import Overlay, PolicyVersion

_A_DAY = dt.timedelta(days=1)


def end_adoption(
    work: Work,
    version: PolicyVersion | Overlay,
    commissioner: str,
    from_day: dt.date,
    by: str,
    seconded_by: str,
    actor: Actor | None = None,
    *,
    registered: bool = False,
) -> None:
    """Record that a version, or its overlay, no longer decides for a commissioner from a day.

    It takes two people, as adopting does, and raises what `office.adopt` raises for them. Raises
    DetailsNotAccepted for a day that is past, since what was decided then stays decided, and
    TransitionNotAllowed where nothing is adopted from that day on. An adoption that would have
    begun later never holds. `actor` is who does it, where they signed in; without one it is an
    operator at the command line.
    """
    check_two_adopt(work, version, commissioner, by, seconded_by, registered=registered)
    check_can_end(work, version, commissioner, from_day)
    for row in _standing(work, version, commissioner, from_day):
        last = max(from_day, row.from_day) - _A_DAY
        work.connection.execute(
            sa.update(adoption).where(adoption.c.id == row.id).values(to_day=last)
        )
        event = Event(
            action="adoption ended",
            object_type="policy",
            object_id=version.policy,
            before={"from_day": row.from_day.isoformat(), "to_day": _iso(row.to_day)},
            after={
                "version": adopted_number(version),
                "to_day": last.isoformat(),
                "by": by.strip(),
                "seconded_by": seconded_by.strip(),
            },
            policy_hash=version.hash,
        )
        record(work, actor or operator(by, commissioner, "end adoption"), event)


def check_can_end(
    work: Work, version: PolicyVersion | Overlay, commissioner: str, from_day: dt.date
) -> None:
    """Raise unless the commissioner has an adoption of the version to end from that day on."""
    if from_day < work.moment.day:
        raise DetailsNotAccepted(
            "from_day",
            "An adoption ends from today or a later day: what was decided before stays decided. "
            "Choose one.",
        )
    if not _standing(work, version, commissioner, from_day):
        raise TransitionNotAllowed(
            "The commissioner has no adoption of that version on that day or later, so there is "
            "none to end. Look at its adoptions in the library."
        )


def _standing(
    work: Work, version: PolicyVersion | Overlay, commissioner: str, from_day: dt.date
) -> list[Any]:
    """The adoptions that hold on that day, or would from a later one, for this change."""
    query = (
        sa.select(adoption.c.id, adoption.c.from_day, adoption.c.to_day)
        .where(
            adoption.c.commissioner == commissioner,
            adoption.c.policy == version.policy,
            adoption.c.version == adopted_number(version),
            sa.or_(
                adoption.c.to_day.is_(None),
                sa.and_(adoption.c.to_day >= from_day, adoption.c.to_day >= adoption.c.from_day),
            ),
        )
        .order_by(adoption.c.from_day)
        .with_for_update()
    )
    return list(work.connection.execute(query))


def _iso(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()
