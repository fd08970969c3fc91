"""The report of identities shown reads those events alone, however long the log is."""

import datetime as dt

import pytest

from app.approvals.errors import DetailsNotAccepted
from app.approvals.identifiers import (
    MOST_DAYS,
    WAYS,
    access_counts,
    counts_query,
    record_run,
    record_search,
)
from app.auth.model import Role
from app.db import tables
from app.db.work import Work
from tests.conftest import Transact
from tests.integration.audit.rows import note
from tests.world import person

VALIDATION = person(Role.INVOICE_VALIDATION, "DEMQ1")
COMMISSIONER = person(Role.COMMISSIONER, "DEMQ1")


def test_the_index_is_what_the_report_reads(transact: Transact) -> None:
    transact(note)
    plan = transact(_plan)
    assert "ix_audit_event_identities" in plan, plan


def _plan(work: Work) -> str:
    query = counts_query("DEMQ1", work.moment.day, work.moment.day)
    text = query.compile(work.connection, compile_kwargs={"literal_binds": True})
    if work.on_postgres:  # a table of one row is read whole, whatever there is
        for way in ("seqscan", "bitmapscan"):
            work.connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    explain = "EXPLAIN" if work.on_postgres else "EXPLAIN QUERY PLAN"
    return "\n".join(str(row) for row in work.connection.exec_driver_sql(f"{explain} {text}"))


def test_its_words_are_those_of_the_ways() -> None:
    assert f"action IN ({', '.join(repr(way) for way in WAYS)})" == tables.IDENTITIES_SHOWN


def test_the_ways_are_counted_and_nothing_else_of_the_log(transact: Transact) -> None:
    def learn(work: Work) -> None:
        note(work)
        record_search(work, VALIDATION, "Which is it?")
        record_search(work, VALIDATION, "Which is it?")
        record_run(work, VALIDATION, "run-1", 3, "Paying.")

    transact(learn)
    found = transact(
        lambda work: access_counts(work, COMMISSIONER, work.moment.day, work.moment.day)
    )
    assert [(each.way, each.by, each.times) for each in found] == [
        ("identifiers shown: run", VALIDATION.id, 1),
        ("identifiers used: search", VALIDATION.id, 2),
    ]


def test_a_report_tells_of_a_year_at_most(transact: Transact) -> None:
    first = dt.date(2024, 1, 1)
    last = first + dt.timedelta(days=MOST_DAYS - 1)
    assert transact(lambda work: access_counts(work, COMMISSIONER, first, last)) == ()
    beyond = last + dt.timedelta(days=1)
    with pytest.raises(DetailsNotAccepted, match="a year at most"):
        transact(lambda work: access_counts(work, COMMISSIONER, first, beyond))
