"""Every module says what it is for, and every decision has its page."""

import ast
import re
from enum import StrEnum
from pathlib import Path

import pytest

from app.approvals.lifecycle import ApprovalState, RequestState
from app.approvals.model import Basis, FundingOrigin, Route
from app.auth.model import Role
from app.policy import Kind, Outcome, Result, Section
from app.reconciliation.challenge_model import ChallengeState
from app.reconciliation.model import LineKind, LineOutcome, TestResult
from tests.architecture.repository import ROOT, modules

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
HEADINGS = ("## Context", "## Decision", "## Consequences", "## Today")


def test_every_module_has_a_docstring() -> None:
    silent = [
        name
        for name, tree in modules("app", "migrations", "benchmarks")
        if tree.body and ast.get_docstring(tree) is None
    ]
    assert silent == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name.split("-")[0]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_fits_its_page(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(path.name.split('-')[0])}. ")
    assert re.search(r"^Status: (accepted|superseded by \d+)$", text, re.MULTILINE)
    assert [line for line in text.splitlines() if line.startswith("## ")] == list(HEADINGS)
    assert len(text.splitlines()) <= 60


def test_the_index_of_decisions_names_each_of_them() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d[^)]*\.md)\)", index) == [path.name for path in DECISIONS]


@pytest.mark.parametrize(
    "page", ["DEVELOPERS.md", "GLOSSARY.md", "CHANGELOG.md", "docs/dependencies.md"]
)
def test_every_file_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(
        re.findall(r"`((?:app|tests|migrations|docs|benchmarks|policies|\.ci)/[^`\s<>*]*)`", text)
    )
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    "words",
    [
        Kind,
        Outcome,
        Result,
        Section,
        Role,
        RequestState,
        ApprovalState,
        Basis,
        Route,
        FundingOrigin,
        LineKind,
        LineOutcome,
        TestResult,
        ChallengeState,
    ],
)
def test_the_glossary_explains_every_word_that_a_caller_meets(words: type[StrEnum]) -> None:
    explained = set(
        re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", (ROOT / "GLOSSARY.md").read_text("utf-8"))
    )
    assert {word.value for word in words} - explained == set()
