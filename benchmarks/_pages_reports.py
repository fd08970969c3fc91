"""Requests that the reports over requests tell of, for the pages' benchmark: overrides, products
that are best value and others, and answers that changed after a refusal.

The service itself makes one of each, as of the other states (`two_million_states`); they are
copied like these, behind the last number that is taken.
"""

from __future__ import annotations

import hashlib
import itertools
import uuid
from typing import Any, Final

import sqlalchemy as sa

from app.approvals import correcting
from app.approvals.library_files import load_library
from app.approvals.model import OverrideGiven, RequestDetails, RequestView
from app.approvals.office import Office
from app.db.engine import make_engine
from app.db.tables import request_override
from app.db.transaction import Database
from benchmarks.two_million import add
from benchmarks.two_million_states import DAY, KEY, NOT_MET, OTHER_POLICIES, Share
from tests.world import CLINICIAN, POLICIES, World, patient

#: One for so many of the treatments that are there: a tenth of them.
ONE_IN: Final = 10
_QUARTER: Final = "from-day=1&from-month=8&from-year=2026&to-day=31&to-month=10&to-year=2026"
_YEAR: Final = "from-day=29&from-month=11&from-year=2025&to-day=28&to-month=11&to-year=2026"
#: The reports over requests, asked for other days and for one policy.
OF_REPORTS: Final = {
    "/reports/overrides": (f"?{_QUARTER}", f"?{_YEAR}", "?policy=adalimumab-crohns-severe"),
    "/reports/best-value": (f"?{_QUARTER}", f"?{_YEAR}", "?policy=etanercept-ra-severe"),
    "/reports/changed-answers": (f"?{_QUARTER}", f"?{_YEAR}", "?policy=adalimumab-ra-severe"),
}
#: Overrides of the states alone, before they are copied.
FEW: Final = 10
CROHNS: Final = "adalimumab-crohns-severe"
_SEVERE: Final = {
    "crohns_disease": True,
    "relapse_after_stopping": False,
    "very_poor_health": True,
    "weight_loss": True,
    "fever": False,
    "severe_abdominal_pain": False,
    "loose_stools_per_day": "6",
    "severity_score": "cdai",
    "cdai": "320",
    "conventional_result": "no_response",
    "least_expensive": True,
    "experienced_clinician": True,
}
ETANERCEPT: Final = "etanercept-ra-severe"


def add_reported(owner: sa.Engine, size: int) -> None:
    """Add a tenth of `size` treatments more, where there are none of them yet."""
    with owner.connect() as connection:
        many = connection.scalar(sa.select(sa.func.count()).select_from(request_override)) or 0
    if many > FEW:
        return
    plain = make_engine(owner.url.render_as_string(hide_password=False))
    add(plain, _states(Database(plain, KEY)), range(size, size + size // ONE_IN))
    plain.dispose()


def _states(database: Database) -> list[Share]:
    """One treatment of each, with its share of a thousand."""
    ids, draws, people = (itertools.count(1) for _ in range(3))
    world = World(
        database,
        Office(load_library(POLICIES), demonstration=True),
        moment=None,  # type: ignore[arg-type]  # set by `on`, next
        new_id=lambda: str(uuid.UUID(int=next(ids) << 64 | 0x2C, version=4)),
        random_bytes=lambda size: hashlib.shake_256(f"r{next(draws)}".encode()).digest(size),
    )
    world.on(DAY)
    sent = {"decision_to_treat": DAY, "commissioner": "DEMQ1"}

    def first(policy: str, answers: dict[str, Any], **more: Any) -> RequestView:
        # Without an NHS number: the invented ones are taken.
        person = patient(
            nhs_number=None,
            no_nhs_number_reason="withheld",
            local_id=f"REPORTED{next(people)}",
        )
        return world.submit(
            CLINICIAN, policy=policy, answers=answers, patient=person, **sent, **more
        )

    def overridden(reason: str, cdai: str = "280") -> RequestView:
        given = OverrideGiven("ADC-3b", reason, "Invented words of a benchmark.")
        return first(CROHNS, {**_SEVERE, "cdai": cdai}, overrides=(given,))

    def chosen(product: str, reason: str | None = None) -> RequestView:
        details = RequestDetails(product=product, product_reason=reason)
        return first(ETANERCEPT, OTHER_POLICIES[ETANERCEPT], details=details)

    def corrected() -> RequestView:
        refused = first("adalimumab-ra-severe", NOT_MET).request
        return world.do(
            lambda w: correcting.correct(
                w, world.office, CLINICIAN, refused.id, {"das28_at_start": {"value": "6.0"}},
                frozenset(), "Read off the wrong visit.", refused.version,
            )
        )  # fmt: skip

    made = [
        (500, first(CROHNS, _SEVERE)),
        (40, overridden("not_exclusively")),
        (15, overridden("distorted_score")),
        (5, overridden("not_exclusively", cdai="320")),
        (200, chosen("benepali")),
        (60, chosen("erelzi")),
        (50, chosen("enbrel", "device")),
        (30, chosen("enbrel", "intolerance")),
        (100, corrected()),
    ]
    return [Share(view.request.treatment_id, view.request.state, n) for n, view in made]
