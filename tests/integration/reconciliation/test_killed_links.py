"""A worker killed while it proposes approvals for a large run: one search, no proposal twice."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.db import jobs, tables
from app.reconciliation import at_scale
from app.reconciliation.linkage import limited, proposing, store
from app.reconciliation.service import Desk
from app.reference_data.nhs_number import test_number as invented_nhs_number
from app.work import Watcher
from tests.integration.reconciliation.killing import killed_there
from tests.integration.reconciliation.matching import line
from tests.integration.reconciliation.test_deltas import AFTER, JUNE, work_off
from tests.integration.reconciliation.test_runs import count
from tests.unit.reconciliation.builders import csv_bytes
from tests.world import COMMISSIONER, World

pytestmark = pytest.mark.long

NUMBER = invented_nhs_number(1)
MISTYPED = f"{NUMBER[:-2]}{(int(NUMBER[-2]) + 5) % 10}{NUMBER[-1]}"
LINES = 4
FILE = csv_bytes(
    [
        line(JUNE + dt.timedelta(days=n), nhs=MISTYPED, local="", total=f"{n + 1}00")
        for n in range(LINES)
    ]
)
#: Where the worker is: what it is about to do, or has just done.
MOMENTS: dict[str, tuple[Any, str, bool]] = {
    "once the pairs are laid": (limited, "lay_compared", True),
    "before anything is written": (store, "add", False),
    "once all is written and not committed": (store, "add", True),
    "once its job is told to be done and nothing is committed": (jobs, "finish", True),
    "once all is committed": (Watcher, "job_ended", False),
}


@pytest.mark.parametrize("place", MOMENTS)
def test_killed_anywhere_there_is_one_search_and_each_proposal_once(
    world: World, desk: Desk, tmp_path: Path, place: str
) -> None:
    world.new_id = clock.new_id  # a process of its own draws ids of its own
    matching = replace(desk.matching, spill_to=tmp_path / "spill", most_lines=0)
    desk = replace(desk, matching=matching)
    world.trial()
    world.on(dt.date(2026, 8, 1))
    path = tmp_path / "lines.csv"
    path.write_bytes(FILE)

    def read(fn: Any) -> Any:
        return world.database.read(fn, moment=world.moment)

    made = at_scale.reconcile_file(world.do, desk, COMMISSIONER, path, read=read)
    world.do(lambda work: proposing.queue(work, COMMISSIONER, made.run.id))

    owner, name, after = MOMENTS[place]
    killed_there(world, lambda: work_off(world, desk), owner, name, after)
    committed = name == "job_ended"
    searches = count(world, tables.linkage_search), count(world, tables.linkage_proposal)
    assert searches == ((1, LINES) if committed else (0, 0))
    for later in (1, 2):  # a second worker has nothing left to add
        world.on(AFTER + dt.timedelta(days=later))
        work_off(world, desk)
        assert count(world, tables.linkage_search) == 1
        assert count(world, tables.linkage_proposal) == LINES
    listed = world.do(lambda work: proposing.list_proposals(work, COMMISSIONER, made.run.id, 10))
    assert [each.proposed.row for each in listed.proposals] == [4, 3, 2, 1]  # most pounds first
    assert listed.counts.charged == 1000
