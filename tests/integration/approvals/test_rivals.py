"""Two who add the same at one moment: the second is answered as if the first had been there."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals import adopting, importing, notices, submitting
from app.approvals.errors import TransitionNotAllowed
from app.approvals.import_model import Verdict
from app.approvals.office import adopt
from app.auth.errors import CallerNotAccepted
from app.auth.model import Role
from app.auth.people import Person, Seat, grant, known_person
from app.db import tables
from app.db.work import Work
from app.reminders import asking
from tests.integration.approvals.test_importing import export, preview, row
from tests.integration.approvals.test_notices import REFER, TODAY
from tests.world import CLINICIAN, COMMISSIONER, PHARMACIST, TRIAL_POLICY, World, initiation

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database", ["postgres"], indirect=True),  # SQLite has one writer
]


def count(world: World, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return int(world.do(lambda work: work.connection.execute(query).scalar_one()))


def test_a_safety_notice(wide: World) -> None:
    def issue(work: Work) -> None:
        notices.issue(work, wide.office.library, REFER, "Ann", "Ben")

    assert isinstance(wide.rivals(issue, issue).exception(), TransitionNotAllowed)


def test_an_adoption(wide: World) -> None:
    version = wide.office.library.versions(TRIAL_POLICY)[-1]

    def both(work: Work) -> None:
        adopt(work, version, "DEMQ1", TODAY, "Ann", "Ben")

    refused = wide.rivals(both, both).exception()
    assert isinstance(refused, TransitionNotAllowed)
    assert "adopted that version already" in str(refused)


def test_a_new_patient_of_an_import_and_of_a_form(world: World) -> None:
    seen = preview(world, export(row(1)))

    def send(work: Work) -> Any:
        return submitting.submit_initiation(work, world.office, CLINICIAN, initiation())

    def accept(work: Work) -> Any:
        return importing.accept_import(work, world.office, PHARMACIST, seen.id)

    result = world.rivals(send, accept).result()
    assert [each.verdict for each in result.rows] == [Verdict.REJECTED]  # it is approved already
    assert count(world, tables.patient) == 1


def sign_in(work: Work) -> Person:
    made = known_person(
        work, CLINICIAN.actor(), issuer="https://staff.example", subject="one", name="Ann"
    )
    assert made is not None
    return made


def test_a_person_who_signs_in_for_the_first_time_in_two_browsers(wide: World) -> None:
    assert wide.rivals(sign_in, sign_in).result().name == "Ann"
    assert count(wide, tables.person) == 1


def test_a_person_who_asks_for_reminders_in_two_tabs(wide: World) -> None:
    caller = replace(CLINICIAN, id=wide.do(sign_in).id)

    def ask(work: Work) -> None:
        asking.ask(work, caller, "ann@nhs.example", ["nhs.example"])

    assert wide.rivals(ask, ask).exception() is None
    assert count(wide, tables.reminder_address) == 1


def test_a_role_that_two_grant_is_granted_once(wide: World) -> None:
    ann = wide.do(sign_in).id

    def give(work: Work) -> None:
        grant(work, CLINICIAN.actor(), ann, Seat("DEMO1", Role.PHARMACIST))

    assert isinstance(wide.rivals(give, give).exception(), CallerNotAccepted)
    assert count(wide, tables.person_role) == 1


def test_an_adoption_that_two_propose_waits_once(wide: World) -> None:
    caller = replace(COMMISSIONER, id=wide.do(sign_in).id)
    version = wide.office.library.versions(TRIAL_POLICY)[-1].version

    def propose(work: Work) -> object:
        library = wide.office.library_at(work)
        return adopting.propose_adoption(work, library, caller, TRIAL_POLICY, version, TODAY)

    assert isinstance(wide.rivals(propose, propose).exception(), TransitionNotAllowed)
    assert count(wide, tables.adoption_proposal) == 1
