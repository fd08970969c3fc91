"""Writes Python statements for checked expressions, with Kleene's three-valued logic.

One variable a node, and one statement a variable: a node that stands in several criteria is
worked out once. True, False and None stand for met, not met and not answered; a value is None
when it is not known; a count is a pair of variables, its lower and upper bound.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.policy import nodes
from app.policy.calendar import add_months
from app.policy.functions import FUNCTIONS
from app.policy.picks import picked
from app.policy.typecheck import BOOLEAN, Scope, Type, type_of

INDENT = "    "
PYTHON = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
Bounds = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CountOf:
    """A count over a list's rows: those that pass `where`, or all of them."""

    list_name: str
    fields: frozenset[str]
    where: nodes.Node | None
    row_scope: Scope


@dataclass(frozen=True, slots=True)
class PickOf:
    """The latest, earliest, highest or lowest of a list's rows: its `value` field.

    `order` is the field that orders the rows: the date, or the value itself.
    """

    list_name: str
    fields: frozenset[str]
    mode: str
    order: str
    value: str
    where: nodes.Node | None
    row_scope: Scope

    @property
    def smallest(self) -> bool:
        """Whether the pick is the first in its order, not the last."""
        return self.mode in ("earliest", "lowest")


@dataclass(frozen=True, slots=True)
class Program:
    """What expressions may refer to: types of names, derived expressions, counts, picks."""

    scope: Scope
    derived: Mapping[str, nodes.Node]
    counts: Mapping[str, CountOf]
    picks: Mapping[str, PickOf] = field(default_factory=dict)


class Emitter:
    """Collects the statements of one generated function."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.scope = program.scope
        self.reader = "get"
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {"add_months": add_months, "Decimal": Decimal}
        self.numbers = itertools.count(1)
        self._conditions: dict[nodes.Node, str] = {}
        self._bounds: dict[nodes.Node, Bounds] = {}

    def function(self, variables: Sequence[str]) -> str:
        """The source of the function that returns these variables."""
        body = "\n".join(INDENT + line for line in self.lines)
        returned = "".join(f"{variable}, " for variable in variables).rstrip()
        head = f"def run(values):\n{INDENT}get = values.get\n"
        return f"{head}{body}\n{INDENT}return ({returned})\n"

    def build(self, source: str) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        """The function itself, with only its own constants and three built-ins in sight."""
        space: dict[str, Any] = {"__builtins__": {}, **self.constants}
        exec(compile(source, "<policy>", "exec"), space)  # noqa: S102 - numbered names only
        run: Callable[[Mapping[str, Any]], tuple[Any, ...]] = space["run"]
        return run

    def constant(self, value: object) -> str:
        """The name under which the generated code sees a value; whole numbers stand as digits."""
        if type(value) is int:
            return str(value)
        for name, known in self.constants.items():
            if type(known) is type(value) and known == value:
                return name
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def assign(self, expression: str) -> str:
        """A new variable that holds the expression."""
        name = f"v{next(self.numbers)}"
        self.lines.append(f"{name} = {expression}")
        return name

    def type_of(self, node: nodes.Node) -> Type:
        """The type of a checked node, in this emitter's scope."""
        return type_of(node, self.scope)

    # --- tests: True, False or None -----------------------------------------------------

    def condition(self, node: nodes.Node) -> str:
        """The variable that holds a test's result."""
        if node not in self._conditions:
            self._conditions[node] = self._condition(node)
        return self._conditions[node]

    def _condition(self, node: nodes.Node) -> str:
        match node:
            case nodes.Name(name) if name in self.program.derived:
                return self.condition(self.program.derived[name])
            case nodes.Name():
                return self.bounds(node)[0]
            case nodes.Truth(value):
                return self.assign(str(value))
            case nodes.Not(part):
                below = self.condition(part)
                return self.assign(f"None if {below} is None else not {below}")
            case nodes.And(parts):
                return self.assign(kleene_and([self.condition(part) for part in parts]))
            case nodes.Or(parts):
                return self.assign(kleene_or([self.condition(part) for part in parts]))
            case nodes.AtLeast(number, parts):
                return self._at_least(number, [self.condition(part) for part in parts])
            case nodes.Compare(operator, left, right):
                return self._compare(operator, left, right)
            case nodes.Between(term, low, high):
                both = [self._compare(">=", term, low), self._compare("<=", term, high)]
                return self.assign(kleene_and(both))
            case nodes.In(term, items):
                return self._in(term, items)
            case _:
                raise TypeError(f"not a test: {nodes.render(node)}")

    def _at_least(self, number: int, parts: list[str]) -> str:
        sure = self.assign(" + ".join(f"({part} is True)" for part in parts))
        open_ = " + ".join(f"({part} is None)" for part in parts)
        return self.assign(
            f"True if {sure} >= {number} else None if {sure} + {open_} >= {number} else False"
        )

    def _compare(self, operator: str, left: nodes.Node, right: nodes.Node) -> str:
        if self.type_of(left).interval or self.type_of(right).interval:
            return self._compare_counts(operator, left, right)
        (first, last), fragile = self._operands(left, right)
        return self.assign(guarded(f"{first} {PYTHON[operator]} {last}", fragile))

    def _operands(self, left: nodes.Node, right: nodes.Node) -> tuple[tuple[str, str], list[str]]:
        """Both sides as variables or constants, and the variables among them."""
        sides = []
        for node, other in ((left, right), (right, left)):
            if isinstance(node, nodes.Literal):
                sides.append(self._literal(node, whole=self.type_of(other).whole))
            else:
                sides.append(self.bounds(node)[0])
        fragile = [side for side in sides if side.startswith("v")]
        return (sides[0], sides[1]), fragile

    def _compare_counts(self, operator: str, left: nodes.Node, right: nodes.Node) -> str:
        (low, high), (other_low, other_high) = self.bounds(left), self.bounds(right)
        fragile = [v for v in (low, other_low) if v.startswith("v")]
        sure, never = {
            ">=": (f"{low} >= {other_high}", f"{high} < {other_low}"),
            ">": (f"{low} > {other_high}", f"{high} <= {other_low}"),
            "<=": (f"{high} <= {other_low}", f"{low} > {other_high}"),
            "<": (f"{high} < {other_low}", f"{low} >= {other_high}"),
            "=": (
                f"{low} == {high} == {other_low} == {other_high}",
                f"({high} < {other_low} or {low} > {other_high})",
            ),
            "<>": (
                f"({high} < {other_low} or {low} > {other_high})",
                f"{low} == {high} == {other_low} == {other_high}",
            ),
        }[operator]
        return self.assign(guarded(f"True if {sure} else False if {never} else None", fragile))

    def _in(self, term: nodes.Node, items: tuple[nodes.Node, ...]) -> str:
        if self.type_of(term).interval:
            return self.assign(kleene_or([self._compare("=", term, item) for item in items]))
        found = self.bounds(term)[0]
        members = self.constant(frozenset(_plain(item) for item in items))
        return self.assign(guarded(f"{found} in {members}", [found]))

    # --- values: a pair of bounds, the same variable twice where there is one value ------

    def bounds(self, node: nodes.Node) -> Bounds:
        """The variables that hold a value's lower and upper bound (one and the same, mostly)."""
        if node not in self._bounds:
            self._bounds[node] = self._value(node)
        return self._bounds[node]

    def _value(self, node: nodes.Node) -> Bounds:
        if isinstance(node, nodes.Literal):
            literal = self._literal(node, whole=True)
            return literal, literal
        if isinstance(node, nodes.Name):
            return self._name(node.name)
        if isinstance(node, nodes.Arithmetic) and self.type_of(node).interval:
            return self._add_counts(node)
        if isinstance(node, nodes.Negative):
            return self._negative(node)
        found = self._scalar(node)
        return found, found

    def _name(self, name: str) -> Bounds:
        if name in self.program.counts:
            return self._count(self.program.counts[name])
        if name in self.program.picks:
            found = self._pick(self.program.picks[name])
            return found, found
        if name in self.program.derived:
            node = self.program.derived[name]
            if self.type_of(node) is BOOLEAN:
                found = self.condition(node)
                return found, found
            return self.bounds(node)
        found = self.assign(f"{self.reader}({self.constant(name)})")
        return found, found

    def _scalar(self, node: nodes.Node) -> str:
        match node:
            case nodes.DaysBetween(first, last):
                (start, end), fragile = self._operands(first, last)
                return self.assign(guarded(f"({end} - {start}).days", fragile))
            case nodes.AddMonths(day, months):
                (start, _), fragile = self._operands(day, day)
                return self.assign(guarded(f"add_months({start}, {months})", fragile[:1]))
            case nodes.Call(function, arguments):
                sides = [self._side(each) for each in arguments]
                self.constants.setdefault(function, FUNCTIONS[function])
                fragile = [side for side in sides if side.startswith("v")]
                return self.assign(guarded(f"{function}({', '.join(sides)})", fragile))
            case nodes.Choose(branches, otherwise):
                return self._choose(branches, otherwise)
            case nodes.Arithmetic("/", left, right):
                (above, below), fragile = self._operands(left, right)
                zero = [f"not {below}"] if below in fragile else []
                return self.assign(guarded(f"Decimal({above}) / {below}", fragile, zero))
            case nodes.Arithmetic(operator, left, right):
                (first_side, last_side), fragile = self._operands(left, right)
                return self.assign(guarded(f"{first_side} {operator} {last_side}", fragile))
            case _:
                raise TypeError(f"not a value: {nodes.render(node)}")

    def _side(self, node: nodes.Node) -> str:
        """A value as a variable or constant that stands on its own."""
        if isinstance(node, nodes.Literal):
            return self._literal(node, whole=True)
        return self.bounds(node)[0]

    def _choose(
        self, branches: tuple[tuple[nodes.Node, nodes.Node], ...], otherwise: nodes.Node
    ) -> str:
        """The first branch that holds, unless one before it is not surely false."""
        steps = [(self.condition(test), self._side(value)) for test, value in branches]
        last = self._side(otherwise)
        found = self.assign(last)
        for test, value in reversed(steps):
            found = self.assign(f"{value} if {test} else None if {test} is None else {found}")
        return found

    def _add_counts(self, node: nodes.Arithmetic) -> Bounds:
        (low, high), (other_low, other_high) = self.bounds(node.left), self.bounds(node.right)
        fragile = [v for v in (low, other_low) if v.startswith("v")]
        if node.operator == "-":
            other_low, other_high = other_high, other_low
        return (
            self.assign(guarded(f"{low} {node.operator} {other_low}", fragile)),
            self.assign(guarded(f"{high} {node.operator} {other_high}", fragile)),
        )

    def _negative(self, node: nodes.Negative) -> Bounds:
        low, high = self.bounds(node.term)
        negative = self.assign(guarded(f"-{high}", [high] if high.startswith("v") else []))
        if low == high:
            return negative, negative
        return negative, self.assign(guarded(f"-{low}", [low]))

    def _literal(self, node: nodes.Literal, whole: bool) -> str:
        value = _plain(node)
        if isinstance(value, Decimal) and whole and value == value.to_integral_value():
            number = self.constant(int(value))
            return f"({number})" if value < 0 else number
        return self.constant(value)

    # --- counts over a list's rows ------------------------------------------------------

    def _count(self, count: CountOf) -> Bounds:
        """The count's bounds: rows that surely pass, and rows that may."""
        rows = self.bounds(nodes.Name(count.list_name))[0]
        if count.where is None:
            found = self.assign(f"None if {rows} is None else {rows}.__len__()")
            return found, found
        inner = RowEmitter(self, count.fields, count.row_scope)
        passed = inner.condition(count.where)
        low, high, open_, row = (f"v{next(self.numbers)}" for _ in range(4))
        self.lines += [
            f"if {rows} is None:",
            f"{INDENT}{low} = {high} = None",
            "else:",
            f"{INDENT}{low} = {open_} = 0",
            f"{INDENT}for {row} in {rows}:",
            f"{INDENT * 2}{inner.reader} = {row}.get",
            *(INDENT * 2 + line for line in inner.lines),
            f"{INDENT * 2}if {passed}:",
            f"{INDENT * 3}{low} += 1",
            f"{INDENT * 2}elif {passed} is None:",
            f"{INDENT * 3}{open_} += 1",
            f"{INDENT}{high} = {low} + {open_}",
        ]
        return low, high

    def _pick(self, pick: PickOf) -> str:
        """The picked value: the rows that may count are gathered, then `picks.picked` picks."""
        rows = self.bounds(nodes.Name(pick.list_name))[0]
        inner = RowEmitter(self, pick.fields, pick.row_scope)
        passed = "True" if pick.where is None else inner.condition(pick.where)
        order, value = (self.constant(each) for each in (pick.order, pick.value))
        self.constants.setdefault("picked", picked)
        found, candidates, row = (f"v{next(self.numbers)}" for _ in range(3))
        reader = inner.reader
        self.lines += [
            f"if {rows} is None:",
            f"{INDENT}{found} = None",
            "else:",
            f"{INDENT}{candidates} = []",
            f"{INDENT}for {row} in {rows}:",
            f"{INDENT * 2}{reader} = {row}.get",
            *(INDENT * 2 + line for line in inner.lines),
            f"{INDENT * 2}if {passed} is not False:",
            f"{INDENT * 3}{candidates} += [({passed}, {reader}({order}), {reader}({value}))]",
            f"{INDENT}{found} = picked({candidates}, {pick.smallest})",
        ]
        return found


class RowEmitter(Emitter):
    """Statements for one row of a list; what does not depend on the row goes before the loop."""

    def __init__(self, outer: Emitter, fields: frozenset[str], row_scope: Scope) -> None:
        super().__init__(outer.program)
        self.outer = outer
        self.fields = fields
        self.scope = row_scope
        self.reader = "row_get"
        self.constants = outer.constants
        self.numbers = outer.numbers

    def _depends_on_row(self, node: nodes.Node) -> bool:
        return not self.fields.isdisjoint(nodes.names_in(node))

    def condition(self, node: nodes.Node) -> str:
        """As for the form, but hoisted out of the loop where the row does not matter."""
        return super().condition(node) if self._depends_on_row(node) else self.outer.condition(node)

    def bounds(self, node: nodes.Node) -> Bounds:
        """As for the form, but hoisted out of the loop where the row does not matter."""
        return super().bounds(node) if self._depends_on_row(node) else self.outer.bounds(node)


def _plain(node: nodes.Node) -> Any:
    """A literal's value. Used only on literals."""
    if isinstance(node, nodes.Number | nodes.Option | nodes.Truth | nodes.Day):
        return node.value
    raise TypeError(f"not a literal: {nodes.render(node)}")


def guarded(expression: str, variables: Sequence[str], also: Sequence[str] = ()) -> str:
    """The expression, or None where a variable that it needs is None."""
    doubts = [*(f"{name} is None" for name in dict.fromkeys(variables)), *also]
    return f"None if {' or '.join(doubts)} else {expression}" if doubts else expression


def kleene_and(parts: Sequence[str]) -> str:
    """Kleene's AND: false wins, then not answered, then true."""
    if len(parts) == 2:
        first, second = parts
        return f"{second} if {first} or {first} is None and {second} is False else {first}"
    false = " or ".join(f"{part} is False" for part in parts)
    return f"True if {' and '.join(parts)} else False if {false} else None"


def kleene_or(parts: Sequence[str]) -> str:
    """Kleene's OR: true wins, then not answered, then false."""
    if len(parts) == 2:
        first, second = parts
        return f"{second} if {first} is False or {first} is None and {second} else {first}"
    none = " or ".join(f"{part} is None" for part in parts)
    return f"True if {' or '.join(parts)} else None if {none} else False"
