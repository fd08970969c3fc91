"""The plan of a page of a search on PostgreSQL, on a database that is big enough to choose it."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals.searching import page_query
from app.db.tables import metadata
from app.db.transaction import Database
from benchmarks import two_million
from benchmarks.search import PAGES, explain
from tests.conftest import ADMIN_URL

#: The largest hospital has a thousand of them. With fewer, reading all and sorting is as quick.
TREATMENTS = 20_000
#: A treatment has up to two segments and two requests, and a page is 50 treatments and one more.
MOST_ROWS = 2 * (50 + 1)
pytestmark = [pytest.mark.postgres, pytest.mark.long]


#: So many more requests wait for the panel than a page shows.
WAIT = 2_000
MORE_WAIT = (
    "UPDATE request SET panel = 'DEMP1', state = 'referred' "
    f"WHERE id IN (SELECT id FROM request WHERE state = 'approved' ORDER BY id LIMIT {WAIT})"
)


@pytest.fixture(scope="module")
def filled(_postgres_admin: sa.Engine) -> Iterator[Database]:
    """A database of its own with many treatments, as the application opens it."""
    name = f"assent_plan_{os.getpid()}"
    database = two_million.application(two_million.make(_postgres_admin, name, TREATMENTS))
    yield database
    database.engine.dispose()
    with _postgres_admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every part of a plan that reads a table or an index."""
    if plan["Node Type"].endswith("Scan") and "Relation Name" in plan:
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans(part)


# Of a smaller hospital, which has a few hundred, PostgreSQL may well read all: that is as quick.
@pytest.mark.parametrize("page", ["first page, the largest hospital", "the payer's first page"])
def test_each_way_to_a_page_is_a_walk_along_an_index_of_a_page_at_most(
    filled: Database, page: str
) -> None:
    caller, query = PAGES[page]

    found = explain(filled, caller, page_query(caller, query), "ANALYZE, FORMAT JSON")

    read = list(scans(found[0][0]["Plan"]))
    assert any("Index" in scan["Node Type"] for scan in read)
    for scan in read:
        looked_at = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
        assert looked_at <= MOST_ROWS, scan["Node Type"] + " " + scan["Relation Name"]


def test_a_panels_page_does_not_read_all_that_waits_for_it(filled: Database) -> None:
    caller, query = PAGES["the panel's requests"]
    owner = sa.create_engine(sa.make_url(ADMIN_URL).set(database=filled.engine.url.database))
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(MORE_WAIT)
        connection.exec_driver_sql("VACUUM (ANALYZE) request")
    owner.dispose()

    found = explain(filled, caller, page_query(caller, query), "ANALYZE, FORMAT JSON")

    assert "'Index Name': 'ix_request_panel_waiting'" in str(found)
    for scan in scans(found[0][0]["Plan"]):
        looked_at = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
        assert looked_at <= MOST_ROWS, scan["Index Name"]


def test_what_is_copied_is_whole(filled: Database) -> None:
    """Each reference to another row finds it, though the copies were made without looking."""
    owner = sa.create_engine(sa.make_url(ADMIN_URL).set(database=filled.engine.url.database))
    lost = []
    with owner.connect() as connection:
        for key in (key for table in metadata.sorted_tables for key in table.foreign_keys):
            child, parent = key.parent, key.column.table.alias("parent").c[key.column.name]
            there = sa.exists(sa.select(parent).where(parent == child).correlate(child.table))
            missing = sa.select(sa.func.count()).where(child.is_not(None), ~there)
            if connection.execute(missing.select_from(child.table)).scalar_one():
                lost.append(f"{child} → {key.column}")
    owner.dispose()

    assert lost == []
