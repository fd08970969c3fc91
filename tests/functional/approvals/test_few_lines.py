"""Challenging a few lines of a run, and deciding one, reads those lines and not the submission."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from fastapi import FastAPI

from app.db import tables
from app.db.work import Work
from app.reconciliation import deciding_lines, large_drafts, service
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import run_of
from tests.functional.approvals.test_challenges import ROWS, as_csv, draft, step


@pytest.fixture
def payer(people: Mapping[str, Api]) -> Api:
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    return people["commissioner"]


@pytest.fixture
def whole_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that every line of a submission is read."""
    seen = list[str]()
    load = service.load_submission

    def noted(*arguments: Any) -> Any:
        seen.append("read")
        return load(*arguments)

    monkeypatch.setattr(service, "load_submission", noted)
    return seen


#: What drafting, raising, answering, reading and deciding by hand come to, whichever way.
TOLD: Final = {
    "challenges": [
        ("DEMO1", "duplicate line", 1, "300.00"),
        ("DEMO1", "no approval", 2, "320.50"),
        ("DEMO2", "no approval", 1, "300.00"),
        ("DEMO2", "not the approved provider", 1, "70.00"),
    ],
    "left out": {
        "nothing is queried of it": (1, "0.00"),
        "it states no legible provider to ask": (1, "5.00"),
        "the file itself takes the charge back": (2, "0.00"),
    },
    "to the payer": ([(2, "300.00"), (3, "20.50")], "[hidden] is ours."),
    "to the trust": ([(2, "HX-00801"), (3, "HX-00801")], "HX-00801 is ours."),
    "decided": ("query", 2),
}


def told(people: Mapping[str, Api], run: str) -> Any:
    """The same of a run, without ids."""
    payer, trust = people["commissioner"], people["pharmacist"]
    made = draft(payer, run)
    groups = [(c["provider"], c["outcome"], c["lines"], c["queried"]) for c in made["challenges"]]
    mine = made["challenges"][groups.index(("DEMO1", "no approval", 2, "320.50"))]
    raised = step(payer, mine, "raise", {"respond_by": "2026-07-31"})
    step(trust, raised, "answer", {"evidence": "HX-00801 is ours."})
    shown = good(payer.get(f"/v1/challenges/{mine['id']}"))
    own = good(trust.get(f"/v1/challenges/{mine['id']}"))
    at = f"/v1/runs/{run}/lines/2/override"
    decided = good(payer.post(at, {"kind": "query", "reason": "Asked the trust."}), 201)
    return {
        "challenges": sorted(groups),
        "left out": {each["why"]: (each["lines"], each["queried"]) for each in made["left_out"]},
        "to the payer": (
            [(each["row"], each["queried"]) for each in shown["lines"]],
            shown["evidence"],
        ),
        "to the trust": (
            [(each["row"], each["local_patient_id"]) for each in own["lines"]],
            own["evidence"],
        ),
        "decided": (decided["kind"], decided["row"]),
    }


def test_no_line_is_read_but_those_that_matter(
    people: Mapping[str, Api], application: FastAPI, payer: Api, whole_reads: list[str]
) -> None:
    run = run_of(payer, application, as_csv(*ROWS))
    whole_reads.clear()
    assert told(people, run) == TOLD
    assert whole_reads == []


def _forget_rows(application: FastAPI, _: pytest.MonkeyPatch) -> None:
    def forget(work: Work) -> None:
        with work.beyond_scope():
            kept = tables.submission_rows.update()
            work.connection.execute(kept.values(intake_version=0))

    application.state.door.transact(forget)


def _allow_none(_: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_drafts, "MOST", 0)
    monkeypatch.setattr(deciding_lines, "MOST_RELATED", 0)


@pytest.mark.parametrize("spoil", [_forget_rows, _allow_none])
def test_where_these_cannot_be_read_alone_every_line_is_and_the_same_is_told(
    people: Mapping[str, Api],
    application: FastAPI,
    payer: Api,
    whole_reads: list[str],
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[FastAPI, pytest.MonkeyPatch], None],
) -> None:
    run = run_of(payer, application, as_csv(*ROWS))
    spoil(application, monkeypatch)
    whole_reads.clear()
    assert told(people, run) == TOLD
    assert whole_reads != []
