"""The functions of the language and the picks from a list, as formulas for the prover.

LN, SQRT and EXP have no formula: the prover leaves their value free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import z3

from app.authoring.proofs.days import Calendar, month_length
from app.policy.functions import LARGEST
from app.policy.typecheck import Family


@dataclass(frozen=True, slots=True)
class Sym:
    """A value: between `low` and `high` (mostly one term) where `known`."""

    family: Family
    low: Any
    high: Any
    known: Any


def apply(function: str, arguments: Sequence[Sym], calendar: Calendar) -> Sym | None:
    """A function's value for the prover, or None where it has no formula."""
    known = z3.And([each.known for each in arguments])
    values = [each.low for each in arguments]
    family = arguments[0].family
    match function:
        case "LEAST" | "GREATEST":
            return _exact(family, _extreme(values, function == "LEAST"), known)
        case "ROUND":
            return _exact(family, round_half_even(values[0], _places(values[1])), known)
        case "ROUND_DOWN":
            small = z3.And(values[0] < int(LARGEST), values[0] > -int(LARGEST))
            steps = z3.ToReal(z3.ToInt(_real(values[0]) / _real(values[1])))
            return _exact(family, steps * _real(values[1]), z3.And(known, small))
        case "COMPLETE_MONTHS":
            months = complete_months(values[0], values[1], calendar)
            return _exact(Family.NUMBER, months, known)
        case _:
            return None


def _exact(family: Family, value: Any, known: Any) -> Sym:
    return Sym(family, value, value, known)


def _extreme(values: Sequence[Any], smallest: bool) -> Any:
    best = values[0]
    for value in values[1:]:
        best = z3.If(value < best if smallest else value > best, value, best)
    return best


def _places(term: Any) -> int:
    """The places of ROUND, which are always a literal."""
    return int(z3.simplify(term).as_long())


def _real(term: Any) -> Any:
    return z3.ToReal(term) if z3.is_int(term) else term


def round_half_even(value: Any, places: int) -> Any:
    """The value to some decimal places, a half going to the even digit."""
    if z3.is_int(value):
        return value
    scaled = value * 10**places
    below = z3.ToInt(scaled)
    rest = scaled - z3.ToReal(below)
    half = z3.RealVal("1/2")
    up = z3.Or(rest > half, z3.And(rest == half, below % 2 == 1))
    return z3.ToReal(z3.If(up, below + 1, below)) / 10**places


def complete_months(first: Any, last: Any, calendar: Calendar) -> Any:
    """Calendar months completed from one day to another; negative where `last` is earlier."""
    start, end = calendar.civil(first), calendar.civil(last)
    return z3.If(last >= first, _completed(start, end), -_completed(end, start))


def _completed(start: tuple[Any, Any, Any], end: tuple[Any, Any, Any]) -> Any:
    """Whole months between days as (year, month, day), the second not before the first."""
    months = (end[0] - start[0]) * 12 + end[1] - start[1]
    reached = z3.Or(start[2] <= end[2], end[2] >= month_length(end[0], end[1]))
    return z3.If(reached, months, months - 1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of a list: whether it surely counts, whether it may, what orders it, its value."""

    sure: Any
    may: Any
    order: Sym
    value: Sym


def picked(rows: Sequence[Candidate], smallest: bool, answered: Any) -> Sym:
    """The pick's value; known where every row that could be it has the same known value."""
    could = [_could_be(row, rows, smallest) for row in rows]
    value = rows[-1].value.low
    for row, possible in reversed(list(zip(rows, could, strict=True))):
        value = z3.If(possible, row.value.low, value)
    alike = [
        z3.Implies(possible, z3.And(row.value.known, row.value.low == value))
        for row, possible in zip(rows, could, strict=True)
    ]
    known = z3.And(answered, z3.Or([row.sure for row in rows]), *alike)
    return _exact(rows[0].value.family, value, known)


def _could_be(row: Candidate, rows: Sequence[Candidate], smallest: bool) -> Any:
    """Whether no row that surely counts lies beyond this one."""
    beyond = [
        z3.And(
            other.sure,
            other.order.known,
            other.order.low < row.order.low if smallest else other.order.low > row.order.low,
        )
        for other in rows
        if other is not row
    ]
    return z3.And(row.may, z3.Or(z3.Not(row.order.known), z3.Not(z3.Or(beyond))))
