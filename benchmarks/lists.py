"""The lists among two million treatments on PostgreSQL: what each takes, and by which plan.

`python -m benchmarks.lists DATABASE [plans]` reads one that `benchmarks.two_million` filled, as the
application's role and under row-level security, each list in turns with the look-up of one
treatment by its primary key. The first run adds CHALLENGES rows, of which none are copied there.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from app.api.changes import visible_changes
from app.approvals.drafting import open_drafts
from app.approvals.due import approvals_due
from app.approvals.searching import SearchQuery, page_query
from app.audit import changes_after
from app.auth.model import Caller, Role
from app.db.tables import treatment
from app.db.transaction import Database
from app.db.work import Work
from app.reconciliation.challenge_model import ChallengeState
from app.reconciliation.challenge_store import EVERY, Asked, listed
from app.reconciliation.scope import scope_of
from app.reconciliation.waiting_store import overdue
from benchmarks import two_million
from benchmarks.search import LARGEST, MOMENT, PAYER, USUAL, in_turns, rows_of
from tests.conftest import ADMIN_URL

#: How many challenges there are to be among two million treatments.
CHALLENGES: Final = 200_000
SOON: Final = dt.timedelta(days=28)
#: The other commissioners share two fifths of the treatments.
USUAL_PAYER: Final = Caller("b", "b", "person", "C07", Role.COMMISSIONER, "bench", "bench")
Reading = Callable[[Work, Caller], Any]


def readings(end: str) -> dict[str, tuple[Caller, Reading]]:
    """Each list by name. `end` is a position of the change feed shortly before its end."""
    today = MOMENT.day
    due: Reading = lambda w, c: approvals_due(w, c, today, today + SOON, 20)  # noqa: E731
    raised: Reading = lambda w, c: listed(w, c, Asked(ChallengeState.RAISED), 100)  # noqa: E731
    newest: Reading = lambda w, c: listed(w, c, EVERY, 100)  # noqa: E731
    return {
        "approvals due, a hospital": (USUAL, due),
        "approvals due, the largest hospital": (LARGEST, due),
        "open drafts, the largest hospital": (LARGEST, open_drafts),
        "the newest changes, a hospital": (USUAL, partial(_changes, end)),
        "the newest changes, the largest hospital": (LARGEST, partial(_changes, end)),
        "the newest changes, the largest payer": (PAYER, partial(_changes, end)),
        "changes from the first, a hospital": (USUAL, partial(_changes, None)),
        "changes from the first, the largest payer": (PAYER, partial(_changes, None)),
        "challenges, the largest payer": (PAYER, newest),
        "challenges raised, the largest payer": (PAYER, raised),
        "challenges, the largest hospital": (LARGEST, newest),
        "not started, a hospital": (USUAL, _overdue),
        "not started, the largest hospital": (LARGEST, _overdue),
        "not started, a payer": (USUAL_PAYER, _overdue),
        "not started, the largest payer": (PAYER, _overdue),
    }


def _changes(after: str | None, work: Work, caller: Caller) -> Any:
    return changes_after(work, after, 100, visible_changes(caller))[0]


def _overdue(work: Work, caller: Caller) -> Any:
    return overdue(work, caller, scope_of(caller), MOMENT.day)


def compare(database: Database, end: str, plans: bool) -> None:
    """Time each list in turns with the look-up, then print its statements' plans."""
    first = rows_of(database, USUAL, page_query(USUAL, SearchQuery()))[0].id
    lookup = sa.select(treatment).where(treatment.c.id == first)
    print(f"{'list':<44}{'rows':>8}{'ms':>10}{'look-up ms':>12}{'ratio':>8}")
    for name, (caller, reading) in readings(end).items():
        read = partial(_read, database, caller, _asked_by(caller, reading))
        found = read()
        whole, one = in_turns(read, partial(rows_of, database, USUAL, lookup), turns=7)
        print(f"{name:<44}{len(found):>8}{whole:>10.2f}{one:>12.2f}{whole / one:>8.1f}", flush=True)
        if plans:
            print("\n".join(explained(database, caller, read)))


def _asked_by(caller: Caller, reading: Reading) -> Callable[[Work], Any]:
    return lambda work: reading(work, caller)


def _read(database: Database, caller: Caller, fn: Callable[[Work], Any]) -> Any:
    return database.read(fn, moment=MOMENT, scope=caller.organisation)


def explained(database: Database, caller: Caller, read: Callable[[], Any]) -> list[str]:
    """EXPLAIN (ANALYZE, BUFFERS) of every query of tables that a reading sends."""
    sent: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, text: str, given: Any, *_: Any) -> None:
        # Of a statement of `Work.ask` no values are told: it is a look-up of its own tests.
        has_values = given is not None or "%(" not in text
        if has_values and " FROM " in text.replace("\n", " "):
            sent.append((text, given))

    sa.event.listen(database.engine, "before_cursor_execute", keep)
    read()
    sa.event.remove(database.engine, "before_cursor_execute", keep)

    def explain(work: Work) -> list[str]:
        return [
            str(line)
            for text, given in sent
            for line in work.connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, BUFFERS) {text}", given
            ).scalars()
        ]

    return list(_read(database, caller, explain))


def add_challenges(owner: sa.Engine, count: int = CHALLENGES) -> None:
    """Fill up the challenges, nine in ten of them decided; as a superuser, without a run."""
    columns = (
        "id, commissioner, provider, run_id, outcome, state, lines, queried, drafted_at, "
        "drafted_by, raised_at, version"
    )
    with owner.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(
            f"INSERT INTO challenge ({columns}) SELECT md5('challenge' || i)::uuid::text, "
            "CASE WHEN i % 5 < 3 THEN 'DEMQ1' ELSE 'C' || lpad((i % 39)::text, 2, '0') END, "
            "CASE WHEN i % 20 = 3 THEN 'DEMO1' ELSE 'B' || lpad((i % 199)::text, 3, '0') END, "
            "'none', 'no approval', CASE WHEN i % 1000 = 1 THEN 'raised' ELSE 'upheld' END, "
            "1, 100, now() - make_interval(mins => i), 'none', now(), 1 "
            f"FROM generate_series(1, {count}) i ON CONFLICT DO NOTHING".replace("%", "%%")
        )
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE) challenge")


def run(size: int = two_million.SIZE) -> int:
    """Time each list on a new database, which goes afterwards. Always 0."""
    admin = sa.create_engine(ADMIN_URL, isolation_level="AUTOCOMMIT")
    name = f"assent_bench_lists_{os.getpid()}"
    try:
        two_million.make(admin, name, size)
    except sa.exc.OperationalError:
        print("left out: there is no PostgreSQL (set ASSENT_TEST_POSTGRES)")
        return 0
    try:
        measure(name, plans=False)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    return 0


def measure(name: str, *, plans: bool) -> None:
    """Time each list of a filled database."""
    url = sa.make_url(ADMIN_URL).set(database=name)
    owner = sa.create_engine(url)
    add_challenges(owner)
    with owner.connect() as connection:
        end = connection.exec_driver_sql(
            "SELECT epoch || '.' || xid || '.' || id FROM audit_event "
            "ORDER BY epoch DESC, xid DESC, id DESC OFFSET 200 LIMIT 1"
        ).scalar_one()
    owner.dispose()
    compare(two_million.application(url), end, plans)


if __name__ == "__main__":
    measure(sys.argv[1], plans="plans" in sys.argv[2:])
