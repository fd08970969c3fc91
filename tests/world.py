"""A small world of invented people, hospitals and forms for the tests of approvals."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from app.approvals.model import InitiationCommand, PatientDetails
from app.approvals.office import Office, change_setting
from app.auth.model import Caller, Role
from app.clock import london_day
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.reference_data.nhs_number import test_number as invented_nhs_number

T = TypeVar("T")
POLICIES = Path(__file__).parents[1] / "policies"


def person(role: Role, organisation: str) -> Caller:
    return Caller(
        id=f"{role.value}-{organisation}"[:36],
        name=f"{role.value} of {organisation}",
        kind="person",
        organisation=organisation,
        role=role,
        client="tests",
        correlation_id="test",
    )


CLINICIAN = person(Role.CLINICIAN, "DEMO1")
PHARMACIST = person(Role.PHARMACIST, "DEMO1")
DELEGATE = person(Role.DELEGATE, "DEMO1")
OTHER_CLINICIAN = person(Role.CLINICIAN, "DEMO2")
COMMISSIONER = person(Role.COMMISSIONER, "DEMQ1")
OTHER_COMMISSIONER = person(Role.COMMISSIONER, "DEMQ2")
PANEL_MEMBER = person(Role.PANEL_MEMBER, "DEMP1")
AUTHOR = person(Role.POLICY_AUTHOR, "DEMQ1")
AUDITOR = person(Role.AUDITOR, "DEMO1")

ADALIMUMAB = {
    "ra_diagnosis": True,
    "das28_at_start": {"value": "6.0"},
    "csdmards": [
        {"drug": "methotrexate", "in_combination": True, "responded": False},
        {"drug": "other", "in_combination": True, "responded": False},
    ],
    "with_methotrexate": True,
    "least_expensive": True,
    "screened": True,
    "active_infection": False,
    "dose_mg": {"value": "40", "unit": "mg"},
    "dose_interval_days": {"value": 14, "unit": "days"},
}
ADALIMUMAB_REVIEW = {
    "das28_now": "4.0",
    "with_methotrexate": True,
    "dose_mg": {"value": "40", "unit": "mg"},
    "dose_interval_days": {"value": 14, "unit": "days"},
    "active_infection": False,
    "intolerable_effects": False,
}


def patient(sequence: int = 1, **changes: Any) -> PatientDetails:
    details = PatientDetails(
        birth_date=dt.date(1970, 1, 1),
        sex="female",
        nhs_number=invented_nhs_number(sequence),
        local_id=f"H{sequence:06d}",
    )
    return replace(details, **changes)


def initiation(**changes: Any) -> InitiationCommand:
    command = InitiationCommand(
        policy="adalimumab-ra-severe",
        commissioner="DEMQ1",
        patient=patient(),
        decision_to_treat=dt.date(2026, 6, 10),
        answers=dict(ADALIMUMAB),
    )
    return replace(command, **changes)


@dataclass
class World:
    """The service on one database, with a clock that the test turns."""

    database: Database
    office: Office
    moment: Moment
    new_id: Callable[[], str]
    random_bytes: Callable[[int], bytes]

    def do(self, use_case: Callable[[Work], T]) -> T:
        return self.database.transact(
            use_case, moment=self.moment, new_id=self.new_id, random_bytes=self.random_bytes
        )

    def on(self, day: dt.date) -> None:
        instant = dt.datetime(day.year, day.month, day.day, 11, 0, tzinfo=dt.UTC)
        self.moment = Moment(instant, london_day(instant))

    def set(self, organisation: str, name: str, value: Any) -> None:
        day = dt.date(2000, 1, 1)
        self.do(lambda work: change_setting(work, organisation, name, value, day, "tests"))
