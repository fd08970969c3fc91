"""`assent policies check FILE` checks a file as what it is, with every fault of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.authoring.check_file import Sort, check_other, sort_of
from app.authoring.errors import BenchRefused
from app.cli import app
from app.policy import PolicyFileFaults
from tests.policies.library import packaged_library
from tests.unit.policy.makers import policy_text

ROOT = Path(__file__).parents[3] / "policies"
CASE = (
    "  - {{name: {name}, version: '2026-01-01', kind: initiation, decision_to_treat: 2026-06-01,"
    " answers: {{flag: true}}, expect: {{outcome: {outcome}}}}}\n"
)
OVERLAY = """policy: secukinumab-psoriasis
language: 1
commissioner: DEMQ1
in_force: {from: 2024-02-01}
what_changed: Faults.
sources: {local: {title: Made up}}
questions: {first: {type: boolean, label: First}}
start:
  - {id: A, text: A, met_when: no_such_question, source: local, evidence: verified}
  - {id: B, text: B, met_when: first AND, source: local, evidence: verified}
  - {id: C, text: C, met_when: first, source: nowhere, evidence: verified}
"""
NOTICE = """title: A made-up warning
drugs: [no-such-drug]
policies: [no-such-policy]
from: 2026-05-01
decide: refer
reason: It is looked into
source: {title: Made up for tests}
evidence: verified
"""


def faults(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    try:
        check_other(path, text, sort_of(path, text), packaged_library, ROOT)
    except PolicyFileFaults as found:
        return [str(fault) for fault in found.faults]
    except BenchRefused as refused:
        return str(refused).splitlines()
    return []


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_every_file_of_the_library_is_known_for_what_it_is() -> None:
    for path in ROOT.glob("**/*.yaml"):
        at = path.relative_to(ROOT)
        wanted = Sort.POLICY
        if path.name == "cases.yaml":
            wanted = Sort.CASES
        elif path.name.startswith("overlay-"):
            wanted = Sort.OVERLAY
        elif path.name.startswith("questions-"):
            wanted = Sort.QUESTIONS
        elif at.parts[0] in ("formulas", "notices"):
            wanted = Sort.FORMULA if at.parts[0] == "formulas" else Sort.NOTICE
        text = path.read_text(encoding="utf-8")
        assert sort_of(path, text) is wanted, at
        assert wanted is Sort.CASES or sort_of(Path("x.yaml"), text) is wanted, at


@pytest.mark.parametrize(
    "path",
    [
        next(ROOT.glob("*/questions-*.yaml")),
        next(ROOT.glob("formulas/*/*.yaml")),
        next(ROOT.glob("*/*/overlay-*.yaml")),
        ROOT / "multiple-sclerosis" / "natalizumab-rrms-res" / "cases.yaml",
    ],
    ids=lambda path: path.name,
)
def test_a_sound_file_of_each_sort_has_no_fault(path: Path) -> None:
    assert faults(path) == []


def test_cases_that_fail_are_all_told_and_thin_ones_too(tmp_path: Path) -> None:
    written(tmp_path / "2026-01-01.yaml", policy_text(start=["flag"]))
    many = "".join(CASE.format(name=f"c{n}", outcome="approved") for n in range(8))
    wrong = CASE.format(name="w1", outcome="referred") + CASE.format(name="w2", outcome="referred")
    path = written(tmp_path / "cases.yaml", f"cases:\n{many}{wrong}")
    told = "\n".join(faults(path))
    assert "w1 (2026-01-01" in told
    assert "w2 (2026-01-01" in told
    assert "c1 (" not in told
    assert "at least 12 are needed" in told
    assert faults(written(path, f"cases:\n{many}")) != []
    several = "cases:\n  - {name: 1}\n  - {nome: x}\n"
    assert len(faults(written(path, several))) > 5


def test_an_overlays_faults_come_all_at_once_and_each_once(tmp_path: Path) -> None:
    told = faults(written(tmp_path / "overlay-DEMQ1-2024-03-01.yaml", OVERLAY))
    assert len(told) == len(set(told))
    for words in ("its name is not what it says", "no_such_question", "nowhere"):
        assert any(words in each for each in told), words
    unknown = OVERLAY.replace("policy: secukinumab-psoriasis", "policy: no-such-policy")
    told = faults(written(tmp_path / "overlay-DEMQ1-2024-02-01.yaml", unknown))
    assert any("no policy no-such-policy" in each for each in told)


def test_a_notices_faults_come_all_at_once(tmp_path: Path) -> None:
    told = "\n".join(faults(written(tmp_path / "2026-04-01-made-up.yaml", NOTICE)))
    for words in ("no-such-drug", "no-such-policy", "another day"):
        assert words in told
    both = NOTICE.replace("decide: refer", "decide: perhaps").replace("from: 2026-05-01", "from: x")
    assert len(faults(written(tmp_path / "n.yaml", both))) >= 2


@pytest.mark.parametrize("folder", ["formulas/dose", "area"])
def test_a_shared_files_faults_come_all_at_once(tmp_path: Path, folder: str) -> None:
    key = "parameters" if folder.startswith("formulas") else "questions"
    text = f"area: elsewhere\n{key}: {{a: {{type: nothing}}, b: {{}}}}\nfrom: 2026-01-01\n"
    name = "2026-01-01.yaml" if key == "parameters" else "questions-2026-01-01.yaml"
    assert len(faults(written(tmp_path / folder / name, text))) >= 2


def test_the_command_takes_files_of_several_sorts(tmp_path: Path) -> None:
    draft = written(tmp_path / "2026-04-01-made-up.yaml", NOTICE)
    questions = next(ROOT.glob("*/questions-*.yaml"))
    result = CliRunner(env={"ASSENT_DEMONSTRATION": "true"}).invoke(
        app, ["policies", "check", str(questions), str(draft)]
    )
    assert result.exit_code == 1
    assert "shared questions: no fault" in result.output
    assert "no-such-drug" in result.output
