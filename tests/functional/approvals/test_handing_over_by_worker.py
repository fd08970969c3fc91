"""Many treatments are handed over by the worker: all or none, with progress, and told of."""

from collections.abc import Mapping

import pytest
from fastapi import FastAPI

from app.approvals import handing, reassigning
from app.db import jobs
from app.db.work import Work
from app.work import LEASE
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.scene import work_off
from tests.functional.approvals.test_handing_over import ASKED, AT, FIRST, LAST, coverage, hand_over

MANY = 5


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(reassigning, "TOGETHER", 2)


@pytest.fixture
def treatments(people: Mapping[str, Api], clock: Clock) -> list[str]:
    """Running treatments that DEMQ1 pays for, on the day of a delegation to DEMQ2."""
    sent = [people["clinician"].post("/v1/requests", initiation(each)) for each in range(MANY)]
    clock.on(FIRST)
    return [good(each, 201)["treatment_id"] for each in sent]


def payers(people: Mapping[str, Api], treatments: list[str]) -> set[tuple[str, ...]]:
    clinician = people["clinician"]
    return {tuple(payer for *_, payer in coverage(clinician, each)) for each in treatments}


def test_what_is_confirmed_is_done_by_the_worker_and_told_then(
    people: Mapping[str, Api],
    treatments: list[str],
    application: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    confirmed = hand_over(people)
    assert confirmed["state"] == "under way"
    at, job = f"{AT}/{confirmed['id']}", f"/v1/jobs/{confirmed['job']}"
    payer, receiver = people["commissioner"], people["other commissioner"]
    assert payers(people, treatments) == {("DEMQ1",)}, "nothing is done while the caller waits"
    assert good(receiver.get("/v1/hand-overs"))["hand_overs"] == []
    assert good(payer.get(job))["state"] == "queued"
    assert receiver.get(job).status_code == 404
    for step in ("confirm", "decline"):
        reply = people["second commissioner"].post(f"{at}/{step}")
        assert reply.status_code == 409
        assert "is being handed over" in reply.json()["detail"]
    assert payer.post(AT, ASKED).status_code == 409, "the same does not wait twice"
    told: list[int] = []
    progress = jobs.progress

    def listen(work: Work, held: jobs.Job, *, done: int, total: int | None, **more: object) -> None:
        told.append(done)
        progress(work, held, done=done, total=total, lease=LEASE)

    monkeypatch.setattr(jobs, "progress", listen)

    work_off(application)

    on_postgres = application.state.door.database.engine.dialect.name == "postgresql"
    assert told == ([0, 2, 4, 5] if on_postgres else [0])
    done = good(payer.get(at))
    assert (done["state"], done["decided_by"]) == ("confirmed", "second commissioner")
    assert done["touches"]["treatments"] == MANY
    ended = good(payer.get(job))
    assert (ended["state"], ended["total"]) == ("done", MANY)
    assert payers(people, treatments) == {("DEMQ1", "DEMQ2")}
    (handed,) = good(receiver.get("/v1/hand-overs"))["hand_overs"]
    assert handed["treatments"] == MANY


def test_where_something_changes_before_it_is_done_nothing_goes_over_and_it_waits_again(
    people: Mapping[str, Api], treatments: list[str], application: FastAPI
) -> None:
    at = f"{AT}/{hand_over(people)['id']}"
    good(people["clinician"].post("/v1/requests", initiation(90)), 201)
    work_off(application)
    found = good(people["commissioner"].get(at))
    assert (found["state"], found["stale"], found["decided_by"]) == ("waiting", True, None)
    assert payers(people, treatments) == {("DEMQ1",)}
    assert people["second commissioner"].post(f"{at}/confirm").status_code == 409
    good(people["second commissioner"].post(f"{at}/decline"))


def test_one_whose_work_failed_is_confirmed_again_or_declined(
    people: Mapping[str, Api],
    treatments: list[str],
    application: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    confirmed = hand_over(people)
    at = f"{AT}/{confirmed['id']}"

    def broken(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(reassigning, "_hand", broken)
        work_off(application)
    assert good(people["commissioner"].get(f"/v1/jobs/{confirmed['job']}"))["state"] == "failed"
    assert payers(people, treatments) == {("DEMQ1",)}
    again = good(people["second commissioner"].post(f"{at}/confirm"))
    assert again["state"] == "under way"
    assert again["job"] != confirmed["job"]
    work_off(application)
    assert payers(people, treatments) == {("DEMQ1", "DEMQ2")}
    assert coverage(people["commissioner"], treatments[0])[-1][1] == LAST


@pytest.mark.parametrize(
    ("day", "is_taken"),
    [("1900-01-01", False), ("2025-03-31", False), ("2025-04-01", True), ("2026-06-20", True)],
)
def test_it_does_not_begin_before_anything_could_go_over(
    people: Mapping[str, Api], treatments: list[str], day: str, is_taken: bool
) -> None:
    """The treatments began in 2026; 1 April 2025 began the last financial year."""
    del treatments
    reply = people["commissioner"].post(AT, ASKED | {"from_day": day})
    assert reply.status_code == (201 if is_taken else 422), reply.text
    if not is_taken:
        assert "1 April 2025 at the earliest" in reply.text
