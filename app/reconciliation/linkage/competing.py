"""The treatments that one line of a run may be compared with, found where they are kept.

A search lays every approval in scope; for one line the database tells which few have enough in
common with it. They may be more than are compared (`comparing.BLOCKS`), and never fewer.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Final

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import aliased

from app.db import tables
from app.db.work import Work
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.errors import StepNotPossible
from app.reconciliation.line_reach import reached_by
from app.reconciliation.linkage.limited import MOST_OF_LINE
from app.reconciliation.linkage.model import Sought
from app.reconciliation.scope import Scope
from app.reconciliation.slices import Fold
from app.reconciliation.waiting_store import chunks

_TREATMENT, _OWN = tables.treatment, tables.patient
#: The parts of an NHS number by which pairs are compared (`comparing.BLOCKS`): from, and how many.
_PARTS: Final = ((1, 6), (5, 6))


def competing(
    work: Work, scope: Scope, item: Prepared, line: Sought, chosen: str, fold: Fold
) -> frozenset[str]:
    """The treatments in scope that have anything by which pairs are compared in common with a line,
    those that its numbers lead to, and the `chosen` one.

    Raises StepNotPossible where they are more than a search compares a line with.
    """
    own = item.provider or ""
    ids = {chosen, *reached_by(work, [item.line], own, fold, whosever=True), *sharing(work, line)}
    seen = select(_TREATMENT.c.id).where(scope.treatments)
    found = {
        id_
        for some in chunks(sorted(ids))
        for id_ in work.connection.execute(seen.where(_TREATMENT.c.id.in_(some))).scalars()
    }
    if len(found) > MOST_OF_LINE:
        raise StepNotPossible(
            "Too many patients have in common what the line states for its proposal to be held "
            "against them. Match the line by hand, by what the trust says of it."
        )
    return frozenset(found)


def sharing(work: Work, line: Sought) -> set[str]:
    """The treatments of the line's drug whose patient shares a detail with it, whoever's they are.

    Beyond scope, since row-level security would ask a function about every patient of the drug;
    which of them are in scope is asked of those that are found.
    """
    other = aliased(_OWN)
    shared = or_(false(), *_details(line, func.coalesce(_OWN.c.nhs_number, other.c.nhs_number)))
    query = (
        select(_TREATMENT.c.id)
        .join_from(_TREATMENT, _OWN, _OWN.c.id == _TREATMENT.c.patient_id)
        .outerjoin(other, other.c.id == _OWN.c.linked_to)
        .where(_TREATMENT.c.drug == line.drug, shared)
    )
    with work.beyond_scope():
        return set(work.connection.execute(query).scalars())


def _details(line: Sought, number: ColumnElement[str]) -> Iterator[ColumnElement[bool]]:
    if line.nhs_number is not None:
        for begin, length in _PARTS:
            stated = line.nhs_number[begin - 1 : begin - 1 + length]
            yield func.substr(number, begin, length) == stated
    day = line.birth_date
    if day is None:
        return
    yield _OWN.c.birth_date == day
    if day.day <= 12:
        yield _OWN.c.birth_date == dt.date(day.year, day.day, day.month)
    if line.gp_practice is not None:
        known = tables.patient_identifier.c
        at_practice = select(known.patient_id).where(known.gp_practice == line.gp_practice)
        first = day.replace(day=1)
        last = (first + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
        yield and_(_OWN.c.birth_date.between(first, last), _OWN.c.id.in_(at_practice))
