"""A PostgreSQL database with two million treatments in realistic states, quick to fill.

`python -m benchmarks.two_million [TREATMENTS] [DATABASE]` makes it (`assent_two_million`)
and leaves it there, for benchmarks to copy (`CREATE DATABASE … TEMPLATE`) or to read.

The service itself makes one treatment in each state (`two_million_states`); each is then copied in
its share by INSERT … SELECT: other ids, patients, hospitals, commissioners, references and days,
the same answers, findings and terms. While the rows go in, the tables' indexes rest and are built
at the end from their own definitions, and triggers and references are not looked at; at the
end the whole catalogue is compared with that of a freshly migrated database. What is not like a
real database: of each treatment's events only those in EVENTS are copied, each with its payload,
and copies carry no valid HMAC; about nine patients in twenty have an NHS number, since the invented
range ends there; every state's answers are alike; a decision's findings are copied for the largest
hospital only, whose pages are looked at.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from app import clock
from app.approvals.library_files import load_library
from app.db.engine import make_engine
from app.db.roles import grant
from app.db.tables import metadata
from app.db.transaction import Database
from app.db.upgrade import upgrade
from benchmarks._catalogue import check_same
from benchmarks.stopping import clean_up_when_stopped
from benchmarks.two_million_states import KEY, Share, make_states
from tests.conftest import ADMIN_URL
from tests.world import POLICIES

NAME: Final = "assent_two_million"
ROLE: Final = "assent_bench_application"
SIZE: Final = 2_000_000
#: One hospital has a twentieth of the treatments, the others share the rest evenly.
LARGEST_HOSPITAL: Final = "DEMO1"
OTHER_HOSPITALS: Final = 199
#: One commissioner pays for three in five, the others share the rest.
LARGEST_COMMISSIONER: Final = "DEMQ1"
OTHER_COMMISSIONERS: Final = 39
#: Over how many days the requests were sent; coverage ends as widely spread.
DAYS: Final = 360
#: One draft for so many treatments.
TREATMENTS_A_DRAFT: Final = 100
#: The events that are copied of each treatment.
EVENTS: Final = ("initiation submitted", "approval issued", "answers changed after a refusal")

#: Table → how its rows (`x`) are joined to a treatment's (`t`).
OF_TREATMENT: Final = {
    "patient": "JOIN patient x ON x.id = t.patient_id",
    "patient_identifier": "JOIN patient_identifier x ON x.patient_id = t.patient_id",
    "treatment": "JOIN treatment x ON x.id = t.id",
    "request": "JOIN request x ON x.treatment_id = t.id",
    **{
        table: f"JOIN request r ON r.treatment_id = t.id JOIN {table} x ON x.request_id = r.id"
        for table in ("request_revision", "request_override", "decision")
    },
    **{
        table: f"JOIN {table} x ON x.treatment_id = t.id"
        for table in ("approval", "segment", "supply", "live_treatment")
    },
    "audit_event": f"JOIN audit_event x ON x.treatment_id = t.id AND x.action IN {EVENTS}",
    "audit_payload": f"JOIN audit_event e ON e.treatment_id = t.id AND e.action IN {EVENTS} "
    "JOIN audit_payload x ON x.id = e.payload_id",
}
#: Columns that name a copied row.
IDS: Final = frozenset(
    {"id", "patient_id", "treatment_id", "request_id", "decision_id", "approval_id"}
    | {"segment_id", "object_id", "payload_id"}
)
#: A number for the i-th copy that is as good as drawn: its remainders do not follow the state.
_J: Final = "(i / 1000 * 31 + i % 1000 * 17)"
_HOSPITAL: Final = (
    f"CASE WHEN {_J} % 20 = 3 THEN '{LARGEST_HOSPITAL}' "
    f"ELSE 'B' || lpad(({_J} % {OTHER_HOSPITALS})::text, 3, '0') END"
)
_COMMISSIONER: Final = (
    f"CASE WHEN {_J} / 20 % 5 < 3 THEN '{LARGEST_COMMISSIONER}' "
    f"ELSE 'C' || lpad(({_J} / 20 % {OTHER_COMMISSIONERS})::text, 2, '0') END"
)
_EARLIER: Final = f"({_J} * 7 % {DAYS})"
#: The characters of a reference's check, by their worth.
_SIGNS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
_FUNCTIONS: Final = (
    # Not in SQL: such a function is planned anew at each call, which was most of the filling.
    # The invented range: 999, six digits and a check digit; null where the digit would be ten.
    """CREATE FUNCTION pg_temp.nhs_number(i int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
    DECLARE c int;
    BEGIN
      IF i >= 1000000 THEN RETURN NULL; END IF;
      c := 11 - (243 + i / 100000 * 7 + i / 10000 % 10 * 6 + i / 1000 % 10 * 5
          + i / 100 % 10 * 4 + i / 10 % 10 * 3 + i % 10 * 2) % 11;
      IF c = 10 THEN RETURN NULL; END IF;
      RETURN '999' || lpad(i::text, 6, '0') || c % 11;
    END $$""",
    # A reference of digits, with its check character (app/approvals/reference.py). Where that
    # would be "*" another first digit gives another one.
    f"""CREATE FUNCTION pg_temp.reference(i int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
    DECLARE s int := {25 * 2**14 + 10 * 2**13 + 2**12} + {
        " + ".join(f"i / {10**k} % 10 * {2 ** (k + 1)}" for k in range(10))
    };
    BEGIN
      IF (38 - s % 37) % 37 = 36 THEN
        RETURN 'PA2' || lpad(i::text, 11, '0')
          || substr('{_SIGNS}', (38 - (s + 4096) % 37) % 37 + 1, 1);
      END IF;
      RETURN 'PA1' || lpad(i::text, 11, '0') || substr('{_SIGNS}', (38 - s % 37) % 37 + 1, 1);
    END $$""",
)


def make(admin: sa.Engine, name: str = NAME, size: int = SIZE) -> sa.URL:
    """Make and fill the database, dropping one of that name. The owner's URL.

    Raises sqlalchemy.exc.OperationalError where there is no PostgreSQL.
    """
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        connection.exec_driver_sql(
            f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; "
            "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    url = admin.url.set(database=name)
    owner = make_engine(url.render_as_string(hide_password=False))
    upgrade(owner)
    grant(owner, ROLE)
    shares, draft = make_states(Database(owner, KEY), load_library(POLICIES))
    fill(owner, shares, draft, size)
    _check_schema(admin, owner, f"{name}_fresh")
    owner.dispose()
    for share in shares:
        print(f"{share.per_thousand:>5} in a thousand: {share.state}")
    return url


def _check_schema(admin: sa.Engine, owner: sa.Engine, name: str) -> None:
    """Raise where filling left the schema other than the migrations make it."""
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    fresh = make_engine(admin.url.set(database=name).render_as_string(hide_password=False))
    try:
        upgrade(fresh)
        grant(fresh, ROLE)
        check_same(owner, fresh)
    finally:
        fresh.dispose()
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def application(url: sa.URL) -> Database:
    """The database as the service opens it: by the role that owns nothing."""
    plain = url.set(username=ROLE, password=None).render_as_string(hide_password=False)
    return Database(make_engine(plain, restricted=True), KEY)


def fill(owner: sa.Engine, shares: list[Share], draft: str, size: int) -> None:
    """Copy each treatment in its share, and the draft; then build indexes and statistics.

    As a superuser, which the tables' own walls do not hold back.
    """
    tables = [*OF_TREATMENT, "draft"]
    with owner.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        connection.exec_driver_sql("SET LOCAL jit = off")
        _keep_patterns(connection, shares)
        _keep_pattern(connection, "draft", f"SELECT * FROM draft WHERE id = '{draft}'")
        for table in tables:
            _rest_indexes(connection, table)
        for table in OF_TREATMENT:
            _copy(connection, table, range(size), "WHERE p.slot = i % 1000")
        _copy(connection, "draft", range(size // TREATMENTS_A_DRAFT))
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET maintenance_work_mem = '1GB'")
        connection.exec_driver_sql("SET synchronous_commit = off")
        for table in tables:
            _timed(connection, f"REINDEX TABLE {table}")
            # Not FREEZE, which would write every page to the log once more.
            _timed(connection, f"VACUUM (ANALYZE) {table}")
            assert not list(_resting(connection, table)), f"an index of {table} is not whole"
        others = sorted(metadata.tables.keys() - set(tables))
        connection.exec_driver_sql(f"ANALYZE {', '.join(others)}")


def add(owner: sa.Engine, shares: list[Share], numbers: range) -> None:
    """Copy other treatments into a database that is filled, under numbers not taken by then."""
    with owner.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        connection.exec_driver_sql("SET LOCAL jit = off")
        _keep_patterns(connection, shares)
        for table in OF_TREATMENT:
            _copy(connection, table, numbers, "WHERE p.slot = i % 1000")
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in OF_TREATMENT:
            _timed(connection, f"VACUUM (ANALYZE) {table}")


def _keep_patterns(connection: sa.Connection, shares: list[Share]) -> None:
    for function in _FUNCTIONS:
        connection.exec_driver_sql(function.replace("%", "%%"))
    _keep_slots(connection, shares)
    for table in OF_TREATMENT:
        _keep_pattern(connection, table, _pattern(table))


def _timed(connection: sa.Connection, statement: str, shown: str = "") -> None:
    started = time.perf_counter()
    connection.exec_driver_sql(statement.replace("%", "%%"))
    print(f"{shown or statement}: {time.perf_counter() - started:.1f} s", flush=True)


def _keep_slots(connection: sa.Connection, shares: list[Share]) -> None:
    """A row for each of the thousand slots, with the treatment that fills it."""
    connection.exec_driver_sql("CREATE TEMP TABLE slot (slot int, treatment_id text)")
    slots = [share.treatment_id for share in shares for _ in range(share.per_thousand)]
    connection.execute(
        sa.text("INSERT INTO slot VALUES (:slot, :treatment)"),
        [{"slot": n, "treatment": treatment} for n, treatment in enumerate(slots)],
    )


def _rest_indexes(connection: sa.Connection, table: str) -> None:
    """Let the table's indexes rest: REINDEX builds them anew and wakes them."""
    connection.exec_driver_sql(
        "UPDATE pg_index SET indisready = false, indisvalid = false "
        f"WHERE indrelid = '{table}'::regclass"
    )


def _resting(connection: sa.Connection, table: str) -> Iterator[str]:
    yield from connection.exec_driver_sql(
        f"SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '{table}'::regclass "
        "AND NOT (indisready AND indisvalid)"
    ).scalars()


def _pattern(table: str) -> str:
    # Joined from the slots on, so that few rows are looked up by their keys among millions.
    return (
        "SELECT x.*, s.slot, row_number() OVER (PARTITION BY s.slot) AS ordinal "
        f"FROM slot s JOIN treatment t ON s.treatment_id = t.id {OF_TREATMENT[table]}"
    )


def _keep_pattern(connection: sa.Connection, table: str, pattern: str) -> None:
    """Keep the rows to copy, read while there are few others and their indexes are awake."""
    connection.exec_driver_sql(f"CREATE TEMP TABLE pattern_{table} AS {pattern}")
    connection.exec_driver_sql(f"ANALYZE pattern_{table}")


def _copy(connection: sa.Connection, table: str, numbers: range, fits: str = "") -> None:
    """Insert the copies of the pattern's rows, one for each number that it fits.

    Copies are numbered from 1: `range(10)` makes ten of them.
    """
    fixed: Mapping[str, str] = _FIXED.get(table, {})
    columns = [
        c for c in metadata.tables[table].columns if (table, c.name) != ("audit_event", "id")
    ]
    values = [fixed.get(c.name) or _value(c) for c in columns]
    names = ", ".join(f'"{c.name}"' for c in columns)
    statement = (
        f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} "
        f"FROM generate_series({numbers.start + 1}, {numbers.stop}) i, pattern_{table} p {fits}"
    )
    _timed(connection, statement, f"copying {table}")


#: Table → column → what a copy has there.
_FIXED: Final[dict[str, dict[str, str]]] = {
    "patient": {
        "nhs_number": "pg_temp.nhs_number(i + 1000)",
        "no_nhs_number_reason": "CASE WHEN pg_temp.nhs_number(i + 1000) IS NULL "
        "THEN 'withheld' END",
        "birth_date": f"p.birth_date + {_J} % 9000",
    },
    "patient_identifier": {"local_id": "'H' || i", "organisation": _HOSPITAL},
    "approval": {"reference": "pg_temp.reference(i * 4 + p.ordinal::int)"},
    "decision": {"findings": f"CASE WHEN {_J} % 20 = 3 THEN p.findings ELSE '[]' END"},
    "draft": {"organisation": _HOSPITAL},
}


def _value(column: sa.Column[Any]) -> str:
    """What a copy has in a column of no meaning of its own here."""
    name = f'p."{column.name}"'
    if column.name in IDS:
        return f"md5({name} || '/' || i)::uuid::text"
    if column.name in ("provider", "registered_by"):
        return f"CASE WHEN {name} = 'DEMO1' THEN {_HOSPITAL} ELSE {name} END"
    if column.name == "organisation":
        return f"CASE WHEN {name} = 'DEMO1' THEN {_HOSPITAL} ELSE {name} END"
    if column.name == "commissioner":
        return _COMMISSIONER
    if isinstance(column.type, sa.Date):
        return f"{name} - {_EARLIER}"
    if column.name.endswith("_at") or column.name == "at":
        return f"{name} - make_interval(days => {_EARLIER}, secs => {_J} % 30000)"
    return name


def main(arguments: list[str]) -> int:
    """Make the database and say how long it took."""
    size = int(arguments[0]) if arguments else SIZE
    name = arguments[1] if len(arguments) > 1 else NAME
    admin = sa.create_engine(ADMIN_URL, isolation_level="AUTOCOMMIT")
    started = time.perf_counter()
    make(admin, name, size)
    print(f"{name}: {size:,} treatments, made in {time.perf_counter() - started:.0f} s")
    print(f"at {clock.now():%Y-%m-%d %H:%M} UTC")
    return 0


if __name__ == "__main__":
    clean_up_when_stopped()
    sys.exit(main(sys.argv[1:]))
