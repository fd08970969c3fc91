"""A key holds all that words depend on: each line's words are what they are when worded alone."""

import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.reconciliation import MatchedLine, match_submission
from app.reconciliation.engines import shared_words
from app.reconciliation.errors import EnginesDisagree
from app.reconciliation.outcome_files import to_parquet
from tests.unit.reconciliation import nasty, word_cases
from tests.unit.reconciliation.builders import DRUGS_AND_ORGANISATIONS
from tests.unit.reconciliation.test_out_of_core import at_scale

NONE, EVERY = 1 << 60, 1
#: What is left out of a key, and what stands there instead.
SPOILT = {
    "why a reference fails": ("misquote.why,", "NULL,"),
    "how it is contracted": ("told.contract_why,", "NULL,"),
    "how the time lies": ("coalesce(lies.state, 'within'),", "'within',"),
    "the approval's state": ("THEN coverage.status END", "THEN NULL END"),
    "the two drugs": ("THEN ROW(told.drug, coverage.drug) END", "THEN NULL END"),
    "when it was due": ("THEN coverage.continuation_due END", "THEN NULL END"),
    "the approval's days": ("coverage.from_day, coverage.to_day, fits", "NULL"),
    "the note": ("told.step = 'diagnosed' AND told.reference IS NOT NULL,", "FALSE,"),
    "less than nothing": ("told.total < 0,", "NULL,"),
    "nothing": ("told.total = 0,", "NULL,"),
    "what was charged": ("told.kind, told.shifted,", "NULL,"),
    "the drug's name": ("ROW(read.drug_code, read.drug_name, era.era)", "NULL"),
    "why it is not legible": ("ROW(fault.field, fault.why)", "1"),
    "the request": ("ROW(waits.kind, waits.submitted_on)", "NULL"),
    "whether a patient is named": ("told.first_day IS NULL, told.has_identity,", "NULL,"),
    "which provider": ("told.step = 'found' AND NOT told.test_provider", "FALSE"),
    "the contract": ("(told.step = 'settled' AND told.by_contract)", "FALSE"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_key_without_what_words_state_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    piece, instead = SPOILT[name]
    spoilt = shared_words.KEYED.replace(piece, instead)
    assert spoilt != shared_words.KEYED
    monkeypatch.setattr(shared_words, "KEYED", spoilt)
    monkeypatch.setattr(shared_words, "COMPARED", EVERY)
    with pytest.raises(EnginesDisagree):
        at_scale(tmp_path, *word_cases.drawn())


def test_lines_of_every_kind_have_the_words_that_the_plain_engine_gives_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worded: list[tuple[int, str | None]] = []
    made = shared_words._made

    def counted(states: Any, matched: Sequence[MatchedLine]) -> pa.Table:
        worded.extend(states)
        return made(states, matched)

    monkeypatch.setattr(shared_words, "_made", counted)
    monkeypatch.setattr(shared_words, "COMPARED", NONE)
    lines, snap = word_cases.drawn()
    plain = match_submission(lines, snap, *DRUGS_AND_ORGANISATIONS)
    at_scale(tmp_path, lines, snap)
    written = pq.read_table(tmp_path / "outcomes.parquet").to_pylist()
    assert written == pq.read_table(io.BytesIO(to_parquet(plain))).to_pylist()
    assert len(worded) < len(lines) / 2  # each case is there twice, and credits are alike


@pytest.mark.parametrize("seed", range(20, 24))
def test_random_lines_say_by_their_keys_what_they_say_when_each_is_worded_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """A difference in any field of any line would stop the run."""
    monkeypatch.setattr(shared_words, "COMPARED", EVERY)
    lines, snap = nasty.packed(random.Random(seed), 30)
    _, matched = at_scale(tmp_path, lines, snap)
    assert len(matched) == len(lines)
