"""Whether other providers hold live treatments of many patients at once: asked together.

The same answer, patient for patient, as `patients.known_by`, `objecting.stands` and
`standing.is_live` give one by one, in a few statements for all of them.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, Select, and_, select

from app.approvals.model import PatientRecord, TreatmentRecord
from app.approvals.standing import STANDING
from app.approvals.store import as_record
from app.auth.model import Caller
from app.db import tables
from app.db.work import Work

_PATIENT, _TREATMENT = tables.patient.c, tables.treatment.c
#: What stands on record where somebody was told of one.
TOLD: Final = "told that an approval exists elsewhere"
#: How many values one statement names.
_TOGETHER: Final = 500


def known_people(work: Work, born: Mapping[str, dt.date]) -> dict[str, PatientRecord]:
    """NHS number → the record of it whose birth date fits; numbers of nobody are left out."""
    rows = _among(work, select(tables.patient), _PATIENT.nhs_number, born)
    found = (as_record(PatientRecord, row) for row in rows)
    return {
        one.nhs_number: one
        for one in found
        if one.nhs_number is not None and one.birth_date == born[one.nhs_number]
    }


def live_elsewhere(
    work: Work, caller: Caller, asked: Mapping[str, Collection[str]]
) -> dict[tuple[str, str], TreatmentRecord]:
    """(person, drug) → the first live treatment with it at another provider, by its beginning.

    `asked`: the record that stands for a person → drugs. Of those who object nothing is found. That
    it is live is all that may be told.
    """
    person_of = _records(work, asked)
    objects = {
        person_of[row["patient_id"]]
        for row in _among(
            work,
            select(tables.patient_objection.c.patient_id).where(
                tables.patient_objection.c.withdrawn_at.is_(None)
            ),
            tables.patient_objection.c.patient_id,
            person_of,
        )
    }
    wanted = {id_ for id_, person in person_of.items() if person not in objects}
    others = select(tables.treatment).where(_TREATMENT.provider != caller.organisation)
    rows = _among(work, others, _TREATMENT.patient_id, wanted)
    treatments = [
        (person_of[row["patient_id"]], as_record(TreatmentRecord, row))
        for row in sorted(rows, key=lambda row: (row["created_at"], row["id"]))
        if row["drug"] in asked[person_of[row["patient_id"]]] and row["stopped_on"] is None
    ]
    live = _covered(work, {each.id for _, each in treatments}, work.moment.day)
    found: dict[tuple[str, str], TreatmentRecord] = {}
    for person, treatment in treatments:
        if treatment.id in live:
            found.setdefault((person, treatment.drug), treatment)
    return found


def _records(work: Work, people: Collection[str]) -> dict[str, str]:
    """Each record that stands for one of these persons → the person's own."""
    linked = _among(work, select(_PATIENT.id, _PATIENT.linked_to), _PATIENT.linked_to, people)
    return {**{id_: id_ for id_ in people}, **{row["id"]: row["linked_to"] for row in linked}}


def _covered(work: Work, treatments: Collection[str], on: dt.date) -> frozenset[str]:
    """Those of them of which an approval still covers a day or one after it."""
    segment, approval = tables.segment.c, tables.approval.c
    of = and_(approval.id == segment.approval_id, approval.treatment_id == segment.treatment_id)
    query = (
        select(segment.treatment_id, segment.to_day)
        .join(tables.approval, of)
        .where(
            approval.state.in_(sorted(STANDING)),
            segment.kind == "coverage",
            segment.superseded_at.is_(None),
        )
    )
    ends: dict[str, list[dt.date | None]] = defaultdict(list)
    for row in _among(work, query, segment.treatment_id, treatments):
        ends[row["treatment_id"]].append(row["to_day"])
    return frozenset(
        id_ for id_, days in ends.items() if any(day is None or day >= on for day in days)
    )


def _among(
    work: Work, query: Select[Any], column: ColumnElement[Any], values: Iterable[str]
) -> Iterator[RowMapping]:
    """The rows of a query where a column is one of these, whoever's they are."""
    ordered = sorted(values)
    for at in range(0, len(ordered), _TOGETHER):
        with work.beyond_scope():
            rows = work.connection.execute(query.where(column.in_(ordered[at : at + _TOGETHER])))
            found = rows.mappings().all()
        yield from found
