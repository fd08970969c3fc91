"""Events that tests of the audit log record."""

import sqlalchemy as sa

from app.audit import Actor, Event, record
from app.db.work import Work

PHARMACIST = Actor("a-1", "person", "DEMO1", "pharmacist", "portal", "c-1")


def note(work: Work, object_id: str = "r-1", patient_id: str | None = "p-1") -> None:
    """Record one event of a request, with a payload."""
    event = Event(
        "submit",
        "request",
        object_id,
        treatment_id="t-1",
        request_id=object_id,
        patient_id=patient_id,
        before={"state": "draft"},
        after={"state": "submitted"},
        policy_hash="f" * 64,
    )
    record(work, PHARMACIST, event)


def drop_triggers(engine: sa.Engine) -> None:
    """What only the tables' owner can do: take the guards of the audit log away."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            for table in ("audit_event", "audit_payload", "audit_seal", "audit_epoch"):
                connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            return
        names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for name in connection.exec_driver_sql(names).scalars().all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
