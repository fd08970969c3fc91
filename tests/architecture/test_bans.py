"""The bans of pyproject.toml are real: ruff refuses what each of them names."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, texts

RUFF = Path(sys.executable).with_name("ruff")
#: Where reading the clock is the job.
CLOCK = "app/clock.py"
#: Draws invented people and prices from a generator with a fixed seed: the same each time.
SEEDED = "app/demonstration/chance.py"


def faults(file: str, text: str) -> set[str]:
    """The codes that ruff reports for a text, as if it stood in that file."""
    result = subprocess.run(
        [RUFF, "check", "--no-cache", "--output-format", "concise", "--stdin-filename", file, "-"],
        input=f'"""A planted module."""\n\n{text}\n',
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode in (0, 1), result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith(file)]
    return {line.split(": ", 1)[1].split(" ", 1)[0] for line in lines}


@pytest.mark.parametrize("file", ["app/policy/planted.py", "app/api/planted.py"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import datetime as dt\n\nx = dt.datetime.now(dt.UTC)", "TID251"),
        ("from datetime import datetime\n\nx = datetime.utcnow()", "TID251"),
        ("import datetime as dt\n\nx = dt.datetime.today()", "TID251"),
        ("from datetime import date\n\nx = date.today()", "TID251"),
        ("import time\n\nx = time.time()", "TID251"),
        ("import uuid\n\nx = uuid.uuid4()", "TID251"),
        ("from uuid import uuid1\n\nx = uuid1()", "TID251"),
        ("import random\n\nx = random.random()", "TID251"),
        ("import secrets\n\nx = secrets.token_hex()", "TID251"),
        ("import os\n\nx = os.urandom(8)", "TID251"),
        ("import datetime as dt\n\nx = dt.datetime(2026, 1, 1)", "DTZ001"),
        ('exec("x = 1")', "S102"),
        ('x = eval("1")', "S307"),
        ('print("a patient")', "T201"),
    ],
)
def test_a_planted_call_is_refused(file: str, text: str, code: str) -> None:
    assert code in faults(file, text)


def test_the_clock_itself_may_read_the_clock() -> None:
    assert faults(CLOCK, "import datetime as dt\n\nx = dt.datetime.now(dt.UTC)") == set()


def test_no_other_module_is_excused_from_the_ban() -> None:
    excused = [
        path.relative_to(ROOT).as_posix()
        for path, text in texts().items()
        if path.is_relative_to(ROOT / "app")
        and any("noqa" in line and "TID251" in line for line in text.splitlines())
    ]
    assert set(excused) <= {SEEDED}
