"""Templates show what was worded and decided before: they work nothing out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from jinja2 import Environment, nodes

ROOT: Final = Path(__file__).parents[2] / "app" / "web" / "templates"
TEMPLATES: Final = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.html"))
#: How a thing is shown, whichever it is. Everything else is for whoever hands it over.
FILTERS: Final = frozenset(
    # our own, each a plain function with tests of its own
    {"columns", "day", "first_upper", "instant", "kilobytes", "nhs", "number", "pounds"}
    # in which order, how many, one of them, all in a row, and the blanks of a macro's text
    | {"first", "join", "length", "reverse", "safe", "trim"}
)
#: Methods: what a mapping holds, the loop's own, and the items of a component's parameter.
METHODS: Final = frozenset({"append", "changed", "get", "items"})
SUMS: Final = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow)


def worked_out(text: str) -> Iterator[str]:
    """What a template works out by itself, with its line."""
    tree = Environment(autoescape=True).parse(text)
    for found in tree.find_all((*SUMS, nodes.UnaryExpr, nodes.Filter, nodes.Call)):
        if isinstance(found, nodes.Not):
            continue
        if isinstance(found, nodes.Filter):
            if found.name not in FILTERS:
                yield f"line {found.lineno}: the filter {found.name}"
        elif isinstance(found, nodes.Call):
            if isinstance(found.node, nodes.Getattr) and found.node.attr not in METHODS:
                yield f"line {found.lineno}: a call of .{found.node.attr}()"
        elif not _names_the_last(tree, found):
            yield f"line {found.lineno}: a sum ({type(found).__name__})"


def _names_the_last(tree: nodes.Template, found: nodes.Node) -> bool:
    """Whether it is the -1 of `rows[-1]`."""
    return any(found is each.arg for each in tree.find_all(nodes.Getitem))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_works_nothing_out(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert list(worked_out(text)) == [], "let the presenter hand over what is to be shown (ADR 108)"


def test_what_is_worked_out_is_found() -> None:
    assert list(worked_out("{{ first + 1 }}")) == ["line 1: a sum (Add)"]
    assert list(worked_out("\n{{ rows | selectattr('x') | list }}")) == [
        "line 2: the filter list",
        "line 2: the filter selectattr",
    ]
    assert list(worked_out("{% if name.startswith('a.') %}{% endif %}")) == [
        "line 1: a call of .startswith()"
    ]
    assert list(worked_out("{{ rows[-1] }}{{ not rows }}{{ box({'a': 1}) }}")) == []
    assert list(worked_out("{{ -count }}")) == ["line 1: a sum (Neg)"]


def test_the_names_of_the_templates_are_found() -> None:
    assert "base.html" in TEMPLATES
    assert "desk/parts.html" in TEMPLATES
