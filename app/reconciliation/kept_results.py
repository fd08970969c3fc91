"""What was worked out of a staged file, kept beside it in parts, so that a page reads one of them.

A result is of the person who had it worked out, in the role and for the organisation of that time:
nobody else finds it, whoever knows the file. It is shown only while the staged file lies there, and
erased with it. It holds a head, which is read whole, and parts, each read alone; each carries its
SHA-256. One that is damaged, or was made by other rules, counts as none: it can be made again.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from app.auth.model import Caller
from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.service import RULES_VERSION, Desk
from app.reconciliation.staging import ALIKE, Waits, gone, is_staged
from app.reference_data.version import reference_version

#: Raise it whenever a head or a part is written otherwise: older results then count as none.
_FORM: Final = "1"
_DIGEST: Final = 64  # characters of a SHA-256
_LENGTH: Final = 20  # digits
#: How many rows a part has, and a page shows.
ROWS_A_PART: Final = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """An open result: its head, and where each part lies."""

    head: Mapping[str, Any]
    _file: BinaryIO
    _begins: int
    _parts: Sequence[tuple[int, str]]

    def part(self, number: int) -> bytes:
        """One part's bytes; none for one that there is not. Raises StoredFileDamaged."""
        if not 0 <= number < len(self._parts):
            return b""
        length, digest = self._parts[number]
        self._file.seek(self._begins + sum(each for each, _ in self._parts[:number]))
        return _whole(self._file.read(length), digest)


def keep(
    desk: Desk,
    caller: Caller,
    name: str,
    waits: Waits,
    head: Mapping[str, Any],
    parts: Sequence[bytes],
) -> None:
    """Keep what was worked out of a staged file, in place of what was kept before.

    RunNotFound where the file was erased meanwhile: then nothing is kept.
    """
    told = {
        "form": _form(),
        "whose": _whose(caller),
        "head": head,
        "parts": [(len(part), hashlib.sha256(part).hexdigest()) for part in parts],
    }
    text = json.dumps(told).encode()
    start = f"{hashlib.sha256(text).hexdigest()}{len(text):0{_LENGTH}d}".encode()
    place = caller.organisation, waits.results, _name(caller, name)
    desk.files.save(*place, b"".join((start, text, *parts)))
    if not is_staged(desk, caller, name, waits):
        desk.files.erase(*place)
        raise gone(waits)


def as_rows(rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows of texts and numbers as one part."""
    return json.dumps([list(row) for row in rows]).encode()


def rows_of(part: bytes) -> Sequence[Sequence[Any]]:
    """The rows of such a part; none of a part that there is not."""
    rows: Sequence[Sequence[Any]] = json.loads(part or b"[]")
    return rows


@contextmanager
def opened(desk: Desk, caller: Caller, name: str, waits: Waits) -> Iterator[Kept | None]:
    """The caller's own result of a staged file, or None; RunNotFound once the file is gone."""
    if not is_staged(desk, caller, name, waits):
        raise gone(waits)
    try:
        file = desk.files.open(caller.organisation, waits.results, _name(caller, name))
    except StoredFileDamaged:
        yield None
        return
    with file:
        yield _read(file, caller)


def own_heads(desk: Desk, caller: Caller, waits: Waits) -> Iterator[Mapping[str, Any]]:
    """The heads of all of the caller's own results, in no order; also where the file is gone."""
    ending = _ending(caller)
    for name in desk.files.names(caller.organisation, waits.results):
        if not name.endswith(ending):
            continue
        try:
            file = desk.files.open(caller.organisation, waits.results, name)
        except StoredFileDamaged:  # erased meanwhile
            continue
        with file:
            kept = _read(file, caller)
        if kept is not None:
            yield kept.head


def _read(file: BinaryIO, caller: Caller) -> Kept | None:
    try:
        digest, length = file.read(_DIGEST).decode(), int(file.read(_LENGTH))
        told = json.loads(_whole(file.read(length), digest))
    except (StoredFileDamaged, ValueError):
        return None
    if told["form"] != _form() or told["whose"] != _whose(caller):
        return None
    parts = [(int(size), str(digest)) for size, digest in told["parts"]]
    return Kept(told["head"], file, file.tell(), parts)


def _form() -> str:
    return f"{_FORM}, rules {RULES_VERSION}, reference data {reference_version()}"


def _whole(data: bytes, digest: str) -> bytes:
    if hashlib.sha256(data).hexdigest() != digest:
        raise StoredFileDamaged("not the one that was stored")
    return data


def _whose(caller: Caller) -> list[str]:
    return [caller.organisation, caller.role.value, caller.id]


def _name(caller: Caller, name: str) -> str:
    return name[:ALIKE] + _ending(caller)


def _ending(caller: Caller) -> str:
    return hashlib.sha256("\n".join(_whose(caller)).encode()).hexdigest()[:ALIKE]
