"""Two workers whose turn at a chore comes at one moment do it one after the other."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI

from app.door import Door
from app.housekeeping import (
    forgetting,
    keeping_lists,
    keeping_pseudonyms,
    rematching_changes,
    summing_reports,
    summing_up,
)
from app.reconciliation.service import Desk
from app.settings import Settings
from app.work import Chore, Watcher
from tests.functional.approvals.api import Api, good, initiation
from tests.functional.approvals.scene import SUBMISSION_ROW, run_of
from tests.functional.desk.test_desk import as_csv
from tests.integration.db.together import waits
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.postgres

CHORES: dict[str, Callable[[Settings, Desk], Chore]] = {
    "forgetting": lambda settings, _: forgetting(settings),
    "lists": lambda _, desk: keeping_lists(desk),
    "overviews": lambda _, desk: summing_up(desk),
    "pseudonyms": lambda _, desk: keeping_pseudonyms(desk),
    "rematching": lambda _, __: rematching_changes(),
    "reports": lambda _, __: summing_reports(),
}


@dataclass(frozen=True)
class Halting(Door):
    """A door whose first transaction halts when all but its commit is done."""

    halted: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def transact(self, fn: Callable[..., Any], **given: Any) -> Any:
        def halting(work: Any) -> Any:
            made = fn(work)
            work.send()
            self.halted.set()
            assert self.go_on.wait(PATIENCE_SECONDS)
            return made

        return super().transact(halting, **given)


class Failures(Watcher):
    def __init__(self) -> None:
        self.failed: list[tuple[str, str]] = []

    def chore_failed(self, name: str, error: str) -> None:
        self.failed.append((name, error))


@pytest.mark.parametrize("database", ["postgres"], indirect=True)  # SQLite has one writer
@pytest.mark.parametrize("chore", CHORES)
def test_neither_fails_and_nothing_is_done_twice(
    people: Mapping[str, Api], application: FastAPI, chore: str
) -> None:
    door, settings = application.state.door, application.state.settings
    good(people["clinician"].post("/v1/requests", initiation(1)), 201)
    run_of(people["commissioner"], application, as_csv(SUBMISSION_ROW))
    first = Halting(door.database, door.now, door.new_id, door.random_bytes)
    seen = Failures()
    made = [CHORES[chore](settings, application.state.desk) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        try:
            one = pool.submit(made[0].run_if_due, first, seen)
            assert first.halted.wait(PATIENCE_SECONDS)
            other = pool.submit(made[1].run_if_due, door, seen)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not waits(door.database):
                assert not other.done(), "the second worker did not wait for the first"
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            first.go_on.set()
        one.result(PATIENCE_SECONDS)
        other.result(PATIENCE_SECONDS)
    assert seen.failed == []
