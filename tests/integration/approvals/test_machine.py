"""Any sequence of steps, by anybody, on two patients and two hospitals: what must never happen.

Refusals are part of the walk: they must leave everything as it was, which the invariants see.
"""

import datetime as dt
import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from app.approvals import amending, correcting, reviewing, starting
from app.approvals.errors import ApprovalsError
from app.approvals.library import Library
from app.approvals.lifecycle import RESOLUTIONS, ApprovalState
from app.approvals.model import (
    Basis,
    Dose,
    EmergencyStart,
    NoNumberReason,
    RequestDetails,
    Route,
    StopReason,
)
from app.approvals.office import PHARMACIST_AUTHORISATION, Office
from app.approvals.replaying import check_replays
from app.approvals.standing import is_live
from app.approvals.store import treatment_of
from app.auth.errors import NotAllowed
from app.auth.model import Caller
from app.clock import london_day
from app.db import tables
from app.db.engine import make_engine
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Moment, Work
from app.policy import Kind, load_policy
from tests.integration.approvals.panel_walk import PanelWords
from tests.walks import of_walks
from tests.world import (
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    PHARMACIST,
    TRIAL_TEXT,
    World,
    patient,
)

pytestmark = pytest.mark.long

AUDIT_KEY = b"the key of the tests, which is 32 bytes or more"
FOREVER = dt.date.max
CHANGES = [kind for kind in Kind if kind not in (Kind.INITIATION, Kind.CONTINUATION)]
STEPS = (
    "amend,withdraw,escalate,correct,error,approve,waive,decline,overturn,not paid,return,aside,"
    "authorise,refuse,consent,no consent,fund"
)
PATIENTS = (
    patient(1),
    patient(2, nhs_number=None, no_nhs_number_reason=NoNumberReason.UNREGISTERED),
)
callers = st.sampled_from([CLINICIAN, OTHER_CLINICIAN])
people = st.sampled_from([CLINICIAN, CLINICIAN, CLINICIAN, OTHER_CLINICIAN, PHARMACIST])
answers = st.fixed_dictionaries(
    {},
    optional={
        "score": st.sampled_from(["4.0", "6.0", None]),
        "risk": st.sampled_from([False, False, False, True, None]),
        "usual": st.sampled_from([True, False]),
    },
)
whole = st.fixed_dictionaries(
    {
        "score": st.sampled_from(["6.0", "6.0", "4.0"]),
        "risk": st.just(False),
        "usual": st.sampled_from([True, True, False]),
    }
)
shifts = st.sampled_from([-20, -14, -1, 0, 0, 0, 1, 10])
picks = st.integers(0, 50)


@cache
def template() -> Path:
    path = Path(tempfile.mkdtemp()) / "template.db"
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@cache
def trial_library() -> Library:
    return Library([load_policy(TRIAL_TEXT, "trial.yaml")])


class Approvals(PanelWords, RuleBasedStateMachine):
    """Random use cases on a fresh database."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.engine = self.open()
        ids, draws = itertools.count(1), itertools.count(1)
        instant = dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC)
        self.world = World(
            Database(self.engine, AUDIT_KEY),
            Office(self.library(), demonstration=True),
            Moment(instant, london_day(instant)),
            lambda: f"00000000-0000-4000-8000-{next(ids):012d}",
            lambda size: hashlib.shake_256(str(next(draws)).encode()).digest(size),
        )
        self.rows: dict[str, int] = {}

    def library(self) -> Library:
        """The policies of the walk."""
        return trial_library()

    def decider(self, pick: int) -> Caller:
        """Who decides in a panel's place."""
        return COMMISSIONER

    def open(self) -> sa.Engine:
        """An engine on a migrated database with empty tables."""
        path = self.folder / "walk.db"
        shutil.copy(template(), path)
        return make_engine(f"sqlite:///{path}")

    def teardown(self) -> None:
        try:
            self.every_decision_replays()  # once a walk: it reads everything
        finally:
            self.engine.dispose()
            shutil.rmtree(self.folder)

    @initialize(who=st.sampled_from(PATIENTS))
    def begin(self, who: Any) -> None:
        """Most of what can go wrong happens on a running treatment."""
        self.world.trial(CLINICIAN, patient=who)

    def own(self, organisation: str, caller: Caller, stranger: bool) -> Caller:
        """Somebody of the organisation, or now and then whoever it is."""
        return caller if stranger else replace(caller, organisation=organisation)

    # --- what may happen ------------------------------------------------------------------------

    @rule(
        caller=callers,
        who=st.sampled_from(PATIENTS),
        answers=whole,
        dose=shifts,
        reason=st.sampled_from([None, None, "urgent", "forgot"]),
        route=st.sampled_from([Route.POLICY, Route.POLICY, Route.INDIVIDUAL_FUNDING]),
    )
    def submit(
        self, caller: Caller, who: Any, answers: Any, dose: int, reason: Any, route: Any
    ) -> None:
        day = self.world.moment.day
        details = self.urgent(dose) if dose < 0 and reason == "urgent" else RequestDetails()
        self.attempt(
            lambda: self.world.trial(
                caller,
                patient=who,
                answers=answers,
                decision_to_treat=day - dt.timedelta(days=30),
                first_dose=day + dt.timedelta(days=dose) if dose else None,
                retrospective_reason=reason,
                route=route,
                details=details,
            )
        )

    def urgent(self, dose: int) -> RequestDetails:
        """That an office let the first dose be given."""
        at = self.world.moment.instant + dt.timedelta(days=dose)
        return RequestDetails(emergency=EmergencyStart("registrar on call", "the office", at))

    @rule(caller=callers, who=st.sampled_from(PATIENTS), dose=st.sampled_from([-14, -3, -1]))
    def begin_urgently(self, caller: Caller, who: Any, dose: int) -> None:
        """An urgent start that the policy refers."""
        day = self.world.moment.day + dt.timedelta(days=dose)
        self.attempt(
            lambda: self.world.trial(
                caller,
                patient=who,
                answers={"score": "6.0", "risk": False, "usual": False},
                decision_to_treat=day,
                first_dose=day,
                retrospective_reason="urgent",
                details=self.urgent(dose),
            )
        )

    @rule(caller=callers, who=st.sampled_from(PATIENTS), answers=answers)
    def submit_part(self, caller: Caller, who: Any, answers: Any) -> None:
        self.attempt(lambda: self.world.trial(caller, patient=who, answers=answers))

    @rule(caller=callers, pick=picks, now=st.sampled_from(["3.0", "9.5", "6.0"]))
    def go_on(self, caller: Caller, pick: int, now: str) -> None:
        if treatment := self.pick(tables.treatment, pick):
            caller = self.own(treatment["provider"], caller, pick % 5 == 0)
            self.attempt(
                lambda: self.world.carry_on(treatment["id"], caller, answers={"score_now": now})
            )

    @rule(caller=callers, pick=picks, shift=shifts, kind=st.sampled_from(CHANGES))
    def change(self, caller: Caller, pick: int, shift: int, kind: Kind) -> None:
        if not (treatment := self.pick(tables.treatment, pick)):
            return
        caller = self.own(treatment["provider"], caller, pick % 5 == 0)
        details: dict[str, Any] = {"from_day": self.world.moment.day + dt.timedelta(days=shift)}
        if kind is Kind.SWITCH:
            details["product"] = "tyruko" if pick % 2 else "tysabri"
        elif kind is Kind.DOSE_CHANGE:
            details["dose"] = Dose(Decimal(300), "mg", 28 if pick % 2 else 14)
        elif kind is Kind.TRANSFER:
            details["to_provider"] = "DEMO1" if treatment["provider"] == "DEMO2" else "DEMO2"
        elif kind is Kind.STOP:
            details |= {"stop_reason": StopReason.OTHER}
        self.attempt(lambda: self.world.change(treatment["id"], kind, caller, **details))

    @rule(
        caller=people,
        pick=picks,
        answers=answers,
        wait=st.integers(0, 10),
        step=st.sampled_from(STEPS.split(",")),
    )
    def decide(self, caller: Caller, pick: int, answers: Any, wait: int, step: str) -> None:
        if request := self.pick(tables.request, pick):
            self.take(caller, pick, request, answers, wait, step)

    @rule(
        pick=picks,
        answers=answers,
        wait=st.integers(0, 10),
        step=st.sampled_from(
            ["overturn", "overturn", "not paid", "correct", "approve", "error", "fund"]
        ),
    )
    def rule_on_an_urgent_start(self, pick: int, answers: Any, wait: int, step: str) -> None:
        """The steps that matter to one, which others seldom come to in this order."""
        begun = [r for r in self.all(tables.request) if r["details"].get("emergency")]
        if begun:
            request = begun[-1 - pick % len(begun)]
            self.take(CLINICIAN, 1, request, answers, wait, step)

    def take(
        self, caller: Caller, pick: int, request: Any, answers: Any, wait: int, step: str
    ) -> None:
        """Take a step on a request, by somebody of the organisation whose step it is."""
        side = request["counterparty"] if "consent" in step else request["provider"]
        caller = self.own(side or request["provider"], caller, pick % 5 == 0)
        rid, version, office = request["id"], request["version"], self.world.office
        pharmacist = replace(PHARMACIST, organisation=request["provider"])
        none: frozenset[str] = frozenset()
        member = self.decider(pick + wait)
        begin = self.world.moment.day + dt.timedelta(days=wait - 5)
        funding = reviewing.FundingDecision(
            Basis.INDIVIDUAL_FUNDING, "1", begin, None if wait % 2 else FOREVER, "t", "r"
        )
        paid_to = None if wait % 3 else begin
        steps: dict[str, Callable[[Work], Any]] = {
            "amend": lambda w: amending.amend(w, office, caller, rid, answers, version),
            "withdraw": lambda w: amending.withdraw(w, caller, rid, "x", version),
            "escalate": lambda w: amending.escalate(w, caller, rid, "x", version),
            "correct": lambda w: correcting.correct(
                w, office, caller, rid, answers, none, "x", version
            ),
            "error": lambda w: correcting.enter_in_error(w, caller, rid, "x", version),
            "approve": lambda w: reviewing.panel_approve(
                w, office, member, rid, "x", none, version
            ),
            "waive": lambda w: reviewing.panel_approve(
                w, office, member, rid, "x", frozenset({"T-1"}), version
            ),
            "decline": lambda w: reviewing.panel_decline(w, office, member, rid, "x", version),
            "overturn": lambda w: reviewing.overturn(
                w, office, member, rid, reviewing.Ruling("x", True, paid_to), version
            ),
            "not paid": lambda w: reviewing.overturn(
                w, office, member, rid, reviewing.Ruling("x", False), version
            ),
            "return": lambda w: reviewing.panel_return(w, member, rid, "x", version),
            "aside": lambda w: reviewing.declare_interest(w, member, rid, "x", version),
            "authorise": lambda w: reviewing.authorise(w, office, pharmacist, rid, version),
            "refuse": lambda w: reviewing.refuse_authorisation(w, pharmacist, rid, "x", version),
            "consent": lambda w: reviewing.consent(w, office, caller, rid, version),
            "no consent": lambda w: reviewing.refuse_consent(w, caller, rid, "x", version),
            "fund": lambda w: reviewing.record_funding(
                w, office, COMMISSIONER, rid, funding, version
            ),
        }
        self.attempt(lambda: self.world.do(steps[step]))

    @rule(pick=picks, how=st.sampled_from(sorted(RESOLUTIONS)))
    def resolve(self, pick: int, how: Any) -> None:
        if approval := self.pick(tables.approval, pick):
            self.attempt(
                lambda: self.world.do(
                    lambda w: reviewing.resolve_query(
                        w, COMMISSIONER, approval["reference"], how, "x", approval["version"]
                    )
                )
            )

    @rule(caller=callers, pick=picks, back=st.integers(0, 40), started=st.booleans())
    def start(self, caller: Caller, pick: int, back: int, started: bool) -> None:
        if not (treatment := self.pick(tables.treatment, pick)):
            return
        caller = self.own(treatment["provider"], caller, pick % 5 == 0)
        tid, version, office = treatment["id"], treatment["version"], self.world.office
        day = self.world.moment.day - dt.timedelta(days=back)
        if started:
            self.attempt(
                lambda: self.world.do(
                    lambda w: starting.record_first_dose(w, office, caller, tid, day, version)
                )
            )
        else:
            self.attempt(
                lambda: self.world.do(
                    lambda w: starting.record_not_started(w, caller, tid, "x", version)
                )
            )

    @rule(wanted=st.booleans())
    def ask_for_the_pharmacist(self, wanted: bool) -> None:
        self.world.set("DEMO1", PHARMACIST_AUTHORISATION, wanted)

    @rule(days=st.sampled_from([1, 7, 20, 100, 360, 400]))
    def wait(self, days: int) -> None:
        instant = self.world.moment.instant + dt.timedelta(days=days)
        self.world.moment = Moment(instant, london_day(instant))

    def attempt(self, step: Callable[[], Any]) -> None:
        instant = self.world.moment.instant + dt.timedelta(seconds=1)
        self.world.moment = Moment(instant, london_day(instant))
        with suppress(ApprovalsError, NotAllowed):  # the invariants see that nothing came of it
            step()

    def pick(self, table: sa.Table, number: int) -> Any:
        rows = self.all(table)
        return rows[-1 - number % len(rows)] if rows else None

    def all(self, table: sa.Table) -> list[Any]:
        query = sa.select(table).order_by(*table.primary_key.columns)
        return list(self.world.do(lambda w: w.connection.execute(query).mappings().all()))

    # --- what must never happen -----------------------------------------------------------------

    @invariant()
    def at_most_one_live_treatment(self) -> None:
        day = self.world.moment.day
        live = [
            t
            for t in self.all(tables.treatment)
            if self.world.do(lambda w, t=t: is_live(w, treatment_of(w, t["id"]), day))
        ]
        keys = [(t["patient_id"], t["drug"], t["indication"]) for t in live]
        assert len(keys) == len(set(keys))
        marked = {row["treatment_id"] for row in self.all(tables.live_treatment)}
        assert {t["id"] for t in live} <= marked

    @invariant()
    def no_day_of_a_treatment_is_covered_twice(self) -> None:
        by_treatment: dict[str, list[Any]] = {}
        for s in self.all(tables.segment):
            if s["kind"] == "coverage" and s["superseded_at"] is None:
                by_treatment.setdefault(s["treatment_id"], []).append(s)
        for found in by_treatment.values():
            found.sort(key=lambda s: s["from_day"])
            for one, two in itertools.pairwise(found):
                assert (one["to_day"] or FOREVER) < two["from_day"]
            assert all(s["from_day"] <= (s["to_day"] or FOREVER) for s in found)

    @invariant()
    def every_approval_was_decided(self) -> None:
        decisions = {d["id"]: d for d in self.all(tables.decision)}
        for approval in self.all(tables.approval):
            decision = decisions[approval["decision_id"]]
            overturned = approval["terms"].get("pattern") == "doses given only"
            assert decision["outcome"] == ("overturned" if overturned else "approved")
            assert decision["request_id"] == approval["request_id"]

    @invariant()
    def what_pays_for_doses_given_is_never_live_and_pays_for_no_day_ahead(self) -> None:
        today = self.world.moment.day
        for approval in self.all(tables.approval):
            if approval["terms"].get("pattern") != "doses given only":
                continue
            assert approval["state"] in (
                ApprovalState.DOSES_GIVEN,
                ApprovalState.WITHDRAWN,
                ApprovalState.ENTERED_IN_ERROR,
            )
            assert approval["covers_from"] <= approval["covers_to"] <= today

    @invariant()
    def what_counts_for_nothing_covers_nothing(self) -> None:
        closed = {
            a["id"]
            for a in self.all(tables.approval)
            if a["state"]
            in (
                ApprovalState.WITHDRAWN,
                ApprovalState.ENTERED_IN_ERROR,
                ApprovalState.NEVER_STARTED,
            )
        }
        stopped = {t["id"]: t["stopped_on"] for t in self.all(tables.treatment)}
        for s in self.all(tables.segment):
            if s["kind"] != "coverage" or s["superseded_at"] is not None:
                continue
            assert s["approval_id"] not in closed
            day = stopped[s["treatment_id"]]
            assert day is None or (s["to_day"] is not None and s["to_day"] <= day)

    @invariant()
    def coverage_reaches_back_only_with_permission(self) -> None:
        requests = {r["id"]: r for r in self.all(tables.request)}
        for approval in self.all(tables.approval):
            submitted = london_day(requests[approval["request_id"]]["submitted_at"])
            if approval["covers_from"] < submitted:
                assert approval["late"]

    @invariant()
    def nothing_is_deleted(self) -> None:
        kept = (
            tables.request,
            tables.request_revision,
            tables.decision,
            tables.approval,
            tables.segment,
            tables.treatment,
            tables.patient,
            tables.audit_event,
        )
        now = {table.name: len(self.all(table)) for table in kept}
        assert all(now[name] >= count for name, count in self.rows.items())
        self.rows = now

    def every_decision_replays(self) -> None:
        library = self.world.office.library
        for request in self.all(tables.request):
            self.world.do(lambda w, r=request: check_replays(w, library, COMMISSIONER, r["id"]))


@pytest.mark.slow
def test_no_walk_through_the_use_cases_breaks_what_must_hold() -> None:
    run_state_machine_as_test(
        Approvals,
        settings=of_walks(20, 20),
    )
