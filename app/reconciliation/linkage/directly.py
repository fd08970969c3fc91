"""Comparing one line with a few treatments in DuckDB, by the same rules and levels as a search.

Splink takes seconds and much memory to begin, which a search of many lines is worth and a question
of one line is not. What a level is and which pairs are compared stands in `comparing` alone; here
it is only asked without Splink, and a weight is what Splink makes of it: log2(m / u).
"""

from collections.abc import Mapping, Sequence
from math import log2
from typing import Any, Final

import duckdb

from app.reconciliation.linkage.comparing import (
    BLOCKS,
    FIELDS,
    SCHEMA,
    compared_of,
    conditions_of,
    label_of,
    table_of_held,
    table_of_lines,
)
from app.reconciliation.linkage.model import Compared, Held, Sought

_SIDES: Final = ", ".join(
    f"{side}.{name} AS {name}_{side}" for side in ("l", "r") for name in SCHEMA.names
)
_SHARING: Final = " OR ".join(f"{of.format('l')} = {to.format('r')}" for of, to in BLOCKS)


def compare_directly(
    connection: duckdb.DuckDBPyConnection,
    lines: Sequence[Sought],
    treatments: Sequence[Held],
    parameters: Mapping[str, Any],
) -> tuple[Compared, ...]:
    """As `comparing.compare`, of as few as can be held: every pair, in order of both."""
    connection.register("few_lines", table_of_lines(lines))
    connection.register("few_held", table_of_held(treatments))
    levels = ", ".join(f"{_level(name)} AS gamma_{name}" for name in FIELDS)
    rows = connection.sql(
        f"SELECT unique_id_l, unique_id_r, {levels} FROM (SELECT {_SIDES} FROM few_lines AS l "
        f"INNER JOIN few_held AS r ON l.drug = r.drug AND ({_SHARING}))"
    ).to_arrow_table()
    connection.unregister("few_lines")
    connection.unregister("few_held")
    found = (compared_of(row | _weights(row, parameters)) for row in rows.to_pylist())
    return tuple(sorted(found, key=lambda pair: (pair.position, pair.treatment)))


def _level(name: str) -> str:
    """Splink's number of a field's level, as SQL: it counts from the least agreement, -1 for
    absence."""
    conditions = conditions_of(name)
    least = len([label for label, _ in conditions if label != "null"]) - 1
    cases = []
    for label, condition in conditions:
        number = -1 if label == "null" else least
        least -= label != "null"
        cases.append(f"ELSE {number}" if condition == "ELSE" else f"WHEN {condition} THEN {number}")
    return f"CASE {' '.join(cases)} END"


def _weights(row: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, float]:
    """The weight of each field's level in bits; nothing where a side does not state the field."""
    weights = {}
    for name in FIELDS:
        level = row[f"gamma_{name}"]
        weights[f"mw_{name}"] = 0.0
        if level >= 0:
            chances = parameters[name][label_of(name, level)]
            weights[f"mw_{name}"] = log2(chances["m"] / chances["u"])
    return weights
