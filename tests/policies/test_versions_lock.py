"""No version of a policy changes unseen: the lock holds the hash of each."""

from __future__ import annotations

from dataclasses import replace

from app.policy.lock import check_lock, lock_text
from tests.policies.library import LOCK, guarded


def test_the_lock_holds_every_packaged_version_and_no_other() -> None:
    assert [str(fault) for fault in check_lock(guarded(), LOCK.read_text("utf-8"))] == []


def test_the_lock_file_is_written_as_the_code_writes_it() -> None:
    assert LOCK.read_text("utf-8") == lock_text(guarded())


def test_the_lock_is_sorted_with_three_words_a_line() -> None:
    lines = lock_text(reversed(guarded())).splitlines()
    assert lines == sorted(lines)
    assert all(len(line.split(" ")) == 3 and len(line.split(" ")[2]) == 64 for line in lines)


def test_an_edited_version_is_a_fault_that_says_how_to_correct_it() -> None:
    first, *others = guarded()
    (fault,) = check_lock([replace(first, hash="0" * 64), *others], lock_text(guarded()))
    assert fault.code == "lock-changed"
    assert fault.mend == "A version in force is never edited: add a correction"
    assert f"{first.policy} {first.version}" in str(fault)


def test_a_version_without_a_line_is_a_fault() -> None:
    first, *others = guarded()
    (fault,) = check_lock(guarded(), lock_text(others))
    assert fault.code == "lock-missing"
    assert f"{first.policy} {first.version}" in str(fault)


def test_a_line_without_its_version_is_a_fault() -> None:
    first, *others = guarded()
    (fault,) = check_lock(others, lock_text(guarded()))
    assert fault.code == "lock-gone"
    assert f"{first.policy} {first.version}" in str(fault)


def test_a_line_that_cannot_be_read_or_stands_twice_is_a_fault() -> None:
    text = lock_text(guarded())
    again = text.splitlines()[0]
    codes = [fault.code for fault in check_lock(guarded(), f"{text}{again}\nnonsense\n")]
    assert codes == ["lock-twice", "lock-unreadable"]


def test_an_empty_lock_misses_every_version() -> None:
    faults = check_lock(guarded(), "")
    assert len(faults) == len(guarded())
    assert {fault.code for fault in faults} == {"lock-missing"}
