"""What the functions of language version 2 may be applied to, and what type they yield.

Units: ROUND, ROUND_DOWN, LEAST and GREATEST keep the unit; LN and EXP drop it; the root of a
quantity with a unit has a unit that cannot be worked out, so it must be stated.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Protocol

from app.policy import nodes, units
from app.policy.functions import MAX_PLACES
from app.policy.value_types import Family, Type

_ARGUMENTS = {
    "ROUND": (2, 2, "ROUND(value, places)"),
    "ROUND_DOWN": (2, 2, "ROUND_DOWN(value, step)"),
    "LEAST": (2, 20, "LEAST(a, b)"),
    "GREATEST": (2, 20, "GREATEST(a, b)"),
    "LN": (1, 1, "LN(value)"),
    "SQRT": (1, 1, "SQRT(value)"),
    "EXP": (1, 1, "EXP(value)"),
    "COMPLETE_MONTHS": (2, 2, "COMPLETE_MONTHS(from, to)"),
}
_SMALLEST_STEP = Decimal(1).scaleb(-MAX_PLACES)


class Terms(Protocol):
    """What is needed of the type checker."""

    def complain(self, code: str, message: str, mend: str) -> None: ...
    def term(self, node: nodes.Node) -> Type | None: ...
    def date(self, node: nodes.Node) -> bool: ...
    def same_family(
        self, left: nodes.Node, left_type: Type, right: nodes.Node, right_type: Type
    ) -> bool: ...
    def same_units(self, left: Type, right: Type) -> None: ...


def call_type(checker: Terms, node: nodes.Call) -> Type | None:
    """The type that a call yields; None where something was complained about."""
    fewest, most, form = _ARGUMENTS[node.function]
    if not fewest <= len(node.arguments) <= most:
        checker.complain(
            "arguments", f"{node.function} has too many or too few arguments", f"write {form}"
        )
        return None
    match node.function:
        case "COMPLETE_MONTHS":
            sound = all([checker.date(each) for each in node.arguments])
            return Type(Family.NUMBER, unit="months", whole=True) if sound else None
        case "LEAST" | "GREATEST":
            return _one_of(checker, node.arguments)
        case _:
            return _of_number(checker, node)


def _of_number(checker: Terms, node: nodes.Call) -> Type | None:
    found = _number(checker, node, node.arguments[0])
    if found is None:
        return None
    match node.function:
        case "ROUND":
            places = _literal(node.arguments[1])
            if places is None or not 0 <= places <= MAX_PLACES or places % 1:
                checker.complain(
                    "arguments",
                    "the places of ROUND are not a whole number written out",
                    f"write a number from 0 to {MAX_PLACES}, as in ROUND(value, 2)",
                )
                return None
            return replace(found, whole=found.whole or places == 0)
        case "ROUND_DOWN":
            return _stepped(checker, found, _literal(node.arguments[1]))
        case "SQRT":
            return Type(Family.NUMBER, unit=units.UNKNOWN if found.unit else None)
        case _:
            return Type(Family.NUMBER)


def _stepped(checker: Terms, found: Type, step: Decimal | None) -> Type | None:
    if step is None or step <= 0 or step % _SMALLEST_STEP:
        checker.complain(
            "arguments",
            "the step of ROUND_DOWN is not a positive number written out",
            f"write it with at most {MAX_PLACES} decimal places, as in ROUND_DOWN(dose, 5)",
        )
        return None
    return replace(found, whole=step % 1 == 0)


def _literal(node: nodes.Node) -> Decimal | None:
    return node.value if isinstance(node, nodes.Number) else None


def _number(checker: Terms, call: nodes.Call, node: nodes.Node) -> Type | None:
    found = checker.term(node)
    if found is None:
        return None
    if found.family is not Family.NUMBER:
        checker.complain(
            "type", f"{nodes.render(node)} is {found.family}", f"give {call.function} a number"
        )
        return None
    if found.interval or found.constant:
        what = "a count" if found.interval else "a constant"
        checker.complain(
            "arguments",
            f"{call.function} is applied to {what}",
            "compare the count with a number"
            if found.interval
            else "write out the number that it gives",
        )
        return None
    return found


def _one_of(checker: Terms, arguments: tuple[nodes.Node, ...]) -> Type | None:
    found = [checker.term(each) for each in arguments]
    types = [each for each in found if each is not None]
    if len(types) < len(found):
        return None
    if any(each.interval or each.family in (Family.BOOLEAN, Family.CHOICE) for each in types):
        checker.complain(
            "arguments",
            "LEAST and GREATEST take numbers or dates, not counts, options or tests",
            "give each a number or a date",
        )
        return None
    for (left, left_type), (right, right_type) in pairwise(zip(arguments, types, strict=True)):
        if not checker.same_family(left, left_type, right, right_type):
            return None
        checker.same_units(left_type, right_type)
    unit = next((each.unit for each in types if not each.constant), None)
    return Type(
        types[0].family,
        unit=unit,
        whole=all(each.whole for each in types),
        constant=all(each.constant for each in types),
    )
