"""Policy drafts, adoptions and hand-overs, page after page: every row once, in their order."""

import datetime as dt
import html
import re
from typing import Any

import pytest
import sqlalchemy as sa

from app.clock import now
from app.db.tables import administration_proposal, adoption_proposal, hand_over, policy_draft
from app.db.transaction import Database
from app.db.work import Moment
from tests.functional.web.conftest import Enter
from tests.functional.web.test_worklists import write

MANY = 230  # more than the 200 at which these lists once ended
AUTHOR, COMMISSIONER = "demq1-policy-author", "demq1-commissioner"
_FIRST, _DAY = now() - dt.timedelta(days=3), dt.date(2026, 4, 1)


def _id(n: int) -> str:
    return f"00000000-0000-4000-9000-{n:012d}"


def _at(n: int) -> dt.datetime:
    return _FIRST - dt.timedelta(minutes=n // 3)  # some at one instant


def _draft(n: int) -> dict[str, Any]:
    return {
        "id": _id(n),
        "organisation": "DEMQ1",
        "text": "policy: x",
        "title": f"Row {n}.",
        "state": ("published", "draft", "asked")[n % 3],
        "version": 1,
        "written_by": "somebody",
        "written_by_name": "Somebody",
        "written_at": _at(n),
    }


def proposed(n: int) -> dict[str, Any]:
    return {
        "id": _id(n),
        "state": ("declined", "waiting")[n % 2],
        "proposed_by": "somebody",
        "proposed_by_name": "Somebody",
        "proposed_at": _at(n),
        "from_day": _DAY,
    }


def _adoption(n: int) -> dict[str, Any]:
    return proposed(n) | {
        "organisation": "DEMQ1",
        "policy": f"Row {n}.",
        "version": "2026-01-01",
        "hash": "0" * 64,
        "act": "adopt",
    }


def _hand_over(n: int, giver: str, receiver: str, state: str) -> dict[str, Any]:
    counts = dict.fromkeys(("treatments", "approvals", "segments", "waiting"), 1)
    return (
        proposed(n)
        | counts
        | {
            "organisation": giver,
            "receiver": receiver,
            "drug": f"Row {n}.",
            "why": "Delegated.",
            "touched": "0" * 64,
            "state": state,
            "decided_at": _at(n) if state == "confirmed" else None,
        }
    )


def rows_of(name: str) -> tuple[sa.Table, list[dict[str, Any]]]:
    if name == "drafts":
        return policy_draft, [_draft(n) for n in range(MANY)]
    if name == "adoptions":
        return adoption_proposal, [_adoption(n) for n in range(MANY)]
    giver, receiver = ("DEMQ2", "DEMQ1") if name == "received" else ("DEMQ1", "DEMQ2")
    states = ("waiting", "declined") if name == "proposals" else ("confirmed",)
    return hand_over, [_hand_over(n, giver, receiver, states[n % len(states)]) for n in range(MANY)]


LISTS = {
    "drafts": (AUTHOR, "/policy-drafts"),
    "adoptions": (COMMISSIONER, "/adoptions"),
    "proposals": (COMMISSIONER, "/hand-overs"),
    "given": (COMMISSIONER, "/hand-overs"),
    "received": (COMMISSIONER, "/hand-overs"),
}


@pytest.mark.parametrize("name", LISTS)
def test_every_row_is_on_one_page_and_what_waits_comes_first(
    enter: Enter, database: Database, moment: Moment, name: str
) -> None:
    table, rows = rows_of(name)
    write(database, moment, lambda work: work.connection.execute(sa.insert(table), rows))
    who, at = LISTS[name]
    person = enter(who)
    found: list[int] = []
    pages = 0
    while at:
        shown = person.get(at)
        assert shown.status_code == 200, shown.text
        assert "First page" in shown.text or not pages
        body = shown.text
        found += [int(each) for each in re.findall(r">Row (\d+)\.<", body)]
        onward = re.search(r'href="([^"]+)">Next page', body)
        at = html.unescape(onward.group(1)) if onward else ""
        pages += 1
    assert sorted(found) == list(range(MANY))
    assert pages == -(-MANY // 50)
    places = {row["id"]: row for row in rows}
    if name in ("given", "received"):
        expected = sorted(found, key=lambda n: (_at(n), _id(n)), reverse=True)
    else:
        ranks = {"asked": 2, "draft": 1, "waiting": 1}
        expected = sorted(
            found,
            key=lambda n: (ranks.get(places[_id(n)]["state"], 0), _at(n), _id(n)),
            reverse=True,
        )
    assert found == expected


@pytest.mark.parametrize("place", ["x", "1_2_3", "12_20260101T000000000000_a", "20261301T000000_a"])
def test_what_is_no_place_is_refused(enter: Enter, place: str) -> None:
    for who, at in ((AUTHOR, "/policy-drafts"), (COMMISSIONER, "/adoptions")):
        assert enter(who).get(f"{at}?after={place}").status_code == 400, at
    for name in ("proposals", "given", "received"):
        reply = enter(COMMISSIONER).get(f"/hand-overs?list={name}&after={place}")
        assert reply.status_code == 400, name


def test_what_administrators_proposed_goes_on_behind_a_place_too(
    enter: Enter, database: Database, moment: Moment
) -> None:
    rows = []
    for n in range(MANY):
        day = (_DAY + dt.timedelta(days=n)).isoformat()
        content = {"setting": "panel", "value": "DEMP1", "from_day": day}
        row = proposed(n) | {"organisation": "DEMO1", "act": "change setting", "content": content}
        rows.append({k: v for k, v in row.items() if k not in ("proposed_by_name", "from_day")})
    insert = sa.insert(administration_proposal)
    write(database, moment, lambda work: work.connection.execute(insert, rows))
    administrator, at = enter("demo1-administrator"), "/administration"
    found: list[str] = []
    while at:
        shown = administrator.get(at)
        assert shown.status_code == 200, shown.text
        cards = shown.text.split('<div class="nhsuk-card">')[1:]
        assert len(cards) <= 50
        found += [re.findall(r"\d+ \w+ 202\d(?! at)", card)[0] for card in cards]
        onward = re.search(r'href="([^"]+)">Next page', shown.text)
        at = html.unescape(onward.group(1)) if onward else ""
        assert not at or "Nothing waits." not in shown.text
    assert len(found) == len(set(found)) == MANY
    assert administrator.get("/administration?after=x").status_code == 400
