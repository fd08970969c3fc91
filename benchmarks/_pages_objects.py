"""What `two_million` leaves out and pages show: files with their runs, challenges, drafts, figures.

Made once for a database, by the service itself, for the largest hospital and the largest payer. A
run is matched against the approvals of the treatments that its file names, not against the whole
scope: what a page shows of it is the same, and matching a million approvals is another benchmark's.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from fastapi import FastAPI

from app.approvals import report_sums
from app.auth.model import Role
from app.db import tables
from app.insight import counting, figures
from app.policy.calendar import add_months
from app.reconciliation import awaited_store
from benchmarks._pages_file import as_file
from benchmarks._pages_history import longest
from benchmarks._pages_large import answered_like, large_run
from benchmarks._pages_open import open_link, under_way
from benchmarks._pages_readings import add_readings
from benchmarks._pages_runs import caller, small_runs
from benchmarks.search import MOMENT
from tests.functional.approvals.scene import BREAK_GLASS
from tests.functional.web.conftest import Person
from tests.functional.web.test_attachments import PDF, attach, links
from tests.functional.web.test_policy_drafts import NEXT

#: Lines of a month's file by the size of the database: of two million treatments a thousand. The
#: newest has so many times as many.
TREATMENTS_A_LINE: Final = 2_000
IN_NEWEST: Final = 4
#: One patient in so many more is supplied in the oldest month alone.
QUIET: Final = 2
NOWHERE: Final = "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
_ONCE: Final = re.compile(r'name="once" value="([^"]+)"')
_LINES: Final = """
SELECT p.nhs_number, i.local_id, p.birth_date, t.id FROM treatment t
JOIN patient p ON p.id = t.patient_id
JOIN patient_identifier i ON i.patient_id = p.id AND i.organisation = 'DEMO1'
WHERE t.provider = 'DEMO1' AND t.commissioner = 'DEMQ1' AND t.drug = 'adalimumab'
  AND t.first_dose IS NOT NULL ORDER BY t.id LIMIT :lines
"""
_REQUEST: Final = """
SELECT r.id FROM request r WHERE r.provider = 'DEMO1' AND r.commissioner = 'DEMQ1'
  AND r.kind = 'initiation' AND r.state = :state ORDER BY r.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Objects:
    """Of each part of an address what stands for it; of requests and treatments by who asks."""

    parts: dict[str, str]
    #: Address → the same with another request or draft, where the page is of one in a state.
    instead: dict[str, dict[str, str]]


def made(application: FastAPI, owner: sa.Engine, size: int, folder: Path) -> Objects:
    """Find and make what the pages show. Running it again finds what was made."""
    oldest = longest(owner)
    with owner.connect() as connection:
        request = connection.execute(sa.text(_REQUEST), {"state": "approved"}).scalar_one()
        treatment = connection.execute(
            sa.text("SELECT treatment_id FROM request WHERE id = :id"), {"id": request}
        ).scalar_one()
        open_ = connection.execute(
            sa.text(_REQUEST), {"state": "more information needed"}
        ).scalar_one_or_none()
        referred = connection.execute(
            sa.text(
                "SELECT id, treatment_id FROM request "
                "WHERE panel = 'DEMP1' AND state = 'referred' LIMIT 1"
            )
        ).one_or_none()
        draft = connection.execute(
            sa.text(
                "SELECT id FROM draft WHERE organisation = 'DEMO1' AND submitted_request IS NULL "
                "AND discarded_at IS NULL ORDER BY id LIMIT 1"
            )
        ).scalar_one()
    parts = {
        "id": request,
        "policy": "adalimumab-ra-severe",
        "version": "2016-01-26.1",
        "step": "check",
        "question": "das28_at_start",
        "row": "1",
        "treatment": treatment,
    }
    count = max(size // TREATMENTS_A_LINE, 20)
    lines, quiet, others = _lines(owner, count)
    lines = [*lines[:2], oldest, *lines[2:]]
    parts |= small_runs(application, owner, lines, quiet, others)
    started = time.perf_counter()
    large = large_run(application, owner, caller("DEMQ1", Role.COMMISSIONER), folder)
    print(f"the large run with its export: {time.perf_counter() - started:.0f} s", flush=True)
    add_readings(owner, MOMENT.instant)
    parts |= _by_forms(application, owner, request, lines, large.id)
    payer = caller("DEMQ1", Role.COMMISSIONER)
    parts["link"] = open_link(application, owner, payer, parts["run of DEMQ1"])
    parts["hand-over under way"] = under_way(application, owner, payer, parts["hand-over"])
    answered = answered_like(owner, parts["large challenge"])
    _by_worker(application)
    instead = {
        "/treatments/{id}": {"id": treatment},
        "/treatments/{id}/timeline": {"id": oldest.id},  # supplied each month, too
        "/audit/treatments/{id}": {"id": treatment},
        "/drafts/{id}": {"id": draft},
        "/drafts/{id}/begun": {"id": draft},
        "/drafts/{id}/{step}": {"id": draft},
        "/drafts/{id}/work-out/{question}": {"id": draft},
        "/requests/{id}/answers": {"id": open_ or request},
        "/challenges/{id}": {"id": parts["challenge"]},
        "/policy-drafts/{id}": {"id": parts["policy draft"]},
        "/policy-drafts/{id}/reading": {"id": parts["policy draft"]},
        "/policy-drafts/{id}/replay": {"id": parts["policy draft"]},
        "/break-glass/{id}": {"id": parts["break-glass"]},
        "/hand-overs/{id}": {"id": parts["hand-over"]},
        "/hand-overs/{id}/state": {"id": parts["hand-over under way"]},
        "/treatments/{id}/patient": {"id": treatment},
        "/linkage-proposals/{id}": {"id": parts["link"]},
        "/replays/{id}": {"id": parts["replay"]},
        "/supply-lists/{name}": {"name": "not-started"},
        "/worklists/{name}": {"name": "continuations"},
        "/submissions/uploads/{name}": {"name": parts["upload"]},
        "/supply-check/files/{name}": {"name": parts["checked file"]},
        "/supply-check/files/{name}/checked.csv": {"name": parts["checked file"]},
        "panel": {"id": referred.id if referred else request},
        "large": {
            "run": large.id,
            "submission": large.submission_id,
            "row": str(large.lines // 2),
            "challenge": parts["large challenge"],
            "answered": answered,
        },
        "pseudonyms": {"run": parts["run of pseudonyms"], "row": "2"},
        "panel's treatment": {"id": referred.treatment_id if referred else treatment},
    }
    return Objects(parts, instead)


def _by_worker(application: FastAPI) -> None:
    """What the worker keeps, of the largest hospital and the largest payer."""
    door, desk = application.state.door, application.state.desk
    for who in (caller("DEMO1", Role.PHARMACIST), caller("DEMQ1", Role.COMMISSIONER)):
        started = time.perf_counter()
        looked = door.transact(partial(awaited_store.keep, desk=desk, caller=who))
        print(f"lists of {who.organisation}: {looked:,}, {time.perf_counter() - started:.1f} s")
    started = time.perf_counter()
    door.transact(report_sums.forget)  # requests were copied into months that were summed
    while door.transact(report_sums.keep):
        pass
    print(f"sums of the reports: {time.perf_counter() - started:.1f} s")
    kept = sa.select(tables.insight_figure.c.commissioner).where(
        tables.insight_figure.c.commissioner == "DEMQ1"
    )
    if door.read(lambda work: work.connection.execute(kept.limit(1)).first()) is None:
        counted = door.read(lambda work: counting.count(work, desk, "DEMQ1"))
        door.transact(lambda work: figures.keep(work, "DEMQ1", counted))


def _lines(owner: sa.Engine, count: int) -> tuple[list[Any], list[Any], list[Any]]:
    """The patients of every month's file, and those who are supplied in the oldest one alone, and
    in the newest."""
    most, quiet = count * IN_NEWEST, count // QUIET
    with owner.connect() as connection:
        found = list(connection.execute(sa.text(_LINES), {"lines": most + quiet}))
    return found[:count], found[count : count + quiet], found[count + quiet :]


def _by_forms(
    application: FastAPI, owner: sa.Engine, request: str, lines: list[Any], large: str
) -> dict[str, str]:
    """What people make with the pages' own forms, and the worker works off."""
    people = {
        who: Person(application, who)
        for who in (
            "demo1-clinician",
            "demo1-pharmacist",
            "demo2-clinician",
            "demq1-commissioner",
            "demq1-policy-author",
        )
    }
    payer, author = people["demq1-commissioner"], people["demq1-policy-author"]
    parts: dict[str, str] = {}
    with owner.connect() as connection:
        run = connection.execute(
            sa.text(
                "SELECT id FROM reconciliation_run WHERE organisation = 'DEMQ1' "
                "AND lines BETWEEN 20 AND 200000 LIMIT 1"
            )
        ).scalar_one()
        challenge = (
            "SELECT id FROM challenge WHERE commissioner = 'DEMQ1' AND run_id NOT IN "
            f"('none', '{large}')"
        )
        has = connection.execute(sa.text(f"{challenge} LIMIT 1")).scalar_one_or_none()
    if has is None:
        _sent(payer, f"/submissions/runs/{run}", f"/submissions/runs/{run}/challenges")
    if _challenge_of(owner, large) is None:
        started = time.process_time()
        at = f"/submissions/runs/{large}"
        _sent(payer, f"{at}/lines?provider=B001", f"{at}/challenges", provider="B001")
        used = time.process_time() - started
        print(f"POST {at}/challenges, of one provider: {used:.2f} s of processor")
    drafted = _challenge_of(owner, large)
    assert drafted is not None
    parts["large challenge"] = drafted
    with owner.connect() as connection:
        parts["challenge"] = connection.execute(sa.text(f"{challenge} LIMIT 1")).scalar_one()
    parts["policy draft"] = _sent(author, "/policy-drafts", "/policy-drafts", text=NEXT)
    again = f"/policy-drafts/{parts['policy draft']}/replay"
    parts["replay"] = _sent(author, again, again, kind="initiation", against="2016-01-26.1")
    linked = f"/submissions/runs/{run}/links"
    parts["job"] = _sent(payer, linked, linked) or NOWHERE
    born = dict(zip(("year", "month", "day"), _born(lines[1]), strict=True))
    declared = {f"birth_date-{part}": value for part, value in born.items()}
    words = {name: BREAK_GLASS[name] for name in ("reason", "words")}
    at = "/break-glass"
    known = next(line for line in lines if line.nhs_number and _born(line) == _born(lines[1]))
    parts["break-glass"] = _sent(
        people["demo2-clinician"], at, at, nhs_number=known.nhs_number, **declared, **words
    )
    attach(people["demo1-clinician"], request, PDF)
    parts["attachment"] = links(people["demo1-clinician"], request)[0].rpartition("/")[2]
    asked = {"from-day": "1", "from-month": "6", "from-year": "2026", "drug": "natalizumab"}
    asked |= {"receiver": "DEMQ2", "why": "Invented."}
    with owner.connect() as connection:
        query = "SELECT id FROM hand_over WHERE organisation = 'DEMQ1' LIMIT 1"
        proposed = connection.execute(sa.text(query)).scalar_one_or_none()
    at = "/hand-overs"
    parts["hand-over"] = proposed or _sent(payer, f"{at}/new", at, **asked)
    this_month = MOMENT.day.replace(day=1)
    stands = add_months(this_month, -2)
    assert stands is not None
    new = as_file(lines, this_month)
    dearer = as_file(lines, stands, dearer=1)
    for name, who, at, file in (
        ("upload", payer, "/submissions", new),
        ("upload of a month that stands", payer, "/submissions", dearer),
        ("checked file", people["demo1-pharmacist"], "/supply-check/files", new),
    ):
        started = time.process_time()
        parts[name] = _uploaded(who, at, file)
        used = time.process_time() - started
        print(f"POST {at}, {name}, {len(lines):,} lines: {used:.2f} s of processor", flush=True)
    for person in people.values():
        person.http.close()
    return parts


def _challenge_of(owner: sa.Engine, run: str) -> str | None:
    query = sa.text("SELECT id FROM challenge WHERE run_id = :run AND state = 'drafted' LIMIT 1")
    with owner.connect() as connection:
        return connection.execute(query, {"run": run}).scalar_one_or_none()


def _born(line: Any) -> tuple[str, str, str]:
    year, month, day = line.birth_date.isoformat().split("-")
    return year, month, day


def _sent(person: Person, page: str, action: str, **fields: str) -> str:
    """Send a page's form; the last part of the address that it leads to."""
    once = _ONCE.findall(person.get(page).text)
    reply = person.send(page, action, **({"once": once[-1]} if once else {}), **fields)
    assert reply.status_code == 303, f"{action}: {reply.status_code}"
    return str(reply.headers["location"]).partition("#")[0].rpartition("/")[2]


def _uploaded(person: Person, action: str, data: bytes) -> str:
    shown = person.get(action.removesuffix("/files")).text
    token = re.findall(r'name="csrf" value="([^"]+)"', shown)[-1]
    reply = person.http.post(
        action, data={"csrf": token}, files={"file": ("month.csv", data, "text/csv")}
    )
    assert reply.status_code == 303, f"{action}: {reply.status_code}"
    return str(reply.headers["location"]).rpartition("/")[2]
