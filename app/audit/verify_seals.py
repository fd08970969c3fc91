"""Hold the log against its seals, and the seals against checkpoints kept elsewhere.

Where the rows' own check names what was changed, this names what is gone or was slipped in behind
a seal, also by somebody who holds the key.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

import sqlalchemy as sa

from app.audit import merkle
from app.audit.checkpoints import Checkpoint
from app.audit.errors import UnauditableValue
from app.audit.keys import Keyring
from app.audit.log import FIRST_EPOCH
from app.audit.model import Fault
from app.audit.seal import leaf_of, signed_with
from app.audit.sealing import epoch_content, members_of, seal_hash
from app.audit.verify import as_written, raw, raw_rows
from app.db.tables import audit_epoch, audit_event, audit_seal
from app.db.work import Work


def verify_seals(work: Work, keys: Keyring) -> list[Fault]:
    """Every fault of the seals and of the rows that they hold, in the order of the seals."""
    faults: list[Fault] = []
    before: dict[str, Any] | None = None
    openings = {row["number"]: row for row in _epochs(work)}
    numbers = work.connection.execute(sa.select(audit_seal.c.number).order_by(audit_seal.c.number))
    for expected, number in zip(count(1), numbers.scalars().all(), strict=False):
        seal = _seal(work, number)
        faults += [_of_seal(number, what) for what in _wrong(seal, before, expected, openings)]
        if not _signed(seal, keys):
            faults.append(_of_seal(number, "the seal is not as it was signed"))
        faults += _held(work, seal)
        before = seal
    faults += _of_epochs(openings, keys)
    return faults


def verify_checkpoints(work: Work, checkpoints: Iterable[Checkpoint]) -> list[Fault]:
    """A fault for each checkpoint that the log no longer bears out."""
    c = audit_seal.c
    held = {
        row.number: row.hash for row in work.connection.execute(sa.select(c.number, c.hash)).all()
    }
    faults = []
    for checkpoint in checkpoints:
        if checkpoint.number not in held:
            what = "the log is cut off: it had been sealed up to here"
        elif held[checkpoint.number] != checkpoint.hash:
            what = "the seal is not the one that the checkpoint tells of"
        else:
            continue
        faults.append(_of_seal(checkpoint.number, f"{what} at {checkpoint.made_at}"))
    return faults


def unsealed(work: Work) -> int:
    """How many rows no seal holds yet: only their own signatures and numbers protect these."""
    total = work.connection.execute(sa.select(sa.func.count()).select_from(audit_event))
    sealed = work.connection.execute(
        sa.select(sa.func.coalesce(sa.func.sum(audit_seal.c.events), 0))
    )
    return int(total.scalar_one()) - int(sealed.scalar_one())


def _epochs(work: Work) -> list[dict[str, Any]]:
    query = raw(work, audit_epoch, "opened_at").order_by(audit_epoch.c.number)
    return [as_written(row, "opened_at") for row in work.connection.execute(query).mappings()]


def _seal(work: Work, number: int) -> dict[str, Any]:
    query = raw(work, audit_seal, "sealed_at").where(audit_seal.c.number == number)
    return as_written(work.connection.execute(query).mappings().one(), "sealed_at")


def _wrong(
    seal: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    expected: int,
    openings: Mapping[int, Mapping[str, Any]],
) -> Iterator[str]:
    """What is wrong with a seal's own place in the chain."""
    if seal["number"] != expected:
        yield f"seal {expected} is missing"
    if not _is_as_made(seal):
        yield "the seal is not as it was made"
    if seal["previous"] != ("" if before is None else before["hash"]):
        yield "the seal does not follow the one before it"
    if before is not None and seal["epoch"] == before["epoch"]:
        start = before["to_position"]
    else:
        start = 0
        if seal["epoch"] != FIRST_EPOCH and seal["epoch"] not in openings:
            yield f"epoch {seal['epoch']} was never opened"
    if seal["from_position"] != start:
        yield "the seal does not begin where the one before it ends"


def _is_as_made(seal: Mapping[str, Any]) -> bool:
    try:
        return seal_hash(seal) == str(seal["hash"])
    except UnauditableValue:  # any value at all may have got into it
        return False


def _signed(seal: Mapping[str, Any], keys: Keyring) -> bool:
    signed = str(seal["hash"])
    return signed_with(signed, seal["hmac"], keys.candidates(seal["key_id"]))


def _of_seal(number: int, what: str) -> Fault:
    return Fault(0, "seal", str(number), number, what)


def _held(work: Work, seal: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the rows that a seal holds."""
    number = seal["number"]
    try:
        members = dict(members_of(seal["members"]))
    except (ValueError, TypeError):
        yield _of_seal(number, "the seal's list of rows cannot be read")
        return
    if merkle.root(list(members.values())) != seal["root"] or len(members) != seal["events"]:
        yield _of_seal(number, "the seal's list of rows does not give its root")
    found: set[int] = set()
    for row in _in_reach(work, seal, list(members)):
        found.add(row["id"])
        if row["id"] not in members:
            yield _row_fault(row, f"the row was slipped in behind seal {number}")
        elif leaf_of(row) != members[row["id"]]:
            yield _row_fault(row, f"the row is not as seal {number} holds it")
    for id_ in members:
        if id_ not in found:
            yield Fault(id_, "seal", str(number), number, f"row {id_} of seal {number} is missing")


def _in_reach(work: Work, seal: Mapping[str, Any], members: list[int]) -> Iterator[dict[str, Any]]:
    """Every row that lies in a seal's reach, and every member wherever it lies now."""
    c = audit_event.c
    position = c.xid if work.on_postgres else c.id
    reach = sa.and_(
        c.epoch == seal["epoch"],
        position >= seal["from_position"],
        position < seal["to_position"],
    )
    seen: set[int] = set()
    for start in range(0, max(len(members), 1), 500):
        part = members[start : start + 500]
        where = sa.or_(reach, c.id.in_(part)) if start == 0 else c.id.in_(part)
        for row in raw_rows(work, where):
            if row["id"] not in seen:
                seen.add(row["id"])
                yield row


def _row_fault(row: Mapping[str, Any], what: str) -> Fault:
    return Fault(row["id"], row["object_type"], row["object_id"], row["object_number"], what)


def _of_epochs(openings: Mapping[int, Mapping[str, Any]], keys: Keyring) -> Iterator[Fault]:
    for expected, (number, row) in enumerate(sorted(openings.items()), start=FIRST_EPOCH + 1):
        if number != expected:
            yield Fault(0, "epoch", str(expected), expected, f"epoch {expected} is missing")
        if not _epoch_signed(row, keys):
            yield Fault(0, "epoch", str(number), number, "the epoch is not as it was signed")


def _epoch_signed(row: Mapping[str, Any], keys: Keyring) -> bool:
    try:
        content = epoch_content(row)
    except UnauditableValue:
        return False
    return signed_with(content, row["hmac"], keys.candidates(row["key_id"]))
