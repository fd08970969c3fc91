"""Replaying in several processes tells what replaying in one does, faults and all."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from app.approvals.library import Library
from app.approvals.replaying import replay_everything
from app.backup import replays
from app.backup.replays import Replays
from app.commands.backup import library_reader
from app.db import tables
from app.db.work import Moment, Work
from app.door import Door
from tests.integration.backup.conftest import KEY, Place

Told = tuple[int, list[str]]


def both_ways(place: Place, jobs: int, stretch: int = 3) -> tuple[Told, Told]:
    """What is replayed, and what differs: in this process, and in others."""
    settings, door = place.settings(), Door(place.database())
    reader = partial(library_reader, settings)
    several = Replays(place.url, KEY, reader, door.moment(), jobs, few=0, stretch=stretch)
    library_at = reader()

    def replay(work: Work) -> tuple[Told, Told]:
        library = library_at(work)
        return replay_everything(work, library), several(work, library)

    return door.read(replay)


def spoil(place: Place, nth: int) -> str:
    """Change what is stored of a decision that the policy gave; its request's id."""
    decision = tables.decision
    theirs = decision.c.made_by == "policy"
    query = sa.select(decision.c.id, decision.c.request_id).where(theirs)

    def change(work: Work) -> str:
        row = work.connection.execute(query.order_by(decision.c.request_id).offset(nth)).first()
        assert row is not None
        changed = sa.update(decision).where(decision.c.id == row.id)
        work.connection.execute(changed.values(missing=["never asked"]))
        return str(row.request_id)

    return Door(place.database()).transact(change)


def test_several_processes_find_what_one_finds_in_the_same_order(spare: Place) -> None:
    spoilt = {spoil(spare, 2), spoil(spare, 6)}
    one, several = both_ways(spare, jobs=2)
    assert several == one
    count, faults = one
    assert count > 6
    assert {fault.split(":")[0].removeprefix("request ") for fault in faults} == spoilt


def test_a_stretch_may_be_longer_than_all_there_is(original: Place) -> None:
    one, several = both_ways(original, jobs=2, stretch=1_000_000)
    assert several == one
    assert one[1] == []


def unreadable() -> Callable[[Work], Library]:
    raise OSError("the policies cannot be read")


def test_what_ends_a_process_is_no_clean_result(original: Place) -> None:
    """Where the library cannot be read in a process, nothing is passed for replayed."""
    door = Door(original.database())
    library = library_reader(original.settings())
    bad = Replays(original.url, KEY, unreadable, door.moment(), 2, few=0)
    with pytest.raises(BrokenProcessPool):
        door.read(lambda work: bad(work, library(work)))


@pytest.mark.parametrize(("stretches", "several"), [(40, False), (41, True)])
def test_what_is_soon_decided_again_is_done_by_one_process(
    stretches: int, several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process more takes seconds to begin: below 10,000 requests they save nothing."""
    asked: list[str] = []

    class Pool:
        def __init__(self, *_: object, **__: object) -> None:
            asked.append("several")

        def __enter__(self) -> "Pool":
            return self

        def __exit__(self, *_: object) -> None: ...

        def map(self, *_: object) -> list[tuple[int, list[str]]]:
            return []

    monkeypatch.setattr(replays, "_stretches", lambda *_: [("", None)] * stretches)
    monkeypatch.setattr(replays, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(replays, "replay_everything", lambda *_: asked.append("one") or (0, []))
    moment = Moment(dt.datetime(2026, 6, 15, 9, 30, tzinfo=dt.UTC), dt.date(2026, 6, 15))
    replay: Any = Replays("sqlite:///", KEY, lambda: None, moment, 2)  # type: ignore[arg-type, return-value]
    replay(None, None)
    assert asked == ["several" if several else "one"]
