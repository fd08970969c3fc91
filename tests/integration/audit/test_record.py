"""Events are recorded with the change that they tell of, numbered and signed."""

from decimal import Decimal

import sqlalchemy as sa

from app.audit import Actor, Event, record, trail, verify_rows
from app.db.tables import audit_event
from tests.conftest import Transact

PHARMACIST = Actor("a-1", "person", "DEMO1", "pharmacist", "portal", "c-1")


def test_events_of_one_object_are_numbered_and_read_back_as_they_were_recorded(
    transact: Transact, read: Transact
) -> None:
    first = Event("submit", "request", "r-1", request_id="r-1", after={"dose": Decimal("0.30")})
    second = Event("withdraw", "request", "r-1", request_id="r-1", before={"state": "live"})
    transact(lambda work: record(work, PHARMACIST, first))
    transact(lambda work: record(work, PHARMACIST, second))
    found = read(lambda work: trail(work, "request", "r-1"))
    assert [(e.object_number, e.action, e.before, e.after) for e in found] == [
        (1, "submit", None, {"dose": "0.30"}),
        (2, "withdraw", {"state": "live"}, None),
    ]
    assert {e.actor for e in found} == {PHARMACIST}
    assert read(verify_rows) == []
    assert read(lambda w: w.connection.scalar(sa.select(sa.func.count()).select_from(audit_event)))
