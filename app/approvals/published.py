"""The library as it stands: the packaged files, joined by what is published into the database.

Each transaction reads the newest publication's number and hash, one row by primary key, before it
asks the library anything; texts are read only when that row is another. So every process decides
by what was published before its transaction, without a restart, and none by what is gone.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select

from app.approvals.errors import UnknownPolicy
from app.approvals.library import Library
from app.db import tables
from app.db.statements import Statement
from app.db.work import Work
from app.policy import (
    Overlay,
    PolicyFileFaults,
    PolicyVersion,
    from_resolved,
    overlay_from_resolved,
)
from app.policy.canonical import sha256

VERSION, OVERLAY = "version", "overlay"
#: Any fixed number: who publishes at the same time waits, and checks against what the first left.
PUBLISHING_LOCK = 7_265_384_121

_NEWEST = Statement(
    select(tables.publication.c.number, tables.publication.c.hash)
    .order_by(tables.publication.c.number.desc())
    .limit(1)
)

Mark = tuple[int, str]
Published = PolicyVersion | Overlay


@dataclass(slots=True)
class _Parts:
    """What the publications add to the packaged files, and the policies that they spoil."""

    versions: list[PolicyVersion] = field(default_factory=list)
    overlays: list[Overlay] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)


class JoinedLibrary:
    """Gives each transaction the library that holds for it."""

    def __init__(self, packaged: Library) -> None:
        self.packaged = packaged
        self._lock = threading.Lock()
        self._joined: tuple[Mark, Library] | None = None
        self._parsed: dict[str, Published] = {}

    def at(self, work: Work) -> Library:
        """The library as of this transaction; the same one however often it is asked for."""
        found = work.read_once.get(self)
        if found is None:
            found = self._at(work)
            work.read_once[self] = found
        assert isinstance(found, Library)
        return found

    def _at(self, work: Work) -> Library:
        mark = newest_publication(work)
        if mark is None:
            return self.packaged
        held = self._joined
        if held is not None and held[0] == mark:
            return held[1]
        with self._lock:
            held = self._joined
            if held is None or held[0] != mark:
                held = (mark, self._join(work, mark))
                # An older snapshot that reads on does not push the newer library out, and what is
                # damaged is looked at again each time, until somebody has mended it.
                newer = self._joined is None or self._joined[0][0] <= mark[0]
                if newer and held[1].policies() == held[1].usable():
                    self._joined = held
        return held[1]

    def _join(self, work: Work, mark: Mark) -> Library:
        column = tables.publication.c
        rows = work.connection.execute(
            select(tables.publication).where(column.number <= mark[0]).order_by(column.number)
        ).all()
        texts = _texts(work, [row for row in rows if row.hash not in self._parsed])
        parts = _Parts()
        for place, row in enumerate(rows, start=1):
            if row.number != place:
                parts.damaged[row.policy] = _told(row, "a publication before it is gone")
            self._add(row, texts.get(row.hash), parts)
        return self.packaged.joined(parts.versions, parts.overlays, parts.damaged)

    def _add(self, row: Row[Any], text: str | None, parts: _Parts) -> None:
        try:
            found = self._parsed.get(row.hash) or _read(row, text)
            _check_clash(row, found, self.packaged)
        except ValueError as why:
            parts.damaged[row.policy] = _told(row, str(why))
            return
        self._parsed[row.hash] = found
        if isinstance(found, Overlay):
            if self.packaged.overlay_by_hash(found.hash) is None:
                parts.overlays.append(found)
        elif self.packaged.by_hash(found.hash) is None:
            parts.versions.append(found)


def expect_newest(work: Work) -> None:
    """Ask along with the next question what `newest_publication` will."""
    work.expect(_NEWEST, {})


def newest_publication(work: Work) -> Mark | None:
    """The number and the hash of what was published last; None where nothing was."""
    rows = work.ask(_NEWEST, {})
    return (rows[0]["number"], rows[0]["hash"]) if rows else None


def publication_of(work: Work, policy: str, version: str) -> str | None:
    """The hash that a version, or an overlay, was published with; None where it was not."""
    column = tables.publication.c
    return work.connection.execute(
        select(column.hash).where(column.policy == policy, column.version == version)
    ).scalar_one_or_none()


def lock_publications(work: Work) -> None:
    """Let nobody else publish until this transaction ends. SQLite has one writer anyway."""
    if work.on_postgres:
        work.connection.execute(select(func.pg_advisory_xact_lock(PUBLISHING_LOCK)))


def add_publication(work: Work, found: Published, by: str, seconded_by: str) -> None:
    """Record what is published from now on, under the next number. Its text is stored already."""
    newest = newest_publication(work)
    work.connection.execute(
        insert(tables.publication).values(
            number=1 if newest is None else newest[0] + 1,
            kind=OVERLAY if isinstance(found, Overlay) else VERSION,
            policy=found.policy,
            version=found.version,
            hash=found.hash,
            published_by=by,
            seconded_by=seconded_by,
            recorded_at=work.moment.instant,
        )
    )


def find(library: Library, policy: str, number: str) -> Published:
    """A version, or an overlay, of the library by its number.

    Raises UnknownPolicy, saying what there is, where it is neither packaged nor published.
    """
    held: dict[str, Published] = {each.version: each for each in library.versions(policy)}
    held |= {each.version: each for each in library.overlays(policy)}
    if number not in held:
        raise UnknownPolicy(
            f"{policy} {number[:40]} is neither packaged nor published. There are: "
            f"{', '.join(held)}. Publish it first, or correct the number."
        )
    return held[number]


# --- reading what was published -----------------------------------------------------------------


def _texts(work: Work, rows: list[Row[Any]]) -> dict[str, str]:
    """The stored texts of publications by hash; one that is gone is not among them."""
    found: dict[str, str] = {}
    for kind, table in ((VERSION, tables.policy_version), (OVERLAY, tables.policy_overlay)):
        wanted = [row.hash for row in rows if row.kind == kind]
        chosen: ColumnElement[bool] = table.c.hash.in_(wanted)
        if wanted:
            stored = work.connection.execute(select(table.c.hash, table.c.resolved).where(chosen))
            found |= {row.hash: row.resolved for row in stored}
    return found


def _read(row: Row[Any], text: str | None) -> Published:
    """What a publication says, checked against its hash and its number; ValueError otherwise."""
    if text is None:
        raise ValueError("its text is gone")
    if sha256(text) != row.hash:
        raise ValueError("its text no longer has the hash that it was published with")
    try:
        found = overlay_from_resolved(text) if row.kind == OVERLAY else from_resolved(text)
    except PolicyFileFaults:
        raise ValueError("this release cannot read its text") from None
    if (found.policy, found.version, found.hash) != (row.policy, row.version, row.hash):
        raise ValueError("its text is another version's")
    return found


def _check_clash(row: Row[Any], found: Published, packaged: Library) -> None:
    for each in packaged.held(row.policy):
        if each.version == row.version and each.hash != found.hash:
            raise ValueError("this release packages another text under that number")


def _told(row: Row[Any], why: str) -> str:
    return (
        f"The published {row.policy} {row.version} cannot be relied on: {why}. Nothing is decided "
        "under this policy until that is mended. Tell whoever runs the service: the audit log "
        "says what was published, and a backup has its text."
    )
