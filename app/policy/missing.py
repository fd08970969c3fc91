"""Which questions would decide what is still undecided.

Only unknown parts are entered: where `a AND b` waits for a alone, b's questions are not named,
and in `x OR y` with x false only y's are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.policy.compile import Choice, Compiled, CompiledPolicy, Looked, Shape
from app.policy.picks import possible

Why = Literal["missing", "zero", "outside", "no row", "tie"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that keeps a test undecided: the question, and where exactly it is missing.

    `place` is the question's name, or `relapses[2].on` for the field `on` of the second row.
    `why` is other than "missing" where the answer is there but gives no value: a zero divisor, a
    number outside the domain of `function`, a list without a row that counts, or rows of one date
    with different values.
    """

    question: str
    place: str
    why: Why = "missing"
    function: str | None = None


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
    if shape.slot < 0 or raw[shape.slot] is not None:
        return
    for each in shape.parts:
        yield from _below(policy, each, raw, values)
    for looked in shape.inputs:
        if raw[looked.slot] is None:
            yield Gap(looked.name, looked.name)
    for looked in shape.counts:
        yield from _in_count(policy, looked, raw, values)
    for looked in shape.picks:
        if raw[looked.slot] is None:
            yield from _in_pick(policy, looked.name, values)
    for choice in shape.choices:
        if raw[choice.slot] is None:
            yield from _in_choice(policy, choice, raw, values)
    yield from _without_value(shape, raw)


def _without_value(shape: Shape, raw: tuple[Any, ...]) -> Iterator[Gap]:
    """Zeros that something is divided by, and numbers outside the domain of a function."""
    for slot, names in shape.divisors:
        if raw[slot] is not None and not raw[slot]:
            yield from (Gap(name, name, "zero") for name in names)
    for call in shape.calls:
        if raw[call.slot] is None and all(raw[each] is not None for each in call.arguments):
            yield from (Gap(name, name, "outside", call.function) for name in call.names)


def _in_choice(
    policy: CompiledPolicy, choice: Choice, raw: tuple[Any, ...], values: Mapping[str, Any]
) -> Iterator[Gap]:
    """Only the branch that a choice waits at: its test, or the value that it takes."""
    for test, value in choice.branches:
        if raw[test.slot] is None:
            yield from _below(policy, test, raw, values)
            return
        if raw[test.slot]:
            yield from _below(policy, value, raw, values)
            return
    yield from _below(policy, choice.otherwise, raw, values)


def _in_count(
    policy: CompiledPolicy, looked: Looked, raw: tuple[Any, ...], values: Mapping[str, Any]
) -> Iterator[Gap]:
    rows = policy.rows[looked.name]
    if raw[looked.slot] is None:
        yield Gap(rows.list_name, rows.list_name)
        return
    if rows.test is None or looked.upper is None or raw[looked.slot] == raw[looked.upper]:
        return
    for number in range(len(values[rows.list_name])):
        yield from _in_row(policy, looked.name, number, values)


def _in_row(
    policy: CompiledPolicy, name: str, number: int, values: Mapping[str, Any]
) -> Iterator[Gap]:
    """What keeps a count's or pick's `where` undecided for one row, if anything does."""
    rows = policy.rows[name]
    if rows.test is None:
        return
    merged = _merged(policy, name, number, values)
    for gap in gaps(policy, rows.test, 0, rows.test.run(merged), merged):
        if gap.question in rows.fields:
            place = f"{rows.list_name}[{number + 1}].{gap.question}"
            yield Gap(rows.list_name, place, gap.why, gap.function)
        else:
            yield gap


def _merged(
    policy: CompiledPolicy, name: str, number: int, values: Mapping[str, Any]
) -> dict[str, Any]:
    rows = policy.rows[name]
    return {**values, **dict.fromkeys(rows.fields), **values[rows.list_name][number]}


def _counts(
    policy: CompiledPolicy, name: str, number: int, values: Mapping[str, Any]
) -> bool | None:
    test = policy.rows[name].test
    if test is None:
        return True
    found: bool | None = test.run(_merged(policy, name, number, values))[0]
    return found


def _in_pick(policy: CompiledPolicy, name: str, values: Mapping[str, Any]) -> Iterator[Gap]:
    """What is missing in the rows that could be the pick."""
    pick, listed = policy.picks[name], policy.picks[name].list_name
    rows = values.get(listed)
    if rows is None:
        yield Gap(listed, listed)
        return
    found = [(place, _counts(policy, name, place, values)) for place in range(len(rows))]
    may = [(place, counts) for place, counts in found if counts is not False]
    if not may:
        yield Gap(listed, listed, "no row")
        return
    candidates = [
        (counts, rows[place].get(pick.order), rows[place].get(pick.value)) for place, counts in may
    ]
    named = False
    for at in possible(candidates, pick.smallest):
        place, counts = may[at]
        for gap in _in_candidate(policy, name, place, counts, len(may) == 1, values):
            named = True
            yield gap
    if not named:
        yield Gap(listed, listed, "tie")


def _in_candidate(
    policy: CompiledPolicy,
    name: str,
    place: int,
    counts: bool | None,
    alone: bool,
    values: Mapping[str, Any],
) -> Iterator[Gap]:
    """What is missing in one row that could be the pick; a row alone needs no date."""
    pick, listed = policy.picks[name], policy.picks[name].list_name
    if counts is None:
        yield from _in_row(policy, name, place, values)
    wanted = (pick.value,) if alone else (pick.order, pick.value)
    for each in wanted:
        if values[listed][place].get(each) is None:
            yield Gap(listed, f"{listed}[{place + 1}].{each}")
