"""`assent policies check` meets hostile files: exit code 1, and a line that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.unit.authoring.test_hostile import DRAFTS

WHAT_TO_DO = {
    "nested brackets": "Shorten it",
    "nested YAML": "nested over 12 levels deep. Flatten it",
    "a billion laughs": "anchors and aliases are not allowed. Write the value out",
    "five megabytes": "the file is over 256 KB. Split the policy",
    "a subquery": "SELECT is not in the language. count over a list in `derive:`",
    "a hundred thousand keys": "the file is over 256 KB. Split the policy",
    "twenty thousand keys in little room": "the file holds over 20000 values. Split it",
    "a billion laughs of derived values": "Let fewer derived values build on one another",
}


@pytest.mark.parametrize("name", WHAT_TO_DO)
def test_check_refuses_a_hostile_file_and_says_what_to_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    path = tmp_path / "draft.yaml"
    path.write_text(DRAFTS[name], encoding="utf-8")

    result = CliRunner().invoke(app, ["policies", "check", str(path)])

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert f"{path}:" in result.stderr
    assert WHAT_TO_DO[name] in result.stderr


def test_a_file_that_is_no_policy_at_any_size_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    path = tmp_path / "draft.yaml"
    path.write_bytes(b"#" * (17 * 1024 * 1024))
    result = CliRunner().invoke(app, ["policies", "check", str(path)])
    assert (result.exit_code, "Give a smaller one" in result.stderr) == (1, True)
