"""Any sequence of steps where the policy asks for two members: nobody decides alone.

Three people decide in a panel's place, one of them with a second credential; which of the four
takes a step is drawn.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from hypothesis.strategies import integers, lists, sampled_from, tuples

from app.approvals import reviewing
from app.approvals.library import Library
from app.auth import holders
from app.auth.model import Caller, Role
from app.auth.people import add_person
from app.auth.store import register_caller
from app.db import tables
from app.db.work import Work
from tests.functional.conftest import ADMINISTRATOR
from tests.integration.approvals.test_machine import PATIENTS, Approvals
from tests.pattern_policies import TWO_MEMBERS
from tests.walks import of_walks
from tests.world import CLINICIAN, COMMISSIONER, TRIAL_ANSWERS

pytestmark = pytest.mark.long

DECIDED = ("approved", "declined", "overturned")
#: Who of the four says what, one after another; 0 and 3 are one person.
SITTINGS = [
    [(0, "approve"), (1, "approve")],
    [(0, "approve"), (3, "approve")],
    [(2, "decline"), (1, "decline")],
    [(0, "approve"), (1, "decline"), (3, "decline")],
    [(3, "decline"), (0, "approve"), (1, "decline")],
]


class TwoMembers(Approvals):
    """The same walk, under a policy that asks for two."""

    credentials: tuple[str, ...] = ()
    decided_together = 0

    def library(self) -> Library:
        return Library([TWO_MEMBERS])

    def decider(self, pick: int) -> Caller:
        return replace(COMMISSIONER, id=self.credentials[pick % len(self.credentials)])

    @initialize(who=sampled_from(PATIENTS), said=sampled_from(SITTINGS))
    def begin(self, who: Any, said: list[tuple[int, str]]) -> None:
        """Each walk begins with a request that people decide, and a first sitting on it."""
        self.credentials = self.world.do(_register)
        self.world.trial(CLINICIAN, patient=who, answers={**TRIAL_ANSWERS, "usual": False})
        self.sit(0, said)

    @rule(
        pick=integers(0, 5),
        said=lists(
            tuples(integers(0, 3), sampled_from(["approve", "approve", "decline"])),
            min_size=2,
            max_size=4,
        ),
    )
    def sit(self, pick: int, said: list[tuple[int, str]]) -> None:
        """A meeting on one request: each says one thing, as the request stands then."""
        waiting = [r for r in self.all(tables.request) if r["state"] == "referred"]
        if not waiting:
            return
        id_ = waiting[pick % len(waiting)]["id"]
        for who, how in said:
            (request,) = (r for r in self.all(tables.request) if r["id"] == id_)
            self.attempt(lambda by=who, how=how, at=request["version"]: self.say(by, how, id_, at))

    def say(self, by: int, how: str, id_: str, version: int) -> None:
        office, caller = self.world.office, self.decider(by)
        if how == "decline":
            self.world.do(lambda w: reviewing.panel_decline(w, office, caller, id_, "x", version))
            return
        none: frozenset[str] = frozenset()
        self.world.do(lambda w: reviewing.panel_approve(w, office, caller, id_, "x", none, version))

    @invariant()
    def nobody_decides_alone(self) -> None:
        votes = self.all(tables.panel_vote)
        for decision in self.all(tables.decision):
            made = [v for v in votes if v["decision_id"] == decision["id"]]
            if decision["made_by"] != "panel" or decision["outcome"] not in DECIDED:
                assert made == []
                continue
            first, second = sorted(made, key=lambda v: v["number"])
            by = [first["voted_by"], second["voted_by"]]
            assert by == [decision["agreed_with"], decision["decided_by"]]
            one, other = self.world.do(lambda w, by=by: [holders.person_of(w, b) for b in by])
            assert one is not None
            assert other is not None
            assert one != other
            for vote in made:
                for name in ("outcome", "waived", "revision", "request_id"):
                    assert vote[name] == decision[name]
                assert _paid_to(vote) == _paid_to(decision)
            TwoMembers.decided_together += 1

    @invariant()
    def a_vote_leaves_the_request_where_it_was(self) -> None:
        decided = {d["request_id"] for d in self.all(tables.decision) if d["agreed_with"]}
        for approval in self.all(tables.approval):
            if approval["basis"] == "panel":
                assert approval["request_id"] in decided


def _paid_to(row: Any) -> str | None:
    """The last day that a vote or a decision pays for; None for one that pays for none."""
    given = row["doses_given"]
    return given["to_day"] if given and given["paid"] else None


def _register(work: Work) -> tuple[str, ...]:
    people = [
        add_person(work, ADMINISTRATOR, issuer="https://x.test", subject=name, name=name).id
        for name in ("Pat", "Quinn", "Rae")
    ]
    token, _ = register_caller(
        work,
        ADMINISTRATOR,
        name="Pat's token",
        kind="person",
        organisation=COMMISSIONER.organisation,
        role=Role.COMMISSIONER,
        demonstration=True,
    )
    holders.tie(work, ADMINISTRATOR, token, people[0])
    return (*people, token)


@pytest.mark.slow
def test_no_walk_lets_one_person_decide_where_the_policy_asks_for_two() -> None:
    run_state_machine_as_test(
        TwoMembers,
        settings=of_walks(20, 20),
    )
    assert TwoMembers.decided_together, "no walk came to a decision, so it showed nothing"
