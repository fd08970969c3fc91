"""Bounds what expressions grow to once the derived values that they use are written out.

Each expression is short, but forty values that each use the one before twice stand for a million
million parts: the billion laughs of this language. Found here, before anything is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.policy import nodes
from app.policy.check_base import Checked, FileChecker
from app.policy.document import Path

MOST_PARTS = 4_000
MOST_PARTS_OF_FILE = 40_000
DEEPEST = 100
"""The library's largest file comes to about a thousand parts, some tens of levels deep."""

_MEND = "Let fewer derived values build on one another, or split the policy"


@dataclass(frozen=True, slots=True)
class Size:
    """How many parts an expression has, and how many levels, written out in full."""

    parts: int
    levels: int

    @property
    def too_large(self) -> bool:
        return self.parts > MOST_PARTS or self.levels > DEEPEST


def check_size(checker: FileChecker) -> None:
    """Note a fault for the first derived value and for each criterion that grows too large."""
    sizes: dict[str, Size] = {}
    for path, name, _ in checker.entries("derive"):
        if _of_name(checker.checked, name, sizes).too_large:
            _fault(checker, path, name)
            return
    whole = 0
    for path, node in checker.checked.expressions.items():
        found = _of(checker.checked, node, sizes)
        whole += found.parts
        if found.too_large:
            _fault(checker, path, "the test")
    if whole > MOST_PARTS_OF_FILE:
        _fault(checker, (), "the file")


def _fault(checker: FileChecker, path: Path, what: str) -> None:
    message = f"{what} grows too large once the derived values that it uses are written out"
    checker.fault(path, "too-large", message, _MEND)


def _of_name(checked: Checked, name: str, sizes: dict[str, Size]) -> Size:
    """The size of a name, noted in `sizes`. What it uses stands above it, so is there already;
    only the inner values of a formula are met here first.
    """
    if name not in sizes:
        sizes[name] = Size(1, 1)
        over = checked.counts.get(name) or checked.picks.get(name)
        node = checked.derived.get(name) or (over.where if over else None)
        if node is not None:
            sizes[name] = _of(checked, node, sizes)
    return sizes[name]


def _of(checked: Checked, node: nodes.Node, sizes: dict[str, Size]) -> Size:
    if isinstance(node, nodes.Name):
        return _of_name(checked, node.name, sizes)
    below = [_of(checked, child, sizes) for child in nodes.children(node)]
    parts = 1 + sum(each.parts for each in below)
    return Size(parts, 1 + max((each.levels for each in below), default=0))
