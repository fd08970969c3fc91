"""The end of retention of invoiced lines: a submission's files are erased, what it came to stays.

A file goes whole, once all of it is past: received, reconciled, corrected and decided by hand
before the period, no challenge of its lines waits or was decided or credited within it, and no
approval that its lines were matched with still limits a quantity, for which its supplies count.
Erased are the bytes as they came, the kept rows, the outcomes of every run, and what people wrote
about its lines; totals, challenges, deltas and approvals stay, and it cannot be matched again.

So a person is forgotten only when no file that is kept names them: see `still_named`.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select, update

from app.approvals.erasing import KnownAs
from app.approvals.lifecycle import ApprovalState
from app.approvals.retention import died_before, years_before
from app.audit import Actor, Event, record
from app.clock import london_midnight
from app.db import tables
from app.db.work import Work
from app.reconciliation import rows_store, standing_store
from app.reconciliation.erasing import erase_words_of_runs
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.service import Desk
from app.reconciliation.store import find_submission
from app.reconciliation.stored_lines import OUTCOMES, ROWS, SUBMISSIONS, stored_submission

_S = tables.submission.c
_STANDS: Final = tuple(state.value for state in (ApprovalState.LIVE, ApprovalState.UNDER_QUERY))
#: Which columns of kept rows name a patient.
_NAMES: Final = ("nhs_number", "local_patient_id", "nhs_pseudonym", "local_pseudonym")
_UNREAD: Final = (StoredFileDamaged, OSError, KeyError, ValueError, pa.ArrowException)


@dataclass(frozen=True, slots=True)
class Ending:
    """A submission whose files are past: its organisation and id."""

    organisation: str
    submission: str


@dataclass(frozen=True, slots=True)
class Named:
    """Whom kept files still name, by what they were asked for; `unread`: files nobody can read."""

    people: frozenset[str]
    unread: int


# --- which files are past -------------------------------------------------------------------------


def due_submissions(work: Work, files: FileStore, years: int) -> tuple[Ending, ...]:
    """Whose files are past on the work's day. Reads outcomes, so outside a writing transaction."""
    last = years_before(work.moment.day, years)
    query = select(_S.organisation, _S.id).where(*_past(london_midnight(last)))
    found = (Ending(*row) for row in work.connection.execute(query.order_by(_S.received_at, _S.id)))
    return tuple(each for each in found if not _counts_on(work, files, each, last))


def _past(instant: dt.datetime) -> Iterator[ColumnElement[bool]]:
    run, version = tables.reconciliation_run, tables.slice_version
    own_runs = select(run.c.id).where(run.c.submission_id == _S.id).correlate(tables.submission)
    challenge, hand = tables.challenge.c, tables.line_decision.c
    proposal = tables.linkage_proposal.c
    correction, corrected = version.alias(), version.alias()
    yield _S.ended_at.is_(None)
    yield _S.received_at < instant
    for later in (
        select(run.c.id).where(run.c.submission_id == _S.id, run.c.created_at >= instant),
        select(challenge.id).where(
            challenge.run_id.in_(own_runs),
            or_(
                challenge.decided_at.is_(None),
                func.coalesce(challenge.credited_at, challenge.decided_at) >= instant,
            ),
        ),
        select(hand.id).where(
            hand.run_id.in_(own_runs), func.coalesce(hand.undone_at, hand.made_at) >= instant
        ),
        select(proposal.id).where(proposal.run_id.in_(own_runs), proposal.decided_at >= instant),
        select(correction.c.id)
        .join(corrected, corrected.c.id == correction.c.cites)
        .where(corrected.c.submission_id == _S.id, correction.c.accepted_at >= instant),
    ):
        yield not_(exists(later.correlate(tables.submission)))


def _counts_on(work: Work, files: FileStore, ending: Ending, last: dt.date) -> bool:
    """Whether its supplies count for the quantity of an approval that still covers."""
    references: set[str] = set()
    for _, digest in _outcomes(work, ending):
        try:
            path = files.path_of(ending.organisation, OUTCOMES, digest)
            column = pq.read_table(path, columns=["reference"]).column(0)
        except _UNREAD:
            continue  # what is gone counts for nothing
        references |= set(pc.unique(column).to_pylist()) - {None}
    a, s = tables.approval.c, tables.segment.c
    for some in _chunks(references):
        query = select(a.terms, s.quantity_cap).where(
            a.reference.in_(some),
            a.state.in_(_STANDS),
            s.approval_id == a.id,
            s.superseded_at.is_(None),
            or_(
                s.to_day >= last,
                and_(s.to_day.is_(None), not_(died_before(last, s.treatment_id))),
            ),
        )
        for terms, cap in work.connection.execute(query):
            if cap is not None or terms.get("quantity_cap") is not None:
                return True
    return False


def _outcomes(work: Work, ending: Ending) -> tuple[tuple[str, str], ...]:
    """Run and file of outcomes, of every run of a submission."""
    c = tables.reconciliation_run.c
    own = and_(c.organisation == ending.organisation, c.submission_id == ending.submission)
    rows = work.connection.execute(select(c.id, c.outcomes_file).where(own).order_by(c.id))
    return tuple((run, digest) for run, digest in rows)


# --- ending them ----------------------------------------------------------------------------------


def end_submission(work: Work, actor: Actor, ending: Ending, years: int) -> bool:
    """Record that its files are no longer kept, and erase the words about its lines.

    From then on nobody reads them; `erase_files` takes them away once this is committed. False
    where another worker has done it meanwhile.
    """
    own = and_(_S.organisation == ending.organisation, _S.id == ending.submission)
    ended = work.connection.execute(
        update(tables.submission)
        .where(own, _S.ended_at.is_(None))
        .values(ended_at=work.moment.instant)
    )
    if not ended.rowcount:
        return False
    runs = tuple(run for run, _ in _outcomes(work, ending))
    words = erase_words_of_runs(work, actor, ending.submission, runs)
    v = tables.slice_version.c
    versions = work.connection.execute(select(v.id).where(v.submission_id == ending.submission))
    standing_store.replace_touches(work, ending.organisation, {}, list(versions.scalars()))
    after = {"kept_years": years, "runs": len(runs), "words": words}
    event = Event("submission ended", "submission", ending.submission, after=after)
    record(work, actor, event)
    return True


def ended_files(work: Work) -> tuple[tuple[str, str, str], ...]:
    """Organisation, kind and name of each file that is no longer kept, whether or not it is there.

    Outcomes that a run of another, kept submission came to as well are not among them.
    """
    run, rows = tables.reconciliation_run, tables.submission_rows
    ended = _S.ended_at.is_not(None)
    bytes_ = select(_S.organisation, _S.sha256).where(ended)
    kept = select(rows.c.organisation, rows.c.sha256).join(
        tables.submission, _S.id == rows.c.submission_id
    )
    came_to = select(run.c.organisation, run.c.outcomes_file).join(
        tables.submission, _S.id == run.c.submission_id
    )
    read = work.connection.execute
    still = set(read(came_to.where(_S.ended_at.is_(None))))
    found = [(SUBMISSIONS, each) for each in read(bytes_)]
    found += [(ROWS, each) for each in read(kept.where(ended))]
    found += [(OUTCOMES, each) for each in read(came_to.where(ended)) if each not in still]
    return tuple((organisation, kind, name) for kind, (organisation, name) in found)


def erase_files(files: FileStore, ended: Iterable[tuple[str, str, str]]) -> int:
    """Take them away; those that are gone already stay so. Returns how many were there."""
    return sum(files.end(*each) for each in ended)


# --- whom files still name ------------------------------------------------------------------------


def still_named(work: Work, desk: Desk, people: Mapping[str, KnownAs]) -> Named:
    """Those of some people whom a kept file names or matched to a treatment of theirs.

    Where a kept file cannot be read nobody knows, and all of them count as named. Slow, since it
    reads every kept file: outside a writing transaction, and only while somebody is due.
    """
    if not people:
        return Named(frozenset(), 0)
    by_treatment = {each: who for who, known in people.items() for each in known.treatments}
    named: set[str] = set()
    unread = 0
    kept = select(_S.organisation, _S.id).where(_S.ended_at.is_(None)).order_by(_S.id)
    for each in [Ending(*row) for row in work.connection.execute(kept)]:
        try:
            wanted = _wanted(desk, each.organisation, people)
            named |= {wanted[said] for said in _said(work, desk.files, each) if said in wanted}
            for _, digest in _outcomes(work, each):
                path = desk.files.path_of(each.organisation, OUTCOMES, digest)
                column = pq.read_table(path, columns=["treatment_id"]).column(0)
                told = pc.unique(column).to_pylist()
                named |= {by_treatment[said] for said in told if said in by_treatment}
        except _UNREAD:
            unread += 1
    return Named(frozenset(people) if unread else frozenset(named), unread)


def _wanted(desk: Desk, organisation: str, people: Mapping[str, KnownAs]) -> dict[str, str]:
    """Everything that a line of an organisation's file may name one of the people by → who."""
    key = desk.office.pseudonyms.key_of(organisation)
    found: dict[str, str] = {}
    for who, known in people.items():
        names = {*known.nhs_numbers, *known.local_ids}
        if key is not None:
            names |= {key.of_nhs_number(number) for number in known.nhs_numbers}
            names |= {key.of_local_id(local) for local in known.local_ids}
        found |= dict.fromkeys(names, who)
    return found


def _said(work: Work, files: FileStore, each: Ending) -> Collection[str]:
    """All that the lines of a submission name patients by."""
    record_ = find_submission(work, each.organisation, each.submission)
    digest = rows_store.rows_of(work, record_)
    if digest is not None:
        try:
            table = pq.read_table(files.path_of(each.organisation, ROWS, digest), columns=_NAMES)
            return {x for name in _NAMES for x in pc.unique(table.column(name)).to_pylist() if x}
        except _UNREAD:
            pass  # the bytes are read anew
    lines = stored_submission(files, record_, None).lines
    said: set[Any] = {getattr(line, name) for line in lines for name in _NAMES}
    return said - {None}


def _chunks(values: Iterable[str], size: int = 500) -> Iterator[list[str]]:
    every = sorted(values)
    for first in range(0, len(every), size):
        yield every[first : first + size]
