"""The functions of the language and the picks from a list as DuckDB SQL, digit for digit.

DuckDB works these out on decimals, whole numbers and days, exactly. LN, SQRT and EXP have no
exact SQL, so they have none here: the evaluator decides such forms one by one.
"""

from __future__ import annotations

from decimal import Decimal

from app.policy import nodes
from app.policy.functions import LARGEST

_LARGEST = f"{LARGEST:f}::DECIMAL(13, 0)"


def call_sql(node: nodes.Call, terms: list[str], whole: bool) -> str | None:
    """A function of plain terms, the first a whole number or not; None where it has no SQL."""
    match node.function:
        case "LEAST" | "GREATEST":
            # DuckDB's own skip what is NULL; here one term that is not known hides the answer.
            unknown = " OR ".join(f"{term} IS NULL" for term in terms)
            best = f"{node.function.lower()}({', '.join(terms)})"
            return f"CASE WHEN {unknown} THEN NULL ELSE {best} END"
        case "ROUND":
            return (
                terms[0] if whole else _round_half_even(terms[0], int(literal(node.arguments[1])))
            )
        case "ROUND_DOWN":
            return _round_down(terms[0], literal(node.arguments[1]))
        case "COMPLETE_MONTHS":
            return _complete_months(*terms)
        case _:
            return None


def literal(node: nodes.Node) -> Decimal:
    """The value of the literal that a function's last argument always is."""
    if not isinstance(node, nodes.Number):
        raise TypeError(f"not a number: {nodes.render(node)}")
    return node.value


def _decimal(value: Decimal) -> str:
    """A literal as narrow as it can be, so that products stay within 38 digits."""
    text = format(value, "f")
    places = len(text.partition(".")[2])
    digits = max(len(text.replace(".", "").replace("-", "")), places + 1)
    return f"{text}::DECIMAL({digits}, {places})"


def _round_half_even(term: str, places: int) -> str:
    scaled = f"({term} * {_decimal(Decimal(10) ** places)})"
    below = f"floor({scaled})"
    rest = f"({scaled} - {below})"
    half = "0.5::DECIMAL(2, 1)"
    digit = f"CASE WHEN {rest} > {half} OR ({rest} = {half} AND {below} % 2 <> 0) THEN 1 ELSE 0 END"
    step = _decimal(Decimal(1).scaleb(-places))
    return f"CASE WHEN {term} IS NOT NULL THEN ({below} + ({digit})::DECIMAL(1, 0)) * {step} END"


def _round_down(term: str, step: Decimal) -> str:
    over = f"({term} % {_decimal(step)})"
    below = f"CASE WHEN {over} < 0 THEN {over} + {_decimal(step)} ELSE {over} END"
    return f"CASE WHEN abs({term}) < {_LARGEST} THEN {term} - ({below}) END"


def _complete_months(first: str, last: str) -> str:
    forth, back = _months(first, last), _months(last, first)
    return f"CASE WHEN {last} >= {first} THEN {forth} WHEN {last} < {first} THEN -({back}) END"


def _months(first: str, last: str) -> str:
    """Months completed between two days, the second not before the first."""
    years = f"(year({last}) - year({first})) * 12"
    between = f"({years} + month({last}) - month({first}))"
    reached = f"CAST({first} + to_months({between}::INTEGER) AS DATE)"
    return f"({between} - CASE WHEN {reached} > {last} THEN 1 ELSE 0 END)"


def pick_sql(rows: str, row: str, passes: str, order: str, value: str, smallest: bool) -> str:
    """The value of a list's pick, three-valued as `app.policy.picks` has it.

    `row` names a row inside `passes`; `order` and `value` are quoted fields of it.
    """
    inner, limit = '"each row"', '"the bound"'
    sure = f"list_filter({rows}, lambda {row}: {passes})"
    orders = f"list_transform({sure}, lambda {inner}: {inner}.{order})"
    bound = f"list_{'min' if smallest else 'max'}({orders})"
    # The bound is worked out once for a form, not once for each of its rows.
    beyond = f"{row}.{order} {'<=' if smallest else '>='} {limit}"
    could = f"coalesce({passes}, TRUE) AND coalesce({beyond}, TRUE)"
    values = (
        f"list_transform([{bound}], lambda {limit}: list_transform("
        f"list_filter({rows}, lambda {row}: {could}), lambda {inner}: {inner}.{value}))[1]"
    )
    # Worked out once, then looked at: it would stand four times in the query.
    chosen = (
        'CASE WHEN len("could be") = list_aggregate("could be", \'count\') '
        'AND list_min("could be") = list_max("could be") THEN list_min("could be") END'
    )
    known = f'list_transform([{values}], lambda "could be": {chosen})[1]'
    return f"CASE WHEN len({sure}) > 0 THEN {known} END"
