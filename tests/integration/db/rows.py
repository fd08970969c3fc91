"""Rows that tests of the database write."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from app.db.tables import patient, patient_identifier
from app.db.work import Work

TEST_NUMBER = "9990000018"  # from the range that is never given to a person


def add_patient(work: Work, nhs_number: str | None = None) -> str:
    """Insert a patient and return the id."""
    id_ = work.new_id()
    work.connection.execute(
        sa.insert(patient).values(
            id=id_,
            nhs_number=nhs_number,
            registered_by="DEMO1",
            birth_date=dt.date(1980, 2, 29),
            sex="female",
            created_at=work.moment.instant,
        )
    )
    return id_


def add_orphan(work: Work) -> None:
    """Insert an identifier of a patient who does not exist: a broken foreign key."""
    work.connection.execute(
        sa.insert(patient_identifier).values(
            id=work.new_id(),
            organisation="DEMO1",
            local_id="L-1",
            patient_id="no such patient",
            recorded_at=work.moment.instant,
        )
    )


def count(work: Work, table: sa.Table) -> int:
    """How many rows a table holds."""
    found: Any = work.connection.scalar(sa.select(sa.func.count()).select_from(table))
    return int(found)
