"""A person may name few patients who are not known within an hour, whatever they call with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.auth import holders
from app.auth.guesses import GuessLimits
from app.auth.people import find_person
from app.auth.store import register_caller
from app.db.tables import audit_event
from app.db.work import Work
from tests.functional.approvals.api import Api, Clock, good, initiation
from tests.functional.approvals.conftest import PEOPLE, STAFF
from tests.functional.approvals.test_outsiders import EXISTENCE
from tests.functional.conftest import ADMINISTRATOR

WHO = "other clinician"
KNOWN = EXISTENCE | {"nhs_number": initiation(1)["patient"]["nhs_number"]}
WRONG = KNOWN | {"birth_date": "1970-01-02"}
SUPPLY = {
    "drug": "Humira 40mg pen",
    "supply_date": "2026-06-15",
    "nhs_number": KNOWN["nhs_number"],
    "birth_date": "1970-01-02",
    "care_reason": "Seen today.",
}


@pytest.fixture(autouse=True)
def _few(application: FastAPI, people: Mapping[str, Api]) -> None:
    """Three an hour; and there is a patient to guess at."""
    state = application.state
    state.office = replace(state.office, guesses=GuessLimits(person=3, system=5))
    state.desk = replace(state.desk, office=state.office)
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)


def token_of_the_same_person(application: FastAPI, kind: Any = "person", tied: bool = True) -> Api:
    organisation, role = PEOPLE[WHO]

    def make(work: Work) -> None:
        id_, _ = register_caller(
            work,
            ADMINISTRATOR,
            name="Another",
            kind=kind,
            organisation=organisation,
            role=role,
            demonstration=True,
            token="another-token",
        )
        if tied:
            holders.tie(work, ADMINISTRATOR, id_, find_person(work, STAFF, WHO).id)

    application.state.door.transact(make)
    return Api(application.state.tests_client, "another-token")


@pytest.fixture(autouse=True)
def _client(application: FastAPI, people: Mapping[str, Api]) -> None:
    application.state.tests_client = people[WHO].client


def test_guesses_are_counted_by_person_refused_and_on_record(
    people: Mapping[str, Api], application: FastAPI, clock: Clock
) -> None:
    first, second = people[WHO], token_of_the_same_person(application)
    good(first.post("/v1/approval-existence", WRONG))
    good(second.post("/v1/treatment-claims", WRONG))
    good(first.post("/v1/supply-checks", SUPPLY))
    for api in (first, second):
        for path, body in (
            ("/v1/approval-existence", KNOWN),
            ("/v1/treatment-claims", KNOWN),
            ("/v1/supply-checks", SUPPLY),
        ):
            refused = api.post(path, body)
            assert refused.status_code == 429, refused.text
            assert "Retry-After" in refused.headers
            assert KNOWN["nhs_number"] not in refused.text
    query = sa.select(sa.func.count()).where(
        audit_event.c.action == "limit of patients not known reached"
    )
    assert application.state.door.read(lambda work: work.connection.scalar(query)) == 1
    # A colleague is not held back; nor is who asks nothing of others; and it passes.
    good(people["other pharmacist"].post("/v1/approval-existence", KNOWN))
    good(first.post("/v1/supply-checks", SUPPLY | {"care_reason": None}))
    clock.instant += clock.instant - clock.instant.replace(hour=clock.instant.hour - 1)
    assert good(first.post("/v1/approval-existence", KNOWN))["exists"] is True


def test_who_is_known_costs_nothing(people: Mapping[str, Api]) -> None:
    for _ in range(8):
        assert good(people[WHO].post("/v1/approval-existence", KNOWN))["exists"] is True


def test_a_system_that_is_tied_to_nobody_has_a_limit_of_its_own(application: FastAPI) -> None:
    system = token_of_the_same_person(application, "system", tied=False)
    for _ in range(5):
        good(system.post("/v1/approval-existence", WRONG))
    assert system.post("/v1/approval-existence", KNOWN).status_code == 429


@pytest.mark.parametrize("path", ["/v1/checks", "/v1/requests"])
def test_a_form_with_a_birth_date_that_does_not_fit_is_a_guess_at_anothers_patient(
    people: Mapping[str, Api], application: FastAPI, path: str
) -> None:
    """Refused, and counted all the same: else the day could be found form by form."""
    theirs = initiation(1)
    days = ("1970-01-02", "1970-01-02", "1970-01-03", "1970-01-03", "1970-01-04")
    for day in days:  # the same day again, as a form is looked at and then sent, is the same guess
        wrong = theirs | {"patient": {**theirs["patient"], "birth_date": day}}
        refused = people[WHO].post(path, wrong)
        assert (refused.status_code, refused.json()["code"]) == (409, "patient-contradiction")
    for body in (wrong, theirs):  # what fits is told no more than what does not
        refused = people[WHO].post(path, body)
        assert refused.status_code == 429, refused.text
        assert "Retry-After" in refused.headers
    query = sa.select(sa.func.count()).where(
        audit_event.c.action == "limit of patients not known reached"
    )
    assert application.state.door.read(lambda work: work.connection.scalar(query)) == 1
    # A patient whom nobody knows is no guess: care goes on.
    good(people[WHO].post("/v1/checks", initiation(2)))


def test_what_is_looked_at_and_then_sent_is_one_guess(people: Mapping[str, Api]) -> None:
    theirs = initiation(1)
    wrong = theirs | {"patient": {**theirs["patient"], "birth_date": "1970-01-02"}}
    for path in ("/v1/checks", "/v1/requests", "/v1/checks", "/v1/requests"):
        assert people[WHO].post(path, wrong).status_code == 409
    assert people[WHO].post("/v1/checks", theirs).status_code == 200  # two guesses are left


def test_a_slip_about_ones_own_patient_is_no_guess(people: Mapping[str, Api]) -> None:
    wrong = initiation(1)
    wrong["patient"] = {**wrong["patient"], "birth_date": "1970-01-02"}
    for _ in range(5):
        assert people["clinician"].post("/v1/checks", wrong).status_code == 409
    assert people["clinician"].post("/v1/checks", initiation(1)).status_code == 200
