"""The assurance pages say nothing that no test shows."""

import re

import pytest

from tests.architecture.assurance import (
    FOLDER,
    NAMED,
    exists,
    hazards,
    hazards_page,
    named_tests,
)
from tests.architecture.repository import ROOT

PARTS = {"id", "hazard", "cause", "effect", "control", "severity", "likelihood", "tests"}
SEVERITIES = {"minor", "significant", "considerable", "major", "catastrophic"}
#: The numbers of levels 1 and 2 in ASVS 5.0.0, all chapters but WebRTC's.
#: How a row begins that no test shows.
UNTESTED = ("not met yet", "does not apply", "by the operator", "by reading")
STANDARD = ROOT / "tests" / "architecture" / "asvs-5.0.0-level-2.txt"
LIKELIHOODS = {"very low", "low", "medium", "high", "very high"}


def test_every_test_that_a_page_names_exists() -> None:
    named = list(named_tests())
    assert len(named) > 100
    assert [f"{page}: {name}" for page, name in named if not exists(name)] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tests/architecture/test_assurance.py::test_every_test_that_a_page_names_exists", True),
        ("tests/architecture/test_assurance.py::test_that_never_was", False),
        ("tests/architecture/test_gone.py::test_every_test_that_a_page_names_exists", False),
    ],
)
def test_a_missing_test_is_noticed(name: str, expected: bool) -> None:
    assert exists(name) is expected


def test_every_mention_of_a_test_is_one_that_is_checked() -> None:
    for path in sorted(FOLDER.iterdir()):
        text = path.read_text("utf-8")
        assert len(re.findall(r"::test_", text)) == len(NAMED.findall(text)), path.name


def test_every_hazard_is_complete_and_shown_by_a_test() -> None:
    found = hazards()
    assert len(found) >= 15
    assert [each["id"] for each in found] == [f"HAZ-{n:02}" for n in range(1, len(found) + 1)]
    for each in found:
        assert set(each) == PARTS, each["id"]
        assert each["severity"] in SEVERITIES, each["id"]
        assert each["likelihood"] in LIKELIHOODS, each["id"]
        assert each["tests"], each["id"]
        assert all(NAMED.fullmatch(name) for name in each["tests"]), each["id"]


def test_the_hazard_log_is_fresh() -> None:
    assert (FOLDER / "hazards.md").read_text("utf-8") == hazards_page(), (
        "docs/assurance/hazards.md is stale: write hazards_page() to it"
    )


def test_a_requirement_of_the_standard_stands_once_with_a_test_or_not_met() -> None:
    rows = re.findall(
        r"^\| (\d+\.\d+\.\d+) \|.*\| (.*) \|$", (FOLDER / "asvs.md").read_text("utf-8"), re.M
    )
    listed = [number for number, _ in rows]
    assert len(set(listed)) == len(listed)
    assert set(STANDARD.read_text("utf-8").split()) <= set(listed)
    shown = re.compile(rf"{NAMED.pattern}|^({'|'.join(UNTESTED)})")
    assert [number for number, how in rows if not shown.search(how)] == []


def test_the_page_counts_its_rows_rightly() -> None:
    page = (FOLDER / "asvs.md").read_text("utf-8")
    rows = re.findall(r"^\| \d+\.\d+\.\d+ \|.*\| (.*) \|$", page, re.M)
    not_met, not_ours, operators, read = (
        sum(row.startswith(words) for row in rows) for words in UNTESTED
    )
    tested = len(rows) - not_met - not_ours - operators - read
    assert (
        f"Of {len(rows)} rows {tested} name a test first, {read} are shown by reading, "
        f"{operators} are the operator's, {not_ours} do not apply, and {not_met} is not met yet"
    ) in page
