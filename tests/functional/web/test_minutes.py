"""The minutes of a panel's decisions, as a page."""

import re

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.approvals.office import change_setting
from app.db import tables
from app.db.work import EVERYBODY, Work
from app.reference_data.nhs_number import format_nhs_number
from tests.functional.conftest import ADMINISTRATOR
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, sent

REFERRED = ANSWERS | {"screened": "no"}


@pytest.fixture
def panel(application: FastAPI) -> None:
    """DEMQ1's referred requests go to the panel DEMP1."""

    def settle(work: Work) -> None:
        day = work.moment.day.replace(month=1, day=1)
        change_setting(work, "DEMQ1", "panel", "DEMP1", day, ADMINISTRATOR.id)

    application.state.door.transact(settle)


def take(person: Person, request: str, step: str, **fields: str) -> None:
    at = f"/requests/{request}"
    reply = person.send(at, f"{at}/{step}", **fields)
    assert reply.status_code == 303, reply.text


def main_of(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.partition("<main")[2]))


@pytest.mark.usefixtures("panel")
def test_minutes_tell_decisions_members_interests_reasons_and_waivers(
    enter: Enter, application: FastAPI
) -> None:
    doctor, member = enter("demo1-clinician"), enter("demp1-panel-member")
    approved, _ = sent(doctor, REFERRED)
    declined, _ = sent(doctor, REFERRED)
    conflicted, _ = sent(doctor, REFERRED)
    waived = re.findall(r'name="(waive\.[^"]+)"', member.get(f"/requests/{approved}").text)
    take(
        member,
        approved,
        "panel-approve",
        reason="Screening was done elsewhere.",
        no_interest="yes",
        **dict.fromkeys(waived, "yes"),
    )
    take(member, declined, "panel-decline", reason="Not shown to be safe.", no_interest="yes")
    take(member, conflicted, "declare-interest", reason="I treat the patient myself.")

    shown = member.get("/minutes")
    assert shown.status_code == 200
    text = main_of(shown.text)
    assert "3 requests: 1 approved, 1 declined, 1 stood aside." in text
    assert "Panel member of DEMP1 (demonstration)" in text
    assert "on request 3: I treat the patient myself." in text
    assert "declared an interest, and did not decide" in text
    assert "Screening was done elsewhere." in text
    assert "Not shown to be safe." in text
    assert "one person asked, another decided" in text
    assert "the same person" not in text
    for name in waived:
        assert f"{name.removeprefix('waive.')}: " in text
    # The order is that of the decisions.
    order = re.findall(r'href="/requests/([0-9a-f-]{36})"', shown.text)
    assert order == [approved, declined, conflicted]

    def read(work: Work) -> list[str]:
        event = tables.audit_event.c
        found = sa.select(event.request_id).where(event.action == "panel minutes read")
        return list(work.connection.execute(found).scalars())

    door = application.state.door
    assert door.scope == EVERYBODY
    assert sorted(door.read(read)) == sorted(order)


@pytest.mark.usefixtures("panel")
def test_minutes_name_no_patient_and_are_their_own_organisations(enter: Enter) -> None:
    doctor, member = enter("demo1-clinician"), enter("demp1-panel-member")
    request, treatment = sent(doctor, REFERRED)
    number = re.findall(r"999 \d{3} \d{4}", doctor.get(f"/treatments/{treatment}").text)[0]
    take(
        member,
        request,
        "panel-decline",
        reason=f"Ask about {number} and {number.replace(' ', '')} again.",
        no_interest="yes",
    )
    for who, sees in (
        ("demp1-panel-member", True),
        ("demq1-commissioner", True),
        ("demq1-auditor", True),
        ("demo1-auditor", True),
        ("demq2-commissioner", False),
        ("demo2-auditor", False),
    ):
        text = enter(who).get("/minutes").text
        assert (f"/requests/{request}" in text) is sees, who
        assert ("Ask about [hidden] and [hidden] again." in text) is sees, who
        assert format_nhs_number(number.replace(" ", "")) not in text
        assert ("Pseudonym" in text) is sees
    assert doctor.get("/minutes").status_code == 403


def test_where_the_commissioner_decides_in_a_panels_place_the_minutes_say_so(enter: Enter) -> None:
    request, _ = sent(enter("demo1-clinician"), REFERRED)
    payer = enter("demq1-commissioner")
    take(payer, request, "panel-decline", reason="Not shown to be safe.")
    text = main_of(payer.get("/minutes").text)
    assert "none: the commissioner decided in a panel's place" in text or (
        "none: the commissioner decided in a panel&#39;s place" in text
    )
    assert "not asked of a commissioner" in text


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 200, "No request was decided in these days."),
        ("?from-day=1&from-month=2&from-year=2026&to-day=3&to-month=2&to-year=2026", 200, "1 Feb"),
        ("?from-day=31&from-month=2&from-year=2026", 422, "Enter a day"),
        ("?from-day=1&from-month=1&from-year=0001", 422, "Enter a day"),
        ("?from-day=%3Cscript%3E&from-month=1&from-year=2026", 422, "&lt;script&gt;"),
        ("?to-day=1&to-month=1&to-year=2020", 422, "before the first"),
        ("?from-day=1&from-month=1&from-year=2020", 422, "a year at most"),
        ("?panel=nobody%27s", 400, "The address of this page cannot be read"),
    ],
)
def test_days_that_are_no_period_are_told(
    enter: Enter, query: str, status: int, words: str
) -> None:
    shown = enter("demp1-panel-member").get(f"/minutes{query}")
    assert shown.status_code == status
    assert words in shown.text
