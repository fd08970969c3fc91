"""Guesses that are made at one moment are told no more than those made one after another."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.approvals import checking, patients
from app.auth.guesses import GuessLimits
from app.auth.model import Caller, Role
from app.db.tables import audit_event
from app.db.work import Work
from app.reconciliation import checking_supplies
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.conftest import PEOPLE
from tests.functional.approvals.test_outsiders import EXISTENCE
from tests.integration.db.together import together

WHO = "other clinician"
LIMIT, CALLS = 3, 6
#: How long a call waits, once it has looked, for the others to have looked too.
SECONDS = 1.0


@pytest.fixture(autouse=True)
def _few(application: FastAPI, people: Mapping[str, Api]) -> None:
    """Three an hour; and there are patients to guess at."""
    state = application.state
    state.office = replace(state.office, guesses=GuessLimits(person=LIMIT, system=LIMIT))
    state.desk = replace(state.desk, office=state.office)
    for each in range(1, CALLS + 1):
        good(people["clinician"].post("/v1/requests", initiation(each)), 201)


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who has looked waits, before it goes on, until all the others have: the worst moment."""
    met, made = threading.Barrier(CALLS), list[str]()

    def slow(look: Callable[..., Any]) -> Callable[..., Any]:
        def looking(*given: Any, **named: Any) -> Any:
            try:
                return look(*given, **named)
            finally:
                made.append(look.__name__)
                with suppress(threading.BrokenBarrierError):
                    met.wait(SECONDS)

        return looking

    for room, name in (
        (patients, "find_existing"),
        (patients, "identify"),
        (patients, "known_by"),
        (checking_supplies, "known_people"),
    ):
        monkeypatch.setattr(room, name, slow(getattr(room, name)))
    return made


def reached(application: FastAPI) -> int:
    query = sa.select(sa.func.count()).where(
        audit_event.c.action == "limit of patients not known reached"
    )
    count: int = application.state.door.read(lambda work: work.connection.scalar(query))
    return count


def form(sequence: int, born: str) -> dict[str, Any]:
    theirs = initiation(sequence)
    return theirs | {"patient": {**theirs["patient"], "birth_date": born, "local_id": None}}


def named(sequence: int, born: str) -> dict[str, Any]:
    number = initiation(sequence)["patient"]["nhs_number"]
    return EXISTENCE | {"nhs_number": number, "birth_date": born}


def supply(sequence: int, born: str) -> dict[str, Any]:
    planned = {"drug": "Humira 40mg pen", "supply_date": "2026-06-15", "care_reason": "Seen today."}
    who = named(sequence, born)
    return planned | {name: who[name] for name in ("nhs_number", "birth_date")}


DOORS: dict[str, tuple[Callable[[int, str], dict[str, Any]], int]] = {
    "/v1/requests": (form, 409),
    "/v1/checks": (form, 409),
    "/v1/treatment-claims": (named, 200),
    "/v1/approval-existence": (named, 200),
    "/v1/supply-checks": (supply, 200),
}


@pytest.mark.parametrize("path", DOORS)
def test_no_more_are_told_than_the_limit_lets(
    people: Mapping[str, Api], application: FastAPI, path: str
) -> None:
    body, told = DOORS[path]
    answers = together(CALLS, lambda number: people[WHO].post(path, body(number + 1, "1970-01-02")))
    found = sorted(each.status_code for each in answers)
    assert found == [told] * LIMIT + [429] * (CALLS - LIMIT), [each.text for each in answers]
    assert reached(application) == 1


@pytest.mark.parametrize("path", DOORS)
def test_one_that_fits_is_told_only_within_the_limit(people: Mapping[str, Api], path: str) -> None:
    """Else whoever tries many days at one moment hears of the right one beyond the limit."""
    body, _ = DOORS[path]
    sent = ["1970-01-02"] * LIMIT
    for each, born in enumerate(sent):
        assert people[WHO].post(path, body(each + 1, born)).status_code != 429
    assert people[WHO].post(path, body(LIMIT + 1, "1970-01-01")).status_code == 429


@pytest.mark.parametrize("path", DOORS)
def test_those_that_fit_leave_nothing_counted(people: Mapping[str, Api], path: str) -> None:
    body, told = DOORS[path]
    for each in range(1, CALLS + 1):
        answer = people[WHO].post(path, body(each, "1970-01-01"))
        assert answer.status_code != 429, answer.text
        assert answer.json().get("code") != "patient-contradiction"
    wrong = [people[WHO].post(path, body(1, f"1970-02-0{day}")) for day in range(1, LIMIT + 2)]
    assert [each.status_code for each in wrong] == [told] * LIMIT + [429]


def test_a_draft_s_page_looks_no_oftener_than_the_limit(
    people: Mapping[str, Api], application: FastAPI, looks: list[str]
) -> None:
    caller = who(application)
    looks.clear()

    def look(number: int) -> bool:
        nhs_number = initiation(number + 1)["patient"]["nhs_number"]

        def asked(work: Work) -> bool:
            return checking.is_elsewhere(
                work,
                caller,
                "adalimumab",
                nhs_number,
                date(1970, 1, 2),
                application.state.office.guesses,
            )

        found: bool = application.state.door.transact(asked)
        return found

    assert together(CALLS, look) == [False] * CALLS
    assert looks == ["known_by"] * LIMIT
    assert reached(application) == 1


def who(application: FastAPI) -> Caller:
    organisation, _ = PEOPLE[WHO]
    return Caller("other", "Other", "person", organisation, Role.CLINICIAN, "a test", "other")
