"""The criteria language's own syntax tree. Code is generated from these nodes only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Name:
    """A question, a row's field, a derived value or a built-in name."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    value: Decimal


@dataclass(frozen=True, slots=True)
class Option:
    """A quoted word: the key of a choice's option."""

    value: str


@dataclass(frozen=True, slots=True)
class Truth:
    value: bool


@dataclass(frozen=True, slots=True)
class Day:
    value: date


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: str  # one of + - * /
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Negative:
    term: Node


@dataclass(frozen=True, slots=True)
class DaysBetween:
    """Days from `first` to `last`: positive when `last` is later."""

    first: Node
    last: Node


@dataclass(frozen=True, slots=True)
class AddMonths:
    """A day some calendar months away, clamped to the end of the month."""

    day: Node
    months: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of language version 2 (`functions.FUNCTIONS`) and what it is applied to.

    The places of ROUND and the step of ROUND_DOWN are its last argument, always a Number.
    """

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choose:
    """The value of the first branch (a test and a value) whose test holds, or `otherwise`.

    Never parsed from one expression: it is a whole entry of `derive`. A branch is taken only
    where every test before it is surely false.
    """

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Compare:
    operator: str  # one of = <> < <= > >=
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Between:
    term: Node
    low: Node
    high: Node


@dataclass(frozen=True, slots=True)
class In:
    term: Node
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Node


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least `number` of the parts hold."""

    number: int
    parts: tuple[Node, ...]


ZERO = Decimal(0)

Literal = Number | Option | Truth | Day
Node = (
    Name
    | Number
    | Option
    | Truth
    | Day
    | Arithmetic
    | Negative
    | DaysBetween
    | AddMonths
    | Call
    | Choose
    | Compare
    | Between
    | In
    | Not
    | And
    | Or
    | AtLeast
)


_LEAVES = frozenset({Name, Number, Option, Truth, Day})


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below this one, from left to right."""
    if type(node) in _LEAVES:  # most nodes are: they need not pass every case below
        return ()
    match node:
        case Arithmetic(_, left, right) | Compare(_, left, right):
            return (left, right)
        case DaysBetween(first, last):
            return (first, last)
        case Negative(below) | Not(below) | AddMonths(below, _):
            return (below,)
        case Between(term, low, high):
            return (term, low, high)
        case In(term, items):
            return (term, *items)
        case And(parts) | Or(parts) | AtLeast(_, parts) | Call(_, parts):
            return parts
        case Choose(branches, otherwise):
            return (*(node for pair in branches for node in pair), otherwise)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """This node and every node below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def names_in(node: Node) -> tuple[str, ...]:
    """Every name below this node, each once, in the order of reading."""
    found: dict[str, None] = {}
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Name):
            found.setdefault(each.name)
        else:
            waiting.extend(reversed(children(each)))
    return tuple(found)


def substituted(node: Node, swap: Mapping[str, Node]) -> Node:
    """The tree with the names in `swap` replaced."""
    if isinstance(node, Name):
        return swap.get(node.name, node)
    parts = tuple(substituted(child, swap) for child in children(node))
    match node:
        case Arithmetic(operator) | Compare(operator):
            return type(node)(operator, *parts)
        case DaysBetween() | Between():
            return type(node)(*parts)
        case Negative() | Not():
            return type(node)(parts[0])
        case AddMonths(_, months):
            return AddMonths(parts[0], months)
        case In():
            return In(parts[0], parts[1:])
        case And() | Or():
            return type(node)(parts)
        case AtLeast(number):
            return AtLeast(number, parts)
        case Call(function):
            return Call(function, parts)
        case _:
            return node


# How tightly each kind of node binds: a looser child stands in brackets.
_BINDING: dict[type, int] = {Or: 1, And: 2, Not: 3, Compare: 4, Between: 4, In: 4}


def _binding(node: Node) -> int:
    if isinstance(node, Arithmetic):
        return 5 if node.operator in "+-" else 6
    if isinstance(node, Number) and node.value.is_signed():
        return 7
    return _BINDING.get(type(node), 7 if isinstance(node, Negative) else 8)


def _within(node: Node, least: int) -> str:
    return render(node) if _binding(node) >= least else f"({render(node)})"


def render(node: Node) -> str:
    """The expression's text in one agreed spelling; parsing it gives the same tree again."""
    match node:
        case Name(name):
            return name
        case Number() | Option() | Truth() | Day():
            return _render_literal(node)
        case Arithmetic(operator, left, right):
            level = _binding(node)
            return f"{_within(left, level)} {operator} {_within(right, level + 1)}"
        case Negative(term):
            return f"-{_within(term, 8)}"
        case DaysBetween(first, last):
            return f"DAYS_BETWEEN({render(first)}, {render(last)})"
        case AddMonths(day, months):
            return f"ADD_MONTHS({render(day)}, {months})"
        case Call(function, arguments):
            return f"{function}({', '.join(render(each) for each in arguments)})"
        case Choose(branches, otherwise):
            arms = "; ".join(f"{render(value)} when {render(test)}" for test, value in branches)
            return f"{arms}; else {render(otherwise)}"
        case _:
            return _render_test(node)


def _render_literal(node: Literal) -> str:
    match node:
        case Number(value):
            return format(value, "f")
        case Option(value):
            return f"'{value}'"
        case Truth(value):
            return "TRUE" if value else "FALSE"
        case Day(value):
            return f"DATE '{value.isoformat()}'"


def _render_test(node: Node) -> str:
    match node:
        case Compare(operator, left, right):
            return f"{_within(left, 5)} {operator} {_within(right, 5)}"
        case Between(term, low, high):
            return f"{_within(term, 5)} BETWEEN {_within(low, 5)} AND {_within(high, 5)}"
        case In(term, items):
            return f"{_within(term, 5)} IN ({', '.join(render(item) for item in items)})"
        case Not(In(term, items)):
            return f"{_within(term, 5)} NOT IN ({', '.join(render(item) for item in items)})"
        case Not(part):
            return f"NOT {_within(part, 4)}"
        case And(parts):
            return " AND ".join(_within(part, 3) for part in parts)
        case Or(parts):
            return " OR ".join(_within(part, 2) for part in parts)
        case AtLeast(number, parts):
            return f"AT_LEAST({number}, {', '.join(render(part) for part in parts)})"
        case _:  # pragma: no cover - render() sends only the kinds above
            raise TypeError(type(node).__name__)
