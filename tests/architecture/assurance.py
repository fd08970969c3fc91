"""What the assurance pages rest on: the hazard log as a page, and the tests that a page names."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from tests.architecture.repository import ROOT

FOLDER = ROOT / "docs" / "assurance"
HAZARDS = FOLDER / "hazards.yaml"
#: A test as the pages name it, on one line and without its parameters.
NAMED = re.compile(r"tests/[a-z0-9_/]+\.py::test_[a-z0-9_]+")
_HEAD = """\
# Hazard log

Printed from `hazards.yaml`; do not edit. A test fails when it is stale or names a test that does
not exist: write `tests.architecture.assurance.hazards_page()` to it.

In the manner of DCB0129. Severity and likelihood (after the control) are the authors' proposal; no
clinical safety officer has agreed them, and this is no clinical safety case.
"""


def hazards() -> list[dict[str, Any]]:
    """The hazards as they are written down."""
    found: list[dict[str, Any]] = yaml.safe_load(HAZARDS.read_text("utf-8"))["hazards"]
    return found


def hazards_page() -> str:
    """The hazard log as Markdown."""
    return "\n".join([_HEAD, *(_hazard(each) for each in hazards())])


def _hazard(each: dict[str, Any]) -> str:
    tests = "\n".join(f"  - `{name}`" for name in each["tests"])
    return (
        f"## {each['id']}: {each['hazard']}\n\n"
        f"- **Cause**: {each['cause']}\n- **Effect**: {each['effect']}\n"
        f"- **Control**: {each['control']}\n"
        f"- **Severity** {each['severity']}, **likelihood** {each['likelihood']}\n"
        f"- **Shown by**\n{tests}\n"
    )


def named_tests() -> Iterator[tuple[str, str]]:
    """Each page of the folder with each test that it names."""
    for path in sorted(FOLDER.iterdir()):
        for name in NAMED.findall(path.read_text("utf-8")):
            yield path.name, name


def exists(name: str) -> bool:
    """Whether a named test is really there."""
    path, _, function = name.partition("::")
    return function in _functions(path)


@cache
def _functions(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
