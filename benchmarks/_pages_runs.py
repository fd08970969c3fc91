"""A hospital's and a payer's files of the last months with their runs, for the pages' benchmark."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from unittest.mock import patch

import sqlalchemy as sa
from fastapi import FastAPI

from app.auth.model import Caller, Role
from app.db import tables
from app.policy.calendar import add_months
from app.reconciliation import service
from app.reconciliation.scope import Scope, scope_of
from app.reconciliation.waiting_store import narrow
from benchmarks._pages_file import as_file
from benchmarks.search import MOMENT

#: Submissions of the last months.
MONTHS: Final = 6
#: Of the patients with an NHS number one in so many is also supplied by a second hospital.
DOUBLED: Final = 3
#: How many months ago the supplies were that a file states by pseudonyms, and its lines.
PSEUDONYMS_AGO: Final = 12
BY_PSEUDONYM: Final = 10
_KNOWN: Final = """
SELECT r.id, r.submission_id FROM reconciliation_run r JOIN submission s ON s.id = r.submission_id
WHERE r.organisation = :organisation AND s.file_name = :name ORDER BY r.id DESC LIMIT 1
"""


def caller(organisation: str, role: Role) -> Caller:
    """Somebody of an organisation who makes what is shown."""
    return Caller("bench", "bench", "person", organisation, role, "bench", "bench")


def small_runs(
    application: FastAPI,
    owner: sa.Engine,
    lines: list[Any],
    quiet: list[Any],
    others: list[Any],
) -> dict[str, str]:
    """The payer's and the hospital's files of the last months, each with its run; found, or made.

    The oldest has supplies to patients of whom no later one tells; the payer's, but for the newest,
    have supplies of a second hospital too; the newest has supplies to `others`. One more of the
    payer's states pseudonyms.
    """
    ids = [line.id for line in (*lines, *quiet, *others)]
    doubled = [line for line in lines if line.nhs_number][::DOUBLED]

    def within(who: Caller) -> Scope:
        return narrow(scope_of(who), tables.treatment.c.id.in_(ids))

    found: dict[str, str] = {}
    payer = caller("DEMQ1", Role.COMMISSIONER)
    with patch.object(service, "scope_of", within):
        for who in (caller("DEMO1", Role.PHARMACIST), payer):
            for ago in range(MONTHS, 0, -1):
                named = [*lines, *{MONTHS: quiet, 1: others}.get(ago, [])]
                second = doubled if who is payer and ago > 1 else ()
                make = partial(as_file, named, _month(ago), second)
                run = _run(application, owner, who, make, f"{_month(ago):%Y-%m}.csv")
                found[f"run of {who.organisation}"] = run.id
                found[f"submission of {who.organisation}"] = run.submission_id
        key = service.key_of(application.state.desk, payer)
        assert key is not None
        numbered = [line for line in lines if line.nhs_number][:BY_PSEUDONYM]
        make = partial(as_file, numbered, _month(PSEUDONYMS_AGO), key=key)
        run = _run(application, owner, payer, make, "pseudonyms.csv")
        found["run of pseudonyms"] = run.id
    return found


def _month(ago: int) -> dt.date:
    day = add_months(MOMENT.day.replace(day=1), -ago)
    assert day is not None
    return day


def _run(
    application: FastAPI, owner: sa.Engine, who: Caller, make: Callable[[], bytes], name: str
) -> Any:
    with owner.connect() as connection:
        given = {"organisation": who.organisation, "name": name}
        known = connection.execute(sa.text(_KNOWN), given).one_or_none()
    if known is not None:
        return known
    own, desk = application.state.door.acting_for(who.organisation), application.state.desk
    return service.reconcile(own.transact, desk, who, make(), name, read=own.read).run
