"""Expressions of the criteria language as pairs of z3 formulas: surely true, surely false.

Where neither holds, the expression is not answered. Every input has a value and a flag for being
answered; a count has two bounds. Lists are rows in a number that is enough (`rows.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import z3

from app.authoring.proofs import functions
from app.authoring.proofs.days import FIRST_DAY, LAST_DAY, Calendar
from app.authoring.proofs.functions import Sym
from app.authoring.reading import Chosen, Counted, Opaque, Picked, Reading, Worked
from app.policy import Question, QuestionType, nodes
from app.policy.names import BUILT_IN
from app.policy.typecheck import Family, Type

Pair = tuple[Any, Any]
_TRUE, _FALSE = z3.BoolVal(True), z3.BoolVal(False)


@dataclass(slots=True)
class Input:
    """A question or built-in name as the prover's variables; a list has rows instead of a value."""

    name: str
    question: Question | None
    sym: Sym
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class Row:
    """One row of a list that may be there or not."""

    present: Any
    fields: dict[str, Input]


class Encoder:
    """The variables of one query, shared by the versions that it is about.

    `opaque` names what could not be looked into: a proof still stands, since such a value is left
    free, but an example must hold in the evaluator before it counts. `hints` lead the search to
    examples in which such a value is what the list's only row says.
    """

    def __init__(
        self, row_counts: Mapping[str, int], merged: Mapping[str, Question] | None = None
    ) -> None:
        self.calendar = Calendar()
        self.inputs: dict[str, Input] = {}
        self.opaque: set[str] = set()
        self.hints: list[Any] = []
        self._row_counts = row_counts
        self._merged = merged or {}
        self._domain: list[Any] = []
        self._options: dict[str, int] = {}

    def constraints(self) -> list[Any]:
        """What holds of every patient: ranges of answers, and the calendar."""
        return [*self._domain, *self.calendar.constraints]

    def option(self, key: str) -> int:
        """The number that stands for an option's key."""
        return self._options.setdefault(key, len(self._options))

    def option_of(self, number: int) -> str:
        """The option's key of a number that `option` gave."""
        return next(key for key, known in self._options.items() if known == number)

    def view(self, reading: Reading, suffixes: Mapping[str, str] | None = None) -> View:
        """A version's expressions over this query's variables.

        `suffixes` keep two versions' questions of one name but of different types apart.
        """
        return View(self, reading, suffixes or {}, {})

    def input(self, key: str, name: str, question: Question | None) -> Input:
        """The variables of a question or built-in name; made on first use."""
        if key not in self.inputs:
            question = self._merged.get(key, question)
            made = Input(name, question, self._variable(key, name, question))
            self.inputs[key] = made
            if question is not None and question.type is QuestionType.LIST:
                made.rows = self._rows(key, question)
        return self.inputs[key]

    def _variable(self, key: str, name: str, question: Question | None) -> Sym:
        known = z3.Bool(f"{key} is answered")
        family, value = self._value(key, name, question)
        return Sym(family, value, value, known)

    def _value(self, key: str, name: str, question: Question | None) -> tuple[Family, Any]:
        if question is None:
            return self._built_in(key, name)
        match question.type:
            case QuestionType.BOOLEAN | QuestionType.LIST | QuestionType.TEXT:
                return Family.BOOLEAN, z3.Bool(key)
            case QuestionType.DATE:
                return Family.DATE, self._day(key)
            case QuestionType.CHOICE:
                return Family.CHOICE, self._choice(key, list(question.options))
            case _:
                return Family.NUMBER, self._number(key, question)

    def _built_in(self, key: str, name: str) -> tuple[Family, Any]:
        kind = BUILT_IN[name]
        if kind.family is Family.CHOICE:
            return Family.CHOICE, self._choice(key, sorted(kind.options))
        return Family.DATE, self._day(key)

    def _day(self, key: str) -> Any:
        day = z3.Int(key)
        self._domain.append(z3.And(day >= FIRST_DAY.toordinal(), day <= LAST_DAY.toordinal()))
        return day

    def _choice(self, key: str, options: list[str]) -> Any:
        choice = z3.Int(key)
        self._domain.append(z3.Or([choice == self.option(option) for option in options]))
        return choice

    def _number(self, key: str, question: Question) -> Any:
        """A whole number of the smallest step that the question allows, scaled."""
        places = 0 if question.type is QuestionType.INTEGER else question.decimals
        steps = z3.Int(key)
        scale = 10 ** (8 if places is None else places)
        low = 1 - 10**12 if question.minimum is None else question.minimum
        high = 10**12 - 1 if question.maximum is None else question.maximum
        self._domain.append(z3.And(steps >= _up(low * scale), steps <= _down(high * scale)))
        return steps if scale == 1 else z3.ToReal(steps) / scale

    def _rows(self, key: str, question: Question) -> list[Row]:
        rows = []
        for number in range(self._row_counts.get(question.name, 0)):
            at = f"{key}[{number + 1}]"
            fields = {
                name: Input(name, below, self._variable(f"{at}.{name}", name, below))
                for name, below in question.fields.items()
            }
            rows.append(Row(z3.Bool(f"{at} is there"), fields))
        # Rows have no order of their own: those that are there come first.
        for before, after in itertools.pairwise(rows):
            self._domain.append(z3.Implies(after.present, before.present))
        return rows


def _up(value: Decimal | int) -> int:
    return -int(-value // 1)


def _down(value: Decimal | int) -> int:
    return int(value // 1)


class View:
    """One version's expressions as formulas."""

    def __init__(
        self,
        encoder: Encoder,
        reading: Reading,
        suffixes: Mapping[str, str],
        row: Mapping[str, Input],
    ) -> None:
        self.encoder = encoder
        self.reading = reading
        self.suffixes = suffixes
        self.row = row
        self._pairs: dict[nodes.Node, Pair] = {}
        self._values: dict[nodes.Node, Sym] = {}

    def input(self, name: str) -> Input:
        """The variables of a name that is neither derived nor a row's field."""
        key = name + self.suffixes.get(name, "")
        return self.encoder.input(key, name, self.reading.version.questions.get(name))

    # --- tests --------------------------------------------------------------------------

    def test(self, node: nodes.Node) -> Pair:
        """The formulas under which a test is surely true, and surely false."""
        if node not in self._pairs:
            self._pairs[node] = self._test(node)
        return self._pairs[node]

    def _test(self, node: nodes.Node) -> Pair:
        match node:
            case nodes.Truth(value):
                return (_TRUE, _FALSE) if value else (_FALSE, _TRUE)
            case nodes.Name(name):
                return self._named_test(name)
            case nodes.Not(part):
                true, false = self.test(part)
                return false, true
            case nodes.And(parts):
                pairs = [self.test(part) for part in parts]
                return z3.And([p[0] for p in pairs]), z3.Or([p[1] for p in pairs])
            case nodes.Or(parts):
                pairs = [self.test(part) for part in parts]
                return z3.Or([p[0] for p in pairs]), z3.And([p[1] for p in pairs])
            case nodes.AtLeast(number, parts):
                pairs = [self.test(part) for part in parts]
                never = len(parts) - number + 1
                return _at_least(number, [p[0] for p in pairs]), _at_least(
                    never, [p[1] for p in pairs]
                )
            case nodes.Compare(operator, left, right):
                return compare(operator, self.value(left), self.value(right))
            case nodes.Between(term, low, high):
                found = self.value(term)
                above = compare(">=", found, self.value(low))
                below = compare("<=", found, self.value(high))
                return z3.And(above[0], below[0]), z3.Or(above[1], below[1])
            case nodes.In(term, items):
                found = self.value(term)
                pairs = [compare("=", found, self.value(item)) for item in items]
                return z3.Or([p[0] for p in pairs]), z3.And([p[1] for p in pairs])
            case _:
                return _as_pair(self._free(node, Type(Family.BOOLEAN)))

    def _named_test(self, name: str) -> Pair:
        definition = self.reading.derived.get(name)
        if isinstance(definition, Worked) and name not in self.row:
            return self.test(definition.node)
        return _as_pair(self._named(name))

    # --- values -------------------------------------------------------------------------

    def value(self, node: nodes.Node) -> Sym:
        """A value's bounds and the formula under which it is known."""
        if node not in self._values:
            self._values[node] = self._value(node)
        return self._values[node]

    def _value(self, node: nodes.Node) -> Sym:
        match node:
            case nodes.Name(name):
                return self._named(name)
            case nodes.Number(value):
                number = z3.IntVal(int(value)) if value == int(value) else z3.RealVal(str(value))
                return _exact(Family.NUMBER, number)
            case nodes.Option(value):
                return _exact(Family.CHOICE, z3.IntVal(self.encoder.option(value)))
            case nodes.Day(value):
                return _exact(Family.DATE, z3.IntVal(value.toordinal()))
            case nodes.Truth(value):
                return _exact(Family.BOOLEAN, z3.BoolVal(value))
            case nodes.DaysBetween(first, last):
                start, end = self.value(first), self.value(last)
                days = end.low - start.low
                return Sym(Family.NUMBER, days, days, z3.And(start.known, end.known))
            case nodes.AddMonths(day, months):
                found = self.value(day)
                moved = self.encoder.calendar.add_months(found.low, months)
                return Sym(Family.DATE, moved, moved, found.known)
            case nodes.Negative(term):
                found = self.value(term)
                return Sym(found.family, -found.high, -found.low, found.known)
            case nodes.Arithmetic(operator, left, right):
                return arithmetic(operator, self.value(left), self.value(right))
            case _:
                return self._other_value(node)

    def _other_value(self, node: nodes.Node) -> Sym:
        """A function's value; a test used as a value; else a free value."""
        if isinstance(node, nodes.Call):
            arguments = [self.value(part) for part in node.arguments]
            worked = functions.apply(node.function, arguments, self.encoder.calendar)
            if worked is not None:
                return worked
        if isinstance(
            node,
            nodes.Compare
            | nodes.Between
            | nodes.In
            | nodes.And
            | nodes.Or
            | nodes.Not
            | nodes.AtLeast,
        ):
            true, false = self.test(node)
            return Sym(Family.BOOLEAN, true, true, z3.Or(true, false))
        return self._free(node, Type(Family.NUMBER))

    def _named(self, name: str) -> Sym:
        if name in self.row:
            return self.row[name].sym
        match self.reading.derived.get(name):
            case None:
                return self.input(name).sym
            case Worked(node):
                return self.value(node)
            case Counted(list_name, where):
                return self._count(list_name, where)
            case Chosen() as chosen:
                return self._chosen(chosen)
            case Picked() as pick:
                return self._picked(pick)
            case Opaque() as opaque:
                return self._opaque(name, opaque)

    def _chosen(self, chosen: Chosen) -> Sym:
        """The first branch whose condition surely holds, all before it surely failing."""
        fallback = chosen.otherwise
        found = self.value(chosen.branches[0][1]) if fallback is None else self.value(fallback)
        value, known = found.low, _FALSE if fallback is None else found.known
        for condition, outcome in reversed(chosen.branches):
            true, false = self.test(condition)
            branch = self.value(outcome)
            value = z3.If(true, branch.low, value)
            known = z3.Or(z3.And(true, branch.known), z3.And(false, known))
        return Sym(found.family, value, value, known)

    def _count(self, list_name: str, where: nodes.Node | None) -> Sym:
        listed = self.input(list_name)
        sure, possible = [], []
        for row in listed.rows:
            passes: Pair = (_TRUE, _FALSE)
            if where is not None:
                within = View(self.encoder, self.reading, self.suffixes, row.fields)
                passes = within.test(where)
            sure.append(z3.If(z3.And(row.present, passes[0]), 1, 0))
            possible.append(z3.If(z3.And(row.present, z3.Not(passes[1])), 1, 0))
        none = [z3.IntVal(0)]
        return Sym(Family.NUMBER, z3.Sum(sure or none), z3.Sum(possible or none), listed.sym.known)

    def _picked(self, pick: Picked) -> Sym:
        """The value that every row which could be the pick has; as `app.policy.picks` has it."""
        listed = self.input(pick.list_name or "")
        rows = []
        for row in listed.rows:
            passes: Pair = (_TRUE, _FALSE)
            if pick.where is not None:
                within = View(self.encoder, self.reading, self.suffixes, row.fields)
                passes = within.test(pick.where)
            sure = z3.And(row.present, passes[0])
            may = z3.And(row.present, z3.Not(passes[1]))
            order, value = row.fields[pick.order].sym, row.fields[pick.field or ""].sym
            rows.append(functions.Candidate(sure, may, order, value))
        return functions.picked(rows, pick.mode in ("earliest", "lowest"), listed.sym.known)

    def _opaque(self, name: str, opaque: Opaque) -> Sym:
        self.encoder.opaque.add(name)
        free = self._free_value(opaque.definition, self.reading.types[name])
        rows = self.input(opaque.list_name).rows if opaque.list_name is not None else []
        if rows and opaque.field in rows[0].fields:
            cell = rows[0].fields[opaque.field].sym
            self.encoder.hints += [rows[0].present, *(z3.Not(row.present) for row in rows[1:])]
            self.encoder.hints += [cell.known == free.known, cell.low == free.low]
        for name_read in self.reading.reached(nodes.Name(name)):
            self.input(name_read)
        return free

    def _free(self, node: nodes.Node, kind: Type) -> Sym:
        text = repr(node)
        self.encoder.opaque.add(type(node).__name__)
        for name in self.reading.reached(node):
            if name not in self.row:
                self.input(name)
        return self._free_value(text, kind)

    def _free_value(self, key: str, kind: Type) -> Sym:
        """A value of which nothing is known, the same wherever the same working stands."""
        known = z3.Bool(f"{key} is known")
        match kind.family:
            case Family.BOOLEAN:
                value: Any = z3.Bool(key)
            case Family.DATE | Family.CHOICE:
                value = z3.Int(key)
            case _:
                value = z3.Int(key) if kind.whole else z3.Real(key)
        return Sym(kind.family, value, value, known)


def _exact(family: Family, value: Any) -> Sym:
    return Sym(family, value, value, _TRUE)


def _as_pair(sym: Sym) -> Pair:
    return z3.And(sym.known, sym.low), z3.And(sym.known, z3.Not(sym.low))


def _at_least(number: int, parts: list[Any]) -> Any:
    return z3.PbGe([(part, 1) for part in parts], number)


_RELATIONS: dict[str, Any] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def compare(operator: str, left: Sym, right: Sym) -> Pair:
    """The pair of a comparison; counts compare by their bounds."""
    known = z3.And(left.known, right.known)
    if left.low is left.high and right.low is right.high:
        holds = _RELATIONS[operator](left.low, right.low)
        return z3.And(known, holds), z3.And(known, z3.Not(holds))
    same = z3.And(left.low == left.high, right.low == right.high, left.low == right.low)
    apart = z3.Or(left.high < right.low, left.low > right.high)
    sure, never = {
        ">=": (left.low >= right.high, left.high < right.low),
        ">": (left.low > right.high, left.high <= right.low),
        "<=": (left.high <= right.low, left.low > right.high),
        "<": (left.high < right.low, left.low >= right.high),
        "=": (same, apart),
        "<>": (apart, same),
    }[operator]
    return z3.And(known, sure), z3.And(known, never)


def arithmetic(operator: str, left: Sym, right: Sym) -> Sym:
    """A sum, difference, product or quotient; a quotient by zero is not known."""
    known = z3.And(left.known, right.known)
    if operator == "+":
        low, high = _both(left, left.low + right.low, left.high + right.high, right)
        return Sym(Family.NUMBER, low, high, known)
    if operator == "-":
        low, high = _both(left, left.low - right.high, left.high - right.low, right)
        return Sym(Family.NUMBER, low, high, known)
    if operator == "*":
        product = left.low * right.low
        return Sym(Family.NUMBER, product, product, known)
    quotient = _real(left.low) / _real(right.low)
    return Sym(Family.NUMBER, quotient, quotient, z3.And(known, right.low != 0))


def _both(left: Sym, low: Any, high: Any, right: Sym) -> tuple[Any, Any]:
    """Both bounds, or one term twice where both sides are exact."""
    exact = left.low is left.high and right.low is right.high
    return (low, low) if exact else (low, high)


def _real(term: Any) -> Any:
    return z3.ToReal(term) if z3.is_int(term) else term
