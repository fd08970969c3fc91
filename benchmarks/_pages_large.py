"""A run that is not held in memory, for the pages' benchmark: a payer's file of 300,000 lines.

Its month is one of which no other file tells. Every line names a patient of the payer; the run is
matched against a share of the payer's treatments, as the small runs are against those that their
files name, so most lines come to "no approval": what a page of it reads is the same.
"""

from __future__ import annotations

import csv
import datetime as dt
import time
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import sqlalchemy as sa
from fastapi import FastAPI

from app.auth.model import Caller, Role
from app.db import tables
from app.reconciliation import at_scale, exporting, service
from app.reconciliation.errors import ExportNotWritten
from app.reconciliation.exports import ExportFormat
from app.reconciliation.parse_dates import financial_month_of
from app.reconciliation.scope import Scope, scope_of
from app.reconciliation.waiting_store import narrow
from benchmarks._pages_file import HEADINGS

LINES: Final = 300_000
#: In a run on little: lines over a limit of its own, which stands above every other run's.
FEW: Final = 6_000
FEW_AT_MOST: Final = 5_000
MONTH: Final = dt.date(2026, 2, 1)
#: The treatments with a lower id are those that the run is matched against, of all about 1%.
BELOW: Final = "03"
#: Lines of so many patients.
_PATIENTS: Final = 60_000
#: One line in so many is of a name that nobody knows.
_MISSPELT: Final = 9_973
_PEOPLE: Final = """
SELECT p.nhs_number, p.birth_date, t.provider FROM treatment t
JOIN patient p ON p.id = t.patient_id
WHERE t.commissioner = 'DEMQ1' AND t.drug = 'adalimumab' AND t.first_dose IS NOT NULL
  AND p.nhs_number IS NOT NULL AND t.provider <> 'DEMO1' ORDER BY t.id LIMIT :lines
"""
#: A provider's answer that speaks of many days and numbers.
_ANSWER: Final = "H12345 was supplied on 5/2/2026, as invoice 20260205 of 2026-02-28 tells. " * 25
_KNOWN_ANSWERED: Final = sa.text("SELECT 1 FROM challenge WHERE id = :answered")
_ANSWERED: Final = (
    "INSERT INTO challenge SELECT (jsonb_populate_record(c, jsonb_build_object('id', "
    "CAST(:answered AS text), 'state', 'answered', 'evidence', CAST(:words AS text), "
    "'raised_at', c.drafted_at, 'answered_at', c.drafted_at))).* FROM challenge c WHERE id = :id",
    "INSERT INTO challenge_line SELECT (jsonb_populate_record(l, jsonb_build_object("
    "'challenge_id', CAST(:answered AS text), 'held_key', NULL))).* FROM challenge_line l "
    "WHERE challenge_id = :id",
)
_KNOWN: Final = """
SELECT id, submission_id, lines FROM reconciliation_run
WHERE organisation = 'DEMQ1' AND lines > :most ORDER BY created_at DESC LIMIT 1
"""


def large_run(application: FastAPI, owner: sa.Engine, caller: Caller, folder: Path) -> Any:
    """The payer's run of a large file, with id, submission_id and lines; made where there is none.

    Its export as CSV is written, as the worker does, for the export lies a day.
    """
    door, desk = application.state.door, application.state.desk
    most = desk.matching.most_lines
    known = _known(owner, most)
    if known is None:
        path = folder / f"{MONTH:%Y-%m}-large.csv"
        _write(owner, path, LINES if most > FEW_AT_MOST else FEW)
        started = time.process_time()
        own = door.acting_for(caller.organisation)
        with patch.object(service, "scope_of", _a_share):
            at_scale.reconcile_file(own.transact, desk, caller, path, read=own.read)
        used = time.process_time() - started
        path.unlink()
        known = _known(owner, most)
        assert known is not None
        print(f"a large run, {known.lines:,} lines: {used:.0f} s of processor", flush=True)
    asked = {"desk": desk, "caller": caller, "run_id": known.id}
    own = door.acting_for(caller.organisation)
    try:
        own.read(partial(exporting.written, format=ExportFormat.CSV, **asked))
    except ExportNotWritten:
        content = own.read(partial(exporting.content_of, **asked))
        exporting.write(desk, caller, content, ExportFormat.CSV)
    return known


def answered_like(owner: sa.Engine, challenge: str) -> str:
    """A copy of a challenge that its provider has answered; made where there is none."""
    id_ = challenge[:-1] + ("1" if challenge.endswith("0") else "0")
    with owner.begin() as connection:
        given = {"id": challenge, "answered": id_, "words": _ANSWER}
        if connection.execute(_KNOWN_ANSWERED, given).first() is None:
            for statement in _ANSWERED:
                connection.execute(sa.text(statement), given)
    return id_


def _known(owner: sa.Engine, most: int) -> Any:
    with owner.connect() as connection:
        return connection.execute(sa.text(_KNOWN), {"most": most}).one_or_none()


def _a_share(who: Caller) -> Scope:
    assert who.role is Role.COMMISSIONER
    return narrow(scope_of(who), tables.treatment.c.id < BELOW)


def _write(owner: sa.Engine, path: Path, lines: int) -> None:
    with owner.connect() as connection:
        people = list(connection.execute(sa.text(_PEOPLE), {"lines": _PATIENTS}))
    year, month = financial_month_of(MONTH)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(HEADINGS)
        for n in range(lines):
            person = people[n * 7 % len(people)]
            cost = f"{300 + n % 50}.00"
            day = MONTH + dt.timedelta(days=n // len(people) * 5 % 28)
            writer.writerow(
                (
                    month,
                    year,
                    person.provider,
                    "DEMQ1",
                    person.nhs_number,
                    "",
                    person.birth_date.isoformat(),
                    day.isoformat(),
                    f"HUMIRRAA PENN {n % 11}" if n % _MISSPELT == 0 else "Humira 40mg",
                    1,
                    cost,
                    cost,
                )
            )
