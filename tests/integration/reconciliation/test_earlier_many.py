"""In the service: what stood before is the same whether few lines or many are taken for it."""

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.reconciliation import at_scale, service
from app.reconciliation.engines.choice import Choice
from app.reconciliation.outcome_files import from_parquet
from app.reconciliation.service import OUTCOMES, Desk
from app.reconciliation.snapshots import digest_of
from app.reconciliation.store import SubmissionRecord
from tests.integration.reconciliation.matching import line
from tests.integration.reconciliation.test_earlier import (
    AUGUST,
    JULY,
    JUNE,
    Row,
    again,
    approve,
    vials,
)
from tests.integration.reconciliation.test_slices import freeze, send
from tests.world import COMMISSIONER, World

SEPTEMBER = dt.date(2026, 9, 1)
SEEDS = range(3)


@pytest.mark.parametrize("seed", SEEDS)
def test_restatements_credits_and_corrections_of_a_closed_month_count_the_same(
    world: World, desk: Desk, tmp_path: Path, seed: int
) -> None:
    source = random.Random(seed)
    approve(world)
    sent = [send(world, desk, *_drawn(source, n, [JUNE, JULY])) for n in range(4)]
    freeze(world, 3, dt.date(2026, 7, 20))
    world.on(dt.date(2026, 8, 10))
    sent += [
        send(world, desk, *_drawn(source, n, [JUNE, JULY, AUGUST, SEPTEMBER])) for n in range(4, 9)
    ]
    counting = replace(desk, matching=Choice(spill_to=tmp_path / "spill", most_lines=0))
    used = 0
    for record in sent:
        plain, many = (_seen(world, each, record) for each in (desk, counting))
        assert many.earlier == plain.earlier
        assert digest_of(many) == digest_of(plain)
        used += len(many.earlier.used)
    assert used > 0
    _compare_runs(world, desk, counting, sent[-1], tmp_path)


def _seen(world: World, desk: Desk, record: SubmissionRecord) -> Any:
    def seen(work: Any) -> Any:
        return service.snapshot_for(work, desk, COMMISSIONER, record)

    return world.database.read(seen, moment=world.moment)


def _compare_runs(
    world: World, desk: Desk, counting: Desk, record: SubmissionRecord, folder: Path
) -> None:
    """The run of the last submission, in memory and from file to file."""
    plain = again(world, desk, record)
    file = folder / "lines.csv"
    file.write_bytes(desk.files.read("DEMQ1", "submissions", record.sha256, record.sha256))

    def read(fn: Any) -> Any:
        return world.database.read(fn, moment=world.moment)

    done = at_scale.reconcile_file(world.do, counting, COMMISSIONER, file, read=read)
    kept = desk.files.read("DEMQ1", OUTCOMES, done.run.outcomes_file, done.run.outcomes_sha256)
    found = from_parquet(kept, plain.submission.lines)
    assert [(x.outcome, x.accepted, x.queried) for x in found] == [
        (x.outcome, x.accepted, x.queried) for x in plain.matched
    ]
    assert done.run.snapshot_digest == plain.run.snapshot_digest


def _drawn(source: random.Random, n: int, months: Sequence[dt.date]) -> list[Row]:
    day = months[n % len(months)]
    also = source.sample(months, source.choice((0, 0, 1)))
    rows = [
        vials(each, source.randint(1, 3), unit=source.choice(("vial", "Vial", "mg")))
        for each in (day, *also)
        for _ in range(source.randint(1, 2))
    ]
    count = source.randint(1, 3)
    if source.random() < 0.7:
        back = {"total": f"-{1000 * count}", "quantity": str(count)}
        rows.append(line(day, **back))
    # A line of its own keeps two files from being the same one.
    return [*rows, line(day, drug="delivery", total=f"{n + 1}.01")]
