"""Conditions on the lines of a large run, in the words of its summary, for DuckDB.

What only Python tells of a line, its month and its commissioner as the summary names them, is told
once of each distinct thing that lines state, and the lines that state it are held.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from app.reconciliation.line_filter import LineFilter, folding
from app.reconciliation.model import TestResult
from app.reconciliation.slices import Fold
from app.reconciliation.summary import NOT_STATED, commissioner_named, month_named
from app.reconciliation.untested import ANY_TEST, ONLY_CORROBORATES

Connection = duckdb.DuckDBPyConnection
#: Distinct things that lines state, by the name of what is told of them.
Stated = Callable[[str, str], Sequence[tuple[Any, ...]]]

_NAMED: Final = ("outcome", "drug", "provider")
#: The day tells only of lines that do not state their month.
STATED: Final = (
    "financial_year, financial_month, "
    "CASE WHEN financial_year IS NULL OR financial_month IS NULL THEN supply_date END AS day"
)
_MONTH: Final = (
    ("financial_year", pa.string()),
    ("financial_month", pa.int8()),
    ("day", pa.date32()),
)
_PAYER: Final = (("commissioner", pa.string()), *_MONTH)
#: How a file of outcomes writes a test that could not be made; no text within it has a bare quote.
_NOT_MADE: Final = f'", "{TestResult.NOT_TESTABLE.value}", "'
_ACCEPTED: Final = "CAST(accepted AS DECIMAL(38, 8)) <> 0"


def conditions(
    connection: Connection, stated: Stated, asked: LineFilter, fold: Fold | None
) -> tuple[str, tuple[str, ...]]:
    """A condition on rows of outcomes, with its values: TRUE where anything is asked for."""
    fits, values = list[str](), list[str]()
    for name in _NAMED:
        value = getattr(asked, name)
        if value is not None:
            fits.append(
                f"coalesce({name}, '') IN ('', ?)" if value == NOT_STATED else f"{name} = ?"
            )
            values.append(value)
    if asked.month is not None:
        held = [each for each in stated("month", STATED) if month_named(*each) == asked.month]
        whole = len(stated("month", STATED))
        fits.append(_of_these(connection, "of_month", _MONTH, held, whole))
    if asked.commissioner is not None:
        every = stated("commissioner", f"commissioner, {STATED}")
        fold = folding(fold)
        held = [e for e in every if commissioner_named(*e, fold=fold) == asked.commissioner]
        fits.append(_of_these(connection, "of_payer", _PAYER, held, len(every)))
    if asked.total is not None:
        fits.append("row IN (SELECT read.row FROM read WHERE total_cost IS NULL)")
    if asked.untested is not None:
        fits.append(_untested(asked.untested))
    return " AND ".join(fits) or "TRUE", tuple(values)


def _of_these(
    connection: Connection,
    name: str,
    columns: Sequence[tuple[str, pa.DataType]],
    held: Sequence[tuple[Any, ...]],
    of: int,
) -> str:
    """A condition on lines that state one of these, of so many things that lines state."""
    if len(held) in (0, of):  # as of a file of one month: no line need be looked at
        return "TRUE" if held else "FALSE"
    arrays = [
        pa.array(column, kind)
        for column, (_, kind) in zip(zip(*held, strict=True), columns, strict=True)
    ]
    names = [column for column, _ in columns]
    connection.register(f"{name}_named", pa.Table.from_arrays(arrays, [f"n_{n}" for n in names]))
    same = " AND ".join(f"n_{n} IS NOT DISTINCT FROM told.{n}" for n in names)
    commissioner = "commissioner, " if "commissioner" in names else ""
    connection.execute(
        f"CREATE TEMP VIEW {name} AS SELECT told.row FROM (SELECT row, {commissioner}{STATED} "
        f"FROM read) AS told SEMI JOIN {name}_named ON {same}"
    )
    return f"row IN (SELECT {name}.row FROM {name})"


def _untested(test: str) -> str:
    """As `untested_tests`: what was accepted of lines with such a test that could not be made."""
    if test == ANY_TEST:
        return accepted_untested()
    return f"{_ACCEPTED} AND contains(tests, {_quoted(_of_test(test))})"


def accepted_untested() -> str:
    """A condition on rows of outcomes: as `untested_tests`."""
    others = " + ".join(_times(_of_test(name)) for name in sorted(ONLY_CORROBORATES))
    return f"{_ACCEPTED} AND {_times(_NOT_MADE)} > {others}"


def _of_test(name: str) -> str:
    return f"[{json.dumps(name, ensure_ascii=False)[:-1]}{_NOT_MADE}"


def _times(text: str) -> str:
    """How often a text is in the tests of a line."""
    return f"(length(tests) - length(replace(tests, {_quoted(text)}, ''))) / {len(text)}"


def _quoted(text: str) -> str:
    quoted = text.replace("'", "''")
    return f"'{quoted}'"
