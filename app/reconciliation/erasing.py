"""Erasing the free words about a patient's invoiced lines: of challenges, decisions and proposals.

Such a line is found by the approval that it was matched with, and by the number that it states in
the stored file. A challenge is of many lines, so its words go for all of them: nobody can tell whom
they name. What was challenged, decided and owed stays, and so does the file: evidence of payment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, or_, select, update

from app.approvals.erasing import ERASED, KnownAs, erase_answers
from app.audit import Actor, Event, erase_told_of, record
from app.db import tables
from app.db.work import Work
from app.reconciliation import rows_store
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.model import ContractLine
from app.reconciliation.store import find_submission
from app.reconciliation.stored_lines import stored_submission

_CHALLENGE, _LINE = tables.challenge, tables.challenge_line
#: Tables of one line's words: the columns that hold them, and what the log calls such an object.
_BY_LINE: Final[tuple[tuple[Table, tuple[str, ...], str], ...]] = (
    (tables.line_decision, ("reason", "undone_reason"), "line decision"),
    (tables.linkage_proposal, ("reason",), "linkage proposal"),
)
_OF_CHALLENGE: Final = ("evidence", "reason")


@dataclass(frozen=True, slots=True)
class FoundLines:
    """A person's lines, as (run, row), among those that somebody wrote words about.

    `unread`: runs whose stored file is gone or damaged, so that nobody knows.
    """

    lines: frozenset[tuple[str, int]]
    unread: int


@dataclass(frozen=True, slots=True)
class LineWords:
    """How many challenges, decisions and proposals lost their words, and payloads of the log."""

    challenges: int
    others: int
    payloads: int


def find_lines(work: Work, files: FileStore, known: KnownAs) -> FoundLines:
    """The person's lines in the files of runs that have words. Slow: outside a writing transaction.

    A line whose number is mistyped is not found here; `erase_line_words` finds it where it was
    matched with the person's approval.
    """
    found: set[tuple[str, int]] = set()
    unread = 0
    for run_id, submission_id, organisation in _runs_with_words(work):
        record_ = find_submission(work, organisation, submission_id)
        try:
            stored = stored_submission(files, record_, rows_store.rows_of(work, record_))
        except StoredFileDamaged:
            unread += 1
            continue
        found |= {(run_id, line.row) for line in stored.lines if _is_of(line, known)}
    return FoundLines(frozenset(found), unread)


def erase_line_words(
    work: Work, actor: Actor, patient_id: str, known: KnownAs, found: FoundLines
) -> LineWords:
    """Erase the words, what the log holds of them, and the stored answers that repeat them."""
    challenged = _challenges(work, known, found)
    _empty(work, _CHALLENGE, _OF_CHALLENGE, challenged)
    told = {"challenge": challenged}
    for table, columns, kind in _BY_LINE:
        told[kind] = _by_line(work, table, columns, known, found)
        _empty(work, table, columns, told[kind])
    done = LineWords(
        challenges=len(challenged),
        others=sum(map(len, told.values())) - len(challenged),
        payloads=erase_told_of(work, told),
    )
    erase_answers(work, [id_ for ids in told.values() for id_ in ids])
    after = {"challenges": done.challenges, "others": done.others, "unread": found.unread}
    record(work, actor, Event("words about lines erased", "patient", patient_id, after=after))
    return done


def _runs_with_words(work: Work) -> Iterable[tuple[str, str, str]]:
    run = tables.reconciliation_run.c
    worded = [
        select(table.c.run_id).where(_has_words(table, columns))
        for table, columns in ((_CHALLENGE, _OF_CHALLENGE), *(each[:2] for each in _BY_LINE))
    ]
    query = select(run.id, run.submission_id, run.organisation).where(
        or_(*(run.id.in_(each) for each in worded))
    )
    return [tuple(row) for row in work.connection.execute(query.order_by(run.id))]


def _is_of(line: ContractLine, known: KnownAs) -> bool:
    """By NHS number; by hospital number only where the birth date, if stated, agrees."""
    if line.nhs_number is not None and line.nhs_number in known.nhs_numbers:
        return True
    born = line.birth_date is None or line.birth_date in known.birth_dates
    return line.local_patient_id in known.local_ids and born


def _challenges(work: Work, known: KnownAs, found: FoundLines) -> list[str]:
    by_reference = or_(
        _LINE.c.reference.in_(known.references), _LINE.c.reference_told.in_(known.references)
    )
    query = (
        select(_CHALLENGE.c.id, _CHALLENGE.c.run_id, _LINE.c.row, by_reference)
        .join(_LINE, _LINE.c.challenge_id == _CHALLENGE.c.id)
        .where(
            _has_words(_CHALLENGE, _OF_CHALLENGE),
            or_(by_reference, _CHALLENGE.c.run_id.in_({run for run, _ in found.lines})),
        )
    )
    rows = work.connection.execute(query)
    return sorted({id_ for id_, run, row, own in rows if own or (run, row) in found.lines})


def _by_line(
    work: Work, table: Table, columns: tuple[str, ...], known: KnownAs, found: FoundLines
) -> list[str]:
    c = table.c
    own = and_(c.approval_reference.is_not(None), c.approval_reference.in_(known.references))
    query = select(c.id, c.run_id, c.row, own).where(
        _has_words(table, columns),
        or_(own, c.run_id.in_({run for run, _ in found.lines})),
    )
    rows = work.connection.execute(query)
    return sorted({id_ for id_, run, row, mine in rows if mine or (run, row) in found.lines})


def _has_words(table: Table, columns: tuple[str, ...]) -> ColumnElement[bool]:
    return or_(*(and_(table.c[n].is_not(None), table.c[n] != ERASED) for n in columns))


def _empty(work: Work, table: Table, columns: tuple[str, ...], ids: list[str]) -> None:
    for name in columns:
        column = table.c[name]
        values: dict[str, Any] = {name: ERASED}
        work.connection.execute(
            update(table).where(table.c.id.in_(ids), column.is_not(None)).values(values)
        )
