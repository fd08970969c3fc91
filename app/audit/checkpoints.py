"""Signed statements of how far the log was sealed, to be kept where the database is not.

Whoever owns the database can cut off its end: rows, seals and all. Only a statement kept
elsewhere proves it. One JSON line each, signed with an Ed25519 key that is derived from the audit
key, so that anybody with the public key can check them, and nobody else can write them.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.audit.errors import CheckpointUnreadable
from app.audit.keys import Keyring, checkpoint_seed
from app.audit.seal import canonical
from app.db.tables import audit_seal
from app.db.work import Work

FILE: Final = "audit-checkpoints.jsonl"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log was sealed up to this seal, with so many rows in all, at this instant (UTC)."""

    number: int
    epoch: int
    hash: str
    events: int
    made_at: str


def public_key(audit_key: bytes) -> str:
    """The key that checks checkpoints, in hexadecimal; publish it."""
    return _private(audit_key).public_key().public_bytes_raw().hex()


def make(work: Work) -> Checkpoint | None:
    """A checkpoint of the newest seal; None before the first."""
    c = audit_seal.c
    newest = sa.select(c.number, c.epoch, c.hash).order_by(c.number.desc()).limit(1)
    row = work.connection.execute(newest).first()
    if row is None:
        return None
    total = work.connection.execute(sa.select(sa.func.sum(c.events))).scalar_one()
    return Checkpoint(row.number, row.epoch, row.hash, int(total), work.moment.instant.isoformat())


def line(checkpoint: Checkpoint, audit_key: bytes) -> str:
    """The checkpoint as a signed line of JSON."""
    statement = asdict(checkpoint)
    signature = _private(audit_key).sign(canonical(statement).encode()).hex()
    return canonical({**statement, "key": public_key(audit_key), "signature": signature})


def keep(folder: Path, written: str) -> Path:
    """Add a line to the folder's file and have it on disk before returning. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / FILE
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{written}\n")
        file.flush()
        os.fsync(file.fileno())
    return path


def last_kept(folder: Path) -> int:
    """The number of the newest seal that the folder's file tells of; 0 where there is none."""
    path = folder / FILE
    if not path.is_file():
        return 0
    lines = path.read_text(encoding="utf-8").splitlines()
    return max((json.loads(each)["number"] for each in lines if each.strip()), default=0)


def read(path: Path, keys: Keyring) -> Iterator[Checkpoint]:
    """Every checkpoint of a file, checked. Raises CheckpointUnreadable for one that is not ours."""
    known = {public_key(key) for key in keys.keys}
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if text.strip():
            yield parse(text, known, f"{path.name}, line {number}")


def parse(text: str, known: set[str], place: str) -> Checkpoint:
    """One signed line. `known` are the public keys to trust. Raises CheckpointUnreadable."""
    try:
        found: Mapping[str, Any] = json.loads(text)
        statement = {name: found[name] for name in Checkpoint.__slots__}
        key, signature = str(found["key"]), bytes.fromhex(found["signature"])
        checkpoint = Checkpoint(**statement)
        signed = canonical(statement).encode()
    except (ValueError, KeyError, TypeError):
        raise CheckpointUnreadable(place, "cannot be read") from None
    if key not in known:
        raise CheckpointUnreadable(place, "is signed by a key that this service does not know")
    try:
        verifying = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        verifying.verify(signature, signed)
    except InvalidSignature:
        raise CheckpointUnreadable(place, "is not as it was signed") from None
    return checkpoint


def _private(audit_key: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(checkpoint_seed(audit_key))
