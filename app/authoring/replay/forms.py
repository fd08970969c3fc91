"""Stored forms as a DuckDB table: Parquet as it lies, CSV with its cells typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from app.authoring.errors import BenchRefused
from app.authoring.replay.sql import built_in_columns, column_type, quoted, text
from app.policy import PolicyVersion, Question, QuestionType

BOOK = ("id", "outcome", "spend", "kind", "person")
"""Columns of a table of forms beside the context and the answers."""
_BOOK_TYPES = {
    "id": "VARCHAR",
    "outcome": "VARCHAR",
    "spend": "DECIMAL(18, 2)",
    "kind": "VARCHAR",
    "person": "VARCHAR",
}


@dataclass(frozen=True, slots=True)
class Forms:
    """A relation to decide: its SQL, and the columns that it has."""

    connection: Any
    source: str
    columns: frozenset[str]

    def between(self, first: date, last: date) -> Forms:
        """Only the forms whose decision to treat lies between two days, both included."""
        if (first, last) == (date.min, date.max):
            return self
        days = f"BETWEEN DATE '{first.isoformat()}' AND DATE '{last.isoformat()}'"
        source = f"(SELECT * FROM {self.source} WHERE decision_to_treat {days})"
        return Forms(self.connection, source, self.columns)


def open_forms(
    path: Path, version: PolicyVersion, *others: PolicyVersion, threads: int | None = None
) -> Forms:
    """The forms of a Parquet or CSV file. Raises BenchRefused where it cannot be read.

    `others` are versions that the forms are compared under. A Parquet column has the type of its
    question (`column_type`), or one that casts to it without loss; a list is a list of structs.
    In a CSV a list is JSON.
    """
    connection = connect(threads)
    suffix = path.suffix.lower()
    if not path.exists():
        raise BenchRefused(f"{path}: there is no such file. Check the path.")
    if suffix not in (".parquet", ".csv"):
        raise BenchRefused(f"{path}: forms come as .parquet or .csv. Save them as one of them.")
    reader = "read_parquet" if suffix == ".parquet" else "read_csv"
    options = "" if suffix == ".parquet" else ", all_varchar = true, header = true"
    raw = f"{reader}({text(str(path))}{options})"
    try:
        found = connection.execute(f"DESCRIBE SELECT * FROM {raw}").fetchall()
    except duckdb.Error:
        raise BenchRefused(f"{path}: not readable as {suffix[1:]}. Write it again.") from None
    has = {str(name): str(kind) for name, kind, *_ in found}
    if "decision_to_treat" not in has:
        raise BenchRefused(f"{path}: has no column decision_to_treat. Add the day of each form.")
    questions: dict[str, Question] = {}
    for each in (*others, version):
        questions |= each.questions
    forms = _typed(connection, raw, has, questions, is_csv=suffix == ".csv")
    _check_places(connection, raw, has, questions, path)
    _check_values(forms, path, questions)
    return forms


def connect(threads: int | None = None) -> Any:
    """A DuckDB in memory that reaches no network and loads no extension by itself."""
    connection = duckdb.connect()
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    if threads is not None:
        connection.execute(f"SET threads = {int(threads)}")
    return connection


def _typed(
    connection: Any,
    raw: str,
    has: Mapping[str, str],
    questions: Mapping[str, Question],
    *,
    is_csv: bool,
) -> Forms:
    wanted = {
        **_BOOK_TYPES,
        **built_in_columns(),
        **{name: column_type(question) for name, question in questions.items()},
    }
    shown = []
    for name, kind in has.items():
        if name not in wanted:
            continue
        question = questions.get(name)
        shown.append(_cast(name, kind, wanted[name], question, is_csv))
    return Forms(
        connection, f"(SELECT {', '.join(shown)} FROM {raw})", frozenset(has) & set(wanted)
    )


def _cast(name: str, kind: str, wanted: str, question: Question | None, is_csv: bool) -> str:
    column = quoted(name)
    if kind.replace(" ", "") == wanted.replace(" ", "").replace('"', ""):
        return column
    if is_csv:
        cell = f"nullif(trim({column}), '')"
        if question is not None and question.type is QuestionType.LIST:
            return f"CAST(CAST({cell} AS JSON) AS {wanted}) AS {column}"
        return f"CAST({cell} AS {wanted}) AS {column}"
    return f"CAST({column} AS {wanted}) AS {column}"


def _check_places(
    connection: Any,
    raw: str,
    has: Mapping[str, str],
    questions: Mapping[str, Question],
    path: Path,
) -> None:
    """Refuse numbers that the question's type would round."""
    tests = []
    for name in sorted(has.keys() & questions.keys()):
        wanted = column_type(questions[name])
        if questions[name].type not in (QuestionType.NUMBER, QuestionType.INTEGER):
            continue
        if has[name].replace(" ", "") != wanted.replace(" ", ""):
            cell = f"nullif(trim({quoted(name)}::VARCHAR), '')::DECIMAL(38, 10)"
            tests.append((name, f"count(*) FILTER ({cell} <> {cell}::{wanted})"))
    _refuse_counts(connection, raw, path, tests)


def _refuse_counts(
    connection: Any, source: str, path: Path, tests: Sequence[tuple[str, str]]
) -> None:
    """Refuse the file where one of these counts of wrong cells is not zero."""
    if not tests:
        return
    try:
        row = connection.execute(
            f"SELECT {', '.join(sql for _, sql in tests)} FROM {source}"
        ).fetchone()
    except duckdb.Error as error:
        what = str(error).splitlines()[0].split(":")[0]
        raise BenchRefused(
            f"{path}: a cell has not the type of its question ({what}). Correct the column."
        ) from None
    wrong = [f"{name} ({count})" for (name, _), count in zip(tests, row, strict=True) if count]
    if wrong:
        raise BenchRefused(
            f"{path}: answers that the form would not take, by question: {', '.join(wrong)}. "
            "Correct them, or leave those forms out."
        )


def _check_values(forms: Forms, path: Path, questions: Mapping[str, Question]) -> None:
    """Refuse a file whose cells the questions would not take: they would be decided wrongly."""
    tests = []
    for name in sorted(forms.columns & questions.keys()):
        question = questions[name]
        for bound, operator in ((question.minimum, "<"), (question.maximum, ">")):
            if bound is not None:
                tests.append((name, f"count(*) FILTER ({quoted(name)} {operator} {bound})"))
        if question.type is QuestionType.CHOICE:
            options = ", ".join(text(option) for option in question.options)
            tests.append((name, f"count(*) FILTER ({quoted(name)} NOT IN ({options}))"))
    _refuse_counts(forms.connection, forms.source, path, tests)


# --- forms as a table ---------------------------------------------------------------------------


def as_table(version: PolicyVersion, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Typed forms (context, answers by name, and `BOOK` columns) as an Arrow table."""
    schema: dict[str, pa.DataType] = {
        "id": pa.string(),
        "outcome": pa.string(),
        "spend": pa.decimal128(18, 2),
        "person": pa.string(),
        "kind": pa.string(),
        "decision_to_treat": pa.date32(),
        "first_dose": pa.date32(),
        "birth_date": pa.date32(),
        "sex": pa.string(),
    }
    schema |= {name: arrow_type(each) for name, each in version.questions.items()}
    columns = {
        name: pa.array([row.get(name) for row in rows], type=kind) for name, kind in schema.items()
    }
    return pa.table(columns)


def arrow_type(question: Question) -> pa.DataType:
    """The Arrow type of `column_type`."""
    match question.type:
        case QuestionType.BOOLEAN:
            return pa.bool_()
        case QuestionType.DATE:
            return pa.date32()
        case QuestionType.INTEGER:
            return pa.int64()
        case QuestionType.NUMBER:
            digits, places = column_type(question)[8:-1].split(", ")
            return pa.decimal128(int(digits), int(places))
        case QuestionType.LIST:
            return pa.list_(
                pa.struct([(name, arrow_type(each)) for name, each in question.fields.items()])
            )
        case _:
            return pa.string()


def table_forms(version: PolicyVersion, table: pa.Table) -> Forms:
    """Forms that are in memory already, as a relation."""
    connection = connect()
    connection.register("forms", table)
    has = {name: "" for name in table.column_names}
    wanted = {*BOOK, *built_in_columns(), *version.questions}
    return Forms(connection, "forms", frozenset(has) & wanted)
