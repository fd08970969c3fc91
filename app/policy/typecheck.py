"""The criteria language's own type checker: families, units, options, did-you-mean.

sqlglot's annotations accept `edss > 'x'` and `NOT diagnosis` without a word; this does not.
"""

from __future__ import annotations

from dataclasses import replace

from app.policy import nodes, units
from app.policy.errors import Complaint
from app.policy.suggestions import did_you_mean
from app.policy.typecheck_calls import call_type
from app.policy.value_types import BOOLEAN, COUNT, DATE, Family, Scope, Type

__all__ = [
    "BOOLEAN",
    "COUNT",
    "DATE",
    "Family",
    "Scope",
    "Type",
    "check_condition",
    "check_part",
    "check_value",
    "type_of",
]


def check_condition(node: nodes.Node, scope: Scope) -> tuple[Complaint, ...]:
    """Every complaint about an expression that must be a test; empty when it is sound."""
    checker = _Checker(scope)
    checker.condition(node)
    return tuple(checker.complaints)


def check_value(node: nodes.Node, scope: Scope) -> tuple[Type | None, tuple[Complaint, ...]]:
    """The type of a derived value's expression, and every complaint about it."""
    checker = _Checker(scope)
    if isinstance(node, nodes.Name) or checker.is_test(node):
        found = checker.term(node) if isinstance(node, nodes.Name) else None
        if found is None and not isinstance(node, nodes.Name):
            checker.condition(node)
            found = BOOLEAN
    else:
        found = checker.term(node)
    if not nodes.names_in(node):
        checker.complain("constant", "it looks at no answer", "name a question in it")
    return (None if checker.complaints else found), tuple(checker.complaints)


def check_part(node: nodes.Node, scope: Scope) -> tuple[Type | None, tuple[Complaint, ...]]:
    """The type of one value among several, which may be a constant, and every complaint."""
    checker = _Checker(scope)
    found = checker.term(node)
    return (None if checker.complaints else found), tuple(checker.complaints)


def type_of(node: nodes.Node, scope: Scope) -> Type:
    """The type of an expression that has been checked."""
    checker = _Checker(scope)
    if checker.is_test(node):
        return BOOLEAN
    found = checker.term(node)
    if found is None:
        raise TypeError(f"not checked: {nodes.render(node)}")
    return found


class _Checker:
    """Walks one expression and collects complaints; a None type has been complained about."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.complaints: list[Complaint] = []

    def complain(self, code: str, message: str, mend: str) -> None:
        self.complaints.append(Complaint(code, message, mend))

    @staticmethod
    def is_test(node: nodes.Node) -> bool:
        return isinstance(
            node,
            nodes.Compare
            | nodes.Between
            | nodes.In
            | nodes.Not
            | nodes.And
            | nodes.Or
            | nodes.AtLeast,
        )

    def condition(self, node: nodes.Node) -> None:
        """Check a node that must be a test."""
        match node:
            case nodes.And(parts) | nodes.Or(parts) | nodes.AtLeast(_, parts):
                for part in parts:
                    self.condition(part)
                self._check_repeats(parts)
            case nodes.Not(part):
                self.condition(part)
            case nodes.Compare():
                self._compare(node)
            case nodes.Between(term, low, high):
                self._between(term, low, high)
            case nodes.In(term, items):
                self._in(term, items)
            case nodes.Truth():
                self.complain(
                    "constant", "a bare TRUE or FALSE decides nothing", "name what is tested"
                )
            case _:
                self._bare(node)

    def _check_repeats(self, parts: tuple[nodes.Node, ...]) -> None:
        if len(set(parts)) != len(parts):
            self.complain(
                "repeated", "the same test stands twice beside itself", "take the repeat out"
            )

    def _bare(self, node: nodes.Node) -> None:
        found = self.term(node)
        if found is not None and found.family is not Family.BOOLEAN:
            self.complain(
                "not-a-test",
                f"{nodes.render(node)} is {found.family}, not a test",
                "compare it with something, for example with >= or IN",
            )

    def _compare(self, node: nodes.Compare) -> None:
        left, right = self.term(node.left), self.term(node.right)
        if not self._looks_at_an_answer(node):
            return
        if node.left == node.right:
            self.complain("itself", "a thing is compared with itself", "name what was meant")
        if left is None or right is None:
            return
        if self.same_family(node.left, left, node.right, right):
            ordered = left.family in (Family.NUMBER, Family.DATE)
            if not ordered and node.operator not in ("=", "<>"):
                self.complain(
                    "order",
                    f"{left.family} has no order: “{node.operator}” does not apply",
                    "use = or <>, or IN",
                )
            self._same_options(node.left, left, node.right, right)
            self.same_units(left, right)

    def _between(self, term: nodes.Node, low: nodes.Node, high: nodes.Node) -> None:
        found = self.term(term)
        bounds = [(low, self.term(low)), (high, self.term(high))]
        if not self._looks_at_an_answer(nodes.Between(term, low, high)):
            return
        for node, bound in bounds:
            if found is None or bound is None:
                continue
            if found.family not in (Family.NUMBER, Family.DATE):
                self.complain("order", f"{found.family} has no order", "use = or IN")
                return
            if self.same_family(term, found, node, bound):
                self.same_units(found, bound)
        if _is_empty_range(low, high):
            self.complain(
                "empty-range", "BETWEEN has its bounds the wrong way round", "write the lower first"
            )

    def _in(self, term: nodes.Node, items: tuple[nodes.Node, ...]) -> None:
        found = self.term(term)
        if not self._looks_at_an_answer(nodes.In(term, items)) or found is None:
            return
        if found.family is Family.BOOLEAN:
            self.complain("type", "IN does not apply to yes or no", "name the question itself")
            return
        for item in items:
            kind = self.term(item)
            if kind is not None and self.same_family(term, found, item, kind):
                self._same_options(term, found, item, kind)

    def _looks_at_an_answer(self, node: nodes.Node) -> bool:
        if nodes.names_in(node):
            return True
        self.complain(
            "constant",
            f"{nodes.render(node)} compares constants with each other",
            "name the question that was meant",
        )
        return False

    def same_family(
        self, left: nodes.Node, left_type: Type, right: nodes.Node, right_type: Type
    ) -> bool:
        if left_type.family is right_type.family:
            return True
        self.complain(
            "type",
            f"{nodes.render(left)} is {left_type.family}, "
            f"but {nodes.render(right)} is {right_type.family}",
            "compare like with like",
        )
        return False

    def _same_options(
        self, left: nodes.Node, left_type: Type, right: nodes.Node, right_type: Type
    ) -> None:
        if left_type.family is not Family.CHOICE:
            return
        for literal, named in ((left, right_type), (right, left_type)):
            if isinstance(literal, nodes.Option):
                if literal.value not in named.options:
                    self.complain(
                        "option",
                        f"'{literal.value}' is not one of the options",
                        did_you_mean(literal.value, named.options),
                    )
                return
        if left_type.options != right_type.options:
            self.complain(
                "option", "two choices with different options are compared", "use IN for each"
            )

    def same_units(self, left: Type, right: Type) -> None:
        if left.family is not Family.NUMBER or left.constant or right.constant:
            return
        if units.UNKNOWN in (left.unit, right.unit):
            self.complain(
                "unit",
                "a quantity scaled by a plain number has no known unit",
                "give it a name and its `unit:` in `derive:`",
            )
        elif left.unit != right.unit:
            self.complain(
                "unit",
                f"units differ: {units.shown(left.unit)} and {units.shown(right.unit)}",
                "compare or add only like units; derive a value in the other unit first",
            )

    def term(self, node: nodes.Node) -> Type | None:
        """The type of a node that must be a value."""
        match node:
            case nodes.Name(name):
                return self._name(name)
            case nodes.Number(value):
                whole = value == value.to_integral_value()
                return Type(Family.NUMBER, whole=whole, constant=True)
            case nodes.Option(value):
                return Type(Family.CHOICE, constant=True, options=frozenset({value}))
            case nodes.Truth():
                return Type(Family.BOOLEAN, constant=True)
            case nodes.Day():
                return Type(Family.DATE, constant=True)
            case nodes.Arithmetic():
                return self._arithmetic(node)
            case nodes.Negative(below):
                return self._negative(below)
            case nodes.DaysBetween(first, last):
                sound = all([self.date(first), self.date(last)])
                return Type(Family.NUMBER, unit="days", whole=True) if sound else None
            case nodes.AddMonths(day, _):
                return DATE if self.date(day) else None
            case nodes.Call():
                return call_type(self, node)
            case nodes.Choose(_, otherwise):
                found = self.term(otherwise)
                return None if found is None else replace(found, constant=False)
            case _:
                self.condition(node)
                self.complain(
                    "not-a-value",
                    f"the test {nodes.render(node)} stands where a value is needed",
                    "join tests with AND, OR and NOT",
                )
                return None

    def _name(self, name: str) -> Type | None:
        if name in self.scope.types:
            return self.scope.types[name]
        if name in self.scope.unusable:
            self.complain("unusable", f"{name} cannot be used here", self.scope.unusable[name])
        else:
            self.complain(
                "unknown-name",
                f"there is no question or derived value {name[:60]}",
                did_you_mean(name, self.scope.types),
            )
        return None

    def date(self, node: nodes.Node) -> bool:
        found = self.term(node)
        if found is not None and found.family is not Family.DATE:
            self.complain("type", f"{nodes.render(node)} is {found.family}", "give a date here")
            return False
        return found is not None

    def _negative(self, below: nodes.Node) -> Type | None:
        found = self.term(below)
        if found is not None and found.family is not Family.NUMBER:
            self.complain("type", f"{nodes.render(below)} is {found.family}", "negate numbers only")
            return None
        return found

    def _arithmetic(self, node: nodes.Arithmetic) -> Type | None:
        left, right = self.term(node.left), self.term(node.right)
        if left is None or right is None:
            return None
        if Family.DATE in (left.family, right.family):
            self.complain(
                "date-arithmetic",
                f"“{node.operator}” does not apply to dates",
                "write DAYS_BETWEEN(earlier, later) or ADD_MONTHS(day, months)",
            )
            return None
        if {left.family, right.family} != {Family.NUMBER}:
            self.complain(
                "type", f"“{node.operator}” needs two numbers", "calculate with numbers only"
            )
            return None
        if node.operator in "+-":
            return self._sum(left, right)
        return self._product(node, left, right)

    def _sum(self, left: Type, right: Type) -> Type:
        self.same_units(left, right)
        return Type(
            Family.NUMBER,
            unit=right.unit if left.constant else left.unit,
            whole=left.whole and right.whole,
            interval=left.interval or right.interval,
            constant=left.constant and right.constant,
        )

    def _product(self, node: nodes.Arithmetic, left: Type, right: Type) -> Type | None:
        if left.interval or right.interval:
            self.complain(
                "count", "a count is multiplied or divided", "compare the count with a number"
            )
            return None
        if node.operator == "/" and node.right == nodes.Number(nodes.ZERO):
            self.complain("zero", "it divides by zero", "divide by a question or another number")
            return None
        constant = left.constant and right.constant
        whole = node.operator == "*" and left.whole and right.whole
        found = Type(Family.NUMBER, whole=whole, constant=constant)
        if left.constant != right.constant and (left.unit or right.unit):
            return replace(found, unit=units.UNKNOWN)
        combine = units.multiplied if node.operator == "*" else units.divided
        return replace(found, unit=combine(left.unit, right.unit))


def _is_empty_range(low: nodes.Node, high: nodes.Node) -> bool:
    match low, high:
        case nodes.Number(first), nodes.Number(last):
            return first > last
        case nodes.Day(first_day), nodes.Day(last_day):
            return first_day > last_day
        case _:
            return False
