"""A panel decides in one place, which asks for a second member where the policy does."""

import ast
from collections.abc import Iterator

from tests.architecture.repository import ROOT

ONE_WAY = "app/approvals/seconding.py"
#: It stores opinions, of whomever: the panel's decide nothing, which is held below.
OPINIONS = "app/approvals/deciding.py"
DECIDES_NOTHING = {"'returned'", "STOOD_ASIDE"}


def decisions(tree: ast.AST) -> Iterator[int]:
    """Lines that store a decision as made by a panel."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("add_decision"):
            made_by = next((k.value for k in node.keywords if k.arg == "made_by"), None)
            if not isinstance(made_by, ast.Constant) or made_by.value == "panel":
                yield node.lineno


def opinions(tree: ast.AST) -> Iterator[str]:
    """The outcomes of a panel's opinions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("add_opinion"):
            *_, made_by, outcome = (ast.unparse(each) for each in node.args[:6])
            if made_by == "'panel'":
                yield outcome


def test_a_panel_decides_in_one_place() -> None:
    trees = {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8"))
        for path in (ROOT / "app").rglob("*.py")
    }
    assert {file for file, tree in trees.items() if list(decisions(tree))} == {ONE_WAY, OPINIONS}
    assert {each for tree in trees.values() for each in opinions(tree)} == DECIDES_NOTHING


def test_a_planted_decision_is_found() -> None:
    assert list(decisions(ast.parse('add_decision(work, made_by="panel")'))) == [1]
    assert list(decisions(ast.parse("deciding.add_decision(work, made_by=who)"))) == [1]
    assert not list(decisions(ast.parse('add_decision(work, made_by="policy")')))
    planted = 'add_opinion(work, caller, request, treatment, "panel", "declined", why)'
    assert list(opinions(ast.parse(planted))) == ["'declined'"]
