"""The events of a patient's payloads are found by an index, not by reading the log."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.db.tables import audit_event, audit_payload
from app.db.work import Work
from tests.conftest import Transact
from tests.integration.audit.rows import note


def test_the_event_of_a_payload_is_found_by_its_index(transact: Transact) -> None:
    transact(note)
    assert "ix_audit_event_payload_id" in transact(_plan)


def _plan(work: Work) -> str:
    """How the database finds the events of what is kept of one patient, as `app/story.py` asks."""
    theirs = sa.select(audit_payload.c.id).where(audit_payload.c.patient_id.in_(["p-1"]))
    query = sa.select(audit_event.c.id).where(audit_event.c.payload_id.in_(theirs))
    dialect = postgresql.dialect() if work.on_postgres else sqlite.dialect()  # type: ignore[no-untyped-call]
    text = query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN" if work.on_postgres else "EXPLAIN QUERY PLAN"
    if work.on_postgres:  # a table of one row is read whole, whatever there is
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
            work.connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    rows = work.connection.exec_driver_sql(f"{explain} {text}").all()
    return "\n".join(str(row) for row in rows)
