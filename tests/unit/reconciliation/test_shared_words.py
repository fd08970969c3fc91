"""Lines that are alike in what words rest on are worded once, and a key too coarse is seen."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from app.reconciliation import MatchedLine
from app.reconciliation.engines import out_of_core, shared_words, word_keys
from app.reconciliation.engines.reason_keys import COUNTS
from app.reconciliation.engines.word_keys import GROUPS
from app.reconciliation.errors import EnginesDisagree
from tests.unit.reconciliation import nasty
from tests.unit.reconciliation.builders import cells, coverage, snapshot, submission
from tests.unit.reconciliation.test_out_of_core import at_scale

KEYS = {group.name: group.key for group in GROUPS}


def test_lines_that_are_alike_are_worded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worded: list[int] = []
    made = shared_words._made

    def counted(places: Sequence[int], matched: Sequence[MatchedLine]) -> pa.Table:
        worded.extend(places)
        return made(places, matched)

    monkeypatch.setattr(shared_words, "_made", counted)
    monkeypatch.setattr(shared_words, "COMPARED", 1 << 60)
    monkeypatch.setattr(shared_words, "TOGETHER", 7)
    lines = submission(*(cells(date=f"2025-05-{day:02}") for day in range(1, 29))).lines
    _, matched = at_scale(tmp_path, lines, snapshot(coverage()))
    assert {item.outcome for item in matched} == {"matched"}
    assert len({item.reason for item in matched}) == 1
    assert len(matched) == 28
    assert len(worded) == 1


@pytest.mark.parametrize("name", ["provider", "standing", "reason"])
def test_a_key_that_says_too_little_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    key = KEYS.get(name, word_keys.REASON)
    spoilt = shared_words.KEYED.replace(f"ROW({key})", "ROW(1)")
    assert spoilt != shared_words.KEYED
    monkeypatch.setattr(shared_words, "KEYED", spoilt)
    monkeypatch.setattr(shared_words, "COMPARED", 1)
    drawn: tuple[Any, Any] = nasty.packed(random.Random(1), 12)
    with pytest.raises(EnginesDisagree):
        at_scale(tmp_path, *drawn)


@pytest.mark.parametrize("name", ["start", "patient", "quantity", "standing", "apart"])
def test_a_reason_that_does_not_rest_on_what_its_tests_say_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where a group's number is left out of a reason's key, other lines' reasons are taken."""
    spoilt = shared_words.KEYED.replace(f"coalesce({COUNTS[name]}, FALSE)", "FALSE")
    assert spoilt != shared_words.KEYED
    monkeypatch.setattr(shared_words, "KEYED", spoilt)
    monkeypatch.setattr(shared_words, "COMPARED", 1)
    drawn: tuple[Any, Any] = nasty.packed(random.Random(2), 60)
    with pytest.raises(EnginesDisagree):
        at_scale(tmp_path, *drawn)


def test_a_number_that_two_wordings_share_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shared_words._number

    def one(connection: Any, name: str) -> None:
        number(connection, name)
        connection.execute(f"UPDATE number_{name} SET n = 1")

    monkeypatch.setattr(shared_words, "_number", one)
    monkeypatch.setattr(shared_words, "COMPARED", 1)
    drawn: tuple[Any, Any] = nasty.packed(random.Random(1), 12)
    with pytest.raises(EnginesDisagree):
        at_scale(tmp_path, *drawn)


def test_the_words_of_some_lines_read_no_table_of_all_approvals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be read anew for each of the pieces that a file is worded in."""
    told, all_approvals = out_of_core.outcomes_told, ("coverage", "coverage_said")

    def without(connection: Any, *given: Any) -> Iterator[pa.Table]:
        for name in all_approvals:
            connection.execute(f"ALTER VIEW {name} RENAME TO hidden_{name}")
        yield from told(connection, *given)
        for name in all_approvals:
            connection.execute(f"ALTER VIEW hidden_{name} RENAME TO {name}")

    monkeypatch.setattr(out_of_core, "outcomes_told", without)
    monkeypatch.setattr(shared_words, "TOGETHER", 50)
    lines, snap = nasty.packed(random.Random(3), 12)
    _, matched = at_scale(tmp_path, lines, snap)
    assert len(matched) == len(lines) > 50
