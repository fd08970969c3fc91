"""Answers about files that do not change are kept, a bounded number of them."""

from functools import partial
from pathlib import Path

import pytest

from app.reconciliation.errors import StoredFileDamaged
from app.reconciliation.files import FileStore
from app.reconciliation.kept_answers import KeptAnswers


def test_an_answer_is_worked_out_once_while_it_is_among_the_last_asked_for() -> None:
    worked_out: list[str] = []

    def length(word: str) -> int:
        worked_out.append(word)
        return len(word)

    kept: KeptAnswers[int] = KeptAnswers(2)
    for word in ("a", "bb", "a", "ccc", "a", "bb"):
        assert kept.of(word, partial(length, word)) == len(word)
    assert worked_out == ["a", "bb", "ccc", "bb"]


def test_what_is_raised_is_not_kept() -> None:
    kept: KeptAnswers[int] = KeptAnswers(2)
    with pytest.raises(ZeroDivisionError):
        kept.of("a", lambda: 1 // 0)
    assert kept.of("a", lambda: 1) == 1


def test_a_file_that_was_read_whole_and_then_altered_is_found_damaged(tmp_path: Path) -> None:
    files, source = FileStore(tmp_path / "files"), tmp_path / "rows"
    source.write_bytes(b"as it was read")
    digest = files.save_file("DEMQ1", "rows", source)
    path = files.path_of("DEMQ1", "rows", digest)
    assert files.path_of("DEMQ1", "rows", digest) == path
    path.write_bytes(b"as it was READ")
    with pytest.raises(StoredFileDamaged):
        files.path_of("DEMQ1", "rows", digest)
