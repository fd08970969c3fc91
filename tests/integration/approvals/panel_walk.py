"""Of a walk through the use cases: what a panel has spoken on is approved by people (ADR 76)."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from app.db import tables
from tests.world import CLINICIAN, World, patient

#: What leaves a request, or the patient's next form, with the panel.
UNSETTLED = ("declined", "overturned", "returned")
FIXED: dict[str, Any] = {"score": "6.0", "risk": False, "usual": True}
UNUSUAL = {**FIXED, "usual": False}


class PanelWords:
    """A rule that argues with a panel's word by changing answers, and what must never come of it.

    Mixed into a walk, which picks rows and takes steps.
    """

    world: World

    def all(self, table: sa.Table) -> list[Any]:
        raise NotImplementedError

    def attempt(self, step: Callable[[], Any]) -> None:
        raise NotImplementedError

    def take(
        self, caller: Any, pick: int, request: Any, answers: Any, wait: int, step: str
    ) -> None:
        raise NotImplementedError

    @rule(
        number=st.integers(11, 13),
        word=st.sampled_from(["decline", "decline", "return", "approve", "aside"]),
        steps=st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        "correct",
                        "correct",
                        "correct",
                        "amend",
                        "amend",
                        "anew",
                        "anew",
                        "withdraw",
                        "error",
                        "refuse",
                    ]
                ),
                st.sampled_from([FIXED, FIXED, FIXED, {"risk": None}, {"score": "4.0"}]),
            ),
            min_size=2,
            max_size=4,
        ),
    )
    def argue_with_a_panel(self, number: int, word: str, steps: list[tuple[str, Any]]) -> None:
        """A request that people decide, what they say, and whatever may be done about it then."""
        who = patient(number)
        self.attempt(lambda: self.world.trial(CLINICIAN, patient=who, answers=UNUSUAL))
        for step, answers in [(word, {}), *steps]:
            if step == "anew":
                self.attempt(
                    lambda given=answers: self.world.trial(
                        CLINICIAN, patient=who, answers={**FIXED, **given}
                    )
                )
                continue
            request = self.all(tables.request)[-1]
            self.take(CLINICIAN, 1, request, answers, number, step)

    @invariant()
    def what_a_panel_spoke_on_is_approved_by_people(self) -> None:
        """An approval by the policy has no panel's word on its request before it.

        Nor was the panel's last word on the patient's earlier forms anything but an approval.
        """
        decisions = {d["id"]: d for d in self.all(tables.decision)}
        requests = {r["id"]: r for r in self.all(tables.request)}
        treatments = {t["id"]: t for t in self.all(tables.treatment)}
        votes = self.all(tables.panel_vote)

        def form(request: Any) -> tuple[Any, ...]:
            patient = treatments[request["treatment_id"]]["patient_id"]
            return (patient, request["provider"], request["policy"], request["kind"])

        words = [
            d
            for d in decisions.values()
            if d["made_by"] == "panel" and d["outcome"] != "stood aside"
        ]
        for approval in self.all(tables.approval):
            if approval["basis"] != "policy" or approval["request_id"] is None:
                continue
            by, request = decisions[approval["decision_id"]], requests[approval["request_id"]]
            before = sorted(
                (w for w in words if w["decided_at"] < by["decided_at"]),
                key=lambda w: w["decided_at"],
            )
            assert not any(w["request_id"] == request["id"] for w in before)
            assert not any(
                v["request_id"] == request["id"] and v["voted_at"] < by["decided_at"] for v in votes
            )
            same = [w for w in before if form(requests[w["request_id"]]) == form(request)]
            assert not same or same[-1]["outcome"] not in UNSETTLED
