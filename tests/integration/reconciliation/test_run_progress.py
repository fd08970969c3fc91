"""A run tells how far it has come while it works: growing numbers, never beyond its lines."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from app import clock
from app.db import jobs, tables
from app.db.errors import JobNotHeld
from app.db.jobs import Job
from app.handlers import make_handlers
from app.reconciliation import at_scale, service
from app.reconciliation.engines import plain, shared_words
from app.reconciliation.engines.choice import Engine
from app.reconciliation.service import Desk
from app.work import Held, run_next
from tests.integration.reconciliation.killing import killed_there
from tests.integration.reconciliation.matching import LATER
from tests.integration.reconciliation.test_at_scale import FILE, LINES, rows_of, run
from tests.integration.reconciliation.test_at_scale import large as large
from tests.integration.reconciliation.test_at_scale import path as path
from tests.integration.reconciliation.test_runs import door
from tests.world import COMMISSIONER, World

BETWEEN = 2
OF = len(LINES)
#: The ways a run takes: in memory by either engine that needs no other process, and by files.
WAYS: dict[str, tuple[Engine, int]] = {
    "in memory": (Engine.PLAIN, 1_000),
    "in memory, in SQL": (Engine.DUCKDB, 1_000),
    "from file to file": (Engine.PLAIN, 0),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, large: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk that tells of every two lines, as it does of many thousand."""
    monkeypatch.setattr(shared_words, "TOGETHER", BETWEEN)
    monkeypatch.setattr(plain, "LINES_BETWEEN", BETWEEN)
    engine, most_lines = WAYS[request.param]
    matching = replace(large.matching, engine=engine, most_lines=most_lines)
    return replace(large, matching=matching)


def queue(world: World, desk: Desk) -> str:
    held = replace(desk, matching=replace(desk.matching, most_lines=1_000))
    read = service.read_own(held, COMMISSIONER, FILE, "lines.csv")
    record = world.do(lambda w: service.receive(w, held, COMMISSIONER, FILE, read))
    return world.do(lambda w: service.queue(w, COMMISSIONER, record.id))


def job_of(world: World, id: str) -> Job:
    found = world.do(lambda w: jobs.find(w, id, COMMISSIONER.organisation))
    assert found is not None
    return found


def listening(monkeypatch: pytest.MonkeyPatch, hear: Callable[[], None]) -> None:
    """Have `hear` called whenever a run has told how far it is, while it works."""
    progress = Held.progress

    def tell(held: Held, done: int, total: int | None) -> None:
        progress(held, done, total)
        hear()

    monkeypatch.setattr(Held, "progress", tell)


def test_the_job_holds_growing_numbers_while_the_run_works_and_all_lines_at_its_end(
    world: World, way: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.trial()
    job = queue(world, way)
    seen: list[tuple[str, int, int | None]] = []

    def look() -> None:
        held = job_of(world, job)
        seen.append((held.state, held.done, held.total))

    listening(monkeypatch, look)
    assert run_next(door(world), make_handlers(way))
    assert seen == [("running", done, OF) for done in (0, 2, 4, 6, OF)]
    ended = job_of(world, job)
    assert (ended.state, ended.done, ended.total) == ("done", OF, OF)
    (made,) = rows_of(world, tables.reconciliation_run)
    assert made["lines"] == OF


def test_what_is_told_changes_nothing_of_the_run(
    world: World, way: Desk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that tells nobody, of as many lines together as ever, finds it done already."""
    world.trial()
    queue(world, way)
    assert run_next(door(world), make_handlers(way))
    (made,) = rows_of(world, tables.reconciliation_run)
    monkeypatch.undo()
    again = run(world, way, path)
    assert (again.is_new, again.run.id) == (False, made["id"])
    assert again.run.outcomes_sha256 == made["outcomes_sha256"]


def test_a_few_lines_are_told_of_at_the_start_and_at_the_end_alone(
    world: World, way: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each telling is a transaction: no run has more of them than it has pieces of many lines."""
    monkeypatch.setattr(shared_words, "TOGETHER", 65_536)
    monkeypatch.setattr(plain, "LINES_BETWEEN", 8_192)
    told: list[int] = []
    job = queue(world, way)
    listening(monkeypatch, lambda: told.append(job_of(world, job).done))
    assert run_next(door(world), make_handlers(way))
    assert told == [0, OF]


def test_a_telling_that_the_database_does_not_take_fails_no_run(
    world: World, way: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.trial()
    job = queue(world, way)
    progress, told = jobs.progress, []

    def locked(*given: Any, done: int, **named: Any) -> None:
        told.append(done)
        if done == 4:
            raise OperationalError("UPDATE", {}, OSError("the database cannot be reached"))
        progress(*given, done=done, **named)

    monkeypatch.setattr(jobs, "progress", locked)
    assert run_next(door(world), make_handlers(way))
    assert told == [0, 2, 4, 6, OF]
    ended = job_of(world, job)
    assert (ended.state, ended.done, ended.error) == ("done", OF, None)


def test_a_run_whose_job_another_worker_has_stops_where_it_tells_of_it(
    world: World, way: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.trial()
    job = queue(world, way)
    progress, told = jobs.progress, []

    def overtaken(*given: Any, done: int, **named: Any) -> None:
        told.append(done)
        if done == 4:
            raise JobNotHeld
        progress(*given, done=done, **named)

    monkeypatch.setattr(jobs, "progress", overtaken)
    assert run_next(door(world), make_handlers(way))
    assert told == [0, 2, 4]
    assert job_of(world, job).state == "running"
    assert rows_of(world, tables.reconciliation_run) == []
    spilt = way.matching.spill_to
    assert spilt is not None
    assert [each for each in spilt.glob("runs/*") if each.is_dir()] == []


@pytest.mark.long
def test_killed_once_it_told_of_most_lines_it_begins_at_nought_and_comes_to_one_run(
    world: World, way: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.new_id = clock.new_id  # a process of its own draws ids of its own
    world.trial()
    job = queue(world, way)
    by_files = way.matching.most_lines == 0
    owner, name = (shared_words, "_lacking") if by_files else (plain, "_apply_limits")
    killed_there(world, lambda: run_next(door(world), make_handlers(way)), owner, name, False)
    left = job_of(world, job)
    assert (left.state, left.done, left.total) == ("running", OF if by_files else 6, OF)
    assert rows_of(world, tables.reconciliation_run) == []

    world.on(LATER + dt.timedelta(days=1))  # the lease has run out
    seen: list[int] = []
    listening(monkeypatch, lambda: seen.append(job_of(world, job).done))
    assert run_next(door(world), make_handlers(way))
    assert seen == [0, 2, 4, 6, OF]
    ended = job_of(world, job)
    assert (ended.state, ended.done, ended.attempts) == ("done", OF, 2)
    assert len(rows_of(world, tables.reconciliation_run)) == 1


def test_more_than_the_lines_on_record_are_never_told(
    world: World, large: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue(world, large)
    told: list[tuple[int, int | None]] = []

    def look() -> None:
        held = job_of(world, job)
        told.append((held.done, held.total))

    listening(monkeypatch, look)
    whole = at_scale.match_large

    def astray(*given: Any) -> Any:
        *others, tell = given
        for done in (3, 2, 3, OF + 1, 5):
            tell(done)
        return whole(*others)

    monkeypatch.setattr(at_scale, "match_large", astray)
    assert run_next(door(world), make_handlers(large))
    assert told == [(0, OF), (3, OF), (OF, OF)]
