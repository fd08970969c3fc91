"""The lists of the home page to their ends: every row is on one page, and nobody else's on any."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals.lifecycle import RequestState
from app.clock import london_day, now
from app.db.tables import approval, draft, request, treatment, treatment_claim
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.web.worklists import answer_words
from tests.functional.web.conftest import Enter, Person
from tests.functional.web.forms import ANSWERS, begun, sent
from tests.functional.web.test_changes import started
from tests.functional.web.test_home import INCOMPLETE, home_readings, number_of

MANY = 77  # more than the home page has, and more than one page of a list
WAITS = RequestState.MORE_INFORMATION_NEEDED.value
#: Who reads each list of many, and its title.
LISTS = {
    "drafts": ("demo1-clinician", "Drafts"),
    "continuations": ("demo1-delegate", "Continuations due"),
    "lapsing": ("demo1-pharmacist", "Lapses unless a first dose is recorded"),
    "answers": ("demo1-clinician", "Waiting for your organisation&#39;s answer"),
    "transfers-out": (
        "demo1-pharmacist",
        "Transfers from you that wait for another hospital&#39;s consent",
    ),
    "claims": ("demo1-delegate", "Treatments of yours that another hospital claimed"),
    "panel": ("demp1-panel-member", "Waiting for the panel"),
    "referred": ("demq1-commissioner", "With a panel, or waiting for you"),
}


def write(database: Database, moment: Moment, fn: Callable[[Work], Any]) -> Any:
    def no_id() -> str:
        raise AssertionError("rows here have ids of their own")

    return database.transact(fn, moment=moment, new_id=no_id, random_bytes=lambda _: b"")


def copied(
    database: Database,
    moment: Moment,
    table: sa.Table,
    id_: str,
    change: Callable[[int], dict[str, Any]],
    many: int = MANY,
) -> list[str]:
    """The row and copies of it, each with its own id and what `change` says of its number."""

    def run(work: Work) -> list[str]:
        execute = work.connection.execute
        row = dict(execute(sa.select(table).where(table.c.id == id_)).mappings().one())
        ids = [id_, *(f"00000000-0000-4000-9000-{n:012d}" for n in range(1, many))]
        if change(0):
            execute(sa.update(table).where(table.c.id == id_).values(**change(0)))
        rows = [row | {"id": each} | change(n) for n, each in enumerate(ids[1:], 1)]
        execute(sa.insert(table), rows)
        return ids

    found: list[str] = write(database, moment, run)
    return found


def many_of(enter: Enter, database: Database, moment: Moment, name: str) -> list[str]:
    """So many rows of a list, in its order: where each of them leads."""
    clinician, today = enter("demo1-clinician"), london_day(now())
    if name == "drafts":
        first = begun(clinician, "H009001", 60_900)
        at = now() - dt.timedelta(hours=1)
        ids = copied(
            database,
            moment,
            draft,
            first,
            lambda n: {"changed_at": at - dt.timedelta(minutes=n // 2)},
        )
        times = {each: n // 2 for n, each in enumerate(ids)}
        return [f"/drafts/{each}" for each in sorted(ids, key=lambda e: (-times[e], e))][::-1]
    if name in ("continuations", "lapsing"):
        due = name == "continuations"
        treated = started(clinician)[0] if due else sent(clinician, ANSWERS)[1]
        ids = copied(database, moment, treatment, treated, lambda _: {})
        by = "covers_to" if due else "start_by"
        (held,) = write(
            database,
            moment,
            lambda work: (
                work.connection.execute(
                    sa.select(approval.c.id).where(approval.c.treatment_id == treated)
                )
                .scalars()
                .all()
            ),
        )
        copied(
            database,
            moment,
            approval,
            held,
            lambda n: {
                "treatment_id": ids[n],
                "reference": f"reference-{n:06}",
                by: today + dt.timedelta(days=n // 3),
            },
        )
        days = {each: n // 3 for n, each in enumerate(ids)}
        return [f"/treatments/{each}" for each in sorted(ids, key=lambda e: (days[e], e))]
    if name == "claims":
        ids = copied(database, moment, treatment, sent(clinician, ANSWERS)[1], lambda _: {})
        at = now() - dt.timedelta(days=2)
        rows = [
            {
                "treatment_id": each,
                "organisation": "DEMO2",
                "provider": "DEMO1",
                "at": at - dt.timedelta(minutes=n // 2),
            }
            for n, each in enumerate(ids)
        ]
        write(
            database,
            moment,
            lambda work: work.connection.execute(sa.insert(treatment_claim), rows),
        )
        times = {each: n // 2 for n, each in enumerate(ids)}
        return [f"/treatments/{each}" for each in sorted(ids, key=lambda e: (-times[e], e))][::-1]
    asked, _ = sent(clinician, INCOMPLETE)
    at = now() - dt.timedelta(days=2)
    panel = name in ("panel", "referred")

    def change(n: int) -> dict[str, Any]:
        found: dict[str, Any] = {"submitted_at": at - dt.timedelta(minutes=n // 2)}
        if panel:  # the last of them have no day to be answered by
            day = today + dt.timedelta(days=n // 3 - 10) if n < 40 else None
            found |= {"state": "referred", "panel": "DEMP1", "answer_by": day}
        if name == "transfers-out":
            found |= {"state": "awaiting consent", "counterparty": "DEMO3"}
        return found

    ids = copied(database, moment, request, asked, change)
    keys = {
        each: (n // 3 if panel and n < 40 else 99 if panel else 0, -(n // 2), each)
        for n, each in enumerate(ids)
    }
    return [f"/requests/{each}" for each in sorted(ids, key=lambda e: keys[e])]


def leads(text: str, kind: str) -> list[str]:
    """Where the rows of the first table of a page lead, in their order."""
    body = text.partition('<tbody role="rowgroup"')[2].partition("</tbody>")[0]
    return re.findall(
        rf'<td [^>]*>(?:<span[^>]*>[^<]*</span>)?<a href="(/{kind}/[0-9a-f-]+)">', body
    )


def walked(person: Person, name: str, kind: str) -> tuple[list[str], int]:
    """The rows of every page of a list, one after the other, and how many pages there were."""
    at, found, pages = f"/worklists/{name}", [], 0
    while True:
        shown = person.get(at)
        assert shown.status_code == 200, shown.text
        found += leads(shown.text, kind)
        pages += 1
        onward = re.search(r'href="([^"]+)">Next page', shown.text)
        if onward is None:
            return found, pages
        at = onward.group(1)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_many_is_read_to_its_end_by_its_own_people_alone(
    enter: Enter, database: Database, moment: Moment, name: str
) -> None:
    expected = many_of(enter, database, moment, name)
    kind = expected[0].split("/")[1]
    who, title = LISTS[name]
    person = enter(who)

    shown = person.get("/").text
    assert f'<a href="/worklists/{name}">{title} ({MANY})</a>' in shown
    assert f'<a href="/worklists/{name}">See all' in shown

    found, pages = walked(person, name, kind)
    assert found == expected
    assert pages == 2
    assert f"{title} ({MANY})</h1>" in person.get(f"/worklists/{name}").text

    for other in ("demo2-clinician", "demo2-pharmacist", "demq2-commissioner"):
        reply = enter(other).get(f"/worklists/{name}")
        assert reply.status_code in (200, 404)
        assert not set(leads(reply.text, kind)) & set(expected), other


def test_a_page_of_a_list_names_its_patients_on_record_as_that_list(
    enter: Enter, database: Database, moment: Moment
) -> None:
    clinician = enter("demo1-clinician")
    asked, treated = sent(clinician, INCOMPLETE)
    assert f"{number_of(clinician, asked)}, born 1 February 1970" in (
        clinician.get("/worklists/answers").text
    )
    (told,) = home_readings(database, moment)
    assert told == {"worklist": "answers", "treatments": [treated], "drafts": []}


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("/worklists/nothing", 404),
        ("/worklists/panel", 404),  # a panel's, and the reader is a clinician
        ("/worklists/drafts?after=20260101T000000000000", 400),
        ("/worklists/drafts?after=tomorrow_x", 400),
        ("/worklists/continuations?after=2026-02-31_x", 400),
        ("/worklists/answers?after=2026-13-01_20260101T000000000000_x", 400),
        ("/worklists/answers?after=%3Cscript%3E", 400),
    ],
)
def test_what_is_no_list_and_no_place_is_refused(enter: Enter, at: str, status: int) -> None:
    assert enter("demo1-clinician").get(at).status_code == status


def test_what_lapses_is_listed_until_its_first_dose_is_recorded(
    enter: Enter, database: Database, moment: Moment
) -> None:
    clinician = enter("demo1-clinician")
    _, treated = sent(clinician, ANSWERS)
    last = london_day(now()) + dt.timedelta(days=1)
    mine = approval.c.treatment_id == treated
    write(
        database,
        moment,
        lambda work: work.connection.execute(sa.update(approval).where(mine).values(start_by=last)),
    )
    shown = clinician.get("/").text
    assert "Lapses unless a first dose is recorded (1)" in shown
    assert "(in 1 day)" in shown
    way = f"/treatments/{treated}?record=first-dose"
    assert f'href="{way}#first-dose"' in shown
    assert 'id="first-dose" open' in clinician.get(way).text
    assert 'id="first-dose" open' not in clinician.get(f"/treatments/{treated}").text

    today = {
        f"first_dose-{part}": str(getattr(london_day(now()), part))
        for part in ("day", "month", "year")
    }
    assert clinician.send(way, f"/treatments/{treated}/first-dose", **today).status_code == 303
    shown = clinician.get("/").text
    assert "Lapses unless a first dose is recorded (0)" in shown


@pytest.mark.parametrize("given", [True, False])
def test_what_is_due_says_whether_the_first_dose_is_recorded(
    enter: Enter, database: Database, moment: Moment, given: bool
) -> None:
    clinician = enter("demo1-clinician")
    treated = started(clinician)[0] if given else sent(clinician, ANSWERS)[1]
    soon = london_day(now()) + dt.timedelta(days=60)
    mine = approval.c.treatment_id == treated
    write(
        database,
        moment,
        lambda work: work.connection.execute(
            sa.update(approval).where(mine).values(covers_to=soon)
        ),
    )
    shown = clinician.get("/worklists/continuations").text
    assert ("</span>given " in shown, "</span>not recorded<" in shown) == (given, not given)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (3, "18 June 2026 (in 3 days)"),
        (1, "16 June 2026 (in 1 day)"),
        (0, "15 June 2026 (today)"),
        (-1, "14 June 2026 (late by 1 day)"),
        (-20, "26 May 2026 (late by 20 days)"),
        (None, "The policy sets no day"),
    ],
)
def test_a_panel_reads_how_far_off_its_answer_is(days: int | None, said: str) -> None:
    today = dt.date(2026, 6, 15)
    by = None if days is None else today + dt.timedelta(days=days)
    assert answer_words(by, today) == said


def test_a_panel_reads_what_is_late_first(enter: Enter, database: Database, moment: Moment) -> None:
    asked, _ = sent(enter("demo1-clinician"), INCOMPLETE)
    today, at = london_day(now()), now()
    days: tuple[int | None, ...] = (None, 4, 0, -2)  # in the order in which they were sent
    copied(
        database,
        moment,
        request,
        asked,
        lambda n: {
            "state": "referred",
            "panel": "DEMP1",
            "submitted_at": at + dt.timedelta(minutes=n),
            "answer_by": None if days[n] is None else today + dt.timedelta(days=days[n] or 0),
        },
        many=len(days),
    )
    for who, name in (("demp1-panel-member", "panel"), ("demq1-commissioner", "referred")):
        shown = enter(who).get(f"/worklists/{name}").text
        assert "Answer by" in shown
        cells = re.findall(r"Answer by </span>([^<]*)", shown)
        assert [each.partition("(")[2] or each for each in cells] == [
            "late by 2 days)",
            "today)",
            "in 4 days)",
            "The policy sets no day",
        ]
