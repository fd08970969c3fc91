"""Merkle trees over the rows of a sealed batch, as RFC 6962 draws them: pure functions.

A leaf and a node are hashed with different first bytes, so that no node can pass for a leaf.
"""

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").hexdigest()


def leaf(content: str) -> str:
    """The hash of one row's content, in hexadecimal."""
    return hashlib.sha256(b"\x00" + content.encode()).hexdigest()


def _node(left: str, right: str) -> str:
    return hashlib.sha256(b"\x01" + bytes.fromhex(left) + bytes.fromhex(right)).hexdigest()


def _split(count: int) -> int:
    """The largest power of two that is smaller than `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def root(leaves: Sequence[str]) -> str:
    """The root over leaf hashes, in order; of none, the hash of nothing."""
    level = list(leaves)
    if not level:
        return EMPTY
    # Level by level: pairs, and a last odd one moves up unhashed, which is RFC 6962's tree.
    while len(level) > 1:
        above = [_node(a, b) for a, b in zip(level[::2], level[1::2], strict=False)]
        level = above + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def path(leaves: Sequence[str], index: int) -> list[str]:
    """The hashes that lead from the leaf at `index` to the root, from the leaf upwards.

    Raises IndexError where there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    if len(leaves) == 1:
        return []
    half = _split(len(leaves))
    if index < half:
        return [*path(leaves[:half], index), root(leaves[half:])]
    return [*path(leaves[half:], index - half), root(leaves[:half])]


def leads_to(leaf_hash: str, index: int, count: int, steps: Sequence[str], expected: str) -> bool:
    """Whether a leaf at `index` of `count` leads by these steps to the expected root."""
    if not 0 <= index < count:
        return False
    return _climb(leaf_hash, index, count, list(steps)) == expected


def _climb(leaf_hash: str, index: int, count: int, steps: list[str]) -> str | None:
    if count == 1:
        return leaf_hash if not steps else None
    if not steps:
        return None
    half = _split(count)
    *below, beside = steps
    if index < half:
        inner = _climb(leaf_hash, index, half, below)
        return None if inner is None else _node(inner, beside)
    inner = _climb(leaf_hash, index - half, count - half, below)
    return None if inner is None else _node(beside, inner)
