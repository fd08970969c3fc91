"""The guides' console blocks are the real output of their commands.

ASSENT_WRITE_GUIDES=1 writes the blocks anew.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app

ROOT = Path(__file__).parents[3]
_BLOCK = re.compile(r"```console\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)```", re.S)


def outcome(command: str) -> str:
    """What a command prints, in the guides' folder; a filter after a bar is the real grep."""
    said, _, filter_ = command.partition(" | ")
    words = shlex.split(said)
    if words[0] == "sed":
        subprocess.run(words, check=True)
        return ""
    assert words[0] == "assent", command
    output = CliRunner().invoke(app, words[1:]).output.replace(f"{Path.cwd()}/", "")
    if not filter_:
        return output
    arguments = shlex.split(filter_)
    assert arguments[0] == "grep", command
    found = subprocess.run(arguments, input=output, capture_output=True, text=True, check=False)
    return found.stdout


def with_outputs(guide: str) -> str:
    return _BLOCK.sub(lambda m: f"```console\n$ {m['command']}\n{outcome(m['command'])}```", guide)


def check(path: Path) -> None:
    guide = path.read_text(encoding="utf-8")
    made = with_outputs(guide)
    if os.environ.get("ASSENT_WRITE_GUIDES"):
        path.write_text(made, encoding="utf-8")
    blocks = {match["command"]: match["output"] for match in _BLOCK.finditer(made)}
    assert blocks
    assert [c for c, output in blocks.items() if not output.strip() and c[:3] != "sed"] == []
    assert made == guide, f"{path.name} is stale: run with ASSENT_WRITE_GUIDES=1"


@pytest.fixture(autouse=True)
def _demonstration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")


def test_what_is_said_of_disagreements_is_what_the_bench_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    check(ROOT / "docs" / "disagreements.md")


def test_the_authors_guide_runs_from_new_to_adopt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In an empty library, so that each step finds what the one before it left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSENT_POLICIES_DIR", str(tmp_path / "policies"))
    (tmp_path / "policies").mkdir()
    guide = ROOT / "docs" / "authoring.md"
    for name, text in re.findall(r"```\w+ file=(\S+)\n(.*?)```", guide.read_text("utf-8"), re.S):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    check(guide)
