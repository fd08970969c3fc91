"""What the reports over requests sum says the same as counting, at every step of random lives."""

import datetime as dt
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import and_, func, select

from app.approvals import amending, correcting, reassigning, report_sums, reviewing
from app.approvals.best_value import product_choices
from app.approvals.changed_answers import changed_answers, newest_changed
from app.approvals.errors import ApprovalsError
from app.approvals.lifecycle import RequestState
from app.approvals.model import OverrideGiven, RequestDetails, RequestRecord
from app.approvals.reassigning import Giving
from app.approvals.reporting import override_report
from app.approvals.retention import Due, end_person
from app.approvals.store import every_request
from app.audit import Actor, erase
from app.auth.model import Caller
from app.clock import london_day
from app.db import tables
from app.db.work import Work
from app.door import Door
from app.housekeeping import summing_reports
from tests import pattern_policies as policies
from tests.pattern_policies import office
from tests.world import (
    AUDITOR,
    CLINICIAN,
    COMMISSIONER,
    OTHER_CLINICIAN,
    OTHER_COMMISSIONER,
    PANEL_MEMBER,
    PHARMACIST,
    TRIAL_ANSWERS,
    World,
    patient,
)

WORKER = Actor("worker", "system", "SERVICE", "worker", "test", "test")
READERS = (COMMISSIONER, OTHER_COMMISSIONER, PHARMACIST, OTHER_CLINICIAN, AUDITOR)
FIRST = dt.date(2026, 1, 5)
LAST = dt.date(2026, 12, 20)
GIVEN = OverrideGiven("T-1", "disability", "The score counts speech.")


@pytest.fixture
def world(bare: World) -> World:
    """A world whose policy asks for a product first, and lets a criterion be overridden."""
    rule = (
        "waivable: true, override: {reasons: {disability: It distorts the score}, "
        "source: made_up, evidence: verified}"
    )
    kept = policies.TRIAL_TEXT
    policies.TRIAL_TEXT = kept.replace("waivable: true", rule)
    try:
        version = policies.policy(
            products="[tysabri, tyruko]",
            terms=f"""
  best_value:
    products: [{{product: tyruko, from: 2026-01-01, until: 2026-09-30}}]
    reasons: {{intolerance: The product is not tolerated}}
    {policies.CITED.replace(", ", chr(10) + "    ")}
""",
        )
    finally:
        policies.TRIAL_TEXT = kept
    bare.office = office(version)
    bare.on(FIRST)
    for payer in ("DEMQ1", "DEMQ2"):
        bare.set(payer, "panel", "DEMP1")
    return bare


def acting(world: World, caller: Caller, act: Callable[[Work], Any]) -> Any:
    """Carry it out as the caller's organisation, within row-level security."""
    return world.database.transact(
        act,
        moment=world.moment,
        new_id=world.new_id,
        random_bytes=world.random_bytes,
        scope=caller.organisation,
    )


@contextmanager
def nothing_summed() -> Iterator[None]:
    """Let the reports count every request, as if there were no sums."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(report_sums, "_until", lambda _work: None)
        yield


def told(world: World, caller: Caller, first: dt.date, last: dt.date) -> dict[str, Any]:
    """All three reports of a period, as the caller's organisation reads them."""

    def read(work: Work) -> dict[str, Any]:
        library = world.office.library
        rows, many = newest_changed(work, caller, first, last, None, 3)
        return {
            "overrides": override_report(work, library, caller, first, last),
            "products": product_choices(work, library, caller, first, last),
            "changed": (rows, many, len(changed_answers(work, caller, first, last))),
        }

    return world.database.read(read, moment=world.moment, scope=caller.organisation)


def check(world: World, chance: random.Random) -> None:
    """The sums say what counting says, and what a loop over all requests says, to somebody."""
    for caller in chance.sample(READERS, 2):
        first = FIRST.replace(day=1) + dt.timedelta(days=chance.choice((0, 31, 40, 59, 90)))
        last = max(first, chance.choice((world.moment.day, LAST)))
        found = told(world, caller, first, last)
        with nothing_summed():
            assert found == told(world, caller, first, last), (caller, first, last)
        assert found["changed"][1] == found["changed"][2]
        plain = counted(world, caller, first, last)
        assert found["overrides"].requests == plain["requests"]
        assert found["overrides"].overridden == plain["overridden"]


def counted(world: World, caller: Caller, first: dt.date, last: dt.date) -> Counter[str]:
    """A plain loop over all requests."""
    o = tables.request_override.c

    def count(work: Work) -> Counter[str]:
        found: Counter[str] = Counter()
        for each in every_request(work):
            theirs = caller.organisation in (each.provider, each.commissioner)
            sent = first <= london_day(each.submitted_at) <= last
            if theirs and sent and each.state not in (
                RequestState.WITHDRAWN, RequestState.ENTERED_IN_ERROR
            ):  # fmt: skip
                own = and_(o.request_id == each.id, o.revision == each.revision)
                found["requests"] += 1
                found["overridden"] += work.connection.scalars(
                    select(func.count()).select_from(tables.request_override).where(own)
                ).one()
        return found

    return world.do(count)


class Life:
    """One random life of requests, which knows what may be done next."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.chance = world, chance
        self.people = 0
        self.deck: list[Callable[[], None]] = []
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        """One act, or some days: the next of a deck that is shuffled anew when it is through."""
        if not self.deck:
            acts = (
                (12, self.send), (9, self.amend), (14, self.correct), (2, self.withdraw),
                (6, self.panel), (2, self.err), (1, self.end), (1, self.erase),
                (1, self.hand_over), (5, self.sum_up), (7, self.wait),
            )  # fmt: skip
            self.deck = [act for many, act in acts for _ in range(many)]
            self.chance.shuffle(self.deck)
        act = self.deck.pop()
        try:
            act()
        except (ApprovalsError, LookupError):
            return
        self.done[act.__name__] += 1

    def _any(self, *states: RequestState) -> RequestRecord:
        every = self.world.do(lambda w: list(every_request(w)))
        return self.chance.choice([each for each in every if not states or each.state in states])

    def _of(self, request: RequestRecord) -> Caller:
        return CLINICIAN if request.provider == "DEMO1" else OTHER_CLINICIAN

    def _answers(self) -> dict[str, Any]:
        score = self.chance.choice(("3.0", "4.0", "6.0", "7.0", None, None))
        answers = {**TRIAL_ANSWERS, "usual": self.chance.random() < 0.5}
        return (
            {**answers, "score": score}
            if score
            else {"risk": False, "usual": self.chance.random() < 0.5}
        )

    def send(self) -> None:
        self.people += 1
        product = self.chance.choice(("tyruko", "tysabri", None))
        details = RequestDetails(
            product=product,
            product_reason="intolerance" if product == "tysabri" else None,
        )
        self.world.trial(
            self.chance.choice((CLINICIAN, OTHER_CLINICIAN)),
            patient=patient(self.people),
            commissioner=self.chance.choice(("DEMQ1", "DEMQ2")),
            decision_to_treat=self.world.moment.day,
            answers=self._answers(),
            overrides=(GIVEN,) if self.chance.random() < 0.6 else (),
            details=details,
        )

    def amend(self) -> None:
        request = self._any(RequestState.MORE_INFORMATION_NEEDED)
        caller, given = self._of(request), (GIVEN,) if self.chance.random() < 0.5 else ()
        answers = {"score": self.chance.choice(("3.0", "6.0"))}
        acting(self.world, caller, lambda w: amending.amend(
            w, self.world.office, caller, request.id, answers, request.version, given
        ))  # fmt: skip

    def correct(self) -> None:
        request = self._any()
        caller, score = self._of(request), self.chance.choice(("2.0", "4.5", "8.0"))
        acting(self.world, caller, lambda w: correcting.correct(
            w, self.world.office, caller, request.id, {"score": score}, frozenset(), "Misread.",
            request.version,
        ))  # fmt: skip

    def withdraw(self) -> None:
        request = self._any(RequestState.MORE_INFORMATION_NEEDED, RequestState.REFERRED)
        caller = self._of(request)
        acting(self.world, caller, lambda w: amending.withdraw(
            w, caller, request.id, "No longer wanted.", request.version
        ))  # fmt: skip

    def panel(self) -> None:
        request = self._any(RequestState.REFERRED)
        if self.chance.random() < 0.5:
            acting(self.world, PANEL_MEMBER, lambda w: reviewing.panel_approve(
                w, self.world.office, PANEL_MEMBER, request.id, "Agreed.", frozenset(),
                request.version, declares_no_interest=True,
            ))  # fmt: skip
        else:
            acting(self.world, PANEL_MEMBER, lambda w: reviewing.panel_decline(
                w, self.world.office, PANEL_MEMBER, request.id, "Not this one.", request.version,
                declares_no_interest=True,
            ))  # fmt: skip

    def err(self) -> None:
        request = self._any()
        caller = self._of(request)
        acting(self.world, caller, lambda w: correcting.enter_in_error(
            w, caller, request.id, "The wrong patient.", request.version
        ))  # fmt: skip

    def _patient(self) -> tuple[str, str]:
        t = tables.treatment.c
        rows = self.world.do(lambda w: w.connection.execute(select(t.patient_id, t.id)).all())
        patient_id, treatment_id = self.chance.choice(rows)
        return patient_id, treatment_id

    def end(self) -> None:
        patient_id, treatment_id = self._patient()
        ended = Due(patient_id, (treatment_id,), 1)
        self.world.do(lambda w: end_person(w, WORKER, ended, 8))

    def erase(self) -> None:
        patient_id, _ = self._patient()
        self.world.do(lambda w: erase(w, WORKER, patient_id=patient_id, reason="Asked."))

    def hand_over(self) -> None:
        giving = Giving(
            self.world.new_id(), "DEMQ1", "DEMQ2", "natalizumab",
            self.world.moment.day + dt.timedelta(days=1),
        )  # fmt: skip
        self.world.do(lambda w: reassigning.give(w, WORKER, giving))

    def sum_up(self) -> None:
        """As the worker does each minute."""
        world = self.world
        door = Door(world.database, lambda: world.moment.instant, world.new_id, world.random_bytes)
        summing_reports().do(door)

    def wait(self) -> None:
        days = self.chance.randint(2, 20)
        self.world.on(min(LAST, self.world.moment.day + dt.timedelta(days=days)))


@pytest.mark.parametrize("seed", [1, 2])
def test_sums_and_counting_say_the_same_at_every_step_of_a_random_life(
    world: World, seed: int
) -> None:
    chance = random.Random(seed)
    life = Life(world, chance)
    for _ in range(150):
        life.step()
        check(world, chance)
    acts = {"send", "amend", "correct", "withdraw", "panel", "err", "end", "erase", "hand_over"}
    assert acts <= life.done.keys(), life.done
    until = world.do(report_sums._until)
    assert until is not None
    assert london_day(until) > dt.date(2026, 3, 1)


def sums(world: World) -> tuple[int, int]:
    """How many requests the sums have, and of how many rows a change made some."""
    c = tables.report_sum.c
    query = select(func.coalesce(func.sum(c.many), 0)).where(c.what == report_sums.REQUESTS)
    changes = select(func.count()).select_from(tables.report_sum).where(c.change)
    return world.do(
        lambda w: (w.connection.scalars(query).one(), w.connection.scalars(changes).one())
    )


def test_a_change_under_way_while_its_month_is_summed_counts_once(world: World) -> None:
    if world.database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer: nothing is under way while the worker sums")
    life = Life(world, random.Random(1))
    for _ in range(4):
        life.send()
    first, second, *_ = world.do(lambda w: list(every_request(w)))
    world.on(dt.date(2026, 3, 3))
    with world.database.engine.connect() as one, one.begin():
        one.execute(select(func.set_config("app.organisation", "*", True)))
        change = tables.request.update().values(state=RequestState.WITHDRAWN)
        one.execute(change.where(tables.request.c.id == first.id))
        assert world.do(report_sums.keep), "it is not waited for"
        assert sums(world) == (4, 0)
    assert sums(world)[0] == 3
    check(world, random.Random(1))
    with world.database.engine.connect() as one, one.begin():
        one.execute(select(func.set_config("app.organisation", "*", True)))
        one.execute(change.where(tables.request.c.id == second.id))
        life.sum_up()  # adds the first change, and not this one
    assert sums(world)[0] == 2
    life.sum_up()
    assert sums(world) == (2, 0)
    check(world, random.Random(1))


def test_a_month_is_summed_once_it_has_been_over_for_a_day(world: World) -> None:
    life = Life(world, random.Random(2))
    assert world.do(report_sums.keep) is False, "nothing was sent yet"
    life.send()
    for day, until in ((31, None), (32, None), (33, dt.date(2026, 2, 1))):
        world.on(dt.date(2025, 12, 31) + dt.timedelta(days=day))
        life.sum_up()
        found = world.do(report_sums._until)
        assert (None if found is None else london_day(found)) == until


def test_sending_and_deciding_a_request_adds_no_row(world: World) -> None:
    life = Life(world, random.Random(3))
    for _ in range(5):
        life.send()
    assert sums(world) == (0, 0)


def test_what_is_summed_may_be_summed_anew(world: World) -> None:
    life = Life(world, random.Random(4))
    for _ in range(5):
        life.send()
    world.on(dt.date(2026, 3, 3))
    life.sum_up()
    stood = sums(world)
    life.err()
    world.do(report_sums.forget)
    check(world, random.Random(4))
    life.sum_up()
    assert sums(world) == (stood[0] - 1, 0)


def test_a_correction_that_leaves_the_state_as_it_is_moves_what_was_relied_on(
    world: World,
) -> None:
    answers = {**TRIAL_ANSWERS, "score": "6.0"}
    sent = world.trial(decision_to_treat=FIRST, answers=answers, overrides=(GIVEN,)).request
    world.on(dt.date(2026, 3, 3))
    life = Life(world, random.Random(5))
    life.sum_up()
    january = (FIRST.replace(day=1), dt.date(2026, 1, 31))
    before = told(world, COMMISSIONER, *january)["overrides"]
    corrected = acting(world, CLINICIAN, lambda w: correcting.correct(
        w, world.office, CLINICIAN, sent.id, {"score": "3.0"}, frozenset(), "Misread.",
        sent.version,
    ))  # fmt: skip
    assert corrected.request.state is RequestState.APPROVED
    after = told(world, COMMISSIONER, *january)["overrides"]
    assert (before.overridden, before.relied_on) == (1, 0)
    assert (after.overridden, after.relied_on) == (1, 1)
    life.sum_up()
    assert told(world, COMMISSIONER, *january)["overrides"] == after
