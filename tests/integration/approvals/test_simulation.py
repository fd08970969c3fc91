"""The walk of `test_machine`, with clients that repeat calls, the sealer and the money.

In any order: forms, panels, continuations, transfers, corrections, stops, days that pass; the same
call again, at once or much later; seals; and a reconciliation of generated lines against whatever
state the walk has come to. A failure prints the steps and the blob that repeats them
(`@reproduce_failure`); `make walks` goes other and more walks than these.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from app.approvals.errors import ApprovalsError
from app.approvals.lifecycle import (
    APPROVAL_TRANSITIONS,
    REQUEST_TRANSITIONS,
    RequestEvent,
    RequestState,
)
from app.approvals.reference import is_reference
from app.audit import Keyring, verify_rows
from app.audit.sealing import seal
from app.audit.verify_seals import verify_seals
from app.db import tables
from app.db.engine import make_engine
from app.db.idempotency import IdempotencyKey, StoredAnswer, answer_once
from app.db.transaction import Database
from app.db.work import Work
from app.reconciliation.engines.debits import own_debit
from app.reconciliation.files import FileStore
from app.reconciliation.model import LineOutcome, MatchedLine
from app.reconciliation.service import Desk, reconcile
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from tests.conftest import _clean
from tests.integration.approvals.test_machine import (
    AUDIT_KEY,
    FOREVER,
    PATIENTS,
    Approvals,
    answers,
    callers,
    picks,
)
from tests.walks import of_walks
from tests.world import COMMISSIONER

pytestmark = pytest.mark.long

GRACE = dt.timedelta(days=28)  # of the invented policy
HEADER = (
    "FINANCIAL MONTH,FINANCIAL YEAR,ORGANISATION IDENTIFIER (CODE OF PROVIDER),"
    "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER),NHS NUMBER,PERSON BIRTH DATE,"
    "CLINICAL INTERVENTION DATE (DRUG DISPENSED),DRUG NAME,TOTAL COST"
)
STARTS = REQUEST_TRANSITIONS[RequestState.NEW, RequestEvent.SUBMIT]
STEPS = {(state, to) for (state, _), targets in REQUEST_TRANSITIONS.items() for to in targets}
APPROVAL_STEPS = {(state, to) for (state, _), to in APPROVAL_TRANSITIONS.items()}
#: A line: days into the newest coverage (or back from today), provider, drug as the invoice
#: spells it, price, how often it is sent.
lines = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 28, 84, 200, 364, 365, 380, 400, -1]),
        st.sampled_from(["DEMO1", "DEMO1", "DEMO1", "DEMO2"]),
        st.sampled_from(
            ["Tysabri 300mg", "Tysabri 300mg", "Natalizumab 300mg", "Homecare delivery", "Humira"]
        ),
        st.sampled_from(["1130.00", "1130.00", "1130.01", "-1130.00", "TBC"]),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=6,
)


class Simulation(Approvals):
    """Approvals with retries, seals and reconciliations."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Callable[[], StoredAnswer]] = []
        self.answered: list[StoredAnswer] = []
        self.requests: dict[str, str] = {}
        self.approvals: dict[str, str] = {}
        self.desk = Desk(
            office=self.world.office,
            dictionary=load_drugs(),
            organisations=load_organisations(),
            files=FileStore(self.folder / "files"),
        )

    def teardown(self) -> None:
        try:
            self.the_audit_log_is_sound()
        finally:
            super().teardown()

    # --- what may happen ------------------------------------------------------------------------

    @rule(caller=callers, who=st.sampled_from(PATIENTS), answers=answers, times=st.integers(1, 3))
    def submit_and_repeat(self, caller: Any, who: Any, answers: Any, times: int) -> None:
        """A client that has had no answer sends the same call again."""
        number = len(self.sent)
        key = IdempotencyKey(caller.id, caller.organisation, "POST /v1/requests", f"call-{number}")
        world, day = self.world, self.world.moment.day

        def send() -> StoredAnswer:
            def use_case(work: Work) -> StoredAnswer:
                plain = type(world)(
                    _Within(work), world.office, work.moment, world.new_id, world.random_bytes
                )
                view = plain.trial(caller, patient=who, answers=answers, decision_to_treat=day)
                return StoredAnswer(201, {}, view.request.id)

            return world.do(lambda w: answer_once(w, key, "body", lambda: use_case(w)))

        try:
            first = send()
        except ApprovalsError:
            return  # a refusal is not kept, and the invariants see that nothing came of it
        self.sent.append(send)
        self.answered.append(first)
        for _ in range(times - 1):
            self.repeat(number)

    @rule(pick=picks)
    def repeat_much_later(self, pick: int) -> None:
        if self.sent:
            self.repeat(pick % len(self.sent))

    def repeat(self, number: int) -> None:
        before = self.counted()
        assert self.sent[number]() == self.answered[number]
        assert self.counted() == before

    @rule()
    def seal_the_log(self) -> None:
        self.world.do(lambda work: seal(work, Keyring.of(AUDIT_KEY)))

    @rule(lines=lines)
    @precondition(lambda self: self.covered_days())
    def reconcile_lines(self, lines: Any) -> None:
        """Each pound in one bucket, no supply paid for twice, and a rerun the same run."""
        data = self.invoice(lines)
        result, again = (self.reconciled(data) for _ in range(2))
        assert (again.run.id, again.is_new) == (result.run.id, False)
        assert again.matched == result.matched
        self.check_money(result.matched, result.summary)
        covered = self.covered_days()
        for item in result.matched:
            if item.outcome is LineOutcome.MATCHED and (item.line.total_cost or 0) > 0:
                day = item.line.supply_date
                assert any(one <= day <= other for one, other in covered), day

    # --- helpers --------------------------------------------------------------------------------

    def reconciled(self, data: bytes) -> Any:
        def read(fn: Callable[[Work], Any]) -> Any:
            return self.world.database.read(fn, moment=self.world.moment)

        return reconcile(self.world.do, self.desk, COMMISSIONER, data, "lines.csv", read=read)

    def invoice(self, lines: Any) -> bytes:
        rows, covered = [HEADER], self.covered_days()
        for days, provider, drug, price, times in lines:
            first = covered[-1][0] if covered else self.world.moment.day - dt.timedelta(days=90)
            day = first + dt.timedelta(days=days)
            person = f"{PATIENTS[0].nhs_number},{PATIENTS[0].birth_date}"
            rows += [f"3,202627,{provider},DEMQ1,{person},{day},{drug},{price}"] * times
        if covered:  # and a supply that is paid for, sent twice
            person = f"{PATIENTS[0].nhs_number},{PATIENTS[0].birth_date}"
            row = f"3,202627,DEMO1,DEMQ1,{person},{covered[-1][0]},Tysabri 300mg,1130.02"
            rows += [row, row]
        return ("\n".join(rows) + "\n").encode()

    def check_money(self, matched: tuple[MatchedLine, ...], summary: Any) -> None:
        total = sum((item.line.total_cost or Decimal(0) for item in matched), Decimal(0))
        assert summary.grand.total == total == summary.grand.accepted + summary.grand.queried
        assert sum(bucket.total for bucket in summary.by_outcome) == total
        assert sum(bucket.lines for bucket in summary.by_outcome) == len(matched)
        paid: defaultdict[str, Decimal] = defaultdict(Decimal)
        for item in matched:
            paid[item.line.content_hash] += max(item.accepted, Decimal(0))
        content = {own_debit(item.line.row): item.line.content_hash for item in matched}
        for item in matched:  # billed, given back and billed again is paid once (ADR 79)
            for debit in content.keys() & set(item.tests):
                paid[content.pop(debit)] += item.accepted
        for item in matched:
            price = max(item.line.total_cost or Decimal(0), Decimal(0))
            assert paid[item.line.content_hash] <= price, item.line.row

    def covered_days(self) -> list[tuple[dt.date, dt.date]]:
        """The days that any segment in force covers, with the days of grace that may follow."""
        return [
            (s["from_day"], FOREVER if s["to_day"] is None else s["to_day"] + GRACE)
            for s in self.all(tables.segment)
            if s["kind"] == "coverage" and s["superseded_at"] is None
        ]

    def counted(self) -> dict[str, int]:
        return {table.name: len(self.all(table)) for table in tables.metadata.sorted_tables}

    def attempt(self, step: Callable[[], Any]) -> None:
        """Also look at the states at once: a rule may take several steps."""
        super().attempt(step)
        self.states_only_change_as_the_tables_say()

    # --- what must never happen -----------------------------------------------------------------

    @invariant()
    def states_only_change_as_the_tables_say(self) -> None:
        for row in self.all(tables.request):
            before = self.requests.get(row["id"])
            if before is None:
                assert row["state"] in STARTS
            elif before != row["state"]:
                assert (before, row["state"]) in STEPS
            self.requests[row["id"]] = row["state"]
        for row in self.all(tables.approval):
            before = self.approvals.get(row["id"])
            if before is not None and before != row["state"]:
                assert (before, row["state"]) in APPROVAL_STEPS
            self.approvals[row["id"]] = row["state"]

    @invariant()
    def references_are_unique_and_well_formed(self) -> None:
        references = [row["reference"] for row in self.all(tables.approval)]
        assert len(references) == len(set(references))
        assert all(is_reference(reference) for reference in references)

    def the_audit_log_is_sound(self) -> None:
        """Once a walk: it reads everything."""
        keys = Keyring.of(AUDIT_KEY)
        assert self.world.do(lambda work: verify_rows(work, keys)) == []
        assert self.world.do(lambda work: verify_seals(work, keys)) == []


class _Within(Database):
    """A database whose every use case runs within one open transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def transact(self, fn: Callable[[Work], Any], **_: Any) -> Any:
        return fn(self._work)


def walk(machine: type[Simulation], walks: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=of_walks(walks, steps),
    )


@pytest.mark.slow
def test_no_walk_with_retries_seals_and_invoices_breaks_what_must_hold() -> None:
    walk(Simulation, 12, 20)


@pytest.mark.slow
@pytest.mark.postgres
def test_nor_does_one_on_postgres(request: pytest.FixtureRequest) -> None:
    owner, url = request.getfixturevalue("_postgres_urls")

    class OnPostgres(Simulation):
        def open(self) -> sa.Engine:
            _clean(owner)
            return make_engine(url)

    walk(OnPostgres, 4, 15)
