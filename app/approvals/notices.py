"""Safety notices in the database: issued, and lifted, by two people, without a release.

A packaged notice is lifted here too; its file then still says that it holds, and is not asked.
"""

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
from app.auth.holders import check_two_named
from app.db import tables
from app.db.statements import Statement
from app.db.work import Work
from app.policy import Kind, Notice, PolicyVersion
from app.policy.notices import in_force, notice_from_json, notice_to_json, reason_of

_column = tables.safety_notice.c
_ISSUED = Statement(
    select(_column.notice, _column.lifted_on).order_by(_column.issued_at, _column.name)
)
_NAME = re.compile("[a-z0-9][a-z0-9-]{0,59}")


def notices_today(
    work: Work, library: Library, version: PolicyVersion, begun_on: dt.date | None
) -> tuple[Notice, ...]:
    """The notices, packaged and issued, that suspend a start under the version today."""
    return in_force(known(work, library), version.drug, version.policy, work.moment.day, begun_on)


def known(work: Work, library: Library) -> tuple[Notice, ...]:
    """Every notice, packaged and issued, each with the day it was lifted."""
    return (*_packaged(work, library), *issued(work))


def suspending_funding(
    work: Work, library: Library, drug: str, request: RequestRecord
) -> tuple[Notice, ...]:
    """The notices that suspend what a commissioner is asked to fund by itself: a new start."""
    if request.kind is not Kind.INITIATION:
        return ()
    return in_force(known(work, library), drug, request.policy, work.moment.day, _begun_on(request))


def _begun_on(request: RequestRecord) -> dt.date | None:
    return details_from_json(request.details).started_on or request.first_dose


def _packaged(work: Work, library: Library) -> tuple[Notice, ...]:
    """The packaged notices; of the file's own day and the one recorded here, the earlier lifts."""
    if not library.notices:
        return ()
    column = tables.notice_lift.c
    rows = work.connection.execute(select(column.name, column.from_day, column.lifted_on))
    lifted = {(row.name, row.from_day): row.lifted_on for row in rows}
    found = []
    for each in library.notices:
        days = [day for day in (each.lifted, lifted.get((each.name, each.from_))) if day]
        found.append(replace(each, lifted=min(days, default=None)))
    return tuple(found)


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
    for notice in notices_today(work, library, version, _begun_on(request)):
        known_to_panel = panel_decided_on is not None and panel_decided_on >= notice.from_
        if notice.refuses or not known_to_panel:
            raise TransitionNotAllowed(
                f"{reason_of(notice)} Return or decline the request. A running treatment is not "
                "touched."
            )


def issued(work: Work) -> tuple[Notice, ...]:
    """The notices in the database, oldest first, each with the day it was lifted."""
    rows = work.ask(_ISSUED, {})
    return tuple(replace(notice_from_json(row["notice"]), lifted=row["lifted_on"]) for row in rows)


def issue(
    work: Work,
    library: Library,
    notice: Notice,
    by: str,
    seconded_by: str,
) -> None:
    """Let a notice suspend new starts from its first day, by two people, with its audit event.

    Raises DetailsNotAccepted for one person, TransitionNotAllowed for a name that is taken, and
    CallerNotAccepted where both names stand for one registered person. They need not be registered:
    it only holds back, and at night it cannot wait.
    """
    _check_two(work, by, seconded_by, registered=False)
    told = notice.title.strip() and notice.reason.strip()
    if not told or _NAME.fullmatch(notice.name) is None:
        raise DetailsNotAccepted(
            "name",
            "A notice has a title, a reason, and a name of at most 60 small letters, digits and "
            "hyphens. Correct them.",
        )
    if any(each.name == notice.name for each in known(work, library)):
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


def lift(
    work: Work,
    library: Library,
    name: str,
    on: dt.date,
    by: str,
    seconded_by: str,
    *,
    registered: bool = False,
) -> None:
    """Let new starts go on again from a day, by two people; refusals as for `issue`.

    With `registered` also CallerNotAccepted where a name stands for no registered person.
    """
    _check_two(work, by, seconded_by, registered=registered)
    packaged, from_database = (
        [each for each in found if each.name == name and each.lifted is None]
        for found in (_packaged(work, library), issued(work))
    )
    found = [*packaged, *from_database]
    if not found:
        raise TransitionNotAllowed("No notice of that name is in force. Check the name.")
    if on < found[0].from_:
        raise DetailsNotAccepted("on", "The notice cannot be lifted before it began.")
    for notice in packaged:
        _lift_packaged(work, notice, on, by, seconded_by)
    for notice in from_database:
        _lift_issued(work, notice, on, by, seconded_by)
    _audit(work, "safety notice lifted", name, by, seconded_by, on)


def _lift_packaged(work: Work, notice: Notice, on: dt.date, by: str, seconded_by: str) -> None:
    work.connection.execute(
        insert(tables.notice_lift).values(
            name=notice.name,
            from_day=notice.from_,
            lifted_on=on,
            lifted_by=by.strip(),
            seconded_by=seconded_by.strip(),
            recorded_at=work.moment.instant,
        )
    )


def _lift_issued(work: Work, notice: Notice, on: dt.date, by: str, seconded_by: str) -> None:
    work.connection.execute(
        update(tables.safety_notice)
        .where(tables.safety_notice.c.name == notice.name)
        .values(lifted_on=on, lifted_by=by.strip(), lift_seconded_by=seconded_by.strip())
    )


def _check_two(work: Work, by: str, seconded_by: str, *, registered: bool) -> None:
    named = all(0 < len(each.strip()) <= 120 for each in (by, seconded_by))
    if not named or same_person(by, seconded_by):
        raise DetailsNotAccepted(
            "seconded_by", "A safety notice takes two people. Name a second one, not the same."
        )
    check_two_named(work, by, seconded_by, registered=registered)


def _audit(work: Work, action: str, name: str, by: str, seconded_by: str, on: dt.date) -> None:
    actor = Actor(by.strip()[:36], "person", "", "policy author", "command line", "notice")
    people = {"by": by.strip(), "seconded_by": seconded_by.strip(), "on": on.isoformat()}
    record(work, actor, Event(action, "safety notice", name[:60], after=people))
