"""Requests that the reports over requests tell of, made by the service's own use cases: overrides
of Crohn's scores, products of etanercept, and answers that changed after a refusal."""

import datetime as dt
import os
from typing import Any

import sqlalchemy as sa

from app.approvals import correcting
from app.approvals.model import OverrideGiven, RequestDetails, RequestView
from app.approvals.office import Office
from app.clock import london_day, new_id, now
from app.db.tables import audit_event, audit_payload, request, request_override
from app.db.transaction import Database
from app.db.work import Moment, Work
from tests.policies.library import packaged_library
from tests.world import ADALIMUMAB, CLINICIAN, World, patient

CROHNS, ETANERCEPT = "adalimumab-crohns-severe", "etanercept-ra-severe"
SEVERE = {
    "crohns_disease": True,
    "relapse_after_stopping": False,
    "very_poor_health": True,
    "weight_loss": True,
    "fever": False,
    "severe_abdominal_pain": False,
    "loose_stools_per_day": "6",
    "severity_score": "cdai",
    "cdai": "280",
    "conventional_result": "no_response",
    "least_expensive": True,
    "experienced_clinician": True,
}
_FOR_ETANERCEPT = {
    **{k: v for k, v in ADALIMUMAB.items() if k not in ("active_infection", "screened")},
    "dose_mg": {"value": "50", "unit": "mg"},
    "dose_interval_days": {"value": 7, "unit": "days"},
}


class Scene:
    """One hospital's requests of today, and copies of them at other hospitals."""

    def __init__(self, database: Database) -> None:
        today = Moment(now(), london_day(now()))
        office = Office(packaged_library(), demonstration=True)
        self.world = World(database, office, today, new_id, os.urandom)
        self._people = 0

    def first(self, policy: str, answers: dict[str, Any], **more: Any) -> RequestView:
        self._people += 1
        return self.world.submit(
            CLINICIAN,
            policy=policy,
            answers=answers,
            patient=patient(7_000 + self._people, local_id=f"R{self._people:06}"),
            decision_to_treat=self.world.moment.day,
            **more,
        )

    def overridden(self, reason: str = "not_exclusively") -> RequestView:
        given = OverrideGiven("ADC-3b", reason, "Invented words that no report may show.")
        return self.first(CROHNS, SEVERE, overrides=(given,))

    def chosen(self, product: str | None, reason: str | None = None) -> RequestView:
        details = RequestDetails(product=product, product_reason=reason)
        return self.first(ETANERCEPT, _FOR_ETANERCEPT, details=details)

    def corrected(self) -> RequestView:
        low = {**ADALIMUMAB, "das28_at_start": {"value": "4.0"}}
        refused = self.first("adalimumab-ra-severe", low).request
        return self.world.do(
            lambda w: correcting.correct(
                w, self.world.office, CLINICIAN, refused.id, {"das28_at_start": {"value": "6.0"}},
                frozenset(), "Read off the wrong visit.", refused.version,
            )
        )  # fmt: skip

    def elsewhere(self, view: RequestView, many: int) -> None:
        """Copies of a request and its overrides at so many other hospitals, same payer."""
        self.world.do(lambda work: _copy(work, view.request.id, many))

    def changed_again(self, view: RequestView, many: int) -> None:
        """Copies of the event that tells of the request's changed answers, two at one instant."""
        self.world.do(lambda work: _copy_event(work, view.request.id, many))


def _copy(work: Work, id_: str, many: int) -> None:
    execute = work.connection.execute
    row = dict(execute(sa.select(request).where(request.c.id == id_)).mappings().one())
    given = execute(
        sa.select(request_override).where(request_override.c.request_id == id_)
    ).mappings()
    overrides = [dict(each) for each in given]
    for n in range(many):
        copy = new_id()
        execute(sa.insert(request), row | {"id": copy, "provider": f"T{n:03}"})
        for each in overrides:
            execute(sa.insert(request_override), each | {"request_id": copy})


def _copy_event(work: Work, id_: str, many: int) -> None:
    execute = work.connection.execute
    of_it = sa.and_(
        audit_event.c.request_id == id_, audit_event.c.action == "answers changed after a refusal"
    )
    row = dict(execute(sa.select(audit_event).where(of_it)).mappings().one())
    payload = audit_payload.c.id == row["payload_id"]
    body = dict(execute(sa.select(audit_payload).where(payload)).mappings().one())
    row.pop("id")
    for n in range(many):
        copy = new_id()
        execute(sa.insert(audit_payload), body | {"id": copy})
        at = row["at"] - dt.timedelta(seconds=n // 2)
        execute(
            sa.insert(audit_event),
            row | {"object_number": 100 + n, "payload_id": copy, "at": at},
        )
