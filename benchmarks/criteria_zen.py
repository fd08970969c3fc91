"""The benchmark's criteria for zen-engine, guarded so that a missing answer stays unknown.

zen takes a missing value for false, zero or even true, so each test is guarded and yields 1, 0 or
0.5 for not answered; AND is then the least, OR the greatest of them. All criteria are one compiled
expression, so zen is entered once a form.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import zen

from app.policy import PolicyVersion, Section, nodes
from app.policy.compile import Shape
from app.policy.language import parse

RESULTS = {1: True, 0: False, 0.5: None}


Zen = Callable[[dict[str, Any]], dict[str, Any]]


def zen_function(version: PolicyVersion, *, with_findings: bool) -> Zen:
    """zen's compiled expression for a policy version's start criteria.

    It yields `s0`, `s1`, … for the criteria's results, and `with_findings` for every other slot of
    the generated function's answer too: the results of the parts and the values looked at.
    """
    derived = {name: parse(str(each.value)) for name, each in version.derived.items()}
    dates = {name for name, each in version.questions.items() if each.type == "date"}
    writer = _Writer(derived, dates | {"decision_to_treat"})
    shapes = version.compiled.sections[Section.START].shapes
    fields = {shape.slot: writer.test(parse(shape.text)) for shape in shapes}
    if with_findings:
        for shape in shapes:
            writer.parts(shape, fields)
    written = ", ".join(f"s{slot}: {text}" for slot, text in fields.items())
    evaluate: Zen = zen.compile_expression("{" + written + "}").evaluate
    return evaluate


def results_of(answer: dict[str, Any], number: int) -> tuple[bool | None, ...]:
    """zen's results of the first `number` criteria in our words."""
    return tuple(RESULTS[answer[f"s{slot}"]] for slot in range(number))


def zen_form(form: dict[str, Any]) -> dict[str, Any]:
    """A form as zen takes it: JSON values."""
    return {name: _json(value) for name, value in form.items()}


def _json(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


class _Writer:
    """Writes guarded zen expressions."""

    def __init__(self, derived: dict[str, nodes.Node], dates: set[str]) -> None:
        self.derived = derived
        self.dates = dates

    def parts(self, shape: Shape, fields: dict[int, str]) -> None:
        """Write every part below a criterion, and the values they look at."""
        for part in shape.parts:
            fields.setdefault(part.slot, self.test(parse(part.text)))
            self.parts(part, fields)
        for looked in shape.looked_at:
            if looked.name in self.derived:
                inner = self.derived[looked.name]
                guards = " or ".join(f"{name} == null" for name in self._names(inner))
                fields.setdefault(looked.slot, f"({guards} ? null : {self._value(inner)})")
            fields.setdefault(looked.slot, looked.name)

    def test(self, node: nodes.Node) -> str:
        """A test as 1, 0 or 0.5."""
        match node:
            case nodes.And(parts):
                return f"min([{', '.join(self.test(part) for part in parts)}])"
            case nodes.Or(parts):
                return f"max([{', '.join(self.test(part) for part in parts)}])"
            case nodes.Not(part):
                return f"(1 - {self.test(part)})"
            case nodes.AtLeast(number, parts):
                listed = f"[{', '.join(self.test(part) for part in parts)}]"
                sure = f"count({listed}, # == 1) >= {number}"
                maybe = f"count({listed}, # >= 0.5) >= {number}"
                return f"({sure} ? 1 : {maybe} ? 0.5 : 0)"
            case _:
                return self._guarded(node)

    def _guarded(self, node: nodes.Node) -> str:
        guards = " or ".join(f"{name} == null" for name in self._names(node))
        return f"({guards} ? 0.5 : {self._leaf(node)} ? 1 : 0)"

    def _names(self, node: nodes.Node) -> list[str]:
        found: list[str] = []
        for name in nodes.names_in(node):
            below = self._names(self.derived[name]) if name in self.derived else [name]
            found += [each for each in below if each != "decision_to_treat"]
        return found

    def _leaf(self, node: nodes.Node) -> str:
        match node:
            case nodes.Name(name):
                return name
            case nodes.Compare(operator, left, right):
                if self._is_date(left):
                    method = {">=": "isSameOrAfter", "<=": "isSameOrBefore"}[operator]
                    return f"{self._value(left)}.{method}({self._value(right)})"
                return f"{self._value(left)} {operator} {self._value(right)}"
            case nodes.Between(term, low, high):
                both = (nodes.Compare(">=", term, low), nodes.Compare("<=", term, high))
                return f"({' and '.join(self._leaf(each) for each in both)})"
            case nodes.In(term, items):
                return f"{self._value(term)} in [{', '.join(self._value(each) for each in items)}]"
            case _:
                raise TypeError(type(node).__name__)

    def _is_date(self, node: nodes.Node) -> bool:
        name = node.name if isinstance(node, nodes.Name) else None
        return name in self.dates or isinstance(node, nodes.AddMonths)

    def _value(self, node: nodes.Node) -> str:
        match node:
            case nodes.Name(name) if name in self.derived:
                return f"({self._value(self.derived[name])})"
            case nodes.Name(name):
                return f"d({name})" if name in self.dates else name
            case nodes.AddMonths(day, months):
                return f"{self._value(day)}.sub({-months}, 'month')"
            case nodes.DaysBetween(first, last):
                return f"{self._value(last)}.diff({self._value(first)}, 'day')"
            case nodes.Arithmetic(operator, left, right):
                return f"({self._value(left)} {operator} {self._value(right)})"
            case _:
                return nodes.render(node)
