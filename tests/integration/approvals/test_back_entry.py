"""A form signed on paper during downtime and entered later: marked, and never silently back."""

import datetime as dt
import json

import pytest
import sqlalchemy as sa

from app.approvals.amending import amend
from app.approvals.details import details_from_json
from app.approvals.downtime import BACK_ENTRY_COVERS
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import PaperForm, RequestDetails
from app.auth.errors import NotAllowed
from app.db.tables import audit_event, audit_payload
from tests.world import ADALIMUMAB, CLINICIAN, COMMISSIONER, World

SIGNED = dt.datetime(2026, 6, 12, 14, 20, tzinfo=dt.UTC)
PAPER = PaperForm("consultant rheumatologist", SIGNED, "downtime")
DETAILS = RequestDetails(paper=PAPER)
ENTERED = dt.date(2026, 6, 15)  # the day of the fixtures


def test_without_the_commissioners_leave_it_covers_from_the_day_of_entry(world: World) -> None:
    view = world.submit(details=DETAILS)

    assert details_from_json(view.request.details).paper == PAPER
    assert view.approval is not None
    assert view.approval.covers_from == ENTERED
    assert not view.approval.late


def test_with_it_it_covers_from_the_signature_and_is_marked_late(world: World) -> None:
    world.set("DEMQ1", BACK_ENTRY_COVERS, True)

    view = world.submit(details=DETAILS)

    assert view.approval is not None
    assert view.approval.covers_from == SIGNED.date()
    assert view.approval.late


def test_another_commissioners_leave_is_not_enough(world: World) -> None:
    world.set("DEMQ2", BACK_ENTRY_COVERS, True)

    view = world.submit(details=DETAILS)

    assert view.approval is not None
    assert view.approval.covers_from == ENTERED


def test_a_back_entry_amended_later_covers_from_its_amendment(world: World) -> None:
    world.set("DEMQ1", BACK_ENTRY_COVERS, True)
    answers = {name: value for name, value in ADALIMUMAB.items() if name != "das28_at_start"}

    view = world.submit(details=DETAILS, answers=answers)
    assert view.approval is None
    more = {"das28_at_start": "5.8"}
    amended = world.do(
        lambda work: amend(
            work, world.office, CLINICIAN, view.request.id, more, view.request.version
        )
    )

    assert amended.approval is not None
    assert amended.approval.covers_from == ENTERED


def test_the_audit_log_has_both_times_and_whether_it_covers_back(world: World) -> None:
    view = world.submit(details=DETAILS)

    event, payload = audit_event.c, audit_payload.c
    query = sa.select(payload.body).join(audit_event, event.payload_id == payload.id)
    query = query.where(event.action == "back-entered", event.object_id == view.request.id)
    told = world.do(lambda work: work.connection.execute(query).scalars().all())

    assert len(told) == 1
    after = json.dumps(json.loads(told[0]))
    assert "2026-06-12T14:20" in after
    assert view.request.submitted_at.isoformat()[:16] in after
    assert '"covers_from_signature": false' in after


def test_too_old_a_form_or_another_role_is_refused(world: World) -> None:
    old = RequestDetails(paper=PaperForm("registrar", SIGNED - dt.timedelta(days=5), "downtime"))

    with pytest.raises(DetailsNotAccepted, match="within 7 days"):
        world.submit(details=old, decision_to_treat=dt.date(2026, 6, 1))
    with pytest.raises(NotAllowed):
        world.submit(COMMISSIONER, details=DETAILS)
