"""A page of a search over many treatments on PostgreSQL: its plan, and its time.

Run as the application's role, under row-level security, in turns with a look-up of one treatment by
its primary key. Prints the plan of each kind of page. Needs PostgreSQL (ASSENT_TEST_POSTGRES).
"""

from __future__ import annotations

import datetime as dt
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from app.approvals.searching import SearchQuery, page_query
from app.auth.model import Caller, Role
from app.db.engine import make_engine
from app.db.roles import grant
from app.db.tables import treatment
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.db.work import Moment, Work
from benchmarks.stopping import clean_up_when_stopped

ADMIN: Final = os.environ.get(
    "ASSENT_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
ROLE: Final = "assent_bench_application"
SIZE: Final = 2_000_000
HOSPITALS: Final = 200
TURNS: Final = 21
MOMENT: Final = Moment(dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC), dt.date(2026, 6, 15))
#: A hospital of half a per cent of the treatments.
HOSPITAL: Final = "B7"
CALLER: Final = Caller("bench", "bench", "person", HOSPITAL, Role.CLINICIAN, "bench", "bench")
#: One patient, treatment, request and segment each. Ids are spread as UUIDs are.
_ID: Final = "md5('{}' || i)::uuid::text"
_ROWS: Final = (
    """INSERT INTO policy_version (hash, policy, version, language, resolved, origin, recorded_at)
    VALUES ('h', 'bench', '1', 1, '{{}}', 'packaged', now())""",
    """INSERT INTO patient (id, no_nhs_number_reason, registered_by, birth_date, sex, created_at)
    SELECT {patient}, 'withheld', 'B' || i % {hospitals}, '1970-01-01', 'female', now()
    FROM generate_series(1, {size}) i""",
    """INSERT INTO patient_identifier (id, organisation, local_id, patient_id, recorded_at)
    SELECT {patient}, 'B' || i % {hospitals}, 'H' || i, {patient}, now()
    FROM generate_series(1, {size}) i""",
    """INSERT INTO treatment (id, patient_id, drug, indication, policy, provider, commissioner,
    created_at, version)
    SELECT {treatment}, {patient}, 'drug' || i % 37, 'ra', 'bench', 'B' || i % {hospitals},
    'C' || i % 40, now(), 1 FROM generate_series(1, {size}) i""",
    """INSERT INTO request (id, treatment_id, kind, state, provider, commissioner, route, policy,
    policy_version, policy_hash, decision_to_treat, details, submitted_at, submitted_by, revision,
    version)
    SELECT {request}, {treatment}, 'initiation', CASE WHEN i % 50 = 0 THEN 'referred' ELSE
    'approved' END, 'B' || i % {hospitals}, 'C' || i % 40, 'policy', 'bench', '1', 'h',
    '2026-01-01', '{{}}', now(), 'x', 1, 1 FROM generate_series(1, {size}) i""",
    """INSERT INTO segment (id, treatment_id, kind, from_day, provider, supplying_providers,
    commissioner, funding_origin, recorded_at)
    SELECT {segment}, {treatment}, 'coverage', '2026-01-01', 'B' || i % {hospitals}, '[]',
    'C' || i % 40, 'policy', now() FROM generate_series(1, {size}) i""",
    # A few object to being shown: whoever searches is not shown theirs.
    """INSERT INTO patient_objection (id, patient_id, organisation, words, recorded_at, recorded_by)
    SELECT {patient}, {patient}, 'B1', 'x', now(), 'x' FROM generate_series(1, 50) i""",
)


def run(size: int = SIZE) -> int:
    """Fill a database of its own, then time and explain each kind of page. Always 0."""
    admin = sa.create_engine(ADMIN, isolation_level="AUTOCOMMIT")
    name = f"assent_bench_{os.getpid()}"
    try:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except sa.exc.OperationalError:
        print("left out: there is no PostgreSQL (set ASSENT_TEST_POSTGRES)")
        return 0
    try:
        _measure(admin.url.set(database=name), admin, size)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        admin.dispose()
    return 0


def _measure(url: sa.URL, admin: sa.Engine, size: int) -> None:
    owner = make_engine(url.render_as_string(hide_password=False))
    upgrade(owner)
    with admin.connect() as connection:
        connection.exec_driver_sql(
            f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; "
            "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    grant(owner, ROLE)
    started = time.perf_counter()
    fill(owner, size)
    print(f"{size:,} treatments, made in {time.perf_counter() - started:.0f} s")
    plain = url.set(username=ROLE, password=None).render_as_string(hide_password=False)
    engine = make_engine(plain, restricted=True)
    compare(Database(engine, b"k"), size)
    engine.dispose()
    owner.dispose()


def fill(owner: sa.Engine, size: int) -> None:
    """Insert the rows, without checking references that are right by construction."""
    names = {each: _ID.format(each) for each in ("patient", "treatment", "request", "segment")}
    with owner.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        for statement in _ROWS:
            filled = statement.format(size=size, hospitals=HOSPITALS, **names)
            connection.exec_driver_sql(filled.replace("%", "%%"))
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def compare(database: Database, size: int) -> None:
    """Time each page in turns with the look-up, then print its plan."""
    numbered = next(n for n in range(7, size + 1) if n % HOSPITALS == 7)
    pages = {
        "first page": SearchQuery(),
        "a page from the middle": SearchQuery(after="8" * 8),
        "one hospital number": SearchQuery(local_id=f"H{numbered}"),
        "one drug": SearchQuery(drug="drug7"),
        "requests that were referred": SearchQuery(request_state="referred"),
    }
    first = _rows(database, page_query(CALLER, SearchQuery()))[0].id
    lookup = sa.select(treatment).where(treatment.c.id == first)
    print(f"{'page of 50':<30}{'ms':>10}{'look-up ms':>12}{'ratio':>8}")
    for name, query in pages.items():
        asked = page_query(CALLER, query)
        page, one = _in_turns(lambda q=asked: _rows(database, q), lambda: _rows(database, lookup))
        print(f"{name:<30}{page:>10.2f}{one:>12.2f}{page / one:>8.1f}")
    for name, query in pages.items():
        print(f"\n-- {name}\n" + "\n".join(_plan(database, page_query(CALLER, query))))


def _in_turns(*calls: Callable[[], Any]) -> tuple[float, ...]:
    """The median milliseconds of each call, run one after the other again and again."""
    taken: list[list[float]] = [[] for _ in calls]
    for turn in range(TURNS):
        for times, call in zip(taken, calls, strict=True):
            started = time.perf_counter()
            call()
            if turn:
                times.append((time.perf_counter() - started) * 1000)
    return tuple(statistics.median(times) for times in taken)


def _rows(database: Database, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    return database.read(
        lambda work: work.connection.execute(query).all(), moment=MOMENT, scope=HOSPITAL
    )


def _plan(database: Database, query: sa.Select[Any]) -> list[str]:
    text = str(query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))

    def explain(work: Work) -> list[str]:
        return list(
            work.connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, BUFFERS) {text}".replace("%", "%%")
            ).scalars()
        )

    return database.read(explain, moment=MOMENT, scope=HOSPITAL)


if __name__ == "__main__":
    clean_up_when_stopped()
    run(int(sys.argv[1]) if len(sys.argv) > 1 else SIZE)
