"""Two people challenge, or decide, the same lines at once: each line once, and a plain answer."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from fastapi import FastAPI

from tests.functional.approvals.api import Api, good
from tests.functional.approvals.scene import run_of
from tests.functional.approvals.test_challenges import UNKNOWN, as_csv


def together(*calls: Callable[[], Any]) -> list[Any]:
    gate = Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_two_drafts_and_two_decisions_at_once_take_a_line_once(
    people: Mapping[str, Api], application: FastAPI
) -> None:
    payer = people["commissioner"]
    first = run_of(payer, application, as_csv(UNKNOWN))
    second = run_of(payer, application, as_csv(UNKNOWN, UNKNOWN | {"TOTAL COST": "1.00"}))
    drafts = together(
        *(
            lambda run=run: payer.post("/v1/challenges", {"run": run})
            for run in (first, second, first, second)
        )
    )
    assert [reply.status_code for reply in drafts] == [201] * 4
    made = [each for reply in drafts for each in reply.json()["challenges"]]
    assert sum(each["lines"] for each in made) == 2
    assert len(good(payer.get("/v1/challenges"))["challenges"]) == len(made)
    body = {"kind": "accept", "reason": "Agreed."}
    decided = together(
        *(
            lambda run=run: payer.post(f"/v1/runs/{run}/lines/1/override", body)
            for run in (first, second)
        )
    )
    assert sorted(reply.status_code for reply in decided) == [201, 409]
