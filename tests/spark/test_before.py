"""Spark counts what stood before by the same steps: what the plain functions say, to the digit."""

import random
from pathlib import Path

import pytest

from app.reconciliation import earlier_many
from app.reconciliation.earlier import told_before
from app.reconciliation.engines import spark
from tests.unit.reconciliation.earlier_files import KEY, draw, looking, stored

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_the_steps_of_what_stood_before_say_the_same_on_spark(
    local: spark.Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = draw(random.Random(4), cases=60, keyed=0.3)
    others, own = stored(tmp_path, drawn)
    plain = told_before(looking(tmp_path, 10**9, KEY), others, own, drawn.snapshot)
    monkeypatch.setattr(earlier_many, "opened", lambda _: spark.opened(local))
    counted = told_before(looking(tmp_path, 0, KEY), others, own, drawn.snapshot)
    assert counted == plain
    assert len(plain.used) > 20
    assert plain.spaced
