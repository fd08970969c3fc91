"""Everybody asks the database in the order of what was written: nobody keeps its connection.

`Work.connection` sends what waits before it is given out. A connection that is kept would be told
things too early, or in another scope of row-level security.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

#: They hand it on for one call that only reads.
HANDED_ON = {"app/api/health.py", "app/backup/check.py"}
OWN = {"app/db/work.py", "app/db/transaction.py"}


def faults(tree: ast.AST, file: str) -> Iterator[str]:
    """What a module does with a transaction's connection that it may not."""
    asked = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or file in OWN:
            continue
        of_work = isinstance(node.value, ast.Name | ast.Attribute) and ast.unparse(
            node.value
        ).endswith("work")
        if node.attr == "begin_nested" or (of_work and node.attr in ("opened", "unsent")):
            yield f"{file}:{node.lineno} uses {node.attr}"
        kept = of_work and node.attr == "connection" and id(node) not in asked
        if kept and file not in HANDED_ON:
            yield f"{file}:{node.lineno} keeps the connection"


def test_nobody_keeps_a_transactions_connection() -> None:
    found = []
    for path in sorted((ROOT / "app").rglob("*.py")):
        file = path.relative_to(ROOT).as_posix()
        found += faults(ast.parse(path.read_text("utf-8")), file)
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "connection = work.connection",
        "run(self.work.connection)",
        "trial = work.connection.begin_nested()",
        "work.opened.execute(query)",
        "work.unsent.clear()",
    ],
)
def test_a_planted_use_is_found(text: str) -> None:
    assert list(faults(ast.parse(text), str(Path("app/approvals/planted.py"))))


def test_asking_anew_is_no_fault() -> None:
    text = "work.connection.execute(query).scalar_one()"
    assert not list(faults(ast.parse(text), "app/approvals/planted.py"))
