"""Criteria as DuckDB SQL with the evaluator's three-valued logic.

SQL's NULL is "not answered", and its AND, OR and NOT are Kleene's. Written here are the parts that
are not the same everywhere: adding months, counts as intervals, exact division, AT_LEAST.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from app.authoring.reading import Chosen, Counted, Opaque, Picked, Reading, Worked, value_type
from app.authoring.replay.sql_functions import call_sql, pick_sql
from app.policy import Question, QuestionType, nodes
from app.policy.names import BUILT_IN, question_type

_OPPOSITE = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}


class NotTranslated(Exception):
    """An expression has no SQL here: the evaluator decides such forms one by one."""


@dataclass(frozen=True, slots=True)
class Sql:
    """A value between `low` and `high`; where `over` is set both are divided by it."""

    low: str
    high: str
    over: str | None = None

    @property
    def exact(self) -> bool:
        """Whether it is one value and no interval."""
        return self.low == self.high


def quoted(name: str) -> str:
    """A column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text literal."""
    return "'" + value.replace("'", "''") + "'"


def column_type(question: Question) -> str:
    """The SQL type that holds every answer to a question exactly."""
    match question.type:
        case QuestionType.BOOLEAN:
            return "BOOLEAN"
        case QuestionType.DATE:
            return "DATE"
        case QuestionType.INTEGER:
            return "BIGINT"
        case QuestionType.NUMBER:
            return _decimal(question)
        case QuestionType.LIST:
            fields = (f"{quoted(n)} {column_type(f)}" for n, f in question.fields.items())
            return f"STRUCT({', '.join(fields)})[]"
        case _:
            return "VARCHAR"


def _decimal(question: Question) -> str:
    places = 8 if question.decimals is None else question.decimals
    bounds = (question.minimum, question.maximum)
    digits = 12
    if bounds[0] is not None and bounds[1] is not None:
        digits = max(len(str(abs(int(bound)))) for bound in bounds if bound is not None)
    return f"DECIMAL({min(38, digits + places)}, {places})"


class Writer:
    """Writes one version's expressions over a table of forms; `columns` are those it has."""

    def __init__(
        self, reading: Reading, columns: Collection[str], row: str = "", rank: int = 0
    ) -> None:
        self.reading = reading
        self.columns = columns
        self.row = row
        self.rank = rank
        self.fields: Mapping[str, Question] = {}
        self._tests: dict[nodes.Node, str] = {}

    def test(self, node: nodes.Node) -> str:
        """A test as a BOOLEAN expression in brackets."""
        if node not in self._tests:
            self._tests[node] = f"({self._test(node)})"
        return self._tests[node]

    def _test(self, node: nodes.Node) -> str:
        match node:
            case nodes.Truth(value):
                return "TRUE" if value else "FALSE"
            case nodes.Not(part):
                return f"NOT {self.test(part)}"
            case nodes.And(parts):
                return " AND ".join(self.test(part) for part in parts)
            case nodes.Or(parts):
                return " OR ".join(self.test(part) for part in parts)
            case nodes.AtLeast(number, parts):
                return self._at_least(number, [self.test(part) for part in parts])
            case nodes.Compare(operator, left, right):
                return compare(operator, self.value(left), self.value(right))
            case nodes.Between(term, low, high):
                found = self.value(term)
                above = compare(">=", found, self.value(low))
                return f"({above}) AND ({compare('<=', found, self.value(high))})"
            case nodes.In(term, items):
                return self._in(self.value(term), [self.value(item) for item in items])
            case nodes.Name():
                return self.value(node).low
            case _:
                raise NotTranslated(type(node).__name__)

    def _at_least(self, number: int, parts: list[str]) -> str:
        sure = " + ".join(f"coalesce({part}::TINYINT, 0)" for part in parts)
        most = " + ".join(f"coalesce({part}::TINYINT, 1)" for part in parts)
        return f"CASE WHEN {sure} >= {number} THEN TRUE WHEN {most} < {number} THEN FALSE END"

    def _in(self, found: Sql, items: list[Sql]) -> str:
        if found.exact and found.over is None:
            return f"{found.low} IN ({', '.join(item.low for item in items)})"
        return " OR ".join(f"({compare('=', found, item)})" for item in items)

    def value(self, node: nodes.Node) -> Sql:
        """A value as SQL."""
        match node:
            case nodes.Name(name):
                return self._name(name)
            case nodes.Number(value):
                return _one(format(value, "f") if value >= 0 else f"({value:f})")
            case nodes.Option(value):
                return _one(text(value))
            case nodes.Day(value):
                return _one(f"DATE '{value.isoformat()}'")
            case nodes.Truth(value):
                return _one("TRUE" if value else "FALSE")
            case nodes.DaysBetween(first, last):
                return _one(f"({self._plain(last)} - {self._plain(first)})")
            case nodes.AddMonths(day, months):
                return _one(f"CAST({self._plain(day)} + INTERVAL ({months}) MONTH AS DATE)")
            case nodes.Negative(term):
                found = self.value(term)
                return Sql(f"(-{found.high})", f"(-{found.low})", found.over)
            case nodes.Arithmetic(operator, left, right):
                return arithmetic(operator, self.value(left), self.value(right))
            case _:
                return self._later(node)

    def _later(self, node: nodes.Node) -> Sql:
        """A function's value; a test used as a value."""
        if isinstance(node, nodes.Call):
            return self._call(node)
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
            return _one(self.test(node))
        raise NotTranslated(type(node).__name__)

    def _call(self, node: nodes.Call) -> Sql:
        terms = [self._plain(each) for each in node.arguments]
        fields = {name: question_type(field) for name, field in self.fields.items()}
        types = {**self.reading.types, **{n: kind for n, kind in fields.items() if kind}}
        whole = value_type(node.arguments[0], types).whole
        found = call_sql(node, terms, whole)
        if found is None:
            raise NotTranslated(node.function)
        return _one(f"({found})")

    def _plain(self, node: nodes.Node) -> str:
        found = self.value(node)
        if not found.exact or found.over is not None:
            raise NotTranslated("a value that is not plain")
        return found.low

    def _name(self, name: str) -> Sql:
        if name in self.fields:
            return _one(f"{self.row}.{quoted(name)}")
        match self.reading.derived.get(name):
            case None:
                return self._column(name)
            case Worked(node):
                return self.value(node)
            case Counted(list_name, where):
                return self._count(list_name, where)
            case Chosen() as chosen:
                return self._chosen(chosen)
            case Picked() as pick:
                return self._pick(pick)
            case Opaque():
                raise NotTranslated(name)

    def _column(self, name: str) -> Sql:
        question = self.reading.version.questions.get(name)
        if name in self.columns:
            return _one(quoted(name))
        if question is None:
            return _one(f"NULL::{'VARCHAR' if name == 'sex' else 'DATE'}")
        return _one(f"NULL::{column_type(question)}")

    def _chosen(self, chosen: Chosen) -> Sql:
        cases = []
        for condition, value in chosen.branches:
            test = self.test(condition)
            cases.append(f"WHEN {test} THEN {self._plain(value)} WHEN {test} IS NULL THEN NULL")
        otherwise = "NULL" if chosen.otherwise is None else self._plain(chosen.otherwise)
        return _one(f"CASE {' '.join(cases)} ELSE {otherwise} END")

    def _pick(self, pick: Picked) -> Sql:
        list_name, field = pick.list_name or "", pick.field or ""
        within = self._in_row(list_name)
        passes = "TRUE" if pick.where is None else within.test(pick.where)
        smallest = pick.mode in ("earliest", "lowest")
        rows = self._column(list_name).low
        fields = (quoted(pick.order), quoted(field))
        return _one(f"({pick_sql(rows, within.row, passes, *fields, smallest)})")

    def _in_row(self, list_name: str) -> Writer:
        # No question's key has a space, so a row's name hides no column.
        row = quoted(f"row {self.rank + 1}")
        within = Writer(self.reading, self.columns, row, self.rank + 1)
        within.fields = self.reading.version.questions[list_name].fields
        return within

    def _count(self, list_name: str, where: nodes.Node | None) -> Sql:
        rows = self._column(list_name).low
        if where is None:
            return _one(f"len({rows})")
        within = self._in_row(list_name)
        row, passes = within.row, within.test(where)
        sure = f"len(list_filter({rows}, lambda {row}: {passes}))"
        return Sql(sure, f"len(list_filter({rows}, lambda {row}: coalesce({passes}, TRUE)))")


def _one(sql: str) -> Sql:
    return Sql(sql, sql)


def compare(operator: str, left: Sql, right: Sql) -> str:
    """A comparison; intervals compare by their bounds, quotients without dividing."""
    if left.over is not None or right.over is not None:
        return _compare_quotients(operator, left, right)
    if left.exact and right.exact:
        return f"{left.low} {operator} {right.low}"
    same = f"{left.low} = {left.high} AND {right.low} = {right.high} AND {left.low} = {right.low}"
    apart = f"{left.high} < {right.low} OR {left.low} > {right.high}"
    sure, never = {
        ">=": (f"{left.low} >= {right.high}", f"{left.high} < {right.low}"),
        ">": (f"{left.low} > {right.high}", f"{left.high} <= {right.low}"),
        "<=": (f"{left.high} <= {right.low}", f"{left.low} > {right.high}"),
        "<": (f"{left.high} < {right.low}", f"{left.low} >= {right.high}"),
        "=": (same, apart),
        "<>": (apart, same),
    }[operator]
    return f"CASE WHEN {sure} THEN TRUE WHEN {never} THEN FALSE END"


def _compare_quotients(operator: str, left: Sql, right: Sql) -> str:
    """a/b against c/d as a·d against c·b, turned round where b·d is negative."""
    if not left.exact or not right.exact:
        raise NotTranslated("a count that is divided")
    over = [each.over for each in (left, right) if each.over is not None]
    one = _times(left.low, right.over)
    other = _times(right.low, left.over)
    sign = " * ".join(f"sign({each})" for each in over)
    return (
        f"CASE WHEN {sign} > 0 THEN {one} {operator} {other} "
        f"WHEN {sign} < 0 THEN {one} {_OPPOSITE[operator]} {other} END"
    )


def _times(term: str, by: str | None) -> str:
    return term if by is None else f"({term} * {by})"


_SAME: dict[str, Callable[[str, str], str]] = {
    "+": lambda a, b: f"({a} + {b})",
    "-": lambda a, b: f"({a} - {b})",
    "*": lambda a, b: f"({a} * {b})",
}


def arithmetic(operator: str, left: Sql, right: Sql) -> Sql:
    """A sum, difference, product or quotient, exactly: a quotient is kept as a fraction."""
    over = left.over or right.over
    if operator == "/":
        if not left.exact or not right.exact:
            raise NotTranslated("a count that is divided")
        top = _times(left.low, right.over)
        return Sql(top, top, _times(right.low, left.over))
    if over is not None:
        return _fraction(operator, left, right)
    same = _SAME[operator]
    if operator == "-":
        return Sql(same(left.low, right.high), same(left.high, right.low))
    return Sql(same(left.low, right.low), same(left.high, right.high))


def _fraction(operator: str, left: Sql, right: Sql) -> Sql:
    if not left.exact or not right.exact:
        raise NotTranslated("a count beside a quotient")
    overs = [each.over for each in (left, right) if each.over is not None]
    bottom = " * ".join(overs)
    if operator == "*":
        top = f"({left.low} * {right.low})"
    else:
        top = f"({_times(left.low, right.over)} {operator} {_times(right.low, left.over)})"
    return Sql(top, top, f"({bottom})")


def built_in_columns() -> dict[str, str]:
    """The columns of a form's context, with their types."""
    return {name: "VARCHAR" if name == "sex" else "DATE" for name in BUILT_IN}
