"""A challenge's lines, page by page."""

import datetime as dt
import html
import re
from collections.abc import Mapping
from decimal import Decimal

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.auth.model import Role
from app.db import tables
from app.db.work import Work
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.web.desk import challenges
from tests.functional.approvals.api import Api, good
from tests.functional.approvals.scene import SUBMISSION_ROW, run_of
from tests.functional.desk.conftest import Browser, Sit
from tests.functional.desk.test_desk import PAYER, as_csv

LINES = 5
SHOWN = 2


#: Of patients whom nobody knows, a line each, what only their own line tells to be theirs.
LOCALS = [f"H77700{each}" for each in range(LINES)]
BORN = [f"196{each}-03-04" for each in range(LINES)]
FILE = as_csv(
    *(
        SUBMISSION_ROW
        | {
            "NHS NUMBER": invented_nhs_number(800 + each),
            "LOCAL PATIENT IDENTIFIER (EXTENDED)": LOCALS[each],
            "PERSON BIRTH DATE": BORN[each],
        }
        for each in range(LINES)
    )
)


@pytest.fixture
def challenge(
    people: Mapping[str, Api],
    application: FastAPI,
    sit: Sit,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The address of one of all five lines, raised; a page shows two."""
    monkeypatch.setattr(challenges, "LINES_ON_A_PAGE", SHOWN)
    run = run_of(people["commissioner"], application, FILE)
    payer = sit("DEMQ1", PAYER)
    payer.send(f"/submissions/runs/{run}", f"/submissions/runs/{run}/challenges")
    listed = payer.get(f"/challenges?run={run}").text
    (at,) = set(re.findall(r"/challenges/[0-9a-f-]{36}", listed))
    day = {"respond_by-day": "31", "respond_by-month": "7", "respond_by-year": "2026"}
    assert payer.send(at, f"{at}/raise", **day).status_code == 303
    return at


def pages(browser: Browser, at: str) -> list[str]:
    """Each page of the lines, in their order."""
    found, following = [], at
    while following:
        found.append(browser.get(following).text)
        more = re.search(r'href="([^"]+)">Next lines', found[-1])
        following = more[1] if more else ""
    return found


def rows_of(page: str) -> list[int]:
    return [
        int(row)
        for row in re.findall(r'app-row-head">(?:<a [^>]*><span[^>]*>[^<]*</span>)?(\d+)<', page)
    ]


def test_every_line_is_on_one_page_and_each_page_counts_them_all(
    people: Mapping[str, Api], sit: Sit, challenge: str
) -> None:
    told = good(people["commissioner"].get(f"/v1{challenge}"))
    wanted = [line["row"] for line in told["lines"]]
    assert len(wanted) == LINES, "the API's document holds them all"
    for who in (sit("DEMQ1", PAYER), sit("DEMO1", Role.PHARMACIST)):
        found = pages(who, challenge)
        assert [row for page in found for row in rows_of(page)] == wanted
        assert [len(rows_of(page)) for page in found] == [SHOWN, SHOWN, 1]
        assert all(f"{LINES} lines</h2>" in page for page in found)
        assert ["Back to the first lines" in page for page in found] == [False, True, True]


def test_each_line_leads_whoever_pays_to_its_evidence(sit: Sit, challenge: str) -> None:
    """A trust has no run of the commissioner's to open, so it is offered no link."""
    payer, trust = sit("DEMQ1", PAYER), sit("DEMO1", Role.PHARMACIST)
    shown = payer.get(challenge).text
    found = re.findall(r'href="(/submissions/runs/[^"]+/lines/(\d+))"', shown)
    assert [int(row) for _, row in found] == rows_of(shown)
    for href, row in found:
        evidence = payer.get(href)
        assert evidence.status_code == 200
        assert f"Row {row}</span>" in evidence.text
    assert not re.search(r"\d\d/\d\d/\d{4}", shown)
    assert "/submissions/runs/" not in trust.get(challenge).text.partition("<main")[2]


def test_an_answer_is_bared_of_what_lines_on_other_pages_tell(sit: Sit, challenge: str) -> None:
    payer, trust = sit("DEMQ1", PAYER), sit("DEMO1", Role.PHARMACIST)
    words = f"Seen, as {' and '.join([*LOCALS, *BORN])} were."
    assert trust.send(challenge, f"{challenge}/answer", evidence=words).status_code == 303
    assert f"{LOCALS[-1]} and" in pages(trust, challenge)[0]
    for page in pages(payer, challenge):
        assert "Seen, as" in page
        assert not [told for told in (*LOCALS, *BORN) if told in page]


def test_a_page_of_lines_is_not_shown_where_they_do_not_make_up_the_challenge(
    application: FastAPI, sit: Sit, challenge: str
) -> None:
    payer, line = sit("DEMQ1", PAYER), tables.challenge_line.c

    def a_penny_more(work: Work) -> None:
        own = line.challenge_id == challenge.rpartition("/")[2]
        last = sa.select(sa.func.max(line.row)).where(own).scalar_subquery()
        one = sa.select(line.queried).where(own, line.row == last)
        more = work.connection.execute(one).scalar_one() + Decimal("0.01")
        work.connection.execute(
            sa.update(tables.challenge_line).where(own, line.row == last).values(queried=more)
        )

    assert payer.get(challenge).status_code == 200
    application.state.door.acting_for("DEMQ1").transact(a_penny_more)
    for page in (challenge, f"{challenge}?after=1"):
        assert payer.get(page).status_code == 500, "TotalsDoNotTie is a fault of ours"


def test_every_challenge_is_on_one_page_of_the_list(
    people: Mapping[str, Api],
    application: FastAPI,
    sit: Sit,
    challenge: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(challenges, "LISTED_ON_A_PAGE", 2)

    def copied(work: Work) -> None:
        known = sa.select(tables.challenge).where(
            tables.challenge.c.id == challenge.rpartition("/")[2]
        )
        one = work.connection.execute(known).mappings().one()
        for n in range(4):  # two of one moment
            at = one["drafted_at"] - dt.timedelta(days=n // 2)
            row = {**one, "id": work.new_id(), "drafted_at": at}
            work.connection.execute(sa.insert(tables.challenge).values(**row))

    application.state.door.acting_for("DEMQ1").transact(copied)
    told = good(people["commissioner"].get("/v1/challenges"))["challenges"]
    wanted = [each["id"] for each in told]
    payer = sit("DEMQ1", PAYER)
    found: list[str] = []
    following: str | None = "/challenges?month="
    while following is not None:
        page = payer.get(following).text
        found += re.findall(r'app-row-head"><a href="/challenges/([0-9a-f-]{36})"', page)
        more = re.search(r'href="([^"]+)">Next ones', page)
        following = html.unescape(more[1]) if more else None

    assert len(wanted) == 5
    assert found == wanted
