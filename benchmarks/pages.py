"""Every page among two million treatments on PostgreSQL, as each role opens it: where time goes.

`python -m benchmarks.pages DATABASE [PART OF AN ADDRESS]` asks the pages of a database that
`benchmarks.two_million` filled, as the application's role under row-level security, as people of
the largest hospital and of the largest payer. What that database lacks is made first
(`_pages_objects`). The pages are the application's own GET routes: one of which nothing is said
here is told, and counts as a miss. Each line has, in milliseconds, the service's processor time,
the time that it waited for the database, and the processor time of the database's own process,
which is what the goal is held against where the system tells it: waiting grows with everybody
else's work. The yardsticks, asked in the same run before and after, are a look-up of one treatment
by its primary key and a page that asks the database nothing.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from fastapi import FastAPI

from app import clock
from app.api.matrix_pages import ANY_ROLE, ANYBODY, BROWSER, PAGE_ROUTES
from app.approvals.permissions import TABLE, Action
from app.auth.model import Role
from app.db.roles import grant
from app.db.tables import treatment
from app.db.transaction import Database
from app.db.upgrade import upgrade
from app.logs import configure_logs
from app.main import create_app
from app.settings import Settings
from benchmarks import two_million
from benchmarks._pages_asked import Asked, Meter, share
from benchmarks._pages_large import FEW_AT_MOST
from benchmarks._pages_objects import Objects, made
from benchmarks._pages_reports import OF_REPORTS, add_reported
from benchmarks.lists import add_challenges
from benchmarks.search import MOMENT, USUAL, in_turns, rows_of
from benchmarks.stopping import clean_up_when_stopped
from tests.conftest import ADMIN_URL
from tests.functional.web.conftest import Person

#: The goal: so many milliseconds at most of either, at the 95th of a hundred askings.
MOST_MS: Final = 100.0
TURNS: Final = 20
FEW_TURNS: Final = 3
#: Over so many lines a run is not held in memory; over fewer where there are few treatments.
MOST_LINES: Final = 200_000
LITTLE: Final = 100_000
#: A page, or that it leads to another one.
ANSWERED: Final = (200, 303)
#: Who asks, in each role.
PEOPLE: Final[dict[Role, tuple[str, ...]]] = {
    Role.CLINICIAN: ("demo1-clinician",),
    Role.DELEGATE: ("demo1-delegate",),
    Role.PHARMACIST: ("demo1-pharmacist",),
    Role.AUDITOR: ("demo1-auditor", "demq1-auditor"),
    Role.PANEL_MEMBER: ("demp1-panel-member",),
    Role.COMMISSIONER: ("demq1-commissioner",),
    Role.INVOICE_VALIDATION: ("demq1-invoice-validation",),
    Role.POLICY_AUTHOR: ("demq1-policy-author",),
    Role.ADMINISTRATOR: ("demo1-administrator", "demq1-administrator"),
}
#: Pages whose address has no object, or that say nothing of anybody: asked once, by a clinician.
ONE_IS_ENOUGH: Final = ("/about", "/help", "/accessibility", "/cookies", "/sign-in", "/signed-out")
#: Pages of one object that not everybody in a role sees: whoever declared it, whose draft
#: challenge it is, who may still answer, who attached it, who uploaded or checked a file.
ONLY: Final = {
    "/break-glass/{id}": ("demo2-clinician",),
    "/challenges/{id}": ("demq1-commissioner", "demq1-invoice-validation"),
    "/linkage-proposals/{id}": ("demq1-commissioner", "demq1-invoice-validation"),
    "/requests/{id}/answers": ("demo1-clinician", "demo1-pharmacist"),
    "/requests/{id}/attachments/{attachment}": ("demo1-clinician", "demo1-pharmacist"),
    "/submissions/uploads/{name}": ("demq1-commissioner", "demq1-invoice-validation"),
    "/submissions/jobs/{job}": ("demq1-commissioner",),
    "/submissions/jobs/{job}/state": ("demq1-commissioner",),
    "/replays/{id}": ("demq1-policy-author",),
    "/worklists/{name}": ("demo1-clinician", "demo1-delegate", "demo1-pharmacist"),
    "/supply-check/files/{name}": ("demo1-pharmacist",),
    "/supply-check/files/{name}/checked.csv": ("demo1-pharmacist",),
}
#: Pages that are not asked, and why.
LEFT_OUT: Final = {
    "/assets/{name:path}": "a file",
    "/sign-in/start": "needs a provider to sign in with",
    "/sign-in/callback": "needs a provider to sign in with",
}
#: Files of as many lines as a run has, made as they are asked for: asked and told, but not held
#: against the goal of a page (ADR 66).
FILES: Final = ("/submissions/runs/{run}/export",)
#: The same page with other things asked of it.
ALSO: Final = {
    **OF_REPORTS,
    "/supply-lists/{name}": (
        "/supply-lists/supplied-after-stop",
        "/supply-lists/no-recent-supply",
        "/supply-lists/supplied-by-two-trusts",
        "/supply-lists/not-started?month=202627%20M07",
    ),
    "/worklists/{name}": (
        "/worklists/drafts",
        "/worklists/lapsing",
        "/worklists/answers",
        "/worklists/continuations?after=2026-12-15_0",
    ),
    "/start": ("?q=ada", "?q=crohn"),
    "/challenges": ("/challenges?state=raised",),
    "/submissions/uploads/{name}": ("/submissions/uploads/{upload of a month that stands}",),
    "/supply-check/files/{name}": ("?after=100",),
    "/hand-overs/{id}": ("/hand-overs/{hand-over under way}",),
    "/submissions/runs/{run}/lines": ("?order=queried", "?outcome=no+approval"),
}
#: The same, of one person alone.
ALSO_OF: Final = {
    ("/", "demp1-panel-member"): ("/worklists/panel",),
    ("/", "demq1-commissioner"): ("/worklists/referred",),
    ("/", "demo1-pharmacist"): (
        "/worklists/authorisations",
        "/worklists/transfers",
        "/worklists/transfers-out",
        "/worklists/claims",
    ),
}
#: Pages of a run that is not held in memory, beyond those that ask for no run.
OF_LARGE: Final = (
    "/submissions/{submission}",
    "/submissions/runs/{run}",
    "/submissions/runs/{run}/lines",
    "/submissions/runs/{run}/lines?after=200000",
    "/submissions/runs/{run}/lines?order=queried",
    "/submissions/runs/{run}/lines?order=queried&after=150000",
    "/submissions/runs/{run}/lines?outcome=no+approval",
    "/submissions/runs/{run}/lines?outcome=no+approval&order=queried",
    "/submissions/runs/{run}/lines?drug=adalimumab",
    "/submissions/runs/{run}/lines?provider=B001",
    "/submissions/runs/{run}/lines?month=202526+M11",
    "/submissions/runs/{run}/lines/{row}",
    "/submissions/runs/{run}/links",
    "/submissions/runs/{run}/export?format=csv",
    "/challenges?run={run}",
    "/challenges/{challenge}",
    "/challenges/{answered}",
)
LARGE: Final = "large: "
_EVIDENCE: Final = "/submissions/runs/{run}/lines/{row}"


@dataclass(frozen=True, slots=True)
class Page:
    """A page as one person asks for it: its template, and what the table calls it."""

    route: str
    who: str
    address: str
    shown: str


def pages(application: FastAPI, objects: Objects) -> tuple[list[Page], list[str]]:
    """Every page as each role opens it, and the routes of which nothing is known here."""
    served = {
        route.path
        for route in _walked(application.routes)
        if "GET" in (route.methods or ()) and f"GET {route.path}" in PAGE_ROUTES
    }
    unknown = [
        route.path
        for route in _walked(application.routes)
        if "GET" in (route.methods or ()) and route.path not in served and not _of_api(route.path)
    ]
    found = []
    for route in sorted(served - LEFT_OUT.keys()):
        for who in _people(route):
            address = _address(route, who, objects)
            if address is None:
                unknown.append(route)
                break
            found.append(Page(route, who, address, route))
            for each in (*ALSO.get(route, ()), *ALSO_OF.get((route, who), ())):
                shown = f"{route}{each}" if each.startswith("?") else each
                asked = f"{address}{each}" if each.startswith("?") else each
                found.append(Page(route, who, _filled(asked, objects.parts), shown))
    return [*found, *_of_other_runs(objects)], unknown


def _of_other_runs(objects: Objects) -> Iterator[Page]:
    for template in OF_LARGE:
        route = template.partition("?")[0]
        address = _filled(template, objects.instead["large"])
        for who in PEOPLE[Role.COMMISSIONER]:
            yield Page(route, who, address, f"{LARGE}{template}")
    address = _filled(_EVIDENCE, objects.instead["pseudonyms"])
    for who in PEOPLE[Role.COMMISSIONER]:
        yield Page(_EVIDENCE, who, address, f"of pseudonyms: {_EVIDENCE}")


def _filled(template: str, parts: Mapping[str, str]) -> str:
    for name, value in parts.items():
        template = template.replace(f"{{{name}}}", value)
    return template


def _walked(routes: Sequence[object]) -> Iterator[Any]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _walked(inner.routes)
        else:
            yield route


def _of_api(path: str) -> bool:
    return path.startswith("/v1/") or path in ("/openapi.json", "/livez", "/readyz", "/metrics")


def _people(route: str) -> tuple[str, ...]:
    """Who asks for a page: everybody whom the table of permissions lets."""
    if route in ONLY:
        return ONLY[route]
    opened = PAGE_ROUTES[f"GET {route}"]
    if isinstance(opened, Action):
        return tuple(who for role in Role if role in TABLE[opened] for who in PEOPLE[role])
    if route in ONE_IS_ENOUGH:
        return ("",)
    assert opened in (ANY_ROLE, ANYBODY, BROWSER), opened
    return tuple(who for role in Role for who in PEOPLE[role]) if route == "/" else (_FIRST,)


_FIRST: Final = "demo1-clinician"


_PARTS: Final = ("id", "policy", "version", "step", "question", "row", "name", "attachment", "job")


def _address(route: str, who: str, objects: Objects) -> str | None:
    """The address with the objects that this person may see; None where one is not known here."""
    hospital = who.startswith("demo1")
    parts = objects.parts | {
        "run": objects.parts[f"run of {'DEMO1' if hospital else 'DEMQ1'}"],
        "submission": objects.parts[f"submission of {'DEMO1' if hospital else 'DEMQ1'}"],
    }
    parts |= objects.instead.get(route, {})
    if who.startswith("demp1") and route.startswith("/requests/"):
        parts |= objects.instead["panel"]
    if who.startswith("demp1") and route.startswith("/treatments/"):
        parts |= objects.instead["panel's treatment"]
    path = route
    for name in _PARTS:
        if f"{{{name}}}" in path and name not in parts:
            return None
        path = path.replace(f"{{{name}}}", parts.get(name, ""))
    path = path.replace("{run}", parts["run"]).replace("{submission}", parts["submission"])
    return None if "{" in path else path


def measure(name: str, size: int, only: str = "", folder: Path | None = None) -> int:
    """Ask every page of a filled database whose name has `only`; non-zero where one is over."""
    url = sa.make_url(ADMIN_URL).set(database=name)
    owner = sa.create_engine(url)
    upgrade(owner)
    grant(owner, two_million.ROLE)
    add_challenges(owner, size // 10)
    add_reported(owner, size)
    configure_logs("ERROR")
    database = two_million.application(url)
    folder = folder or Path(tempfile.gettempdir()) / name
    folder.mkdir(exist_ok=True)
    settings = Settings(
        demonstration=True,
        demonstration_sign_in=True,
        data_dir=folder,
        requests_per_minute=1_000_000,
        requests_per_minute_of_people=1_000_000,
        reconciliation_most_lines=MOST_LINES if size >= LITTLE else FEW_AT_MOST,
    )
    application = create_app(settings, database=database, now=lambda: MOMENT.instant)
    objects = made(application, owner, size, folder)
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        kept = "start_awaited, listed_supply, listed_entry, report_sum"
        connection.exec_driver_sql(f"VACUUM (ANALYZE) {kept}")
    owner.dispose()
    asked, unknown = pages(application, objects)
    # As `assent serve` does once it has loaded.
    gc.collect()
    gc.freeze()
    meter = Meter(application, database.engine)
    print(
        f"{name}: {size:,} treatments, load average {os.getloadavg()[0]:.0f}, {clock.now():%F %R}"
    )
    with meter.listening():
        over = _table(
            meter,
            database,
            [page for page in asked if only in page.shown],
            TURNS if size >= LITTLE else FEW_TURNS,
        )
    for route in unknown:
        print(f"not asked: {route}: say in benchmarks/pages.py what stands for its parts")
    for route, why in LEFT_OUT.items():
        print(f"left out: {route}: {why}")
    print(_verdict(over, sum(only in page.shown for page in asked)))
    database.engine.dispose()
    return 1 if over or unknown else 0


def _verdict(over: list[Page], asked: int) -> str:
    """Which pages are over the goal, or are no page, or that none is."""
    goal = f"{MOST_MS:.0f} ms of processor or of the database"
    named = "; ".join(f"{page.shown} ({page.who})" for page in over)
    return f"over {goal}, {len(over)} of {asked}: {named or 'none'}"


def _table(meter: Meter, database: Database, asked: list[Page], turns: int) -> list[Page]:
    """Ask each page so many times and print its line; those over, or that are no page."""
    cookies: dict[str, str] = {"": ""}
    over = []
    print(
        f"{'page':<72}{'who':<26}{'cpu p50':>8}{'p95':>8}{'db p50':>9}{'p95':>9}{'busy p95':>9}"
        f"{'asks':>6}{'kB':>6}  worst statement: ms, rows, looked at, buffers"
    )
    _yardsticks(meter, database)
    for page in asked:
        if page.who not in cookies:
            with Person(meter.application, page.who).http as http:
                cookies[page.who] = "; ".join(f"{n}={v}" for n, v in http.cookies.items())
        times = meter.again(page.address, cookies[page.who], turns)
        if _line(meter, page, times, cookies[page.who]):
            over.append(page)
    _yardsticks(meter, database)
    return over


def _line(meter: Meter, page: Page, times: list[Asked], cookie: str) -> bool:
    cpu, waited = [each.cpu for each in times], [each.database for each in times]
    busy = [each.busy for each in times if each.busy is not None]
    status = times[-1].status
    slow = share(busy or waited, 0.95)
    is_slow = share(cpu, 0.95) > MOST_MS or slow > MOST_MS
    is_file = page.route in FILES
    is_over = (is_slow and not is_file) or status not in ANSWERED
    worst = meter.worst(page.address, cookie)
    told = (
        ""
        if worst is None
        else (f"  {worst.ms:.1f}, {worst.rows}, {worst.scanned}, {worst.buffers}")
    )
    if worst is not None and is_over:
        told += f"  {worst.text[:160]}"
    print(
        f"{page.shown:<72}{page.who:<26}{share(cpu, 0.5):>8.1f}{share(cpu, 0.95):>8.1f}"
        f"{share(waited, 0.5):>9.1f}{share(waited, 0.95):>9.1f}"
        f"{share(busy, 0.95) if busy else float('nan'):>9.1f}{times[-1].statements:>6}"
        f"{times[-1].body / 1000:>6.0f}{told}"
        + (f"  STATUS {status}" if status not in ANSWERED else "")
        + ("  OVER" if is_over else "  A FILE" if is_file else ""),
        flush=True,
    )
    return is_over


def _yardsticks(meter: Meter, database: Database) -> None:
    first = sa.select(treatment).where(treatment.c.provider == USUAL.organisation).limit(1)
    lookup = sa.select(treatment).where(treatment.c.id == rows_of(database, USUAL, first)[0].id)
    (one,) = in_turns(partial(rows_of, database, USUAL, lookup))
    empty = meter.again("/about", "", TURNS)
    print(
        f"yardsticks: look-up by primary key {one:.1f} ms; a page without a question "
        f"{share([each.cpu for each in empty], 0.5):.1f} ms of processor",
        flush=True,
    )


def run(size: int = two_million.SIZE) -> int:
    """Ask every page of a new database, which goes afterwards; non-zero where one is over."""
    admin = sa.create_engine(ADMIN_URL, isolation_level="AUTOCOMMIT")
    name = f"assent_bench_pages_{os.getpid()}"
    try:
        two_million.make(admin, name, size)
    except sa.exc.OperationalError:
        print("left out: there is no PostgreSQL (set ASSENT_TEST_POSTGRES)")
        return 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            return measure(name, size, folder=Path(folder))
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _size(name: str) -> int:
    url = sa.make_url(ADMIN_URL).set(database=name)
    with sa.create_engine(url).connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM treatment").scalar_one())


if __name__ == "__main__":
    clean_up_when_stopped()
    if len(sys.argv) < 2:
        sys.exit("python -m benchmarks.pages DATABASE [PART OF AN ADDRESS]")
    sys.exit(measure(sys.argv[1], _size(sys.argv[1]), "".join(sys.argv[2:3])))
