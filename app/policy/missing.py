"""Which questions would decide what is still undecided.

Only unknown parts are entered: where `a AND b` waits for a alone, b's questions are not named,
and in `x OR y` with x false only y's are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.policy.compile import Compiled, CompiledPolicy, Looked, Shape


@dataclass(frozen=True, slots=True)
class Gap:
    """Something unanswered: the question, and where exactly it is missing.

    `place` is the question's name, or `relapses[2].on` for the field `on` of the second row.
    `zero` says that the answer is there but is a zero that something is divided by.
    """

    question: str
    place: str
    zero: bool = False


def gaps(
    policy: CompiledPolicy,
    compiled: Compiled,
    index: int,
    raw: tuple[Any, ...],
    values: Mapping[str, Any],
) -> tuple[Gap, ...]:
    """Every gap that keeps the expression at `index` undecided, each once, in reading order."""
    return tuple(dict.fromkeys(_below(policy, compiled.shapes[index], raw, values)))


def _below(
    policy: CompiledPolicy, shape: Shape, raw: tuple[Any, ...], values: Mapping[str, Any]
) -> Iterator[Gap]:
    if raw[shape.slot] is not None:
        return
    for each in shape.parts:
        yield from _below(policy, each, raw, values)
    for looked in shape.inputs:
        if raw[looked.slot] is None:
            yield Gap(looked.name, looked.name)
    for looked in shape.counts:
        yield from _in_count(policy, looked, raw, values)
    for slot, names in shape.divisors:
        if raw[slot] is not None and not raw[slot]:
            yield from (Gap(name, name, zero=True) for name in names)


def _in_count(
    policy: CompiledPolicy, looked: Looked, raw: tuple[Any, ...], values: Mapping[str, Any]
) -> Iterator[Gap]:
    rows = policy.rows[looked.name]
    if raw[looked.slot] is None:
        yield Gap(rows.list_name, rows.list_name)
        return
    if rows.test is None or looked.upper is None or raw[looked.slot] == raw[looked.upper]:
        return
    for number, row in enumerate(values[rows.list_name], start=1):
        merged = {**values, **dict.fromkeys(rows.fields), **row}
        result = rows.test.run(merged)
        for gap in gaps(policy, rows.test, 0, result, merged):
            if gap.question in rows.fields:
                place = f"{rows.list_name}[{number}].{gap.question}"
                yield Gap(rows.list_name, place, gap.zero)
            else:
                yield gap
