"""The tables in the README and in the page on the demonstration year are what the commands print.

ASSENT_WRITE_GUIDES=1 writes them anew.
"""

import datetime as dt
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.settings import REPOSITORY

pytestmark = pytest.mark.slow
PAGE = REPOSITORY / "docs" / "demonstration-year.md"
README = REPOSITORY / "README.md"
_TABLE = re.compile(r"^(?P<title>[^\n┏│]+)\n(?P<box>┏.*?^└[^\n]*)$", re.S | re.M)
_DAY = re.compile(r"Invented data up to ([0-9]+ [A-Z][a-z]+ [0-9]{4})")


def tables(text: str) -> dict[str, str]:
    """Title → box, of every table in a text."""
    return {found["title"].strip(): found["box"] for found in _TABLE.finditer(text)}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every table that the two commands print, on the day that the README names."""
    told = _DAY.search(README.read_text(encoding="utf-8"))
    assert told is not None
    day = dt.datetime.strptime(told[1], "%d %B %Y").date()  # noqa: DTZ007 — a day has no zone
    environment = {
        "ASSENT_DATA_DIR": str(tmp_path_factory.mktemp("printed")),
        "ASSENT_DEMONSTRATION": "true",
    }
    run = CliRunner(env=environment)
    loaded = run.invoke(app, ["demo", "--no-serve", "--day", day.isoformat()])
    year = run.invoke(app, ["demo", "year"])
    assert (loaded.exit_code, year.exit_code) == (0, 0), loaded.output + year.output
    return tables(loaded.stdout) | tables(year.stdout)


@pytest.mark.parametrize(
    ("path", "least"),
    [
        (PAGE, {"DEMQ1, 202526", "DEMQ2, 202526"}),
        (README, {"By outcome"}),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_every_table_is_what_the_commands_print(
    path: Path, least: set[str], printed: dict[str, str]
) -> None:
    text = path.read_text(encoding="utf-8")

    def anew(found: re.Match[str]) -> str:
        return f"{found['title']}\n{printed.get(found['title'].strip(), found['box'])}"

    if os.environ.get("ASSENT_WRITE_GUIDES"):
        path.write_text(_TABLE.sub(anew, text), encoding="utf-8")
    shown = tables(text)
    assert set(shown) >= least
    assert {title: printed.get(title) for title in shown} == shown, (
        f"{path.name} is stale: run with ASSENT_WRITE_GUIDES=1"
    )
