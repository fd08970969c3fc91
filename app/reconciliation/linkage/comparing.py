"""Comparing lines with treatments field by field, in Splink on DuckDB in this process.

Only pairs of one drug that share a birth date (or one with day and month changed round), a hospital
number, a part of the NHS number, or birth month and year with a practice, are compared: any other
has too little in common to be proposed.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

import duckdb
import pyarrow as pa

from app.reconciliation.linkage.model import Compared, Held, Sought

#: The parameters in force; a new set is a new file, and each proposal names its own.
MODEL: Final = "linkage-1"
FIELDS: Final = ("nhs_number", "birth_date", "local_id", "gp_practice")
#: Tables of what is compared, whose names Splink takes in their order, and of the pairs.
LINES, HELD, PAIRS = "a_lines", "b_held", "pairs"

_LEVELS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "nhs_number": (
        ("null", "nhs_number_l IS NULL OR nhs_number_r IS NULL"),
        ("the same", "nhs_number_l = nhs_number_r"),
        ("one change", "damerau_levenshtein(nhs_number_l, nhs_number_r) <= 1"),
        ("two changes", "damerau_levenshtein(nhs_number_l, nhs_number_r) <= 2"),
        ("other", "ELSE"),
    ),
    "birth_date": (
        ("null", "birth_date_l IS NULL OR birth_date_r IS NULL"),
        ("the same", "birth_date_l = birth_date_r"),
        ("day and month changed round", "birth_date_l = birth_swapped_r"),
        ("one change", "damerau_levenshtein(birth_date_l, birth_date_r) <= 1"),
        ("other", "ELSE"),
    ),
    "local_id": (
        ("null", "len(local_ids_l) = 0 OR len(local_ids_r) = 0"),
        ("the same", "len(list_intersect(local_ids_l, local_ids_r)) > 0"),
        ("one change", "damerau_levenshtein(local_id_l, local_id_r) <= 1"),
        ("other", "ELSE"),
    ),
    "gp_practice": (
        ("null", "len(practices_l) = 0 OR len(practices_r) = 0"),
        ("the same", "len(list_intersect(practices_l, practices_r)) > 0"),
        ("other", "ELSE"),
    ),
}

#: Pairs are compared where, beside the drug, one of these is the same: what it is of a line, and of
#: a treatment.
BLOCKS: Final = (
    ("{}.birth_date", "{}.birth_date"),
    ("{}.birth_date", "{}.birth_swapped"),
    ("{}.local_id", "{}.local_id"),
    ("substr({}.nhs_number, 1, 6)", "substr({}.nhs_number, 1, 6)"),
    ("substr({}.nhs_number, 5, 6)", "substr({}.nhs_number, 5, 6)"),
    (
        "(substr({0}.birth_date, 1, 7) || '|' || {0}.practice)",
        "(substr({0}.birth_date, 1, 7) || '|' || {0}.practice)",
    ),
)

SCHEMA: Final = pa.schema(
    [
        ("unique_id", pa.string()),
        ("drug", pa.string()),
        ("nhs_number", pa.string()),
        ("birth_date", pa.string()),
        ("birth_swapped", pa.string()),
        ("local_id", pa.string()),
        ("local_ids", pa.list_(pa.string())),
        ("practice", pa.string()),
        ("practices", pa.list_(pa.string())),
    ]
)


def compare(
    lines: Sequence[Sought], treatments: Sequence[Held], parameters: Mapping[str, Any]
) -> tuple[Compared, ...]:
    """Every pair that has enough in common, in order of line and treatment."""
    if not lines or not treatments:
        return ()
    found = map(compared_of, predicted(lines, treatments, settings_of(parameters)))
    return tuple(sorted(found, key=lambda pair: (pair.position, pair.treatment)))


def compared_of(row: Mapping[str, Any]) -> Compared:
    """What Splink says of a pair."""
    return Compared(
        position=int(row["unique_id_l"]),
        treatment=row["unique_id_r"],
        levels={name: row[f"gamma_{name}"] for name in FIELDS},
        weights={name: row[f"mw_{name}"] for name in FIELDS},
    )


def predicted(
    lines: Sequence[Sought], treatments: Sequence[Held], settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What Splink says of each pair: `gamma_…` the level of each field, `mw_…` its weight."""
    linker = linker_of(lines, treatments, settings)
    table = linker.inference.predict(warning_mode="never").as_pyarrow_table()
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def linker_of(
    lines: Sequence[Sought], treatments: Sequence[Held], settings: Mapping[str, Any]
) -> Any:
    """A Splink linker over the two tables. The order of the rows changes nothing."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    return _linker(connection, table_of_lines(lines), table_of_held(treatments), settings)


def lay_compared(connection: duckdb.DuckDBPyConnection, parameters: Mapping[str, Any]) -> None:
    """Compare the tables LINES and HELD of a database into one of PAIRS, in order of both.

    Whatever the memory of the database does not take lies where it spills to.
    """
    linker = _linker(connection, LINES, HELD, settings_of(parameters))
    found = linker.inference.predict(warning_mode="never")
    told = ", ".join(f"gamma_{name}, mw_{name}" for name in FIELDS)
    connection.execute(
        f"CREATE TABLE {PAIRS} AS SELECT CAST(unique_id_l AS BIGINT) AS unique_id_l, unique_id_r, "
        f"{told} FROM {found.physical_name} ORDER BY unique_id_l, unique_id_r"
    )
    connection.execute(f"DROP TABLE {found.physical_name}")


def _linker(
    connection: duckdb.DuckDBPyConnection,
    lines: pa.Table | str,
    held: pa.Table | str,
    settings: Mapping[str, Any],
) -> Any:
    from splink import DuckDBAPI, Linker  # slow to import, and wanted by a job only

    logging.getLogger("splink").setLevel(logging.ERROR)  # what it logs may hold values
    api = DuckDBAPI(connection)
    left = api.register(lines, dataset_display_name=LINES)
    right = api.register(held, dataset_display_name=HELD)
    return Linker([left, right], dict(settings), log_level=None)


def settings_of(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Splink's settings with these m and u probabilities; None: untrained."""
    return {
        "link_type": "link_only",
        "unique_id_column_name": "unique_id",
        # The starting odds are ours (`weighing`), so that each line has its own: even here.
        "probability_two_random_records_match": 0.5,
        "comparisons": [_comparison(name, (parameters or {}).get(name)) for name in FIELDS],
        "blocking_rules_to_generate_predictions": [
            {
                "blocking_rule": f"l.drug = r.drug AND {of.format('l')} = {to.format('r')}",
                "sql_dialect": "duckdb",
            }
            for of, to in BLOCKS
        ],
        "retain_intermediate_calculation_columns": True,
        "retain_matching_columns": True,
    }


def _comparison(name: str, trained: Mapping[str, Any] | None) -> dict[str, Any]:
    levels = []
    for label, sql in _LEVELS[name]:
        level: dict[str, Any] = {"sql_condition": sql, "label_for_charts": label}
        if label == "null":
            level["is_null_level"] = True
        elif trained is not None:
            level["m_probability"] = float(trained[label]["m"])
            level["u_probability"] = float(trained[label]["u"])
        levels.append(level)
    return {"output_column_name": name, "comparison_levels": levels}


def conditions_of(name: str) -> tuple[tuple[str, str], ...]:
    """The levels of a field with their conditions in SQL, the first that holds counts."""
    return _LEVELS[name]


def labels_of(name: str) -> tuple[str, ...]:
    """The levels of a field from the most to the least agreement, without that of absence."""
    return tuple(label for label, _ in _LEVELS[name] if label != "null")


def label_of(name: str, level: int) -> str:
    """What Splink's number of a level means; it counts from the least agreement, -1 for absence."""
    return "null" if level < 0 else labels_of(name)[::-1][level]


@cache
def parameters_of(model: str = MODEL) -> dict[str, Any]:
    """A packaged set of parameters, with what it was made from."""
    text = resources.files(__package__).joinpath(f"{model}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def table_of_lines(lines: Iterable[Sought]) -> pa.Table:
    """Lines as they are compared."""
    return _table(map(_of_line, lines))


def table_of_held(treatments: Iterable[Held]) -> pa.Table:
    """Treatments as they are compared."""
    return _table(map(_of_treatment, treatments))


def _table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def _of_line(line: Sought) -> dict[str, Any]:
    return _row(
        str(line.position),
        line.drug,
        line.nhs_number,
        line.birth_date.isoformat() if line.birth_date else None,
        (line.local_key,) if line.local_key else (),
        (line.gp_practice,) if line.gp_practice else (),
    )


def _of_treatment(held: Held) -> dict[str, Any]:
    return _row(
        held.treatment,
        held.drug,
        held.nhs_number,
        held.birth_date.isoformat() if held.birth_date else None,
        held.local_keys,
        held.gp_practices,
    )


def _row(
    id: str,
    drug: str,
    number: str | None,
    birth: str | None,
    local: Sequence[str],
    practices: Sequence[str],
) -> dict[str, Any]:
    return {
        "unique_id": id,
        "drug": drug,
        "nhs_number": number,
        "birth_date": birth,
        "birth_swapped": _swapped(birth),
        "local_id": local[0] if local else None,
        "local_ids": list(local),
        "practice": practices[0] if practices else None,
        "practices": list(practices),
    }


def _swapped(birth: str | None) -> str | None:
    """The date with day and month changed round; None where that is no date or the same one."""
    if birth is None:
        return None
    year, month, day = birth.split("-")
    return f"{year}-{day}-{month}" if int(day) <= 12 and day != month else None
