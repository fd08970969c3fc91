"""A small world of invented people, hospitals and forms for the tests of approvals."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from app.approvals import changing, starting, submitting
from app.approvals.model import (
    FollowUpCommand,
    InitiationCommand,
    PatientDetails,
    RequestDetails,
    RequestView,
    TreatmentView,
)
from app.approvals.office import Office, change_setting
from app.approvals.views import request_view, treatment_view
from app.auth.model import Caller, Role
from app.clock import london_day
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.policy import Kind
from app.reference_data.nhs_number import test_number as invented_nhs_number
from tests.integration.db.together import within

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

TRIAL_POLICY = "trial-policy"
TRIAL_ANSWERS = {"score": "6.0", "risk": False, "usual": True}
TRIAL_REVIEW = {"score_now": "3.0"}
#: An invented policy with what the packaged ones lack: waivers, grace, permitted late forms.
TRIAL_TEXT = """
policy: trial-policy
title: An invented policy
language: 1
drug: natalizumab
indication: {key: invented, term: An invented indication}
commissioner: Nobody
mechanism: prior_approval
in_force: {from: 2020-01-01}
what_changed: Nothing.
sources:
  made_up: {title: Made up for tests, read_on: 2026-01-01}
questions:
  score: {type: number, label: Score before, minimum: 0, maximum: 10, decimals: 1, carried: true}
  score_now: {type: number, label: Score now, minimum: 0, maximum: 10, decimals: 1}
  risk: {type: boolean, label: At risk}
  usual: {type: boolean, label: The usual case}
start:
  - {id: T-1, text: The score is high, met_when: score >= 5, source: made_up,
     evidence: verified, waivable: true}
  - {id: T-2, text: Not at risk, met_when: NOT risk, source: made_up, evidence: verified}
  - {id: T-3, text: The usual case, met_when: usual, source: made_up, evidence: verified,
     on_failure: refer}
continue:
  - {id: T-C1, text: The score fell, met_when: score_now < score, source: made_up,
     evidence: verified}
stop:
  - {id: T-S1, text: The score is very high, met_when: score_now > 9, source: made_up,
     evidence: verified}
approval:
  pattern: rolling
  lasts: {months: 12}
  start_within: {days: 90}
  grace: {days: 28}
  retrospective: {days: 14, reasons: {urgent: Could not wait}}
  max_dose: {amount: "300", unit: mg, per: 28 days}
  products: [tysabri]
  interchangeable: false
  source: made_up
  evidence: verified
"""


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

    def rivals(self, first: Callable[[Work], Any], second: Callable[[Work], T]) -> Future[T]:
        """What comes of the second, begun when all of the first is done but its commit."""

        def halting(halt: Callable[[], None]) -> None:
            def run(work: Work) -> None:
                first(work)
                work.send()
                halt()

            self.do(run)

        return within(self.database, halting, lambda: self.do(second))

    def on(self, day: dt.date) -> None:
        instant = dt.datetime(day.year, day.month, day.day, 11, 0, tzinfo=dt.UTC)
        self.moment = Moment(instant, london_day(instant))

    def set(self, organisation: str, name: str, value: Any) -> None:
        day = dt.date(2000, 1, 1)
        self.do(lambda work: change_setting(work, organisation, name, value, day, "tests"))

    def submit(self, caller: Caller = CLINICIAN, **changes: Any) -> RequestView:
        """Submit a first request."""
        command = initiation(**changes)
        return self.do(lambda w: submitting.submit_initiation(w, self.office, caller, command))

    def trial(self, caller: Caller = CLINICIAN, **changes: Any) -> RequestView:
        """Submit a first request under the invented policy of these tests."""
        changes = {"policy": TRIAL_POLICY, "answers": dict(TRIAL_ANSWERS), **changes}
        return self.submit(caller, **changes)

    def carry_on(
        self, treatment_id: str, caller: Caller = CLINICIAN, **changes: Any
    ) -> RequestView:
        """Submit a continuation, of the invented policy unless it says otherwise."""
        fields = {
            "treatment_id": treatment_id,
            "kind": Kind.CONTINUATION,
            "decision_to_treat": self.moment.day,
            "answers": dict(TRIAL_REVIEW),
        }
        command = FollowUpCommand(**{**fields, **changes})
        return self.do(lambda w: submitting.submit_continuation(w, self.office, caller, command))

    def change(
        self, treatment_id: str, kind: Kind, caller: Caller = CLINICIAN, **details: Any
    ) -> RequestView:
        """Submit a change; `details` are the request's, but for `reason` and `answers`."""
        command = FollowUpCommand(
            treatment_id=treatment_id,
            kind=kind,
            decision_to_treat=self.moment.day,
            retrospective_reason=details.pop("reason", None),
            answers=details.pop("answers", {}),
            details=RequestDetails(**details),
        )
        return self.do(lambda w: changing.submit_change(w, self.office, caller, command))

    def treatment(self, treatment_id: str, caller: Caller = CLINICIAN) -> TreatmentView:
        return self.do(lambda w: treatment_view(w, caller, treatment_id))

    def request(self, request_id: str, caller: Caller = CLINICIAN) -> RequestView:
        return self.do(lambda w: request_view(w, caller, request_id))

    def first_dose(self, treatment_id: str, day: dt.date) -> TreatmentView:
        version = self.treatment(treatment_id).treatment.version
        return self.do(
            lambda w: starting.record_first_dose(
                w, self.office, CLINICIAN, treatment_id, day, version
            )
        )
