"""The treatment with the longest history, for the pages' benchmark: nine years at one hospital."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from typing import Any, Final

import sqlalchemy as sa

from app.approvals.errors import RequestAlreadyOpen
from app.approvals.library_files import load_library
from app.approvals.office import PHARMACIST_AUTHORISATION, Office
from app.db.transaction import Database
from app.policy import Kind
from benchmarks.two_million_states import DAY, KEY
from tests.world import ADALIMUMAB_REVIEW, CLINICIAN, POLICIES, World, patient

BEGAN: Final = dt.date(2018, 1, 8)
#: How often a continuation is tried; where one was sent treatment pauses later, and is resumed.
APART: Final = dt.timedelta(days=28)
PAUSED: Final = (dt.timedelta(days=7), dt.timedelta(days=21))
#: Of the invented NHS numbers, one that the copies leave free.
PERSON: Final = 53
_FOUND: Final = """
SELECT p.nhs_number, i.local_id, p.birth_date, t.id FROM treatment t
JOIN patient p ON p.id = t.patient_id
JOIN patient_identifier i ON i.patient_id = p.id AND i.organisation = 'DEMO1'
WHERE i.local_id = :local_id
"""


def longest(owner: sa.Engine) -> Any:
    """The treatment as a line of a file names it, with its id; made where there is none."""
    found = _found(owner)
    if found is None:
        _make(owner)
        found = _found(owner)
    assert found is not None
    return found


def _found(owner: sa.Engine) -> Any:
    given = {"local_id": patient(PERSON).local_id}
    with owner.connect() as connection:
        return connection.execute(sa.text(_FOUND), given).one_or_none()


def _make(owner: sa.Engine) -> None:
    world = World(
        Database(owner, KEY),
        Office(load_library(POLICIES), demonstration=True),
        moment=None,  # type: ignore[arg-type]  # set by `on`, next
        new_id=lambda: str(uuid.uuid4()),
        random_bytes=secrets.token_bytes,
    )
    world.on(DAY + dt.timedelta(days=1))  # the newest word counts: `two_million_states` wants it
    world.set("DEMO1", PHARMACIST_AUTHORISATION, False)
    world.on(BEGAN)
    begun = world.submit(CLINICIAN, patient=patient(PERSON), decision_to_treat=BEGAN)
    treatment = begun.request.treatment_id
    world.first_dose(treatment, BEGAN)
    day = BEGAN + APART
    while day < DAY:
        world.on(day)
        try:
            world.carry_on(treatment, decision_to_treat=day, answers=dict(ADALIMUMAB_REVIEW))
        except RequestAlreadyOpen:  # the last one has not begun yet
            day += APART
            continue
        from_, to = (day + after for after in PAUSED)
        if to < DAY:
            world.on(from_)
            world.change(treatment, Kind.PAUSE, from_day=from_)
            world.on(to)
            world.change(treatment, Kind.RESUME, from_day=to)
        day += APART
    world.on(DAY + dt.timedelta(days=2))
    world.set("DEMO1", PHARMACIST_AUTHORISATION, True)
