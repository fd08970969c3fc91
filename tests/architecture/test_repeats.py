"""A call that is repeated with its X-Request-ID is answered before anything is looked at.

Once the first was carried out, what it looked at may be gone or closed, and a look would refuse the
repeat: `write_after` looks only where there is no answer yet.
"""

import ast
from collections.abc import Iterator

from tests.architecture.repository import ROOT


def looks(tree: ast.AST) -> Iterator[str]:
    """Functions that read the database in their own body and then `write`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        calls = [ast.unparse(each.func) for each in own(node) if isinstance(each, ast.Call)]
        if "write" in calls and any(call.endswith((".read", ".transact")) for call in calls):
            yield node.name


def own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """What a function does itself, without what it only defines."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def test_no_call_that_writes_looks_beforehand_by_itself() -> None:
    found = [
        f"{path.name}: {name}"
        for path in sorted((ROOT / "app/api").glob("*.py"))
        for name in looks(ast.parse(path.read_text("utf-8")))
        if path.name != "writing.py"
    ]
    assert found == []


def test_a_planted_look_is_found() -> None:
    planted = "def accept():\n    seen = door.read(look)\n    return write(request, caller, keep)\n"
    assert list(looks(ast.parse(planted))) == ["accept"]
    within = (
        "def accept():\n    def look():\n        return door.read(x)\n    return write(r, c, k)\n"
    )
    assert not list(looks(ast.parse(within)))
