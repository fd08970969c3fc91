"""Which statements of a revision hold a table that is there for as long as it is large."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

_TABLE: Final = r'(?:ONLY |IF EXISTS )*"?(?P<table>\w+)"?'
#: What a statement does to a table that is there → how it reads. Statements are one line of SQL.
RULES: Final = {
    "makes an index without CONCURRENTLY (use app.db.indexes.build_index)": re.compile(
        rf"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).*? ON {_TABLE}", re.I
    ),
    "adds a constraint that is validated at once (NOT VALID, or USING an index)": re.compile(
        rf"ALTER TABLE {_TABLE} ADD (?:CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)"
        r"(?!.*(?:NOT VALID|USING INDEX)).*",
        re.I,
    ),
    "adds a column with a constraint that is validated at once": re.compile(
        rf"ALTER TABLE {_TABLE} ADD COLUMN .*\b(?:REFERENCES|CHECK|UNIQUE|PRIMARY KEY)\b", re.I
    ),
    "reads the whole table for NOT NULL": re.compile(
        rf"ALTER TABLE {_TABLE} ALTER .*SET NOT NULL", re.I
    ),
    "changes a column's type": re.compile(rf"ALTER TABLE {_TABLE} ALTER .* TYPE ", re.I),
    "writes every row": re.compile(rf"(?:UPDATE|DELETE FROM) {_TABLE}(?!.* WHERE ).*", re.I),
    "locks the table": re.compile(
        rf"(?:LOCK|CLUSTER|VACUUM FULL|REINDEX) (?:TABLE )?{_TABLE}", re.I
    ),
}
_CONCURRENTLY: Final = re.compile(r"(CREATE (UNIQUE )?|DROP )INDEX CONCURRENTLY", re.I)
#: What may stand beside them: settings, questions, and what Alembic and we note of the revision.
_BESIDE: Final = re.compile(
    r"SET |SHOW |SELECT |INSERT INTO schema_release |UPDATE alembic_version ", re.I
)


def faults(statements: Sequence[str], there: Collection[str]) -> list[str]:
    """What is wrong with a revision's statements, where these tables were there before it."""
    lines = [" ".join(statement.split()) for statement in statements]
    return [*_held(lines, there), *_mixed(lines)]


def _held(lines: Iterable[str], there: Collection[str]) -> Iterator[str]:
    for line in lines:
        for what, rule in RULES.items():
            found = rule.match(line)
            if found and found["table"] in there:
                yield f"{found['table']}: {what}"


def _mixed(lines: Sequence[str]) -> Iterator[str]:
    """An index that is made CONCURRENTLY ends the transaction: the rest would be half applied."""
    if not any(_CONCURRENTLY.match(line) for line in lines):
        return
    for line in lines:
        if not (_CONCURRENTLY.match(line) or _BESIDE.match(line)):
            yield f"an index is made CONCURRENTLY, and not by a revision of its own: {line[:60]}"
