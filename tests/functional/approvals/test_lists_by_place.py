"""Proposals and hand-overs over the API, page after page: every row once, in their order."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from app.db.tables import administration_proposal
from app.db.transaction import Database
from app.db.work import Moment
from tests.functional.approvals.api import Api, good
from tests.functional.web.test_lists_by_key import MANY, proposed, rows_of
from tests.functional.web.test_worklists import write

#: List → who reads it, its address, where its rows stand.
LISTS = {
    "adoptions": ("commissioner", "/v1/adoption-proposals", "proposals"),
    "proposals": ("commissioner", "/v1/hand-over-proposals", "proposals"),
    "given": ("commissioner", "/v1/hand-overs", "hand_overs"),
    "administration": ("administrator", "/v1/administration/proposals", "proposals"),
}


def _of(name: str, organisation: str) -> tuple[sa.Table, list[dict[str, Any]]]:
    if name != "administration":
        return rows_of(name)
    more = {"organisation": organisation, "act": "change setting"}
    rows = [
        proposed(n)
        | more
        | {"content": {"setting": "panel", "value": None, "from_day": f"row {n}"}}
        for n in range(MANY)
    ]
    for row in rows:
        del row["proposed_by_name"], row["from_day"]
    return administration_proposal, rows


@pytest.mark.parametrize("name", LISTS)
def test_every_row_is_on_one_page_and_the_last_says_that_it_is(
    people: Mapping[str, Api], database: Database, moment: Moment, name: str
) -> None:
    who, at, key = LISTS[name]
    table, rows = _of(name, "DEMO1")
    write(database, moment, lambda work: work.connection.execute(sa.insert(table), rows))
    found: list[dict[str, Any]] = []
    pages, after = 0, ""
    while after is not None:
        page = good(people[who].get(f"{at}?after={after}" if after else at))
        assert len(page[key]) <= 200
        found += page[key]
        after, pages = page["next"], pages + 1

    assert pages == 2
    assert len(found) == MANY
    told = {each.get("id") or each["drug"] for each in found}
    assert len(told) == MANY
    states = [each.get("state") for each in found]
    assert states == sorted(states, key=lambda state: state != "waiting"), "what waits comes first"


PLACES = {"given": "1764547200000000_a", "proposals": "1_1764547200000000_a"}


@pytest.mark.parametrize("place", ["x", "1_2_3_4", "12_20_a", "1_20261301T000000_a", ""])
@pytest.mark.parametrize("name", LISTS)
def test_what_is_no_place_is_refused(people: Mapping[str, Api], name: str, place: str) -> None:
    who, at, _ = LISTS[name]
    reply = people[who].get(f"{at}?after={place}")
    assert reply.status_code == 422, reply.text
    good(people[who].get(f"{at}?after={PLACES.get(name, PLACES['proposals'])}"))
