"""Every event of the log that tells of one patient, with what showed the patient among others.

Searches, worklists, runs, files, checks, challenges and drafts show many patients at once: their
readings carry ids in the payload. So the payloads of all readings are looked through, once, for the
ids of the person's records, treatments and what hangs on them; a run by whether a line of it is the
person's, as an erasure finds those (`known_lines`). A reading is told where what it read holds the
patient, even if the page that was open then showed other lines of it. What cannot be told apart any
more is counted, with the reason.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import and_, or_, select

from app.approvals import identifiers
from app.approvals.erasing import KnownAs, drafts_of, imports_of, known_as
from app.audit import READING
from app.audit.export import Told, of_events
from app.authoring.replay import jobs as replay
from app.db import tables
from app.db.tables import audit_event, audit_payload
from app.db.work import Work
from app.reconciliation import checking_supplies, rows_store
from app.reconciliation.errors import RunNotFound, StoredFileDamaged, StoredFileEnded
from app.reconciliation.files import FileStore
from app.reconciliation.known_lines import Key, decided, is_of
from app.reconciliation.line_keys import keys_of
from app.reconciliation.store import find_submission
from app.reconciliation.stored_lines import OUTCOMES, stored_submission

#: The names under which readings tell which form or job they read.
_FORMS: Final = ("import", "draft", "job")
#: Readings of several patients that once did not say of whom: the names under which they do now.
_SAYS: Final = {
    "worklist read": "treatments",
    checking_supplies.CHECKED: "treatments",
    "deltas read": "runs",
    "deltas exported": "runs",
}
_ASKED_ONLY: Final = ("checked without submitting", "known answers read")
NOT_SAID: Final = "the release of then did not say whom it showed"
ERASED: Final = "what it read was erased"
NOT_KEPT: Final = "the file or form that it read is no longer kept"
NO_RECORD: Final = "it was about somebody whom no record then named to the caller"
_AT_ONCE: Final = 500
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Story:
    """The events, oldest first, and (action, why) → how many readings nobody can place."""

    told: tuple[Told, ...]
    untraced: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class _Marks:
    """The ids by which a payload names the person, whatever stands in it beside them."""

    own: frozenset[str]
    #: Forms and jobs of which it is known whether they are the person's.
    known: frozenset[str]


@dataclass(slots=True)
class _Looked:
    """What one look through the readings found, to be settled after it."""

    found: set[int] = field(default_factory=set)
    #: The calls that told of the person, by correlation id and actor.
    calls: set[tuple[str, str]] = field(default_factory=set)
    #: Readings by run and row (None: any), challenge, check, and call.
    by_run: dict[tuple[str, int | None], list[tuple[int, str]]] = field(default_factory=dict)
    by_challenge: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    by_check: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    by_call: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    #: Checks that said whom they were of, and those of the person.
    checks: set[str] = field(default_factory=set)
    own_checks: set[str] = field(default_factory=set)
    untraced: Counter[tuple[str, str]] = field(default_factory=Counter)


def story_of(work: Work, files: FileStore, patient_id: str) -> Story:
    """The story of the person whom a record stands for, by the record's own id. For an operator.

    Slow, since it reads the log's readings and files of runs: outside a writing transaction.
    """
    known = known_as(work, patient_id)
    marks = _marks(work, known)
    looked = _look(work, marks)
    lines = _Lines(work, files, known)
    _settle(work, known, lines, looked)
    events = {*_events_of(work, known, lines), *looked.found}
    return Story(of_events(work, events), dict(sorted(looked.untraced.items())))


#: What no reading tells, whoever asks: nobody kept whom it named.
UNKNOWN: Final = (
    "Not in it: what showed a line that names the patient and stood in no run, such as a line of a "
    "draft file or a preview that no approval was found for; and what was written or read of the "
    "patient before a record named them."
)


def as_lines(story: Story) -> Iterator[str]:
    """What the story does not hold, for a person to read."""
    for (action, why), count in story.untraced.items():
        yield f"{count} of “{action}” may have shown the patient: {why}."
    yield UNKNOWN


def _marks(work: Work, known: KnownAs) -> _Marks:
    drafts, imports = drafts_of(work, known), imports_of(work, known)
    job = tables.job.c
    replays = work.connection.execute(
        select(job.id, job.result).where(job.kind == replay.JOB, job.result.is_not(None))
    ).all()
    own = set(known.requests)
    jobs = {id_ for id_, result in replays if own & set(_texts(result))}
    kept = (tables.draft.c.id, tables.approval_import.c.id, job.id)
    still = {id_ for column in kept for id_ in work.connection.scalars(select(column))}
    return _Marks(
        frozenset(
            {*known.records, *known.ids, *known.references, *drafts.theirs, *imports.theirs, *jobs}
        ),
        frozenset(still - drafts.emptied - imports.emptied),
    )


# --- the readings ---------------------------------------------------------------------------------


def _look(work: Work, marks: _Marks) -> _Looked:
    looked = _Looked()
    e, p = audit_event.c, audit_payload.c
    query = (
        select(e.id, e.action, e.actor, e.correlation_id, e.treatment_id, p.patient_id)
        .add_columns(p.body, p.erased_at, e.payload_id)
        .outerjoin_from(audit_event, audit_payload, p.id == e.payload_id)
        .where(e.object_type == READING)
        .execution_options(yield_per=_PAGE)
    )
    for row in work.connection.execute(query):
        _look_at(looked, marks, row)
    return looked


def _look_at(looked: _Looked, marks: _Marks, row: Any) -> None:
    call = (row.correlation_id, row.actor)
    if row.treatment_id in marks.own or row.patient_id in marks.own:
        looked.found.add(row.id)
        looked.calls.add(call)
        return
    alone = row.treatment_id is None and row.patient_id is None
    if row.erased_at is not None:
        if alone:
            looked.untraced[row.action, ERASED] += 1
        return
    names: Mapping[str, Any] = {} if row.body is None else json.loads(row.body)["after"] or {}
    if row.action == checking_supplies.CHECKED and "check" in names and "treatments" in names:
        looked.checks.add(names["check"])
    if marks.own.intersection(_texts(names)):
        looked.found.add(row.id)
        looked.calls.add(call)
        if "check" in names:
            looked.own_checks.add(names["check"])
        return
    if alone:
        _put_by(looked, marks, row, names, call)


def _put_by(
    looked: _Looked, marks: _Marks, row: Any, names: Mapping[str, Any], call: tuple[str, str]
) -> None:
    """A reading that names nobody itself, by what it says that it read."""
    one = (row.id, row.action)
    if row.action == identifiers.BY_SEARCH:
        looked.by_call.setdefault(call, []).append(row.id)
    elif "run" in names:
        looked.by_run.setdefault((names["run"], names.get("row")), []).append(one)
    elif "runs" in names:
        for run in names["runs"]:
            looked.by_run.setdefault((run, None), []).append(one)
    elif "challenge" in names:
        looked.by_challenge.setdefault(names["challenge"], []).append(one)
    elif row.action == "checked file read":
        looked.by_check.setdefault(names["check"], []).append(one)
    elif row.action in _SAYS and _SAYS[row.action] not in names:
        looked.untraced[row.action, NOT_SAID] += 1
    elif row.action in _ASKED_ONLY:
        looked.untraced[row.action, NO_RECORD] += 1
    elif any(name in names and names[name] not in marks.known for name in _FORMS):
        looked.untraced[row.action, NOT_KEPT] += 1


def _settle(work: Work, known: KnownAs, lines: "_Lines", looked: _Looked) -> None:
    """Decide what only other things tell: runs, challenges, checks and calls."""
    for (run, row), several in looked.by_run.items():
        rows = lines.rows(run)
        if rows is None:
            looked.untraced.update((action, NOT_KEPT) for _, action in several)
        elif row in rows or (row is None and rows):
            looked.found.update(id_ for id_, _ in several)
    for challenge, theirs in _challenges(work, known, lines, looked.by_challenge).items():
        several = looked.by_challenge[challenge]
        if theirs:
            looked.found.update(id_ for id_, _ in several)
        elif theirs is None:
            looked.untraced.update((action, NOT_KEPT) for _, action in several)
    for check, several in looked.by_check.items():
        if check in looked.own_checks:
            looked.found.update(id_ for id_, _ in several)
        elif check not in looked.checks:
            looked.untraced.update((action, NOT_SAID) for _, action in several)
    for call, events in looked.by_call.items():
        if call in looked.calls:
            looked.found.update(events)


def _challenges(
    work: Work, known: KnownAs, lines: "_Lines", ids: Collection[str]
) -> dict[str, bool | None]:
    """Whether each challenge has a line of the person's; None where its file is gone."""
    challenge, line = tables.challenge.c, tables.challenge_line.c
    found: dict[str, bool | None] = {}
    for some in _some(ids):
        query = (
            select(challenge.id, challenge.run_id, line.row, line.reference, line.reference_told)
            .join_from(tables.challenge, tables.challenge_line, line.challenge_id == challenge.id)
            .where(challenge.id.in_(some))
        )
        for id_, run, row, *named in work.connection.execute(query):
            rows = lines.rows(run)
            theirs = bool(set(named) & set(known.references)) or (rows is not None and row in rows)
            unknown = None if rows is None else False
            found[id_] = True if theirs or found.get(id_) else unknown
    return found


# --- a run's lines --------------------------------------------------------------------------------


class _Lines:
    """Which rows of a run are the person's; each run's files are read once."""

    def __init__(self, work: Work, files: FileStore, known: KnownAs) -> None:
        self._work, self._files, self._known = work, files, known
        self._by_hand: frozenset[Key] = decided(work, known.references)
        self._rows: dict[str, frozenset[int] | None] = {}

    def rows(self, run_id: str) -> frozenset[int] | None:
        """None where the files are gone or damaged, so that nobody knows."""
        if run_id not in self._rows:
            try:
                self._rows[run_id] = frozenset(self._of(run_id))
            except (RunNotFound, StoredFileDamaged, OSError, KeyError, pa.ArrowException):
                self._rows[run_id] = None
        return self._rows[run_id]

    def known_rows(self) -> Mapping[str, frozenset[int]]:
        """Of each run that was asked about and can be read."""
        return {run: rows for run, rows in self._rows.items() if rows is not None}

    def _of(self, run_id: str) -> Iterator[int]:
        run = tables.reconciliation_run.c
        query = select(run.organisation, run.submission_id, run.outcomes_file)
        row = self._work.connection.execute(query.where(run.id == run_id)).one_or_none()
        if row is None:
            raise RunNotFound("run")
        record = find_submission(self._work, row.organisation, row.submission_id)
        if record.ended_at is not None:
            raise StoredFileEnded
        kept = rows_store.rows_of(self._work, record)
        lines = stored_submission(self._files, record, kept).lines
        for line, key in zip(lines, keys_of(lines), strict=True):
            if is_of(line, self._known) or (row.organisation, key) in self._by_hand:
                yield line.row
        path = self._files.path_of(row.organisation, OUTCOMES, row.outcomes_file)
        told = pq.read_table(path, columns=["row", "treatment_id"])
        rows, treatments = (told.column(name).to_pylist() for name in told.column_names)
        own = set(self._known.treatments)
        yield from (at for at, each in zip(rows, treatments, strict=True) if each in own)


# --- what was done --------------------------------------------------------------------------------


def _events_of(work: Work, known: KnownAs, lines: _Lines) -> Iterator[int]:
    """The events on the person's records, treatments and requests, and on what is about them."""
    e, p = audit_event.c, audit_payload.c
    drafts, imports = drafts_of(work, known), imports_of(work, known)
    objects: dict[str, Collection[str]] = {
        "patient": known.records,
        "treatment": known.treatments,
        "request": known.requests,
        "draft": drafts.theirs,
        "approval_import": imports.theirs,
        **_about_lines(work, known, lines),
    }
    for kind, ids in objects.items():
        for some in _some(ids):
            tells = [and_(e.object_type == kind, e.object_id.in_(some))]
            on_them = {"treatment": e.treatment_id, "request": e.request_id}.get(kind)
            if on_them is not None:
                tells.append(on_them.in_(some))
            yield from work.connection.scalars(select(e.id).where(or_(*tells)))
    payloads = select(p.id).where(p.patient_id.in_(known.records))
    yield from work.connection.scalars(select(e.id).where(e.payload_id.in_(payloads)))


def _about_lines(work: Work, known: KnownAs, lines: _Lines) -> dict[str, Collection[str]]:
    """Challenges, decisions by hand and proposals of the person's lines, by reference or run."""
    line = tables.challenge_line.c
    named = or_(line.reference.in_(known.references), line.reference_told.in_(known.references))
    query = select(line.challenge_id).where(named).distinct()
    found: dict[str, Collection[str]] = {"challenge": set(work.connection.scalars(query))}
    runs = {run: rows for run, rows in lines.known_rows().items() if rows}
    for table, kind in (
        (tables.line_decision, "line decision"),
        (tables.linkage_proposal, "linkage proposal"),
    ):
        c = table.c
        ids = set(
            work.connection.scalars(select(c.id).where(c.approval_reference.in_(known.references)))
        )
        for some in _some(runs):
            for id_, run, row in work.connection.execute(
                select(c.id, c.run_id, c.row).where(c.run_id.in_(some))
            ):
                if row in runs[run]:
                    ids.add(id_)
        found[kind] = ids
    return found


def _texts(value: Any) -> Iterator[str]:
    """Every text that stands in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _some(values: Iterable[str]) -> Iterator[list[str]]:
    every = sorted(values)
    return (every[first : first + _AT_ONCE] for first in range(0, len(every), _AT_ONCE))
