"""Challenges and lists by month, and by whether the calendar's time for challenging is over."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from tests.functional.approvals.api import Api, good
from tests.functional.approvals.scene import SUBMISSION_ROW, UNKNOWN_PATIENT, run_of
from tests.functional.approvals.test_challenges import as_csv, draft, step

JUNE = SUBMISSION_ROW | UNKNOWN_PATIENT
MAY = JUNE | {
    "FINANCIAL MONTH": "2",
    "CLINICAL INTERVENTION DATE (DRUG DISPENSED)": "2026-05-11",
}


@pytest.fixture
def payer(people: Mapping[str, Api]) -> Api:
    return people["commissioner"]


def challenge_by(payer: Api, **days: str) -> None:
    """Set the days for challenging May and June of 2026."""
    numbers = {"may": 2, "june": 3}
    months = [
        {
            "financial_year": "202627",
            "financial_month": numbers[name],
            "challenge_by": day,
            "source": "Invented for the tests",
        }
        for name, day in days.items()
    ]
    good(payer.post("/v1/calendar", {"months": months}))


def listed(api: Api, **asked: str) -> list[Any]:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    return list(good(api.get(f"/v1/challenges?{query}"))["challenges"])


def test_challenges_are_asked_for_by_slice_and_window(
    payer: Api, people: Mapping[str, Api], application: FastAPI
) -> None:
    challenge_by(payer, may="2026-06-01", june="2026-07-31")
    run = run_of(payer, application, as_csv(MAY, JUNE))
    may, june = sorted(draft(payer, run, by_month=True)["challenges"], key=lambda c: c["month"])
    for asked, found in (
        ({"financial_month": "2"}, [may]),
        ({"financial_month": "3", "financial_year": "202627"}, [june]),
        ({"financial_year": "202526"}, []),
        ({"window": "closed"}, [may]),
        ({"window": "open"}, [june]),
        ({"window": "not set"}, []),
        ({"provider": "DEMO2"}, []),
        ({"provider": "DEMO1", "window": "open"}, [june]),
    ):
        assert [c["id"] for c in listed(payer, **asked)] == [c["id"] for c in found], asked
    assert (may["window"], may["challenge_by"]) == ("closed", "2026-06-01")
    assert (june["window"], june["challenge_by"]) == ("open", "2026-07-31")
    assert listed(people["pharmacist"], window="closed") == []  # nothing is raised yet
    assert listed(people["other commissioner"], window="closed") == []


def test_one_raised_after_its_day_is_raised_and_both_read_that_it_is_late(
    payer: Api, people: Mapping[str, Api], application: FastAPI
) -> None:
    challenge_by(payer, may="2026-06-01")
    run = run_of(payer, application, as_csv(MAY))
    (made,) = draft(payer, run)["challenges"]
    raised = step(payer, made, "raise", {"respond_by": "2026-07-31"})
    assert (raised["state"], raised["window"]) == ("raised", "closed")
    (theirs,) = listed(people["pharmacist"], window="closed")
    assert (theirs["window"], theirs["challenge_by"]) == ("closed", "2026-06-01")


def test_of_several_months_the_earliest_day_counts_and_a_day_that_is_not_set_leaves_it_open(
    payer: Api, application: FastAPI
) -> None:
    run = run_of(payer, application, as_csv(MAY, JUNE))
    (made,) = draft(payer, run)["challenges"]
    assert (made["window"], made["challenge_by"]) == ("not set", None)
    assert len(listed(payer, window="not set")) == 1
    challenge_by(payer, june="2026-07-31")
    (now,) = listed(payer, window="not set")
    assert now["challenge_by"] == "2026-07-31"
    challenge_by(payer, may="2026-06-01")
    (now,) = listed(payer, window="closed")
    assert now["challenge_by"] == "2026-06-01"


def test_a_list_is_narrowed_by_month_provider_and_window(
    payer: Api, people: Mapping[str, Api], application: FastAPI
) -> None:
    assert people
    assert application
    for asked in ("financial_month=3", "provider=DEMO2", "window=closed", "financial_year=202627"):
        body = good(payer.get(f"/v1/worklists/supplied-after-stop?{asked}"))
        assert body["count"] == len(body["entries"]) == 0
    assert payer.get("/v1/worklists/supplied-after-stop?window=soon").status_code == 422
