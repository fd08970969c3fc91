"""The plans of the lists: each is a walk along its index, on both databases."""

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, cast

import pytest
import sqlalchemy as sa

from app.api.changes import visible_changes
from app.approvals.best_value import product_choices
from app.approvals.changed_answers import changed_query, newest_changed
from app.approvals.counting import counted_requests
from app.approvals.drafting import open_query
from app.approvals.due import Place, due_query, lapsing_query
from app.approvals.lifecycle import RequestState
from app.approvals.office import Office
from app.approvals.reassigning import Giving, touched_now
from app.approvals.report_sums import Split
from app.approvals.reporting import override_report
from app.approvals.scope import visible_treatments
from app.approvals.timeline import timeline
from app.approvals.trails import trail_of_patient
from app.approvals.waiting import waiting_queries
from app.audit import changes_after
from app.auth.model import Caller, Role
from app.db.tables import audit_event, request, treatment
from app.db.transaction import Database
from app.db.work import Moment, Work
from app.policy import Kind
from app.reconciliation import awaited_store
from app.reconciliation.challenge_model import Challenge, ChallengeState
from app.reconciliation.challenge_store import EVERY, listed_query
from app.reconciliation.line_reach import came_after
from app.reconciliation.listing_starts import Asked, not_started
from app.reconciliation.model import LineOutcome
from app.reconciliation.scope import scope_of
from app.reconciliation.service import Desk
from app.reconciliation.supplied import supplies_of
from app.reconciliation.waiting_store import NOT_BEGUN, holding_query, narrow, overdue
from benchmarks import two_million
from benchmarks._pages_readings import add_readings
from benchmarks._pages_reports import add_reported
from benchmarks.lists import add_challenges, explained
from benchmarks.search import LARGEST, MOMENT, PANEL, PAYER, explain, rows_of
from tests.integration.approvals.test_search_plan import MORE_WAIT, TREATMENTS, scans
from tests.policies.library import packaged_library

pytestmark = pytest.mark.long

LIMIT = 20
#: More than an auditor's page looks through.
READINGS = 4_000
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
MONTH = (MOMENT.day - dt.timedelta(days=30), MOMENT.day)
LIBRARY = packaged_library()
ASKED = waiting_queries(PANEL, (RequestState.REFERRED,), own=False, by_answer=True)
#: A challenge that others were drafted before.
BEFORE = Challenge(
    *("00000000", PAYER.organisation, LARGEST.organisation, "run", LineOutcome.NO_APPROVAL),
    *(None, None, ChallengeState.DRAFTED, 1, Decimal(1), MOMENT.instant, "somebody"),
)
AUDITOR = replace(LARGEST, role=Role.AUDITOR)
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
    "challenges, a later page": (
        PAYER,
        listed_query(PAYER, EVERY, LIMIT, after=BEFORE),
        "ix_challenge_commissioner",
    ),
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
    add_readings(owner, MOMENT.instant, READINGS)
    add_reported(owner, TREATMENTS)
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
def test_a_trail_looks_up_what_readings_named_by_their_keys(filled: Database) -> None:
    query = sa.select(treatment.c.id).where(treatment.c.provider == AUDITOR.organisation)
    one = rows_of(filled, AUDITOR, query.limit(1))[0].id

    plan = reading(filled, AUDITOR, lambda w: trail_of_patient(w, AUDITOR, one))

    assert "pk_audit_payload" in plan
    for table in ("audit_event", "audit_payload", "treatment"):
        assert f"Seq Scan on {table}" not in plan


@pytest.mark.postgres
def test_whether_a_treatment_changed_is_looked_for_among_its_own_events(filled: Database) -> None:
    e = audit_event.c
    newest = sa.select(e.epoch, e.xid, e.id, e.treatment_id).order_by(
        e.epoch.desc(), e.xid.desc(), e.id.desc()
    )
    last = rows_of(filled, AUDITOR, newest.where(e.treatment_id.is_not(None)).limit(1))[0]

    def changed(work: Work) -> bool:
        with work.beyond_scope():
            which = e.treatment_id == last.treatment_id
            none = sa.select(sa.literal(last.id))
            return came_after(work, which, (*last[:2], last.id - 1), MOMENT.instant, none)

    plan = reading(filled, AUDITOR, changed)

    assert "ix_audit_event_treatment_id" in plan
    assert "ix_audit_event_feed" not in plan, "everybody's events of since then are walked"


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


#: What each report over requests walks along; `MONTH` has a twelfth of all requests.
REPORTS: dict[str, tuple[str, Callable[[Work, Caller], Any]]] = {
    "overrides": (
        "_sent",
        lambda work, caller: override_report(work, LIBRARY, caller, *MONTH),
    ),
    "best value": (
        "_sent",
        lambda work, caller: product_choices(work, LIBRARY, caller, *MONTH),
    ),
    "changed answers": (
        "ix_audit_event_changed_answers",
        lambda work, caller: newest_changed(work, caller, *MONTH, None, LIMIT),
    ),
}


@pytest.mark.postgres
@pytest.mark.parametrize("who", [LARGEST, PAYER], ids=["hospital", "payer"])
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_of_a_month_reads_that_month_of_what_it_is_about(
    filled: Database, name: str, who: Caller
) -> None:
    index, read = REPORTS[name]
    role = Role.PHARMACIST if who is LARGEST else Role.COMMISSIONER
    caller = replace(who, role=role)
    found: list[Any] = []

    plan = reading(filled, caller, lambda work: found.append(read(work, caller)))

    assert found[0] not in ((), ((), 0)), "nothing that is reported was there"
    assert index in plan
    for table in ("request", "audit_event", "audit_payload", "treatment"):
        assert f"Seq Scan on {table} " not in plan, table
    assert "ix_audit_event_organisation" not in plan


@pytest.mark.postgres
@pytest.mark.parametrize("who", [LARGEST, PAYER], ids=["hospital", "payer"])
@pytest.mark.parametrize("name", ["overrides", "changed answers"])
def test_a_report_counts_what_row_level_security_would_let_its_reader_see(
    filled: Database, name: str, who: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is counted beyond scope is counted under the report's own condition: it must come to
    what the organisation sees by the policies, which would look into the request or treatment of
    every override and event that is passed, everybody's."""
    _, read = REPORTS[name]
    caller = replace(who, role=Role.PHARMACIST if who is LARGEST else Role.COMMISSIONER)

    def told() -> Any:
        return filled.read(
            lambda work: read(work, caller), moment=MOMENT, scope=caller.organisation
        )

    beyond = told()
    monkeypatch.setattr(Work, "beyond_scope", lambda _: nullcontext())
    assert told() == beyond
    assert beyond not in ((), ((), 0)), "nothing that is reported was there"
    plan = reading(filled, caller, lambda work: read(work, caller))
    assert "assent_reaches_" in plan, "a function of the policies, asked row by row"


@pytest.mark.parametrize("name", REPORTS)
def test_sqlite_reports_along_the_same_indexes(
    sqlite_database: Database, moment: Moment, name: str
) -> None:
    caller = replace(PAYER, role=Role.COMMISSIONER)
    if name == "changed answers":
        plan = sqlite_plan(sqlite_database, moment, changed_query(caller, *MONTH, None))
        assert "ix_audit_event_changed_answers" in plan, plan
        assert "TEMP B-TREE" not in plan, plan
    else:
        month = Split(None, (MONTH,))
        (counted,) = counted_requests(caller, [Kind.INITIATION], month, ["0" * 64, "1" * 64])
        plan = sqlite_plan(sqlite_database, moment, sa.select(request.c.id).where(counted))
        assert "ix_request_commissioner_sent" in plan, plan
        assert "submitted_at" in plan, plan
    assert "SCAN" not in plan, plan


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
