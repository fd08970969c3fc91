"""The plans of the lists: each is a walk along its index, on both databases."""

import datetime as dt
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast

import pytest
import sqlalchemy as sa

from app.api.changes import visible_changes
from app.approvals.drafting import open_query
from app.approvals.due import Place, due_query, lapsing_query
from app.approvals.lifecycle import RequestState
from app.approvals.office import Office
from app.approvals.reassigning import Giving, touched_now
from app.approvals.scope import visible_treatments
from app.approvals.timeline import timeline
from app.approvals.waiting import waiting_queries
from app.audit import changes_after
from app.auth.model import Caller, Role
from app.db.tables import treatment
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.reconciliation import awaited_store
from app.reconciliation.challenge_store import EVERY, listed_query
from app.reconciliation.listing_starts import Asked, not_started
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk
from app.reconciliation.supplied import supplies_of
from app.reconciliation.waiting_store import NOT_BEGUN, holding_query, narrow, overdue
from benchmarks import two_million
from benchmarks.lists import add_challenges, explained
from benchmarks.search import LARGEST, MOMENT, PANEL, PAYER, explain, rows_of
from tests.integration.approvals.test_search_plan import MORE_WAIT, TREATMENTS, scans
from tests.policies.library import packaged_library

LIMIT = 20
#: No run is read: there is none.
NO_DESK = cast(Desk, None)
MORE_DRAFTS = (
    "INSERT INTO draft SELECT d.* FROM (SELECT * FROM draft LIMIT 1) AS one, "
    "generate_series(1, 3000) AS i, jsonb_populate_record(NULL::draft, to_jsonb(one) || "
    "jsonb_build_object('id', 'more-' || i, 'organisation', 'DEMO1', "
    "'changed_at', now() - make_interval(mins => i))) AS d"
)
#: A supply of every treatment, as the worker keeps them for hospital and payer.
SUPPLIES = (
    "INSERT INTO listed_supply (organisation, pays, run_id, row, treatment_id, provider, day, "
    "outcome) SELECT {}, {}, 'run', row_number() OVER (), id, provider, '2026-06-01', 'matched' "
    "FROM treatment"
)
#: What a timeline reads of one patient, whatever there is of others.
LOOKED_UP = (
    *("patient", "treatment", "request", "request_revision", "decision", "approval", "segment"),
    *("audit_event", "listed_supply"),
)
#: A page, and what its conditions pass over on the way; of few that are due all are sorted.
MOST_ROWS = 8 * LIMIT
FROM, TO = MOMENT.day - dt.timedelta(days=14), MOMENT.day + dt.timedelta(days=28)
ASKED = waiting_queries(PANEL, (RequestState.REFERRED,), own=False, by_answer=True)
#: List → who asks, the query, and the index that it walks along.
PAGES: dict[str, tuple[Caller, sa.Select[Any], str]] = {
    "due": (LARGEST, due_query(LARGEST, FROM, TO, LIMIT), "ix_approval_provider_ending"),
    "due, a later page": (
        LARGEST,
        due_query(LARGEST, FROM, TO, LIMIT, Place(MOMENT.day, "00000000")),
        "ix_approval_provider_ending",
    ),
    "lapsing": (LARGEST, lapsing_query(LARGEST, FROM, TO, LIMIT), "ix_approval_provider_starting"),
    "lapsing, a later page": (
        LARGEST,
        lapsing_query(LARGEST, FROM, TO, LIMIT, Place(MOMENT.day, "00000000")),
        "ix_approval_provider_starting",
    ),
    "a panel's": (PANEL, ASKED[0].limit(LIMIT), "ix_request_panel_answer"),
    "a panel's, without a day": (PANEL, ASKED[1].limit(LIMIT), "ix_request_panel_answer"),
    "drafts": (LARGEST, open_query(LARGEST).limit(LIMIT), "ix_draft_open"),
    "challenges": (PAYER, listed_query(PAYER, EVERY, LIMIT), "ix_challenge_commissioner"),
}


@pytest.fixture(scope="module")
def filled(_postgres_admin: sa.Engine) -> Iterator[Database]:
    """A database of its own with many treatments, as the application opens it."""
    name = f"assent_lists_{os.getpid()}"
    url = two_million.make(_postgres_admin, name, TREATMENTS)
    owner = sa.create_engine(url)
    add_challenges(owner, TREATMENTS)
    with owner.begin() as connection:  # as many of one hospital as it takes to choose an index
        connection.exec_driver_sql(MORE_WAIT)
        connection.exec_driver_sql("ANALYZE request")
        connection.exec_driver_sql(MORE_DRAFTS)
        connection.exec_driver_sql("ANALYZE draft")
        connection.exec_driver_sql(SUPPLIES.format("provider", "false"))
        connection.exec_driver_sql(SUPPLIES.format("commissioner", "true"))
        connection.exec_driver_sql("ANALYZE listed_supply")
    owner.dispose()
    database = two_million.application(url)
    yield database
    database.engine.dispose()
    with _postgres_admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.postgres
@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_a_list_looks_at_a_page(filled: Database, name: str) -> None:
    caller, query, index = PAGES[name]

    found = explain(filled, caller, query, "ANALYZE, FORMAT JSON")

    read = list(scans(found[0][0]["Plan"]))
    assert f"'Index Name': '{index}'" in str(found)
    assert "'Node Type': 'Sort'" not in str(found), "all that fits is read, and sorted"
    for scan in read:
        looked_at = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
        assert looked_at <= MOST_ROWS, scan["Node Type"] + " " + scan["Relation Name"]


def reading(database: Database, caller: Caller, fn: Callable[[Work], Any]) -> str:
    """The plans of everything that a reading asks."""
    return "\n".join(
        explained(
            database,
            caller,
            lambda: database.read(fn, moment=MOMENT, scope=caller.organisation),
        )
    )


@pytest.mark.postgres
@pytest.mark.parametrize("caller", [LARGEST, PAYER], ids=["hospital", "payer"])
def test_the_feed_makes_no_set_of_all_that_a_caller_sees(filled: Database, caller: Caller) -> None:
    plan = reading(filled, caller, lambda w: changes_after(w, None, LIMIT, visible_changes(caller)))

    assert "ix_audit_event_feed" in plan
    for table in ("treatment", "request", "audit_event"):
        assert f"Seq Scan on {table}" not in plan
    assert "hashed SubPlan" not in plan


@pytest.mark.postgres
def test_what_has_not_begun_is_read_along_its_own_index(filled: Database) -> None:
    plan = reading(filled, LARGEST, lambda w: overdue(w, LARGEST, scope_of(LARGEST), MOMENT.day))

    assert "ix_treatment_provider_waiting" in plan
    assert "Seq Scan on segment" not in plan


@pytest.mark.postgres
def test_the_starts_that_the_worker_keeps_are_read_along_their_index(
    filled: Database, ids: Callable[[], str], random_bytes: Callable[[int], bytes]
) -> None:
    def by_worker(fn: Callable[[Work], Any]) -> Any:
        return filled.transact(fn, moment=MOMENT, new_id=ids, random_bytes=random_bytes)

    for caller in by_worker(awaited_store.keepers):
        by_worker(partial(awaited_store.keep, desk=NO_DESK, caller=caller))
    pharmacist = replace(LARGEST, role=Role.PHARMACIST)

    def listed(work: Work) -> Any:
        return not_started(
            work, pharmacist, frozenset(), None, Asked(None, LIMIT, None), lambda _: True
        )

    plan = reading(filled, pharmacist, listed)

    assert "ix_start_awaited_day" in plan
    assert "ix_treatment_provider_waiting" not in plan, "everything that has not begun is read"
    for table in ("start_awaited", "treatment", "approval", "segment"):
        assert f"Seq Scan on {table} " not in plan


@pytest.mark.postgres
@pytest.mark.parametrize("who", [LARGEST, PAYER], ids=["hospital", "payer"])
def test_a_timeline_is_made_of_look_ups(filled: Database, who: Caller) -> None:
    role = Role.PHARMACIST if who is LARGEST else Role.COMMISSIONER
    caller = replace(who, role=role)
    one = rows_of(
        filled, caller, sa.select(treatment.c.id).where(visible_treatments(caller)).limit(1)
    )[0].id
    office = Office(packaged_library(), demonstration=True)

    def read(work: Work) -> None:
        found = timeline(work, office, caller, one)
        assert found.entries
        supplies_of(work, caller, [one])

    plan = reading(filled, caller, read)

    for table in LOOKED_UP:
        assert f"Seq Scan on {table} " not in plan, table
    assert "uq_audit_event_object_type_object_id_object_number" in plan
    assert "ix_listed_supply_treatment" in plan
    assert "ix_audit_event_treatment_id" not in plan, "everybody's readings of it are walked"


@pytest.mark.postgres
def test_a_hand_over_that_waits_reads_its_drug_and_not_all_that_the_payer_pays_for(
    filled: Database,
) -> None:
    nothing_of_it = Giving("", PAYER.organisation, "DEMQ2", "natalizumab", FROM)

    plan = reading(filled, PAYER, lambda work: touched_now(work, nothing_of_it))

    assert plan.count("using ix_treatment_drug on treatment") == 2, "the days, and what waits"
    assert "Seq Scan" not in plan
    for table in ("segment", "request"):  # there is nothing to look up by the drug's treatments
        assert all("never executed" in line for line in plan.splitlines() if f" on {table}" in line)


def test_sqlite_walks_along_the_same_indexes(sqlite_database: Database, moment: Moment) -> None:
    own = treatment.c.provider == LARGEST.organisation
    waiting = holding_query(narrow(scope_of(LARGEST), NOT_BEGUN, own))
    asked = {
        "ix_treatment_provider_waiting": waiting,
    } | {
        # Not drafts: SQLite, without statistics, takes the unique key of what was submitted.
        index: query
        for name, (_, query, index) in PAGES.items()
        if name != "drafts"
    }
    for index, query in asked.items():
        plan = sqlite_plan(sqlite_database, moment, query)
        assert index in plan, plan
        assert "SCAN" not in plan, plan
        if query is not waiting:
            assert "TEMP B-TREE FOR ORDER BY" not in plan, plan


def sqlite_plan(database: Database, moment: Moment, query: sa.Select[Any]) -> str:
    """EXPLAIN QUERY PLAN, a line for each step."""
    text = str(
        query.compile(dialect=database.engine.dialect, compile_kwargs={"literal_binds": True})
    )
    return database.read(
        lambda work: "\n".join(
            row.detail for row in work.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")
        ),
        moment=moment,
    )
