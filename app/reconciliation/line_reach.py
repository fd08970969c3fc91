"""The treatments that lines could be matched with: found by what the lines state.

The passes of matching look a line's patient and approvals up by NHS number, by the hospital number
of its provider, and by the reference that it quotes. Here the records behind these are found by
index, so that a line is explained, or a few are checked, without reading everything in scope.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_

from app.audit import READING, parse_cursor
from app.db import tables
from app.db.tables.patients import as_compared
from app.db.work import Work
from app.reconciliation.engines.prepare import Prepared
from app.reconciliation.model import ContractLine, LineDecision, MatchedLine
from app.reconciliation.parse import normalise_reference
from app.reconciliation.pseudonym_reach import of_pseudonyms
from app.reconciliation.scope import Scope
from app.reconciliation.slices import Fold
from app.reconciliation.standing_store import standing_of_run
from app.reconciliation.store import RunRecord
from app.reconciliation.waiting_store import chunks
from app.reference_data.pseudonyms import PseudonymKey

#: Of more references than this every legacy one is read, and compared here.
MOST_SOUGHT: Final = 20
_TREATMENT, _APPROVAL, _PATIENT = tables.treatment, tables.approval, tables.patient
_IDENTIFIER: Final = tables.patient_identifier.c


def within_reach(
    work: Work,
    scope: Scope,
    item: Prepared,
    came_to: MatchedLine,
    decision: LineDecision | None,
    key: PseudonymKey | None = None,
    *,
    at_once: bool = False,
) -> frozenset[str]:
    """The treatments in scope that this line's numbers and reference lead to, the one that it came
    to in the run, and the one that a decision by hand names.

    `key`: of whoever matches, where the line states pseudonyms; `at_once`: see `of_pseudonyms`.
    """
    providers = [] if item.provider is None else [item.provider]
    named = decision.approval_reference if decision is not None else None
    references = [] if named is None else [named]
    ids = _reached(work, [came_to.line], providers, key, references, whosever=True, at_once=at_once)
    if came_to.treatment_id is not None:
        ids.add(came_to.treatment_id)
    seen = select(_TREATMENT.c.id).where(scope.treatments)
    return frozenset(_ids_among(work, seen, _TREATMENT.c.id, ids))


def reached_by(
    work: Work,
    lines: Sequence[ContractLine],
    provider: str,
    fold: Fold,
    key: PseudonymKey | None = None,
    references: Collection[str] = (),
    *,
    whosever: bool = False,
) -> frozenset[str]:
    """The treatments that lines lead to by a number or reference, whoever's they are, and those of
    these references.

    Nothing that matching could find for one of the lines is left out, for a check says what a run
    will. Legacy references count where the lines' providers hold or held the treatment, or with
    `whosever` any provider. `key` is for lines that state pseudonyms.
    """
    folded = {
        fold(line.provider, line.supply_date or dt.date.max) for line in lines if line.provider
    }
    providers = sorted({provider, *folded})
    return frozenset(_reached(work, lines, providers, key, references, whosever=whosever))


def _reached(
    work: Work,
    lines: Sequence[ContractLine],
    providers: Sequence[str],
    key: PseudonymKey | None,
    references: Collection[str],
    *,
    whosever: bool,
    at_once: bool = False,
) -> set[str]:
    local = {line.local_patient_id for line in lines if line.local_patient_id}
    quoted = {line.reference for line in lines if line.reference}
    with work.beyond_scope():
        found = _numbered(work, {line.nhs_number for line in lines if line.nhs_number})
        found |= _held_among(work, providers, local)
        if key is not None:
            found |= of_pseudonyms(work, lines, providers, key, at_once=at_once)
        people = _linked(work, found)
        ids = _ids_among(work, select(_TREATMENT.c.id), _TREATMENT.c.patient_id, people)
        ids |= _quoted(work, quoted, None if whosever else providers)
        c = _APPROVAL.c
        return ids | _ids_among(work, select(c.treatment_id), c.reference, references)


def _numbered(work: Work, numbers: Collection[str]) -> set[str]:
    c = _PATIENT.c
    return _ids_among(work, select(c.id), c.nhs_number, numbers)


def _held_among(work: Work, providers: Sequence[str], numbers: Collection[str]) -> set[str]:
    """The patients of these providers' hospital numbers, as lines state them: in capitals, without
    spaces. Those that are held so are found by index; few are held otherwise, in an index of
    their own (ix_patient_identifier_otherwise)."""
    c = _IDENTIFIER
    query = select(c.patient_id).where(c.organisation.in_(providers))
    compared = as_compared(c.local_id)
    otherwise = query.where(compared != c.local_id)
    return _ids_among(work, query, c.local_id, numbers) | _ids_among(
        work, otherwise, compared, numbers
    )


def _linked(work: Work, people: Collection[str]) -> set[str]:
    """These records with all that stand for the same persons."""
    c = _PATIENT.c
    stands = _ids_among(work, select(c.linked_to).where(c.linked_to.is_not(None)), c.id, people)
    every = {*people, *stands}
    return every | _ids_among(work, select(c.id), c.linked_to, every)


def _quoted(work: Work, references: Collection[str], providers: Sequence[str] | None) -> set[str]:
    """The treatments of these references; of legacy ones, those that the providers hold or held,
    or without them anybody's."""
    c, t = _APPROVAL.c, _TREATMENT.c
    rows = {
        (reference, id_)
        for some in chunks(sorted(references))
        for reference, id_ in work.connection.execute(
            select(c.reference, c.treatment_id).where(c.reference.in_(some))
        )
    }
    found = {id_ for _, id_ in rows}
    sought = set(references) - {reference for reference, _ in rows}
    if not sought:
        return found
    legacy = select(c.treatment_id, c.legacy_reference).where(
        c.legacy_reference.is_not(None), *_spelled(sought)
    )
    asked = [legacy]
    if providers is not None:
        held = legacy.join(_TREATMENT, t.id == c.treatment_id).where(t.provider.in_(providers))
        asked = [legacy.where(c.provider.in_(providers)), held]
    stated = {tuple(row) for each in asked for row in work.connection.execute(each)}
    return found | {id_ for id_, text in stated if normalise_reference(text) in sought}


def _spelled(sought: Collection[str]) -> Iterator[ColumnElement[bool]]:
    """Condition: a legacy reference has the letters and digits of one of a few in their order."""
    if len(sought) <= MOST_SOUGHT:
        stated = func.upper(_APPROVAL.c.legacy_reference)
        yield or_(*(stated.like("%".join(("", *each, ""))) for each in sorted(sought)))


def _ids_among(
    work: Work, query: Select[Any], column: ColumnElement[Any], values: Collection[str]
) -> set[str]:
    """The ids of a query of one column, where another is one of these values."""
    return {
        id_ for some in chunks(sorted(values)) for id_ in _ids(work, query.where(column.in_(some)))
    }


def changed_since(work: Work, run: RunRecord, treatments: Iterable[str], line_key: str) -> bool:
    """Whether anything came after what the run saw: of these treatments or of their patients, or a
    decision by hand on the line. Whatever no longer stands, or came before standing was kept, has
    changed."""
    stood = standing_of_run(work, run.organisation, run.id)
    if stood is None:
        return True
    position = parse_cursor(stood.position)
    ids = sorted(treatments)
    e, decided = tables.audit_event.c, tables.line_decision.c
    # The position may lie a little before what the run saw, where others were writing just then.
    saved = select(func.coalesce(func.max(e.id), 0)).where(
        e.object_type == "reconciliation run",
        e.object_id == run.id,
        e.action == "submission reconciled",
    )
    patients = select(_TREATMENT.c.patient_id).where(_TREATMENT.c.id.in_(ids))
    on_line = decided.organisation == run.organisation, decided.line_key == line_key
    by_hand = sorted(_ids(work, select(decided.id).where(*on_line)))
    with work.beyond_scope():  # only whether there was one
        whose = _ids(work, patients)
        acts = (
            and_(e.treatment_id.in_(ids), e.object_type != READING),
            and_(e.object_type == "patient", e.object_id.in_(sorted(whose))),
            and_(e.object_type == "line decision", e.object_id.in_(by_hand)),
        )
        return any(came_after(work, each, position, stood.looked_at, saved) for each in acts)


def came_after(
    work: Work,
    which: ColumnElement[bool],
    position: tuple[int, int, int],
    looked_at: dt.datetime,
    saved: Select[Any],
) -> bool:
    """Whether one of these few events came after a position and after what a run saw."""
    e = tables.audit_event.c
    # Read by whose they are before they are compared: else PostgreSQL, who guesses how many events
    # follow the position from figures of before them, may look through all of those instead.
    few = select(e.id, e.epoch, e.xid, e.at).where(which).cte("few").prefix_with("MATERIALIZED")
    after = and_(
        tuple_(few.c.epoch, few.c.xid, few.c.id) > tuple_(*position),
        or_(few.c.at > looked_at, few.c.id > saved.scalar_subquery()),
    )
    return work.connection.execute(select(few.c.id).where(after).limit(1)).first() is not None


def _ids(work: Work, query: Select[Any]) -> set[str]:
    return set(work.connection.execute(query).scalars())
