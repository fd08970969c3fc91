"""Showing who a patient is to those who validate invoices: with a reason, on record, counted.

A commissioner works with pseudonyms. Its invoice-validation role, in a controlled environment for
finance, may ask who somebody is. Each time says why, is audited, and appears in a report that the
commissioner and its auditor read.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, func, select, text

from app.approvals import objecting, patients, store
from app.approvals.errors import DetailsNotAccepted
from app.approvals.model import PatientRecord, TreatmentRecord
from app.approvals.permissions import Action, check_can
from app.audit import Reading, record_reading
from app.auth.model import Caller
from app.clock import london_midnight
from app.db import tables
from app.db.work import Work

#: What the audit log calls each way of learning who a patient is.
BY_TREATMENT: Final = "identifiers shown: treatment"
BY_RUN: Final = "identifiers shown: run"
BY_SEARCH: Final = "identifiers used: search"
WAYS: Final = (BY_TREATMENT, BY_RUN, BY_SEARCH)
#: What the report reads, as the index of revision 0060 has it, word for word.
_OF_IDENTITIES: Final = text(tables.IDENTITIES_SHOWN)
#: As many days as one report may tell of: a leap year's.
MOST_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class AccessCount:
    """How often one caller learnt identities in one way."""

    way: str
    by: str
    role: str
    times: int


def reveal(
    work: Work, caller: Caller, treatment_id: str, reason: str
) -> tuple[TreatmentRecord, PatientRecord]:
    """A treatment that the caller's organisation pays for, and its patient. Audited."""
    check_can(caller, Action.SEE_IDENTIFIERS)
    treatment = store.find_treatment(work, caller, treatment_id)
    known = patients.patient(work, treatment.patient_id)
    objecting.check_may_be_identified(work, known)
    reading = Reading(BY_TREATMENT, treatment.id, patient_id=known.id, names={"reason": reason})
    record_reading(work, caller.actor(), reading)
    return treatment, known


def record_run(work: Work, caller: Caller, run_id: str, lines: int, reason: str) -> None:
    """Record that the identified file of a reconciliation run is shown."""
    check_can(caller, Action.SEE_IDENTIFIERS)
    names = {"run": run_id, "reason": reason, "lines": lines}
    record_reading(work, caller.actor(), Reading(BY_RUN, names=names))


def record_search(work: Work, caller: Caller, reason: str | None) -> None:
    """Record that a search uses a patient's identifiers; raises DetailsNotAccepted unexplained."""
    check_can(caller, Action.SEE_IDENTIFIERS)
    if reason is None:
        raise DetailsNotAccepted(
            "reason", "Say why you search by a patient's identifiers: each such search is reported."
        )
    record_reading(work, caller.actor(), Reading(BY_SEARCH, names={"reason": reason}))


def access_counts(
    work: Work, caller: Caller, first: dt.date, last: dt.date
) -> tuple[AccessCount, ...]:
    """How often the caller's organisation learnt identities between two days, both included."""
    check_can(caller, Action.REPORT_IDENTIFIERS)
    if last < first:
        raise DetailsNotAccepted("to", "The last day lies before the first. Exchange the two.")
    if (last - first).days >= MOST_DAYS:
        raise DetailsNotAccepted("to", "Ask for a year at most, then for the next one.")
    rows = work.connection.execute(counts_query(caller.organisation, first, last))
    return tuple(AccessCount(*row) for row in rows)


def counts_query(organisation: str, first: dt.date, last: dt.date) -> Select[Any]:
    """How often each of an organisation's people learnt identities, way by way.

    Its index holds these events alone: a log of any length is read no further than they go.
    """
    event = tables.audit_event.c
    return (
        select(event.action, event.actor, event.role, func.count())
        .where(
            event.organisation == organisation,
            _OF_IDENTITIES,
            event.at >= london_midnight(first),
            event.at < london_midnight(last + dt.timedelta(days=1)),
        )
        .group_by(event.action, event.actor, event.role)
        .order_by(event.action, event.actor, event.role)
    )
