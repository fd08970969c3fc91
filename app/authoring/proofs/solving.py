"""Asking z3, with a cap on its work and with preferences for patients that a reader finds natural.

The cap counts z3's own steps, not seconds, so a slow machine proves what a fast one does.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from app.authoring.proofs.symbols import Encoder
from app.policy.typecheck import Family

EFFORT = 10_000_000
"""z3's resource units for one question; a core does one or two million a second."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What z3 says: satisfiable with a model, not satisfiable, or (`None`) not decided."""

    satisfiable: bool | None
    model: Any = None


def solve(
    encoder: Encoder,
    assertions: Sequence[Any],
    preferences: Iterable[Sequence[Any]] = (),
    effort: int = EFFORT,
) -> Answered:
    """Whether some patient meets all assertions; each set of preferences is kept if it can be."""
    solver = _solver(effort)
    solver.add(*encoder.constraints(), *assertions)
    found = solver.check()
    if found == z3.unsat:
        return Answered(False)
    if found == z3.unknown:
        return Answered(None)
    model = solver.model()
    solver.set("rlimit", effort // 10)
    for preferred in preferences:
        solver.push()
        solver.add(*preferred)
        if solver.check() == z3.sat:
            model = solver.model()
        else:
            solver.pop()
    return Answered(True, model)


def conflict(
    encoder: Encoder, named: Sequence[tuple[str, Any]], effort: int = EFFORT
) -> tuple[str, ...] | None:
    """The names of a smallest set that cannot hold together; None where they can, or no answer."""
    kept = list(named)
    if _together(encoder, kept, effort) is not False:
        return None
    for each in list(kept):
        fewer = [other for other in kept if other is not each]
        if _together(encoder, fewer, effort) is False:
            kept = fewer
    return tuple(name for name, _ in kept)


def _together(encoder: Encoder, named: Sequence[tuple[str, Any]], effort: int) -> bool | None:
    return solve(encoder, [formula for _, formula in named], effort=effort).satisfiable


def _solver(effort: int) -> Any:
    solver = z3.Solver()
    solver.set("rlimit", effort)
    return solver


def answered(encoder: Encoder) -> list[Any]:
    """Everything is answered, fields of rows too."""
    terms = [each.sym.known for each in encoder.inputs.values()]
    return terms + [
        cell.sym.known
        for each in encoder.inputs.values()
        for row in each.rows
        for cell in row.fields.values()
    ]


def natural(encoder: Encoder, in_force: dt.date) -> Iterator[list[Any]]:
    """Preferences, in turn: all answered, hints, dates in order, few rows, a day soon after."""
    yield answered(encoder)
    yield list(encoder.hints)
    if encoder.opaque:
        yield from _adult(encoder)
    yield from _plain_numbers(encoder)
    decided = encoder.inputs.get("decision_to_treat")
    if decided is not None:
        day = decided.sym.low
        yield [other <= day for other in _days(encoder)]
        yield [day <= in_force.toordinal() + 365]
        yield [day == in_force.toordinal()]
        yield [day == _leap_day(in_force).toordinal()]
        yield [other >= day - 5 * 365 for other in _days(encoder)]
    born = encoder.inputs.get("birth_date")
    if born is not None:
        yield [born.sym.low >= dt.date(1950, 1, 1).toordinal()]
        yield [other >= born.sym.low for other in _days(encoder)]
    for each in encoder.inputs.values():
        for row in reversed(each.rows):
            yield [z3.Not(row.present)]


def _adult(encoder: Encoder) -> Iterator[list[Any]]:
    """Somebody over 18. What the prover leaves free is mostly a child's ideal weight, a power of
    the height: an example in which it counts would not hold in the evaluator."""
    decided, born = (encoder.inputs.get(n) for n in ("decision_to_treat", "birth_date"))
    if decided is not None and born is not None:
        yield [born.sym.low <= decided.sym.low - 19 * 366]


def _leap_day(after: dt.date) -> dt.date:
    """The next 29 February: the day on which rules of days and of months part."""
    year = next(y for y in range(after.year, after.year + 9) if calendar.isleap(y))
    day = dt.date(year, 2, 29)
    return day if day >= after else _leap_day(dt.date(year + 1, 1, 1))


def _plain_numbers(encoder: Encoder) -> Iterator[list[Any]]:
    """Numbers that a person has: above zero, not huge, and whole where that will do."""
    found = [e for e in encoder.inputs.values() if e.sym.family is Family.NUMBER]
    for each in found:
        yield [each.sym.low > 0, each.sym.low <= 1000]
    yield [z3.IsInt(each.sym.low) for each in found if z3.is_real(each.sym.low)]


def _days(encoder: Encoder) -> list[Any]:
    """The days of answers and rows, without the decision to treat and the date of birth."""
    found = [
        each.sym.low
        for name, each in encoder.inputs.items()
        if each.sym.family is Family.DATE and name not in ("decision_to_treat", "birth_date")
    ]
    for each in encoder.inputs.values():
        for row in each.rows:
            found += [c.sym.low for c in row.fields.values() if c.sym.family is Family.DATE]
    return found


def possible(encoder: Encoder, in_force: dt.date) -> list[Any]:
    """What holds of every request: decided once the version is in force, after the birth."""
    found = []
    decided = encoder.inputs.get("decision_to_treat")
    if decided is not None:
        found.append(decided.sym.low >= in_force.toordinal())
        born = encoder.inputs.get("birth_date")
        if born is not None:
            found.append(born.sym.low <= decided.sym.low)
    return found
