"""A first run killed at each of its steps: run again it comes to the same, and nothing twice.

On both databases, for a file that is held in memory and for one that is not.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.reconciliation import accepting, at_scale, files, rows_store, service, slice_store, store
from app.reconciliation.at_scale import ReconciledFile
from app.reconciliation.service import Desk, Reconciled, Worked
from tests.integration.reconciliation.test_at_scale import TABLES, laid_by, rows_of, run, stored
from tests.integration.reconciliation.test_at_scale import large as large
from tests.integration.reconciliation.test_at_scale import path as path
from tests.world import COMMISSIONER, World

pytestmark = pytest.mark.long

Step = tuple[Any, str]
#: What either way goes through: its own, that of writing files, and that of writing rows.
BOTH: tuple[Step, ...] = (
    (at_scale, "read_columns"),
    (files, "_write"),
    (files, "_sync_folder"),
    (store, "add_submission"),
    (accepting.slice_store, "add_version"),
    (rows_store, "keep"),
    (service, "snapshot_for"),
    (service, "save_run"),
    (store, "add_run"),
    (slice_store, "add_outcomes"),
    (service, "let_stand"),
)
IN_MEMORY: tuple[Step, ...] = (
    (service, "read_own"),
    (service, "receive"),
    (service, "accept"),
    (service, "match"),
)
FROM_FILE_TO_FILE: tuple[Step, ...] = (
    (at_scale, "placed_of"),
    (at_scale, "accept"),
    (at_scale, "match_rows"),
    (at_scale, "save_large"),
)
WAYS = [
    *((None, step) for step in (*BOTH, *IN_MEMORY)),
    *((0, step) for step in (*BOTH, *FROM_FILE_TO_FILE)),
]


def _named(value: object) -> str | None:
    """How a way is named where a test fails."""
    if not isinstance(value, tuple):
        return None
    most_lines, (_, name) = value
    return f"{'in memory' if most_lines is None else 'from file to file'}, {name}"


def _before(owner: Any, name: str) -> None:
    setattr(owner, name, lambda *_, **__: os._exit(9))


def _after(owner: Any, name: str) -> None:
    whole = getattr(owner, name)

    def done(*values: Any, **named: Any) -> None:
        whole(*values, **named)
        os._exit(9)

    setattr(owner, name, done)


@pytest.mark.parametrize("when", [_before, _after], ids=["before", "after"])
@pytest.mark.parametrize("way", WAYS, ids=_named)
def test_a_run_that_was_killed_comes_to_the_same_when_it_is_run_again(
    world: World,
    large: Desk,
    path: Path,
    tmp_path: Path,
    way: tuple[int | None, Step],
    when: Callable[[Any, str], None],
) -> None:
    most_lines, step = way
    desk = large
    if most_lines is None:
        desk = replace(large, matching=replace(large.matching, most_lines=1_000))
    world.trial()
    _kill(world, desk, path, lambda: when(*step))
    for _ in range(1_000):
        world.new_id()  # those that the child took
    again = run(world, desk, path)
    assert isinstance(again, Reconciled if most_lines is None else ReconciledFile)
    third = run(world, desk, path)
    assert (third.is_new, third.run) == (False, again.run)
    counts = {table.name: len(rows_of(world, table)) for table in TABLES}
    assert counts == {
        "submission": 1, "submission_rows": 1, "reconciliation_run": 1, "slice_head": 2,
        "slice_version": 2, "slice_outcome": 2, "slice_correction": 0,
    }  # fmt: skip
    assert _whole_files(desk) == {"submissions": 1, "rows": 1, "outcomes": 1}
    assert laid_by(desk) == []
    unkilled = _unkilled(world, desk, path, again, tmp_path)
    assert unkilled.summary == again.summary
    assert unkilled.summary.grand.accepted > 0
    assert service.digest_of_outcomes(unkilled.outcomes) == again.run.outcomes_file


def _kill(world: World, desk: Desk, path: Path, patch: Callable[[], None]) -> None:
    """Run in a process of its own, which ends at the patched step as a killed one does."""
    child = os.fork()
    if child == 0:
        try:
            # What the parent holds open to a server is the parent's: this one opens its own.
            world.database.engine.dispose(close=False)
            patch()
            run(world, desk, path)
        finally:
            os._exit(1)  # it was not killed: the step was not reached
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9, "the step was not reached"


def _whole_files(desk: Desk) -> dict[str, int]:
    """How many files of each kind are kept; one that was cut off in writing is none."""
    return {
        kind: len([name for name in names if not name.endswith(".part")])
        for kind, names in stored(desk).items()
    }


def _unkilled(
    world: World, desk: Desk, path: Path, found: Reconciled | ReconciledFile, folder: Path
) -> Worked:
    """What it comes to where nobody kills it."""
    submission = found.run.submission_id
    snapshot = world.database.read(
        lambda work: service.snapshot_for(
            work, desk, COMMISSIONER, store.find_submission(work, "DEMQ1", submission)
        ),
        moment=world.moment,
    )
    other = replace(desk, files=files.FileStore(folder / "other"))
    if isinstance(found, Reconciled):
        read = service.read_own(other, COMMISSIONER, path.read_bytes(), path.name)
        return service.match(other, COMMISSIONER, read, snapshot)
    (rows,) = stored(desk)["rows"]
    held = desk.files.path_of("DEMQ1", "rows", rows)
    large = at_scale.LargeSubmission(other, found.facts, held)
    return at_scale.match_large(large, snapshot, folder / "outcomes.parquet")
