"""`assent drugs coverage FILE`: an analyst's own list, without a database."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app

LIST = (
    "ignored;Drug Name;code;n;cost\n"
    "x;HUMIRA 40mg;;3;£1,000.50\n"
    "x;FROBNICAB 9434765919;;2;(5.00)\n"
    "x;ADALIMUM;;TBC;2000\n"
    "x;;11762011000001101;1;7\n"
    "x; ;;1;7\n"
)
COLUMNS = ("--codes", "code", "--lines", "n", "--pounds", "cost")


def run(file: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["drugs", "coverage", str(file), *options])
    return result.exit_code, result.output


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    file = tmp_path / "names.csv"
    file.write_text(LIST, encoding="utf-8")
    return file


def test_a_program_is_told_names_lines_and_pounds(listed: Path) -> None:
    code, out = run(listed, *COLUMNS, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["all"] == {"names": 4, "lines": 7, "pounds": "3002.50"}
    assert told["recognised"] == {"names": 2, "lines": 4, "pounds": "1007.50"}
    assert told["came_to"]["dm+d or SNOMED CT code"]["names"] == 1
    assert told["came_to"]["brand in the table"]["pounds"] == "1000.50"
    assert (told["rows_without_name"], told["cells_without_number"]) == (1, 1)
    left = [(each["name"], each["suggestion"]) for each in told["not_recognised"]]
    assert left == [("ADALIMUM", "adalimumab"), ("FROBNICAB …", None)]


def test_a_person_is_told_the_same_and_no_long_number(listed: Path) -> None:
    code, out = run(listed, *COLUMNS, "--top", "1")
    assert code == 0
    assert "Not recognised, the dearest first" in out
    assert "ADALIMUM" in out
    assert "FROBNICAB" not in out
    _, all_of_it = run(listed)
    assert "most frequent first" in all_of_it
    assert "Pounds" not in all_of_it
    assert "9434765919" not in all_of_it


@pytest.mark.parametrize(
    ("text", "options", "why"),
    [
        ("a,b\nx,y\n", (), "Name the column with --names"),
        ("drug_name,b\nx,y\n", ("--pounds", "cost"), "There is no column cost"),
        ("", (), "The file is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(
    tmp_path: Path, text: str, options: tuple[str, ...], why: str
) -> None:
    file = tmp_path / "names.csv"
    file.write_text(text, encoding="utf-8")
    code, out = run(file, *options)
    assert code == 2
    assert why in out
    assert run(tmp_path / "none.csv")[0] == 2


def test_what_would_steer_a_terminal_is_not_printed(tmp_path: Path) -> None:
    file = tmp_path / "hostile.csv"
    file.write_text("a\x1b[2J,b\x07\nx,y\n", encoding="utf-8")
    code, out = run(file)
    assert (code, "the header has a[2J, b. Name the column with --names." in out) == (2, True)
    file.write_text("name\nFROB\x1b]0;owned\x07NICATE\n", encoding="utf-8")
    code, out = run(file)
    assert code == 0
    assert "\x1b" not in out
    assert "\x07" not in out
    file.write_bytes(b"")
    assert run(file)[1].strip().endswith("Export it again and send that.")
