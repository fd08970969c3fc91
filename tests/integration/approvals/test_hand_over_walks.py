"""Any sequence of steps with hand-overs to and back in between: each day is paid by exactly one."""

import datetime as dt
import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.approvals.correcting import enter_in_error
from app.approvals.handing import Asked, HandOver, hand_over_by_two
from app.approvals.lifecycle import RequestState
from app.approvals.model import Dose, StopReason
from app.approvals.starting import record_first_dose
from app.db import tables
from app.db.engine import make_engine
from app.policy import Kind
from tests.conftest import DIALECTS, _clean
from tests.integration.approvals.test_machine import FOREVER, Approvals
from tests.world import CLINICIAN, COMMISSIONER

pytestmark = pytest.mark.long

PAYERS = ("DEMQ1", "DEMQ2", "13Q")
DAY = dt.timedelta(days=1)
#: The giver, the receiver, the first day, and when it was confirmed.
Given = tuple[str, str, dt.date, dt.datetime]


GIVES = st.tuples(
    st.just("give"),
    st.sampled_from([("DEMQ1", "DEMQ2"), ("DEMQ2", "DEMQ1"), *itertools.permutations(PAYERS, 2)]),
    st.sampled_from([0, 1, 5, 30, 60, 200]),
)
CHANGES = st.tuples(
    st.sampled_from(["pause", "resume", "switch", "dose", "first dose"]),
    st.just(None),
    st.sampled_from([0, 3, 20, 40]),
)
STOPS = st.tuples(st.just("stop"), st.just(None), st.sampled_from([0, 3, 40]))
TAKES_BACK = st.tuples(st.just("take back"), st.just(None), st.integers(0, 3))
GOES_ON = st.tuples(st.just("go on"), st.just(None), st.just(0))
WAITS = st.tuples(st.just("wait"), st.just(None), st.sampled_from([1, 20, 60, 200, 340]))
Step = tuple[str, Any, int]
STEPS = st.lists(
    st.one_of(GIVES, STOPS, TAKES_BACK, WAITS, GIVES, STOPS, TAKES_BACK, CHANGES, GOES_ON),
    min_size=2,
    max_size=12,
)


OVER, BACK = ("DEMQ1", "DEMQ2"), ("DEMQ2", "DEMQ1")
#: What a change of any line that follows hand-overs breaks, each found by taking that line away.
KNOWN: tuple[list[Step], ...] = (
    # A stop is taken back after what it had left was cut in two.
    [("wait", None, 60), ("stop", None, 0), ("give", OVER, 30), ("take back", None, 0)],
    # It is taken back after a hand-over of days that were not covered then.
    [("wait", None, 60), ("stop", None, 40), ("give", OVER, 0), ("take back", None, 0)],
    # To and back again, and a stop between them that never was.
    [
        ("wait", None, 60),
        ("give", OVER, 40),
        ("stop", None, 0),
        ("wait", None, 20),
        ("give", BACK, 10),
        ("take back", None, 0),
    ],
    # A continuation after the approval ran out, of a treatment that went over meanwhile.
    [("wait", None, 400), ("give", OVER, 0), ("wait", None, 20), ("go on", None, 0)],
    # A first dose that is mistyped takes the last days away, and corrected brings them back.
    [
        ("wait", None, 40),
        ("first dose", None, 0),
        ("wait", None, 360),
        ("give", OVER, 5),
        ("first dose", None, 375),
        ("first dose", None, 360),
    ],
    # A pause that both have a part in is resumed, and both are taken back.
    [
        ("wait", None, 60),
        ("pause", None, 40),
        ("give", OVER, 20),
        ("resume", None, 0),
        ("take back", None, 0),
        ("take back", None, 0),
    ],
    # Days between those of others go to a third.
    [
        ("wait", None, 200),
        ("give", OVER, 5),
        ("give", ("DEMQ1", "13Q"), 60),
        ("stop", None, 0),
        ("take back", None, 0),
    ],
)


class HandingOver(Approvals):
    """The world of `test_machine` with one treatment, and what may happen to its days."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Given] = []
        self.world.trial()
        (self.treatment,) = self.all(tables.treatment)

    def step(self, what: str, way: Any, days: int) -> None:
        """One step; a refusal leaves everything as it was."""
        if what == "give":
            self.give(way, days)
        elif what == "wait":
            self.wait(days)
        elif what == "take back":
            self.take_back(days)
        elif what == "go on":
            self.attempt(lambda: self.world.carry_on(self.treatment["id"]))
        elif what == "first dose":
            self.first_dose(self.world.moment.day - days * DAY)
        else:
            self.change_days(Kind("dose change" if what == "dose" else what), days)

    def change_days(self, kind: Kind, days: int) -> None:
        """A change from some days ago on, or to come where the kind allows no past."""
        ahead = kind in (Kind.SWITCH, Kind.DOSE_CHANGE)
        details: dict[str, Any] = {
            "from_day": self.world.moment.day + (days if ahead else -days) * DAY
        }
        if kind is Kind.SWITCH:
            details["product"] = "tysabri"
        elif kind is Kind.DOSE_CHANGE:
            details["dose"] = Dose(Decimal(300), "mg", 28)
        elif kind is Kind.STOP:
            details["stop_reason"] = StopReason.OTHER
        self.attempt(lambda: self.world.change(self.treatment["id"], kind, CLINICIAN, **details))

    def first_dose(self, day: dt.date) -> None:
        office, id = self.world.office, self.treatment["id"]
        (now,) = self.all(tables.treatment)
        self.attempt(
            lambda: self.world.do(
                lambda w: record_first_dose(w, office, CLINICIAN, id, day, now["version"])
            )
        )

    def take_back(self, which: int) -> None:
        """What was recorded and never decided: a stop, a pause or a resumption."""
        every = [r for r in self.all(tables.request) if r["state"] == RequestState.RECORDED]
        if every:
            r = every[-1 - which % len(every)]
            self.attempt(
                lambda: self.world.do(
                    lambda w: enter_in_error(w, CLINICIAN, r["id"], "x", r["version"])
                )
            )

    def give(self, way: tuple[str, str], back: int) -> None:
        giver, receiver = way
        asked = Asked(receiver, "natalizumab", self.world.moment.day - back * DAY, "x")
        payer = replace(COMMISSIONER, organisation=giver)
        covered, stood = self.covered(), self.all_in_force()
        made: list[HandOver] = []
        self.attempt(
            lambda: made.append(
                self.world.do(lambda w: hand_over_by_two(w, payer, asked, "A. One", "B. Two"))
            )
        )
        assert made, "whoever pays may always give"
        self.given.append((giver, receiver, asked.from_day, self.world.moment.instant))
        assert self.covered() == covered, "no day came and none went"
        now = self.all_in_force()
        cut = [segment for id, segment in stood.items() if id not in now]
        assert self.counted(cut) == (made[0].treatments, made[0].approvals, made[0].segments)

    def all_in_force(self) -> dict[str, Any]:
        return {s["id"]: s for s in self.all(tables.segment) if s["superseded_at"] is None}

    @staticmethod
    def counted(cut: list[Any]) -> tuple[int, int, int]:
        """What a proposal counts beforehand, of the segments that the act then cut."""
        approvals = {s["approval_id"] for s in cut} - {None}
        return len({s["treatment_id"] for s in cut}), len(approvals), len(cut)

    def in_force(self) -> list[Any]:
        return [
            s
            for s in self.all(tables.segment)
            if s["kind"] == "coverage" and s["superseded_at"] is None
        ]

    def covered(self) -> set[tuple[str, dt.date, dt.date]]:
        """The covered days of each treatment as unbroken stretches."""
        stretches: dict[tuple[str, dt.date], dt.date] = {}
        for s in sorted(self.in_force(), key=lambda s: (s["treatment_id"], s["from_day"])):
            last = s["to_day"] or FOREVER
            joined = next(
                (
                    key
                    for key, end in stretches.items()
                    if key[0] == s["treatment_id"] and end < FOREVER and end + DAY == s["from_day"]
                ),
                (s["treatment_id"], s["from_day"]),
            )
            stretches[joined] = last
        return {(*key, last) for key, last in stretches.items()}

    def payer_on(self, treatment: Any, first: str, day: dt.date) -> str:
        payer = first
        for giver, receiver, from_day, at in self.given:
            if at >= treatment["created_at"] and giver == payer and day >= from_day:
                payer = receiver
        return payer

    def each_day_is_paid_by_whom_it_was_handed_to(self) -> None:
        treatments = {t["id"]: t for t in self.all(tables.treatment)}
        first: dict[str, str] = {}
        for r in sorted(self.all(tables.request), key=lambda r: r["submitted_at"]):
            if r["kind"] == Kind.INITIATION:
                first.setdefault(r["treatment_id"], r["commissioner"])
        turns = {from_day for _, _, from_day, _ in self.given}
        for s in self.in_force():
            treatment = treatments[s["treatment_id"]]
            last = s["to_day"] or max(turns, default=s["from_day"]) + DAY
            days = {s["from_day"], max(last, s["from_day"])}
            days |= {d for turn in turns for d in (turn - DAY, turn) if s["from_day"] <= d <= last}
            for day in days:
                expected = self.payer_on(treatment, first[s["treatment_id"]], day)
                assert s["commissioner"] == expected, (s["from_day"], s["to_day"], day)


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_day_is_paid_by_one_whatever_is_handed_over_when(
    dialect: str, request: pytest.FixtureRequest
) -> None:
    serve: Callable[[], sa.Engine] | None = None
    if dialect == "postgres":
        owner, url = request.getfixturevalue("_postgres_urls")

        def empty() -> sa.Engine:
            _clean(owner)
            return make_engine(url)

        serve = empty

    class Walk(HandingOver):
        def open(self) -> sa.Engine:
            return super().open() if serve is None else serve()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS)
    def walk(steps: list[Step]) -> None:
        one = Walk()
        try:
            for step in steps:
                one.step(*step)
                one.no_day_of_a_treatment_is_covered_twice()
                one.each_day_is_paid_by_whom_it_was_handed_to()
        finally:
            one.engine.dispose()
            shutil.rmtree(one.folder)

    for steps in KNOWN:
        walk = example(steps=steps)(walk)
    walk()
