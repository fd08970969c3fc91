"""Rounds of calls: every operation in turn, on a world of its own that begins alike.

A round follows from the run's seed and its number, so that one that failed is run again alone.
"""

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from joserfc.jwk import RSAKey
from schemathesis import GenerationMode
from schemathesis.python import asgi

from app.approvals.library import Library
from tests.functional.approvals.scene import work_off
from tests.fuzz import stage
from tests.fuzz.api import Served, bounded
from tests.fuzz.calls import Operation, drawn
from tests.fuzz.examples import Hand
from tests.fuzz.grounds import Ground
from tests.fuzz.invariants import broken
from tests.fuzz.judge import Marks, Totals, judged
from tests.fuzz.sight import EXAMPLE, patients, private_ids

#: Calls of one operation in a round of a long run.
SHARE: Final = 16
#: Rounds that share what Schemathesis drew, and how much it draws of each operation and kind.
BLOCK: Final = 10
DRAWN: Final = 30
SHOWN: Final = 5
#: Steps that leave an object to no other: of the first calls of a round they are the last.
LAST: Final = frozenset(
    {"refuse", "discard", "decline", "withdraw", "revoke", "withdraw-role", "linkage-proposals"}
    | {"empty-months", "submissions", "enter-in-error", "not-started"}
)


@dataclass
class Fuzz:
    """What all rounds share."""

    library: Library
    base: Path
    ground: Ground
    chosen: int
    share: int
    told: Callable[[str], None]
    drawn: int = DRAWN
    #: Asked before each call; raises where the run is to end.
    go_on: Callable[[], None] = lambda: None
    served: Served = field(default_factory=lambda: Served(None))  # type: ignore[arg-type]
    operations: list[Operation] = field(default_factory=list)
    #: Of the round that is running.
    running: Totals = field(default_factory=Totals)
    _block: tuple[int, dict[str, list[schemathesis.Case]]] = (-1, {})

    def learn(self) -> None:
        """Read the description of the API that is called."""
        with self._world(0) as world:
            self.served.app = world.app
            # Not by its own client, whose thread a forked round would wait for: it has none.
            described = TestClient(world.app).get("/openapi.json").json()
            schema = schemathesis.openapi.from_dict(described, config=bounded(self.drawn))
            schema.app, schema.location = self.served, "/openapi.json"
            self.operations = [Operation(each.ok()) for each in schema.get_all_operations()]

    def round(self, turn: int) -> Totals:
        """What came of one round."""
        totals = self.running = Totals()
        generated = self._drawn(turn // BLOCK)
        draw = random.Random(f"{self.chosen}/{turn}")
        order = draw.sample(self.operations, len(self.operations))
        with self._world(turn) as world:
            self.served.app = world.app
            self._calls(turn, world, order, generated, draw, totals)
            faults = broken(world)
            for fault in faults[:SHOWN]:
                self.told(f"FAILED after round {turn} (seed {self.chosen}): {fault}")
            totals.failures["after a round"] += len(faults)
        return totals

    @contextmanager
    def _world(self, turn: int) -> Iterator[stage.Stage]:
        with tempfile.TemporaryDirectory(prefix="assent-fuzz-") as folder:
            into, seed_ = Path(folder) / "world", f"{self.chosen}/{turn}"
            with stage.copied(self.ground, self.base, into, self.library, turn, seed_) as world:
                yield world

    def _calls(
        self,
        turn: int,
        world: stage.Stage,
        order: list[Operation],
        generated: dict[str, list[schemathesis.Case]],
        draw: random.Random,
        totals: Totals,
    ) -> None:
        used = dict[str, int]()
        marks = _marks(world)
        # First a good call of each, while all is as it was built; then the rest of each together.
        first = sorted(order, key=lambda operation: operation.step in LAST)
        passes = ((range(1), first), (range(1, self.share), order))
        each_ = [(numbers, operation) for numbers, several in passes for operation in several]
        with asgi.get_client(self.served) as session:
            for numbers, operation in each_:
                with world.sight.connect() as connection:
                    marks.ids = private_ids(connection)
                for number in numbers:
                    self.go_on()
                    with world.sight.connect() as connection:
                        now = world.clock.instant
                        hand = Hand(
                            draw, connection, now, _KEY, used, stage.SEATS[0], None, marks.marks
                        )
                        call = drawn(operation, hand, generated[operation.label], number)
                    try:
                        judged(operation, call, session, marks, totals)
                    except (Exception, BaseExceptionGroup) as error:
                        totals.failures[operation.label] += 1
                        if totals.failures[operation.label] <= SHOWN:
                            self.told(f"FAILED {operation.label} (seed {self.chosen}, round {turn}"
                                      f", call {number}):\n{error}")  # fmt: skip
                work_off(world.app)

    def _drawn(self, block: int) -> dict[str, list[schemathesis.Case]]:
        """Cases of Schemathesis's own, of every operation, as described and not."""
        if self._block[0] != block:
            self._block = (
                block,
                {
                    operation.label: [
                        case
                        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
                        for case in cases(operation.raw, mode, self.drawn, f"{self.chosen}/{block}")
                    ]
                    for operation in self.operations
                },
            )
        return self._block[1]


_KEY = RSAKey.generate_key(3072)
PUBLIC_KEY = _KEY.as_pem(private=False).decode()


def _marks(world: stage.Stage) -> Marks:
    found: dict[str, str] = {}
    with world.sight.connect() as connection:
        for each in patients(connection):
            families = {stage.FAMILIES[o] for o in each.organisations if o in stage.FAMILIES}
            if len(families) == 1 and each.nhs_number != EXAMPLE:
                (family,) = families
                found |= {mark: family for mark in (each.nhs_number, each.local_id) if mark}
    return Marks(found)


def cases(operation: Any, mode: GenerationMode, count: int, chosen: str) -> list[schemathesis.Case]:
    """So many cases of an operation; fewer, or none, where there are no more."""
    made: list[schemathesis.Case] = []
    if not count:
        return made

    @seed(chosen)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def keep(case: schemathesis.Case) -> None:
        # In an address a list of none is not there, and a list of one is what it holds: what is
        # wrong as it was drawn may be right as it is sent.
        assume(not any(isinstance(each, list) and len(each) < 2 for each in case.query.values()))
        made.append(case)

    try:
        keep()
    except BaseException as error:
        # An operation without anything to get wrong has no case of that kind.
        if type(error).__name__ not in {"Unsatisfiable", "SkipTest", "Skipped"}:
            raise
    return made
