"""Seal the log in batches: a Merkle root over each, chained to the seal before it.

Nothing on the write path waits for this. On PostgreSQL a row carries the id of its transaction,
and one sealer, under an advisory lock, seals the rows below the oldest transaction that still
runs, read in the same statement as the rows: whatever commits later has a higher id, so nothing
slips in behind a seal. SQLite has one writer, and seals by row id.

A seal proves that rows are as they were when it was made. So that it does not bless a row that
somebody slipped in just before, every row's signature and number is checked first.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from app.audit import merkle
from app.audit.errors import EpochNotOpened, SealRefused
from app.audit.keys import Keyring, key_id
from app.audit.log import FIRST_EPOCH
from app.audit.seal import canonical, leaf_of, mac, signed_by
from app.db.tables import audit_epoch, audit_event, audit_seal
from app.db.work import Work

#: Rows in one seal, at most; a transaction with more is sealed whole.
LARGEST: Final = 5_000
SEAL_LOCK: Final = 7_265_384_120

SEALED: Final = (
    "number",
    "epoch",
    "from_position",
    "to_position",
    "events",
    "root",
    "members",
    "faults",
    "previous",
    "sealed_at",
)
OPENED: Final = ("number", "opened_at", "after_event", "after_seal", "reason")


@dataclass(frozen=True, slots=True)
class Sealed:
    """One seal as it was made: its number, how many rows it holds, and its hash."""

    number: int
    epoch: int
    events: int
    root: str
    hash: str


def seal_hash(seal: Mapping[str, Any]) -> str:
    """The hash of a seal: over every column but those that it and the key's holder add."""
    return merkle.leaf(canonical({name: seal[name] for name in SEALED}))


def epoch_content(epoch: Mapping[str, Any]) -> str:
    """The text that an epoch's HMAC is over."""
    return canonical({name: epoch[name] for name in OPENED})


def seal(work: Work, keys: Keyring, *, despite: str | None = None) -> Sealed | None:
    """Seal the next batch of rows; None when none waits.

    Raises SealRefused, naming the first row, when a row is not as it was signed or a number of
    its object is missing: a seal must not bless it. With `despite`, a reason, the seal is made
    all the same and lists the rows at fault for ever.
    """
    if work.on_postgres:
        work.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(SEAL_LOCK)))
    epoch = current_epoch(work)
    before = last_seal(work)
    start = before["to_position"] if before is not None and before["epoch"] == epoch else 0
    rows, end = _waiting(work, epoch, start)
    if not rows:
        return None
    return _store(work, keys, before, epoch, (start, end), rows, despite)


def open_epoch(work: Work, keys: Keyring, reason: str) -> int:
    """Close the running epoch and open the next, after a restore; returns its number.

    What the restored log holds and no seal covers is sealed first. Run it before the service
    starts: everything in the log has then been committed. Raises EpochNotOpened without a reason.
    """
    if not reason.strip():
        raise EpochNotOpened
    if work.on_postgres:
        work.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(SEAL_LOCK)))
    epoch = current_epoch(work)
    before = last_seal(work)
    start = before["to_position"] if before is not None and before["epoch"] == epoch else 0
    rows = _rows(work, _position(work) >= start, epoch)
    if rows:
        end = _at(work, rows[-1]) + 1
        _store(work, keys, before, epoch, (start, end), rows, None)
        before = last_seal(work)
    last = work.connection.execute(sa.select(sa.func.max(audit_event.c.id))).scalar() or 0
    opened = {
        "number": epoch + 1,
        "opened_at": work.moment.instant,
        "after_event": last,
        "after_seal": 0 if before is None else before["number"],
        "reason": reason.strip(),
    }
    signed = {"key_id": key_id(work.audit_key), "hmac": mac(epoch_content(opened), work.audit_key)}
    work.connection.execute(sa.insert(audit_epoch).values(**opened, **signed))
    return epoch + 1


def oldest_waiting(work: Work) -> dt.datetime | None:
    """When the oldest row that no seal holds was written; None where all are sealed."""
    epoch = current_epoch(work)
    before = last_seal(work)
    start = before["to_position"] if before is not None and before["epoch"] == epoch else 0
    position = _position(work)
    query = (
        sa.select(audit_event.c.at)
        .where(audit_event.c.epoch == epoch, position >= start)
        .order_by(position, audit_event.c.id)
        .limit(1)
    )
    return work.connection.execute(query).scalar()


def current_epoch(work: Work) -> int:
    """The number of the running epoch."""
    found = work.connection.execute(sa.select(sa.func.max(audit_epoch.c.number))).scalar()
    return FIRST_EPOCH if found is None else int(found)


def last_seal(work: Work) -> dict[str, Any] | None:
    """The newest seal, without its members; None before the first."""
    columns = [column for column in audit_seal.c if column.name != "members"]
    query = sa.select(*columns).order_by(audit_seal.c.number.desc()).limit(1)
    row = work.connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def members_of(text: str) -> list[tuple[int, str]]:
    """The rows of a seal with their leaves, in order. Raises ValueError for a text that is none."""
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("no list of members")
    return [(int(id_), str(leaf)) for id_, leaf in found]


def _position(work: Work) -> sa.ColumnElement[int]:
    """What orders the log for sealing: the transaction on PostgreSQL, the row on SQLite."""
    return audit_event.c.xid if work.on_postgres else audit_event.c.id


def _at(work: Work, row: Mapping[str, Any]) -> int:
    return int(row["xid"] if work.on_postgres else row["id"])


def _waiting(work: Work, epoch: int, start: int) -> tuple[list[dict[str, Any]], int]:
    """The rows of the next seal, and the first position that is not part of it."""
    position = _position(work)
    closed: sa.ColumnElement[bool] = sa.true()
    if work.on_postgres:
        # In this very statement: its snapshot gives the horizon and the rows.
        closed = position < sa.text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    rows = _rows(work, sa.and_(position >= start, closed), epoch, LARGEST + 1)
    if len(rows) <= LARGEST:
        return rows, (_at(work, rows[-1]) + 1 if rows else start)
    end = _at(work, rows[-1])
    kept = [row for row in rows if _at(work, row) < end]
    if kept:
        return kept, end
    return _rows(work, position == end, epoch), end + 1  # one transaction with many rows


def _rows(
    work: Work, condition: sa.ColumnElement[bool], epoch: int, limit: int | None = None
) -> list[dict[str, Any]]:
    query = (
        sa.select(audit_event)
        .where(audit_event.c.epoch == epoch, condition)
        .order_by(_position(work), audit_event.c.id)
        .limit(limit)
    )
    return [dict(row) for row in work.connection.execute(query).mappings()]


def _store(
    work: Work,
    keys: Keyring,
    before: Mapping[str, Any] | None,
    epoch: int,
    reach: tuple[int, int],
    rows: Sequence[dict[str, Any]],
    despite: str | None,
) -> Sealed:
    faults = _faults(work, keys, rows)
    if faults and despite is None:
        raise SealRefused(*faults[0])
    leaves = [leaf_of(row) for row in rows]
    listed = [[row["id"], leaf] for row, leaf in zip(rows, leaves, strict=True)]
    known = {"reason": despite, "events": [event for event, _ in faults]} if faults else None
    made: dict[str, Any] = {
        "number": 1 if before is None else before["number"] + 1,
        "epoch": epoch,
        "from_position": reach[0],
        "to_position": reach[1],
        "events": len(rows),
        "root": merkle.root(leaves),
        "members": canonical(listed),
        "faults": canonical(known),
        "previous": "" if before is None else before["hash"],
        "sealed_at": work.moment.instant,
    }
    made["hash"] = seal_hash(made)
    signed = {"key_id": key_id(work.audit_key), "hmac": mac(made["hash"], work.audit_key)}
    work.connection.execute(sa.insert(audit_seal).values(**made, **signed))
    return Sealed(made["number"], epoch, len(rows), made["root"], made["hash"])


def _faults(work: Work, keys: Keyring, rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """Each row that may not be blessed, with what is wrong with it."""
    found = [(row["id"], "is not as it was signed") for row in rows if not signed_by(row, keys)]
    return sorted({*found, *_gaps(work, rows)})


def _gaps(work: Work, rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """Rows before which a number of their object is missing."""
    here = {(row["object_type"], row["object_id"], row["object_number"]) for row in rows}
    found = []
    for row in rows:
        kind, name, number = row["object_type"], row["object_id"], row["object_number"]
        if number == 1 or (kind, name, number - 1) in here:
            continue
        c = audit_event.c
        earlier = sa.select(c.id).where(
            c.object_type == kind, c.object_id == name, c.object_number == number - 1
        )
        if work.connection.execute(earlier).first() is None:
            found.append((row["id"], f"follows event {number - 1} of its object, which is missing"))
    return found
