"""The repository as the architecture tests read it: its root, its files, its lock files."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"
LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-node.lock",
    "requirements-spark.lock",
)
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)


@cache
def files() -> tuple[Path, ...]:
    """Every file that is committed or would be: what git does not ignore."""
    # The checkout may belong to another user than the one who runs the tests.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"]
    listed = subprocess.run(
        [*command, "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    found = (ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(path for path in found if path.is_file()))


@cache
def texts() -> dict[Path, str]:
    """The text of every file that is text."""
    found = {}
    for path in files():
        try:
            found[path] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """The dotted name and the syntax tree of every Python file below the folders."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module, and every name from a module, that a file imports: `a.b`, `a.b.name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide which room a name comes from"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def pins(lock: str) -> dict[str, str]:
    """Each pinned package of a lock file and its release."""
    return dict(_PIN.findall((ROOT / lock).read_text(encoding="utf-8")))
