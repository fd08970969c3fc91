"""A replay in DuckDB says of every form what the evaluator says, criterion by criterion."""

from __future__ import annotations

import csv
import json
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from app.approvals.library import Library
from app.authoring.errors import BenchRefused
from app.authoring.reading import read_version
from app.authoring.replay.forms import as_table, open_forms, table_forms
from app.authoring.replay.outcome import translate
from app.authoring.replay.run import decide_row, outcomes_of, replay, results_of
from app.authoring.replay.sql import NotTranslated
from app.policy import Kind, Outcome, PolicyVersion, Result, load_policy
from tests.policies.library import packaged_library
from tests.unit.authoring.random_forms import forms
from tests.unit.policy.makers import make_policy

ROOT = Path(__file__).resolve().parents[3]
KINDS = (Kind.INITIATION, Kind.CONTINUATION)
NUMBER = 300
RESULTS = {Result.MET: True, Result.NOT_MET: False, Result.NOT_ANSWERED: None}


@cache
def library() -> Library:
    return packaged_library()


def newest() -> list[PolicyVersion]:
    return [library().versions(policy)[-1] for policy in library().policies()]


def benchmark_policy() -> PolicyVersion:
    path = ROOT / "benchmarks" / "criteria_policy.yaml"
    return load_policy(path.read_text("utf-8"), path.name)


def assert_agreement(version: PolicyVersion, kind: Kind, number: int, seed: int = 1) -> None:
    rows = forms(version, number, seed)
    relation = table_forms(version, as_table(version, rows))
    expected = [decide_row(version, kind, row) for row in rows]
    assert outcomes_of(relation, version, kind) == [each.outcome for each in expected]
    if not expected[0].findings:
        return
    found = results_of(relation, version, kind).to_pylist()
    for row, decision in zip(found, expected, strict=True):
        assert row == {each.criterion: RESULTS[each.result] for each in decision.findings}


def test_five_thousand_forms_with_edge_dates_are_decided_alike() -> None:
    assert_agreement(benchmark_policy(), Kind.INITIATION, 5000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", newest(), ids=lambda version: version.policy)
def test_every_policy_of_the_library_is_decided_alike(version: PolicyVersion, kind: Kind) -> None:
    if has_sql(version, kind):
        assert_agreement(version, kind, NUMBER)
        return
    rows = forms(version, 50, 2)
    for row in rows:
        row["outcome"] = decide_row(version, kind, row).outcome.value
    result = replay(table_forms(version, as_table(version, rows)), version, kind)
    assert result.by == "the evaluator"
    assert result.changed_count == 0


def has_sql(version: PolicyVersion, kind: Kind) -> bool:
    try:
        translate(read_version(version), kind, ())
    except NotTranslated:
        return False
    return True


@pytest.mark.parametrize(
    "test",
    [
        "recent >= 2",
        "recent = 1",
        "recent <> 1",
        "recent < 2",
        "recent BETWEEN 1 AND 2",
        "recent IN (0, 2)",
        "recent + recent >= 3",
        "dose_per_kg <= 2",
        "dose_per_kg > dose / weight - 1",
        "dose / weight + 1 < 2.5",
        "dose / (weight - 30) >= 1.5",
        "NOT (dose / (weight - 30) = 1)",
        "1 / (score - 5) <= 2",
        "score / (score - 5) <> 3 / (score + 1)",
        "score / 3 * score / 2 > 2",
        "AT_LEAST(2, flag, other, third, score > 5)",
        "NOT AT_LEAST(2, flag, other, third)",
        "score BETWEEN 2 AND 4.5 OR NOT flag",
        "route IN ('iv') AND score - 0.5 <= 6.4",
        "tested_on = ADD_MONTHS(decision_to_treat, -12)",
        "DAYS_BETWEEN(tested_on, decision_to_treat) <= 28",
        "ADD_MONTHS(ADD_MONTHS(tested_on, 1), -1) = tested_on",
        "sex = 'male' OR birth_date <= ADD_MONTHS(decision_to_treat, -216)",
        "either AND -score < -3",
    ],
)
def test_each_construct_is_decided_alike(test: str) -> None:
    assert_agreement(make_policy(start=[test]), Kind.INITIATION, 600, seed=7)


@pytest.mark.parametrize(
    "changes",
    [
        {"start": ["flag", {"met_when": "other", "on_failure": "refer"}]},
        {"start": ["flag"], "mechanism": "panel"},
        {"start": [], "mechanism": "notification"},
        {
            "start": ["flag"],
            "new_starts": {
                "decide": "refuse",
                "reason": "Not funded",
                "source": "src",
                "evidence": "verified",
            },
        },
        {"start": ["flag"], "continue": ["other"], "stop": ["third", "score > 5"]},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_each_way_to_an_outcome_is_decided_alike(changes: dict[str, Any], kind: Kind) -> None:
    assert_agreement(make_policy(**changes), kind, 300)


# --- the matrix ---------------------------------------------------------------------------------


def stored(tmp_path: Path) -> tuple[PolicyVersion, PolicyVersion, Path]:
    """Forms decided under one version, in Parquet, and a stricter draft."""
    before = make_policy(start=["flag", "score >= 4"])
    draft = make_policy(start=["flag", "score >= 6", "recent >= 1"])
    rows = forms(before, 400, 3)
    for row in rows:
        row["outcome"] = decide_row(before, Kind.INITIATION, row).outcome.value
        row["spend"] = Decimal("100.50")
    path = tmp_path / "forms.parquet"
    pq.write_table(as_table(before, rows), path)
    return before, draft, path


def test_the_matrix_names_who_changes_by_which_criterion_and_the_spend(tmp_path: Path) -> None:
    before, draft, path = stored(tmp_path)

    result = replay(open_forms(path, draft), draft, Kind.INITIATION)
    against = replay(open_forms(path, draft, before), draft, Kind.INITIATION, before)

    assert result.by == "DuckDB"
    assert result.forms == 400 == sum(result.matrix.values())
    assert result.matrix == against.matrix
    lost = sum(n for (was, now), n in result.matrix.items() if was == "approved" and now != was)
    assert lost > 0
    assert result.changed_count == len(result.changed) >= lost
    assert set(against.by_criterion) <= {"C-1", "C-2", "C-3"}
    assert "C-1" not in against.by_criterion  # the same test in both
    approved = sum(money for (was, _), money in result.spend.items() if was == "approved")
    count = sum(n for (was, _), n in result.matrix.items() if was == "approved")
    assert approved == count * Decimal("100.50")
    assert any("would not be given" in line for line in result.lines())


def test_a_version_against_itself_changes_nobody(tmp_path: Path) -> None:
    before, _, path = stored(tmp_path)

    result = replay(open_forms(path, before), before, Kind.INITIATION)

    assert result.changed_count == 0
    assert result.by_criterion == {}
    assert {was for was, now in result.matrix if was != now} == set()


def test_a_csv_gives_the_same_as_a_parquet(tmp_path: Path) -> None:
    _, draft, path = stored(tmp_path)
    table = pq.read_table(path)
    text = tmp_path / "forms.csv"
    with text.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        for row in table.to_pylist():
            writer.writerow([_cell(value) for value in row.values()])

    from_csv = replay(open_forms(text, draft), draft, Kind.INITIATION)

    assert from_csv == replay(open_forms(path, draft), draft, Kind.INITIATION)


def _cell(value: Any) -> Any:
    return json.dumps(value, default=str) if isinstance(value, list) else value


def test_days_bound_which_forms_are_replayed(tmp_path: Path) -> None:
    _, draft, path = stored(tmp_path)
    found = open_forms(path, draft)
    first, last = date(2024, 1, 1), date(2024, 12, 31)

    result = replay(found.between(first, last), draft, Kind.INITIATION)

    days = pq.read_table(path)["decision_to_treat"].to_pylist()
    assert result.forms == sum(first <= day <= last for day in days) > 0


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("none.csv", None, "there is no such file"),
        ("forms.txt", "a", "come as .parquet or .csv"),
        ("forms.parquet", "no parquet", "not readable as parquet"),
        ("forms.csv", "flag\ntrue\n", "no column decision_to_treat"),
        (
            "forms.csv",
            "decision_to_treat,score\n2026-01-01,99\n",
            "would not take, by question: score",
        ),
        ("forms.csv", "decision_to_treat,score\n2026-01-01,x\n", "not the type of its question"),
        ("forms.csv", "decision_to_treat,route\n2026-01-01,xx\n", "by question: route"),
        ("forms.csv", "decision_to_treat,flag\n2026-01-01,true\n", "no column `outcome`"),
    ],
)
def test_forms_that_cannot_be_replayed_are_refused_with_the_reason(
    tmp_path: Path, name: str, text: str | None, says: str
) -> None:
    version = make_policy(start=["flag"])
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchRefused, match=says):
        replay(open_forms(path, version), version, Kind.INITIATION)


def test_a_decimal_with_too_many_places_is_refused_and_not_rounded(tmp_path: Path) -> None:
    version = make_policy(start=["score >= 5"])
    path = tmp_path / "forms.csv"
    path.write_text("decision_to_treat,outcome,score\n2026-01-01,approved,4.96\n", encoding="utf-8")
    with pytest.raises(BenchRefused, match="score"):
        replay(open_forms(path, version), version, Kind.INITIATION)


def test_all_outcomes_come_up_in_these_tests() -> None:
    version = make_policy(start=["flag", {"met_when": "other", "on_failure": "refer"}])
    rows = forms(version, 300, 1)
    found = {decide_row(version, Kind.INITIATION, row).outcome for row in rows}
    assert found == set(Outcome)
