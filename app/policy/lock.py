"""`policies/versions.lock`: the hash of every version, so that none in force is edited unseen."""

from __future__ import annotations

from collections.abc import Iterable

from app.policy.errors import Fault
from app.policy.model import Overlay, PolicyVersion

LOCK_FILE = "policies/versions.lock"


def lock_text(versions: Iterable[PolicyVersion | Overlay]) -> str:
    """The lock's text: `<policy> <version> <sha256>` a line, sorted."""
    lines = sorted(f"{found.policy} {found.version} {found.hash}" for found in versions)
    return "".join(f"{line}\n" for line in lines)


def locked_hashes(text: str) -> frozenset[str]:
    """The hashes that the lock vouches for: each was checked in full before its line was written.

    Lines that say something else vouch for nothing; `check_lock` tells of them.
    """
    locked, _ = _read(text)
    return frozenset(digest for _, digest in locked.values())


def check_lock(versions: Iterable[PolicyVersion | Overlay], text: str) -> tuple[Fault, ...]:
    """Every way in which the versions and the lock's text disagree; empty when they agree."""
    locked, faults = _read(text)
    current = {(found.policy, found.version): found.hash for found in versions}
    for (policy, version), found in sorted(current.items()):
        if (policy, version) not in locked:
            message = f"{policy} {version} is not in the lock"
            faults.append(_fault(None, "missing", message, "Add its line when it is published"))
        elif locked[policy, version][1] != found:
            message = f"{policy} {version} no longer has the hash it was published with"
            mend = "A version in force is never edited: add a correction"
            faults.append(_fault(locked[policy, version][0], "changed", message, mend))
    for (policy, version), (line, _) in locked.items():
        if (policy, version) not in current:
            message = f"{policy} {version} is locked, but its file is gone"
            mend = "Put the file back: decisions made under it must stay replayable"
            faults.append(_fault(line, "gone", message, mend))
    return tuple(faults)


def _read(text: str) -> tuple[dict[tuple[str, str], tuple[int, str]], list[Fault]]:
    locked: dict[tuple[str, str], tuple[int, str]] = {}
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split(" ")
        if len(words) != 3 or not all(words):
            message = "a line is not `<policy> <version> <sha256>`"
            faults.append(_fault(number, "unreadable", message, "Write the lock again"))
        elif (words[0], words[1]) in locked:
            message = f"{words[0]} {words[1]} is locked twice"
            faults.append(_fault(number, "twice", message, "Keep the line it was published with"))
        else:
            locked[words[0], words[1]] = (number, words[2])
    return locked, faults


def _fault(line: int | None, code: str, message: str, mend: str) -> Fault:
    return Fault(LOCK_FILE, line, None, f"lock-{code}", message, mend)
