"""Imports run one way, and only the doors read the clock: `.importlinter` and a rule beside it."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import APP, ROOT, imported, modules

CONTRACTS = ROOT / ".importlinter"
SOURCES_OF_CHANCE = {"now", "new_id", "random_bytes"}
DOORS = ("app.door", "app.main", "app.cli", "app.commands")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    # An installed copy of the code must not stand in for the folder that is asked about.
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code and its contracts, where a test may break them."""
    shutil.copytree(APP, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CONTRACTS, tmp_path)
    return tmp_path


def test_every_import_contract_holds() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("app/db/engine.py", "import app.approvals.store", "Imports run one way"),
        ("app/auth/store.py", "import app.policy.model", "Imports run one way"),
        ("app/policy/units.py", "from app.reference_data import drugs", "The policy room"),
        ("app/policy/units.py", "import sqlalchemy", "Deciding touches nothing"),
        ("app/approvals/lifecycle.py", "from app.clock import now", "Deciding touches nothing"),
        ("app/reconciliation/summary.py", "from app.audit import log", "Deciding touches nothing"),
        ("app/approvals/errors.py", "from fastapi import HTTPException", "HTTP stays"),
    ],
)
def test_a_planted_import_breaks_its_contract(
    copy: Path, module: str, statement: str, contract: str
) -> None:
    with (copy / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{statement}\n")

    result = lint(copy)

    assert result.returncode == 1, result.stdout
    broken = [line for line in result.stdout.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), broken


def test_a_new_room_must_be_placed_before_it_is_used(copy: Path) -> None:
    (copy / "app" / "attic.py").write_text('"""A room that nobody placed."""\n', encoding="utf-8")

    result = lint(copy)

    assert result.returncode == 1
    assert "attic" in result.stdout


def test_the_policy_room_imports_nothing_else_of_the_service() -> None:
    others = {
        (name, taken)
        for name, tree in modules("app/policy")
        for taken in imported(tree)
        if taken.split(".")[0] == "app" and taken != "app" and not _is_policy(taken)
    }
    assert others == set()


def _is_policy(taken: str) -> bool:
    return taken == "app.policy" or taken.startswith("app.policy.")


def test_only_the_doors_take_the_time_ids_and_randomness_from_the_clock() -> None:
    takers = {
        name
        for name, tree in modules("app")
        if name != "app.clock" and SOURCES_OF_CHANCE & _taken_from_clock(tree)
    }
    inside = {name for name in takers if not name.startswith(DOORS)}
    assert not inside, "take the Work's moment, new_id and random_bytes instead"
    assert "app.door" in takers  # or this test looks for the wrong thing


@pytest.mark.parametrize(
    "text",
    [
        "from app.clock import now",
        "from app.clock import new_id as draw",
        "from app import clock\nclock.random_bytes(8)",
        "import app.clock\napp.clock.now()",
        "import app.clock as c\nc.now()",
    ],
)
def test_every_way_to_the_clock_is_seen(text: str) -> None:
    assert SOURCES_OF_CHANCE & _taken_from_clock(ast.parse(text))


def _taken_from_clock(tree: ast.Module) -> set[str]:
    """The names that a module takes from `app.clock`, by import or by attribute."""
    taken, aliases = set(), {"app.clock"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "app.clock":
            taken |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "app":
            aliases |= {a.asname or a.name for a in node.names if a.name == "clock"}
        elif isinstance(node, ast.Import):
            aliases |= {a.asname for a in node.names if a.name == "app.clock" and a.asname}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in aliases:
            taken.add(node.attr)
    return taken
