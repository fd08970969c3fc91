"""A search for links and an export tell how far they are while they work."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.db import jobs
from app.reconciliation import at_scale, exporting, large_lines
from app.reconciliation.engines import progress
from app.reconciliation.exports import Written
from app.reconciliation.linkage import large, limited, proposing
from app.reconciliation.service import Desk
from app.work import Held
from tests.integration.reconciliation.test_deltas import work_off
from tests.integration.reconciliation.test_killed_links import FILE, LINES
from tests.world import COMMISSIONER, World

EACH = list(range(LINES + 1))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int | None]]:
    """What jobs tell; they tell of each line, as they do of many thousand."""
    heard: list[tuple[int, int | None]] = []
    whole = Held.progress

    def tell(held: Held, done: int, total: int | None) -> None:
        whole(held, done, total)
        heard.append((done, total))

    monkeypatch.setattr(Held, "progress", tell)
    monkeypatch.setattr(progress, "LINES_BETWEEN", 1)
    monkeypatch.setattr(large_lines, "AT_A_TIME", 1)
    one = partial(limited.Limits, lines_at_a_time=1, pairs_at_a_time=1)
    monkeypatch.setattr(limited, "Limits", one)
    monkeypatch.setattr(large, "Limits", one)
    return heard


def a_large_run(world: World, desk: Desk, folder: Path) -> tuple[Desk, str]:
    """A desk that holds no line in memory, and a run of it."""
    by_files = replace(desk, matching=replace(desk.matching, spill_to=folder, most_lines=0))
    world.trial()
    world.on(dt.date(2026, 8, 1))
    path = folder / "lines.csv"
    path.write_bytes(FILE)

    def read(fn: Callable[[Any], Any]) -> Any:
        return world.database.read(fn, moment=world.moment)

    return by_files, at_scale.reconcile_file(
        world.do, by_files, COMMISSIONER, path, read=read
    ).run.id


def state_of(world: World, job: str) -> str:
    found = world.do(lambda work: jobs.find(work, job, COMMISSIONER.organisation))
    assert found is not None
    return found.state


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_search_for_links_tells_how_many_lines_it_has_weighed(
    world: World,
    desk: Desk,
    tmp_path: Path,
    told: list[tuple[int, int | None]],
    in_memory: bool,
) -> None:
    by_files, run = a_large_run(world, desk, tmp_path)
    job = world.do(lambda work: proposing.queue(work, COMMISSIONER, run))
    work_off(world, desk if in_memory else by_files)
    assert state_of(world, job) == "done"
    assert told == [(done, LINES) for done in EACH]


@pytest.mark.parametrize("format", Written)
def test_an_export_tells_how_many_lines_it_has_written(
    world: World,
    desk: Desk,
    tmp_path: Path,
    told: list[tuple[int, int | None]],
    format: Written,
) -> None:
    by_files, run = a_large_run(world, desk, tmp_path)
    job = world.do(lambda work: exporting.queue(work, COMMISSIONER, run, format))
    work_off(world, by_files)
    assert state_of(world, job) == "done"
    assert told == [(done, LINES) for done in EACH]
