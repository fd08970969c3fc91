"""Invented treatments in each state that the service knows, made by the service's own use cases.

`two_million` copies each of them in its share.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.approvals import amending, drafting
from app.approvals.library import Library
from app.approvals.model import RequestView, StopReason
from app.approvals.office import PANEL, PHARMACIST_AUTHORISATION, Office
from app.db.transaction import Database
from app.policy import Kind
from app.settings import DEMONSTRATION_AUDIT_KEY
from tests.world import (
    ADALIMUMAB,
    ADALIMUMAB_REVIEW,
    CLINICIAN,
    DELEGATE,
    World,
    patient,
)

#: The last day on which any of the requests was sent.
DAY: Final = dt.date(2026, 11, 20)
#: The answers that a first request is sent with, by what comes of it.
INCOMPLETE: Final = {k: v for k, v in ADALIMUMAB.items() if k != "das28_at_start"}
NOT_MET: Final = {**ADALIMUMAB, "das28_at_start": {"value": "4.0"}}
_WITHOUT_CHECKS: Final = {
    k: v for k, v in ADALIMUMAB.items() if k not in ("active_infection", "screened")
}
_ETANERCEPT: Final = {
    **_WITHOUT_CHECKS,
    "dose_mg": {"value": "50", "unit": "mg"},
    "dose_interval_days": {"value": 7, "unit": "days"},
}
_MODERATE: Final = {"das28_at_start": {"value": "4.0"}}
OTHER_POLICIES: Final = {
    "etanercept-ra-severe": _ETANERCEPT,
    "etanercept-ra-moderate": {**_ETANERCEPT, **_MODERATE},
    "adalimumab-ra-moderate": {**_WITHOUT_CHECKS, **_MODERATE},
}


@dataclass(frozen=True, slots=True)
class Share:
    """A treatment to be copied, and of how many in a thousand it is the pattern."""

    treatment_id: str
    state: str
    per_thousand: int


def make_states(database: Database, library: Library) -> tuple[list[Share], str]:
    """One treatment for each state, and the id of a draft. The shares sum to a thousand."""
    ids, draws = itertools.count(1), itertools.count(1)
    world = World(
        database,
        Office(library, demonstration=True),
        moment=None,  # type: ignore[arg-type]  # set by `on`, next
        new_id=lambda: str(uuid.UUID(int=next(ids) << 64 | 0x2B, version=4)),
        random_bytes=lambda size: hashlib.shake_256(str(next(draws)).encode()).digest(size),
    )
    world.on(DAY)
    world.set("DEMQ1", PANEL, "DEMP1")
    makers = _Makers(world)
    shares = []
    for per_thousand, make in makers.all():
        world.on(DAY)
        view = make()
        state = world.request(view.request.id).request.state
        shares.append(Share(view.request.treatment_id, state, per_thousand))
    others = 1000 - sum(share.per_thousand for share in shares)
    shares[0] = Share(shares[0].treatment_id, shares[0].state, shares[0].per_thousand + others)
    return shares, makers.draft()


class _Makers:
    """A new invented patient for each treatment."""

    def __init__(self, world: World) -> None:
        self.world, self._people = world, itertools.count(1)

    def all(self) -> list[tuple[int, Callable[[], RequestView]]]:
        """Each maker with its share; the first takes what is left of the thousand."""
        others = [
            (60, lambda p=policy, a=answers: self.first(policy=p, answers=a))
            for policy, answers in OTHER_POLICIES.items()
        ]
        return [
            (0, self.started),
            *others,
            (150, self.continued),
            (120, self.stopped),
            (40, lambda: self.first(answers=NOT_MET)),
            (5, lambda: self.first(answers=INCOMPLETE)),
            (2, self.referred),
            (1, self.asked_over),
            (5, self.withdrawn),
            (60, self.first),  # approved, the first dose not yet on record
            (3, self.awaiting_authorisation),  # last: it changes what the hospital wants
        ]

    def first(self, **changes: object) -> RequestView:
        """A first request."""
        fields = {"patient": patient(next(self._people)), "decision_to_treat": DAY, **changes}
        return self.world.submit(CLINICIAN, **fields)

    def started(self, day: dt.date = DAY) -> RequestView:
        """An approval with its first dose."""
        self.world.on(day)
        view = self.first(decision_to_treat=day)
        self.world.first_dose(view.request.treatment_id, day)
        return view

    def continued(self) -> RequestView:
        """An approval that was continued once."""
        view = self.started(DAY - dt.timedelta(days=170))
        self.world.on(DAY)
        self.world.carry_on(
            view.request.treatment_id, decision_to_treat=DAY, answers=dict(ADALIMUMAB_REVIEW)
        )
        return view

    def stopped(self) -> RequestView:
        """A treatment that was stopped after three months."""
        day = DAY - dt.timedelta(days=90)
        view = self.started(day)
        self.world.on(DAY)
        self.world.change(
            view.request.treatment_id, Kind.STOP, from_day=DAY, stop_reason=StopReason.REMISSION
        )
        return view

    def referred(self) -> RequestView:
        """A request that waits for the panel, since nobody has adopted its policy."""
        demonstration = self.world.office
        self.world.office = Office(demonstration.library, demonstration=False)
        view = self.first()
        self.world.office = demonstration
        return view

    def awaiting_authorisation(self) -> RequestView:
        """A request that waits for the trust's pharmacist."""
        self.world.set("DEMO1", PHARMACIST_AUTHORISATION, True)
        return self.first()

    def asked_over(self) -> RequestView:
        """A treatment that another hospital is asked to take over."""
        view = self.started()
        self.world.change(
            view.request.treatment_id, Kind.TRANSFER, to_provider="DEMO2", from_day=DAY
        )
        return view

    def withdrawn(self) -> RequestView:
        """A request that its clinician took back."""
        view = self.first(answers=INCOMPLETE)
        request = view.request
        return self.world.do(
            lambda w: amending.withdraw(w, CLINICIAN, request.id, "invented", request.version)
        )

    def draft(self) -> str:
        """A form that a delegate has begun."""
        form = {"birth_date": "1970-01-01", "sex": "female", "local_id": "H000001"}
        return self.world.do(
            lambda w: drafting.prepare(
                w,
                DELEGATE,
                kind=Kind.INITIATION,
                policy="adalimumab-ra-severe",
                treatment_id=None,
                form=form,
                answers=dict(ADALIMUMAB),
            )
        ).id


KEY: Final = DEMONSTRATION_AUDIT_KEY.encode()
