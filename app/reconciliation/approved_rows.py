"""Treatments with their newest approval as the lists of supplies see them, read lightly.

Who the patient is nobody asks: only which record stands for them.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, select

from app.approvals.lifecycle import ApprovalState
from app.approvals.standing import STANDING
from app.db import tables
from app.db.work import Work
from app.reconciliation.scope import Scope
from app.reconciliation.snapshot_rows import read_pauses
from app.reconciliation.waiting_store import Pause, chunks, holds_on, in_chunks
from app.reconciliation.worklists import Approved


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a treatment whatever the day: `approved` is live on no day by itself."""

    approved: Approved
    holding: bool  # an approval stands, and treatment was not stopped
    covers_to: dt.date | None
    pauses: Sequence[Pause]

    def on(self, day: dt.date) -> Approved:
        """The treatment as the lists of this day see it."""
        over = self.covers_to is not None and self.covers_to < day
        live = self.holding and not over and not holds_on(self.pauses, day)
        return replace(self.approved, live=live)


def read_known(work: Work, scope: Scope, ids: Iterable[str]) -> dict[str, Known]:
    """Those of these treatments with an approval that the scope takes in."""
    found: dict[str, Known] = {}
    for part in in_chunks(scope, sorted(ids)):
        rows: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in work.connection.execute(_query(part)):
            rows[row.treatment_id].append(row)
        pauses = read_pauses(work, part) if rows else {}
        stands = _standing_for(work, {own[0].patient_id for own in rows.values()})
        for treatment_id, own in rows.items():
            found[treatment_id] = _known(own, pauses.get(treatment_id, ()), stands)
    return found


def same_persons(work: Work, ids: Iterable[str]) -> frozenset[str]:
    """These treatments, and the others of the same persons with the same drugs; whoever's they are.

    Also those of records that were ever linked to a person's: a link that was taken back parts
    what was one person's.
    """
    t = tables.treatment.c
    wanted: set[tuple[str, str]] = set()
    found: set[str] = set()
    with work.beyond_scope():
        for chunk in chunks(sorted(ids)):
            own = select(t.patient_id, t.drug).where(t.id.in_(chunk))
            pairs = [tuple(row) for row in work.connection.execute(own)]
            related = ever_linked(work, {patient for patient, _ in pairs})
            for patient, drug in pairs:
                wanted |= {(each, drug) for each in related[patient]}
        for patients in chunks(sorted({patient for patient, _ in wanted})):
            each = select(t.id, t.patient_id, t.drug).where(t.patient_id.in_(patients))
            rows = work.connection.execute(each)
            found |= {id_ for id_, patient, drug in rows if (patient, drug) in wanted}
    return frozenset(found)


def ever_linked(work: Work, patients: Iterable[str]) -> dict[str, frozenset[str]]:
    """Each of these records → the records that were ever linked with it, over another too."""
    link = tables.patient_link.c
    near: dict[str, set[str]] = defaultdict(set)
    asked: set[str] = set()
    ask = set(patients)
    every = frozenset(ask)
    while ask:
        for chunk in chunks(sorted(ask)):
            for column in (link.patient_id, link.linked_to):
                pairs = select(link.patient_id, link.linked_to).where(column.in_(chunk))
                for one, other in work.connection.execute(pairs):
                    near[one].add(other)
                    near[other].add(one)
        asked |= ask
        ask = set(near) - asked
    return {each: _reached(near, each) for each in every}


def _reached(near: dict[str, set[str]], first: str) -> frozenset[str]:
    found, ask = {first}, [first]
    while ask:
        for each in near.get(ask.pop(), ()):
            if each not in found:
                found.add(each)
                ask.append(each)
    return frozenset(found)


def _query(part: Scope) -> Any:
    a, t = tables.approval.c, tables.treatment.c
    return (
        select(
            a.treatment_id,
            a.reference,
            a.state,
            a.covers_from,
            a.covers_to,
            a.start_by,
            t.patient_id,
            t.drug,
            t.provider,
            t.first_dose,
            t.not_started_on,
            t.stopped_on,
        )
        .join(tables.treatment, t.id == a.treatment_id)
        .where(part.treatments, part.approvals)
    )


def _standing_for(work: Work, patients: Iterable[str]) -> dict[str, str]:
    """Record → the one that stands for it, where it is another."""
    c = tables.patient.c
    found: dict[str, str] = {}
    for chunk in chunks(sorted(patients)):
        linked = select(c.id, c.linked_to).where(c.id.in_(chunk), c.linked_to.is_not(None))
        found |= {id_: stands for id_, stands in work.connection.execute(linked)}
    return found


def _known(own: Sequence[Row[Any]], pauses: Sequence[Pause], stands: dict[str, str]) -> Known:
    holding = [row for row in own if ApprovalState(row.state) in STANDING]
    newest = max(holding or own, key=lambda row: (row.covers_from, row.reference))
    return Known(
        Approved(
            treatment_id=newest.treatment_id,
            person=stands.get(newest.patient_id, newest.patient_id),
            reference=newest.reference,
            drug=newest.drug,
            provider=newest.provider,
            start_by=newest.start_by,
            started=newest.first_dose is not None or newest.not_started_on is not None,
            stopped_on=newest.stopped_on,
            live=False,
        ),
        holding=bool(holding) and newest.stopped_on is None,
        covers_to=newest.covers_to,
        pauses=tuple(pauses),
    )
