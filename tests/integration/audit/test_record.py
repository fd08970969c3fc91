"""Events are recorded with the change that they tell of, numbered and signed."""

from decimal import Decimal

import pytest

from app.audit import Event, UnauditableValue, record, request_trail, trail, verify_rows
from app.db.tables import audit_event, audit_payload, patient
from app.db.work import Work
from tests.conftest import Transact
from tests.integration.audit.rows import PHARMACIST, note
from tests.integration.db.rows import add_patient, count


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


def test_a_requests_trail_holds_the_events_of_all_its_objects_in_order(
    transact: Transact, read: Transact
) -> None:
    for object_type, object_id, request_id in (
        ("request", "r-1", "r-1"),
        ("approval", "a-1", "r-1"),
        ("request", "r-2", "r-2"),
        ("request", "r-1", "r-1"),
    ):
        event = Event("change", object_type, object_id, request_id=request_id)
        transact(lambda work, e=event: record(work, PHARMACIST, e))
    found = read(lambda work: request_trail(work, "r-1"))
    assert [(e.object_type, e.object_number) for e in found] == [
        ("request", 1),
        ("approval", 1),
        ("request", 2),
    ]


def test_an_event_without_a_payload_has_no_payload_row(transact: Transact, read: Transact) -> None:
    transact(lambda work: record(work, PHARMACIST, Event("read", "request", "r-1")))
    (entry,) = read(lambda work: trail(work, "request", "r-1"))
    assert (entry.before, entry.after, entry.erased_at) == (None, None, None)
    assert read(lambda work: count(work, audit_payload)) == 0


def test_a_change_that_is_undone_leaves_no_event_and_no_payload(
    transact: Transact, read: Transact
) -> None:
    def refused(work: Work) -> None:
        add_patient(work)
        note(work)
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        transact(refused)
    for table in (patient, audit_event, audit_payload):
        assert read(lambda work, t=table: count(work, t)) == 0


def test_a_change_whose_event_cannot_be_recorded_is_undone(
    transact: Transact, read: Transact
) -> None:
    def unrecorded(work: Work) -> None:
        add_patient(work)
        record(work, PHARMACIST, Event("change", "patient", "p-1", after={"weight": 70.5}))

    with pytest.raises(UnauditableValue):
        transact(unrecorded)
    assert read(lambda work: count(work, patient)) == 0
