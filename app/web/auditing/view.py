"""An audit trail in words. Pure."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from app.audit import READING, TrailEntry
from app.audit.findings import Check, Finding, LogState
from app.clock import london_day
from app.web.decision import Colour
from app.web.words import counted, day_words, first_upper, instant_words


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for of a trail; empty: everything."""

    who: str = ""
    action: str = ""
    first: dt.date | None = None
    last: dt.date | None = None


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One event."""

    at: str
    action: str
    colour: Colour
    who: str
    what: str
    changes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """What fits, and what there is to choose from."""

    rows: tuple[EntryRow, ...]
    of: int
    people: tuple[tuple[str, str], ...]
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LookedThrough:
    """Which part of the log was looked through for lists that showed a patient among others.

    From the event `before` (None: the newest) back to `back_to` (None: to the first), of `since`;
    `asked` is all that was asked for.
    """

    before: int | None
    back_to: int | None
    since: dt.datetime | None
    asked: Mapping[str, str]

    @property
    def words(self) -> str:
        """How far it goes."""
        which = "the newest of these" if self.before is None else "earlier ones of these"
        until = "to the first" if self.since is None else f"to {instant_words(self.since)}"
        return f"This page tells of {which}, back {until}."

    @property
    def further(self) -> str:
        """The address of the part before it, with what was asked for; empty at the end."""
        if self.back_to is None:
            return ""
        return f"?{urlencode({**self.asked, 'before': self.back_to})}"


@dataclass(frozen=True, slots=True)
class StateRow:
    """One fact about the log, and whether somebody should look into it."""

    name: str
    words: str
    good: bool


def trail_of(
    entries: Sequence[TrailEntry], names: Mapping[str, str], wanted: Wanted, most: int
) -> Trail:
    """The newest `most` events that fit, newest first. `names` are those of actors, by id."""
    fitting = [each for each in reversed(entries) if _fits(each, wanted)]
    ids = sorted({each.actor.id for each in entries}, key=lambda id_: names.get(id_, id_))
    return Trail(
        rows=tuple(_row(each, names) for each in fitting[:most]),
        of=len(fitting),
        people=tuple((id_, names.get(id_, id_)) for id_ in ids),
        actions=tuple(sorted({each.action for each in entries})),
    )


def _fits(entry: TrailEntry, wanted: Wanted) -> bool:
    day = london_day(entry.at)
    return (
        wanted.who in ("", entry.actor.id)
        and wanted.action in ("", entry.action)
        and (wanted.first is None or day >= wanted.first)
        and (wanted.last is None or day <= wanted.last)
    )


def _row(entry: TrailEntry, names: Mapping[str, str]) -> EntryRow:
    actor = entry.actor
    through = "" if actor.client == actor.id else f", through {actor.client}"
    return EntryRow(
        at=instant_words(entry.at),
        action=first_upper(entry.action),
        colour="grey" if entry.object_type == READING else "blue",
        who=f"{names.get(actor.id, actor.id)} ({actor.kind}, {actor.role}) for "
        f"{actor.organisation}{through}",
        what=f"{first_upper(entry.object_type)} {entry.object_id}, its event {entry.object_number}",
        changes=tuple(_changes(entry)),
    )


def _changes(entry: TrailEntry) -> Iterator[tuple[str, str]]:
    if entry.policy_hash:
        yield "Under the policy version with the hash", entry.policy_hash
    if entry.erased_at is not None:
        yield "What it said", f"erased on {instant_words(entry.erased_at)}"
        return
    before, after = entry.before or {}, entry.after or {}
    for name in sorted({*before, *after}):
        yield first_upper(name.replace("_", " ")), _change(before, after, name)


def _change(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
    new = _said(after[name]) if name in after else "(gone)"
    if name not in before or before[name] == after.get(name):
        return new
    return f"{_said(before[name])} → {new}"


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{k}: {_said(v)}" for k, v in value.items()) or "nothing"
    if isinstance(value, list):
        return ", ".join(_said(each) for each in value) or "none"
    return _day(value) or str(value)


def _day(value: Any) -> str | None:
    """A day of the log in English; None for anything else."""
    try:
        is_day = isinstance(value, str) and len(value) == len("2026-06-05")
        return day_words(dt.date.fromisoformat(value)) if is_day else None
    except ValueError:
        return None


def state_rows(state: LogState, now: dt.datetime) -> tuple[StateRow, ...]:
    """How the log stands, fact by fact."""
    return tuple(_state(state, now))


def _state(state: LogState, now: dt.datetime) -> Iterable[StateRow]:
    if state.sealed_at is None:
        yield StateRow("Sealed", "never: no worker has sealed the log yet", good=False)
    else:
        words = f"up to seal {state.seal}, on {instant_words(state.sealed_at)}"
        yield StateRow("Sealed", words, good=True)
    if state.oldest_waiting is None:
        yield StateRow("Waits for a seal", "nothing", good=True)
    else:
        late = now - state.oldest_waiting > dt.timedelta(hours=1)
        words = f"rows since {instant_words(state.oldest_waiting)}"
        yield StateRow("Waits for a seal", words, good=not late)
    sealing = state.findings.get(Check.SEALING)
    if sealing is not None:
        yield _sealing(sealing, state)
    yield _verification(state.findings.get(Check.VERIFICATION))


def _sealing(found: Finding, state: LogState) -> StateRow:
    if found.faults:
        words = f"on {instant_words(found.at)} the worker refused to seal: a row is at fault"
        return StateRow("The worker", words, good=False)
    if not found.seal:
        return StateRow("Checkpoints kept elsewhere", "none", good=False)
    words = f"up to seal {found.seal}, as the worker found on {instant_words(found.at)}"
    return StateRow("Checkpoints kept elsewhere", words, good=found.seal >= state.seal)


def _verification(found: Finding | None) -> StateRow:
    name = "Last verified"
    if found is None:
        return StateRow(name, "never, or not since this release", good=False)
    held = counted(found.checkpoints, "checkpoint")
    when = f"on {instant_words(found.at)}, against {held}"
    if found.faults:
        return StateRow(name, f"{when}: {counted(found.faults, 'fault')} found", good=False)
    return StateRow(name, f"{when}: as it was written", good=True)
