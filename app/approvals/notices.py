"""Safety notices in the database: issued and lifted by two people, without a release."""

import datetime as dt
import re
from dataclasses import replace

from sqlalchemy import insert, select, update

from app.approvals.details import details_from_json
from app.approvals.errors import DetailsNotAccepted, TransitionNotAllowed
from app.approvals.library import Library
from app.approvals.model import RequestRecord
from app.approvals.office import same_person
from app.audit import Actor, Event, record
from app.db import tables
from app.db.work import Work
from app.policy import Kind, Notice, PolicyVersion
from app.policy.notices import in_force, notice_from_json, notice_to_json, reason_of

_NAME = re.compile("[a-z0-9][a-z0-9-]{0,59}")


def notices_today(
    work: Work, library: Library, version: PolicyVersion, begun_on: dt.date | None
) -> tuple[Notice, ...]:
    """The notices, packaged and issued, that suspend a start under the version today."""
    known = (*library.notices, *issued(work))
    return in_force(known, version.drug, version.policy, work.moment.day, begun_on)


def check_may_begin(
    work: Work,
    library: Library,
    request: RequestRecord,
    version: PolicyVersion,
    panel_decided_on: dt.date | None,
) -> None:
    """Raise TransitionNotAllowed where a notice keeps a waiting new start from being approved.

    A panel that decides while a notice is in force may approve under one that only refers; what
    the policy approved, or a panel before the notice, may not begin under any.
    """
    if request.kind is not Kind.INITIATION:
        return
    begun_on = details_from_json(request.details).started_on or request.first_dose
    for notice in notices_today(work, library, version, begun_on):
        known_to_panel = panel_decided_on is not None and panel_decided_on >= notice.from_
        if notice.refuses or not known_to_panel:
            raise TransitionNotAllowed(
                f"{reason_of(notice)} Return or decline the request. A running treatment is not "
                "touched."
            )


def issued(work: Work) -> tuple[Notice, ...]:
    """The notices in the database, oldest first, each with the day it was lifted."""
    column = tables.safety_notice.c
    rows = work.connection.execute(
        select(column.notice, column.lifted_on).order_by(column.issued_at, column.name)
    )
    return tuple(replace(notice_from_json(row.notice), lifted=row.lifted_on) for row in rows)


def issue(work: Work, notice: Notice, by: str, seconded_by: str) -> None:
    """Let a notice suspend new starts from its first day, by two people, with its audit event.

    Raises DetailsNotAccepted for one person, TransitionNotAllowed for a name that is taken.
    """
    _check_two(by, seconded_by)
    told = notice.title.strip() and notice.reason.strip()
    if not told or _NAME.fullmatch(notice.name) is None:
        raise DetailsNotAccepted(
            "name",
            "A notice has a title, a reason, and a name of at most 60 small letters, digits and "
            "hyphens. Correct them.",
        )
    if any(each.name == notice.name for each in issued(work)):
        raise TransitionNotAllowed("A notice of that name was issued already. Choose another name.")
    work.connection.execute(
        insert(tables.safety_notice).values(
            name=notice.name,
            notice=notice_to_json(notice),
            issued_by=by.strip(),
            issue_seconded_by=seconded_by.strip(),
            issued_at=work.moment.instant,
        )
    )
    _audit(work, "safety notice issued", notice.name, by, seconded_by, notice.from_)


def lift(work: Work, name: str, on: dt.date, by: str, seconded_by: str) -> None:
    """Let new starts go on again from a day, by two people; refusals as for `issue`."""
    _check_two(by, seconded_by)
    found = [each for each in issued(work) if each.name == name and each.lifted is None]
    if not found:
        raise TransitionNotAllowed("No notice of that name is in force. Check the name.")
    if on < found[0].from_:
        raise DetailsNotAccepted("on", "The notice cannot be lifted before it began.")
    work.connection.execute(
        update(tables.safety_notice)
        .where(tables.safety_notice.c.name == name)
        .values(lifted_on=on, lifted_by=by.strip(), lift_seconded_by=seconded_by.strip())
    )
    _audit(work, "safety notice lifted", name, by, seconded_by, on)


def _check_two(by: str, seconded_by: str) -> None:
    named = all(0 < len(each.strip()) <= 120 for each in (by, seconded_by))
    if not named or same_person(by, seconded_by):
        raise DetailsNotAccepted(
            "seconded_by", "A safety notice takes two people. Name a second one, not the same."
        )


def _audit(work: Work, action: str, name: str, by: str, seconded_by: str, on: dt.date) -> None:
    actor = Actor(by.strip()[:36], "person", "", "policy author", "command line", "notice")
    people = {"by": by.strip(), "seconded_by": seconded_by.strip(), "on": on.isoformat()}
    record(work, actor, Event(action, "safety notice", name[:60], after=people))
