"""What leads from a payer's pseudonym of an NHS number to the record: kept by the worker.

Of each record with a number, for each payer of its person's treatments, a MAC of the pseudonym
under a key of its own (`IndexKey`). Beside them stands the position of the change feed that they
are of. Whoever asks compares the records that events named since one by one, and looks at the
number of each record that is found: a row that is no longer true finds nobody. Where nothing is
kept, not everybody yet, or under another secret, it is not used.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, tuple_, update

from app.audit import READING, feed_position, parse_cursor
from app.db import tables
from app.db.work import Work
from app.reconciliation.waiting_store import chunks
from app.reference_data.pseudonyms import PseudonymKey, Pseudonyms

#: With more events than this since the worker last looked, it is not used.
MOST_EVENTS: Final = 5_000
#: Records that the worker takes in one transaction while it fills.
AT_A_TIME: Final = 2_000
_ROW, _MARK = tables.patient_pseudonym, tables.patient_pseudonym_mark
_PATIENT: Final = tables.patient.c
_ONE: Final = 1
Position = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """The secret that rows are of, the feed's position, and the record up to which there are any;
    None: all of them."""

    of_secret: str
    position: Position
    up_to: str | None


@dataclass(frozen=True, slots=True)
class _Touched:
    """The records that the next events name, and where these end; `more` come after."""

    records: frozenset[str]
    end: Position
    more: bool


# --- asking ---------------------------------------------------------------------------------------


def candidates(
    work: Work, key: PseudonymKey, pseudonyms: Collection[str]
) -> Sequence[tuple[str, str]] | None:
    """Number and id of the records that may have one of these pseudonyms of a number, and surely of
    all whose treatments the payer pays for. None where everybody must be looked at.

    Beyond scope.
    """
    mark = _mark(work)
    if key.index is None or mark is None or mark.up_to is not None:
        return None
    if mark.of_secret != key.index.of_secret:
        return None
    touched = _touched(work, mark.position)
    if touched.more:
        return None
    records = {each for same in _persons(work, touched.records).values() for each in same}
    macs = sorted(map(key.index.of, pseudonyms))
    for part in chunks(macs):
        query = select(_ROW.c.patient_id).where(_ROW.c.mac.in_(part))
        records.update(work.connection.execute(query).scalars())
    return list(_numbers(work, records).items())


# --- keeping --------------------------------------------------------------------------------------


def keep(work: Work, pseudonyms: Pseudonyms) -> bool:
    """Bring the rows a part further; whether there is more to do at once.

    For the worker, whose transaction sees every organisation. Two workers take turns.
    """
    mark, of_secret = _mark(work, locked=True), pseudonyms.name_of_secret
    if mark is None or mark.of_secret != of_secret:
        return _begin_anew(work, of_secret, mark)
    if mark.up_to is not None:
        last = _fill(work, pseudonyms, mark.up_to)
        _set_mark(work, mark.position, last)
        return True
    touched = _touched(work, mark.position)
    _make(work, pseudonyms, touched.records)
    _set_mark(work, touched.end, None)
    return touched.more


def forget(work: Work, records: Collection[str]) -> None:
    """Take away the rows of records whose numbers are no longer kept. Beyond scope."""
    for part in chunks(sorted(records)):
        work.connection.execute(delete(_ROW).where(_ROW.c.patient_id.in_(part)))


def _begin_anew(work: Work, of_secret: str | None, mark: Mark | None) -> bool:
    """Take away what is kept under another secret, and begin to fill under this one."""
    if mark is not None or of_secret is None:
        work.connection.execute(delete(_ROW))
        work.connection.execute(delete(_MARK))
    if of_secret is None:
        return False
    # Before anything else is read: whatever comes later counts as changed since.
    epoch, xid, event = parse_cursor(feed_position(work))
    values = {"epoch": epoch, "xid": xid, "event": event, "of_secret": of_secret}
    work.connection.execute(insert(_MARK).values(number=_ONE, up_to="", **values))
    return True


def _fill(work: Work, pseudonyms: Pseudonyms, after: str) -> str | None:
    """Make the rows of the next records; the last of them, None where there are no more."""
    query = select(_PATIENT.id).where(_PATIENT.id > after, _PATIENT.nhs_number.is_not(None))
    ids = list(work.connection.execute(query.order_by(_PATIENT.id).limit(AT_A_TIME)).scalars())
    _make(work, pseudonyms, ids)
    return ids[-1] if len(ids) == AT_A_TIME else None


def _make(work: Work, pseudonyms: Pseudonyms, records: Collection[str]) -> None:
    """Make the rows of these records anew, with those of all that stand for the same persons."""
    persons = _persons(work, records)
    everybody = {each for some in persons.values() for each in some}
    forget(work, everybody)
    numbers = {id_: number for number, id_ in _numbers(work, everybody).items()}
    payers = _payers(work, everybody)
    keys: dict[str, PseudonymKey | None] = {}
    rows = []
    for same in persons.values():
        paying = {payer for each in same for payer in payers.get(each, ())}
        for each in same & numbers.keys():
            for payer in paying:
                if payer not in keys:
                    keys[payer] = pseudonyms.key_of(payer)
                key = keys[payer]
                assert key is not None
                assert key.index is not None
                mac = key.index.of(key.of_nhs_number(numbers[each]))
                rows.append({"mac": mac, "patient_id": each})
    if rows:
        work.connection.execute(insert(_ROW), rows)


# --- reading --------------------------------------------------------------------------------------


def _mark(work: Work, *, locked: bool = False) -> Mark | None:
    query = select(_MARK).where(_MARK.c.number == _ONE)
    row = work.connection.execute(query.with_for_update() if locked else query).one_or_none()
    if row is None:
        return None
    return Mark(row.of_secret, (row.epoch, row.xid, row.event), row.up_to)


def _set_mark(work: Work, position: Position, up_to: str | None) -> None:
    epoch, xid, event = position
    values = {"epoch": epoch, "xid": xid, "event": event, "up_to": up_to}
    work.connection.execute(update(_MARK).where(_MARK.c.number == _ONE).values(**values))


def _touched(work: Work, position: Position) -> _Touched:
    """The records that the next events name, or whose treatments they do, every organisation's."""
    e, t = tables.audit_event.c, tables.treatment.c
    now = parse_cursor(feed_position(work))
    place = (e.epoch, e.xid, e.id)
    query = select(*place, e.treatment_id, e.object_type, e.object_id)
    query = query.where(tuple_(*place) > tuple_(*position)).order_by(*place)
    rows = work.connection.execute(query.limit(MOST_EVENTS + 1)).all()
    more, rows = len(rows) > MOST_EVENTS, rows[:MOST_EVENTS]
    records = {row.object_id for row in rows if row.object_type == "patient"}
    treatments = {row.treatment_id for row in rows if row.object_type != READING}
    for part in chunks(sorted(treatments - {None})):
        records.update(
            work.connection.execute(select(t.patient_id).where(t.id.in_(part))).scalars()
        )
    # Whoever it was linked to and no longer is, too.
    link = tables.patient_link.c
    for part in list(chunks(sorted(records))):
        linked = select(link.linked_to).where(link.patient_id.in_(part))
        records.update(work.connection.execute(linked).scalars())
    # Not past where the feed is: a transaction that is open may yet come before what is seen.
    last = tuple(rows[-1][:3]) if more else now
    return _Touched(frozenset(records), max(position, min(last, now)), more)


def _persons(work: Work, records: Collection[str]) -> Mapping[str, set[str]]:
    """The record that stands for each of these → all records that stand for the same person."""
    c = _PATIENT
    stands = func.coalesce(c.linked_to, c.id)
    found: dict[str, set[str]] = defaultdict(set)
    for part in chunks(sorted(records)):
        for id_ in work.connection.execute(select(stands).where(c.id.in_(part))).scalars():
            found[id_].add(id_)
    for part in chunks(sorted(found)):
        linked = select(c.linked_to, c.id).where(c.linked_to.in_(part))
        for canonical, id_ in work.connection.execute(linked):
            found[canonical].add(id_)
    return found


def _numbers(work: Work, records: Iterable[str]) -> dict[str, str]:
    """Number → record, of those that have one: no two have the same."""
    c = _PATIENT
    query = select(c.nhs_number, c.id).where(c.nhs_number.is_not(None))
    return {
        number: id_
        for part in chunks(sorted(records))
        for number, id_ in work.connection.execute(query.where(c.id.in_(part)))
    }


def _payers(work: Work, records: Iterable[str]) -> Mapping[str, set[str]]:
    """Record → who pays for one of its treatments, or a part of one, or ever did: whoever sees it
    as a payer (`visible_treatments`)."""
    t, s = tables.treatment.c, tables.segment.c
    whole = select(t.patient_id, t.commissioner)
    parts: Any = select(t.patient_id, s.commissioner).join_from(
        tables.treatment, tables.segment, s.treatment_id == t.id
    )
    found: dict[str, set[str]] = defaultdict(set)
    for part in chunks(sorted(records)):
        for query in (whole, parts):
            of_them = query.where(t.patient_id.in_(part)).distinct()
            for id_, payer in work.connection.execute(of_them):
                found[id_].add(payer)
    return found
