"""How many rows of a list the prover needs, so that what holds for them holds for any list.

A count compared with k says the same of a list and of any part of it that keeps k rows that count
(k + 1 for an upper limit). Keeping that many for each count, all comparisons stay as they were; so
the sum over the counts of a list is enough. Counts that are subtracted or compared with each other
have no such bound: those lists are `bounded`, and a proof over them would prove too little.

A pick says the same of a list and of any part of it that keeps two rows: the last that surely
counts, and another that could be the pick and differs from it, if there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.authoring.reading import Chosen, Counted, Opaque, Picked, Reading, Worked
from app.policy import nodes

MOST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows needed by list, and the lists for which they are not surely enough."""

    needed: dict[str, int]
    bounded: frozenset[str]


def rows_needed(readings: Iterable[tuple[Reading, Iterable[nodes.Node]]]) -> Rows:
    """The rows that a query over these expressions needs."""
    limits: dict[tuple[str, str], int] = {}
    loose: set[str] = set()
    opaque: set[str] = set()
    for reading, tests in readings:
        for test in tests:
            for node in _all(reading, test):
                _look(reading, node, limits, loose)
                _look_at_pick(reading, node, limits)
            opaque |= set(_opaque_lists(reading, test))
    needed: dict[str, int] = {}
    for (list_name, _), limit in limits.items():
        needed[list_name] = needed.get(list_name, 0) + limit
    for name in opaque:
        needed[name] = needed.get(name, 0) + 1
    bounded = {name for name, rows in needed.items() if rows > MOST_ROWS} | loose
    return Rows({n: min(rows, MOST_ROWS) for n, rows in needed.items()}, frozenset(bounded))


def _all(reading: Reading, node: nodes.Node) -> Iterator[nodes.Node]:
    """Every node of a test, of the derived values that it names, and of what their rows must be."""
    yield from _on_the_form(reading, node)
    for each in _on_the_form(reading, node):
        if isinstance(each, nodes.Name):
            match reading.derived.get(each.name):
                case Counted(_, where) | Picked(where=where) if where is not None:
                    yield from _all(reading, where)


def _on_the_form(reading: Reading, node: nodes.Node) -> Iterator[nodes.Node]:
    """Every node of a test and of the derived values that it names, without their rows' tests."""
    yield node
    if isinstance(node, nodes.Name):
        match reading.derived.get(node.name):
            case Worked(inner):
                yield from _on_the_form(reading, inner)
            case Chosen(branches, otherwise):
                for part in (*(n for pair in branches for n in pair), otherwise):
                    if part is not None:
                        yield from _on_the_form(reading, part)
    for child in nodes.children(node):
        yield from _on_the_form(reading, child)


def _opaque_lists(reading: Reading, node: nodes.Node) -> Iterator[str]:
    for each in _all(reading, node):
        if isinstance(each, nodes.Name):
            found = reading.derived.get(each.name)
            if isinstance(found, Picked) or not isinstance(found, Opaque):
                continue
            if found.list_name is not None:
                yield found.list_name


def _look_at_pick(reading: Reading, node: nodes.Node, limits: dict[tuple[str, str], int]) -> None:
    if isinstance(node, nodes.Name):
        found = reading.derived.get(node.name)
        if isinstance(found, Picked) and found.list_name is not None:
            limits[found.list_name, found.definition] = 2


def _look(
    reading: Reading, node: nodes.Node, limits: dict[tuple[str, str], int], loose: set[str]
) -> None:
    if not isinstance(node, nodes.Compare | nodes.Between | nodes.In):
        return
    counts = list(_counts_in(reading, node))
    if not counts:
        return
    sides = nodes.children(node)
    with_counts = [side for side in sides if any(True for _ in _counts_in(reading, side))]
    plain = len(with_counts) == 1 and all(
        side in with_counts or isinstance(side, nodes.Literal) for side in sides
    )
    sound = plain and all(_adds_only(reading, side) for side in with_counts)
    limit = 1 + sum(abs(int(value)) for value in _literals(reading, node))
    for count in counts:
        key = (count.list_name, repr(count.where))
        limits[key] = max(limits.get(key, 0), min(limit, 100))
        if not sound:
            loose.add(count.list_name)


def _counts_in(reading: Reading, node: nodes.Node) -> Iterator[Counted]:
    for each in _on_the_form(reading, node):
        if isinstance(each, nodes.Name):
            found = reading.derived.get(each.name)
            if isinstance(found, Counted):
                yield found


def _literals(reading: Reading, node: nodes.Node) -> Iterator[int]:
    for each in _on_the_form(reading, node):
        if isinstance(each, nodes.Number):
            yield -int(-each.value // 1)


def _adds_only(reading: Reading, node: nodes.Node) -> bool:
    """Whether counts are only added up below a node."""
    for each in _on_the_form(reading, node):
        if isinstance(each, nodes.Name | nodes.Number):
            continue
        if not (isinstance(each, nodes.Arithmetic) and each.operator == "+"):
            return False
    return True
