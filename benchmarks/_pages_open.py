"""What waits for somebody, for the pages' benchmark: a proposed link, a hand-over under way."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import sqlalchemy as sa
from fastapi import FastAPI

from app.approvals import handing
from app.auth.model import Caller
from app.db import jobs, tables
from app.db.work import Work
from app.reconciliation.linkage import store
from app.reconciliation.linkage.model import Candidate, FieldShown, Found, Proposed, Why

#: How many links are proposed of the run, of a line each: as many as a page has, and more.
LINKS: Final = 150
_FIELDS: Final = (
    FieldShown("nhs_number", "NHS number differs in one place", 12.5),
    FieldShown("birth_date", "Birth date is the same", 14.25),
    FieldShown("provider", "The same hospital", None),
)
_OF_RUN: Final = "SELECT id FROM linkage_proposal WHERE run_id = :run ORDER BY row LIMIT 1"
_APPROVALS: Final = (
    "SELECT a.reference, a.treatment_id FROM approval a WHERE a.commissioner = :organisation "
    "ORDER BY a.id LIMIT :count"
)
_WAITS: Final = (
    "SELECT id FROM hand_over WHERE organisation = :organisation AND state = :state LIMIT 1"
)


def open_link(application: FastAPI, owner: sa.Engine, caller: Caller, run: str) -> str:
    """An open proposal of a run, as a search would have left it; made where there is none."""
    with owner.connect() as connection:
        known = connection.execute(sa.text(_OF_RUN), {"run": run}).scalar()
        given = {"organisation": caller.organisation, "count": LINKS}
        approvals = connection.execute(sa.text(_APPROVALS), given).all()
    if known is not None:
        return str(known)
    found = Found(
        "linkage-1", tuple(map(_proposed, range(1, LINKS + 1), approvals)), dict[Why, int]()
    )
    own = application.state.door.acting_for(caller.organisation)
    own.transact(lambda work: store.add(work, caller, run, "0" * 64, found))
    return open_link(application, owner, caller, run)


def _proposed(row: int, approval: Any) -> Proposed:
    weight = sum(each.weight or 0 for each in _FIELDS)
    of = (approval.reference, approval.treatment_id, 0.98, weight, _FIELDS, "0" * 64, "0" * 64)
    return Proposed(row, f"{row:064x}.1", (Candidate(*of),), None, LINKS, "352.14")


def under_way(application: FastAPI, owner: sa.Engine, caller: Caller, proposed: str) -> str:
    """A hand-over that the worker has in hand, like the proposed one; made where there is none."""
    given = {"organisation": caller.organisation, "state": handing.UNDER_WAY}
    with owner.connect() as connection:
        known = connection.execute(sa.text(_WAITS), given).scalar()
    if known is not None:
        return str(known)

    def queue(work: Work) -> str:
        table, id_ = tables.hand_over, work.new_id()
        like = work.connection.execute(sa.select(table).where(table.c.id == proposed)).mappings()
        row = {**like.one(), "id": id_, "state": handing.UNDER_WAY}
        work.connection.execute(sa.insert(table).values(**row))
        payload = {"hand_over": id_, "caller": asdict(caller)}
        jobs.enqueue(
            work,
            handing.JOB,
            organisation=caller.organisation,
            created_by=caller.id,
            payload=payload,
        )
        return id_

    return str(application.state.door.acting_for(caller.organisation).transact(queue))
