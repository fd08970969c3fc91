"""A page of a search over two million treatments on PostgreSQL: its plan, and its time.

Run as the application's role, under row-level security, in turns with a look-up of one treatment by
its primary key. Prints the plan of each kind of page. Needs PostgreSQL (ASSENT_TEST_POSTGRES).

`python -m benchmarks.search [TREATMENTS | DATABASE]`: fills a database of its own, or reads one
that `benchmarks.two_million` filled.
"""

from __future__ import annotations

import datetime as dt
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from app.approvals.lifecycle import RequestState
from app.approvals.searching import SearchQuery, page_query
from app.auth.model import Caller, Role
from app.db.tables import treatment
from app.db.transaction import Database
from app.db.work import Moment, Work
from benchmarks import two_million
from benchmarks.stopping import clean_up_when_stopped
from tests.conftest import ADMIN_URL

TURNS: Final = 21
MOMENT: Final = Moment(dt.datetime(2026, 11, 28, 9, 30, tzinfo=dt.UTC), dt.date(2026, 11, 28))


def _caller(organisation: str, role: Role) -> Caller:
    return Caller("bench", "bench", "person", organisation, role, "bench", "bench")


#: Hospitals with a twentieth and about half a hundredth of the treatments, the commissioner that
#: pays for three in five, a panel.
LARGEST: Final = _caller(two_million.LARGEST_HOSPITAL, Role.CLINICIAN)
USUAL: Final = _caller("B007", Role.CLINICIAN)
PAYER: Final = _caller(two_million.LARGEST_COMMISSIONER, Role.COMMISSIONER)
PANEL: Final = _caller("DEMP1", Role.PANEL_MEMBER)
PAGES: Final[dict[str, tuple[Caller, SearchQuery]]] = {
    "first page": (USUAL, SearchQuery()),
    "first page, the largest hospital": (LARGEST, SearchQuery()),
    "a page from the middle": (LARGEST, SearchQuery(after="8" * 8)),
    "one hospital number": (USUAL, SearchQuery(local_id="H7")),
    "one drug": (LARGEST, SearchQuery(drug="etanercept")),
    "requests to be authorised": (
        LARGEST,
        SearchQuery(request_state=RequestState.AWAITING_AUTHORISATION),
    ),
    "requests that were approved": (LARGEST, SearchQuery(request_state=RequestState.APPROVED)),
    "the payer's first page": (PAYER, SearchQuery()),
    "the payer's referred requests": (PAYER, SearchQuery(request_state=RequestState.REFERRED)),
    "the panel's requests": (PANEL, SearchQuery(request_state=RequestState.REFERRED)),
}


def run(size: int = two_million.SIZE, filled: str | None = None) -> int:
    """Time and explain each kind of page, on a new database unless one is named. Always 0."""
    admin = sa.create_engine(ADMIN_URL, isolation_level="AUTOCOMMIT")
    if filled is not None:
        compare(two_million.application(admin.url.set(database=filled)))
        return 0
    name = f"assent_bench_{os.getpid()}"
    try:
        compare(two_million.application(two_million.make(admin, name, size)))
    except sa.exc.OperationalError:
        print("left out: there is no PostgreSQL (set ASSENT_TEST_POSTGRES)")
        return 0
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    admin.dispose()
    return 0


def compare(database: Database) -> None:
    """Time each page in turns with the look-up, then print its plan."""
    first = rows_of(database, USUAL, page_query(USUAL, SearchQuery()))[0].id
    lookup = sa.select(treatment).where(treatment.c.id == first)
    print(f"{'page of 50':<36}{'ms':>10}{'look-up ms':>12}{'ratio':>8}")
    for name, (caller, query) in PAGES.items():
        asked = page_query(caller, query)
        page, one = in_turns(
            partial(rows_of, database, caller, asked), partial(rows_of, database, USUAL, lookup)
        )
        print(f"{name:<36}{page:>10.2f}{one:>12.2f}{page / one:>8.1f}", flush=True)
    for name, (caller, query) in PAGES.items():
        plan = explain(database, caller, page_query(caller, query), "ANALYZE, BUFFERS")
        print(f"\n-- {name}\n" + "\n".join(plan))


def in_turns(*calls: Callable[[], Any], turns: int = TURNS) -> tuple[float, ...]:
    """The median milliseconds of each call, run one after the other again and again."""
    taken: list[list[float]] = [[] for _ in calls]
    for turn in range(turns):
        for times, call in zip(taken, calls, strict=True):
            started = time.perf_counter()
            call()
            if turn:
                times.append((time.perf_counter() - started) * 1000)
    return tuple(statistics.median(times) for times in taken)


def rows_of(database: Database, caller: Caller, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    """What the caller's query finds, as the application asks it."""
    return database.read(
        lambda work: work.connection.execute(query).all(),
        moment=MOMENT,
        scope=caller.organisation,
    )


def explain(database: Database, caller: Caller, query: sa.Select[Any], how: str) -> list[Any]:
    """The plan by which the caller's query is answered, as EXPLAIN (how) tells it."""
    dialect = database.engine.dialect
    text = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))

    def ask(work: Work) -> list[Any]:
        return list(
            work.connection.exec_driver_sql(f"EXPLAIN ({how}) {text}".replace("%", "%%")).scalars()
        )

    return database.read(ask, moment=MOMENT, scope=caller.organisation)


if __name__ == "__main__":
    clean_up_when_stopped()
    asked = sys.argv[1] if len(sys.argv) > 1 else str(two_million.SIZE)
    run(int(asked)) if asked.isdigit() else run(filled=asked)
