"""A draft that cannot be meant, or a hostile file, is caught from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.authoring.test_commands import _demonstration, draft, run

__all__ = ["_demonstration"]

WINDOW = "DAYS_BETWEEN(tested_on, decision_to_treat) <= 365"


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (["flag", "NOT flag"], ("contradict each other", "C-1", "C-2")),
        (["score >= 5", "score < 4"], ("contradict each other", "C-1", "C-2")),
        (["flag AND NOT flag"], ("can never be satisfied",)),
        (
            [{"met_when": WINDOW, "text": "Tested in the last 12 months"}],
            ("365 days", "ADD_MONTHS(decision_to_treat, -12)"),
        ),
    ],
)
def test_a_draft_that_cannot_be_meant_is_caught(
    start: list[object], says: tuple[str, ...], tmp_path: Path
) -> None:
    output = run("check", draft(tmp_path, start=start), code=1)
    assert [words for words in says if words not in output] == []


def test_365_days_and_12_months_are_told_apart_by_a_patient(tmp_path: Path) -> None:
    days = draft(tmp_path, start=[WINDOW])
    months = "tested_on >= ADD_MONTHS(decision_to_treat, -12)"
    output = run("diff", days, draft(tmp_path, "months.yaml", start=[months]), "--prove")
    assert f"was: {WINDOW}" in output
    assert "equals" not in output
    assert "Tested on: " in output.partition("not before:")[2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 50_000, "nest"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "alias"),
        ("start: " + "x" * 5_000_000, "Split the policy"),
        ("", "Fill it in"),
    ],
)
def test_a_hostile_file_is_refused(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(text, encoding="utf-8")
    output = run("check", str(path), code=1)
    assert says in output
    assert len(output) < 1_000


@pytest.mark.parametrize(
    "test", ["score IN (SELECT 1)", "score >= " + "(" * 500 + "1" + ")" * 500, "flag OR " * 9_999]
)
def test_a_hostile_expression_is_refused(test: str, tmp_path: Path) -> None:
    output = run("check", draft(tmp_path, start=[test]), code=1)
    assert "C-1" in output
    assert len(output) < 1_000
