"""Erasing the free words about a patient's invoiced lines: of challenges, decisions and proposals.

Which lines are the patient's, `known_lines` tells; an approval of theirs that a challenge or a
decision names tells it too. A challenge is of many lines, so its words go for all of them: nobody
can tell whom they name. What was challenged, decided and owed stays, and so does the file: evidence
of payment.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, and_, or_, select, update

from app.approvals.erasing import ERASED, KnownAs, erase_answers
from app.approvals.retention import THE_END
from app.audit import Actor, Event, erase_told_of, record
from app.db import tables
from app.db.work import Work
from app.reconciliation import known_lines
from app.reconciliation.files import FileStore
from app.reconciliation.known_lines import FoundLines, RunOf

_CHALLENGE, _LINE = tables.challenge, tables.challenge_line
#: Tables of one line's words: the columns that hold them, and what the log calls such an object.
_BY_LINE: Final[tuple[tuple[Table, tuple[str, ...], str], ...]] = (
    (tables.line_decision, ("reason", "undone_reason"), "line decision"),
    (tables.linkage_proposal, ("reason",), "linkage proposal"),
)
_OF_CHALLENGE: Final = ("evidence", "reason")
#: Values that one statement names.
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class LineWords:
    """How many challenges, decisions and proposals lost their words, and payloads of the log."""

    challenges: int
    others: int
    payloads: int


def find_lines(work: Work, files: FileStore, known: KnownAs) -> FoundLines:
    """The person's lines about which there may be words. Slow: outside a writing transaction."""
    return known_lines.find_lines(work, files, known, _runs_with_words(work))


def erase_line_words(
    work: Work, actor: Actor, patient_id: str, known: KnownAs, found: FoundLines, reason: str
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
        payloads=erase_told_of(work, actor, ("patient", patient_id), told, reason),
    )
    erase_answers(work, [id_ for ids in told.values() for id_ in ids])
    after = {"challenges": done.challenges, "others": done.others, "unread": found.unread}
    record(work, actor, Event("words about lines erased", "patient", patient_id, after=after))
    return done


def erase_words_of_runs(work: Work, actor: Actor, submission: str, runs: Collection[str]) -> int:
    """Erase every word about the lines of a submission's runs; returns of how many objects."""
    told: dict[str, list[str]] = {}
    for table, columns, kind in (*_BY_LINE, (_CHALLENGE, _OF_CHALLENGE, "challenge")):
        told[kind] = []
        for some in _among(table.c.run_id, runs):
            query = select(table.c.id).where(_has_words(table, columns), some)
            told[kind] += work.connection.execute(query).scalars()
        _empty(work, table, columns, told[kind])
    erase_told_of(work, actor, ("submission", submission), told, THE_END)
    erase_answers(work, [id_ for ids in told.values() for id_ in ids])
    return sum(map(len, told.values()))


def _runs_with_words(work: Work) -> Iterable[RunOf]:
    run = tables.reconciliation_run.c
    worded = [
        select(table.c.run_id).where(_has_words(table, columns))
        for table, columns in ((_CHALLENGE, _OF_CHALLENGE), *(each[:2] for each in _BY_LINE))
    ]
    query = select(run.id, run.submission_id, run.organisation).where(
        or_(*(run.id.in_(each) for each in worded))
    )
    return [tuple(row) for row in work.connection.execute(query.order_by(run.id))]


def _challenges(work: Work, known: KnownAs, found: FoundLines) -> list[str]:
    by_reference = or_(
        _LINE.c.reference.in_(known.references), _LINE.c.reference_told.in_(known.references)
    )
    query = (
        select(_CHALLENGE.c.id, _CHALLENGE.c.run_id, _LINE.c.row)
        .add_columns(_LINE.c.commissioner, _LINE.c.line_key, by_reference)
        .join(_LINE, _LINE.c.challenge_id == _CHALLENGE.c.id)
        .where(_has_words(_CHALLENGE, _OF_CHALLENGE))
    )
    return _own(work, query, (_CHALLENGE.c.run_id, _LINE.c.line_key, by_reference), found)


def _by_line(
    work: Work, table: Table, columns: tuple[str, ...], known: KnownAs, found: FoundLines
) -> list[str]:
    c = table.c
    by_reference = and_(
        c.approval_reference.is_not(None), c.approval_reference.in_(known.references)
    )
    query = select(c.id, c.run_id, c.row, c.organisation, c.line_key, by_reference).where(
        _has_words(table, columns)
    )
    return _own(work, query, (c.run_id, c.line_key, by_reference), found)


def _own(
    work: Work, query: Select[Any], by: tuple[Any, Any, ColumnElement[bool]], found: FoundLines
) -> list[str]:
    """The ids of the rows of a query that are about one of the lines, or name an approval.

    A row tells its id, run, row, organisation, key and whether it names an approval.
    """
    run_id, line_key, by_reference = by
    own: set[str] = set()
    runs, keys = {run for run, _ in found.lines}, {key for _, key in found.keys}
    for some in (by_reference, *_among(run_id, runs), *_among(line_key, keys)):
        for id_, run, row, organisation, key, named in work.connection.execute(query.where(some)):
            if named or (run, row) in found.lines or (organisation, key) in found.keys:
                own.add(id_)
    return sorted(own)


def _among(column: Any, values: Collection[str]) -> Iterator[ColumnElement[bool]]:
    every = sorted(values)
    for first in range(0, len(every), _AT_ONCE):
        yield column.in_(every[first : first + _AT_ONCE])


def _has_words(table: Table, columns: tuple[str, ...]) -> ColumnElement[bool]:
    return or_(*(and_(table.c[n].is_not(None), table.c[n] != ERASED) for n in columns))


def _empty(work: Work, table: Table, columns: tuple[str, ...], ids: list[str]) -> None:
    for name in columns:
        column = table.c[name]
        values: dict[str, Any] = {name: ERASED}
        work.connection.execute(
            update(table).where(table.c.id.in_(ids), column.is_not(None)).values(values)
        )
