"""What `two_million` leaves out and pages show: files with their runs, challenges, drafts, figures.

Made once for a database, by the service itself, for the largest hospital and the largest payer. A
run is matched against the approvals of the treatments that its file names, not against the whole
scope: what a page shows of it is the same, and matching a million approvals is another benchmark's.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from unittest.mock import patch

import sqlalchemy as sa
from fastapi import FastAPI

from app.auth.model import Caller, Role
from app.db import tables
from app.insight import counting, figures
from app.policy.calendar import add_months
from app.reconciliation import awaited_store, service
from app.reconciliation.parse_dates import financial_month_of
from app.reconciliation.scope import Scope, scope_of
from app.reconciliation.waiting_store import narrow
from benchmarks.search import MOMENT
from tests.functional.approvals.scene import BREAK_GLASS
from tests.functional.web.conftest import Person
from tests.functional.web.test_attachments import PDF, attach, links
from tests.functional.web.test_policy_drafts import NEXT

#: Submissions of the last months, and the lines of each by the size of the database.
MONTHS: Final = 6
TREATMENTS_A_LINE: Final = 2_000
#: One patient in so many more is supplied in the oldest month alone; of those with an NHS number
#: one in so many also by this hospital.
QUIET: Final = 2
DOUBLED: Final = 3
SECOND_HOSPITAL: Final = "B001"
NOWHERE: Final = "7f0c2c59-3c0c-4a57-9d55-1f7d7bb6a0e1"
_ONCE: Final = re.compile(r'name="once" value="([^"]+)"')
#: One line in so many names a patient whom nobody knows, and has no approval.
_UNKNOWN: Final = 10
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


def made(application: FastAPI, owner: sa.Engine, size: int) -> Objects:
    """Find and make what the pages show. Running it again finds what was made."""
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
    lines, quiet = _lines(owner, count)
    parts |= _runs(application, owner, lines, quiet)
    parts |= _by_forms(application, owner, request, lines)
    _by_worker(application)
    instead = {
        "/treatments/{id}": {"id": treatment},
        "/treatments/{id}/timeline": {"id": lines[1].id},  # supplied each month
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
        "/supply-lists/{name}": {"name": "not-started"},
        "/submissions/uploads/{name}": {"name": parts["upload"]},
        "/supply-check/files/{name}": {"name": parts["checked file"]},
        "/supply-check/files/{name}/checked.csv": {"name": parts["checked file"]},
        "panel": {"id": referred.id if referred else request},
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
    kept = sa.select(tables.insight_figure.c.commissioner).where(
        tables.insight_figure.c.commissioner == "DEMQ1"
    )
    if door.read(lambda work: work.connection.execute(kept.limit(1)).first()) is None:
        counted = door.read(lambda work: counting.count(work, desk, "DEMQ1"))
        door.transact(lambda work: figures.keep(work, "DEMQ1", counted))


def caller(organisation: str, role: Role) -> Caller:
    """Somebody of an organisation who makes what is shown."""
    return Caller("bench", "bench", "person", organisation, role, "bench", "bench")


def _lines(owner: sa.Engine, count: int) -> tuple[list[Any], list[Any]]:
    """The patients of every month's file, and those who are supplied in the oldest one alone."""
    with owner.connect() as connection:
        found = list(connection.execute(sa.text(_LINES), {"lines": count + count // QUIET}))
    return found[:count], found[count:]


def as_file(lines: Sequence[Any], day: dt.date, doubled: Sequence[Any] = ()) -> bytes:
    """A month's file: a supply to each of these patients within it, a tenth of them unknown; and
    one more to some of them by a hospital that is not approved for it."""
    year, month = financial_month_of(day)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(
        (
            "FINANCIAL MONTH",
            "FINANCIAL YEAR",
            "ORGANISATION IDENTIFIER (CODE OF PROVIDER)",
            "ORGANISATION IDENTIFIER (CODE OF COMMISSIONER)",
            "NHS NUMBER",
            "LOCAL PATIENT IDENTIFIER (EXTENDED)",
            "PERSON BIRTH DATE",
            "CLINICAL INTERVENTION DATE (DRUG DISPENSED)",
            "DRUG NAME",
            "DRUG QUANTITY OR WEIGHT PROPORTION",
            "UNIT PRICE (COMMISSIONER)",
            "TOTAL COST",
        )
    )
    supplied = [("DEMO1", line) for line in lines]
    supplied += [(SECOND_HOSPITAL, line) for line in doubled]
    for n, (provider, line) in enumerate(supplied):
        known = n % _UNKNOWN != 0 or provider != "DEMO1"
        cost = f"{300 + n % 50}.00"
        writer.writerow(
            (
                month,
                year,
                provider,
                "DEMQ1",
                line.nhs_number or "" if known else "",
                (line.local_id if known else f"X{n}") if provider == "DEMO1" else "",
                line.birth_date.isoformat() if known else "1950-01-01",
                (day + dt.timedelta(days=n % 28)).isoformat(),
                "Humira 40mg" if n % 97 else f"HUMIRRAA PENN {n % 11}",
                1,
                cost,
                cost,
            )
        )
    return out.getvalue().encode()


def _runs(
    application: FastAPI, owner: sa.Engine, lines: list[Any], quiet: list[Any]
) -> dict[str, str]:
    """The payer's and the hospital's files of the last months, each with its run.

    The oldest has supplies to patients of whom no later one tells; the payer's, but for the newest,
    have supplies of a second hospital too.
    """
    door, desk = application.state.door, application.state.desk
    ids = [line.id for line in (*lines, *quiet)]
    doubled = [line for line in lines if line.nhs_number][::DOUBLED]

    def within(who: Caller) -> Scope:
        return narrow(scope_of(who), tables.treatment.c.id.in_(ids))

    found: dict[str, str] = {}
    with patch.object(service, "scope_of", within):
        for who in (caller("DEMO1", Role.PHARMACIST), caller("DEMQ1", Role.COMMISSIONER)):
            own = door.acting_for(who.organisation)
            for ago in range(MONTHS, 0, -1):
                day = add_months(MOMENT.day.replace(day=1), -ago)
                assert day is not None
                named = [*lines, *quiet] if ago == MONTHS else lines
                second = doubled if who.role is Role.COMMISSIONER and ago > 1 else ()
                data = as_file(named, day, second)
                done = service.reconcile(
                    own.transact, desk, who, data, f"{day:%Y-%m}.csv", read=own.read
                )
                found[f"run of {who.organisation}"] = done.run.id
                found[f"submission of {who.organisation}"] = done.run.submission_id
    with owner.connect() as connection:
        stood = "SELECT count(*) FROM reconciliation_run"
        assert connection.execute(sa.text(stood)).scalar_one() >= 2 * MONTHS
    return found


def _by_forms(
    application: FastAPI, owner: sa.Engine, request: str, lines: list[Any]
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
            sa.text("SELECT id FROM reconciliation_run WHERE organisation = 'DEMQ1' LIMIT 1")
        ).scalar_one()
        challenge = "SELECT id FROM challenge WHERE commissioner = 'DEMQ1' AND run_id <> 'none'"
        has = connection.execute(sa.text(f"{challenge} LIMIT 1")).scalar_one_or_none()
    if has is None:
        _sent(payer, f"/submissions/runs/{run}", f"/submissions/runs/{run}/challenges")
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
    file = as_file(lines, MOMENT.day.replace(day=1))
    for name, who, at in (
        ("upload", payer, "/submissions"),
        ("checked file", people["demo1-pharmacist"], "/supply-check/files"),
    ):
        started = time.process_time()
        parts[name] = _uploaded(who, at, file)
        print(
            f"POST {at}, {len(lines):,} lines: {time.process_time() - started:.2f} s of processor"
        )
    for person in people.values():
        person.http.close()
    return parts


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
