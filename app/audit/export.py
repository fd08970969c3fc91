"""The story of one patient or one request out of the log, with the proof of each event's place.

Each sealed event comes with its Merkle path: with a published checkpoint of a later seal, it shows
that the event stood in the log then, without showing any other event.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from app.audit import merkle
from app.audit.model import TrailEntry
from app.audit.sealing import members_of
from app.audit.store import entries_where
from app.db.tables import audit_event, audit_seal
from app.db.work import Work

#: Events that one statement names.
_AT_ONCE: Final = 500
OBJECT_COLUMNS = {"request": "request_id", "treatment": "treatment_id"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed event stands: seal, position, number of rows, root, and the way to it."""

    seal: int
    index: int
    of: int
    leaf: str
    path: tuple[str, ...]
    root: str


@dataclass(frozen=True, slots=True)
class Told:
    """One event with its place; None while no seal holds it."""

    entry: TrailEntry
    place: Place | None


def of_object(work: Work, kind: str, object_id: str) -> tuple[Told, ...]:
    """Every event of one request or treatment, oldest first. Raises KeyError for another kind."""
    c = audit_event.c
    belongs = c[OBJECT_COLUMNS[kind]] == object_id
    itself = sa.and_(c.object_type == kind, c.object_id == object_id)
    return _told(work, sa.or_(belongs, itself))


def of_events(work: Work, events: Collection[int]) -> tuple[Told, ...]:
    """These events, oldest first."""
    ordered = sorted(events)
    found: list[TrailEntry] = []
    for first in range(0, len(ordered), _AT_ONCE):
        found += entries_where(work, audit_event.c.id.in_(ordered[first : first + _AT_ONCE]))
    return _placed(work, found)


def as_json(told: Told) -> dict[str, Any]:
    """An event as plain data."""
    entry, place = told.entry, told.place
    return {
        "event": entry.id,
        "at": entry.at.isoformat(),
        "who": entry.actor.id,
        "kind": entry.actor.kind,
        "organisation": entry.actor.organisation,
        "role": entry.actor.role,
        "client": entry.actor.client,
        "correlation_id": entry.actor.correlation_id,
        "did": entry.action,
        "object": f"{entry.object_type} {entry.object_id}",
        "number": entry.object_number,
        "policy_hash": entry.policy_hash,
        "before": entry.before,
        "after": entry.after,
        "erased_at": None if entry.erased_at is None else entry.erased_at.isoformat(),
        "proof": None
        if place is None
        else {
            "seal": place.seal,
            "index": place.index,
            "of": place.of,
            "leaf": place.leaf,
            "path": list(place.path),
            "root": place.root,
        },
    }


def as_text(told: Told) -> Iterator[str]:
    """An event as lines for a person to read."""
    entry, place = told.entry, told.place
    held = "not sealed yet" if place is None else f"seal {place.seal}, row {place.index + 1}"
    yield f"{entry.at:%d %B %Y %H:%M:%S} UTC  {entry.action}"
    yield (
        f"    by {entry.actor.id} ({entry.actor.kind}, {entry.actor.role}) "
        f"for {entry.actor.organisation}, through {entry.actor.client}"
    )
    yield f"    {entry.object_type} {entry.object_id}, its event {entry.object_number}; {held}"
    if entry.policy_hash:
        yield f"    under the policy version with hash {entry.policy_hash}"
    if entry.erased_at is not None:
        yield f"    what it said was erased on {entry.erased_at:%d %B %Y}"
        return
    for name in sorted({*(entry.before or {}), *(entry.after or {})}):
        yield f"    {name}: {_change(entry.before, entry.after, name)}"


def _change(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, name: str) -> str:
    old, new = (before or {}).get(name), (after or {}).get(name)
    if before is None or old == new or name not in before:
        return str(new)
    return f"{old} → {new if after is not None and name in after else '(gone)'}"


def _told(work: Work, where: sa.ColumnElement[bool]) -> tuple[Told, ...]:
    return _placed(work, entries_where(work, where))


def _placed(work: Work, entries: Sequence[TrailEntry]) -> tuple[Told, ...]:
    places = _places(work, [entry.id for entry in entries])
    return tuple(Told(entry, places.get(entry.id)) for entry in entries)


def _places(work: Work, events: list[int]) -> dict[int, Place]:
    """The place of each event that a seal holds."""
    wanted = set(events)
    found: dict[int, Place] = {}
    c = audit_seal.c
    for seal in work.connection.execute(sa.select(c.number, c.members, c.root).order_by(c.number)):
        members = members_of(seal.members)
        here = [n for n, (event, _) in enumerate(members) if event in wanted]
        leaves = [leaf for _, leaf in members] if here else []
        for index in here:
            event, leaf = members[index]
            path = tuple(merkle.path(leaves, index))
            found[event] = Place(seal.number, index, len(leaves), leaf, path, seal.root)
    return found
