"""Reads the criteria language: SQL boolean expressions, parsed by sqlglot, allow-listed.

sqlglot's tree is only read through an allow-list of node types *and* of their argument names;
whatever is not on it is refused. What comes out is our own tree (`nodes`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from app.policy import nodes
from app.policy.lexicon import FUNCTION_MARK, FUNCTIONS_2, MAX_DEPTH, refuse, scan

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2200, 12, 31)
MAX_MONTHS = 1200

_BOTH = frozenset({"this", "expression"})
_ONE = frozenset({"this"})
_ALLOWED: dict[type, frozenset[str]] = {
    exp.And: _BOTH,
    exp.Or: _BOTH,
    exp.Not: _ONE,
    exp.Paren: _ONE,
    exp.Neg: _ONE,
    exp.EQ: _BOTH,
    exp.NEQ: _BOTH,
    exp.LT: _BOTH,
    exp.LTE: _BOTH,
    exp.GT: _BOTH,
    exp.GTE: _BOTH,
    exp.Add: _BOTH,
    exp.Sub: _BOTH,
    exp.Mul: _BOTH,
    exp.Div: _BOTH,
    exp.Between: frozenset({"this", "low", "high"}),
    exp.In: frozenset({"this", "expressions"}),
    exp.Column: _ONE,
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Boolean: _ONE,
    exp.AddMonths: _BOTH,
    exp.Anonymous: frozenset({"this", "expressions"}),
    exp.Cast: frozenset({"this", "to"}),  # only as DATE 'YYYY-MM-DD': CAST and :: never get here
}
_COMPARISONS: dict[type, str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_ARITHMETIC: dict[type, str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}


@lru_cache(maxsize=8192)
def parse(text: str) -> nodes.Node:
    """Read one expression of the criteria language.

    Raises ExpressionRefused, with a message and a mend, for anything outside the language.
    Names and types are not looked at here: that is the type checker's work.
    """
    scanned = scan(text)
    try:
        statements = sqlglot.parse(scanned)
    except (SqlglotError, RecursionError):
        statements = []
    if len(statements) != 1 or statements[0] is None:
        refuse(
            "unreadable",
            "the expression cannot be read",
            "check for a missing word, comma or bracket; a test looks like `edss <= 6.5`",
        )
    tree = statements[0]
    _check_depth(tree)
    return _node(tree)


def _check_depth(tree: Any) -> None:
    """Bound the tree's depth before anything recurses over it; chains of AND and OR are flat."""
    waiting = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > 3 * MAX_DEPTH:
            refuse(
                "too-deep",
                "the expression chains or nests too many operations",
                "split it into derived values",
            )
        for child in node.iter_expressions():
            flat = type(child) is type(node) and isinstance(node, exp.And | exp.Or)
            waiting.append((child, depth if flat else depth + 1))


def _check_allowed(tree: Any) -> None:
    allowed = _ALLOWED.get(type(tree))
    if allowed is None:
        refuse(
            "construct",
            f"{type(tree).__name__} is not in the language",
            "use AND, OR, NOT, comparisons, BETWEEN, IN, AT_LEAST, DAYS_BETWEEN, ADD_MONTHS",
        )
    extra = sorted(name for name, value in tree.args.items() if value and name not in allowed)
    if extra:
        refuse(
            "construct",
            f"{type(tree).__name__} with {', '.join(extra)} is not in the language",
            "write the plain form",
        )


def _node(tree: Any) -> nodes.Node:
    _check_allowed(tree)
    kind = type(tree)
    if kind in _COMPARISONS:
        return nodes.Compare(_COMPARISONS[kind], _node(tree.this), _node(tree.expression))
    if kind in _ARITHMETIC:
        return nodes.Arithmetic(_ARITHMETIC[kind], _node(tree.this), _node(tree.expression))
    return _READERS[kind](tree)


def _chain(tree: Any, kind: Any) -> tuple[nodes.Node, ...]:
    """The parts of a chain of one connective, from left to right, without recursing along it."""
    parts: list[nodes.Node] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if type(node) is kind:
            _check_allowed(node)
            waiting += [node.expression, node.this]
        else:
            parts.append(_node(node))
    return tuple(parts)


def _and(tree: Any) -> nodes.Node:
    return nodes.And(_chain(tree, exp.And))


def _or(tree: Any) -> nodes.Node:
    return nodes.Or(_chain(tree, exp.Or))


def _negative(tree: Any) -> nodes.Node:
    below = _node(tree.this)
    if isinstance(below, nodes.Number):
        return nodes.Number(-below.value)
    return nodes.Negative(below)


def _in(tree: Any) -> nodes.Node:
    items = tree.args.get("expressions") or []
    if not items:
        refuse("in", "IN needs a list of options or numbers", "write IN ('a', 'b')")
    read = tuple(_node(item) for item in items)
    if not all(isinstance(item, nodes.Literal) for item in read):
        refuse("in", "IN takes only plain options, numbers or dates", "join tests with OR instead")
    if len(set(read)) != len(read):
        refuse("in", "IN names one value twice", "take the repeated value out")
    return nodes.In(_node(tree.this), read)


def _column(tree: Any) -> nodes.Node:
    _check_allowed(tree.this)
    return nodes.Name(str(tree.this.this))


def _literal(tree: Any) -> nodes.Node:
    return nodes.Option(str(tree.this)) if tree.is_string else nodes.Number(Decimal(tree.this))


def _day(tree: Any) -> nodes.Node:
    _check_allowed(tree.this)
    text = str(tree.this.this)
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    is_date = tree.args["to"].is_type("date") and tree.this.is_string
    if day is None or not is_date or not FIRST_DAY <= day <= LAST_DAY:
        refuse(
            "date",
            "a date is not one of the calendar's days between 1900 and 2200",
            "write DATE 'YYYY-MM-DD'",
        )
    return nodes.Day(day)


def _add_months(tree: Any) -> nodes.Node:
    months = _node(tree.expression)
    if not isinstance(months, nodes.Number) or months.value != months.value.to_integral_value():
        refuse(
            "add-months",
            "ADD_MONTHS takes a whole number of months, written out",
            "write for example ADD_MONTHS(decision_to_treat, -12)",
        )
    if abs(months.value) > MAX_MONTHS:
        refuse("add-months", f"ADD_MONTHS is over {MAX_MONTHS} months", "check the number")
    return nodes.AddMonths(_node(tree.this), int(months.value))


def _call(tree: Any) -> nodes.Node:
    name = tree.this.upper() if isinstance(tree.this, str) else ""
    arguments = [_node(item) for item in tree.args.get("expressions") or []]
    if name == "DAYS_BETWEEN":
        if len(arguments) != 2:
            refuse("days-between", "DAYS_BETWEEN takes two dates", "write DAYS_BETWEEN(from, to)")
        return nodes.DaysBetween(arguments[0], arguments[1])
    if name.startswith(FUNCTION_MARK) and name.removeprefix(FUNCTION_MARK) in FUNCTIONS_2:
        return nodes.Call(name.removeprefix(FUNCTION_MARK), tuple(arguments))
    if name != "AT_LEAST":
        refuse("function", "there is no such function", "use AT_LEAST, DAYS_BETWEEN or ADD_MONTHS")
    return _at_least(arguments)


def _at_least(arguments: list[nodes.Node]) -> nodes.Node:
    number = arguments[0] if arguments else None
    parts = tuple(arguments[1:])
    if not isinstance(number, nodes.Number) or number.value != number.value.to_integral_value():
        refuse(
            "at-least",
            "AT_LEAST begins with a whole number",
            "write for example AT_LEAST(2, a, b, c)",
        )
    if not 1 <= number.value <= len(parts) or len(parts) < 2:
        refuse(
            "at-least",
            "AT_LEAST asks for none, or for more than it lists, so it is always true or never",
            "ask for between one and all of at least two listed tests",
        )
    return nodes.AtLeast(int(number.value), parts)


_READERS: dict[type, Callable[[Any], nodes.Node]] = {
    exp.And: _and,
    exp.Or: _or,
    exp.Not: lambda tree: nodes.Not(_node(tree.this)),
    exp.Paren: lambda tree: _node(tree.this),
    exp.Neg: _negative,
    exp.Between: lambda tree: nodes.Between(
        _node(tree.this), _node(tree.args["low"]), _node(tree.args["high"])
    ),
    exp.In: _in,
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: lambda tree: nodes.Truth(bool(tree.this)),
    exp.Cast: _day,
    exp.AddMonths: _add_months,
    exp.Anonymous: _call,
}
